"""Shared by the tests of whole programs: starts poise-train as users start it, and reads the files of its runs.

CTest says by environment variables which programs to run.
"""

import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import h5py
import numpy as np

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DIGITS = os.path.join(SOURCE, "data", "digits.h5")
DIABETES = os.path.join(SOURCE, "data", "diabetes.h5")
TRAIN = os.environ.get("POISE_TRAIN", os.path.join(SOURCE, "build", "apps", "poise-train"))
DATA = os.environ.get("POISE_DATA", os.path.join(SOURCE, "build", "apps", "poise-data"))
MPIEXEC = os.environ.get("MPIEXEC", "mpiexec")

# CTest sets these variables; the values here are for a test that is started by hand.
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OPENBLAS_NUM_THREADS": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
               "OMPI_MCA_mpi_yield_when_idle": "1",
               # Open MPI waits 2 s after a nonzero exit code, and most of these tests expect such a code.
               "OMPI_MCA_odls_base_sigkill_timeout": "0", **os.environ}


def preloading(library):
    """The setting of the environment that preloads a library, beside a library that CTest preloads (see yield_when_idle.c)."""
    return "LD_PRELOAD=" + ":".join(filter(None, [library, os.environ.get("LD_PRELOAD")]))


def patience(seconds):
    """A time limit; longer for programs with sanitizers."""
    return seconds * float(os.environ.get("POISE_TEST_PATIENCE", "1"))


# Exit codes: done, failed audit or solve, bad input, stopped on request.
DONE, FAILED, BAD_INPUT, NOT_VERIFIED, REQUEUE = 0, 1, 2, 3, 75

# Columns that are not results: time, and Krylov steps, which depend on the samples in a panel.
WORK = {"wall_seconds", "equilibrium_iterations", "adjoint_iterations", "equilibrium_fallbacks", "adjoint_fallbacks"}


def command(options, ranks):
    return [MPIEXEC, "-n", str(ranks), TRAIN, *map(str, options)]


def train(*options, ranks=1, directory=None, **environment):
    return subprocess.run(command(options, ranks), capture_output=True, text=True, timeout=patience(100), cwd=directory,
                          env={**ENVIRONMENT, **environment})


def rank_processes(process):
    """The ranks that a launcher has started, perhaps by a process of its own in between (MPICH), in no order."""
    parents, found = {}, []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
            with open(f"/proc/{pid}/environ", "rb") as file:
                is_rank = any(word.startswith((b"OMPI_COMM_WORLD_RANK=", b"PMI_RANK=")) for word in file.read().split(b"\0"))
        except OSError:
            continue
        parents[pid] = int(parent)
        if is_rank and state != "Z":
            found.append(pid)
    return [pid for pid in found if process.pid in (parents[pid], parents.get(parents[pid]))]


def finished_members(run):
    """The files of members that a study keeps until it is complete."""
    folder = os.path.join(run, "members")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name[0] != ".") if os.path.isdir(folder) else []


class StudyProcess:
    """A study (poise-sweep, poise-compare) on two ranks that is to be interrupted."""

    def __init__(self, program, *options):
        self.run = str(options[options.index("-run") + 1])
        self.process = subprocess.Popen([MPIEXEC, "-n", "2", program, *map(str, options)], env=ENVIRONMENT, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def wait_for(self, count):
        """Waits until `count` members have ended."""
        limit = time.monotonic() + patience(60)
        while len(finished_members(self.run)) < count:
            if self.process.poll() is not None or time.monotonic() > limit:
                raise AssertionError(f"{count} members were not seen to end: {self.process.communicate()[0]}")
            time.sleep(0.002)

    def kill(self):
        """kill -9 of the launcher and all ranks, at once."""
        ranks = rank_processes(self.process)
        for pid in [self.process.pid, *ranks]:
            os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=patience(60))
        while any(os.path.exists(f"/proc/{pid}") for pid in ranks):
            time.sleep(0.01)

    def stop(self, number=signal.SIGUSR1):
        """Asks the study to stop; returns its exit code and output."""
        ask_to_stop(self.process, number)
        output = self.process.communicate(timeout=patience(60))[0]
        return self.process.returncode, output


@functools.lru_cache
def launcher_is_hydra():
    """Whether mpiexec belongs to MPICH."""
    return "HYDRA" in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True, timeout=patience(60)).stdout


def ask_to_stop(process, number=signal.SIGUSR1):
    """Sends a signal to a run. Open MPI's mpirun hands it to the ranks. MPICH's mpiexec does so, too, but then loses the
    exit code of 1 run in 8 and returns 0; so with MPICH the ranks get it from here."""
    if not launcher_is_hydra():
        return process.send_signal(number)
    for pid in rank_processes(process):
        os.kill(pid, number)


def history(run):
    with h5py.File(os.path.join(run, "run.h5"), "r") as file:
        return {name: values[:] for name, values in file["history"].items()}


