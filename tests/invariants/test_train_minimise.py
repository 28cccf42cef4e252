"""-dynamics minimise reaches the optimum, with a quasi-Newton method and with a trust region."""

import unittest

import numpy as np

from training import TrainingTest, history, train


class MinimiseRuns(TrainingTest):
    def options(self, *more):
        return ["-data", self.regression, "-dynamics", "minimise", *more]

    def check(self, *options, ranks=1):
        run = self.new_run()
        done = train(*self.options(*options), "-run", run, ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("converged", done.stdout)
        h = history(run)
        self.assertLess(h["grad_norm"][-1], 1e-8)
        np.testing.assert_array_equal(h["t"], h["step"])
        return h

    def test_the_optimum(self):
        reference = history(self.train("-data", self.regression, "-dynamics", "flow", "-time", 0))
        least = reference["loss"][0] - reference["loss_excess"][0]
        for options, ranks in ((["-min_tao_type", "lmvm"], 1), (["-min_tao_type", "ntr"], 2),
                               (["-objective", "equilibrium"], 2)):
            with self.subTest(options=options):
                h = self.check(*options, ranks=ranks)
                self.assertAlmostEqual(h["loss"][-1], least, delta=1e-10 * least)

    def test_steps_and_resumption(self):
        run = self.train(*self.options("-steps", 5))
        self.assertEqual(history(run)["step"][-1], 5)
        self.train("-resume", "-steps", 10**6, ranks=2, run=run)
        h = history(run)
        self.assertLess(h["grad_norm"][-1], 1e-8)
        np.testing.assert_array_equal(np.diff(h["step"]), 1)


if __name__ == "__main__":
    unittest.main()
