"""Every file of petsc_opts runs, is used to its last line, and leads to the same history as the default solvers."""

import glob
import os
import unittest

from training import DIGITS, SOURCE, TrainingTest, WORK, history

FILES = sorted(glob.glob(os.path.join(SOURCE, "petsc_opts", "*")))
PROBLEM = ["-data", DIGITS, "-train_samples", 60, "-features_rank_cut", 0.03, "-time", 0.05]
LINEAR = ["-objective", "equilibrium"]
MONOTONE = ["-model", "monotone", "-activation", "relu", "-width", 12]
# Another solver of the same equation is as near as its tolerance of 1e-12 times the condition of the equation.
SOLVER = 1e-10


class OptionsFiles(TrainingTest):
    def model(self, path):
        """The model that a file is for; its solvers' names start with eq_ or adj_, those of inexact gradients with
        backward_."""
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            self.assertTrue(line.startswith("#") or "#" in line or not line, f"{name}: no comment: {line}")
        if any("monotone" in line for line in lines if line.startswith("# Models:")):
            return MONOTONE
        return LINEAR if name.startswith(("eq_", "adj_", "backward_")) else []

    def test_every_file_runs(self):
        self.assertGreater(len(FILES), 5)
        references = [(model, history(self.train(*PROBLEM, *model))) for model in (LINEAR, MONOTONE)]
        for index, path in enumerate(FILES):
            ranks = 1 + index % 2
            name = os.path.basename(path)
            with self.subTest(file=name, ranks=ranks):
                model = self.model(path)
                h = history(self.train(*PROBLEM, *model, "-options_file", path, ranks=ranks))
                self.assertGreater(len(h["t"]), 1 if name.startswith(("descent", "momentum", "adam")) else 2)
                for of_model, reference in references:
                    if of_model == model and name.startswith(("eq_", "adj_")):
                        self.assert_same_columns(reference, h, SOLVER, WORK)


if __name__ == "__main__":
    unittest.main()
