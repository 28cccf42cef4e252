"""A figure from the results of poise-bench (-out FILE.csv or FILE.h5): time of a gradient with its share of a large
dgemm's speed, and, where they were measured, speed-ups and memory against depth."""

import argparse
import csv
import os

import matplotlib.pyplot as plt
import numpy as np

from .. import hdf5
from ..command import program_name
from ..errors import Error
from .style import BLUE, GREEN, GREY, ORANGE, RED, add_output_options, begin_command, output_files, readable, save_all

SCHEMA = "poise-bench-1"
NUMBERS = ("m", "n", "ranks", "seconds", "share_of_dgemm")  # that every row must have
NO_GRADIENT = {"product", "lambda_min", "memory", "depth_memory", "scaling"}


def number(value):
    """A number where it is one, else text; None for an empty entry."""
    if value == "":
        return None
    try:
        return float(value)
    except ValueError:
        return value


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [{key: number(value) for key, value in row.items() if key} for row in csv.DictReader(file)]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def read_hdf5(path):
    with hdf5.open_file(path) as file:
        schema = hdf5.attributes(file).get("schema", "none")
        if schema != SCHEMA:
            raise Error(f"{path}: its schema is '{schema}', not '{SCHEMA}'")
        return [{key: value if isinstance(value, str) else float(value)
                 for key, value in hdf5.attributes(group).items()} for group in file.values()]


def read(path):
    """The rows of one file, a dictionary each."""
    try:
        rows = read_csv(path) if path.endswith(".csv") else read_hdf5(path)
    except (OSError, RuntimeError, TypeError, ValueError, csv.Error) as error:
        raise Error(f"{path}: cannot be read: {error}") from error
    if not rows or not all("case" in row and "grid" in row for row in rows) or not all(
            isinstance(row.get(key), float) for row in rows for key in NUMBERS):
        raise Error(f"{path}: no results of poise-bench in it")
    return rows


def label(row):
    return f"{row['case']}\nm {row['m']:.0f}, n {row['n']:.0f}, {row['grid']}"


def panel_times(axes, rows):
    """A bar a case on a log scale: the median, from the fastest to the slowest run; share of dgemm beside it."""
    positions = np.arange(len(rows))[::-1]
    medians = np.array([row["seconds"] for row in rows])
    low = medians - np.array([row.get("seconds_min", row["seconds"]) for row in rows])
    high = np.array([row.get("seconds_max", row["seconds"]) for row in rows]) - medians
    axes.barh(positions, 1e3 * medians, xerr=[1e3 * low, 1e3 * high], color=BLUE, ecolor=GREY, capsize=3, height=0.6)
    for position, row in zip(positions, rows):
        axes.annotate(f"{row['share_of_dgemm']:.0%}", (1e3 * row.get("seconds_max", row["seconds"]), position),
                      textcoords="offset points", xytext=(6, 0), va="center", fontsize=10, color=ORANGE,
                      fontweight="bold")
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_yticks(positions, [label(row) for row in rows], fontsize=9)
    axes.grid(False, axis="y")
    axes.set_xlabel("ms (orange: share of a large dgemm's speed)")
    axes.set_title("Time of a gradient")


def panel_speedups(axes, rows):
    """A bar a comparison with one rank, beside that of independent products on the same ranks."""
    positions = np.arange(len(rows))
    axes.bar(positions - 0.2, [row["speedup"] for row in rows], 0.38, color=BLUE, label="measured")
    axes.bar(positions + 0.2, [row.get("dgemm_speedup", np.nan) for row in rows], 0.38, color=GREY,
             label="independent dgemms")
    for position, row in zip(positions, rows):
        axes.plot([position - 0.42, position + 0.42], [row["ranks"]] * 2, color=RED, linestyle="--",
                  label="ranks" if position == 0 else None)
    names = [f"{row.get('scaling_of', '')}\n{row.get('scaling', 'strong')}, {row['grid']}" for row in rows]
    axes.set_xticks(positions, names, fontsize=9)
    axes.set_ylabel("speed-up over one rank")
    axes.set_title("Speed-up")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0, ncol=3)


def panel_memory(axes, rows):
    """Memory of the unrolled network against its depth; the equilibrium's is a line."""
    for k, row in enumerate(row for row in rows if row.get("network") == "equilibrium"):
        axes.axhline(row["working_mb"], color=BLUE, label="equilibrium" if k == 0 else None)
    unrolled = [row for row in rows if row.get("network") == "unrolled"]
    for every, colour in zip(sorted({row.get("recompute_every", 0.0) for row in unrolled}), (ORANGE, GREEN, RED) * 9):
        points = sorted((row["depth"], row["working_mb"]) for row in unrolled
                        if row.get("recompute_every", 0.0) == every)
        name = "unrolled" + (f", every {every:.0f}th state kept" if every else "")
        axes.plot(*zip(*points), marker="o", color=colour, label=name)
    axes.set_xscale("log", base=2)
    depths = sorted({row["depth"] for row in unrolled})
    axes.set_xticks(depths, [f"{depth:.0f}" for depth in depths])
    sizes = [row["working_mb"] for row in rows]
    if min(sizes) > 0 and max(sizes) / min(sizes) > 50:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("depth of the network")
    axes.set_ylabel("MB a rank")
    axes.set_title("Memory of a gradient")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0)


def figure_of(rows):
    panels = [
        (panel_times, [row for row in rows if row["case"] not in NO_GRADIENT]),
        (panel_speedups, [row for row in rows if "speedup" in row]),
        (panel_memory, [row for row in rows if "working_mb" in row]),
    ]
    panels = [(panel, chosen) for panel, chosen in panels if chosen]
    if not panels:
        raise Error("neither gradients, nor speed-ups, nor memory against depth in these files")
    height = max(4.8, 1.8 + 0.6 * max(len(chosen) for _, chosen in panels))
    figure, axes = plt.subplots(1, len(panels), figsize=(5.6 * len(panels) + 1.0, height), squeeze=False)
    for one, (panel, chosen) in zip(axes[0], panels):
        panel(one, chosen)
        one.minorticks_off()
    readable(figure)
    figure.tight_layout(w_pad=2.5)
    return figure


def main():
    parser = argparse.ArgumentParser(prog=program_name(), description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="what poise-bench -out wrote: .csv or .h5")
    add_output_options(parser, "beside FILE, .png and .pdf")
    arguments = parser.parse_args()

    begin_command()
    paths = output_files(arguments, os.path.splitext(arguments.files[0])[0])
    save_all(figure_of([row for path in arguments.files for row in read(path)]), paths)
