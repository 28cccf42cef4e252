"""Graph files of Poise (schema poise-graph-1, data/README.md, "Graphs")."""

import os
import zlib
from dataclasses import dataclass, field

import h5py
import numpy as np

from . import hdf5
from .data import Names, Reader, Samples, marks, sum_of_marks

SCHEMA = "poise-graph-1"
SETS = ("train", "validation", "test")  # in the order of the numbers that poise-train gives them
NUMBER_OF_NODES, NUMBER_OF_ROWS = 3, 4  # in fingerprints, behind the numbers of the sets


@dataclass(frozen=True)
class Nodes(Samples):
    """Some nodes of a graph, as samples. `numbers` [n] are their numbers in `graph`. Unknown labels are -1, unknown targets
    NaN."""

    graph: "Graph" = None
    numbers: np.ndarray = None


@dataclass(frozen=True)
class Graph:
    """The content of a graph file. Node i has the neighbours indices[indptr[i]:indptr[i + 1]]. `masks` has the sets of every
    split by name, [splits, nodes]; the properties `train`, `validation` and `test` are those of `split`."""

    path: str
    features: np.ndarray  # [nodes, d]
    indptr: np.ndarray  # [nodes + 1]
    indices: np.ndarray  # [entries]
    weights: np.ndarray = None  # [entries]; None: all are 1
    directed: bool = False
    labels: np.ndarray = None  # [nodes], classes 0, 1, 2, …; -1: not known
    targets: np.ndarray = None  # [nodes, q], of a regression; NaN: not known
    classes: int = 0
    masks: dict = field(default_factory=dict)
    split: int = 0
    names: Names = Names()
    attributes: dict = field(default_factory=dict)  # name, source, license, …

    def __len__(self):
        return len(self.features)

    def __repr__(self):
        return f"Graph({self.path!r}, {len(self)} nodes, {len(self.indices)} entries, split {self.split})"

    def choose(self, numbers):
        """The nodes with these numbers (Nodes)."""
        numbers = np.asarray(numbers)
        labels, targets = (values if values is None else values[numbers] for values in (self.labels, self.targets))
        return Nodes(self.features[numbers], targets, labels, self.classes, self.names, f"data file '{self.path}'", self, numbers)

    @property
    def nodes(self):
        """All nodes (Nodes)."""
        return self.choose(np.arange(len(self)))

    @property
    def train(self):
        """The training nodes of the split (Nodes); None without any."""
        return self._set("train")

    @property
    def validation(self):
        """The validation nodes of the split (Nodes); None without any."""
        return self._set("validation")

    @property
    def test(self):
        """The test nodes of the split (Nodes); None without any."""
        return self._set("test")

    def fingerprint(self):
        """The number by which a run knows its nodes: /state of its checkpoints, attribute data_fingerprint."""
        sets = (getattr(self, name) for name in SETS)
        total = sum(marks(nodes, self.classes, number, nodes.numbers) for number, nodes in enumerate(sets) if nodes)
        rows = np.arange(len(self))
        total += sum_of_marks(rows, NUMBER_OF_NODES,
                              [zlib.crc32(x.tobytes()) for x in np.ascontiguousarray(self.features, "<f8")])
        total += sum_of_marks(rows, NUMBER_OF_ROWS, [zlib.crc32(self._row(node)) for node in rows])
        return f"{total % 2**64:016x}"

    def to_xarray(self):
        """An xarray.Dataset: features (node, input), labels (node) or targets (node, target), indptr (row_end), indices and
        weights (entry), masks as train, validation and test (split, node). Needs xarray."""
        import xarray

        variables = {"features": (("node", "input"), self.features), "labels": ("node", self.labels),
                     "targets": (("node", "target"), self.targets), "indptr": ("row_end", self.indptr),
                     "indices": ("entry", self.indices), "weights": ("entry", self.weights),
                     **{name: (("split", "node"), mask) for name, mask in self.masks.items()}}
        names = {"input": self.names.inputs, "target": self.names.targets}
        return xarray.Dataset({name: entry for name, entry in variables.items() if entry[1] is not None},
                              {axis: words for axis, words in names.items() if words},
                              {**self.attributes, "directed": int(self.directed), "class_names": self.names.classes})

    def _set(self, name):
        chosen = np.flatnonzero(self.masks[name][self.split]) if name in self.masks else ()
        return self.choose(chosen) if len(chosen) else None

    def _row(self, node):
        part = slice(self.indptr[node], self.indptr[node + 1])
        row = np.asarray(self.indices[part], "<f8").tobytes()
        return row if self.weights is None else row + np.asarray(self.weights[part], "<f8").tobytes()


