"""Writes data files of Poise (schema poise-data-1, data/README.md)."""

import contextlib
import os

import h5py
import numpy as np

from . import hdf5
from .data import SCHEMA, Reader
from .errors import Error
from .labelled import AXES

COLUMNS = {"features": "input", "targets": "target", "labels": "label"}  # what the columns of a set are

LABELS = ("labels", "validation_labels", "test_labels")


def write_data(path, features, *, labels=None, targets=None, test_features=None, test_labels=None, test_targets=None,
               validation_features=None, validation_labels=None, validation_targets=None, classes=None, names=None,
               target_names=None, class_names=None, name=None, source=None, license=None, force=False):
    """Writes a data file, which every program of Poise takes as -data.

    features [n, d], numbers; either labels [n], whole numbers 0, 1, 2, … or texts, or targets [n, q] or [n]; the same
    for the validation set and the test set. classes: the number of classes; by default the largest label + 1, or the
    number of different texts, which are numbered in sorted order and kept as class_names. names [d], target_names [q], class_names
    [classes]: texts. name, source, license: texts about the data. force: replace an existing file.

    The file is checked as `read_data` checks it before it takes its name. Raises Error."""
    path = require_new(path, force)
    sets = {"features": features, "targets": targets, "labels": labels, "test_features": test_features,
            "test_targets": test_targets, "test_labels": test_labels, "validation_features": validation_features,
            "validation_targets": validation_targets, "validation_labels": validation_labels}
    sets = {key: np.asarray(values) for key, values in sets.items() if values is not None}
    if "labels" in sets:
        class_names = number_texts(path, sets, class_names)
        classes = classes or len(class_names or ()) or count_classes(sets)
    texts = {"input_names": names, "target_names": target_names, "class_names": class_names}
    about = {"schema": SCHEMA, "name": name, "source": source, "license": license}
    with new_file(path, about, texts, lambda file: Reader(file, path).read()) as file:
        write_sets(file, path, sets, classes)


def require_new(path, force):
    """The path as text. Raises Error if there is a file and it is not to be replaced."""
    path = os.fspath(path)
    if os.path.exists(path) and not force:
        raise Error(f"{path}: exists already; force=True replaces it")
    return path


@contextlib.contextmanager
def new_file(path, about, texts, check):
    """An open file that the caller fills; then it gets its lists of texts, `check` reads it, and it takes its name. `about`:
    attributes, None for what there is not."""
    partial = f"{path}.part{os.getpid()}"
    try:
        with h5py.File(partial, "w") as file:
            file.attrs.update({key: value for key, value in about.items() if value is not None})
            yield file
            for key, values in texts.items():
                if values is not None:
                    write_texts(file, key, values)
        with hdf5.open_file(partial) as file:
            check(file)
        os.replace(partial, path)
    except OSError as error:
        raise Error(f"{path}: cannot be written: {error}") from error
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def number_texts(path, sets, class_names):
    """Replaces labels that are texts by their numbers; returns the names of the classes, None without any."""
    both = [key for key in LABELS if key in sets and sets[key].dtype.kind in "USO"]
    if not both:
        return class_names
    texts = {key: [str(value) for value in sets[key].reshape(-1)] for key in both}
    found = sorted(set().union(*texts.values()))
    class_names = found if class_names is None else list(class_names)
    if strangers := sorted(set(found) - set(class_names)):
        raise Error(f"{path}: the label '{strangers[0]}' is not one of class_names: {', '.join(class_names)}")
    for key in both:
        sets[key] = np.array([class_names.index(text) for text in texts[key]], dtype=int)
    return class_names


def count_classes(sets):
    labels = [sets[key].reshape(-1) for key in LABELS if key in sets and sets[key].size]
    largest = max((values.max() for values in labels), default=0)
    return int(largest) + 1 if np.isfinite(largest) else 1


def write_sets(file, path, sets, classes, row="sample"):
    """Writes the data sets; `row`: what the rows are."""
    for key, values in sets.items():
        try:
            written = file.create_dataset(key, data=values, compression="gzip" if values.dtype.kind in "iu" else None)
        except TypeError as error:  # objects, such as rows of different lengths
            raise Error(f"data file '{path}': /{key} holds neither reals nor integers: store numbers") from error
        if key.endswith("labels"):
            written.attrs["classes"] = int(classes)
        prefix, _, answers = key.rpartition("_")
        words = [f"{prefix}_{row}" if prefix else row, COLUMNS[answers]]
        write_axes(written, words[:values.ndim])


def write_axes(data_set, words):
    """What the indices count."""
    data_set.attrs[AXES] = " ".join(words)


def write_texts(file, key, values):
    encoded = [str(value).encode() for value in values]
    length = max((len(value) for value in encoded), default=0)
    written = file.create_dataset(key, data=encoded, dtype=h5py.string_dtype("utf-8", max(1, length)))
    write_axes(written, [key.removesuffix("_names")])
