"""The same run on every number of ranks and every process grid, also if some ranks have no samples or no features."""

import unittest

import h5py
import numpy as np

from training import WORK, TrainingTest, attempts, checkpoints, parameters

GRIDS = [(1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (4, 1), (4, 2), (4, 4)]
# Systems are solved to 1e-13 (collapsed) or 1e-12 (equilibria), mostly to far less than that.
ROUNDING = 1e-12
# Equilibria and adjoints, solved to 1e-12, against the collapsed objective, over the steps of a flow.
SOLVED = 1e-10
OBJECTIVES = ["collapsed", "equilibrium"]


class Grids(TrainingTest):
    def check(self, *options, grids=tuple(GRIDS), objective="collapsed"):
        runs = []
        for ranks, features in grids:
            runs.append(self.train(*options, "-objective", objective, "-grid_feature_ranks", features, ranks=ranks))
            with self.subTest(ranks=ranks, features=features, options=options):
                self.assert_same_history(runs[0], runs[-1], ROUNDING, WORK)
                self.assert_same_parameters(runs[0], runs[-1], ROUNDING)
                with h5py.File(checkpoints(runs[0])[-1]) as one, h5py.File(checkpoints(runs[-1])[-1]) as other:
                    names, other_names = [], []
                    one.visititems(lambda name, item: names.append((name, getattr(item, "shape", None))))
                    other.visititems(lambda name, item: other_names.append((name, getattr(item, "shape", None))))
                    self.assertEqual(names, other_names)
        return runs

    def test_collapsed_objective(self):
        self.check("-data", self.regression, "-time", 0.3)

    def test_equilibrium_objective(self):
        self.check("-data", self.classes, "-loss", "cross_entropy", "-time", 0.3, objective="equilibrium")

    def test_both_objectives_give_the_same_run(self):
        """Excess and bound of the last rows are differences of losses, so errors are relative to their values in the first row."""
        for data, loss in ((self.regression, "squared"), (self.classes, "cross_entropy")):
            runs = {}
            for ranks, features in ((1, 1), (2, 1), (3, 1), (4, 1), (2, 2), (4, 2)):
                for objective in OBJECTIVES:
                    runs[ranks, features, objective] = self.train(
                        "-data", data, "-loss", loss, "-time", 0.3, "-objective", objective, "-grid_feature_ranks", features,
                        ranks=ranks)
            reference = runs[1, 1, "collapsed"]
            for case, run in runs.items():
                with self.subTest(case=case, loss=loss):
                    self.assertEqual(attempts(run)[-1]["verdict"], "held")
                    self.assert_same_history(reference, run, SOLVED, WORK)
                    self.assert_same_parameters(reference, run, SOLVED)

    def test_random_features(self):
        self.check("-data", self.binary, "-loss", "logistic", "-features", "random_relu", "-features_width", 9,
                   "-time", 0.3, grids=[(1, 1), (4, 2)])

    def test_more_ranks_than_samples(self):
        two = self.path("two.h5")
        with h5py.File(two, "w") as file:
            file["features"] = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]])
            file["targets"] = np.array([[1.0], [-2.0]])
        for objective in OBJECTIVES:
            self.check("-data", two, "-features", "identity", "-time", 0.1, objective=objective,
                       grids=[(1, 1), (3, 1), (4, 2)])

    def test_more_ranks_than_features(self):
        one = self.path("one.h5")
        with h5py.File(one, "w") as file:
            file["features"] = np.array([[1.0], [0.5], [-1.5]])
            file["targets"] = np.array([[1.0], [0.4], [-1.0]])
        # One feature and no constant: A is 1 x 1, and its softmax is 1.
        for objective in OBJECTIVES:
            runs = self.check("-data", one, "-features", "identity", "-features_constant", "false", "-time", 0.1,
                              objective=objective, grids=[(1, 1), (2, 2), (3, 3), (3, 1)])
            shapes = {name: values.shape for name, values in parameters(checkpoints(runs[0])[-1]).items()}
            self.assertEqual(shapes, {"A": (1, 1), "B": (1, 1)})


if __name__ == "__main__":
    unittest.main()
