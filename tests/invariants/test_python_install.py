"""pip installs the Python package into a virtual environment, from its folder alone and without a network. Ends with
code 77 if this Python cannot make such an environment (packages python3-venv and python3-pip)."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from python_package import PACKAGE, poise, require
from training import SOURCE, TrainingTest, patience

require("venv", "ensurepip", "setuptools", "wheel")

ABOUT = """
import importlib.metadata, json, sys
import poise
entries = importlib.metadata.entry_points()
backends = entries.select(group="xarray.backends") if hasattr(entries, "select") else entries["xarray.backends"]
print(json.dumps({"file": poise.__file__, "version": poise.__version__, "modules": sorted(sys.modules),
                  "distribution": importlib.metadata.version("poise"),
                  "backends": [entry.value for entry in backends]}))
"""


class Installed(TrainingTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # pip builds in the folder, so it gets a copy. The environment sees numpy and h5py of this Python.
        left_out = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        copy = shutil.copytree(PACKAGE, cls.path("python"), ignore=left_out)
        cls.environment = cls.path("environment")
        cls.start(sys.executable, "-m", "venv", "--system-site-packages", cls.environment)
        cls.start(cls.program("pip"), "install", "--no-index", "--no-deps", "--no-build-isolation", "--quiet", copy)

    @classmethod
    def start(cls, *words, code=0):
        """Runs a program in the scratch folder; returns its output."""
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(words, capture_output=True, text=True, timeout=patience(250), cwd=cls.scratch, env=clean)
        if done.returncode != code:
            raise AssertionError(f"exit code {done.returncode} of {words}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    @classmethod
    def program(cls, name):
        return os.path.join(cls.environment, "bin", name)

    def test_the_package_is_installed_whole_and_without_mpi(self):
        about = json.loads(self.start(self.program("python"), "-c", ABOUT))
        self.assertTrue(about["file"].startswith(self.environment), about["file"])
        self.assertIn("poise.xarray_backend:PoiseBackend", about["backends"])
        self.assertFalse({"mpi4py", "petsc4py", "torch", "xarray", "matplotlib"} & set(about["modules"]))
        with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
            version = re.search(r"project\(poise VERSION ([0-9.]+)", file.read()).group(1)
        self.assertEqual([about["version"], about["distribution"], poise.__version__], [version] * 3)
        installed, stored = ({name for _, _, names in os.walk(folder) for name in names if name.endswith(".py")}
                             for folder in (os.path.dirname(about["file"]), os.path.join(PACKAGE, "poise")))
        self.assertEqual(installed, stored)

    def test_its_programs_run(self):
        run = self.train("-data", self.regression, "-time", 0.05)
        self.assertIn("verdict: held", self.start(self.program("python"), "-m", "poise", "show", run))
        self.assertIn("run.png", self.start(self.program("poise-plot"), run, "--format", "png"))
        self.assertIn("poise-plot: error: ", self.start(self.program("poise-plot"), "nowhere", code=2))


if __name__ == "__main__":
    unittest.main()
