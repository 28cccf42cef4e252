"""Data files of Poise (schema poise-data-1, data/README.md)."""

import os
import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from . import hdf5
from .errors import Error
from .packing import Packing

SCHEMA = "poise-data-1"
MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Names:
    """Names of the inputs [d], the targets [q] and the classes; empty where the data have none."""

    inputs: list = field(default_factory=list)
    targets: list = field(default_factory=list)
    classes: list = field(default_factory=list)


@dataclass(frozen=True)
class Samples:
    """Samples, one per row. Data that a model is applied to need neither targets nor labels."""

    features: np.ndarray  # [n, d]
    targets: np.ndarray = None  # [n, q], of a regression
    labels: np.ndarray = None  # [n], classes 0, 1, 2, …
    classes: int = 0  # their number; 0: the largest label + 1
    names: Names = Names()
    where: str = "the array"  # for messages

    def __len__(self):
        return len(self.features)

    def first(self, count):
        """The first `count` samples."""
        return replace(self, **{name: values[:count] for name, values in vars(self).items()
                                if isinstance(values, np.ndarray)})


@dataclass(frozen=True)
class Data:
    """The content of a data file. `validation` and `test` are None if the file has no such set, `classes` is 0 for a
    regression."""

    path: str
    train: Samples
    test: Samples = None
    classes: int = 0
    names: Names = Names()
    attributes: dict = field(default_factory=dict)  # name, source, license, …
    validation: Samples = None

    def fingerprint(self):
        """The number by which a run knows its samples: /state of its checkpoints, attribute data_fingerprint."""
        sets = (self.train, self.test, self.validation)
        total = sum(marks(samples, self.classes, number) for number, samples in enumerate(sets) if samples)
        return f"{total % 2**64:016x}"

    def to_xarray(self):
        """An xarray.Dataset: features (sample, input), targets (sample, target) or labels (sample); the validation
        and the test set over validation_sample and test_sample; names of columns are coordinates. Needs xarray."""
        import xarray

        variables = {}
        for prefix, samples in (("", self.train), ("validation_", self.validation), ("test_", self.test)):
            for name, column in (("features", "input"), ("targets", "target"), ("labels", None)):
                values = getattr(samples, name, None)
                if values is not None:
                    variables[prefix + name] = ((f"{prefix}sample", column) if column else (f"{prefix}sample",), values)
        names = {"input": self.names.inputs, "target": self.names.targets}
        coordinates = {dimension: columns for dimension, columns in names.items() if columns}
        dataset = xarray.Dataset(variables, coordinates, self.attributes)
        return dataset.assign_attrs(class_names=self.names.classes) if self.names.classes else dataset


def one_hot(labels, classes):
    """Rows with a 1 in the column of the class: [n, classes]."""
    return np.eye(classes)[labels]


def marks(samples, classes, number, rows=None):
    """The sum over the samples of a number made of values and row. number: of the set; rows: 0, 1, 2, … by default."""
    answers = samples.targets if samples.labels is None else one_hot(samples.labels, classes)
    crcs = [zlib.crc32(y.tobytes(), zlib.crc32(x.tobytes()))
            for x, y in zip(np.ascontiguousarray(samples.features, "<f8"), np.ascontiguousarray(answers, "<f8"))]
    return sum_of_marks(np.arange(len(samples)) if rows is None else rows, number, crcs)


def sum_of_marks(rows, number, crcs):
    """The sum of the marks of rows with these checksums, as poise-train makes them. number: of the set."""
    mark = rows.astype(np.uint64) << np.uint64(33) | np.uint64((number & 1) << 32) | np.array(crcs, np.uint64)
    mark ^= np.uint64((number >> 1) * 0x9e3779b97f4a7c15 % 2**64)
    for shift, factor in ((30, 0xbf58476d1ce4e5b9), (27, 0x94d049bb133111eb)):  # splitmix64
        mark = (mark ^ (mark >> np.uint64(shift))) * np.uint64(factor)
    return int((mark ^ (mark >> np.uint64(31))).sum(dtype=np.uint64))


