"""What the figures of Poise share: colours, style, readable axes, and how they are saved."""

import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from ..errors import Error

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


def begin_command():
    """For the command lines: figures go to files only, in this style."""
    plt.switch_backend("Agg")
    plt.rcParams.update(STYLE)


def add_output_options(parser, default):
    """The options --output and --format of a command line; `default` says where figures go without them."""
    parser.add_argument("-o", "--output", metavar="FILE", help=f"the figure (default: {default})")
    parser.add_argument("--format", metavar="LIST", help="formats, such as png,pdf,svg")


def save_all(figure, paths):
    """Saves the figure and prints the paths."""
    for path in paths:
        save(figure, path)
        print(path)


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
    known = FigureCanvasBase.get_supported_filetypes()
    formats = [f.strip().lower() for f in arguments.format.split(",") if f.strip()] if arguments.format else []
    if arguments.output:
        stem, ending = os.path.splitext(arguments.output)
        if ending.lstrip(".").lower() not in known:  # "-o a/run.v2" has no ending of a format
            stem, ending = arguments.output, ""
        formats = formats or [ending.lstrip(".").lower() or "png"]
    formats = formats or ["png", "pdf"]
    for name in formats:
        if name not in known:
            raise Error(f"format '{name}' is not one of {', '.join(sorted(known))}")
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
        raise Error(f"{path}: cannot be written: {error}") from error
