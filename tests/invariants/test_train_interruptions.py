"""DONE marks exactly the runs that have reached their end. A run that is resumed from a checkpoint of a deadline or of the
clock equals an uninterrupted run."""

import os
import time
import unittest

from training import BAD_INPUT, FAILED, REQUEUE, TrainingTest, checkpoints, history, train

DESCENT = ["-features", "whiten", "-dynamics", "descent", "-step_size", 0.01]
AT_ONCE = 1e-9  # seconds: a deadline that has passed after the first step


class Interruptions(TrainingTest):
    def done(self, run):
        return os.path.exists(os.path.join(run, "DONE"))

    def options(self, time_=0.1):
        return ["-data", self.regression, *DESCENT, "-time", time_]

    def text(self, run, name):
        with open(os.path.join(run, name), encoding="utf-8") as file:
            return file.read()

    def test_a_run_is_marked_done_when_it_reaches_its_end(self):
        ends = {"time": self.options(), "steps": [*self.options(), "-steps", 3],
                "epochs": ["-data", self.regression, "-objective", "equilibrium", *DESCENT, "-batch", 10, "-epochs", 2],
                "flow": ["-data", self.regression, "-time", 0.2],
                "minimum": ["-data", self.regression, "-features", "whiten", "-dynamics", "minimise"]}
        for end, options in ends.items():
            with self.subTest(end=end):
                run = self.train(*options, ranks=2)
                self.assertTrue(self.done(run))
                self.assertIn(f"step {int(history(run)['step'][-1])}, ", self.text(run, "DONE"))
                self.assertNotIn(".DONE.tmp", os.listdir(run))

    def test_a_run_that_fails_is_not_done(self):
        # Steps of descent far too large for the flow: the bound is violated.
        run = self.train("-data", self.regression, "-dynamics", "descent", "-step_size", 0.5, "-time", 20, code=FAILED)
        self.assertFalse(self.done(run))

    def test_a_deadline_stops_a_run_that_then_goes_on_bit_by_bit(self):
        for ranks in (1, 3):
            with self.subTest(ranks=ranks):
                straight = self.train(*self.options(), ranks=ranks)
                run = self.train(*self.options(), "-deadline", AT_ONCE, ranks=ranks, code=REQUEUE)
                self.assertEqual(len(history(run)["step"]), 1)  # the stopped run is shorter
                self.assertFalse(self.done(run))
                # Every start takes at least one step, so that requeueing ends.
                self.train("-resume", "-deadline", AT_ONCE, ranks=ranks, run=run, code=REQUEUE)
                self.assertEqual(len(history(run)["step"]), 2)
                self.assertNotIn("deadline", self.text(run, "options.txt"))  # -deadline is for one start only
                self.train("-resume", ranks=ranks, run=run)
                self.assertTrue(self.done(run))
                self.assert_same_history(straight, run)
                self.assert_same_parameters(straight, run)

    def test_a_stop_that_is_asked_for_at_the_last_step_is_the_end(self):
        options = [*self.options(), "-steps", 3, "-audit_every", 2]
        straight = self.train(*options)
        self.assertEqual(list(history(straight)["step"]), [0, 2, 3])
        run = self.train(*options, "-deadline", AT_ONCE, code=REQUEUE)
        for _ in range(2):
            self.train("-resume", "-deadline", AT_ONCE, run=run, code=REQUEUE)
        self.train("-resume", "-deadline", AT_ONCE, run=run)
        self.assertTrue(self.done(run))
        self.assert_same_history(straight, run)

    def test_a_resume_that_extends_a_run_takes_the_mark_back(self):
        run = self.train(*self.options(0.05))
        self.assertTrue(self.done(run))
        self.train("-resume", "-time", 0.1, "-deadline", AT_ONCE, run=run, code=REQUEUE)
        self.assertFalse(self.done(run))
        self.train("-resume", run=run)
        self.assertTrue(self.done(run))
        self.assertEqual(len(history(run)["step"]), 11)

    def test_a_resume_that_is_refused_leaves_the_mark(self):
        run = self.train(*self.options(0.05))
        self.train("-resume", "-gamma", 0.123, run=run, code=BAD_INPUT)
        self.assertTrue(self.done(run))

    def test_the_end_of_a_slurm_job_is_a_deadline(self):
        # Far more steps than fit into the job; the margin is a tenth of the remaining time.
        endless = ["-data", self.regression, *DESCENT[:-1], 1e-7, "-time", 1, "-checkpoint_every", 0]
        end = int(time.time()) + 4
        run = self.train(*endless, ranks=2, code=REQUEUE, SLURM_JOB_END_TIME=str(end))
        self.assertFalse(self.done(run))
        self.assertGreater(len(history(run)["step"]), 1)
        # -deadline overrides the end of the job.
        self.train(*endless, "-deadline", AT_ONCE, code=REQUEUE, SLURM_JOB_END_TIME=str(int(time.time()) + 10**6))

    def test_an_end_of_the_job_that_is_no_number_is_refused(self):
        for text in ("soon", "12:00", "nan"):
            done = train(*self.options(), "-run", self.new_run(), ranks=2, SLURM_JOB_END_TIME=text)
            self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
            self.assertIn("SLURM_JOB_END_TIME", done.stderr)

    def test_an_end_of_the_job_that_has_passed_is_no_deadline(self):
        run = self.new_run()
        done = train(*self.options(), "-run", run, SLURM_JOB_END_TIME="1000000000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SLURM_JOB_END_TIME has already passed", done.stderr)
        self.assertTrue(self.done(run))

    def test_the_clock_writes_checkpoints_from_which_the_run_goes_on_bit_by_bit(self):
        straight = self.train(*self.options(), "-checkpoint_every", 0)
        self.assertEqual(len(checkpoints(straight)), 1)
        run = self.train(*self.options(), "-checkpoint_every", 0, "-checkpoint_seconds", AT_ONCE, "-checkpoint_keep", 0)
        self.assertEqual(len(checkpoints(run)), len(history(run)["step"]))  # one checkpoint per step
        self.assert_same_history(straight, run)
        for path in checkpoints(run)[5:]:  # as after a crash
            os.remove(path)
        self.train("-resume", run=run)
        self.assert_same_history(straight, run)
        self.assert_same_parameters(straight, run)

    def test_the_clock_writes_none_before_its_time(self):
        run = self.train(*self.options(), "-checkpoint_every", 0, "-checkpoint_seconds", 1e6)
        self.assertEqual(len(checkpoints(run)), 1)


if __name__ == "__main__":
    unittest.main()