class Reader:
    """Reads and checks one open data file. Messages name `path`, which may differ from the name of the file."""

    schema = SCHEMA
    keeps_unknown_answers = False  # whether missing labels and targets are no fault

    def __init__(self, file, path, needs_answers=True):
        self.file, self.path, self.needs_answers = file, path, needs_answers

    def fail(self, what):
        raise Error(f"data file '{self.path}': {what}")

    def read(self):
        attributes = self.checked_attributes()
        train, classes = self.samples("", 0)
        validation, test = (self.held_out(prefix, train, classes) for prefix in ("validation_", "test_"))
        names = self.all_names(train, classes)
        train, validation, test = (samples and replace(samples, names=names, where=f"data file '{self.path}'")
                                   for samples in (train, validation, test))
        return Data(self.path, train, test, classes, names, attributes, validation)

    def checked_attributes(self):
        """The attributes of the file, if it has the schema."""
        attributes = hdf5.attributes(self.file)
        if attributes.get("schema", self.schema) != self.schema:
            self.fail(f"its attribute 'schema' is '{attributes['schema']}', where '{self.schema}' is read (a run or a "
                      "checkpoint is not a data file, and a graph is not a table of samples: poise.read_graph reads "
                      "graphs, poise.read_data tables)")
        return attributes

    def held_out(self, prefix, train, classes):
        """The set beside the training set whose names have the prefix; None without one."""
        if self.has(f"{prefix}features"):
            samples, own_classes = self.samples(prefix, classes)
            self.require_same_columns(prefix, train, samples, classes, own_classes)
            return samples
        for answers in (f"{prefix}targets", f"{prefix}labels"):
            if self.has(answers):
                self.fail(f"has /{answers} but no /{prefix}features: add it, or remove the other")
        return None

    def has(self, name):
        return hdf5.data_set(self.file, name) is not None

    def all_names(self, train, classes):
        return Names(self.names("input_names", train.features.shape[1], "column of /features"),
                     self.names("target_names", train.targets.shape[1], "column of /targets")
                     if train.targets is not None else [],
                     self.names("class_names", classes, "class") if classes else [])

    def samples(self, prefix, classes):
        """The training, validation or test set, and its number of classes. `classes`: where the set does not say."""
        features = self.numbers(f"{prefix}features", 2)
        if features is None:
            self.fail("has no data set /features [samples, inputs]; it holds " + ", ".join(self.file))
        if not features.size:
            self.fail(f"/{prefix}features is empty: a data set needs at least one sample and one feature")
        targets, labels = self.numbers(f"{prefix}targets", 2), self.numbers(f"{prefix}labels", 1)
        if targets is not None and labels is not None:
            self.fail(f"has both /{prefix}targets and /{prefix}labels: keep the first for regression, the second for "
                      "classification")
        if targets is None and labels is None and not self.needs_answers:
            return Samples(features), 0
        if targets is None and labels is None:
            self.fail(f"has neither /{prefix}targets [samples, outputs] nor /{prefix}labels [samples]: add one of them")
        answers, name = (targets, "targets") if labels is None else (labels, "labels")
        if len(answers) != len(features):
            self.fail(f"/{prefix}{name} has {len(answers)} rows, /{prefix}features has {len(features)}: both need one "
                      "row a sample")
        if labels is None:
            return Samples(features, targets), 0
        classes = self.class_count(prefix, classes)
        return Samples(features, None, self.class_numbers(f"/{prefix}labels", labels, classes), classes), classes

    def numbers(self, name, dimensions):
        """An unpacked data set as float64, all of it present and finite, or NaN where it may be unknown; None without
        one."""
        stored = hdf5.data_set(self.file, name)
        if stored is None:
            return None
        labels = dimensions == 1
        what = f"/{name} {list(stored.shape)}"
        if stored.dtype.kind not in "fiu":
            self.fail(what + (" does not hold numbers: store the classes as integers 0, 1, 2, ..." if labels
                              else " holds neither reals nor integers: store numbers"))
        column = name.endswith("targets") and stored.ndim == 1  # of one output
        if stored.ndim != dimensions and not column:
            needs = "one: [samples]" if labels else "two, one row a sample: reshape it, a single column to [samples, 1]"
            self.fail(f"{what} has {stored.ndim} dimensions; it needs {needs}")
        values = Packing(self.path, f"/{name}", stored, labels).unpacked(stored[...])
        if not (self.keeps_unknown_answers and name in ("labels", "targets")):
            self.require_finite(f"/{name}", values.reshape(len(values), -1), stored)
        return values[:, None] if column else values

    def require_finite(self, name, values, stored):
        rows, columns = np.nonzero(~np.isfinite(values))
        if len(rows):
            place = (rows[0], columns[0])
            found = np.asarray(stored[rows[0]], dtype=float).reshape(-1)[columns[0]]
            why = "" if not np.isfinite(found) else ", which its attributes call missing"
            self.fail(f"{name}: row {place[0]}, column {place[1]} holds {found:g}{why}; fill it in or leave out such "
                      "rows (rows and columns count from 0)")

    def class_count(self, prefix, default):
        classes = hdf5.attributes(self.file[f"{prefix}labels"]).get("classes", default)
        if classes == 0:
            self.fail(f"/{prefix}labels lacks the attribute 'classes', the number of classes: add it as an integer")
        if not isinstance(classes, int) or not 1 <= classes <= MOST_CLASSES:
            self.fail(f"the attribute 'classes' of /{prefix}labels is {classes}; it must be from 1 to {MOST_CLASSES}")
        return classes

    def class_numbers(self, name, labels, classes):
        for bad, why in ((labels != np.floor(labels), "which is no whole number; store the classes as 0, 1, 2, ..., or "
                          "the numbers as /targets"),
                         ((labels < 0) | (labels >= classes), f"outside [0, {classes}); correct it, or the attribute "
                          "'classes' of /labels")):
            if bad.any():
                row = np.flatnonzero(bad)[0]
                self.fail(f"{name}: row {row} holds the label {labels[row]:g}, {why} (rows count from 0)")
        return labels.astype(int)

    def names(self, name, wanted, what):
        stored = hdf5.data_set(self.file, name)
        if stored is None:
            return []
        if stored.ndim != 1 or stored.dtype.kind not in "SO":
            self.fail(f"/{name} is not a list of texts")
        if len(stored) != wanted:
            self.fail(f"/{name} has {len(stored)} names, not {wanted}: it needs one for each {what}, or leave it out")
        return [hdf5.text(value).rstrip(" ") for value in stored[...]]

    def require_same_columns(self, prefix, train, test, classes, test_classes):
        if test.features.shape[1] != train.features.shape[1]:
            self.fail(f"/{prefix}features has {test.features.shape[1]} columns, /features has "
                      f"{train.features.shape[1]}: both need the same features")
        if [test.labels is None, test.targets is None] != [train.labels is None, train.targets is None]:
            self.fail(f"mixes /labels and /targets: /{prefix}features needs the same kind as the training set")
        if test_classes != classes:
            self.fail(f"/{prefix}labels has {test_classes} classes, the training set {classes}: both need the same")
        if train.targets is not None and test.targets.shape[1] != train.targets.shape[1]:
            self.fail(f"/{prefix}targets has {test.targets.shape[1]} targets, the training set "
                      f"{train.targets.shape[1]}: both need the same")


def read_data(path, needs_answers=True):
    """Reads and checks a whole data file (Data). Packed numbers are unpacked (CF conventions). `needs_answers`: whether
    a file without /targets and /labels is refused; data that a model is applied to may have none. Raises Error, which
    names file, data set and row, unless the file conforms to the schema poise-data-1 and all its numbers are finite."""
    path = os.fspath(path)
    with hdf5.open_file(path) as file:
        return Reader(file, path, needs_answers).read()
