"""Every file of petsc_opts runs, is used to its last line, and leads to the same history as the default solvers."""

import glob
import os
import unittest

from training import DIGITS, SOURCE, TrainingTest, WORK, history

FILES = sorted(glob.glob(os.path.join(SOURCE, "petsc_opts", "*")))
PROBLEM = ["-data", DIGITS, "-train_samples", 60, "-features_rank_cut", 0.03, "-time", 0.05]
# Another solver of the same equation is as near as its tolerance of 1e-12 times the condition of the equation.
SOLVER = 1e-10


class OptionsFiles(TrainingTest):
    def options(self, path):
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            self.assertTrue(line.startswith("#") or "#" in line or not line, f"{name}: no comment: {line}")
        extra = ["-objective", "equilibrium"] if name.startswith("eq_") else []
        return [*PROBLEM, *extra, "-options_file", path]

    def test_every_file_runs(self):
        self.assertGreater(len(FILES), 5)
        reference = history(self.train(*PROBLEM, "-objective", "equilibrium"))
        for path in FILES:
            for ranks in (1, 2):
                with self.subTest(file=os.path.basename(path), ranks=ranks):
                    run = self.train(*self.options(path), ranks=ranks)
                    h = history(run)
                    self.assertGreater(len(h["t"]), 2 if "descent" not in path else 1)
                    if os.path.basename(path).startswith("eq_"):
                        self.assert_same_columns(reference, h, SOLVER, WORK)


if __name__ == "__main__":
    unittest.main()
