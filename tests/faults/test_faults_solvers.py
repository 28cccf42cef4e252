"""Solvers that fail, and numbers that are not finite: one message that names the solver, exit code 1 on every number
of ranks, and the last good parameters are saved."""

import os
import re
import unittest

import h5py
import numpy as np

from faults import FaultTest, messages, start
from training import FAILED, TRAIN, checkpoints, history, parameters

AUDIT = os.environ.get("POISE_AUDIT", TRAIN.replace("poise-train", "poise-audit"))
SPECTRUM = os.environ.get("POISE_SPECTRUM", TRAIN.replace("poise-train", "poise-spectrum"))

DESCENT = ["-dynamics", "descent", "-step_size", 0.01]
TANH = ["-objective", "equilibrium", "-model", "pointwise", "-weights", "spectral", "-activation", "tanh", "-width", 30,
        *DESCENT]

# Options of the run, options that make its solver fail, and words that the message must have.
CASES = {
    "SNES": (TANH, ["-eq_snes_max_it", 1, "-eq_ladder", "false"], "eq_"),
    "SNES newton": (TANH, ["-eq_snes_type", "newtonls", "-eq_snes_max_it", 1, "-eq_ladder", "false"], "eq_"),
    "KSP": (TANH, ["-adj_ksp_type", "gmres", "-adj_ksp_max_it", 1, "-adj_ladder", "false"], "adj_"),
    "KSP collapsed": (["-objective", "collapsed", *DESCENT], ["-collapsed_ksp_max_it", 1], "collapsed_"),
    "TS": ([], ["-flow_ts_dt", 5, "-flow_ts_max_reject", 0], "flow_"),
    "TAO": (["-dynamics", "minimise"], ["-min_tao_ls_max_funcs", 1, "-min_tao_ls_ftol", 0.9], "min_"),
    "EPS norm": (TANH, ["-svd_eps_max_it", 1, "-svd_eps_ncv", 3], "svd_"),
    "EPS": (["-features", "random_relu", "-features_width", 60], ["-spec_eps_max_it", 1, "-spec_eps_ncv", 3], "spec_"),
}


class Solvers(FaultTest):
    def assert_failed(self, ended, case, word):
        self.tally("hang", ended.hung)
        self.assertFalse(ended.hung, case)
        self.assert_named(ended, case, [word])
        self.assertEqual(ended.code, FAILED, f"{case}\n{ended.err}")
        self.assertEqual(len(messages(ended)), 1, f"{case}\n{ended.err}")
        self.assertNotIn("MPI_ABORT", ended.err)
        self.assertNotIn("PETSC ERROR", ended.err)

    def assert_last_good(self, run, ended):
        path, step = re.search(r"last good parameters are in (\S+) \(step (\d+)", ended.err).groups()
        good = os.path.realpath(path) == os.path.realpath(checkpoints(run)[-1])
        good = good and history(run)["step"][-1] == int(step)
        good = good and all(np.isfinite(values).all() for values in parameters(path).values())
        self.tally("lost", not good)
        self.assertTrue(good, ended.err)
        return int(step)

    def test_at_the_start(self):
        def check(case):
            name, ranks, run = case
            options, broken, word = CASES[name]
            ended = start(TRAIN, "-data", self.regression, *options, *broken, "-run", run, ranks=ranks)
            self.tally("fault " + name.split()[0])
            self.assert_failed(ended, case, word)

        self.in_parallel(check, [(name, ranks, self.new_run()) for name in CASES for ranks in (1, 3)])

    def test_in_a_run_that_goes_on(self):
        def check(case):
            name, run = case
            options, broken, word = CASES[name]
            begun = start(TRAIN, "-data", self.regression, *options, "-steps", 2, "-run", run)
            self.assertEqual(begun.code, 0, begun.err)
            ended = start(TRAIN, "-resume", "-run", run, "-steps", 10**6, *broken)
            self.tally("fault " + name.split()[0])
            self.assert_failed(ended, case, word)
            self.assertGreaterEqual(self.assert_last_good(run, ended), 2)

        self.in_parallel(check, [(name, self.new_run()) for name in ("SNES", "KSP", "KSP collapsed", "TS", "EPS norm")])

    def test_of_the_programs_that_check(self):
        run = self.train("-data", self.regression, "-features", "random_relu", "-features_width", 60, "-steps", 1, ranks=3)
        for program, options, word in (
                (SPECTRUM, ["-spec_w_eps_max_it", 1, "-spec_w_eps_ncv", 4, "-dense_limit", 0, "-count", 2], "eigenvalues of W"),
                (SPECTRUM, ["-spec_norm_eps_max_it", 1, "-spec_norm_eps_ncv", 3], "norm")):
            ended = start(program, "-run", run, *options)
            self.tally("fault EPS")
            self.assert_failed(ended, options, word)

    def test_data_that_overflow(self):
        path = self.path("large.h5")
        with h5py.File(self.regression, "r") as old, h5py.File(path, "w") as new:
            for name in old:
                old.copy(name, new)
            new.attrs.update(old.attrs)
            new["targets"][::2], new["targets"][1::2] = 1e200, -1e200
        collapsed = ["-objective", "collapsed"]  # with other objectives, the message is about the adjoint of a sample
        for options, word in (([*collapsed, *DESCENT], "not finite"), (collapsed, "not finite"), (DESCENT, "not a number"),
                              ([], "not a number"), (TANH, "not a number"),
                              ([*collapsed, "-dynamics", "minimise"], "not finite"),
                              (["-dynamics", "minimise"], "not a number")):
            for ranks in (1, 3):
                ended = start(TRAIN, "-data", path, *options, "-scale_targets", "false", "-audit", "false", "-run",
                              self.new_run(), ranks=ranks)
                self.tally("fault NaN")
                self.assert_failed(ended, options, word)
        ended = start(TRAIN, "-data", path, "-run", self.new_run())
        self.tally("fault NaN")
        self.assert_named(ended, "targets of 1e200", ["the targets vary by 1e+200", "give them in another unit"])


if __name__ == "__main__":
    unittest.main()
