"""A run that was interrupted and resumed equals an uninterrupted run: bit by bit on the same ranks and grid, to rounding on
different ones."""

import itertools
import os
import shutil
import signal
import subprocess
import time
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DONE, ENVIRONMENT, MPIEXEC, REQUEUE, SOURCE, TRAIN, WORK, TrainingTest, ask_to_stop, checkpoints, command,
                      history, patience, train)

# Same seed, same times, sums in a different order: largest difference seen 1e-13.
ROUNDING = 1e-12

EVERY = 3  # steps between scheduled checkpoints

DYNAMICS = {
    "flow 5f": ["-dynamics", "flow", "-time", 0.5],
    "flow 5dp": ["-dynamics", "flow", "-time", 0.5, "-flow_ts_rk_type", "5dp"],
    "descent": ["-dynamics", "descent", "-time", 0.12, "-step_size", 0.01],
}
OBJECTIVES = ["collapsed", "equilibrium"]
# (ranks, feature ranks) before and after.
GRIDS = [((1, 1), (3, 1)), ((2, 1), (4, 2)), ((4, 2), (1, 1)), ((3, 3), (2, 1)), ((1, 1), (4, 4)), ((2, 2), (3, 1))]


class Resume(TrainingTest):
    def settings(self, loss, objective, dynamics):
        return ["-data", self.data[loss], "-loss", loss, "-features", "whiten", "-objective", objective,
                *DYNAMICS[dynamics], "-checkpoint_every", EVERY]

    def check(self, options, before, after):
        (ranks, features), (other_ranks, other_features) = before, after
        grid = ["-grid_feature_ranks", features]
        straight = self.train(*options, *grid, ranks=ranks)
        rows = len(history(straight)["step"])
        self.assertGreater(rows, 6)
        cut = rows // 2
        if "equilibrium" in options:  # warm starts: exact only from scheduled checkpoints, see apps/README.md
            cut -= cut % EVERY
        part = self.train(*options, *grid, "-steps", cut, ranks=ranks)
        self.assertEqual(len(history(part)["step"]), cut + 1)  # the stopped run is shorter

        same, other = self.copy_run(part), self.copy_run(part)
        self.train("-resume", "-steps", 10**6, *grid, ranks=ranks, run=same)
        self.assert_same_history(straight, same)
        self.assert_same_parameters(straight, same)
        self.train("-resume", "-steps", 10**6, "-grid_feature_ranks", other_features, ranks=other_ranks, run=other)
        self.assert_same_history(straight, other, ROUNDING, WORK)
        self.assert_same_parameters(straight, other, ROUNDING)

    def test_resumed_runs_equal_straight_ones(self):
        grids = itertools.cycle(GRIDS)
        # Every pair of loss and dynamics; every loss and every dynamics with both objectives.
        for (i, loss), (j, dynamics) in itertools.product(enumerate(self.data), enumerate(DYNAMICS)):
            objective = OBJECTIVES[(i + j) % 2]
            before, after = next(grids)
            with self.subTest(loss=loss, objective=objective, dynamics=dynamics, grids=(before, after)):
                self.check(self.settings(loss, objective, dynamics), before, after)

    def test_options_of_petsc_that_only_print_belong_to_one_attempt(self):
        options = ["-data", self.regression, "-dynamics", "descent", "-step_size", 0.01]
        straight = self.train(*options, "-steps", 4)
        run = self.train(*options, "-steps", 2, "-log_view", ":" + self.path("log"), "-malloc_dump", "false")
        self.train("-resume", "-steps", 4, run=run)
        self.assert_same_history(straight, run)

    def test_a_run_stopped_by_a_signal_goes_on(self):
        options = ["-data", self.regression, "-features", "whiten", "-dynamics", "descent", "-step_size", 1e-3,
                   "-time", 1.5, "-checkpoint_every", 50]
        straight = self.train(*options, ranks=2)
        run = self.new_run()
        process = subprocess.Popen(command([*options, "-run", run], 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=ENVIRONMENT)
        deadline = time.monotonic() + patience(60)
        while not (os.path.isdir(run + "/checkpoints") and checkpoints(run)) and time.monotonic() < deadline:
            time.sleep(0.01)
        ask_to_stop(process)
        output, errors = process.communicate(timeout=patience(60))
        self.assertEqual(process.returncode, REQUEUE, output + errors)
        stopped = history(run)["step"]
        self.assertLess(len(stopped), len(history(straight)["step"]))  # the stopped run is shorter
        self.assertTrue(checkpoints(run)[-1].endswith(f"step-{int(stopped[-1]):08d}.h5"))

        other = self.copy_run(run)
        self.train("-resume", ranks=2, run=run)
        self.assert_same_history(straight, run)
        self.assert_same_parameters(straight, run)
        self.train("-resume", ranks=3, run=other)
        self.assert_same_history(straight, other, ROUNDING, WORK)

    def test_fixed_steps_keep_their_size_when_a_run_is_made_longer(self):
        options = ["-data", self.regression, "-flow_ts_adapt_type", "none", "-flow_ts_dt", 0.03]
        run = self.train(*options, "-time", 0.1)
        self.train("-resume", "-time", 0.2, run=run)
        np.testing.assert_allclose(history(run)["t"], [0, 0.03, 0.06, 0.08, 0.1, 0.13, 0.16, 0.18, 0.2])

    def test_a_resumed_flow_counts_no_gradient_twice(self):
        def gradients(run):
            with h5py.File(checkpoints(run)[-1], "r") as file:
                return file["state"].attrs["gradients"]

        for objective in OBJECTIVES:
            options = ["-data", self.regression, "-objective", objective, "-time", 1e9, "-features", "whiten"]
            run = self.train(*options, "-steps", 4)
            for steps in (8, 12):
                self.train("-resume", "-steps", steps, run=run)
            self.assertEqual(gradients(run), gradients(self.train(*options, "-steps", 12)))

    def test_a_schedule_that_goes_down_to_the_end_keeps_its_end(self):
        for schedule in ("cosine", "linear"):
            run = self.train("-data", self.regression, "-dynamics", "descent", "-step_size", 0.01, "-time", 1e9, "-steps", 4,
                             "-schedule", schedule)
            done = train("-resume", "-steps", 8, "-run", run)
            self.assertEqual(done.returncode, BAD_INPUT)
            self.assertIn("-steps is 8 but the run was made with 4", done.stderr)

    def test_a_run_knows_its_data_by_their_content(self):
        moved, changed = self.path("moved.h5"), self.path("changed.h5")
        options = ["-features", "identity", "-dynamics", "descent", "-step_size", 0.01, "-time", 1, "-audit", "false"]
        for ranks, grid in ((1, 1), (4, 2)):
            shutil.copy(self.regression, moved)
            straight = self.train("-data", self.regression, *options, "-steps", 6, ranks=ranks)
            run = self.train("-data", moved, *options, "-steps", 3, "-grid_feature_ranks", grid, ranks=ranks)
            os.rename(moved, changed)
            self.train("-resume", "-steps", 5, run=run, code=BAD_INPUT)  # the run is missing
            self.train("-resume", "-data", changed, "-steps", 4, ranks=3, run=run)
            with h5py.File(changed, "r+") as file:
                features, test = file["features"][:], file["test_targets"][:]
                file["features"][:2] = features[[1, 0]]
            done = train("-resume", "-steps", 6, "-run", run, ranks=2)
            self.assertEqual(done.returncode, BAD_INPUT)
            self.assertIn("differ from the samples that the run", done.stderr)
            with h5py.File(changed, "r+") as file:
                file["features"][:], file["test_targets"][0] = features, test[0] + 1
            self.train("-resume", "-steps", 6, run=run, code=BAD_INPUT)
            with h5py.File(changed, "r+") as file:
                file["test_targets"][:] = test
            self.train("-resume", "-steps", 6, run=run)
            self.assert_same_history(straight, run, ROUNDING, WORK)
            os.remove(changed)

    def test_a_closed_terminal_and_a_limit_of_processor_time_stop_a_run(self):
        for number in (signal.SIGHUP, signal.SIGXCPU):
            run = self.new_run()
            process = subprocess.Popen([TRAIN, "-data", self.regression, "-dynamics", "descent", "-step_size", "1e-9", "-time", "1",
                                        "-run", run], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            deadline = time.monotonic() + patience(60)
            while not (os.path.isdir(run + "/checkpoints") and checkpoints(run)) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(number)
            output, errors = process.communicate(timeout=patience(60))
            self.assertEqual(process.returncode, REQUEUE, output + errors)

    def test_a_finished_run_goes_on_to_a_later_time_and_remembers_it(self):
        options = ["-data", self.regression, "-dynamics", "descent", "-step_size", 0.01]
        run = self.train(*options, "-time", 0.1)
        before = history(run)
        self.train("-resume", "-time", 0.2, run=run)
        after = history(run)
        self.assertEqual((len(before["t"]), len(after["t"])), (11, 21))
        self.assert_same_history(self.train(*options, "-time", 0.2), run)
        # A job that is requeued with -resume alone must keep the later end time.
        self.train("-resume", run=run, code=DONE)
        self.assertEqual(len(history(run)["t"]), 21)
        with open(os.path.join(run, "options.txt"), encoding="utf-8") as file:
            self.assertIn("-time 0.2\n", file.read())

    def test_resuming_a_finished_run_changes_nothing(self):
        run = self.train("-data", self.regression, "-time", 0.2)
        copy = self.copy_run(run)
        self.train("-resume", run=run)
        self.assert_same_history(copy, run, 0.0, {})

    def test_flags_of_solvers_are_part_of_what_repeats_resumes_and_audits_a_run(self):
        for solver, flag in (("eq_newton_ew", "-eq_snes_ksp_ew"), ("eq_composite", "-eq_sub_1_snes_mf")):
            options = ["-data", self.regression, "-model", "pointwise", "-width", 6, "-objective", "equilibrium", "-dynamics",
                       "descent", "-step_size", 0.05, "-time", 1e9, "-warm_start", "false", "-eq_ladder", "false",
                       "-options_file", os.path.join(SOURCE, "petsc_opts", f"{solver}.opts")]
            with self.subTest(solver=solver):
                straight, part = self.train(*options, "-steps", 4), self.train(*options, "-steps", 2)
                with open(os.path.join(straight, "options.txt"), encoding="utf-8") as file:
                    self.assertIn(f"{flag}\n", file.readlines())
                self.train("-resume", "-steps", 4, run=part)
                self.assert_same_history(straight, part)
                self.assert_same_history(straight, self.train("-options_file", os.path.join(straight, "options.txt")))
                audit = [MPIEXEC, "-n", "1", TRAIN.replace("poise-train", "poise-audit"), "-run", straight]
                done = subprocess.run(audit, env=ENVIRONMENT, text=True, capture_output=True, timeout=patience(60),
                                      check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_resumed_run_keeps_its_objective(self):
        for objective in OBJECTIVES:
            options = ["-data", self.regression, "-features", "whiten", "-objective", objective]
            run = self.train(*options, "-time", 0.2)
            self.train("-resume", "-time", 0.4, run=run)
            with h5py.File(os.path.join(run, "run.h5"), "r") as file:
                self.assertEqual(file["config"].attrs["objective"], objective)
            audit = [MPIEXEC, "-n", "1", TRAIN.replace("poise-train", "poise-audit"), "-run", run]
            done = subprocess.run(audit, env=ENVIRONMENT, text=True, capture_output=True, timeout=patience(60), check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            section = "(3)" if objective == "collapsed" else "(3.2)"
            self.assertIn(f"gradient equals central differences of the loss {section}", done.stdout)
            done = train("-resume", "-objective", next(other for other in OBJECTIVES if other != objective), "-run", run)
            self.assertEqual(done.returncode, BAD_INPUT)
            self.assertIn(f"the run was made with {objective}", done.stderr)

    def test_an_end_before_the_last_step_is_reported_and_not_stored(self):
        run = self.train("-data", self.regression, "-time", 0.2)
        before, copy = os.path.join(run, "options.txt"), self.copy_run(run)
        for earlier in (["-steps", 1], ["-time", 0.1], []):
            self.assertIn("nothing to do: the run is at step", train("-resume", *earlier, "-run", run).stdout)
            with open(before, encoding="utf-8") as now, open(os.path.join(copy, "options.txt"), encoding="utf-8") as then:
                self.assertEqual(now.read(), then.read())
        self.assert_same_history(copy, run, 0.0, {})
        self.assertNotIn("nothing to do", train("-resume", "-time", 0.3, "-run", run).stdout)


if __name__ == "__main__":
    unittest.main()
