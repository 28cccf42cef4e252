"""The scripts of jobs/ without SLURM: help, refusals, the files of a sweep and of a scaling; and shellcheck."""

import concurrent.futures
import csv
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
JOBS = ("train", "preemptible", "ensemble", "sweep", "gather", "scaling", "audit")


def stand_in(path, text, version=""):
    """Writes a program in the place of another. The jobs ask mpirun for its version, to know which MPI it belongs to."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/bash\n[ "$1" != --version ] || exec echo "{version}"\n{text}\n')
    os.chmod(path, 0o755)


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
                head = file.read().split("---- End of the part to edit")[0]
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
        done = run("shellcheck", "-x", *scripts, "tests/run.sh", "tests/sanitize.sh", "tests/valgrind.sh",
                   "tests/sanitizers/reports.sh")
        self.assertEqual(done.returncode, 0, done.stdout)


class WhereSlurmFails(unittest.TestCase):
    """The jobs on a SLURM that fails. Programs of the same names take its place, because a real SLURM cannot be made to fail."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="poise-jobs-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.program("poise-train", "")
        self.program("squeue", "echo N/A")
        self.program("mpirun", "exit 75")  # stopped with a checkpoint
        self.program("scontrol", "echo JobId=7 JobState=RUNNING Restarts=0")

    def program(self, name, text, version=""):
        """Makes a program that records its command line."""
        path = os.path.join(self.folder, name)
        stand_in(path, f'echo "$*" >>{path}.calls\n{text}', version)

    def calls(self, name):
        path = os.path.join(self.folder, f"{name}.calls")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()

    def start(self, script, *options, out=subprocess.PIPE, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "poise-train", "SLURM_NTASKS": "2", "SLURM_JOB_NUM_NODES": "1",
                 "SLURM_JOB_NODELIST": "n0", "POISE_BIN": self.folder, "POISE_RETRY_SECONDS": "0",
                 "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.Popen([os.path.join(SOURCE, "jobs", script), *options], cwd=self.folder, text=True, stdout=out,
                                stderr=subprocess.PIPE, env={**clean, **slurm, **environment})

    def run_job(self, *arguments, code=75, **environment):
        job = self.start(*arguments, **environment)
        out, err = job.communicate(timeout=30)
        self.assertEqual(job.returncode, code, f"{out}{err}")
        return (out or "") + err

    def test_a_task_of_an_array_requeues_itself_and_no_other(self):
        text = self.run_job("sweep.sbatch", "sweep", SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="11")
        self.assertEqual(self.calls("scontrol"), ["show job --oneliner 7_11", "requeue 7_11"])
        self.assertIn("7_11", self.calls("squeue")[0])
        self.assertIn("requeued", text)

    def test_a_controller_that_does_not_answer_is_asked_again(self):
        self.program("scontrol", 'case $(wc -l <"$0.calls") in 1 | 3) echo "Socket timed out" >&2; exit 1 ;; esac\n'
                                 'echo JobState=RUNNING " JobState=RUNNING "')
        self.assertIn(": requeued", self.run_job("train.sbatch", "-time", "1"))
        self.assertEqual(self.calls("scontrol"), ["show job --oneliner 7"] * 2 +
                         ["requeue 7", "show job --oneliner 7", "requeue 7"])
        self.program("scontrol", "exit 1")
        self.assertIn("does not answer", self.run_job("train.sbatch", "-time", "1"))

    def test_a_job_that_ends_is_not_requeued(self):
        self.program("scontrol", "echo JobId=7 JobState=CANCELLED Restarts=0")
        self.assertIn("ended from outside", self.run_job("train.sbatch", "-time", "1"))
        self.assertEqual(self.calls("scontrol"), ["show job --oneliner 7"])

    def test_a_full_disk_below_the_log_does_not_keep_a_job_from_going_on(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.run_job("train.sbatch", "-time", "1", out=full)
        self.assertEqual(self.calls("scontrol")[-1], "requeue 7")

    def test_a_signal_before_the_job_listens_is_passed_on(self):
        self.program("squeue", "sleep 1; echo N/A")
        self.program("mpirun", "trap 'exit 75' USR1; while :; do sleep 0.1; done")
        for script, options in (("train.sbatch", ["-time", "1"]), ("preemptible.sbatch", ["-time", "1"]),
                                ("ensemble.sbatch", ["table"]), ("sweep.sbatch", ["sweep"])):
            job = self.start(script, *options, SLURM_ARRAY_TASK_ID="0")
            limit = time.monotonic() + 30
            while not self.calls("squeue"):
                self.assertIsNone(job.poll(), "it ended before it asked for its end time")
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.05)
            job.send_signal(signal.SIGUSR1)
            out, err = job.communicate(timeout=30)
            self.assertEqual(job.returncode, 75, out + err)
            self.assertIn("after signal USR1", out)
            self.assertEqual(self.calls("scontrol")[-1], "requeue 7")
            os.remove(os.path.join(self.folder, "squeue.calls"))

    def test_what_is_left_of_a_run_is_found_whatever_its_name(self):
        for name in ("x[3]", "with space", "back\\slash", "*"):
            os.makedirs(os.path.join(self.folder, name, "checkpoints"))
            with open(os.path.join(self.folder, name, "checkpoints", "step-00000000.h5"), "w", encoding="utf-8"):
                pass
            self.run_job("train.sbatch", "-time", "1", "-run", name)
            self.assertTrue(self.calls("mpirun")[-1].endswith(f"-run {name} -resume"), self.calls("mpirun"))

    def test_a_restart_without_anything_to_go_on_from_is_told(self):
        self.assertIn("WARNING: there is no checkpoint in gone", self.run_job("train.sbatch", "-run", "gone",
                                                                             SLURM_RESTART_COUNT="3"))
        self.assertNotIn("WARNING", self.run_job("train.sbatch", "-run", "gone"))

    def test_settings_that_cannot_be_followed_are_refused(self):
        options = os.path.join(self.folder, "own.opts")
        with open(options, "w", encoding="utf-8") as file:
            file.write("# -run none\n-time 1\n")
        self.run_job("train.sbatch", "-options_file", options)
        with open(options, "a", encoding="utf-8") as file:
            file.write("-run elsewhere\n")
        refused = (("give -run and -resume as arguments", ("-options_file", options), {}),
                   ("give -run and -resume as arguments", ("-time", "1"), {"PETSC_OPTIONS": "-gamma 0.5 -resume"}),
                   ("-run needs a directory", ("-time", "1", "-run"), {}),
                   ("POISE_MAX_RESTARTS is '1e2'", ("-time", "1"), {"POISE_MAX_RESTARTS": "1e2"}))
        before = self.calls("mpirun")
        for message, arguments, environment in refused:
            self.assertIn(message, self.run_job("train.sbatch", *arguments, code=2, **environment))
        self.assertEqual(self.calls("mpirun"), before)

    def test_ranks_have_the_settings_of_the_job_whatever_it_was_submitted_with(self):
        self.program("mpirun", f"env >{self.folder}/environment; exit 75")
        self.run_job("train.sbatch", "-time", "1", SLURM_EXPORT_ENV="NONE")
        with open(os.path.join(self.folder, "environment"), encoding="utf-8") as file:
            found = file.read().splitlines()
        for setting in ("SLURM_EXPORT_ENV=ALL", "OPENBLAS_NUM_THREADS=1", "HDF5_USE_FILE_LOCKING=FALSE"):
            self.assertIn(setting, found)

    def test_the_launcher_gets_the_options_of_its_mpi(self):
        self.program("srun", "exit 75")
        for version, mpirun, pmi in (("mpirun (Open MPI) 4.1.4", "--map-by ppr:2:node:PE=1", "pmix"),
                                     ("HYDRA build details:", "-ppn 2", "pmi2")):
            self.program("mpirun", "exit 75", version)
            self.run_job("train.sbatch", "-time", "1")
            self.assertTrue(self.calls("mpirun")[-1].startswith(f"-n 2 {mpirun} {self.folder}/poise-train "))
            for chosen in ("", "cray"):
                self.run_job("train.sbatch", "-time", "1", POISE_LAUNCH="srun", SLURM_MPI_TYPE=chosen)
                self.assertIn(f"--mpi={chosen or pmi} ", self.calls("srun")[-1])

    def test_a_stop_on_request_is_known_whatever_the_launcher_returns(self):
        for code, returned in ((0, 75), (10, 75), (138, 75), (1, 1)):
            self.program("mpirun", f"trap 'exit {code}' USR1; touch {self.folder}/up; while :; do sleep 0.1; done")
            job = self.start("train.sbatch", "-time", "1")
            while not os.path.exists(os.path.join(self.folder, "up")):
                self.assertIsNone(job.poll(), "it ended before the program began")
                time.sleep(0.05)
            job.send_signal(signal.SIGUSR1)
            out, err = job.communicate(timeout=30)
            self.assertEqual(job.returncode, returned, out + err)
            os.remove(os.path.join(self.folder, "up"))


