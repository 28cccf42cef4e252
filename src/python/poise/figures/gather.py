"""One table and one figure of all runs DIR/* of a sweep: DIR/runs.h5, with a row a run, and DIR/figures/runs.png, .pdf.
The table (schema poise-runs-1) holds /runs/<column>: name, done (1 if the run has reached its end), what the run file
says of seed, gamma, m and the like, every option that differs between the runs as text below /runs/options, and the
last value of every column of the history below /runs/last. Runs that the table of the sweep names (DIR/sweep.txt or
DIR/ensemble.txt) and that have no run file are rows, too: not done, and NaN."""

import argparse
import difflib
import os
import sys
import textwrap

import h5py
import matplotlib.pyplot as plt
import numpy as np

from ..command import program_name
from ..errors import Error
from .curves import X_LABELS, Curves
from .style import (BLUE, GREEN, GREY, ORANGE, RED, add_output_options, begin_command, output_files, readable_axis,
                    save_all)

SCHEMA = "poise-runs-1"
NUMBERS = ("seed", "gamma", "m", "q", "parameters", "ranks")
COLOURS = (BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9", GREY)
LINES = ("-", "--", ":", "-.")


class Member(Curves):
    """A run of the sweep, with what the table says of it."""

    def __init__(self, directory):
        self.recorded = os.path.isfile(os.path.join(directory, "run.h5"))
        if self.recorded:
            super().__init__(directory, may_be_empty=True)  # one that failed at its first step
        else:
            self.name, self.columns = os.path.basename(directory), {"t": np.empty(0)}
            self.attributes, self.options = {}, {}
        self.done = self.recorded and os.path.exists(os.path.join(directory, "DONE"))

    def number(self, name):
        value = self.attribute(name)
        return float(value) if value is not None else np.nan

    def last(self, name):
        column = self.columns.get(name)
        return column[-1] if column is not None and len(column) else np.nan


def names_of_table(path):
    """The runs that jobs/sweep.sbatch or poise-train -ensemble were to do: lines NAME: OPTIONS, comments by #."""
    try:
        with open(path, encoding="utf-8") as file:
            words = [line.split("#")[0].split() for line in file]
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise Error(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(words, 1):
        if line and not line[0].endswith(":"):
            raise Error(f"{path}:{number}: a line is NAME: OPTIONS, but '{line[0]}' does not end with a colon")
    return {line[0][:-1] for line in words if line}


def find_members(directory):
    """The runs that are there, and those that the table of the sweep says are to be there."""
    if not os.path.isdir(directory):
        raise Error(f"{directory}: no such directory")
    names = {name for name in os.listdir(directory) if os.path.isfile(os.path.join(directory, name, "run.h5"))}
    if not names:
        raise Error(f"{directory}: no run in it; a sweep has them in DIR/NAME/run.h5")
    for table in ("sweep.txt", "ensemble.txt"):
        names |= names_of_table(os.path.join(directory, table))
    return [Member(os.path.join(directory, name)) for name in sorted(names)]


def differing_options(members):
    """Names of the options that are not the same in all runs, other than the numbers and what names a single start."""
    names = sorted({name for member in members for name in member.options} - {"run", "resume", *NUMBERS})
    return [name for name in names
            if len({member.options.get(name, "") for member in members if member.recorded}) > 1]


def write_table(members, path):
    partial = f"{path}.part{os.getpid()}"
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["schema"] = SCHEMA
            group = file.create_group("runs")
            group["name"] = [member.name for member in members]
            group["done"] = np.array([member.done for member in members], dtype=np.uint8)
            for name in NUMBERS:
                group[name] = [member.number(name) for member in members]
            for name in differing_options(members):
                group[f"options/{name}"] = [member.options.get(name, "") for member in members]
            for name in sorted({name for member in members for name in member.columns}):
                group[f"last/{name}"] = [member.last(name) for member in members]
        os.replace(partial, path)
    except OSError as error:
        if os.path.exists(partial):
            os.remove(partial)
        raise Error(f"{path}: cannot be written: {error}") from error


# Options that say where and how a run is written, not what is computed; and the seed, by which runs are repeats.
NOT_TUNED = {"run", "resume", "seed", "deadline", "checkpoint_every", "checkpoint_keep", "checkpoint_seconds", "data",
             "grid_feature_ranks", "eq_panel", "record_every", "ensemble", "ensemble_ranks"}


def number(text):
    """A value of an option as a number; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


class Tuning:
    """What was tuned: the options that differ between runs. One of them, a numeric one if there is, makes the abscissa
    of the last values; runs that differ in the others are series; runs that differ in the seed alone are repeats."""

    def __init__(self, members):
        names = sorted({name for member in members for name in member.options} - NOT_TUNED)
        values = {name: {member.options.get(name, "") for member in members} for name in names}
        tuned = [name for name in names if len(values[name]) > 1]
        # What follows from another tuned option (a default that depends on it) is no choice of its own.
        tuned.sort(key=lambda name: (any(number(v) is None for v in values[name]), -len(values[name]), name))
        self.x = tuned[0] if tuned else None
        self.others = [name for name in tuned[1:] if not self._follows(members, name, self.x)]
        self.numeric = self.x is not None and all(number(v) is not None for v in values[self.x])
        self.values = sorted(values[self.x], key=lambda v: number(v) if self.numeric else v) if self.x else [""]
        self.series = sorted({self.series_of(member) for member in members})

    @staticmethod
    def _follows(members, name, other):
        seen = {}
        return all(seen.setdefault(member.options.get(other), member.options.get(name)) == member.options.get(name)
                   for member in members)

    def series_of(self, member):
        return ", ".join(f"{name} = {member.options.get(name, '')}" for name in self.others)

    def place(self, member):
        value = member.options.get(self.x, "") if self.x else ""
        return number(value) if self.numeric else float(self.values.index(value))

    def colour(self, member):
        key = self.series.index(self.series_of(member)) if len(self.series) > 1 else self._value(member)
        return COLOURS[key % len(COLOURS)]

    def line(self, member):
        return LINES[self._value(member) % len(LINES)] if len(self.series) > 1 else "-"

    def _value(self, member):
        return self.values.index(member.options.get(self.x, "")) if self.x else 0

    def title(self, members):
        seeds = {member.options.get("seed") for member in members}
        parts = [f"{len(members)} runs"]
        if self.x:
            parts.append(f"{self.x} from {self.values[0]} to {self.values[-1]}" if self.numeric else
                         f"{self.x}: {', '.join(self.values)}")
        if self.others:
            parts.append("colours: " + ", ".join(self.others))
        if len(seeds) > 1:
            parts.append(f"{len(seeds)} seeds are repeats")
        return "  ·  ".join(parts)


def is_better_if_greater(column):
    """Accuracies, cosines and tightness; losses and everything else are better if they are small."""
    return any(word in column for word in ("accuracy", "cosine", "tightness"))


def ranking(members, column, descending):
    """The members with a number in the last value of a column, best first."""
    known = sorted({name for member in members for name in member.columns})
    if column not in known:
        near = difflib.get_close_matches(column, known, 1)
        raise Error(f"--rank-by {column}: the histories have no column '{column}'"
                    + (f"; did you mean '{near[0]}'?" if near else f"; they have {', '.join(known)}"))
    ranked = [member for member in members if np.isfinite(member.last(column))]
    return sorted(ranked, key=lambda member: -member.last(column) if descending else member.last(column))


def print_ranking(members, arguments):
    """Ranks the runs that are done, with --partial all runs."""
    column = arguments.rank_by
    descending = {"ascending": False, "descending": True, None: is_better_if_greater(column)}[arguments.order]
    ranked = [member for member in ranking(members, column, descending) if member.done or arguments.partial]
    if not ranked:
        raise Error(f"--rank-by {column}: no run {'' if arguments.partial else 'that is done '}has a number in '{column}'")
    print(f"\nrank  {column:>14}  run")
    for place, member in enumerate(ranked, 1):
        print(f"{place:4}  {member.last(column):14.6g}  {member.name}{'' if member.done else '  (not done)'}")
    best = ranked[0]
    print(f"best: {os.path.join(arguments.directory, best.name)} ({column} = {best.last(column):.6g})\n")


def panel_curves(axes, members, column, tuning):
    for member in members:
        curve = member.curve(column, positive=True)
        if curve is not None:
            axes.plot(*curve, color=tuning.colour(member), linestyle=tuning.line(member), linewidth=1.2, alpha=0.8)
    axes.set_yscale("log")
    over = {member.abscissa() for member in members}
    axes.set_xlabel(X_LABELS[over.pop()] if len(over) == 1 else "time, epoch or step of each run")
    axes.set_ylabel(r"$L - L^{*}$" if column == "loss_excess" else "$L$")
    axes.set_title("Excess loss of every run" if column == "loss_excess" else "Loss of every run")
    readable_axis(axes)


def panel_last(axes, members, column, title, tuning):
    """A dot a run over the tuned option, and a line through the medians over the repeats."""
    for series in tuning.series:
        chosen = [member for member in members
                  if tuning.series_of(member) == series and np.isfinite(member.last(column))]
        if not chosen:
            continue
        places = sorted({tuning.place(member) for member in chosen})
        values = [[member.last(column) for member in chosen if tuning.place(member) == place] for place in places]
        colour = tuning.colour(chosen[0]) if len(tuning.series) > 1 else BLUE
        for place, some in zip(places, values):
            axes.plot([place] * len(some), some, "o", color=colour, markersize=5, alpha=0.7)
        axes.plot(places, [np.median(some) for some in values], color=colour, label=series or "median over the repeats",
                  linestyle="-" if tuning.numeric else "none", marker=None if tuning.numeric else "_", markersize=16)
    axes.set_title(title)
    axes.set_xlabel(tuning.x or "")
    if tuning.numeric:
        numbers = [number(value) for value in tuning.values]
        if min(numbers) > 0 and max(numbers) / min(numbers) > 20:
            axes.set_xscale("log")
        readable_axis(axes, "x")
    else:
        axes.set_xticks(range(len(tuning.values)), tuning.values, rotation=30 if len(tuning.values) > 4 else 0)
        axes.set_xlim(-0.5, len(tuning.values) - 0.5)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0.0, ncol=1)


def figure_of(members):
    tuning = Tuning(members)
    excess = all(member.curve("loss_excess", True) for member in members)
    loss = "loss_excess" if excess else "loss"
    accuracy = any(member.curve("test_accuracy") for member in members)
    tested = accuracy or any(member.curve("test_loss") for member in members)
    test = "test_accuracy" if accuracy else "test_loss" if tested else None
    figure, panels = plt.subplots(1, 3 if test else 2, figsize=(14.0 if test else 9.6, 5.2))
    panel_curves(panels[0], members, loss, tuning)
    panel_last(panels[1], members, loss, "Last excess loss" if excess else "Last loss", tuning)
    if all(member.last(loss) > 0 for member in members):
        panels[1].set_yscale("log")
    readable_axis(panels[1])
    if test:
        panel_last(panels[2], members, test, "Last test accuracy" if accuracy else "Last test loss", tuning)
        readable_axis(panels[2])
    title = textwrap.fill(tuning.title(members), 150)
    figure.suptitle(title, x=0.015, ha="left", fontsize=12, color=GREY)
    figure.tight_layout(rect=(0, 0, 1, 0.98 - 0.03 * title.count("\n")), w_pad=2.5)
    return figure


def main():
    parser = argparse.ArgumentParser(prog=program_name(), description=__doc__)
    parser.add_argument("directory", metavar="DIR", help="of the sweep: its runs are DIR/*")
    parser.add_argument("--partial", action="store_true",
                        help="do not fail where runs are not done; the ranking then has them, too")
    parser.add_argument("--rank-by", metavar="COLUMN",
                        help="rank the runs by the last value of a column of their histories and name the best one")
    parser.add_argument("--order", choices=("ascending", "descending"),
                        help="of the ranking (default: descending for accuracies, cosines and tightness, else ascending)")
    add_output_options(parser, "DIR/figures/runs.png, .pdf")
    arguments = parser.parse_args()
    if arguments.order and not arguments.rank_by:
        parser.error("--order is for a ranking: give --rank-by COLUMN")

    begin_command()
    members = find_members(arguments.directory)
    paths = output_files(arguments, os.path.join(arguments.directory, "figures", "runs"))
    table = os.path.join(arguments.directory, "runs.h5")
    write_table(members, table)
    print(table)
    if arguments.rank_by:
        print_ranking(members, arguments)
    drawn = [member for member in members if len(member.columns["t"])]
    if not drawn:
        raise Error(f"{arguments.directory}: nothing has been recorded yet")
    save_all(figure_of(drawn), paths)
    unfinished = [member.name + ("" if member.recorded else " (no run.h5)") for member in members if not member.done]
    print(f"{len(members)} runs, {len(members) - len(unfinished)} of them done")
    if not unfinished or arguments.partial:
        return 0
    print(f"{program_name()}: not done: {', '.join(unfinished)}; the command that began them goes on with them, "
          "--partial is content with what is there", file=sys.stderr)
    return 1
