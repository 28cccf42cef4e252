"""-dynamics minimise reaches the optimum, with a quasi-Newton method and with a trust region."""

import os
import unittest

import numpy as np

from training import FAILED, TrainingTest, checkpoints, history, train


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

    def test_a_limit_of_evaluations_ends_the_run_and_is_named(self):
        done = train(*self.options("-min_tao_max_funcs", 3), "-run", self.new_run(), ranks=2)
        self.assertEqual(done.returncode, FAILED, done.stdout)
        self.assertIn("raise -min_tao_max_funcs", done.stderr)

    def test_steps_and_resumption(self):
        run = self.train(*self.options("-steps", 5))
        self.assertEqual(history(run)["step"][-1], 5)
        self.train("-resume", "-steps", 10**6, ranks=2, run=run)
        h = history(run)
        self.assertLess(h["grad_norm"][-1], 1e-8)
        np.testing.assert_array_equal(np.diff(h["step"]), 1)

    def test_a_resumption_starts_the_minimiser_afresh_and_reaches_the_same_minimum(self):
        straight = self.train(*self.options("-checkpoint_every", 4, "-checkpoint_keep", 0), ranks=2)
        runs = [self.copy_run(straight) for _ in range(2)]
        for run, ranks in zip(runs, (2, 3)):
            for path in checkpoints(run)[2:]:
                os.remove(path)  # as if killed after step 4
            self.train("-resume", ranks=ranks, run=run)
        h, same, other = (history(run) for run in (straight, *runs))
        for name in ("loss", "grad_norm"):
            np.testing.assert_array_equal(same[name][:5], h[name][:5])  # the rows before the stop stay
        # TAO has lost what it had learnt of the curvature, so the next step is a different one.
        self.assertNotEqual(same["loss"][5], h["loss"][5])
        for resumed in (same, other):
            self.assertLess(resumed["grad_norm"][-1], 1e-8)
            self.assertAlmostEqual(resumed["loss"][-1], h["loss"][-1], delta=1e-12 * h["loss"][-1])
        # The next steps depend on nothing else: they are the same when repeated, and on different ranks to rounding.
        again = self.copy_run(straight)
        for path in checkpoints(again)[2:]:
            os.remove(path)
        self.train("-resume", ranks=2, run=again)
        self.assert_same_history(runs[0], again)
        np.testing.assert_allclose(other["loss"][:8], same["loss"][:8], rtol=1e-10)


if __name__ == "__main__":
    unittest.main()
