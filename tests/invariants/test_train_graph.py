"""-model graph: one equilibrium over all nodes of a graph trains with the same results on every number of ranks and every grid,
and its labelled nodes are samples like all others: dynamics, checkpoints, validation, ensembles, refusals."""

import os
import shutil
import unittest

import h5py
import numpy as np

from python_package import make_graph
from training import BAD_INPUT, SOURCE, RefusalTest, TrainingTest, attributes, checkpoints, history, parameters, train

DIGITS_GRAPH = os.path.join(SOURCE, "data", "digits_graph.h5")
GRIDS = [(1, 1), (2, 1), (3, 1), (4, 2)]
CLASSES = ["-loss", "cross_entropy"]
DESCENT = ["-dynamics", "descent", "-step_size", 0.1]
ADAM = ["-dynamics", "descent", "-method", "adam", "-step_size", 0.05]
SOLVER = 1e-9  # equilibria and adjoints are solved to 1e-12 at the worst node


class GraphTest(TrainingTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.path("chain.h5")
        make_graph("chain", "-chains", 6, "-length", 12, "-node_classes", 2, "-node_inputs", 5, "-train_share", 0.2, "-splits",
                   2, "-out", cls.chain)

    def graph(self, *options, data=None, **names):
        return self.train("-model", "graph", "-data", data or self.chain, "-features", "identity", *options, **names)


class Graphs(GraphTest):
    def test_every_number_of_ranks_and_every_grid_gives_the_same_results(self):
        for options in (["-gamma", 0.9], ["-activation", "tanh", "-graph_normalise", "walk"],
                        ["-activation", "relu", "-weights", "spectral"], ["-graph_hops", 3, "-gamma", 0.9]):
            runs = [self.graph(*CLASSES, *DESCENT, "-width", 6, "-steps", 4, *options, "-grid_feature_ranks", features,
                               ranks=ranks) for ranks, features in GRIDS]
            losses = history(runs[0])["loss"]
            self.assertTrue((np.diff(losses) < 0).all(), losses)
            for run in runs[1:]:
                np.testing.assert_allclose(history(run)["loss"], losses, rtol=SOLVER)
                for name in ("train_accuracy", "validation_loss", "test_loss", "test_accuracy"):
                    np.testing.assert_allclose(history(run)[name], history(runs[0])[name], rtol=1e-8, err_msg=name)
                self.assert_same_parameters(run, runs[0], SOLVER)

    def test_minibatches_of_labelled_nodes_are_the_same_on_every_number_of_ranks(self):
        runs = [self.graph("-dynamics", "descent", "-step_size", 0.0005, "-width", 6, "-batch", 3, "-steps", 12, "-audit_every", 1,
                           "-grid_feature_ranks", features, ranks=ranks) for ranks, features in GRIDS]
        for run in runs[1:]:
            np.testing.assert_allclose(history(run)["loss"], history(runs[0])["loss"], rtol=SOLVER)

    def test_a_run_resumed_on_other_ranks_equals_the_straight_run(self):
        options = ["-model", "graph", "-data", DIGITS_GRAPH, *CLASSES, *DESCENT, "-width", 8]
        straight = self.train(*options, "-steps", 8, ranks=3)
        run = self.train(*options, "-steps", 4, ranks=3)
        self.assertEqual(len(history(run)["step"]), 5)
        done = train("-run", run, "-resume", "-steps", 8, "-grid_feature_ranks", 2, ranks=4)
        self.assertEqual(done.returncode, 0, done.stderr)
        np.testing.assert_allclose(history(run)["loss"], history(straight)["loss"], rtol=SOLVER)
        self.assert_same_parameters(run, straight, SOLVER)

    def test_all_dynamics_and_losses_train(self):
        for options in (["-dynamics", "flow", "-time", 0.5], ["-dynamics", "minimise", "-steps", 4],
                        ["-dynamics", "descent", "-step_size", 0.0005, "-batch", 9, "-steps", 18, "-audit_every", 18,
                         "-warm_start", "false"],
                        ["-loss", "cross_entropy", *DESCENT, "-steps", 3, "-class_weight", "balanced"]):
            losses = history(self.graph("-width", 6, *options, ranks=2))["loss"]
            self.assertLess(losses[-1], losses[0], options)

    def test_far_nodes_of_a_chain_are_classified(self):
        run = self.graph(*CLASSES, "-gamma", 0.95, "-width", 8, *ADAM, "-steps", 60, ranks=2)
        found = history(run)
        self.assertEqual(found["test_accuracy"][-1], 1.0)
        self.assertEqual(attributes(run)["network"], "graph, softmax weights, gamma = 0.95, identity, S symmetric")
        self.assertEqual({name: block.shape for name, block in parameters(checkpoints(run)[-1]).items()},
                         {"A": (8, 8), "V": (8, 6), "b": (8, 1), "B": (2, 8)})

    def test_an_unrolled_network_does_not_see_far_nodes(self):
        """In a chain, only the first node says the class: three layers reach the two nodes behind it."""
        options = [*CLASSES, *ADAM, "-gamma", 0.95, "-width", 8, "-steps", 60]
        shallow, deep = (self.graph(*options, "-objective", "unrolled", "-depth", depth, ranks=2) for depth in (3, 60))
        self.assertLess(history(shallow)["test_accuracy"][-1], 0.9)
        self.assertEqual(history(deep)["test_accuracy"][-1], 1.0)
        self.assertEqual(attributes(deep)["gradient"], "exact of the unrolled network")

    def test_an_unrolled_network_with_hops_sees_as_far_as_one_with_their_number_of_layers(self):
        options = [*CLASSES, *ADAM, "-gamma", 0.95, "-width", 8, "-steps", 60, "-objective", "unrolled"]
        run = self.graph(*options, "-depth", 4, "-graph_hops", 15, ranks=2)
        self.assertEqual(history(run)["test_accuracy"][-1], 1.0)
        self.assertIn("S symmetric, 15 hops", attributes(run)["network"])

    DROPOUT = ["-dropout", 0.4, "-dropout_states", 0.3, "-normalise_states", "true"]

    def test_dropout_is_the_same_on_every_number_of_ranks_and_every_grid(self):
        for options in (["-objective", "unrolled", "-depth", 4], ["-batch", 4, "-audit_every", 1]):
            runs = [self.graph(*CLASSES, *DESCENT, "-width", 6, "-steps", 4, *options, *self.DROPOUT, "-grid_feature_ranks",
                               features, ranks=ranks) for ranks, features in GRIDS]
            for run in runs[1:]:
                for name in ("loss", "train_accuracy", "validation_loss", "test_loss"):
                    np.testing.assert_allclose(history(run)[name], history(runs[0])[name], rtol=1e-8, err_msg=name)
                self.assert_same_parameters(run, runs[0], SOLVER)

    def test_the_loss_of_a_step_has_its_dropout_and_scores_have_none(self):
        options = [*CLASSES, *DESCENT, "-width", 6]
        plain, dropped, other = (self.graph(*options, *more, "-steps", 3) for more in
                                 ([], self.DROPOUT[:4], [*self.DROPOUT[:4], "-dropout", 0]))
        for name in ("validation_loss", "test_loss"):
            self.assertAlmostEqual(history(dropped)[name][0], history(plain)[name][0], places=10)
        losses = [history(run)["loss"][0] for run in (plain, dropped, other)]
        self.assertGreater(min(abs(losses[0] - losses[1]), abs(losses[0] - losses[2]), abs(losses[1] - losses[2])), 1e-4)
        self.assertEqual(attributes(dropped)["network"], "graph, softmax weights, gamma = 0.8, identity, S symmetric, "
                                                         "dropout 0.4, dropout of states 0.3")
        every_third = self.graph(*options, *self.DROPOUT[:4], "-steps", 3, "-audit_every", 3)
        mean = history(dropped)["loss"][1:].mean()
        self.assertAlmostEqual(history(every_third)["loss"][1], mean, places=10)

    def test_dropout_of_a_resumed_run_is_that_of_the_straight_run(self):
        options = [*CLASSES, *ADAM, "-width", 6, *self.DROPOUT, "-warm_start", "false"]
        straight = self.graph(*options, "-steps", 8)
        run = self.graph(*options, "-steps", 4)
        self.assertEqual(len(history(run)["step"]), 5)
        other = self.graph(*options, "-steps", 8, "-seed", 1)
        self.assertFalse(np.allclose(history(other)["loss"], history(straight)["loss"]))
        done = train("-run", run, "-resume", "-steps", 8)
        self.assertEqual(done.returncode, 0, done.stderr)
        np.testing.assert_array_equal(history(run)["loss"], history(straight)["loss"])
        self.assert_same_parameters(run, straight)

    def test_an_ensemble_takes_every_split(self):
        run = self.new_run()
        done = train("-model", "graph", "-data", self.chain, *CLASSES, *DESCENT, "-width", 4, "-steps", 2, "-grid", "split=0,1",
                     "-run", run, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        members = sorted(os.path.join(run, name) for name in os.listdir(run) if os.path.isdir(os.path.join(run, name)))
        members = [member for member in members if os.path.exists(os.path.join(member, "run.h5"))]
        self.assertEqual(len(members), 2)
        first, second = (history(member)["loss"] for member in members)
        self.assertFalse(np.allclose(first, second), "two splits have different training nodes")

    def test_validation_nodes_end_the_run_and_name_the_best_step(self):
        run = self.graph(*CLASSES, *ADAM, "-width", 6, "-steps", 200, "-patience", 5, "-validation_measure", "accuracy")
        self.assertLess(history(run)["step"][-1], 200)
        with open(os.path.join(run, "checkpoints", "best"), encoding="utf-8") as file:
            self.assertIn(file.read().strip(), [os.path.basename(path) for path in checkpoints(run)])


class Refusals(GraphTest, RefusalTest):
    def test_bad_input_is_named(self):
        graph = ["-model", "graph"]
        self.refuse(*graph, "-split", 2, words=["split 2 does not exist", "2 splits"], data=self.chain)
        self.refuse(*graph, "-objective", "collapsed", words=["-model graph", "-objective"], data=self.chain)
        self.refuse(*graph, words=["poise-graph-1", "-model graph"], data=self.regression)
        self.refuse(words=["poise-graph-1", "-model graph"], data=self.chain)
        self.refuse("-graph_hops", 2, words=["-graph_hops 2", "-model graph"])
        self.refuse(*graph, "-graph_hops", 0, words=["-graph_hops"], data=self.chain)
        self.refuse("-split", 1, words=["-split 1", "-model graph"])
        self.refuse(*graph, "-validation_fraction", 0.2, words=["-validation_fraction"], data=self.chain)
        for dynamics in (["-dynamics", "minimise"], ["-dynamics", "flow"]):
            for option in ("-dropout", "-dropout_states"):
                self.refuse(*graph, *dynamics, option, 0.5, data=self.chain,
                            words=[f"{option} 0.5", "a loss of its own", dynamics[1], "-dynamics descent"])
        self.refuse(*graph, *DESCENT, "-dropout", 1, words=["-dropout"], data=self.chain)
        self.refuse(*DESCENT, "-dropout", 0.5, words=["-dropout 0.5", "-model graph"])
        self.refuse(*graph, *DESCENT, "-dropout", 0.5, "-audit", "true", words=["dropout", "-audit true"], data=self.chain)
        self.refuse(*graph, *DESCENT, "-batch", 1000, words=["-batch 1000", "training samples"], data=self.chain)

    def test_a_changed_edge_ends_a_resumed_run(self):
        data = shutil.copy(self.chain, self.path("changed.h5"))
        run = self.graph(*DESCENT, "-width", 4, "-steps", 1, data=data)
        with h5py.File(data, "r+") as file:
            neighbours = file["graph/indices"]
            starts = file["graph/indptr"][:]
            # The two ends of the first chain change their neighbours: 0-1 and 10-11 become 0-10 and 1-11.
            rows = [neighbours[starts[i]:starts[i + 1]].tolist() for i in range(12)]
            rows[0], rows[1], rows[10], rows[11] = [10], [2, 11], [0, 9], [1]
            neighbours[:starts[12]] = np.concatenate(rows)
        done = train("-run", run, "-resume", "-steps", 2)
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout)
        self.assertIn("differ from the samples that the run", done.stderr)


if __name__ == "__main__":
    unittest.main()
