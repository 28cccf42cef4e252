"""HDF5 crashes or loops on some damaged files: the program then ends on all ranks and names the file."""

import os
import subprocess
import unittest

from training import DATA, ENVIRONMENT, MPIEXEC, SOURCE, TRAIN

CRASHING = os.environ.get("CRASH_WHILE_READING", os.path.join(SOURCE, "build", "tests", "crash_while_reading"))
# A data set in HDF5's oldest format with a name without an end; found by fuzzing.
DAMAGED = os.path.join(SOURCE, "tests", "fuzz", "crashes_hdf5_1.10.h5")


def run(program, *arguments, ranks=1):
    return subprocess.run([MPIEXEC, "-n", str(ranks), program, *arguments], capture_output=True,
                          text=True, timeout=60, env=ENVIRONMENT)


class CrashGuard(unittest.TestCase):
    def test_a_crash_on_any_rank_ends_all_ranks_and_names_the_file(self):
        for how, what in {"segv": "crash", "abort": "crash", "stack": "crash", "loop": "loop for ever"}.items():
            for rank, ranks in ((0, 1), (0, 3), (2, 3)):
                with self.subTest(how=how, rank=rank, ranks=ranks):
                    result = run(CRASHING, how, str(rank), ranks=ranks)
                    self.assertNotEqual(result.returncode, 0)
                    self.assertIn(f"poise: error: file 'the-file.h5' makes HDF5 {what}", result.stderr)

    def test_a_file_that_does_not_crash_is_read(self):
        self.assertEqual(run(CRASHING, "not", "0", ranks=3).returncode, 0)

    def test_a_file_that_makes_hdf5_crash_is_named_by_the_programs(self):
        for ranks in (1, 2, 3, 4):
            with self.subTest(ranks=ranks):
                result = run(TRAIN, "-data", DAMAGED, "-time", "0.1", ranks=ranks)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("poise: error:", result.stderr)
                self.assertIn(DAMAGED, result.stderr)
        result = run(DATA, "show", DAMAGED)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(DAMAGED, result.stderr)


if __name__ == "__main__":
    unittest.main()
