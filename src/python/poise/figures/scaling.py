"""A table and a figure from the results of jobs/scaling.sbatch, DIR/KIND_GRID_LAUNCHER_NODES.csv: DIR/scaling.csv and
DIR/scaling.png, .pdf. The speed-up of n times the work is n times the one rank's time over the time of all ranks."""

import argparse
import csv
import os
import re

import matplotlib.pyplot as plt
import numpy as np

from ..command import program_name
from ..errors import Error
from .bench import read
from .curves import text
from .style import BLUE, GREY, ORANGE, RED, add_output_options, begin_command, output_files, readable, save_all

NAME = re.compile(r"(strong|weak)_(samples|features)_(mpirun|srun)_(\d+)\.csv")
COLUMNS = ("kind", "over", "launcher", "nodes", "ranks", "grid", "scaling_of", "m", "n", "q", "seconds",
           "one_rank_seconds", "speedup", "efficiency", "dgemm_speedup", "share_of_dgemm")


def collect(directory):
    if not os.path.isdir(directory):
        raise Error(f"{directory}: no such directory")
    rows = []
    for name in os.listdir(directory):
        if match := NAME.fullmatch(name):
            kind, over, launcher, nodes = match.groups()
            rows += [{**row, "kind": kind, "over": over, "launcher": launcher, "nodes": int(nodes), "file": name}
                     for row in read(os.path.join(directory, name))]
    if not rows:
        raise Error(f"{directory}: no results of jobs/scaling.sbatch in it")
    for row in rows:
        for column in COLUMNS:
            if column not in row:
                raise Error(f"{directory}: a result of poise-bench has no column '{column}'; was it -case scaling?")
    rows.sort(key=lambda row: (row["kind"], row["over"], row["launcher"], row["nodes"]))
    require_one_problem(directory, rows)
    return rows


def require_one_problem(directory, rows):
    """What one panel shows must be the same problem, or the same for each rank."""
    firsts = {}
    for row in rows:
        weak = row["kind"] == "weak"
        problem = {"scaling_of": row["scaling_of"], "m": row["m"], "q": row["q"],
                   "n for each rank" if weak else "n": row["n"] / row["ranks"] if weak else row["n"]}
        first, known = firsts.setdefault(row["kind"], (row["file"], problem))
        for name, value in problem.items():
            if value != known[name]:
                raise Error(f"{directory}: {name} is {text(known[name])} in {first} and {text(value)} in "
                            f"{row['file']}: measurements of different problems belong in directories of their own")


def write_table(rows, path):
    partial = f"{path}.part{os.getpid()}"
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)


def panel(axes, rows, title):
    for over, colour in (("samples", BLUE), ("features", ORANGE)):
        for launcher, line in (("mpirun", "-"), ("srun", "--")):
            points = sorted((row["ranks"], row["speedup"]) for row in rows
                            if row["over"] == over and row["launcher"] == launcher)
            if points:
                axes.plot(*zip(*points), color=colour, linestyle=line, marker="o", label=f"over {over}, {launcher}")
    ranks = sorted({row["ranks"] for row in rows})
    axes.plot(ranks, [np.median([row["dgemm_speedup"] for row in rows if row["ranks"] == one]) for one in ranks],
              color=GREY, label="independent dgemms")
    axes.plot(ranks, ranks, color=RED, linestyle=":", label="ranks")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(ranks, [f"{one:.0f}" for one in ranks])
    axes.minorticks_off()
    axes.set_xlabel("ranks")
    axes.set_ylabel("speed-up over one rank")
    axes.set_title(title)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0, ncol=2)


def figure_of(rows):
    kinds = [kind for kind in ("strong", "weak") if any(row["kind"] == kind for row in rows)]
    titles = {"strong": "Strong: the same problem", "weak": "Weak: the same problem for each rank"}
    figure, panels = plt.subplots(1, len(kinds), figsize=(6.0 * len(kinds) + 0.5, 5.6), squeeze=False)
    for axes, kind in zip(panels[0], kinds):
        panel(axes, [row for row in rows if row["kind"] == kind], titles[kind])
    readable(figure)
    figure.tight_layout(w_pad=2.5)
    return figure


def main():
    parser = argparse.ArgumentParser(prog=program_name(), description=__doc__)
    parser.add_argument("directory", metavar="DIR", help="of the results")
    add_output_options(parser, "DIR/scaling.png, .pdf")
    arguments = parser.parse_args()

    begin_command()
    rows = collect(arguments.directory)
    paths = output_files(arguments, os.path.join(arguments.directory, "scaling"))
    table = os.path.join(arguments.directory, "scaling.csv")
    write_table(rows, table)
    print(table)
    save_all(figure_of(rows), paths)
