"""run.h5 has for every attempt the user, host, options and outcome, and the cost of checkpoints."""

import getpass
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

import h5py
import numpy as np

from training import (ENVIRONMENT, FAILED, REQUEUE, SOURCE, TRAIN, TrainingTest, ask_to_stop, attempts, attributes, checkpoints,
                      command, history, patience, train)

PLOT = os.path.join(SOURCE, "apps", "plot_run.py")
DESCENT = ["-features", "whiten", "-dynamics", "descent", "-step_size", 1e-6, "-time", 1e9]
SLURM = {"SLURM_JOB_ID": "4711", "SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3",
         "SLURM_JOB_PARTITION": "spare", "SLURM_CLUSTER_NAME": "alpha", "SLURM_JOB_ACCOUNT": "theory",
         "SLURM_JOB_NODELIST": "n[0-1]"}


def option_lines(attempt):
    return set(attempt["options"].splitlines())


class Meaning(TrainingTest):
    def test_every_column_says_what_it_means_and_stays_in_its_range(self):
        for options in (["-data", self.regression, "-time", 0.5],
                        ["-data", self.classes, "-loss", "cross_entropy", "-dynamics", "descent", "-step_size", 0.02, "-steps", 4,
                         "-batch", 15, "-jacobian_weight", 0.1, "-model", "pointwise", "-width", 9, "-gradient_check", 1]):
            run = self.train(*options, ranks=2)
            with h5py.File(os.path.join(run, "run.h5"), "r") as file:
                for name, column in file["history"].items():
                    with self.subTest(options=options, column=name):
                        self.assertTrue(column.attrs["long_name"])
                        self.assertEqual(column.attrs["units"], "s" if name == "wall_seconds" else "1")
                        measured = column[:][~np.isnan(column[:])]
                        self.assertTrue((measured >= column.attrs.get("valid_min", -np.inf)).all())
                        self.assertTrue((measured <= column.attrs.get("valid_max", np.inf)).all())

    def test_the_run_says_its_optimum_its_solvers_and_its_verdict(self):
        run = self.train("-data", self.regression, "-time", 0.5, ranks=2)
        found, last = attributes(run), {name: values[-1] for name, values in history(run).items()}
        self.assertAlmostEqual(found["optimal_loss"], last["loss"] - last["loss_excess"], delta=1e-12 * last["loss"])
        self.assertEqual((found["kappa"], found["lambda_floor"]), (last["kappa"], last["lambda_floor"]))
        self.assertEqual(found["feature_rank"], found["m"])
        self.assertEqual((found["equilibrium_solver"], found["adjoint_solver"]), ("SNES meanfield", "KSP meanfield"))
        self.assertEqual(found["verdict"], attempts(run)[-1]["verdict"])
        self.assertGreaterEqual(found["tightness"], 1 - 1e-9)
        run = self.train("-data", self.regression, "-objective", "feedforward", "-depth", 2, "-width", 8, "-dynamics", "descent",
                         "-step_size", 0.02, "-steps", 2)
        self.assertFalse({"optimal_loss", "verdict", "equilibrium_solver"} & set(attributes(run)))


