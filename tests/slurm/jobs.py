"""Shared by the tests of the SLURM jobs: submitting, waiting, and runs that are interrupted at a chosen moment."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import private_slurm

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "invariants"))

import training  # noqa: E402  (found only now)

# seconds; a job that takes longer hangs. Generous, because the machine may be busy.
PATIENCE = 90
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"}
ENDLESS = 10**9


class SlurmTest(unittest.TestCase):
    """A SLURM and a scratch folder for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="poise-slurm-")
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = scratch.name
        os.chmod(scratch.name, 0o755)
        # Open MPI names its files by process ids, and other namespaces have the same ids.
        os.environ["TMPDIR"] = training.ENVIRONMENT["TMPDIR"] = cls.path("mpi")
        os.makedirs(cls.path("mpi"))
        slurm = cls.slurm = private_slurm.PrivateSlurm(cls.path("slurm"))
        os.makedirs(slurm.folder)
        cls.addClassCleanup(slurm.stop)
        slurm.start()
        cls.environment = {**training.ENVIRONMENT, **slurm.environment(), "POISE_ROOT": SOURCE,
                           "POISE_BIN": os.path.dirname(training.TRAIN), "POISE_PYTHON": sys.executable}
        cls.data = training.synthetic(cls.path("data.h5"), 40, 6, 2, test_samples=7)

    @classmethod
    def path(cls, *parts):
        return os.path.join(cls.scratch, *parts)

    def ask(self, *command, check=True, **environment):
        return subprocess.run(command, env={**self.environment, **environment}, cwd=self.scratch, check=check,
                              text=True, capture_output=True, timeout=60).stdout

    # ---- Jobs -------------------------------------------------------------------------------------------------------

    def submit(self, script, *arguments, sbatch=(), **environment):
        """The number of the job. Its log is found under that number."""
        name = "%A_%a.log" if any(option.startswith("--array=") for option in sbatch) else "%j.log"
        path = os.path.join(SOURCE, "jobs", script)
        return self.ask("sbatch", "--parsable", f"--output={name}", *sbatch, path, *map(str, arguments),
                        **environment).strip()

    def log(self, job):
        try:
            with open(self.path(f"{job}.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def show(self, job):
        """The fields that scontrol shows of a job, by name; empty if a busy controller did not answer in time."""
        text = self.ask("scontrol", "show", "job", "--oneliner", job, check=False)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def until(self, what, reached, job, patience=PATIENCE):
        """Polls until `reached()` is true, and returns its value."""
        limit = time.monotonic() + patience
        while not (result := reached()):
            if time.monotonic() > limit:
                self.fail(f"job {job}: not {what} after {patience} s\n{self.show(job)}\n{self.log(job)}")
            time.sleep(0.1)
        return result

    def wait_requeued(self, job, restarts=1):
        """Waits until the job is pending again. SLURM plans the next start two minutes later; the processes of the last
        start must have ended before a test starts the job earlier."""
        def requeued():
            shown = self.show(job)
            if shown.get("JobState") in FINAL - {"PREEMPTED", "NODE_FAIL"}:
                self.fail(f"job {job} was not requeued\n{shown}\n{self.log(job)}")
            pending = shown.get("JobState") == "PENDING" and int(shown.get("Restarts", 0)) >= restarts
            return pending and not self.left_of(shown["JobId"])
        self.until("requeued", requeued, job)

    def hurry(self, job):
        """Starts the job again, in a later second than its end: otherwise the daemons mistake it for the ended job."""
        self.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2")

    def wait_final(self, job):
        """Waits until the job has ended, in any state; returns the fields of scontrol. The end of its processes is not
        enough: the job is then COMPLETING until SLURM has cleaned up, which takes long on a busy machine."""
        def ended():
            shown = self.show(job)
            return shown if shown.get("JobState") in FINAL else None
        return self.until("ended", ended, job)

    def wait_end(self, job, state="COMPLETED", code=0):
        """Waits until the job has ended, with this state and exit code; returns the fields of scontrol."""
        shown = self.wait_final(job)
        self.assertEqual(shown["JobState"], state, f"job {job}\n{shown}\n{self.log(job)}\n{self.slurm.logs()}")
        if state in ("COMPLETED", "FAILED"):
            self.assertEqual(shown["ExitCode"], f"{code}:0", f"job {job}\n{self.log(job)}")
        return shown

    # ---- Runs -------------------------------------------------------------------------------------------------------

    def options(self, name, steps=ENDLESS):
        """Writes a file with the options of a run; a test may write it again while a job waits."""
        path = self.path(f"{name}.opts")
        # Steps so small that the run never comes near the minimum.
        lines = [f"-data {self.data}", "-features whiten", "-dynamics descent", "-step_size 1e-5", "-time 1e9",
                 "-checkpoint_every 50", f"-steps {steps}"]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def start(self, name, script="train.sbatch", sbatch=(), **environment):
        """Submits an endless run and waits for its first checkpoint; returns the job and the run directory."""
        run = self.path(name)
        job = self.submit(script, "-options_file", self.options(name), "-run", run, sbatch=sbatch, **environment)
        self.until("under way", lambda: self.newest_step(run) > 0, job)
        return job, run

    def newest_step(self, run):
        if not os.path.isdir(os.path.join(run, "checkpoints")):
            return 0
        return max((int(os.path.basename(path)[5:-3]) for path in training.checkpoints(run)), default=0)

    def let_end(self, name, run):
        """Gives a stopped endless run an end that it has not reached yet; returns the last step."""
        self.assertFalse(os.path.exists(os.path.join(run, "DONE")))
        last = self.newest_step(run) + 60
        self.options(name, last)
        return last

    def finish(self, name, job, run, last):
        """The job goes on until the run is done."""
        self.hurry(job)
        shown = self.wait_end(job)
        self.assertTrue(os.path.exists(os.path.join(run, "DONE")))
        self.assertIn(" -resume\n", self.log(job))
        self.assertEqual(self.newest_step(run), last)
        self.assert_same_as_straight(name, run)
        return shown

    def assert_same_as_straight(self, name, run, ranks=2, tolerance=0.0, ignored=frozenset({"wall_seconds"})):
        """The history equals the history of an uninterrupted run without SLURM; bit by bit if the tolerance is 0."""
        straight = self.path(f"{name}-straight")
        done = training.train("-options_file", self.path(f"{name}.opts"), "-run", straight, ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        comparison = training.TrainingTest()
        comparison.assert_same_history(straight, run, tolerance, ignored)
        comparison.assert_same_parameters(straight, run, tolerance)

    @staticmethod
    def processes():
        """Process id and command line of every process; this namespace has only the processes of the tests."""
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
                    yield int(process), file.read().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue

    def ranks(self, run):
        """Process ids of the ranks that work on a run."""
        return [process for process, words in self.processes() if words[0].endswith("poise-train") and run in words]

    def left_of(self, job):
        """Process ids of the SLURM steps of a job and of its script."""
        return [process for process, words in self.processes()
                if words[0].startswith(f"slurmstepd: [{job}.") or any(f"/job{int(job):05}/" in word for word in words)]

    def signal_ranks(self, run, number):
        for process in self.ranks(run):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass

    def freeze(self, run):
        self.signal_ranks(run, signal.SIGSTOP)

    def thaw(self, run):
        self.signal_ranks(run, signal.SIGCONT)