class StandIns(unittest.TestCase):
    """Jobs with stand-ins for SLURM, mpirun and the programs."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch, self.directory = scratch.name, os.path.join(scratch.name, "results")
        os.makedirs(self.path("bin"))
        self.program("mpirun", 'while [[ $1 != */poise-* ]]; do shift; done; exec "$@"')

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def program(self, name, text):
        stand_in(self.path("bin", name), text)

    def content(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as file:
            return file.read()

    def run_job(self, script, *arguments, code=0, says="", ranks=2, nodes=1, **environment):
        done = run(f"jobs/{script}.sbatch", *map(str, arguments), **{
            "PATH": f"{self.path('bin')}:{os.environ['PATH']}", "POISE_BIN": self.path("bin"), "POISE_ROOT": SOURCE,
            "POISE_PYTHON": sys.executable, "SLURM_JOB_ID": "1", "SLURM_JOB_END_TIME": "4102444800",
            "SLURM_JOB_NODELIST": "n0", "SLURM_JOB_NUM_NODES": str(nodes), "SLURM_NTASKS": str(ranks), **environment})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(says, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def gather(self, *options, code):
        """What it says, and its table."""
        done = run(sys.executable, "apps/gather_runs.py", self.directory, *options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        with h5py.File(os.path.join(self.directory, "runs.h5"), "r") as file:
            table = {name: file["runs"][name][:] for name in ("name", "done", "gamma", "last/t")}
        return done.stdout + done.stderr, table


class Sweep(StandIns):
    GRID = ("--seeds", "0", "--gammas", "0.5 0.9", "--widths", "4")
    OPTIONS = ("-data", "a b.h5", "-time", 2)

    def setUp(self):
        super().setUp()
        # The program writes a run file, but no options.
        self.program("poise-train", f"""for last; do :; done
