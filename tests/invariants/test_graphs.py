"""Graphs through poise-data graph, import -npz_graph and show: the files have the graph, or the file is refused by name."""

import os
import unittest

import h5py
import numpy as np

from graph_files import GraphFilesTest
from training import BAD_INPUT, DONE


class Graphs(GraphFilesTest):
    def npz(self, code=DONE, options=(), **changes):
        arrays = dict(node_features=np.eye(5, 3), node_labels=np.array([0, 1, 2, 1, -1]),
                      edges=np.array([[0, 1], [1, 0], [2, 2], [3, 1], [1, 2], [1, 2]]),
                      train_masks=np.array([[1, 1, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool),
                      val_masks=np.array([[0, 0, 1, 0, 0], [0, 0, 1, 0, 0]], dtype=bool),
                      test_masks=np.array([[0, 0, 0, 1, 0], [1, 0, 0, 1, 0]], dtype=bool))
        arrays.update(changes)
        np.savez(self.path("graph.npz"), **{name: array for name, array in arrays.items() if array is not None})
        return self.data("import", "-npz_graph", self.path("graph.npz"), "-out", self.path("npz.h5"), "-force", *options,
                         code=code)

    def test_the_graph_of_arrays_is_symmetric_without_doubles(self):
        said = self.npz()
        self.assertIn("5 nodes, 3 edges, 3 features (uint8), 3 classes, 2 splits of 2 training, 1 validation and 1 test nodes", said)
        self.assertIn("left out 1 self-loop and 2 double edges", said)
        found = self.content("npz.h5")
        np.testing.assert_array_equal(found["graph/indptr"], [0, 1, 4, 5, 6, 6])
        np.testing.assert_array_equal(found["graph/indices"], [1, 0, 2, 3, 1, 1])
        np.testing.assert_array_equal(found["features"], np.eye(5, 3))
        np.testing.assert_array_equal(found["labels"], [0, 1, 2, 1, -1])
        np.testing.assert_array_equal(found["masks/test"], [[0, 0, 0, 1, 0], [1, 0, 0, 1, 0]])
        shown = self.data("show", self.path("npz.h5"), ranks=2)
        for words in ("nodes: 5", "edges: 3", "degrees: min 0, mean 1.2, max 3", "isolated nodes: 1",
                      "connected components: 2", "class 1: 2", "without a label: 1",
                      "equal labels: 33.33 % of 3 edges", "0: 2, 1, 1", "1: 1, 1, 2"):
            self.assertIn(words, shown)

    def test_arrays_without_labels_and_masks_and_directed_edges_are_taken(self):
        bare = {"node_labels": None, "train_masks": None, "val_masks": None, "test_masks": None}
        self.npz(**bare, options=("-directed", "true"))
        np.testing.assert_array_equal(self.content("npz.h5")["graph/indices"], [1, 0, 2, 1])
        shown = self.data("show", self.path("npz.h5"))
        self.assertNotIn("equal labels", shown)
        for words in ("edges: 4, directed", "no labels or targets", "no masks"):
            self.assertIn(words, shown)

    def test_wrong_arrays_are_refused_by_name(self):
        for words, changes in (("edges", {"edges": np.array([[0, 5]])}), ("edges", {"edges": np.array([[0, 1, 2]])}),
                               ("node_labels", {"node_labels": np.zeros(4)}), ("node_labels", {"node_labels": np.full(5, 0.5)}),
                               ("train_masks", {"train_masks": np.zeros((2, 4))}),
                               ("is in two sets of split 0", {"val_masks": np.eye(2, 5)}),
                               ("node_features", {"node_features": None}), ("node_features", {"node_features": np.full((5, 2), np.nan)})):
            with self.subTest(words=words):
                if os.path.exists(self.path("npz.h5")):
                    os.remove(self.path("npz.h5"))
                self.assertIn(words, self.npz(code=BAD_INPUT, **changes))
                self.assertFalse(os.path.exists(self.path("npz.h5")) or os.path.exists(self.path("npz.h5.tmp")))

    def test_a_file_by_hand_with_truth_values_is_read_and_a_bad_one_refused(self):
        with h5py.File(self.path("hand.h5"), "w") as file:
            file["graph/indptr"], file["graph/indices"] = [0, 1, 2, 2], np.array([1, 0], dtype="i4")
            file["features"] = np.arange(6.0).reshape(3, 2)
            file["targets"] = [1.0, 2.0, np.nan]
            file["masks/train"] = np.array([True, False, False])
        self.assertIn("0: 1, 0, 0", self.data("show", self.path("hand.h5")))
        with h5py.File(self.path("hand.h5"), "r+") as file:
            file["graph/indices"][1] = 2
        for ranks in (1, 2):
            self.assertIn("node 0 has the neighbour 1, but node 1 does not have the neighbour 0",
                          self.data("show", self.path("hand.h5"), code=BAD_INPUT, ranks=ranks))

    def test_generated_graphs_are_the_same_on_two_ranks(self):
        self.data("graph", "chain", "-chains", 3, "-length", 4, "-node_inputs", 5, "-splits", 2, "-out", self.path("chain.h5"))
        chain = self.content("chain.h5")
        np.testing.assert_array_equal(chain["labels"], np.repeat([0, 1], 12))
        np.testing.assert_array_equal(chain["features"].sum(axis=1), np.tile([1, 0, 0, 0], 6))
        np.testing.assert_array_equal(chain["features"][::4].argmax(axis=1), np.repeat([0, 1], 3))
        np.testing.assert_array_equal(sum(chain[f"masks/{name}"] for name in ("train", "validation", "test")), 1)
        np.testing.assert_array_equal(chain["masks/validation"].sum(axis=1), [2, 2])
        for kind, *options in (("grid", "-rows", 3), ("rmat", "-nodes", 60), ("sbm", "-nodes", 60, "-degree_between", 1)):
            with self.subTest(kind=kind):
                for ranks in (1, 2):
                    self.data("graph", kind, *options, "-node_inputs", 3, "-out", self.path(f"{kind}{ranks}.h5"), ranks=ranks)
                alone, together = self.content(f"{kind}1.h5"), self.content(f"{kind}2.h5")
                for name, values in alone.items():
                    np.testing.assert_array_equal(values, together[name], name)

    def test_wrong_words_and_options_are_refused(self):
        out = ("-out", self.path("x.h5"))
        for words, *command in (("name one of the kinds chain", "graph"), ("name one of the kinds", "graph", "tree", *out),
                                ("not an option", "graph", "grid", "tree", *out), ("-length", "graph", "grid", "-length", 3, *out),
                                ("-node_inputs 1", "graph", "chain", "-node_inputs", 1, *out), ("-out is missing", "graph", "grid"),
                                ("-data is missing", "graph", "knn", *out)):
            with self.subTest(words=words):
                self.assertIn(words, self.data(*command, code=BAD_INPUT))


if __name__ == "__main__":
    unittest.main()
