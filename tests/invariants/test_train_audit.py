"""Theorem 1 on real data and every loss; a violated bound is found; the parameters of checkpoints give the recorded numbers."""

import os
import unittest

import h5py
import numpy as np

from training import DIABETES, DIGITS, FAILED, TrainingTest, checkpoints, history, parameters, train

WHITENED_DIGITS = ["-data", DIGITS, "-features", "whiten", "-gamma", 0.8]


def features(path, x):
    """Φ with the constant, one row per sample, computed from the feature map in the checkpoint."""
    with h5py.File(path, "r") as file:
        group = file["features"]
        if "transform" not in group:  # identity
            return np.hstack([x, np.ones((len(x), 1))])
        phi = (x - group["mean"][:]) @ group["transform"][:].T
        phi[:, -1] = 1.0
    return phi


def text(attribute):
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def softmax_of_columns(a):
    e = np.exp(a - a.max(axis=0))
    return e / e.sum(axis=0)


class Audit(TrainingTest):
    def assert_bounds_hold(self, h, resolved=1e-13):
        """The bound holds in every row whose excess is above the rounding of the first excess."""
        tiny = resolved * h["loss"][0]
        excess = np.where(np.isnan(h["loss_excess"]), h["loss"], h["loss_excess"])
        for name in ("bound", "bound_integrated"):
            self.assertTrue((excess <= h[name] * (1 + 1e-9) + tiny).all(), name)
        self.assertTrue((h["lambda_min"] >= h["lambda_floor"]).all())
        np.testing.assert_array_equal(h["lambda_T"], np.minimum.accumulate(h["lambda_min"]))
        np.testing.assert_allclose(h["loss"], np.minimum.accumulate(h["loss"]), rtol=1e-12)

    def assert_column_sums_conserved(self, run):
        """THEORY.md 7.2."""
        first, *others = [parameters(path)["A"].sum(axis=0) for path in checkpoints(run)]
        self.assertGreater(len(others), 2)
        for sums in others:
            np.testing.assert_allclose(sums, first, rtol=0, atol=1e-10)

    def test_digits(self):
        run = self.train(*WHITENED_DIGITS, "-time", 6, "-checkpoint_every", 20, "-checkpoint_keep", 0, ranks=2)
        h = history(run)
        self.assert_bounds_hold(h)
        self.assertLess(h["loss_excess"][-1], 1e-8 * h["loss_excess"][0])
        self.assertLess(h["loss_excess"][-1], min(h["bound"][-1], h["bound_integrated"][-1]))
        self.assertGreater(h["test_accuracy"][-1], 0.9)
        self.assertGreaterEqual(h["kappa_measured"].min(), h["kappa"][0] * (1 - 1e-9))
        self.assert_column_sums_conserved(run)

    def test_diabetes(self):
        run = self.train("-data", DIABETES, "-features", "whiten", "-time", 1, "-checkpoint_every", 5,
                         "-checkpoint_keep", 0)
        h = history(run)
        self.assert_bounds_hold(h)
        self.assertLess(h["loss_excess"][-1], h["loss_excess"][0] / 20)
        self.assert_column_sums_conserved(run)

    def test_the_last_step_is_recorded_and_audited(self):
        options = ["-data", self.regression, "-features", "whiten", "-steps", 10]
        descent = ["-dynamics", "descent", "-step_size", 0.01, "-time", 100]
        ways = {"flow": [], "descent": descent, "minimise": ["-dynamics", "minimise"],
                "minibatches": [*descent, "-objective", "equilibrium", "-batch", 9]}
        for ranks, (name, way) in enumerate(ways.items(), 1):
            with self.subTest(name):
                every = history(self.train(*options, *way, "-audit_every", 1, ranks=ranks))
                h = history(self.train(*options, *way, "-audit_every", 4, ranks=ranks))
                np.testing.assert_array_equal(h["step"], [0, 4, 8, 10])
                for column in ("t", "grad_norm", "test_loss", "loss_excess", "lambda_min", "kappa_measured"):
                    np.testing.assert_allclose(h[column][-1], every[column][-1], rtol=1e-7, err_msg=column)
                self.assertEqual(np.isfinite(h["bound"]).all(), name in ("flow", "descent"))
                if name == "minibatches":  # means over the steps since the previous row
                    np.testing.assert_allclose(h["loss"][-1], every["loss"][9:].mean(), rtol=1e-12)

    def test_a_run_that_is_made_longer_has_no_row_of_its_former_end(self):
        for ranks, way in ((1, []), (3, ["-objective", "equilibrium", "-dynamics", "descent", "-step_size", 0.01, "-batch", 9])):
            options = ["-data", self.regression, "-audit_every", 4, "-checkpoint_every", 2, "-time", 100, *way]
            straight = self.train(*options, "-steps", 13, ranks=ranks)
            self.assertEqual(list(history(straight)["step"]), [0, 4, 8, 12, 13])
            run = self.train(*options, "-steps", 6, ranks=ranks)
            self.assertEqual(list(history(run)["step"]), [0, 4, 6])
            ended = self.copy_run(run)
            self.train("-resume", "-steps", 13, ranks=ranks, run=run)
            self.assert_same_history(straight, run)
            self.train("-resume", ranks=ranks, run=ended)  # no step is left
            self.assertEqual(list(history(ended)["step"]), [0, 4, 6])

    def test_losses_without_a_global_constant(self):
        for loss in ("logistic", "cross_entropy"):
            h = history(self.train("-data", self.data[loss], "-loss", loss, "-features", "whiten", "-time", 3, ranks=2))
            self.assertTrue(np.isnan(h["kappa"]).all() and np.isnan(h["loss_excess"]).all())
            self.assert_bounds_hold(h)
            self.assertLess(h["bound_integrated"][-1], 0.9 * h["loss"][0])  # the bound is not trivial

    def test_a_descent_that_overshoots_is_caught(self):
        for ranks in (1, 2):
            run = self.new_run()
            done = train(*WHITENED_DIGITS, "-dynamics", "descent", "-step_size", 0.5, "-time", 10, "-run", run,
                         ranks=ranks)
            self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
            h = history(run)
            self.assertGreater(h["loss"][-1], h["loss"][-2])  # the loss rose
            self.assertGreater(h["loss_excess"][-1], h["bound"][-1])  # the history has the row that violates the bound
            step, t = int(h["step"][-1]), h["t"][-1]
            where = f"at t = {t:g} (step {step})"
            self.assertIn("verdict: Theorem 1 is violated at 1 of", done.stdout)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            for word in ("violated", where, "above the bound", "off by", "-step_size"):
                self.assertIn(word, done.stderr)
            self.assertEqual(len(checkpoints(run)), 2)  # the start and the end

    def test_a_step_that_overflows_to_infinity(self):
        for audit in ("true", "false"):
            run = self.new_run()
            done = train("-data", self.regression, "-dynamics", "descent", "-step_size", 1e200, "-time", 1e201,
                         "-audit", audit, "-run", run, ranks=3)
            self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            self.assertIn("step", done.stderr)
            self.assertGreaterEqual(len(history(run)["t"]), 1)

    def test_a_failed_solve_is_an_error(self):
        for ranks in (1, 3):
            for options in (["-objective", "collapsed", "-collapsed_ksp_max_it", 1], ["-objective", "equilibrium", "-adj_ladder", "false", "-adj_ksp_type", "gmres",
                             "-adj_ksp_max_it", 1],
                            ["-spec_eps_max_it", 1, "-spec_eps_ncv", 2, "-spec_eps_tol", 1e-14]):
                done = train("-data", self.regression, *options, "-run", self.new_run(), ranks=ranks)
                self.assertEqual(done.returncode, FAILED, f"{options}: {done.stdout}{done.stderr}")
                self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
                self.assertIn(str(options[-2])[1:5], done.stderr)  # the prefix

    def test_a_run_directory_that_cannot_be_made(self):
        below = self.path("a_file")
        with open(below, "w", encoding="utf-8"):
            pass
        for ranks in (1, 3):
            done = train("-data", self.regression, "-run", below + "/run", ranks=ranks)
            self.assertEqual(done.returncode, FAILED, done.stderr)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            self.assertIn(below, done.stderr)


