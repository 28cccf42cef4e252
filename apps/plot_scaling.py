#!/usr/bin/env python3
"""A table and a figure from the results of jobs/scaling.sbatch, DIR/KIND_GRID_LAUNCHER_NODES.csv: DIR/scaling.csv and
DIR/scaling.png, .pdf. The speed-up of n times the work is n times the one rank's time over the time of all ranks."""

import argparse
import csv
import os
import re

from plot_bench import read
from plot_run import text
from plot_style import BLUE, GREY, ORANGE, RED, STYLE, fail, np, output_files, plt, readable, save

NAME = re.compile(r"(strong|weak)_(samples|features)_(mpirun|srun)_(\d+)\.csv")
COLUMNS = ("kind", "over", "launcher", "nodes", "ranks", "grid", "scaling_of", "m", "n", "q", "seconds",
           "one_rank_seconds", "speedup", "efficiency", "dgemm_speedup", "share_of_dgemm")


def collect(directory):
    if not os.path.isdir(directory):
        fail(f"{directory}: no such directory")
    rows = []
    for name in os.listdir(directory):
        if match := NAME.fullmatch(name):
            kind, over, launcher, nodes = match.groups()
            rows += [{**row, "kind": kind, "over": over, "launcher": launcher, "nodes": int(nodes), "file": name}
                     for row in read(os.path.join(directory, name))]
    if not rows:
        fail(f"{directory}: no results of jobs/scaling.sbatch in it")
    for row in rows:
        for column in COLUMNS:
            if column not in row:
                fail(f"{directory}: a result of poise-bench has no column '{column}'; was it -case scaling?")
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
                fail(f"{directory}: {name} is {text(known[name])} in {first} and {text(value)} in {row['file']}: "
                     "measurements of different problems belong in directories of their own")


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
    parser = argparse.ArgumentParser(prog="plot_scaling.py", description=__doc__)
    parser.add_argument("directory", metavar="DIR", help="of the results")
    parser.add_argument("-o", "--output", metavar="FIGURE", help="the figure (default: DIR/scaling.png, .pdf)")
    parser.add_argument("--format", metavar="LIST", help="formats, such as png,pdf,svg")
    arguments = parser.parse_args()

    plt.rcParams.update(STYLE)
    rows = collect(arguments.directory)
    paths = output_files(arguments, os.path.join(arguments.directory, "scaling"))
    table = os.path.join(arguments.directory, "scaling.csv")
    write_table(rows, table)
    print(table)
    figure = figure_of(rows)
    for path in paths:
        save(figure, path)
        print(path)


if __name__ == "__main__":
    main()
