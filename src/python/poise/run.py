"""Run directories of poise-train."""

import dataclasses
import functools
import os

from .checkpoint import list_checkpoints, newest_valid
from .config import text_of, typed_options
from .data import read_data
from .errors import Error
from .graph_data import read_graph
from .graph_model import GraphModel
from .history import History
from .model import Model
from .run_file import read_run_file


class Run:
    """A run directory, as it was when it was opened. `open_run` opens it."""

    def __init__(self, directory):
        self.directory = os.fspath(directory)
        if not os.path.isdir(self.directory):
            raise Error(f"{self.directory}: there is no such directory")
        path = os.path.join(self.directory, "run.h5")
        if not os.path.isfile(path):
            raise Error(f"{self.directory}: no run.h5 in it; is it the directory that poise-train -run named?")
        self._file = read_run_file(path)

    def __repr__(self):
        return f"Run({self.directory!r}, {self.history.rows} rows, {len(self.checkpoints)} checkpoints)"

    @property
    def name(self):
        """The name of the directory, without its path."""
        return os.path.basename(os.path.normpath(self.directory))

    @functools.cached_property
    def history(self):
        """The columns of the history (History): `run.history["loss"]`."""
        return History(self._file.columns, self._file.meanings, {**self._scalars(), **self.options})

    @functools.cached_property
    def config(self):
        """The options of the last attempt by name, as bool, int, float or str."""
        return typed_options(self._file.options)

    @property
    def options(self):
        """The same options as texts, as poise-train takes them."""
        return {name: text_of(value) for name, value in self._file.options.items()}

    @property
    def attributes(self):
        """What the run file says of the last attempt: version, ranks, network, m, q, parameters, …"""
        return self._file.attributes

    @property
    def attempts(self):
        """Every start and every resumption, the oldest first, as dictionaries (apps/README.md, Attempts)."""
        return self._file.attempts

    @property
    def done(self):
        """Whether the run has reached its end."""
        return os.path.exists(os.path.join(self.directory, "DONE"))

    @property
    def verdict(self):
        """The verdict of the live audit on Theorem 1 (THEORY.md 5.4): "held", "violated" or "not verified"; "not
        audited" for a run without audit; None as long as the last attempt has not ended, or if it was killed."""
        if self.config.get("audit") is False:
            return "not audited"
        return self.attempts[-1].get("verdict") if self.attempts else None

    @property
    def checkpoints(self):
        """The checkpoints (Checkpoint), the oldest first. A damaged one is listed, too, and raises Error when used."""
        return list_checkpoints(self._folder)

    @property
    def best(self):
        """The best recorded step for the validation samples (-validation_measure): a dictionary with step, t,
        validation_loss and, if there are classes, validation_accuracy. None without validation samples."""
        names = ("step", "t", "validation_loss", "validation_accuracy")
        return {name: self.attributes[f"best_{name}"] for name in names if f"best_{name}" in self.attributes} or None

    def checkpoint(self, step=None):
        """The checkpoint of a step, or "best" for the step that `best` names; without one, the newest that is not
        damaged, with a warning of every damaged one. Raises Error if there is none."""
        if step is None:
            return newest_valid(self._folder)
        if step == "best":
            if self.best is None:
                raise Error(f"step best: the run in {self.directory} had no validation samples (-validation_fraction); "
                            "give a number, or leave the step out")
            step = self.best["step"]
        for checkpoint in self.checkpoints:
            if checkpoint.step == step:
                return checkpoint
        steps = ", ".join(str(checkpoint.step) for checkpoint in self.checkpoints) or "none"
        raise Error(f"step {step}: {self._folder} has no such checkpoint; it has: {steps}")

    def model(self, step=None):
        """The trained model (Model, or GraphModel of -model graph) of a step or of "best"; without one, of the newest
        checkpoint that is not damaged. Raises Error if there is no checkpoint, or if a program of your own trained a model,
        or features, that this package does not know."""
        checkpoint = self.checkpoint(step)
        return GraphModel(checkpoint) if checkpoint.config.get("model") == "graph" else Model(checkpoint)

    def data(self, path=None):
        """The data that the run was made with (Data), cut to -train_samples; the samples that -validation_fraction has
        held out are among the training samples. Of -model graph the graph (Graph) with the split of the run. `path`: where
        the file is now, if it has moved. Raises Error if there is no such file, or if its samples are not those of the run."""
        state = self.checkpoint().state
        given = path or self.config["data"]
        found = given if path or os.path.exists(given) else state.get("data_path", given)
        graph = self.config.get("model") == "graph"
        data = read_graph(found, self.config["split"]) if graph else read_data(found)
        if self.config["train_samples"]:
            data = dataclasses.replace(data, train=data.train.first(self.config["train_samples"]))
        if state.get("data_fingerprint") not in (None, data.fingerprint()):  # older versions stored none
            raise Error(f"the samples in {found} differ from the samples that the run of {self.directory} was made "
                        f"with (-data {self.config['data']}); give the file with the old samples by path=")
        return data

    @property
    def _folder(self):
        return os.path.join(self.directory, "checkpoints")

    def _scalars(self):
        """The attributes that are numbers or texts and belong to the run, not to the file."""
        return {name: value for name, value in self.attributes.items() if name != "checksum"}


def open_run(directory):
    """Opens the run directory DIR of poise-train and reads DIR/run.h5, also while the run goes on. Raises Error if
    there is no run, or if its file is damaged."""
    return Run(directory)


def verdict(directory):
    """The verdict on Theorem 1 of a run directory: see Run.verdict."""
    return open_run(directory).verdict