exec {sys.executable} -c '
import os, sys, h5py, zlib
run = sys.argv[1]
os.makedirs(run)
with h5py.File(run + "/run.h5", "w") as file:
    file.attrs.update({{"schema": "poise-run-1", "gamma": 0.5, "m": 4, "seed": 0}})
    for name in ("t", "loss"):
        file["history/" + name] = [1.0, 2.0]
with open(run + "/run.h5", "r+b") as file:
    file.write(b"\\ncrc32 %d\\n" % zlib.crc32(file.read()))
open(run + "/DONE", "w")
' "$last\"""")

    def sweep(self, *options, task=0, grid=GRID, **expected):
        return self.run_job("sweep", *grid, self.directory, *options, SLURM_ARRAY_TASK_ID=str(task), **expected)

    def names(self):
        """The runs that DIR/sweep.txt names."""
        return [line.split(":")[0] for line in self.content("sweep.txt").splitlines()[1:]]

    def test_runs_that_never_began_are_not_done(self):
        self.sweep(*self.OPTIONS)
        text, table = self.gather(code=1)
        self.assertIn("2 runs, 1 of them done", text)
        self.assertIn("not done: seed-0_gamma-0.9_m-4 (no run.h5); ", text)
        self.assertEqual(list(table["name"]), [b"seed-0_gamma-0.5_m-4", b"seed-0_gamma-0.9_m-4"])
        self.assertEqual(list(table["done"]), [1, 0])
        for column in ("gamma", "last/t"):
            np.testing.assert_array_equal(np.isnan(table[column]), [False, True])
        self.assertEqual(list(self.gather("--partial", code=0)[1]["done"]), [1, 0])
        self.sweep(*self.OPTIONS, task=1)
        text, table = self.gather(code=0)
        self.assertIn("2 runs, 2 of them done", text)

    def test_members_of_an_ensemble_that_never_began_are_not_done(self):
        self.sweep(*self.OPTIONS, grid=(*self.GRID[:2], "--gammas", "0.5", *self.GRID[4:]))
        self.gather(code=0)
        with open(os.path.join(self.directory, "ensemble.txt"), "w", encoding="utf-8") as file:
            file.write("# members\n\nseed-0_gamma-0.5_m-4: -gamma 0.5\n later: # in time\n")
        self.assertIn("not done: later (no run.h5); ", self.gather(code=1)[0])
        with open(os.path.join(self.directory, "ensemble.txt"), "a", encoding="utf-8") as file:
            file.write("half\n")
        done = run(sys.executable, "apps/gather_runs.py", self.directory)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ensemble.txt:5: a line is NAME: OPTIONS", done.stderr)

    def test_other_options_are_refused_where_runs_are_done_and_where_they_are_not(self):
        self.sweep(*self.OPTIONS)
        before = self.content("sweep.txt")
        for task in (0, 1):
            text = self.sweep("-data", "a b.h5", "-time", 999, task=task, code=2, says="is a sweep with other options")
            self.assertIn("there  --width-option -features_width -data a\\ b.h5 -time 2\n", text)
            self.assertIn("here   --width-option -features_width -data a\\ b.h5 -time 999\n", text)
            self.assertIn("give the same options, or a different directory", text)
            self.sweep(*self.OPTIONS, task=task, grid=(*self.GRID, "--width-option", "-width"), code=2, says="-width")
        self.assertEqual(self.content("sweep.txt"), before)
        self.assertEqual(glob.glob(self.path("results", "*_*")), [self.path("results", "seed-0_gamma-0.5_m-4")])

    def test_the_same_command_goes_on_also_with_another_deadline_and_other_checkpoints(self):
        self.sweep(*self.OPTIONS)
        before = self.content("sweep.txt")
        self.sweep(*self.OPTIONS, says="is done")
        self.sweep("-deadline", 5, *self.OPTIONS, "-checkpoint_every", 1, "-checkpoint_seconds", 1, "-checkpoint_keep", 0,
                   task=1, says="done: ")
        self.assertEqual(self.content("sweep.txt"), before)

    def test_runs_are_added(self):
        self.sweep(*self.OPTIONS)
        names = self.names()
        self.assertEqual(names, ["seed-0_gamma-0.5_m-4", "seed-0_gamma-0.9_m-4"])
        self.sweep(*self.OPTIONS, grid=("--seeds", "0 1", "--gammas", "0.5", "--widths", "4"), task=1)
        self.assertEqual(self.names(), [*names, "seed-1_gamma-0.5_m-4"])
        self.assertIn("3 runs, 2 of them done", self.gather(code=1)[0])

    def test_tasks_at_the_same_time_lose_no_run(self):
        self.program("poise-train", "exit 1")
        seeds = [str(seed) for seed in range(12)]
        with concurrent.futures.ThreadPoolExecutor(len(seeds)) as pool:
            jobs = [pool.submit(self.sweep, *self.OPTIONS, grid=("--seeds", seed, "--gammas", "0", "--widths", "4"),
                                code=1, SLURM_JOB_ID=seed) for seed in seeds]
            for job in jobs:
                job.result()
        self.assertEqual(sorted(self.names()), sorted(f"seed-{seed}_gamma-0_m-4" for seed in seeds))


