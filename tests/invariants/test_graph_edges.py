"""Lists of edges and Matrix Market files through poise-data import -edges: the file has the graph. Bad files
are those of tests/unit/poise_data/test_edges.cpp."""

import gzip
import unittest

import h5py
import numpy as np

from graph_files import GraphFilesTest
from training import DONE, train

# Nodes 0 to 4; 0-1, 1-2, 1-3, and 4 alone. A self-loop, one edge in both directions, one twice.
LIST = "# made by hand\nsource,target\n0,1\n% and a comment\n1,0\n2,2\n3,1\n1,2\n1,2\n"
STARTS, NEIGHBOURS = [0, 1, 4, 5, 6, 6], [1, 0, 2, 3, 1, 1]
NODES = "a,b,class\n0.5,1,cat\n1.5,2,dog\n2.5,3,eel\n3.5,4,dog\n4.5,5,\n"
MATRIX = "%%MatrixMarket matrix coordinate "


class EdgesTest(GraphFilesTest):
    def put(self, name, text):
        with (gzip.open if name.endswith(".gz") else open)(self.path(name), "wt", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def edges(self, text, *options, name="edges.txt"):
        """What poise-data says of this list."""
        return self.data("import", "-edges", self.put(name, text), "-out", self.path("edges.h5"), "-force", *options)

    def nodes(self, text=NODES):
        return ["-csv", self.put("nodes.csv", text), "-label_column", "class"]

    def assert_rows(self, starts, neighbours, weights=None):
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["graph/indptr"], starts)
        np.testing.assert_array_equal(found["graph/indices"], neighbours)
        self.assertEqual("graph/weights" in found, weights is not None)
        if weights is not None:
            np.testing.assert_array_equal(found["graph/weights"], weights)


