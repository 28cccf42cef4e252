"""Shared by the tests with faults: programs whose calls are made to fail, and checks of how they end.

The library that makes the faults is described in fault_plan.hpp.
"""

import collections
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "invariants"))

from training import ENVIRONMENT, MPIEXEC, SOURCE, TrainingTest, patience, preloading  # noqa: E402

LIBRARY = os.environ.get("POISE_FAULTS", os.path.join(SOURCE, "build", "tests", "libpoise_faults.so"))
HANG = patience(40)  # seconds; these programs take at most 2 s on a quiet machine
AT_ONCE = 2  # programs at a time
SEED = 1

Ended = collections.namedtuple("Ended", "code out err seconds faults hung")


def start(program, *options, ranks=3, fault="", log="", count="", limit=HANG):
    """Runs a program with a fault; its processes do not outlive `limit` seconds."""
    environment = ["env", preloading(LIBRARY), f"POISE_FAULT={fault}", f"POISE_FAULT_LOG={log}",
                   f"POISE_FAULT_COUNT={count}"]
    command = [MPIEXEC, "-n", str(ranks), *environment, program, *map(str, options)]
    begin = time.monotonic()
    # All ranks need time to write their counts, also if the program ends with an error.
    patience = {"OMPI_MCA_odls_base_sigkill_timeout": "10"} if count else {}
    process = subprocess.Popen(command, env={**ENVIRONMENT, **patience}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        out, err = process.communicate(timeout=limit)
        hung = False
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGTERM)  # mpiexec ends its ranks
        try:
            out, err = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        hung = True
    faults = []
    if log and os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            faults = file.read().splitlines()
    return Ended(process.returncode, out, err, time.monotonic() - begin, faults, hung)


def spread(count, most, seed=SEED):
    """At most `most` of the numbers from 1 to `count`: one from each of `most` equal parts, or all if `count` is small."""
    if count <= most:
        return list(range(1, count + 1))
    generator = random.Random(seed)
    edges = [i * count // most for i in range(most + 1)]
    return [generator.randint(low + 1, high) for low, high in zip(edges, edges[1:])]


def messages(ended):
    return [line for line in ended.err.splitlines() if "poise: error:" in line]


class FaultTest(TrainingTest):
    """Runs with faults. Prints totals at the end of a file; a test fails if the program did not react to a fault as it
    should."""

    totals = collections.Counter()
    lock = threading.Lock()  # cases run in threads

    @classmethod
    def new_run(cls):
        with cls.lock:
            return super().new_run()

    @classmethod
    def tally(cls, name, number=1):
        with cls.lock:
            cls.totals[name] += number

    @classmethod
    def tearDownClass(cls):
        kinds = {name: number for name, number in sorted(cls.totals.items()) if name.startswith("fault ")}
        print("".join(f"{name[6:]}: {number}, " for name, number in kinds.items()), file=sys.stderr)
        print(f"{cls.__name__}: faults injected: {sum(kinds.values())}, hangs: {cls.totals['hang']}, "
              f"lost: {cls.totals['lost']}, silent: {cls.totals['silent']}, harmless: {cls.totals['harmless']}",
              file=sys.stderr)
        super().tearDownClass()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.totals = collections.Counter()

    def counts(self, program, *options, path="", event="", ranks=3, code=0):
        """Number of calls of each kind, by rank: a list of dictionaries."""
        prefix = self.new_run() + ".count"
        fault = f"path={path} " * bool(path) + f"event={event}" * bool(event)
        ended = start(program, *options, ranks=ranks, fault=fault, count=prefix)
        self.assertEqual(ended.code, code, ended.err)
        found = []
        for rank in range(ranks):
            with open(f"{prefix}.{rank}", encoding="utf-8") as file:
                found.append({name: int(number) for name, number in map(str.split, file)})
        return found

    def inject(self, fault, program, *options, ranks=3):
        """Runs a program with the fault. Fails if the fault did not happen, or if the program hangs."""
        ended = start(program, *options, ranks=ranks, fault=fault, log=self.new_run() + ".log")
        self.tally("hang", ended.hung)
        self.assertFalse(ended.hung, f"{fault}: hung\n{ended.err}")
        self.assertTrue(ended.faults, f"{fault}: there was no fault\n{ended.err}")
        self.tally("fault " + " ".join(word for word in fault.split() if word[:4] in ("call", "do=E", "do=t", "do=s")))
        return ended

    def assert_named(self, ended, fault, words=()):
        """The program failed, with a message that has all `words`."""
        silent = ended.code == 0 or not messages(ended)
        self.tally("silent", silent)
        self.assertFalse(silent, f"{fault}: exit code {ended.code}\n{ended.out}\n{ended.err}")
        for word in words:
            self.assertIn(word, ended.err, fault)

    def in_parallel(self, check, cases):
        """Calls `check(case)` for all cases, some at a time; each case is a subtest."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for case, future in [(case, pool.submit(check, case)) for case in cases]:
                with self.subTest(case=case):
                    future.result()
