"""What the figures of Poise share: modules, colours, style, and how a script ends."""

import os
import sys

# A run that goes on keeps its file open for writing; reading it must not fail for that.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
os.environ.setdefault("MPLBACKEND", "Agg")

SYSTEM_PYTHON = "/usr/bin/python3"


def fail(message):
    """Ends the program with one message and the exit code of bad input."""
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr)
    sys.exit(2)


try:
    import h5py
    import matplotlib
    import numpy as np
except ImportError as error:
    # A python3 that comes first in PATH may lack the modules while the distribution's has them.
    if "POISE_PLOT_RETRY" not in os.environ and os.path.exists(SYSTEM_PYTHON):
        os.environ["POISE_PLOT_RETRY"] = "1"
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
    fail(f"needs h5py and matplotlib: apt install python3-h5py python3-matplotlib ({error})")

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#555555"

STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.handlelength": 2.4,
    "lines.linewidth": 2.0,
    "pdf.fonttype": 42,
}


def number_text(value):
    """A number of an axis, with as many digits as it has."""
    return f"{value:.6g}"


def readable_axis(axes, which="y"):
    """Ticks that can be read: a log axis has at least two numbers, also within one decade, and no axis an offset
    like 1e-5+7.3e-1 that is to be added to its numbers."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    low, high = sorted(axes.get_ylim() if which == "y" else axes.get_xlim())
    scale = axes.get_yscale() if which == "y" else axes.get_xscale()
    if scale != "log":
        formatter = axis.get_major_formatter()
        if hasattr(formatter, "set_useOffset"):
            formatter.set_useOffset(False)
        return
    axis.set_minor_formatter(NullFormatter())
    decades = np.log10(high / low) if low > 0 else 0
    if decades >= 2:
        return
    steps = (1.0, 2.0, 5.0) if decades > 0.6 else tuple(np.arange(1.0, 10.0, 1.0))
    axis.set_major_locator(LogLocator(subs=steps, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    shown = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    if len(shown) < 2:  # a small part of a decade: log and linear look the same there
        (axes.set_yscale if which == "y" else axes.set_xscale)("linear")
        axis.get_major_formatter().set_useOffset(False)
        axis.get_major_formatter().set_scientific(False)


def readable(figure):
    """Every axis of a figure whose ticks the figure did not place itself."""
    for axes in figure.axes:
        for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            if not isinstance(axis.get_major_locator(), (FixedLocator, NullLocator)):
                readable_axis(axes, which)


def output_files(arguments, stem):
    """Paths of the figures that --output and --format ask for; `stem` without ending where they do not say."""
    known = plt.gcf().canvas.get_supported_filetypes()
    formats = [f.strip().lower() for f in arguments.format.split(",") if f.strip()] if arguments.format else []
    if arguments.output:
        stem, ending = os.path.splitext(arguments.output)
        if ending.lstrip(".").lower() not in known:  # "-o a/run.v2" has no ending of a format
            stem, ending = arguments.output, ""
        formats = formats or [ending.lstrip(".").lower() or "png"]
    formats = formats or ["png", "pdf"]
    for name in formats:
        if name not in known:
            fail(f"format '{name}' is not one of {', '.join(sorted(known))}")
    return [f"{stem}.{name}" for name in dict.fromkeys(formats)]


def save(figure, path):
    """Writes under another name first, so that a viewer never meets half a figure."""
    stem, ending = os.path.splitext(path)
    partial = f"{stem}.part{os.getpid()}{ending}"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        figure.savefig(partial)
        os.replace(partial, path)
    except OSError as error:
        if os.path.exists(partial):
            os.remove(partial)
        fail(f"{path}: cannot be written: {error}")
