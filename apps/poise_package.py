"""Starts a part of the Python package poise, which lies in the source tree or in the installed tree of these scripts.
It need not be installed by pip."""

import importlib
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
FOLDERS = (os.path.join(HERE, "..", "src", "python"), os.path.join(HERE, "..", "share", "poise", "python"))
SYSTEM_PYTHON = "/usr/bin/python3"


def fail(message):
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr)
    sys.exit(2)


def require_modules():
    try:
        import h5py  # noqa: F401
        import matplotlib  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        # A python3 that comes first in PATH may lack the modules while the distribution's has them.
        if "POISE_PLOT_RETRY" not in os.environ and os.path.exists(SYSTEM_PYTHON):
            os.environ["POISE_PLOT_RETRY"] = "1"
            os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
        fail(f"needs h5py and matplotlib: apt install python3-h5py python3-matplotlib ({error})")


def start(part):
    """Calls `main` of a module of poise.figures with the arguments of the command line."""
    require_modules()
    folders = [folder for folder in FOLDERS if os.path.isdir(os.path.join(folder, "poise"))]
    if not folders:
        fail(f"the package poise is in none of {', '.join(map(os.path.normpath, FOLDERS))}")
    sys.path.insert(0, folders[0])
    from poise.command import run

    run(importlib.import_module(f"poise.figures.{part}").main)
