"""Fits samples to a trained model: columns and classes by their names if both sides have names, else by their
places."""

import difflib
from collections import Counter

import numpy as np

from .data import Names
from .errors import Error


def names_of(checkpoint):
    """The names (Names) and the number of classes of the data that a run was made with; 0 classes for a regression,
    None for a checkpoint of an older version, which did not store them."""
    stored = checkpoint.arrays("data")
    names = Names(*(stored.get(f"{kind}_names", []) for kind in ("input", "target", "class")))
    return names, checkpoint.attributes("data").get("classes")


def places(wanted, names, where, what):
    """The place of each of `wanted` in `names`. Equal lists need no different names. Raises Error, which names what is
    missing or stands twice."""
    if list(wanted) == list(names):
        return list(range(len(names)))
    place = {name: number for number, name in enumerate(names)}
    for name in wanted:
        if name not in place:
            near = difflib.get_close_matches(name, names, 1)
            raise Error(f"{where} has no {what} '{name}', which the network was trained on"
                        + (f" (the nearest name is '{near[0]}')" if near else ""))
    asked = set(wanted)
    counts = Counter(wanted) | Counter(name for name in names if name in asked)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise Error(f"{where}: there are two with the name '{twice[0]}' ({what}), so that names cannot tell them "
                    "apart: give them different names, or the same names in the same order")
    return [place[name] for name in wanted]


def matched_inputs(samples, inputs, names):
    """The features [n, inputs] in the order of the network; all finite."""
    features = np.asarray(samples.features, dtype=float)
    given = samples.names.inputs
    if features.ndim != 2:
        raise Error(f"{samples.where}: the features have {features.ndim} dimensions; they need two, one row a sample")
    if names and given:
        columns = places(names, given, samples.where, "column of features named")
    elif features.shape[1] != inputs:
        raise Error(f"{samples.where} has {features.shape[1]} columns of features, but the network was trained on "
                    f"{inputs}")
    else:
        columns = range(inputs)
    features = features[:, list(columns)]
    rows, bad = np.nonzero(~np.isfinite(features))
    if len(rows):
        column = columns[bad[0]]
        name = f" ({(given or names)[column]})" if given or names else ""
        raise Error(f"{samples.where}: row {rows[0]}, column {column}{name} is missing or not finite (rows and columns "
                    "count from 0): fill it in, or leave out such rows")
    return features


def matched_labels(samples, classes, names):
    """The labels [n] by the numbers of the network's `classes`."""
    if classes == 0:
        raise Error(f"{samples.where} has /labels, but the network was trained on /targets: store the numbers as "
                    "/targets, or leave the labels out")
    labels, given = np.asarray(samples.labels), samples.names.classes
    if names and given:
        return np.array(places(given, names, "the network", "class named"))[labels]
    count = samples.classes or labels.max(initial=-1) + 1
    if count > classes or labels.min(initial=0) < 0:
        raise Error(f"{samples.where} has {count} classes, but the network was trained on {classes}")
    return labels


def matched_targets(samples, outputs, classes, names):
    """The targets [n, outputs] of a regression, or 0 and 1 of two classes."""
    if classes and outputs > 1:
        raise Error(f"{samples.where} has /targets, but the network was trained on classes: store the classes as "
                    "/labels, or leave the targets out")
    targets = np.asarray(samples.targets, dtype=float)
    targets = targets[:, None] if targets.ndim == 1 else targets
    if targets.shape[1] != outputs:
        raise Error(f"{samples.where} has {targets.shape[1]} columns of targets, but the network has {outputs} outputs")
    if names and samples.names.targets and names != samples.names.targets:
        raise Error(f"{samples.where}: the names in /target_names differ from the names of the targets that the "
                    "network was trained on, or have a different order")
    return targets