class Lists(EdgesTest):
    def test_the_graph_of_a_list_is_symmetric_without_doubles(self):
        said = self.edges(LIST, *self.nodes(), "-train_share", 0.5, "-validation_share", 0.25, "-splits", 2)
        self.assertIn("5 nodes, 3 edges, 2 features (float64), 3 classes", said)
        self.assertIn("2 splits of 2 training, 1 validation and 1 test nodes", said)
        self.assertIn("left out 1 self-loop and 2 double edges; 1 node without an edge", said)
        self.assert_rows(STARTS, NEIGHBOURS)
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["features"], np.stack([np.arange(5) + 0.5, np.arange(5) + 1], axis=1))
        np.testing.assert_array_equal(found["labels"], [0, 1, 2, 1, -1])
        np.testing.assert_array_equal(found["class_names"], [b"cat", b"dog", b"eel"])
        np.testing.assert_array_equal(found["input_names"], [b"a", b"b"])
        in_sets = sum(found[f"masks/{name}"] for name in ("train", "validation", "test"))
        np.testing.assert_array_equal(in_sets, [[1, 1, 1, 1, 0]] * 2)
        self.assertIn("without a label: 1", self.data("show", self.path("edges.h5"), ranks=2))

    def test_every_separator_and_header_is_found_and_gz_is_read(self):
        for text in ("0,1\n3,1\n1,2\n", "a;b\n0;1\n3;1\n1;2", "# FromNodeId\tToNodeId\n0\t1\n3\t1\n1\t2\n", "0 1\n3  1\n 1 2 \n",
                     "source target\r\n0 1\r\n3 1\r\n1 2\r\n", "0.000e+00 1.0e+00\n3 1\n1 2\n", '"0","1"\n3,1\n1,2\n'):
            with self.subTest(text=text):
                self.edges(text, *self.nodes(), name="edges.txt.gz" if text.startswith("#") else "edges.txt")
                self.assert_rows(STARTS, NEIGHBOURS)

    def test_weights_are_kept_and_may_be_left_out(self):
        self.assertIn("2 weighted edges", self.edges("0,1,0.5\n1,2,2\n2,1,2.0\n", *self.nodes()))
        self.assert_rows([0, 1, 3, 4, 4, 4], [1, 0, 2, 1], [0.5, 0.5, 2, 2])
        self.assertIn("edges: 2, weighted", self.data("show", self.path("edges.h5")))
        self.edges("source,target,time\n0,1,-7\n1,2,words\n", *self.nodes(), "-edge_weights", "false")
        self.assert_rows([0, 1, 3, 4, 4, 4], [1, 0, 2, 1])

    def test_directed_edges_keep_direction_and_weight(self):
        said = self.edges("0,1,1\n1,0,3\n2,2,1\n3,1,0.25\n3,1,0.25\n", *self.nodes(), "-directed", "true")
        self.assertIn("3 directed weighted edges", said)
        self.assertIn("left out 1 self-loop and 1 double edge; 2 nodes without an edge", said)
        self.assert_rows([0, 1, 2, 2, 3, 3], [1, 0, 1], [1, 3, 0.25])
        with h5py.File(self.path("edges.h5")) as file:
            self.assertEqual(file["graph"].attrs["directed"], 1)

    def test_nodes_without_features_get_their_degrees_or_one_hot_numbers(self):
        said = self.edges(LIST.replace("3,1", "4,1"))
        self.assertIn("5 nodes, 3 edges, 1 feature (uint8)", said)
        self.assertIn("1 node without an edge (-map_nodes true", said)
        self.assertIn("no features are given, so they are the degrees", said)
        np.testing.assert_array_equal(self.content("edges.h5")["features"], [[1], [3], [1], [0], [1]])
        self.edges("0,1\n0,2\n", "-directed", "true")
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["features"], [[2, 0], [0, 1], [0, 1]])
        np.testing.assert_array_equal(found["input_names"], [b"edges_from", b"edges_to"])
        self.edges("0,1\n0,2\n", "-csv", self.put("classes.csv", "class\n1\n-1\n0\n"), "-label_column", "class",
                   "-node_features", "identity")
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["features"], np.eye(3))
        np.testing.assert_array_equal(found["labels"], [1, -1, 0])

    def test_arrays_give_the_nodes_too_with_labels_or_targets_alone(self):
        np.save(self.path("x.npy"), np.eye(3) * 300)
        np.save(self.path("y.npy"), np.array([1, -1, 0]))
        np.save(self.path("t.npy"), np.array([[1.5, 2], [np.nan, 3], [4, 5]]))
        self.edges("0 1\n1 2\n", "-npy_features", self.path("x.npy"), "-npy_labels", self.path("y.npy"))
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["features"], np.eye(3) * 300)
        np.testing.assert_array_equal(found["labels"], [1, -1, 0])
        self.edges("0 1\n1 2\n", "-npy_labels", self.path("y.npy"))
        np.testing.assert_array_equal(self.content("edges.h5")["features"], [[1], [2], [1]])
        self.edges("0 1\n1 2\n", "-npy_targets", self.path("t.npy"))
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["targets"], [[1.5, 2], [np.nan, 3], [4, 5]])
        np.testing.assert_array_equal(found["masks/train"].sum(axis=0)[1], 0)
        self.edges("0 1\n1 2\n", "-csv", self.put("t.csv", "a,t\n1,1.5\n2,NA\n3,2.5\n"), "-target_columns", "t")
        np.testing.assert_array_equal(self.content("edges.h5")["targets"][:, 0], [1.5, np.nan, 2.5])

    def test_a_column_numbers_the_nodes_and_edges_alone_are_numbered_in_order(self):
        table = "paper,a,class\n31336,0.5,cat\n7,1.5,dog\n1061127,2.5,cat\n"
        self.edges("31336 1061127\n1061127 7\n", *self.nodes(table), "-node_column", "paper",
                   "-sets", self.put("sets.csv", "paper,set\n7,train\n31336,test\n"))
        self.assert_rows([0, 1, 2, 4], [2, 2, 0, 1])
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["features"], [[0.5], [1.5], [2.5]])
        np.testing.assert_array_equal(found["masks/train"], [[0, 1, 0]])
        self.edges("31336 1061127\n1061127 7\n", "-map_nodes", "true")
        self.assert_rows([0, 1, 2, 4], [2, 2, 0, 1])

    def test_a_table_gives_the_sets_of_one_or_more_splits(self):
        sets = self.put("sets.csv", "node,first,second\n0,train,test\n1,validation,train\n3,,train\n2,test,\n")
        said = self.edges(LIST, *self.nodes(), "-sets", sets)
        self.assertIn("2 splits of 1 training, 1 validation and 1 test nodes", said)
        found = self.content("edges.h5")
        np.testing.assert_array_equal(found["masks/train"], [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
        np.testing.assert_array_equal(found["masks/validation"], [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
        np.testing.assert_array_equal(found["masks/test"], [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]])

    def test_a_generated_graph_comes_back_from_its_list(self):
        for kind, *options in (("rmat", "-nodes", 300, "-degree", 5), ("sbm", "-nodes", 80), ("grid",), ("chain", "-length", 7)):
            with self.subTest(kind=kind):
                self.data("graph", kind, *options, "-out", self.path("made.h5"), "-seed", 3, "-splits", 2, "-force")
                made = self.content("made.h5")
                rows = np.repeat(np.arange(len(made["labels"])), np.diff(made["graph/indptr"]))
                pairs = np.stack([rows, made["graph/indices"]], axis=1)
                for array in ("features", "labels"):
                    np.save(self.path(array + ".npy"), made[array])
                shuffled = np.random.default_rng(1).permutation(pairs[pairs[:, 0] < pairs[:, 1]])
                text = "source,target\n" + "".join(f"{a},{b}\n" for a, b in shuffled)
                self.edges(text, "-npy_features", self.path("features.npy"), "-npy_labels", self.path("labels.npy"),
                           "-seed", 3, "-splits", 2)
                for name, values in self.content("edges.h5").items():
                    np.testing.assert_array_equal(values, made[name], name)

    def test_a_model_trains_on_an_imported_graph(self):
        ring = "".join(f"{i} {(i + 1) % 12} {1 + i % 2}\n" for i in range(12))
        table = self.put("ring.csv", "a,b,class\n" + "".join(f"{i % 3},{i // 6},{i // 6}\n" for i in range(12)))
        self.edges(ring, "-csv", table, "-label_column", "class", "-train_share", 0.5, "-validation_share", 0.2)
        for ranks in (1, 2):
            done = train("-model", "graph", "-data", self.path("edges.h5"), "-features", "identity", "-loss", "cross_entropy",
                         "-width", 4, "-dynamics", "descent", "-method", "adam", "-step_size", 0.05, "-steps", 20,
                         "-run", self.path(f"run{ranks}"), ranks=ranks)
            self.assertEqual(done.returncode, DONE, done.stdout + done.stderr)
        losses = []
        for ranks in (1, 2):
            with h5py.File(self.path(f"run{ranks}/run.h5")) as file:
                losses.append(file["history/loss"][:])
        self.assertLess(losses[0][-1], 0.9 * losses[0][0])
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-8)


class Matrices(EdgesTest):
    def test_a_symmetric_matrix_has_every_edge_in_both_directions(self):
        text = MATRIX + "pattern symmetric\n% a comment\n5 5 4\n2 1\n3 3\n4 2\n3 2\n"
        self.assertIn("5 nodes, 3 edges", self.edges(text, *self.nodes()))
        self.assert_rows(STARTS, NEIGHBOURS)
        self.assertIn("3 edges", self.edges(text))  # its size gives the nodes
        self.assert_rows(STARTS, NEIGHBOURS)
        self.assertIn("6 directed edges", self.edges(text, "-directed", "true"))
        self.assert_rows(STARTS, NEIGHBOURS)

    def test_a_general_matrix_has_weights_and_directions(self):
        text = MATRIX.upper().replace("%%MATRIXMARKET", "%%MatrixMarket") + "Real General\n3 3 3\n1 2 0.5\n2 1 1.5\n3 1 2e0\n"
        self.edges(text, "-directed", "true")
        self.assert_rows([0, 1, 2, 3], [1, 0, 0], [0.5, 1.5, 2])
        self.edges(text, "-edge_weights", "false")
        self.assert_rows([0, 2, 3, 4], [1, 2, 0, 0])
        self.edges(MATRIX + "integer symmetric\n2 2 1\n2 1 3\n")
        self.assert_rows([0, 1, 2], [1, 0], [3, 3])

    def test_sets_count_nodes_as_the_matrix_does(self):
        sets = self.put("sets.csv", "1,train\n2,test\n5,\n")
        self.edges(MATRIX + "pattern symmetric\n5 5 1\n2 1\n", *self.nodes(), "-sets", sets)
        np.testing.assert_array_equal(self.content("edges.h5")["masks/train"], [[1, 0, 0, 0, 0]])


if __name__ == "__main__":
    unittest.main()
