"""Every model and every explicit network trains, with the same results on every number of ranks and every grid."""

import itertools
import unittest

import numpy as np

from training import WORK, TrainingTest, attributes, checkpoints, history, parameters, train

ACTIVATIONS = ["identity", "tanh", "relu", "leaky_relu", "softplus", "sigmoid"]
WEIGHTS = ["softmax", "spectral", "free"]
GRIDS = [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2)]
FEW_GRIDS = [(1, 1), (3, 1), (4, 2)]
DESCENT = ["-dynamics", "descent", "-step_size", 0.02]
# Equilibria and adjoints of every sample are solved to 1e-12.
SOLVER = 1e-10


class Models(TrainingTest):
    def falls(self, *options, **names):
        run = self.train("-data", self.regression, *DESCENT, *options, **names)
        h = history(run)
        self.assertTrue((np.diff(h["loss"]) < 0).all(), f"{options}: {h['loss']}")
        return run, h

    def test_every_model_trains(self):
        for weights, activation in itertools.product(WEIGHTS, ACTIVATIONS):
            run, h = self.falls("-model", "pointwise", "-weights", weights, "-activation", activation, "-width", 9,
                                "-steps", 3)
            self.assertEqual({n: v.shape for n, v in parameters(checkpoints(run)[-1]).items()},
                             {"A": (9, 9), "V": (9, 7), "b": (9, 1), "B": (2, 9)})
            if weights != "free":
                np.testing.assert_array_equal(h["contraction"], 0.8)
        for activation in ACTIVATIONS:
            run, h = self.falls("-model", "monotone", "-activation", activation, "-width", 9, "-steps", 3)
            self.assertEqual(set(parameters(checkpoints(run)[-1])), {"P", "Q", "V", "b", "B"})
            np.testing.assert_array_equal(h["contraction"], 0.5)
        run, h = self.falls("-objective", "equilibrium", "-steps", 3)
        self.assertEqual(set(parameters(checkpoints(run)[-1])), {"A", "B"})

    def test_the_bound_of_free_weights_is_recorded(self):
        run, h = self.falls("-model", "pointwise", "-weights", "free", "-width", 9, "-steps", 3)
        a = parameters(checkpoints(run)[-1])["A"]
        self.assertAlmostEqual(h["contraction"][-1], 0.8 * np.linalg.norm(a, 2), delta=1e-9)

    def test_a_bound_that_is_passed_is_said_once(self):
        done = train("-data", self.regression, "-model", "pointwise", "-weights", "free", "-width", 9, "-init_scale_a",
                     1.2, "-dynamics", "descent", "-step_size", 0.2, "-steps", 60, "-run", self.new_run(), ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("well posed at the start", done.stdout)
        self.assertEqual(done.stderr.count("poise: warning:"), 1, done.stderr)
        self.assertIn("free weights have passed the bound", done.stderr)

    def test_scales_of_the_start(self):
        small, large = (self.train("-data", self.regression, "-model", "pointwise", "-width", 9, "-steps", 0, "-dynamics",
                                   "descent", "-init_scale_a", a, "-init_scale_v", v, "-init_scale_b", b)
                        for a, v, b in ((1, 1, 1), (2, 3, 5)))
        small, large = (parameters(checkpoints(run)[-1]) for run in (small, large))
        for name, factor in {"A": 2, "V": 3, "B": 5}.items():
            np.testing.assert_allclose(large[name], factor * small[name], rtol=1e-14)
            self.assertGreater(np.abs(small[name]).max(), 0)
        self.assertFalse(small["b"].any())

    def same_on_all_grids(self, *options, grids=tuple(GRIDS)):
        runs = []
        for ranks, features in grids:
            runs.append(self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT, *options, "-steps", 4,
                                   "-grid_feature_ranks", features, ranks=ranks))
            with self.subTest(options=options, ranks=ranks, features=features):
                self.assert_same_history(runs[0], runs[-1], SOLVER, WORK)
                self.assert_same_parameters(runs[0], runs[-1], SOLVER)

    def test_grids_of_models(self):
        pointwise = ["-model", "pointwise", "-width", 10, "-weights"]
        self.same_on_all_grids(*pointwise, "softmax")
        self.same_on_all_grids(*pointwise, "spectral", "-activation", "relu", "-method", "adam", grids=FEW_GRIDS)
        self.same_on_all_grids(*pointwise, "free", "-activation", "sigmoid", "-input_weights", "false", "-width", 0,
                               grids=FEW_GRIDS)
        self.same_on_all_grids("-model", "monotone", "-width", 10, "-jacobian_weight", 0.1)

    def test_grids_of_explicit_networks(self):
        self.same_on_all_grids("-model", "pointwise", "-objective", "unrolled", "-depth", 4, "-width", 10,
                               grids=FEW_GRIDS)
        self.same_on_all_grids("-objective", "feedforward", "-depth", 3, "-width", 10, grids=FEW_GRIDS)
        self.same_on_all_grids("-objective", "shallow", grids=FEW_GRIDS)

    def test_explicit_networks_train(self):
        run, _ = self.falls("-objective", "feedforward", "-depth", 2, "-width", 8, "-steps", 4)
        self.assertEqual(set(parameters(checkpoints(run)[-1])), {"W1", "b1", "W2", "b2", "B"})
        run, _ = self.falls("-objective", "shallow", "-steps", 4)
        self.assertEqual(set(parameters(checkpoints(run)[-1])), {"B"})
        run, _ = self.falls("-objective", "unrolled", "-depth", 3, "-steps", 4)
        self.assertEqual(attributes(run)["gradient"], "exact of the unrolled network")

    def test_a_deep_unrolled_network_is_the_equilibrium(self):
        options = ["-data", self.regression, "-model", "pointwise", "-width", 9, *DESCENT, "-steps", 3]
        deep = self.train(*options, "-objective", "unrolled", "-depth", 200, "-recompute_every", 15, "-gradient_check", 1)
        equilibrium = self.train(*options)
        np.testing.assert_allclose(history(deep)["loss"], history(equilibrium)["loss"], rtol=SOLVER)
        self.assertLess(history(deep)["gradient_error"].max(), 1e-8)
        shallow = history(self.train(*options, "-objective", "unrolled", "-depth", 1, "-gradient_check", 1))
        self.assertGreater(shallow["gradient_error"].min(), 1e-3)


if __name__ == "__main__":
    unittest.main()
