"""valgrind finds no error in a run from start to end, except the suppressions of valgrind.supp, which have reasons;
and it finds the errors that are there.

CTest says by environment variables which programs to run.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SUPPRESSIONS = os.path.join(SOURCE, "tests", "sanitizers", "valgrind.supp")
FOUND = 99  # no exit code of Poise

# Freed and lost memory. Memory that is still reachable at the end belongs to Open MPI. Then options for readable reports.
VALGRIND = [os.environ["VALGRIND"], f"--error-exitcode={FOUND}", "--leak-check=full", "--show-leak-kinds=definite,possible",
            "--errors-for-leak-kinds=definite,possible", f"--suppressions={SUPPRESSIONS}", "--gen-suppressions=all",
            "--keep-debuginfo=yes", "--num-callers=30", "--child-silent-after-fork=yes"]


class Valgrind(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def run_program(self, program, *arguments, ranks):
        """Exit code, output and the reports of all ranks. Reports go to files, because ranks would mix their lines."""
        log = os.path.join(self.scratch, "report")
        for name in os.listdir(self.scratch):
            if name.startswith("report."):
                os.remove(os.path.join(self.scratch, name))
        done = subprocess.run([os.environ["MPIEXEC"], "-n", str(ranks), *VALGRIND, f"--log-file={log}.%p",
                               os.environ[program], *map(str, arguments)],
                              cwd=self.scratch, capture_output=True, text=True, timeout=900, check=False)
        reports = []
        for name in sorted(os.listdir(self.scratch)):
            if name.startswith("report."):
                with open(os.path.join(self.scratch, name), encoding="utf-8") as file:
                    reports.append(file.read())
        self.assertEqual(len(reports), ranks, done.stderr)
        return done, reports

    def assert_clean(self, program, *arguments, ranks=2):
        done, reports = self.run_program(program, *arguments, ranks=ranks)
        self.assertEqual(done.returncode, 0, "\n".join([done.stdout, done.stderr, *reports]))
        for report in reports:
            self.assertIn("ERROR SUMMARY: 0 errors", report)
            print(program, *re.findall(r"ERROR SUMMARY.*", report), file=sys.stderr)
        return done.stdout

    def test_a_run_from_start_to_audit_is_clean(self):
        self.assert_clean("POISE_DATA", "synthetic", "-samples", 24, "-inputs", 3, "-outputs", 2, "-noise", 0.3,
                          "-out", "data.h5", ranks=1)
        output = self.assert_clean("POISE_TRAIN", "-data", "data.h5", "-objective", "equilibrium", "-features",
                                   "random_relu", "-features_width", 6, "-steps", 4, "-checkpoint_every", 2, "-run", "run")
        self.assertIn("bound held at all 5 audited times", output)
        output = self.assert_clean("POISE_TRAIN", "-run", "run", "-resume", "-steps", 6)
        self.assertIn("bound held at all 7 audited times", output)
        output = self.assert_clean("POISE_AUDIT", "-run", "run")
        self.assertIn("rows held", output)

    def test_errors_are_found(self):
        # index_outside and the overflows are not memory errors: the sanitizers find them.
        for defect, words in {"none": None, "read_outside": "Invalid read of size 8", "use_after_free": "Invalid read of size 8",
                              "read_outside_of_a_vec": "Invalid read of size 8",
                              "branch_on_uninitialised": "depends on uninitialised value",
                              "leak": "definitely lost", "leak_of_a_vec": "definitely lost"}.items():
            done, reports = self.run_program("POISE_DEFECT", defect, ranks=1)
            with self.subTest(defect=defect):
                self.assertEqual(done.returncode, FOUND if words else 0, done.stdout + done.stderr + reports[0])
                if words:
                    self.assertIn(words, reports[0])


if __name__ == "__main__":
    unittest.main()
