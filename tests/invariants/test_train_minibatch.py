"""Minibatches: the same run on every number of ranks, ends, warm starts."""

import unittest

import numpy as np

from training import WORK, TrainingTest, history

SOLVER = 1e-10
# 45 samples: 6 batches of 7 per epoch; 3 samples are left out.
BATCHES = ["-loss", "cross_entropy", "-model", "pointwise", "-width", 8, "-dynamics", "descent", "-step_size", 0.02,
           "-batch", 7]
PER_EPOCH = 6


class Minibatch(TrainingTest):
    def options(self, *more):
        return ["-data", self.classes, *BATCHES, *more]

    def test_the_same_on_every_number_of_ranks(self):
        runs = []
        for ranks, features in [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2), (4, 4)]:
            runs.append(self.train(*self.options("-method", "momentum", "-epochs", 2, "-audit_every", 1),
                                   "-grid_feature_ranks", features, ranks=ranks))
            with self.subTest(ranks=ranks, features=features):
                self.assert_same_history(runs[0], runs[-1], SOLVER, WORK)
                self.assert_same_parameters(runs[0], runs[-1], SOLVER)

    def test_epochs_end_the_run_and_are_recorded(self):
        h = history(self.train(*self.options("-epochs", 3)))
        np.testing.assert_array_equal(h["epoch"], [0, 1, 2, 3])
        np.testing.assert_array_equal(h["step"], [0, PER_EPOCH, 2 * PER_EPOCH, 3 * PER_EPOCH])
        every = history(self.train(*self.options("-epochs", 3, "-audit_every", 1)))
        self.assertEqual(len(every["step"]), 3 * PER_EPOCH + 1)
        for name in ("loss", "train_accuracy"):  # means since the previous row
            means = every[name][1:].reshape(3, PER_EPOCH).mean(axis=1)
            np.testing.assert_allclose(h[name][1:], means, rtol=1e-9)
        np.testing.assert_allclose(h["test_loss"], every["test_loss"][::PER_EPOCH], rtol=1e-9)
        self.assertLess(h["loss"][-1], h["loss"][0])
        by_time = history(self.train(*self.options("-time", 0.2)))  # ten steps
        np.testing.assert_array_equal(by_time["step"], [0, PER_EPOCH, 10])  # the last point is always recorded

    def test_warm_starts_save_work_and_change_nothing_else(self):
        for batches in (["-batch", 7, "-epochs", 3], ["-batch", 0, "-steps", 12]):
            options = [*self.options("-audit_every", 1), *batches]
            warm, cold = (self.train(*options, "-warm_start", flag) for flag in ("true", "false"))
            self.assert_same_history(warm, cold, 1e-8, WORK)
            iterations = [history(run)["equilibrium_iterations"][2:].sum() for run in (warm, cold)]
            self.assertLessEqual(iterations[0], iterations[1])


if __name__ == "__main__":
    unittest.main()