class Scaling(StandIns):
    def setUp(self):
        super().setUp()
        # The last word is the path of the result; the result that FAIL names is not written, although the code is 0.
        self.program("poise-bench", """for last; do :; done
[[ -n ${FAIL:-} && $last == *$FAIL* ]] && exit 0
cat >"$last" <<END
case,m,n,q,ranks,grid,seconds,share_of_dgemm,scaling_of,one_rank_seconds,speedup,efficiency,dgemm_speedup
scaling,16,${N:-32},10,$((${last: -5:1} * RANKS)),1x1,1,0.5,tanh_cold,1,1,1,1
END""")

    def scaling(self, *options, ranks=1, nodes=1, kinds="strong", **expected):
        return self.run_job("scaling", "--launchers", "mpirun", "--kinds", kinds, "--grids", "samples", self.directory,
                            *options, ranks=ranks, nodes=nodes, RANKS=str(ranks // nodes), **expected)

    def results(self):
        return sorted(os.path.basename(path) for path in glob.glob(self.path("results", "*_*.csv")))

    def test_more_nodes_are_added_and_other_measurements_refused(self):
        self.scaling("-n", 32)
        self.scaling("-n", 32, ranks=2, nodes=2)
        before = self.results()
        self.assertEqual(before, ["strong_samples_mpirun_1.csv", "strong_samples_mpirun_2.csv"])
        self.assertEqual(self.content("options.txt"), "1 ranks a node, 1 threads a rank: poise-bench -n 32\n")
        for options, changed, here in ((("-n", 64), {}, "1 ranks a node, 1 threads a rank: poise-bench -n 64"),
                                       (("-n", 32), {"ranks": 2}, "2 ranks a node, 1 threads a rank: poise-bench"),
                                       (("-n", 32), {"ranks": 3, "nodes": 2}, "3 ranks on 2 nodes, "),
                                       (("-n", 32), {"SLURM_CPUS_PER_TASK": "2"}, "1 ranks a node, 2 threads")):
            text = self.scaling(*options, code=2, says="has measurements of something else", **changed)
            self.assertIn("there  1 ranks a node, 1 threads a rank: poise-bench -n 32\n", text)
            self.assertIn(f"here   {here}", text)
        self.assertEqual(self.results(), before)

    def test_a_launcher_that_returns_0_without_a_result_fails_alone(self):
        os.makedirs(self.directory)
        with open(self.path("results", ".strong_samples_mpirun_1.csv"), "w", encoding="utf-8") as file:
            file.write("of a job that was killed")
        self.scaling(ranks=2, nodes=2, code=1, says="1 measurements failed", FAIL="mpirun_1.csv")
        self.assertEqual(self.results(), ["strong_samples_mpirun_2.csv"])
        self.scaling(ranks=2, nodes=2)
        self.assertEqual(self.results(), ["strong_samples_mpirun_1.csv", "strong_samples_mpirun_2.csv"])

    def test_one_panel_shows_one_problem(self):
        self.scaling(ranks=2, nodes=2)
        self.scaling(ranks=2, nodes=2, kinds="weak", code=2,
                     says="n for each rank is 32 in weak_samples_mpirun_1.csv and 16 in weak_samples_mpirun_2.csv")
        os.remove(self.path("results", "weak_samples_mpirun_2.csv"))
        self.scaling(ranks=2, nodes=2, kinds="weak", N="64")
        name = "strong_samples_mpirun_2.csv"
        with open(self.path("results", name), newline="", encoding="utf-8") as file:
            row, = csv.DictReader(file)
        for column, value in (("n", 64), ("m", 8), ("q", 1), ("scaling_of", "hard")):
            with open(self.path("results", name), "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, row)
                writer.writeheader()
                writer.writerow({**row, column: value})
            done = run(sys.executable, "apps/plot_scaling.py", self.directory)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"{column} is {row[column]} in strong_samples_mpirun_1.csv and {value} in {name}: ",
                          done.stderr)
            self.assertIn("belong in directories of their own", done.stderr)


if __name__ == "__main__":
    unittest.main()
