"""One table of the histories of many runs."""

import os

import numpy as np

from .errors import Error
from .run import Run, open_run

OF_ONE_START = {"run", "resume", "deadline"}  # options that say nothing about what is computed


class Table:
    """The histories of several runs, over the run and its steps. `gather` makes it. A step that a run has not recorded,
    and a column that it does not have, are NaN."""

    def __init__(self, runs):
        self.runs = dict(zip(unique_names(runs), runs))

    def __repr__(self):
        return f"Table({len(self.runs)} runs: {', '.join(self.runs)})"

    @property
    def options(self):
        """The options that differ between the runs: a list, with one value a run, by name. None: the run lacks it."""
        names = sorted({name for run in self.runs.values() for name in run.config} - OF_ONE_START)
        values = {name: [run.config.get(name) for run in self.runs.values()] for name in names}
        return {name: several for name, several in values.items() if any(value != several[0] for value in several)}

    def to_pandas(self):
        """A pandas.DataFrame with the index (run, step): the columns of the history, and every option that differs
        between the runs as option_NAME. Needs pandas."""
        import pandas

        frames = [frame_of(run).assign(**{f"option_{name}": values[number] for name, values in self.options.items()})
                  for number, run in enumerate(self.runs.values())]
        return pandas.concat(frames, keys=list(self.runs), names=["run", "step"])

    def to_xarray(self):
        """An xarray.Dataset over (run, step): the columns of the history, with units, and every option that differs
        between the runs as the coordinate option_NAME of the run. Needs xarray."""
        import xarray

        frames = {name: frame_of(run) for name, run in self.runs.items()}
        steps = np.unique(np.concatenate([frame.index for frame in frames.values()]))
        columns = list(dict.fromkeys(name for frame in frames.values() for name in frame))
        meanings = {name: meaning for run in self.runs.values() for name, meaning in run.history.meanings.items()}
        padded = {name: frame.reindex(index=steps, columns=columns) for name, frame in frames.items()}
        variables = {column: (("run", "step"), np.stack([frame[column] for frame in padded.values()]),
                              meanings.get(column, {})) for column in columns}
        coordinates = {"run": list(self.runs), "step": steps,
                       **{f"option_{name}": ("run", coordinate_of(values)) for name, values in self.options.items()}}
        return xarray.Dataset(variables, coordinates)


def gather(runs):
    """A table (Table) of many runs. `runs`: their directories, or opened runs; or one directory, whose runs are DIR/*,
    such as that of an ensemble. Runs may go on. Raises Error if there is no run."""
    if isinstance(runs, (str, os.PathLike)):
        runs = runs_below(os.fspath(runs))
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if not opened:
        raise Error("gather: the list of runs is empty: name their directories")
    return Table(opened)


def runs_below(directory):
    if not os.path.isdir(directory):
        raise Error(f"{directory}: there is no such directory")
    folders = [directory, *(os.path.join(directory, name) for name in sorted(os.listdir(directory)))]
    found = [folder for folder in folders if os.path.isfile(os.path.join(folder, "run.h5"))]
    if not found:
        raise Error(f"{directory}: no run in it; runs are DIR/NAME/run.h5")
    return found


def unique_names(runs):
    """The names of the directories, or, where two have the same name, their paths."""
    names = [run.name for run in runs]
    paths = [run.directory for run in runs]
    if len(set(paths)) < len(paths):
        raise Error(f"gather: {max(paths, key=paths.count)} is named twice")
    return [name if names.count(name) == 1 else path for name, path in zip(names, paths)]


def frame_of(run):
    """The history of a run over its steps; of steps that stand twice the last row."""
    frame = run.history.to_pandas()
    return frame[~frame.index.duplicated(keep="last")]


def coordinate_of(values):
    """Numbers or truth values as such, with NaN for what is missing; else texts."""
    if all(isinstance(value, bool) for value in values):
        return np.array(values)
    if all(value is None or isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return np.array([np.nan if value is None else value for value in values])
    return np.array(["" if value is None else str(value) for value in values])
