"""Graphs in the Python package: models have the losses and accuracies of the runs, files are those of the programs, and what does
not fit is refused."""

import os
import shutil
import subprocess
import unittest
import warnings

import h5py
import numpy as np

from python_package import STEPS, GraphModelsTest, make_graph, poise, random_graph
from training import BAD_INPUT, DATA, TrainingTest, history, patience, train

from poise.graph_equilibrium import Transport, solve_graph  # noqa: E402  (python_package has set the path)

AGREEMENT = 1e-10  # equilibria are solved to 1e-12 on both sides


class Models(GraphModelsTest):
    def test_every_set_has_the_losses_and_accuracies_of_the_run(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                data = run.data()
                self.assertEqual(data.split, run.config["split"])
                for step in range(STEPS + 1):
                    self.assert_same_scores(run, data, step)

    def assert_same_scores(self, run, data, step):
        model, stored = run.model(step), run.history
        row = list(stored["step"]).index(step)
        weights = None if data.labels is None else model.class_weights(data.train.labels)
        for name, loss in (("train", "loss"), ("validation", "validation_loss"), ("test", "test_loss")):
            nodes = getattr(data, name)
            if nodes is None:
                self.assertTrue(np.isnan(stored[loss]).all())
                continue
            score = model.score(nodes, weights if name == "train" else None)
            np.testing.assert_allclose(score.loss, stored[loss][row], rtol=AGREEMENT, err_msg=name)
            if data.labels is not None:
                self.assertEqual(score.accuracy, stored[f"{name}_accuracy"][row])

    def test_all_nodes_have_outputs_and_states(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                model, data = run.model(), run.data()
                found, test = model.forward(data), model.forward(data.test)
                self.assertEqual((found.outputs.shape, found.states.shape), ((len(data), model.outputs), (len(data), 6)))
                np.testing.assert_array_equal(model(data)[data.test.numbers], test.outputs)
                if run.config["objective"] == "unrolled":
                    self.assertIsNone(found.residuals)
                else:
                    self.assertLess(found.residuals.max(), 1e-12)
                    self.assertEqual(len(test.residuals), len(data.test))
                    self.assert_equilibrium(run, model, data, found.states)
                if model.classes and run.config["loss"] == "cross_entropy":
                    np.testing.assert_array_equal(model.probabilities(data).argmax(axis=1), model.predict(data))

    def assert_equilibrium(self, run, model, data, states):
        """By dense matrices, straight from THEORY.md 8.1 and 8.2."""
        e = np.zeros((len(data), len(data)))
        for node in range(len(data)):
            part = slice(data.indptr[node], data.indptr[node + 1])
            e[data.indices[part], node] = 1 if data.weights is None else data.weights[part]
        kind = run.config["graph_normalise"]
        if kind != "none":
            e += np.eye(len(data))
            d = e.sum(axis=0)
            e = e / d if kind == "walk" else e / np.sqrt(np.outer(d, d))
        e = np.linalg.matrix_power(e, run.config["graph_hops"])
        u = model.network.injection(model.features(model.matched(data)))
        a = {"identity": lambda x: x, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0),
             "sigmoid": lambda x: 1 / (1 + np.exp(-x))}[run.config["activation"]]
        np.testing.assert_allclose(a(model.network.weights @ states.T @ e + u.T), states.T, rtol=0,
                                   atol=1e-11 * np.abs(states).max())

    def test_a_run_has_its_best_step(self):
        run = poise.open_run(self.train("-model", "graph", "-data", self.graphs["chain"], "-loss", "cross_entropy", "-width", 5,
                                        "-dynamics", "descent", "-step_size", 0.05, "-steps", 6, "-validation_measure", "accuracy",
                                        "-checkpoint_every", 2))
        score = run.model("best").score(run.data().validation)
        self.assertEqual(score.accuracy, run.best["validation_accuracy"])
        np.testing.assert_allclose(score.loss, run.best["validation_loss"], rtol=AGREEMENT)

    def test_a_changed_edge_and_another_split_are_refused(self):
        for _, run in self.opened_cases()[:1]:
            data = shutil.copy(self.graphs["chain"], self.path("changed.h5"))
            with h5py.File(data, "r+") as file:
                neighbours, starts = file["graph/indices"], file["graph/indptr"][:]
                rows = [neighbours[starts[i]:starts[i + 1]].tolist() for i in range(12)]
                rows[0], rows[1], rows[10], rows[11] = [10], [2, 11], [0, 9], [1]
                neighbours[:starts[12]] = np.concatenate(rows)
            self.assertRaisesRegex(poise.Error, "differ from the samples that the run of", run.data, data)
            self.assertRaisesRegex(poise.Error, "split 2 does not exist: it has 2 splits", poise.read_graph,
                                   self.graphs["chain"], 2)

    def test_what_does_not_fit_is_refused(self):
        runs = dict(self.opened_cases())
        classifier, regression = (next(run.model() for case, run in runs.items() if name in case)
                                  for name in ("chain", "loss_scale"))
        chain, directed = (poise.read_graph(self.graphs[name]) for name in ("chain", "directed"))
        self.assertRaisesRegex(poise.Error, "needs a graph, because its nodes have states only together", classifier,
                               chain.features)
        self.assertRaisesRegex(poise.Error, "needs a graph", classifier.score, poise.Samples(chain.features, labels=chain.labels))
        self.assertRaisesRegex(poise.Error, "directed.h5.* a symmetric normalisation needs an undirected graph", regression,
                               directed)
        self.assertRaisesRegex(poise.Error, "chain.h5' has 5 columns of features, but the network was trained on 4", regression,
                               chain)
        self.assertRaisesRegex(poise.Error, "the answer of node 35 is not known", regression.score,
                               poise.read_graph(self.graphs["weighted"]))
        self.assertRaisesRegex(poise.Error, "run.model.. makes its model",
                               poise.Model(classifier.checkpoint), chain.features)
        done = train("-model", "graph", "-data", self.graphs["directed"], "-run", self.new_run())
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("a symmetric normalisation needs an undirected graph", done.stderr)

    def test_columns_are_matched_by_name(self):
        graph = poise.read_graph(self.graphs["weighted"])
        model = next(run.model() for case, run in self.opened_cases() if "weighted" in case)
        path = self.path("shuffled.h5")
        poise.write_graph(path, graph.features[:, [2, 0, 3, 1]], indptr=graph.indptr, indices=graph.indices,
                          weights=graph.weights, names=["c", "a", "d", "b"])
        np.testing.assert_array_equal(model(poise.read_graph(path)), model(graph))


class Equilibria(TrainingTest):
    def test_hard_equations_are_solved(self):
        """A long path close to instability, where plain iteration takes thousands of steps."""
        path, random = self.path("path.h5"), np.random.default_rng(0)
        a, u = random.normal(size=(8, 8)), random.normal(size=(300, 8))
        softmax = 0.999 * np.exp(a) / np.exp(a).sum(axis=0)
        poise.write_graph(path, u, edges=np.column_stack([np.arange(299), np.arange(1, 300)]))
        for normalisation in ("symmetric", "walk"):
            transport = Transport(poise.read_graph(path), normalisation)
            for activation in ("identity", "tanh", "relu", "leaky_relu", "softplus", "sigmoid"):
                with self.subTest(activation, normalisation=normalisation):
                    z, residuals = solve_graph(transport, softmax, u, activation)
                    self.assertEqual(z.shape, u.shape)
                    self.assertLess(residuals.max(), 1e-12)

    def test_an_equation_without_a_solution_is_an_error_that_names_the_node(self):
        path = self.path("pair.h5")
        poise.write_graph(path, np.eye(3), edges=[[0, 1]])
        transport = Transport(poise.read_graph(path), "none")
        for activation in ("identity", "relu"):
            with self.assertRaisesRegex(poise.ConvergenceError, "equilibrium of the graph was not found: .* node [01] is"):
                solve_graph(transport, np.eye(1), np.ones((3, 1)), activation)  # of the nodes 0 and 1: z = z + 1


class Files(TrainingTest):
    def test_written_graphs_are_those_of_poise_data_and_train_to_the_same_history(self):
        theirs, ours, edges = self.path("theirs.h5"), self.path("ours.h5"), self.path("edges.h5")
        make_graph("sbm", "-nodes", 60, "-node_classes", 3, "-degree", 5, "-degree_between", 1, "-node_inputs", 4, "-out", theirs)
        graph = poise.read_graph(theirs)
        about = dict(labels=graph.labels, masks=graph.masks, classes=graph.classes, name="a copy", license="CC0")
        poise.write_graph(ours, graph.features, indptr=graph.indptr, indices=graph.indices, **about)
        pairs = np.column_stack([np.repeat(np.arange(60), np.diff(graph.indptr)), graph.indices])
        one_way = pairs[pairs[:, 0] < pairs[:, 1]]
        poise.write_graph(edges, graph.features, edges=np.random.default_rng(0).permutation(one_way)[:, ::-1], **about)
        stored = self.content(theirs)
        for path in (ours, edges):
            self.assertEqual(self.content(path).keys(), stored.keys())
            for name, (values, attributes) in self.content(path).items():
                np.testing.assert_array_equal(values, stored[name][0], name)
                self.assertEqual(attributes, stored[name][1], name)
            self.assertEqual(poise.read_graph(path).fingerprint(), graph.fingerprint())
        options = ["-model", "graph", "-width", 4, "-dynamics", "descent", "-step_size", 0.01, "-steps", 3]
        first, second = (history(self.train(*options, "-data", path)) for path in (theirs, ours))
        for name in set(first) - {"wall_seconds"}:
            np.testing.assert_array_equal(first[name], second[name], name)

    @staticmethod
    def content(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, item: found.update({name: (item[()], {key: str(value) for key, value in item.attrs.items()})})
                            if isinstance(item, h5py.Dataset) else None)
            found["directed"] = (file["graph"].attrs["directed"], {})
        return found

    def test_loops_and_doubles_are_left_out_and_texts_are_numbered(self):
        path = self.path("words.h5")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            poise.write_graph(path, np.eye(4), edges=[[0, 1], [1, 0], [2, 2], [3, 1], [3, 1]], labels=["b", "a", None, "b"],
                              weights=[2.0, 2.0, 1.0, 3.0, 3.0])
        self.assertIn("left out 1 self-loops and 1 double edges", str(caught[0].message))
        graph = poise.read_graph(path)
        self.assertEqual((graph.indptr.tolist(), graph.indices.tolist()), ([0, 1, 3, 3, 4], [1, 0, 3, 1]))
        self.assertEqual((graph.labels.tolist(), graph.names.classes, graph.weights.tolist()),
                         ([1, 0, -1, 1], ["a", "b"], [2.0, 2.0, 3.0, 3.0]))
        self.assertIsNone(graph.train)
        self.assertEqual((len(graph.choose([0, 3])), len(graph.nodes.first(2))), (2, 2))
        poise.write_graph(path, np.eye(4), edges=[[3, 1], [0, 1]], directed=True, force=True)
        graph = poise.read_graph(path)
        self.assertEqual((graph.directed, graph.indptr.tolist(), graph.indices.tolist()), (True, [0, 1, 1, 1, 2], [1, 1]))

    def test_bad_arrays_are_not_written(self):
        path, x, good = self.path("none.h5"), np.eye(3), {"edges": [[0, 1]]}
        for words, arrays in (
                ("give edges .edges, 2., or indptr and indices", {}), ("give edges", {**good, "indptr": [0], "indices": [0]}),
                ("no pairs of nodes", {"edges": [[0, 1, 2]]}), ("no pairs of nodes", {"edges": [[0.5, 1]]}),
                ("edge 1 joins the nodes 0 and 3", {"edges": [[0, 1], [0, 3]]}),
                ("weights of shape", {**good, "weights": [1, 2]}), ("has the weight -1", {**good, "weights": [-1]}),
                ("different weights", {"edges": [[0, 1], [0, 1]], "weights": [1, 2]}),
                ("has the weights 2 and 1", {"edges": [[0, 1], [1, 0]], "weights": [1, 2]}),
                ("masks has 'val'", {**good, "masks": {"val": [True] * 3}}),
                ("is not .splits, nodes.", {**good, "masks": {"train": [True] * 2}}),
                ("overlap", {**good, "masks": {"train": [1, 0, 0], "test": [1, 1, 0]}}),
                ("whose label is not known", {**good, "labels": [0, -1, 1], "masks": {"test": [0, 1, 0]}}),
                ("whose target is not known", {**good, "targets": [0, np.nan, 1], "masks": {"test": [0, 1, 0]}}),
                ("store both directions", {"indptr": [0, 1, 1, 1], "indices": [1]}),
                ("has 2 rows", {**good, "labels": [0, 1]})):
            with self.subTest(words):
                self.assertRaisesRegex(poise.Error, f"none.h5.*{words}", poise.write_graph, path, x, **arrays)
                self.assertFalse([name for name in os.listdir(self.scratch) if name.startswith("none.h5")])

    def test_bad_files_are_refused_in_the_words_of_the_programs(self):
        good = {"features": np.eye(4, 2), "graph/indptr": [0, 2, 3, 4, 4], "graph/indices": [1, 2, 0, 0],
                "masks/train": np.array([[1, 1, 0, 0]]), "labels": [0, 1, 1, -1]}
        changes = {
            "indptr": {"graph/indptr": None}, "no indices": {"graph/indices": None}, "reals": {"graph/indices": [1.0, 2, 0, 0]},
            "short": {"graph/indptr": [0, 2, 3, 4]}, "first": {"graph/indptr": [1, 2, 3, 4, 4]},
            "descend": {"graph/indptr": [0, 3, 2, 4, 4]}, "end": {"graph/indptr": [0, 1, 2, 3, 3]},
            "outside": {"graph/indices": [1, 9, 0, 0]}, "loop": {"graph/indices": [0, 2, 0, 0]},
            "twice": {"graph/indices": [2, 2, 0, 0]}, "order": {"graph/indices": [2, 1, 0, 0]},
            "one way": {"graph/indices": [1, 2, 2, 0]}, "weights": {"graph/weights": [1.0, 2.0]},
            "negative": {"graph/weights": [1.0, -2.0, 1.0, 1.0]}, "two weights": {"graph/weights": [1.0, 2.0, 3.0, 2.0]},
            "mask": {"masks/train": np.array([[1, 1, 0]])}, "splits": {"masks/test": np.zeros((2, 4), int)},
            "half": {"masks/train": np.array([[1, 2, 0, 0]])}, "unknown": {"masks/train": np.array([[1, 1, 0, 1]])},
            "overlap": {"masks/test": np.array([[0, 1, 0, 0]])}, "nan": {"features": np.full((4, 2), np.nan)},
            "label": {"labels": [0, 1, 7, -1]}, "rows": {"labels": [0, 1]},
        }
        for name, change in changes.items():
            with self.subTest(name):
                theirs, ours = self.refusals(name, {**good, **change})
                self.assertEqual(ours.split(":")[1].split(";")[0], theirs.split(":")[1].split(";")[0])
        table = self.assertRaisesRegex(poise.Error, "poise.read_graph reads graphs, poise.read_data tables")
        with table:
            poise.read_graph(self.regression)

    def refusals(self, name, sets):
        path = self.path(f"bad {name}.h5")
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = "poise-graph-1"
            for key, values in sets.items():
                if values is not None:
                    file[key] = values
            file["labels"].attrs["classes"] = 2
        done = subprocess.run([DATA, "show", path], capture_output=True, text=True, timeout=patience(60), check=False)
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout)
        with self.assertRaises(poise.Error) as caught:
            poise.read_graph(path)
        return done.stderr.split("poise: error: ")[-1].strip(), str(caught.exception)

    def test_random_graphs_are_read_as_they_are_written(self):
        random, path = np.random.default_rng(1), self.path("random.h5")
        pairs = random_graph(random)
        poise.write_graph(path, np.ones((40, 1)), edges=pairs)
        graph = poise.read_graph(path)
        found = {(node, other) for node in range(40) for other in graph.indices[graph.indptr[node]:graph.indptr[node + 1]]}
        self.assertEqual(found, {(i, j) for i, j in pairs} | {(j, i) for i, j in pairs})


if __name__ == "__main__":
    unittest.main()