class Attempts(TrainingTest):
    def under_way(self, process, run, newest):
        """Waits until a checkpoint later than `newest` is there."""
        deadline = time.monotonic() + patience(60)
        while time.monotonic() < deadline:
            self.assertIsNone(process.poll())
            if os.path.isdir(run + "/checkpoints") and checkpoints(run) and checkpoints(run)[-1] > newest:
                return
            time.sleep(0.02)
        self.fail("no checkpoint")

    def start(self, words, environment=None):
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**ENVIRONMENT, **(environment or {})})

    def test_three_attempts_of_which_one_is_killed_and_one_is_stopped(self):
        run = self.new_run()
        first_step = os.path.join(run, "checkpoints", "step-00000000.h5")
        options = ["-data", self.regression, *DESCENT, "-checkpoint_every", 20, "-run", run]
        process = self.start([TRAIN, *map(str, options)], SLURM)  # without mpiexec, to kill the rank itself
        self.under_way(process, run, first_step)
        process.kill()
        process.communicate()
        killed, = attempts(run)
        self.check_killed(killed, run)

        newest = checkpoints(run)[-1]
        process = self.start(command(["-run", run, "-resume", "-checkpoint_keep", 5], 2))
        self.under_way(process, run, newest)
        ask_to_stop(process)
        output, _ = process.communicate(timeout=patience(60))
        self.assertEqual(process.returncode, REQUEUE, output)
        self.assertEqual(attempts(run)[0], killed)
        stopped = attempts(run)[1]
        self.check_stopped(stopped)

        self.train("-resume", "-steps", stopped["last_step"] + 30, ranks=3, run=run)
        self.assertEqual(attempts(run)[:2], [killed, stopped])
        self.check_done(attempts(run)[2], stopped["last_step"], run)
        self.check_listing(run)

    def check_killed(self, attempt, run):
        self.assertEqual((attempt["state"], attempt["reason"]), ("running", ""))
        self.assertEqual((attempt["ranks"], attempt["grid"], attempt["nodes"]), (1, "1x1", 1))
        self.assertEqual(attempt["hosts"], socket.gethostname())
        self.assertEqual(attempt["user"], getpass.getuser())
        self.assertEqual(attempt["working_directory"], os.getcwd())
        self.assertTrue(attempt["command"].startswith(f"{TRAIN} -data {self.regression} -features whiten "))
        self.assertTrue(attempt["command"].endswith(f" -run {run}"))
        self.assertIn("-step_size 1e-06", attempt["petsc_options"])
        for name, value in {"slurm_job_id": 4711, "slurm_array_job_id": 4700, "slurm_array_task_id": 3,
                            "slurm_restart_count": 0, "slurm_partition": "spare", "slurm_cluster": "alpha",
                            "slurm_account": "theory", "slurm_nodes": "n[0-1]"}.items():
            self.assertEqual(attempt[name], value, name)
        for name in ("version", "git", "petsc", "slepc", "hdf5", "mpi", "blas", "compiler", "compiler_flags",
                     "processor"):
            self.assertTrue(attempt[name], name)
        if attempt["git"] != "unknown":
            self.assertEqual(attempt["git_dirty"], int(attempt["git"].endswith("-dirty")))
        self.assertRegex(attempt["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertLessEqual(attempt["started"], attempt["ended"])
        # All options, also defaults.
        self.assertLessEqual({f"-data {self.regression}", "-gamma 0.8", "-checkpoint_every 20"}, option_lines(attempt))
        self.assertEqual(attempt["first_step"], 0)

    def check_stopped(self, attempt):
        self.assertEqual((attempt["state"], attempt["reason"]), ("stopped", "a signal"))
        self.assertEqual((attempt["ranks"], attempt["grid"], attempt["nodes"]), (2, "1x2", 1))
        self.assertEqual(option_lines(attempt), {"-resume true", "-checkpoint_keep 5"})
        self.assertEqual([name for name in attempt if name.startswith("slurm")], [])
        self.assertEqual(attempt["first_step"] % 20, 0)
        self.assertGreater(attempt["last_step"], attempt["first_step"])
        # Every scheduled checkpoint after the first step, and one at the stop.
        scheduled = attempt["last_step"] // 20 - attempt["first_step"] // 20
        self.assertEqual(attempt["checkpoints"], scheduled + (attempt["last_step"] % 20 > 0))
        self.assertEqual(attempt["checkpoints_left_out"], 0)

    def check_done(self, attempt, before, run):
        self.assertEqual((attempt["state"], attempt["reason"]), ("done", "reached the last step"))
        self.assertEqual((attempt["first_step"], attempt["last_step"]), (before, before + 30))
        self.assertEqual((attempt["ranks"], attempt["nodes"]), (3, 1))
        self.assertEqual(option_lines(attempt), {f"-steps {before + 30}"})
        with h5py.File(os.path.join(run, "run.h5"), "r") as file:  # the root has the last attempt
            self.assertEqual((file.attrs["ranks"], file.attrs["started"]), (3, attempt["started"]))

    def check_listing(self, run):
        done = subprocess.run([sys.executable, PLOT, run, "--attempts"], capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn("3 attempts", lines[0])
        for line, words in zip(lines[2:], (("killed", "SLURM job 4711"), ("stopped", "a signal"), ("done", "last step"))):
            for word in words:
                self.assertIn(word, line)

    def test_a_run_that_fails_says_why(self):
        run = self.train("-data", self.regression, "-dynamics", "descent", "-step_size", 0.5, "-time", 20, ranks=2,
                         code=FAILED)
        attempt, = attempts(run)
        self.assertEqual(attempt["state"], "failed")
        self.assertIn("bound", attempt["reason"])
        self.assertEqual(attempt["last_step"], history(run)["step"][-1])

    def test_a_refused_resume_is_no_attempt(self):
        run = self.train("-data", self.regression, *DESCENT, "-steps", 2)
        before = attempts(run)
        self.train("-resume", "-gamma", 0.123, run=run, code=2)
        self.assertEqual(attempts(run), before)


class Cost(TrainingTest):
    # A step with a hundred parameters is far faster than a checkpoint, which waits for the disk.
    OPTIONS = ["-features", "random_relu", "-features_width", 10, "-objective", "equilibrium", "-dynamics", "descent",
               "-step_size", 1e-4, "-steps", 250, "-audit", "false", "-audit_every", 10, "-checkpoint_keep", 0]

    def steps(self, run):
        return [int(path[-11:-3]) for path in checkpoints(run)]

    def test_checkpoints_are_left_out_where_they_cost_too_much_and_nothing_else_changes(self):
        options = ["-data", self.regression, *self.OPTIONS]
        every = self.train(*options, "-checkpoint_every", 100, ranks=2)
        self.assertEqual(self.steps(every), [0, 100, 200, 250])
        run = self.new_run()
        done = train(*options, "-run", run, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_history(every, run)
        self.assert_same_parameters(every, run)
        attempt, = attempts(run)
        self.assertEqual(attempt["checkpoints"], len(self.steps(run)))
        self.assertEqual(attempt["checkpoints"] + attempt["checkpoints_left_out"], 4)
        self.assertEqual((self.steps(run)[0], self.steps(run)[-1]), (0, 250))
        self.assertGreaterEqual(attempt["checkpoints_left_out"], 1)
        self.check_report(done.stdout, attempt)
        # Results do not depend on which checkpoints are left out: resumed from the start, the run takes the same steps.
        for path in checkpoints(run)[1:]:
            os.remove(path)
        self.train("-resume", ranks=2, run=run)
        self.assert_same_history(every, run)
        self.assert_same_parameters(every, run)

    def check_report(self, output, attempt):
        found = re.search(r"^(\d+) checkpoints in [\d.]+s, ([\d.]+) % of the time, (\d+) left out$", output, re.MULTILINE)
        self.assertIsNotNone(found, output)
        self.assertEqual((int(found[1]), int(found[3])), (attempt["checkpoints"], attempt["checkpoints_left_out"]))
        self.assertAlmostEqual(float(found[2]), 100 * attempt["checkpoint_seconds"] / attempt["seconds"], delta=2)


if __name__ == "__main__":
    unittest.main()
