"""What the scripts of jobs/ do without SLURM: help, refusals, the tasks of a sweep; and shellcheck."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
JOBS = ("train", "preemptible", "ensemble", "sweep", "gather", "scaling", "audit")


def run(*command, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.run(command, cwd=SOURCE, env={**clean, **environment}, text=True, capture_output=True, timeout=30,
                          check=False)


class Scripts(unittest.TestCase):
    def test_every_job_has_help_that_says_how_to_submit_it(self):
        for job in JOBS:
            for option in ("--help", "-h"):
                done = run(f"jobs/{job}.sbatch", option)
                with self.subTest(job=job, option=option):
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn("usage: sbatch ", done.stdout)
                    self.assertIn(f"jobs/{job}.sbatch", done.stdout)

    def test_no_job_runs_outside_of_slurm(self):
        for job in JOBS:
            done = run(f"jobs/{job}.sbatch", "x")
            with self.subTest(job=job):
                self.assertEqual(done.returncode, 2)
                self.assertIn("submit it with sbatch", done.stderr)

    def test_every_job_has_a_head_to_edit(self):
        for job in JOBS:
            with open(os.path.join(SOURCE, "jobs", f"{job}.sbatch"), encoding="utf-8") as file:
                head = file.read().split("---- End of what is to be edited")[0]
            for word in ("#SBATCH --account=", "#SBATCH --partition=", "#SBATCH --time=", "# module load"):
                self.assertIn(word, head, job)

    def test_a_sweep_lists_its_tasks(self):
        done = run("jobs/sweep.sbatch", "--list", "--seeds", "3", "--gammas", "0.5 0.9", "--widths", "8",
                   "--width-option", "-width")
        self.assertEqual(done.stdout, "   0  -seed 3 -gamma 0.5 -width 8\n   1  -seed 3 -gamma 0.9 -width 8\n"
                                      "sbatch --array=0-1 jobs/sweep.sbatch ...\n")
        self.assertEqual(run("jobs/sweep.sbatch", "--seed", "3").returncode, 2)

    def test_the_default_sweep_fits_its_array(self):
        with open(os.path.join(SOURCE, "jobs", "sweep.sbatch"), encoding="utf-8") as file:
            array = next(line.split()[1] for line in file if line.startswith("#SBATCH --array="))
        self.assertEqual(run("jobs/sweep.sbatch", "--list").stdout.splitlines()[-1],
                         f"sbatch {array} jobs/sweep.sbatch ...")

    def test_scripts_of_figures_refuse_folders_without_results(self):
        with tempfile.TemporaryDirectory() as empty:
            for script in ("gather_runs.py", "plot_scaling.py"):
                for folder in (empty, f"{empty}/none"):
                    done = run(sys.executable, f"apps/{script}", folder)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(f"{script}: error: {folder}", done.stderr)
                    self.assertEqual(os.listdir(empty), [])

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_nothing(self):
        scripts = [os.path.join(SOURCE, "jobs", name) for name in sorted(os.listdir(os.path.join(SOURCE, "jobs")))
                   if name.endswith((".sh", ".sbatch"))]
        done = run("shellcheck", "-x", *scripts, "tests/run.sh")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
