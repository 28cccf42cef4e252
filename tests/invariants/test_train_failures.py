"""A run that fails says where and why, and leaves the last good parameters."""

import os
import re
import unittest

import numpy as np

from training import FAILED, TrainingTest, checkpoints, history, parameters, train

FREE = ["-model", "pointwise", "-weights", "free", "-width", 12, "-dynamics", "descent"]


class Failures(TrainingTest):
    def fail(self, *options, ranks=1, words=()):
        run = self.new_run()
        done = train("-data", self.regression, *options, "-run", run, ranks=ranks)
        self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        return run, done.stderr

    def assert_last_good(self, run, message):
        path, step = re.search(r"last good parameters are in (\S+) \(step (\d+)", message).groups()
        self.assertEqual(os.path.realpath(path), os.path.realpath(checkpoints(run)[-1]))
        self.assertEqual(history(run)["step"][-1], int(step))
        for values in parameters(path).values():
            self.assertTrue(np.isfinite(values).all())
        return int(step)

    def test_free_weights_without_equilibria(self):
        for ranks in (1, 2):
            self.fail(*FREE, "-init_scale_a", 8, ranks=ranks,
                      words=["equilibrium (eq_)", "eq_newton_", "eq_anderson_", "worst sample", "relative residual"])

    def test_a_run_that_diverges_leaves_its_last_good_parameters(self):
        diverging = [*FREE, "-activation", "identity", "-step_size", 0.6, "-steps", 300]
        for ranks in (1, 3):
            run, message = self.fail(*diverging, ranks=ranks)
            step = self.assert_last_good(run, message)
            # The same failure, but not with smaller steps.
            done = train("-resume", "-run", run, ranks=ranks)
            self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
            self.assert_last_good(run, done.stderr)
            done = train("-resume", "-on_failure", "backtrack", "-steps", step + 2, "-run", run, ranks=ranks)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(history(run)["step"][-1], step + 2)
            self.assertIn("halved", done.stdout)
            # The history has its last good step, for any -audit_every.
            rare, message = self.fail(*diverging, "-audit_every", 1000, ranks=ranks)
            self.assertEqual(self.assert_last_good(rare, message), step)
            self.assertEqual(len(history(rare)["step"]), 2)

    def test_a_step_that_overflows(self):
        options = ["-objective", "shallow", "-dynamics", "descent", "-step_size", 1e156, "-time", 1e300,
                   "-steps", 1]
        for ranks in (1, 2):
            run, message = self.fail(*options, ranks=ranks)
            self.assertEqual(self.assert_last_good(run, message), 0)

    def test_a_loss_that_explodes_but_stays_finite(self):
        options = ["-objective", "shallow", "-dynamics", "descent", "-step_size", 1e4, "-audit", "false", "-steps", 4]
        for ranks in (1, 2):
            run, message = self.fail(*options, ranks=ranks)
            self.assertIn("the loss has grown to", message)
            self.assertEqual(self.assert_last_good(run, message), 0)
            run = self.new_run()
            done = train("-data", self.regression, *options, "-on_failure", "backtrack", "-run", run, ranks=ranks)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("poise: warning: step 1 failed (the loss has grown to", done.stderr)
            self.assertLess(history(run)["step_size"][-1], 1e4)
            self.assertLess(history(run)["loss"].max(), 1e6)

    def test_a_step_of_the_flow_that_overflows_is_taken_again(self):
        options = ["-data", self.regression, "-objective", "shallow", "-time", 1e300, "-steps", 3, "-flow_ts_dt"]
        for ranks in (1, 3):
            run = self.new_run()
            done = train(*options, 1e80, "-flow_ts_max_reject", 300, "-run", run, ranks=ranks)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("poise: warning: step 1 failed", done.stderr)
            loss = history(run)["loss"]
            self.assertTrue((np.diff(loss) < 0).all(), loss)
            run, message = self.fail(*options[2:], 1e80, ranks=ranks)
            self.assertEqual(self.assert_last_good(run, message), 0)


if __name__ == "__main__":
    unittest.main()
