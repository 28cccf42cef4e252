"""Writes graph files of Poise (schema poise-graph-1, data/README.md, "Graphs")."""

import warnings

import numpy as np

from .errors import Error
from .graph_data import SCHEMA, SETS, GraphReader
from .write_data import count_classes, new_file, number_texts, require_new, write_axes, write_sets


def write_graph(path, features, *, edges=None, indptr=None, indices=None, weights=None, directed=False, labels=None, targets=None,
                masks=None, classes=None, names=None, target_names=None, class_names=None, name=None, source=None, license=None,
                force=False):
    """Writes a graph file, which poise-train takes with -model graph.

    features [nodes, d]. Either edges [edges, 2], pairs of nodes that count from 0, in any order, each in one direction or in
    both (directed=True: an edge [i, j] makes j a neighbour of i); self-loops and double edges are left out with a warning. Or
    indptr [nodes + 1] and indices [entries]: node i has the neighbours indices[indptr[i]:indptr[i + 1]], ascending. weights:
    positive, one an edge, or one an entry. labels [nodes], whole numbers with -1 for what is not known, or texts with None; or
    targets [nodes, q] or [nodes] with NaN. masks: a dictionary of "train", "validation" and "test", each [splits, nodes] or
    [nodes], truth values. classes, names, …: as for `write_data`.

    The file is checked as `read_graph` checks it before it takes its name. Raises Error."""
    path = require_new(path, force)
    features = np.asarray(features)
    if (edges is None) == (indptr is None or indices is None):
        raise Error(f"{path}: give edges [edges, 2], or indptr and indices")
    if edges is not None:
        indptr, indices, weights = rows_of(path, len(features), edges, weights, directed)
    sets = {"features": features, "targets": targets, "labels": labels}
    sets = {key: np.asarray(values) for key, values in sets.items() if values is not None}
    if "labels" in sets:
        class_names = number_known_texts(path, sets, class_names)
        classes = classes or len(class_names or ()) or count_classes(sets)
    texts = {"input_names": names, "target_names": target_names, "class_names": class_names}
    about = {"schema": SCHEMA, "name": name, "source": source, "license": license}
    with new_file(path, about, texts, lambda file: GraphReader(file, path).read()) as file:
        write_sets(file, path, sets, classes, "node")
        if "labels" in sets:
            file["labels"].attrs["_FillValue"] = sets["labels"].dtype.type(-1)
        write_rows(file, indptr, indices, weights, directed)
        write_masks(file, path, masks or {})


def rows_of(path, nodes, edges, weights, directed):
    """indptr, indices and weights of a list of edges."""
    edges = np.asarray(edges)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise Error(f"{path}: edges of shape {list(edges.shape)} and type {edges.dtype} are no pairs of nodes: give whole numbers "
                    "[edges, 2]")
    edges = edges.astype(np.int64)
    for row in np.flatnonzero(((edges < 0) | (edges >= nodes)).any(axis=1))[:1]:
        raise Error(f"{path}: edge {row} joins the nodes {edges[row, 0]} and {edges[row, 1]}, but there are the nodes [0, {nodes}) "
                    "(edges and nodes count from 0)")
    values = np.ones(len(edges)) if weights is None else np.asarray(weights, dtype=float)
    if values.shape != (len(edges),):
        raise Error(f"{path}: weights of shape {list(values.shape)} for {len(edges)} edges: give one weight an edge")
    loops = edges[:, 0] == edges[:, 1]
    keys, first, place = np.unique(edges[~loops] @ [nodes, 1], return_index=True, return_inverse=True)
    given = values[~loops]
    if (given != given[first][place]).any():
        raise Error(f"{path}: an edge stands twice with different weights: keep one")
    left_out = loops.sum(), (~loops).sum() - len(keys)
    if any(left_out):
        warnings.warn(f"{path}: left out {left_out[0]} self-loops and {left_out[1]} double edges", stacklevel=3)
    values = given[first]
    if not directed:
        keys, values = both_directions(path, nodes, keys, values)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(keys // nodes, minlength=nodes))])
    return indptr, keys % nodes, None if weights is None else values


def both_directions(path, nodes, keys, values):
    """Adds the other direction of every edge i·nodes + j, where it is not there."""
    keys = np.concatenate([keys, keys % nodes * nodes + keys // nodes])
    values = np.concatenate([values, values])
    found, first, place = np.unique(keys, return_index=True, return_inverse=True)
    for edge in np.flatnonzero(values != values[first][place])[:1]:
        raise Error(f"{path}: the edge of the nodes {keys[edge] // nodes} and {keys[edge] % nodes} has the weights "
                    f"{values[first][place][edge]:g} and {values[edge]:g}: give both directions the same, or directed=True")
    return found, values[first]


def number_known_texts(path, sets, class_names):
    """Replaces labels that are texts by their numbers, and None by -1; returns the names of the classes, None without any."""
    labels = sets["labels"]
    if labels.dtype.kind not in "USO":
        return class_names
    known = np.array([label is not None for label in labels.reshape(-1)], dtype=bool)
    texts = {"labels": labels.reshape(-1)[known]}
    class_names = number_texts(path, texts, class_names)
    sets["labels"] = np.full(len(known), -1)
    sets["labels"][known] = texts["labels"]
    return class_names


def write_rows(file, indptr, indices, weights, directed):
    rows = {"indptr": (indptr, "row_end"), "indices": (indices, "entry"), "weights": (weights, "entry")}
    for name, (values, axis) in rows.items():
        if values is not None:
            values = np.asarray(values)
            written = file.create_dataset(f"graph/{name}", data=values,
                                          compression="gzip" if values.size and values.dtype.kind in "iu" else None)
            write_axes(written, [axis])
    file["graph"].attrs["directed"] = int(directed)


def write_masks(file, path, masks):
    for name, mask in masks.items():
        if name not in SETS:
            raise Error(f"{path}: masks has '{name}'; the sets are {', '.join(SETS)}")
        mask = np.asarray(mask)
        whole = mask.astype("u1") if mask.dtype.kind == "b" else mask
        written = file.create_dataset(f"masks/{name}", data=whole, compression="gzip")
        write_axes(written, ["split", "node"][-mask.ndim:])