def checkpoints(run):
    """Paths, oldest first."""
    folder = os.path.join(run, "checkpoints")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.startswith("step-")]


def parameters(path):
    with h5py.File(path, "r") as file:
        return {name: values[:] for name, values in file["parameters"].items()}


def moments(path):
    """Vectors of the dynamics in a checkpoint, by name and parameter block."""
    found = {}
    with h5py.File(path, "r") as file:
        file["dynamics"].visititems(
            lambda name, item: found.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None)
    return found


def attributes(run):
    """The root attributes of the run file."""
    with h5py.File(os.path.join(run, "run.h5"), "r") as file:
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in file.attrs.items()}


def attempts(run):
    """The attempts in the run file, oldest first."""
    with h5py.File(os.path.join(run, "run.h5"), "r") as file:
        return [dict(group.attrs) for _, group in sorted(file["attempts"].items())]


def files(folder):
    """Content of every file below a folder."""
    content = {}
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as file:
                content[os.path.relpath(os.path.join(base, name), folder)] = file.read()
    return content


def synthetic(path, samples, inputs, outputs, classes=False, test_samples=0, seed=1):
    subprocess.run([DATA, "synthetic", "-samples", str(samples), "-inputs", str(inputs), "-outputs", str(outputs),
                    "-test_samples", str(test_samples), "-noise", "0.3", "-classes", str(classes).lower(), "-seed",
                    str(seed), "-out", path], check=True, capture_output=True, timeout=patience(60))
    return path


class ScratchTest(unittest.TestCase):
    """A scratch folder per test."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def path(self, name):
        return os.path.join(self.scratch, name)


class TrainingTest(unittest.TestCase):
    """A scratch folder per test class, with data sets, and comparisons of runs."""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = scratch.name
        cls.count = 0
        cls.regression = synthetic(cls.path("regression.h5"), 40, 6, 2, test_samples=7)
        cls.classes = synthetic(cls.path("classes.h5"), 45, 5, 3, classes=True, test_samples=6)
        cls.binary = synthetic(cls.path("binary.h5"), 30, 4, 2, classes=True)
        cls.data = {"squared": cls.regression, "cross_entropy": cls.classes, "logistic": cls.binary}

    @classmethod
    def path(cls, name):
        return os.path.join(cls.scratch, name)

    @classmethod
    def new_run(cls):
        cls.count += 1
        return cls.path(f"run{cls.count}")

    def copy_run(self, run):
        return shutil.copytree(run, self.new_run())

    def train(self, *options, ranks=1, code=DONE, run=None, **environment):
        """Trains into a new run directory and returns it."""
        run = run or self.new_run()
        done = train(*options, "-run", run, ranks=ranks, **environment)
        self.assertEqual(done.returncode, code, f"{options} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return run

    def assert_same_history(self, run, other, tolerance=0.0, ignored=frozenset({"wall_seconds"})):
        """Compares every column, NaN with NaN; `tolerance` is relative to the largest magnitude in the column."""
        self.assert_same_columns(history(run), history(other), tolerance, ignored)

    def assert_same_columns(self, left, right, tolerance, ignored):
        self.assertEqual(set(left), set(right))
        self.assertEqual(len(left["step"]), len(right["step"]), "number of rows")
        for name in sorted(set(left) - set(ignored)):
            a, b = left[name], right[name]
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b), name)
            if np.isnan(a).all():
                continue
            scale = np.nanmax(np.abs(a))
            worst = int(np.nanargmax(np.abs(a - b)))
            self.assertLessEqual(abs(a[worst] - b[worst]), tolerance * scale,
                                 f"column {name}, row {worst}: {a[worst]!r} and {b[worst]!r}, largest {scale!r}")

    def assert_same_parameters(self, run, other, tolerance=0.0):
        """Compares the parameters of the newest checkpoints."""
        left, right = parameters(checkpoints(run)[-1]), parameters(checkpoints(other)[-1])
        for name in left:
            np.testing.assert_allclose(left[name], right[name], rtol=0, err_msg=name,
                                       atol=tolerance * np.abs(left[name]).max())


class RefusalTest(TrainingTest):
    """Bad input: one message, exit code 2, no file created or changed."""

    def refuse(self, *options, words, run=None, data=None, ranks=(1, 3), **environment):
        """The message must have all `words`. Without `run`, the program must not make a new run directory."""
        run = run or self.new_run()
        options = [*(["-data", data or self.regression] if data != "" else []), *options]
        before = files(run)
        for count in ranks:
            done = train(*options, "-run", run, ranks=count, **environment)
            messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
            with self.subTest(options=options, ranks=count, messages=messages):
                self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
                self.assertEqual(len(messages), 1, done.stderr)
                for word in words:
                    self.assertIn(word, messages[0])
                self.assertNotIn("PETSC ERROR", done.stderr)
                self.assertEqual(files(run), before)
                self.assertTrue(before or not os.path.exists(run))
