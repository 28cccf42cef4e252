"""DIR/log.txt has what poise-train printed, attempt by attempt; a log that cannot be written harms nothing."""

import os
import re
import unittest

from training import BAD_INPUT, DONE, FAILED, TrainingTest, train

HEAD = re.compile(r"# \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S*poise-train (.*)")
STEPS = ["-dynamics", "descent", "-step_size", 0.01]


def log(run):
    with open(os.path.join(run, "log.txt"), encoding="utf-8") as file:
        return file.read()


def own_lines(text):
    """What the program printed, without the lines of the launcher."""
    return [line for line in text.splitlines() if line.startswith("poise: ")]


class Log(TrainingTest):
    def test_it_has_what_was_printed_attempt_by_attempt(self):
        for ranks in (1, 3):
            run = self.new_run()
            first = train("-data", self.regression, *STEPS, "-steps", 3, "-run", run, ranks=ranks)
            self.assertEqual(first.returncode, DONE, first.stderr)
            head, rest = log(run).split("\n", 1)
            self.assertIn(f"-data {self.regression}", HEAD.fullmatch(head)[1])
            self.assertEqual(rest, first.stdout)
            before = log(run)
            second = train("-run", run, "-resume", "-steps", 5, ranks=ranks)
            self.assertTrue(log(run).startswith(before))
            head, rest = log(run)[len(before):].split("\n", 1)
            self.assertIn("-resume -steps 5", HEAD.fullmatch(head)[1])
            self.assertEqual(rest, second.stdout)

    def test_it_has_warnings_and_errors(self):
        run = self.train("-data", self.regression, *STEPS, "-steps", 2)
        os.remove(os.path.join(run, "run.h5"))  # a warning, before the log is open
        before = log(run)
        done = train("-run", run, "-resume", "-steps", 3, ranks=2)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("poise: warning: there is no ", done.stderr)
        self.assertEqual(own_lines(log(run)[len(before):]), own_lines(done.stderr))
        violated = self.new_run()
        done = train("-data", self.regression, "-dynamics", "descent", "-step_size", 0.9, "-steps", 50, "-run", violated, ranks=2)
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(own_lines(log(violated)), own_lines(done.stderr))
        self.assertIn("poise: error: Theorem 1 is violated", log(violated))

    def test_a_refused_start_adds_nothing(self):
        run = self.train("-data", self.regression, *STEPS, "-steps", 2)
        before = log(run)
        for options in (["-data", self.regression], ["-resume", "-gamma", 0.5], ["-resume", "-stepz", 3]):
            self.assertEqual(train("-run", run, *options).returncode, BAD_INPUT)
            self.assertEqual(log(run), before)

    def test_a_log_that_cannot_be_written_is_a_warning(self):
        whole = self.train("-data", self.regression, *STEPS, "-steps", 3, ranks=2)
        for target in ("/dev/full", None):
            run = self.new_run()
            os.makedirs(run)
            path = os.path.join(run, "log.txt")
            os.symlink(target, path) if target else os.mkdir(path)
            done = train("-data", self.regression, *STEPS, "-steps", 3, "-run", run, ranks=2)
            with self.subTest(target=target):
                self.assertEqual(done.returncode, DONE, done.stderr)
                self.assertEqual(done.stderr.count(f"poise: warning: cannot write '{path}'"), 1, done.stderr)
                self.assertIn("No space left on device" if target else "Is a directory", done.stderr)
                self.assert_same_history(whole, run)
                self.assertTrue(os.path.exists(os.path.join(run, "DONE")))

    def test_a_member_of_an_ensemble_has_each_line_once(self):
        table, run = self.path("table.txt"), self.new_run()
        with open(table, "w", encoding="utf-8") as file:
            file.write("one: -seed 1\n")
        done = train("-ensemble", table, "-data", self.regression, *STEPS, "-steps", 2, "-run", run)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertEqual(log(os.path.join(run, "one")).count("reached the last step"), 1)
        self.assertFalse(os.path.exists(os.path.join(run, "log.txt")))


if __name__ == "__main__":
    unittest.main()