class GraphReader(Reader):
    """Reads and checks one open graph file."""

    schema = SCHEMA
    keeps_unknown_answers = True

    def __init__(self, file, path):
        super().__init__(file, path, needs_answers=False)

    def read(self, split=0):
        attributes = self.checked_attributes()
        nodes, classes = self.samples("", 0)
        indptr, indices = self.rows(len(nodes))
        weights, directed = self.weights(indptr, indices), self.directed()
        if not directed:
            self.require_both_directions(indptr, indices, weights)
        masks = self.masks(nodes)
        if not 0 <= split < (splits := len(next(iter(masks.values()), [0]))):
            self.fail(f"split {split} does not exist: it has {splits} split{'' if splits == 1 else 's'}, the first is split 0")
        return Graph(self.path, nodes.features, indptr, indices, weights, directed, nodes.labels, nodes.targets, classes, masks,
                     split, self.all_names(nodes, classes), attributes)

    def class_numbers(self, name, labels, classes):
        known = ~np.isnan(labels) & (labels != -1)
        return np.where(known, super().class_numbers(name, np.where(known, labels, 0), classes), -1)

    def fail_schema(self, what):
        self.fail(f'{what} (data/README.md, "Graphs")')

    def part(self, group, name, kinds, what):
        """A data set of a group; None without one. Its numbers must be of one of these kinds of numpy."""
        links = self.file.id.links
        if not links.exists(group.encode()):
            return None
        if links.get_info(group.encode()).type != h5py.h5l.TYPE_HARD or not isinstance(self.file[group], h5py.Group):
            self.fail_schema(f"/{group} is a link or a data set: it needs to be a group")
        stored = hdf5.data_set(self.file, f"{group}/{name}")
        if stored is not None and stored.dtype.kind not in kinds:
            self.fail_schema(f"/{group}/{name} does not hold {what}")
        return stored

    def list_of(self, name, kinds, what):
        """A list of /graph as stored; None without one."""
        stored = self.part("graph", name, kinds, what)
        if stored is not None and stored.ndim != 1:
            self.fail_schema(f"/graph/{name} has {stored.ndim} dimensions; it needs one")
        return stored if stored is None else stored[...]

    def rows(self, count):
        whole = ("iu", "integers: store whole numbers")
        indptr, indices = self.list_of("indptr", *whole), self.list_of("indices", *whole)
        if indptr is None:
            self.fail_schema("has no data set /graph/indptr [nodes + 1], the row ends")
        if indices is None:
            self.fail_schema("has no data set /graph/indices [entries]")
        if len(indptr) != count + 1:
            self.fail_schema(f"/graph/indptr has {len(indptr)} entries, /features has {count} rows: it needs one entry more than "
                             "there are nodes")
        indptr, indices = indptr.astype(np.int64), indices.astype(np.int64)
        self.require_row_ends(indptr, len(indices))
        self.require_neighbours(indptr, indices)
        return indptr, indices

    def require_row_ends(self, indptr, entries):
        where = "/graph/indptr:"
        if indptr[0] != 0:
            self.fail(f"{where} entry 0 is {indptr[0]}; it must be 0 (entries count from 0)")
        for node in np.flatnonzero(np.diff(indptr) < 0)[:1]:
            self.fail(f"{where} entry {node + 1} is {indptr[node + 1]}, below entry {node}, {indptr[node]}: the row ends must not "
                      "descend (entries count from 0)")
        if indptr[-1] != entries:
            self.fail(f"{where} the last entry, {len(indptr) - 1}, is {indptr[-1]}; it must be {entries}, the number of entries of "
                      "/graph/indices (entries count from 0)")

    def require_neighbours(self, indptr, indices):
        owner = owners(indptr)
        behind = np.zeros(len(indices), bool)  # whether an entry of the same row stands before it
        behind[1:] = owner[1:] == owner[:-1]
        before = np.concatenate([[-1], indices[:-1]]) if len(indices) else indices
        bad = (indices < 0) | (indices >= len(indptr) - 1) | (indices == owner) | behind & (indices <= before)
        for place in np.flatnonzero(bad)[:1]:
            node, neighbour = owner[place], indices[place]
            if not 0 <= neighbour < len(indptr) - 1:
                why = f"has the neighbour {neighbour}, outside the nodes [0, {len(indptr) - 1}); correct it"
            elif neighbour == node:
                why = "is its own neighbour: leave self-loops out, models add what they need of them"
            elif neighbour == before[place]:
                why = f"has the neighbour {neighbour} twice: keep one"
            else:
                why = f"has the neighbour {neighbour} behind {before[place]}: sort the neighbours of each node"
            self.fail(f"/graph/indices: node {node} {why} (nodes count from 0)")

    def weights(self, indptr, indices):
        weights = self.list_of("weights", "fiu", "numbers: store them")
        if weights is None:
            return None
        if len(weights) != len(indices):
            self.fail_schema(f"/graph/weights has {len(weights)} entries, /graph/indices has {len(indices)}: both need one an "
                             "entry of the rows")
        weights = weights.astype(float)
        for place in np.flatnonzero(~((weights > 0) & np.isfinite(weights)))[:1]:
            self.fail(f"/graph/weights: node {owners(indptr)[place]} has the weight {weights[place]:g} for the neighbour "
                      f"{indices[place]}; weights are positive numbers: correct it, or leave the edge out (nodes count from 0)")
        return weights

    def directed(self):
        value = hdf5.attributes(self.file["graph"]).get("directed", 0)
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            self.fail_schema("the attribute 'directed' of /graph is neither 0 nor 1")
        return bool(value)

    def require_both_directions(self, indptr, indices, weights):
        owner, count = owners(indptr), len(indptr) - 1
        keys, reverse = owner * count + indices, indices * count + owner  # keys ascend, because the rows are sorted
        place = np.minimum(np.searchsorted(keys, reverse), len(keys) - 1)
        there = keys[place] == reverse
        bad = ~there if weights is None else ~there | (weights[place] != weights)
        for entry in np.flatnonzero(bad)[:1]:
            node, other = owner[entry], indices[entry]
            why = (f"the edge of the nodes {node} and {other} has the weights {weights[entry]:g} and {weights[place[entry]]:g}"
                   if there[entry] else
                   f"node {node} has the neighbour {other}, but node {other} does not have the neighbour {node}")
            self.fail(f"/graph/indices: {why}: store both directions of an edge, or set the attribute 'directed' of /graph to 1 "
                      "(nodes count from 0)")

    def masks(self, nodes):
        """The masks [splits, nodes] by name."""
        masks = {}
        for name in SETS:
            stored = self.part("masks", name, "biu", "truth values: store 0 and 1")
            if stored is None:
                continue
            if stored.ndim not in (1, 2) or stored.shape[-1] != len(nodes):
                self.fail_schema(f"/masks/{name} is not [splits, nodes] or [nodes] of {len(nodes)} nodes")
            mask = np.atleast_2d(stored[...])
            for split, node in np.argwhere((mask != 0) & (mask != 1))[:1]:
                self.fail(f"/masks/{name}: split {split} has {mask[split, node]} for node {node}; store 0 or 1 (splits and nodes "
                          "count from 0)")
            masks[name] = mask.astype(bool)
        self.require_splits(masks)
        self.require_sets(masks, nodes)
        return masks

    def require_splits(self, masks):
        for name, mask in masks.items():
            first = next(iter(masks.values()))
            if len(mask) < 1:
                self.fail_schema(f"/masks/{name} has no splits: it needs at least one row, or leave it out")
            if len(mask) != len(first):
                self.fail_schema(f"/masks/{name} has {len(mask)} splits, another mask has {len(first)}: all need the same")

    def require_sets(self, masks, nodes):
        """Sets must not overlap, and their nodes must have answers, if the file has any."""
        unknown = np.zeros(len(nodes), bool)
        if nodes.labels is not None:
            unknown = nodes.labels < 0
        elif nodes.targets is not None:
            unknown = np.isnan(nodes.targets).any(axis=1)
        answer = "target" if nodes.labels is None else "label"
        taken = {}
        for name, mask in masks.items():
            for other, before in taken.items():
                for split, node in np.argwhere(mask & before)[:1]:
                    self.fail(f"/masks/{other} and /masks/{name} overlap: a node belongs to one set of a split (split {split}, "
                              f"node {node}; both count from 0)")
            for split, node in np.argwhere(mask & unknown)[:1]:
                self.fail(f"/masks/{name} has a node whose {answer} is not known: take it out of the mask, or give its {answer} "
                          f"(node {node}; nodes count from 0)")
            taken[name] = mask


def owners(indptr):
    """The node to which every entry of the rows belongs [entries]."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def read_graph(path, split=0):
    """Reads and checks a whole graph file (Graph). `split`: whose masks say what `train`, `validation` and `test` are. Raises
    Error, which names file, data set and node, unless the file conforms to the schema poise-graph-1."""
    path = os.fspath(path)
    with hdf5.open_file(path) as file:
        return GraphReader(file, path).read(split)
