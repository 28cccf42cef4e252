"""Real data through poise-train: different units, offsets, uneven classes, verdicts that must be "not verified"."""

import json
import os
import shutil
import subprocess
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DONE, ENVIRONMENT, MPIEXEC, NOT_VERIFIED, TRAIN, RefusalTest, attempts, checkpoints,
                      history, patience, train)

AUDIT = os.environ.get("POISE_AUDIT", os.path.join(os.path.dirname(TRAIN), "poise-audit"))


class RealData(RefusalTest):
    def changed(self, data, change):
        """A copy of a data file after `change`."""
        type(self).count += 1
        path = self.path(f"changed{self.count}.h5")
        shutil.copy(data, path)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    def test_the_unit_of_an_input_changes_nothing(self):
        def change(file):
            for name in ("features", "test_features"):
                x = file[name][:].astype(float)
                del file[name]
                file[name] = x * 10.0 ** np.array([-9, -3, 0, 3, 6, 12]) + np.array([0, 0, 5, 0, 1e9, 0])

        options = ["-features", "whiten", "-time", 0.5]
        for ranks in (1, 3):
            plain = history(self.train("-data", self.regression, *options, ranks=ranks))
            other = history(self.train("-data", self.changed(self.regression, change), *options, ranks=ranks))
            for name in ("loss", "test_loss"):
                np.testing.assert_allclose(other[name], plain[name], rtol=1e-6, err_msg=name)

    def test_the_unit_and_the_offset_of_the_targets_change_the_unit_of_the_loss_alone(self):
        unit, offset = 1e3, 1e6

        def change(file):
            for name in ("targets", "test_targets"):
                file[name][...] = unit * file[name][:] + offset

        options = ["-features", "whiten", "-time", 0.5]
        for ranks in (1, 2):
            plain = history(self.train("-data", self.regression, *options, ranks=ranks))
            run = self.train("-data", self.changed(self.regression, change), *options, ranks=ranks)
            other = history(run)
            np.testing.assert_allclose(other["t"], plain["t"], rtol=1e-6)
            for name in ("loss", "test_loss", "loss_excess"):
                scale = np.abs(plain[name]).max()
                np.testing.assert_allclose(other[name] / unit**2, plain[name], rtol=0, atol=1e-6 * scale, err_msg=name)
            with h5py.File(checkpoints(run)[-1], "r") as file:
                self.assertTrue((np.abs(file["targets/shift"][:] - offset) < 10 * unit).all())

    def test_class_weights_move_the_decision_to_the_rare_class(self):
        def unbalance(file):
            x, labels, classes = file["features"][:], file["labels"][:], file["labels"].attrs["classes"]
            keep = np.sort(np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:4]]))
            for name, values in (("features", x[keep]), ("labels", labels[keep])):
                del file[name]
                file[name] = values
            file["labels"].attrs["classes"] = classes

        data = self.changed(self.binary, unbalance)
        with h5py.File(data, "r") as file:
            counts = np.bincount(file["labels"][:])
        balanced = counts.sum() / (len(counts) * counts)
        options = ["-loss", "cross_entropy", "-features", "whiten", "-dynamics", "descent", "-step_size", 0.1, "-steps", 20]
        runs = {}
        for name in ("none", "balanced", ",".join(f"{w:.17g}" for w in balanced)):
            for ranks in (1, 2):
                runs[name, ranks] = self.train("-data", data, *options, "-class_weight", name, ranks=ranks)
        names = list(dict.fromkeys(name for name, _ in runs))
        self.assert_same_history(runs[names[1], 1], runs[names[1], 2], 1e-10)
        self.assert_same_history(runs[names[1], 1], runs[names[2], 1], 1e-12)
        self.assertNotEqual(history(runs[names[0], 1])["loss"][-1], history(runs[names[1], 1])["loss"][-1])

    def test_wrong_class_weights_are_refused(self):
        self.refuse("-class_weight", "balanced", words=["-class_weight", "/targets"])
        for value in ("1,2", "1,2,0", "heavy"):
            self.refuse("-loss", "cross_entropy", "-class_weight", value, data=self.classes, words=["-class_weight", value],
                        ranks=(1,))

    def test_a_bound_that_only_the_integration_error_saves_is_not_verified(self):
        run = self.train("-data", self.regression, "-features", "whiten", "-time", 20, "-flow_ts_rtol", 1e-3,
                         "-flow_ts_atol", 1e-3, "-checkpoint_every", 50, "-checkpoint_keep", 0, code=NOT_VERIFIED)
        with open(os.path.join(run, "DONE"), encoding="utf-8") as file:
            self.assertIn("verdict: not verified", file.read())
        verdict = self.path("verdict.json")
        done = subprocess.run([MPIEXEC, "-n", "1", AUDIT, "-run", run, "-json", verdict], capture_output=True, text=True,
                              timeout=patience(100), env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, NOT_VERIFIED, done.stdout + done.stderr)
        with open(verdict, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["outcome"], "not verified")

    def test_small_targets_are_followed_without_being_scaled(self):
        def change(file):
            for name in ("targets", "test_targets"):
                file[name][...] = 1e-12 * file[name][:]

        small = self.changed(self.regression, change)
        options = ["-features", "whiten", "-time", 4]
        plain = history(self.train("-data", self.regression, "-scale_targets", "false", *options))
        for ranks in (1, 3):
            run = self.train("-data", small, "-scale_targets", "false", "-init_scale_b", 1e-12, *options, ranks=ranks)
            self.assertLess(history(run)["loss_excess"][-1], 1.01e-24 * plain["loss_excess"][0])
            self.assertEqual(attempts(run)[-1]["verdict"], "held")
        part = self.train("-data", small, "-scale_targets", "false", "-init_scale_b", 1e-12, *options, "-steps", 20)
        self.train("-resume", "-steps", 10**6, run=part)
        straight = self.train("-data", small, "-scale_targets", "false", "-init_scale_b", 1e-12, *options)
        self.assert_same_history(straight, part)

    def test_a_resume_to_an_earlier_end_leaves_the_run_as_it_is(self):
        run = self.train("-data", self.regression, "-features", "whiten", "-time", 0.3)
        before = history(run)
        done = train("-resume", "-time", 0.1, "-run", run)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("nothing to do", done.stdout)
        np.testing.assert_array_equal(history(run)["step"], before["step"])

    def test_data_that_changed_under_a_run_are_refused(self):
        run = self.train("-data", self.regression, "-features", "whiten", "-time", 0.2)

        def change(file):
            file["targets"][3] += 1e-3

        done = train("-resume", "-time", 0.3, "-data", self.changed(self.regression, change), "-run", run, ranks=2)
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
        self.assertIn("differ from the samples that the run", done.stderr)

    def test_gamma_next_to_one_runs_and_says_how_many_digits_are_left(self):
        for gamma in (0.9995, 1 - 1e-6):
            done = train("-data", self.regression, "-features", "whiten", "-gamma", gamma, "-steps", 5, "-run",
                         self.new_run())
            self.assertIn(done.returncode, (DONE, NOT_VERIFIED), done.stdout + done.stderr)
            self.assertEqual("  digits " in done.stdout, gamma > 0.9999)

    def test_a_long_history_is_thinned_and_the_audit_reads_it(self):
        options = ["-data", self.regression, "-features", "whiten", "-dynamics", "descent", "-step_size", 1e-3,
                   "-checkpoint_every", 4000]
        straight = self.train(*options, "-steps", 9001)
        steps = history(straight)["step"]
        np.testing.assert_array_equal(steps, [*range(0, 9001, 2), 9001])
        resumed = self.train(*options, "-steps", 8150)
        self.train("-resume", "-steps", 9001, run=resumed)
        self.assert_same_history(straight, resumed)
        done = subprocess.run([MPIEXEC, "-n", "1", AUDIT, "-run", straight, "-replay_steps", "20"], capture_output=True,
                              text=True, timeout=patience(100), env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, DONE, done.stdout + done.stderr)
        every = self.train(*options, "-steps", 100, "-record_every", 30)
        np.testing.assert_array_equal(history(every)["step"], [0, 30, 60, 90, 100])
        both = [history(run) for run in (self.train(*options, "-steps", 100), every)]
        for name in ("lambda_T", "bound", "loss"):  # the audit keeps its results of the steps between the rows
            np.testing.assert_array_equal(both[1][name], both[0][name][[0, 30, 60, 90, 100]], name)

    def test_a_run_that_ends_at_its_last_step_says_that_its_time_is_not_over(self):
        options = ["-data", self.regression, "-features", "whiten"]
        for more, says in ((["-time", 5, "-steps", 4], True), (["-steps", 4], False), (["-time", 0.1], False)):
            done = train(*options, *more, "-run", self.new_run())
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertEqual("before the end time 5" in done.stdout, says, done.stdout)

    def test_what_a_batch_leaves_out_is_said_and_can_be_kept(self):
        options = ["-data", self.regression, "-objective", "equilibrium", "-dynamics", "descent", "-step_size", 0.01,
                   "-batch", 15]
        for more, steps, words in (([], 4, "10 samples, different ones each time, are left out"),
                                   (["-batch_remainder", "keep"], 6, "3 per epoch")):
            run = self.new_run()
            done = train(*options, *more, "-epochs", 2, "-run", run)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertIn(words, done.stdout)
            self.assertEqual(history(run)["step"][-1], steps)

    def test_runs_that_start_within_a_second_get_different_directories(self):
        table = self.path("table.txt")
        with open(table, "w", encoding="utf-8") as file:
            file.write("a: -seed 1\n")
        programs = {"poise-train": (["-steps", 1], "run.h5"),
                    "poise-train -ensemble": (["-ensemble", table, "-steps", 1], "ensemble.h5"),
                    "poise-sweep": (["-study", "depth", "-depths", 1, "-time", 0.05], "sweep.h5"),
                    "poise-compare": (["-seeds", 1, "-points", 2, "-time", 0.05], "compare.h5")}
        for program, (options, result) in programs.items():
            folder = self.new_run()
            os.mkdir(folder)
            path = os.path.join(os.path.dirname(TRAIN), program.split()[0])
            words = [MPIEXEC, "-n", "1", path, "-data", self.regression, *map(str, options)]
            started = [subprocess.Popen(words, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE) for _ in range(3)]
            for process in started:
                _, errors = process.communicate(timeout=patience(100))
                self.assertEqual(process.returncode, DONE, errors)
            names = os.listdir(os.path.join(folder, "runs"))
            self.assertEqual(len(names), 3, names)
            for name in names:
                self.assertTrue(os.path.exists(os.path.join(folder, "runs", name, result)), name)

    def test_data_are_found_from_another_folder(self):
        work, elsewhere = self.path("work"), self.path("elsewhere")
        for folder in (work, elsewhere):
            os.mkdir(folder)
        shutil.copy(self.regression, os.path.join(work, "mine.h5"))
        run = self.new_run()
        done = train("-data", "mine.h5", "-steps", 2, "-run", run, directory=work)
        self.assertEqual(done.returncode, DONE, done.stderr)
        done = train("-resume", "-steps", 4, "-run", run, directory=elsewhere)
        self.assertEqual(done.returncode, DONE, done.stderr)
        done = train("-data", "mine.h5", "-run", self.new_run(), directory=elsewhere)
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
        self.assertIn(f"'mine.h5' does not exist, looked for from {elsewhere}", done.stderr)
        os.rename(os.path.join(work, "mine.h5"), os.path.join(elsewhere, "moved.h5"))
        done = train("-resume", "-steps", 6, "-run", run, directory=work)
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
        self.assertIn(f"the run was made with {work}/mine.h5; if the file has moved, give -data FILE", done.stderr)
        done = train("-resume", "-steps", 6, "-run", run, "-data", os.path.join(elsewhere, "moved.h5"), directory=work)
        self.assertEqual(done.returncode, DONE, done.stderr)

    def test_the_version_is_shown(self):
        for ranks in (1, 2):
            done = train("-version", ranks=ranks)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertRegex(done.stdout, r"\APoise \d+\.\d+\.\d+ .*PETSc \d.*\n\Z")


if __name__ == "__main__":
    unittest.main()
