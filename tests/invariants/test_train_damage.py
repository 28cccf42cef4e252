"""A damaged checkpoint is skipped, and the files of a run can be read at any moment."""

import os
import subprocess
import time
import unittest

import h5py

from training import BAD_INPUT, ENVIRONMENT, WORK, TrainingTest, checkpoints, command, files, history, train


def flip(path, share):
    """Inverts the byte at a position, given as a share of the file."""
    with open(path, "r+b") as file:
        place = int(share * os.path.getsize(path))
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0xFF]))


def flip_parameters(path):
    with h5py.File(path, "r") as file:
        chunk = file["parameters/A"].id
        place = chunk.get_chunk_info(0).byte_offset if file["parameters/A"].chunks else chunk.get_offset()
    flip(path, (place + 11) / os.path.getsize(path))


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path):
    os.truncate(path, 0)


class Damage(TrainingTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = ["-data", cls.regression, "-time", 0.3, "-checkpoint_every", 4]
        cls.straight = cls.new_run()
        done = train(*cls.options, "-run", cls.straight, ranks=2)
        assert done.returncode == 0, done.stderr

    def interrupted(self):
        run = self.train(*self.options, "-steps", 10, ranks=2)
        self.assertEqual([os.path.basename(path) for path in checkpoints(run)],
                         ["step-00000004.h5", "step-00000008.h5", "step-00000010.h5"])
        return run

    def resume(self, run, ranks=2):
        return train("-run", run, "-resume", "-steps", 10**6, ranks=ranks)

    def test_a_resumed_run_falls_back_to_the_checkpoint_before(self):
        run = self.interrupted()
        for damage in (flip_parameters, truncate, empty):
            with self.subTest(damage=damage.__name__):
                damaged = self.copy_run(run)
                newest = checkpoints(damaged)[-1]
                damage(newest)
                done = self.resume(damaged)
                self.assertEqual(done.returncode, 0, done.stderr)
                warnings = [line for line in done.stderr.splitlines() if "warning" in line]
                self.assertEqual(len(warnings), 1, done.stderr)
                self.assertIn(newest, warnings[0])
                self.assertIn("falling back", warnings[0])
                self.assert_same_history(self.straight, damaged)
                self.assert_same_parameters(self.straight, damaged)

    def test_two_damaged_checkpoints_and_other_ranks(self):
        run = self.interrupted()
        for path in checkpoints(run)[1:]:
            flip(path, 0.5)
        done = self.resume(run, ranks=3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("is damaged"), 2, done.stderr)
        self.assert_same_history(self.straight, run, 1e-12, WORK)

    def test_without_a_whole_checkpoint_nothing_is_resumed_or_changed(self):
        run = self.interrupted()
        for path in checkpoints(run):
            truncate(path)
        before = files(run)
        for ranks in (1, 3):
            done = self.resume(run, ranks)
            self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            self.assertIn("no valid checkpoint", done.stderr)
            self.assertEqual(files(run), before)

    def test_what_a_crash_leaves_is_harmless(self):
        run = self.interrupted()
        folder = os.path.join(run, "checkpoints")
        with open(os.path.join(folder, ".step-00000012.h5.tmp"), "wb") as file:
            file.write(b"half a checkpoint")
        with open(os.path.join(folder, "latest"), "w", encoding="utf-8") as file:
            file.write("step-00000099.h5\n")
        done = self.resume(run)
        self.assertEqual((done.returncode, done.stderr.count("warning")), (0, 0), done.stderr)
        self.assert_same_history(self.straight, run)
        with open(os.path.join(folder, "latest"), encoding="utf-8") as file:
            self.assertEqual(file.read().strip(), os.path.basename(checkpoints(run)[-1]))

    def test_a_history_that_lags_behind_or_is_lost_is_bad_input(self):
        run = self.interrupted()
        truncate(os.path.join(run, "run.h5"))
        before = files(run)
        done = self.resume(run)
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
        self.assertIn("run.h5", done.stderr)
        self.assertEqual(files(run), before)


class Reading(TrainingTest):
    def test_the_history_is_whole_whenever_it_is_read(self):
        for locking in ({}, {"HDF5_USE_FILE_LOCKING": "FALSE"}):
            environment = {name: value for name, value in ENVIRONMENT.items() if name != "HDF5_USE_FILE_LOCKING"}
            run = self.new_run()
            # Many checkpoints, because each checkpoint writes the history, too.
            options = ["-data", self.regression, "-dynamics", "descent", "-step_size", 1e-3, "-time", 1.0,
                       "-checkpoint_every", 40, "-run", run]
            process = subprocess.Popen(command(options, 2), env={**environment, **locking}, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            lengths = set()
            while process.poll() is None:
                if os.path.exists(os.path.join(run, "run.h5")):
                    columns = history(run)
                    self.assertEqual(len({len(values) for values in columns.values()}), 1)
                    lengths.add(len(columns["t"]))
                time.sleep(0.05)
            output, errors = process.communicate()
            self.assertEqual(process.returncode, 0, output + errors)
            self.assertGreater(len(lengths), 3)
            self.assertEqual(len(history(run)["t"]), 1001)


if __name__ == "__main__":
    unittest.main()