class Files(TrainingTest):
    def check(self, run, data, settings):
        h = history(run)
        newest = checkpoints(run)[-1]
        with h5py.File(data, "r") as file:
            x, y = file["features"][:].astype(float), file["targets"][:]
        with h5py.File(newest, "r") as file:
            shift, scale = file["targets/shift"][:], file["targets"].attrs["scale"]
        y_scaled = (y - shift) / scale
        phi = features(newest, x)
        m = phi.shape[1]
        theta = parameters(newest)
        self.assertEqual((theta["A"].shape, theta["B"].shape), ((m, m), (y.shape[1], m)))
        u = np.eye(m) - 0.7 * softmax_of_columns(theta["A"])
        w = np.linalg.solve(u.T, theta["B"].T).T
        loss = np.sum((phi @ w.T * scale + shift - y) ** 2) / len(y)
        self.assertAlmostEqual(loss, h["loss"][-1], delta=1e-10 * loss)
        singular = np.linalg.svd(phi, compute_uv=False)
        self.assertAlmostEqual(4 / len(y) * singular[-1] ** 2, h["kappa"][0], delta=1e-9 * h["kappa"][0])
        optimum = np.linalg.lstsq(phi, y_scaled, rcond=None)[0]
        least = np.sum((phi @ optimum * scale + shift - y) ** 2) / len(y)
        self.assertAlmostEqual(loss - least, h["loss_excess"][-1], delta=1e-10 * loss)
        with h5py.File(newest, "r") as file:
            self.assertEqual(text(file.attrs["schema"]), "poise-checkpoint-1")
            self.assertEqual((file["state"].attrs["step"], file["state"].attrs["t"], file["state"].attrs["seed"]),
                             (h["step"][-1], h["t"][-1], 5))
            for group in ("config", "dynamics"):
                self.assertIn(group, file)
            for name, value in settings.items():
                self.assertEqual(text(file["config"].attrs[name]), value)
        with h5py.File(os.path.join(run, "run.h5"), "r") as file:
            self.assertEqual(text(file.attrs["schema"]), "poise-run-1")
            for name in ("version", "git", "petsc", "slepc", "hdf5", "mpi", "ranks", "grid", "host", "started"):
                self.assertIn(name, file.attrs)
            self.assertEqual((file.attrs["ranks"], text(file.attrs["grid"])), (4, "2x2"))
            self.assertTrue(h5py.h5ds.is_scale(file["history/t"].id))
            self.assertEqual(file["history/loss"].dims[0][0].name, "/history/t")
            for name, value in settings.items():
                self.assertEqual(text(file["config"].attrs[name]), value)

    def test_a_reader_can_apply_a_checkpoint(self):
        for kind in ("whiten", "identity"):
            settings = {"gamma": 0.7, "features": kind, "data": self.regression, "seed": 5}
            options = [word for name, value in settings.items() for word in ("-" + name, value)]
            run = self.train(*options, "-time", 0.3, "-grid_feature_ranks", 2, ranks=4)
            self.check(run, self.regression, settings)

    def test_the_options_file_repeats_the_run(self):
        run = self.train("-data", self.regression, "-gamma", 0.6, "-flow_ts_rk_type", "5dp", "-time", 0.2, "-seed", 3)
        again = self.train("-options_file", os.path.join(run, "options.txt"))
        self.assert_same_history(run, again)
        third = self.train("-options_file", os.path.join(again, "options.txt"))
        self.assert_same_history(run, third)


if __name__ == "__main__":
    unittest.main()
