"""Shared by the tests of crashes: programs that are killed, signalled or made to fail, and the counts of these."""

import collections
import concurrent.futures
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "invariants"))

import training  # noqa: E402
from training import (DONE, ENVIRONMENT, FAILED, BAD_INPUT, REQUEUE, TrainingTest, checkpoints, files,  # noqa: E402,F401
                      rank_processes)

# Sums in a different order on a different number of ranks: as in test_train_resume.py.
ROUNDING = 1e-12
HANG = training.patience(90)  # seconds; these runs take 1 s, on a loaded machine 10 s
INJECTOR = os.environ.get("POISE_INJECTOR", os.path.join(training.SOURCE, "build", "tests", "libpoise_faults.so"))

DESCENT = ["-features", "whiten", "-dynamics", "descent", "-step_size", 0.01, "-checkpoint_every", 1]


def program(name):
    return os.path.join(os.path.dirname(training.TRAIN), name)


def launch(*words, ranks=1, fault="", **environment):
    """Starts a program on some ranks in a new session; `fault` is a plan as in fault_plan.hpp."""
    mpi = [training.MPIEXEC, "-n", str(ranks)]
    if fault:
        mpi += ["env", training.preloading(INJECTOR), f"POISE_FAULT={fault}"]
    return subprocess.Popen([*mpi, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, env={**ENVIRONMENT, **environment})


def code_of_signal(number):
    """The exit code of mpiexec if a signal has ended a rank."""
    return number if training.launcher_is_hydra() else 128 + number


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def newest_step(run):
    folder = os.path.join(run, "checkpoints")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    # While MPI opens a checkpoint, the folder also has a file step-….h5.locktest.
    return max((int(name[5:-3]) for name in names if name.startswith("step-") and name.endswith(".h5")), default=-1)


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class CrashTest(TrainingTest):
    """Counts the faults and their outcomes: programs that hung, runs that were lost, wrong results without a message."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.injected = collections.Counter()
        cls.found = collections.Counter(hangs=0, lost=0, silent=0)

    @classmethod
    def tearDownClass(cls):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(cls.injected.items()))
        found = ", ".join(f"{what}: {count}" for what, count in cls.found.items())
        print(f"\nfaults injected: {sum(cls.injected.values())} ({kinds}), {found}", file=sys.stderr)
        super().tearDownClass()

    def finish(self, process):
        """Exit code and output of a process; a process that does not end counts as a hang."""
        try:
            output, errors = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            ranks = rank_processes(process)
            kill([*ranks, process.pid])
            output, errors = process.communicate()
            # mpiexec of Open MPI 4.1 can wait for itself in PMIx_server_finalize after a rank was killed while it
            # connected in MPI_Init. All ranks have ended then, so the program does not hang.
            self.found["hangs" if ranks else "hangs of mpiexec alone"] += 1
            if ranks:
                self.fail(f"hangs: {process.args}\n{output}\n{errors}")
        return process.returncode, output + errors

    def run_program(self, *words, **how):
        return self.finish(launch(*words, **how))

    def launch_train(self, *options, run, **how):
        """Starts poise-train; the process is killed at the end of the test if it is still running."""
        process = launch(training.TRAIN, *options, "-run", run, **how)
        self.addCleanup(lambda: kill([*rank_processes(process), process.pid] if process.poll() is None else []))
        return process

    def run_train(self, *options, run, **how):
        return self.run_program(training.TRAIN, *options, "-run", run, **how)

    def go_on(self, run, options, ranks):
        """Goes on like a user: -resume if there is a checkpoint, otherwise the same command again. Fails if a
        checkpoint was damaged."""
        again = ["-resume"] if newest_step(run) >= 0 else options
        code, text = self.run_train(*again, run=run, ranks=ranks)
        if code != DONE or "damaged" in text or not os.path.exists(os.path.join(run, "DONE")):
            self.found["lost"] += 1
            self.fail(f"lost: {run} on {ranks} ranks, code {code}\n{text}")

    def assert_same_run(self, straight, run, tolerance=0.0):
        try:
            ignored = {"wall_seconds"} if tolerance == 0.0 else training.WORK
            self.assert_same_history(straight, run, tolerance, ignored)
            self.assert_same_parameters(straight, run, tolerance)
        except AssertionError:
            self.found["silent"] += 1
            raise
        seconds = training.history(run)["wall_seconds"]
        self.assertTrue((seconds[1:] >= seconds[:-1]).all(), seconds)

    def wait_until(self, what, process, seconds=HANG):
        """Waits for `what()`; returns whether it became true before the program ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.002)
        self.fail(f"waits in vain: {process.args}")

    def all_of(self, cases, check):
        """Calls `check(case)` for every case, a few at a time; reports every failure."""
        workers = max(1, min(4, len(os.sched_getaffinity(0))))
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            futures = [(case, pool.submit(check, case)) for case in cases]
        for case, future in futures:
            with self.subTest(case=case):
                future.result()


def main():
    unittest.main()
