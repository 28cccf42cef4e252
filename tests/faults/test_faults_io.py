"""Every read and write of one rank fails once. The run ends within seconds with a message, or the fault has no effect.
Saved files stay intact, and a resume without the fault gives the same results as an uninterrupted run.

POISE_FAULTS_ALL=1 tries every call; otherwise a sample with calls of every kind.
"""

import os
import shutil
import unittest

import h5py

from faults import FaultTest, spread, start
from training import BAD_INPUT, DATA, FAILED, TRAIN, checkpoints, files, history

SPECTRUM = os.environ.get("POISE_SPECTRUM", TRAIN.replace("poise-train", "poise-spectrum"))
AUDIT = os.environ.get("POISE_AUDIT", TRAIN.replace("poise-train", "poise-audit"))
ALL = "POISE_FAULTS_ALL" in os.environ
CAUSES = {"EIO": "Input/output error", "ENOSPC": "No space left on device"}

WRITES = {"write", "pwrite", "writev", "fallocate", "MPI_File_write_at", "MPI_File_write_at_all"}


def content(path):
    """Content of a checkpoint, without the settings that differ between these runs. (The bytes of the file also depend on
    the time of writing.)"""
    found = {}
    own = ("config@run", "config@steps", "config@resume", "@checksum", "@text_heaps")

    def add(name, item):
        found.update({f"{name}@{key}": str(value) for key, value in item.attrs.items() if f"{name}@{key}" not in own})
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with h5py.File(path, "r") as file:
        add("", file)
        file.visititems(add)
    return found


class Faults(FaultTest):
    """Lets the calls of a program fail one by one."""

    def cases(self, counts, most, path):
        """Faults for every kind of call on every rank; at most `most[rank]` calls of a kind fail."""
        found = []
        for rank, kinds in enumerate(counts):
            for call, number in kinds.items():
                if call in ("event", "new", "clock", "petsc_malloc", "MPI_Allreduce"):
                    continue
                chosen = spread(number, number if ALL else most[rank], seed=rank)
                found += [f"call={call} rank={rank} nth={nth} path={path} do=EIO" for nth in chosen]
                if call in WRITES:
                    few = spread(number, number if ALL else (most[rank] + 1) // 2, seed=rank + 10)
                    found += [f"call={call} rank={rank} nth={nth} path={path} do=ENOSPC" for nth in few]
                    if not call.startswith("MPI") and call != "fallocate":
                        found += [f"call={call} rank={rank} nth={nth} path={path} do=short" for nth in few]
        total = sum(sum(kinds.values()) for kinds in counts)
        print(f"{len(found)} faults in {total} calls", flush=True)
        return found

    def assert_met(self, ended, fault, path, same):
        """The program failed with a message that names the file, or the fault had no effect, which `same()` asserts."""
        if ended.code == 0:
            try:
                same()
            except AssertionError as error:
                self.tally("silent")
                raise AssertionError(f"{fault}: exit code 0, but {error}\n{ended.err}") from error
            self.tally("harmless")
            return
        self.assert_named(ended, fault, [os.path.basename(path)])
        cause = CAUSES.get(fault.split("do=")[1])
        if cause and "call=stat" not in fault:
            told = [text for text in ended.err.split("poise: error:")[1:] if cause.lower() in text.lower()]
            self.assertTrue(told, f"{fault}\n{ended.err}")


class Training(Faults):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = ["-data", cls.regression, "-features", "whiten", "-dynamics", "descent", "-step_size", 0.01,
                       "-time", 1, "-checkpoint_every", 1, "-checkpoint_keep", 0]
        cls.straight = cls.path("straight")
        ended = start(TRAIN, *cls.options, "-steps", 3, "-run", cls.straight)
        assert ended.code == 0, ended.err
        cls.saved = {os.path.basename(path): content(path) for path in checkpoints(cls.straight)}
        cls.states = set()

    def assert_nothing_lost(self, run, least):
        """There is a complete checkpoint per step, at least `least`, and they equal the checkpoints of the run without faults."""
        found = checkpoints(run) if os.path.isdir(os.path.join(run, "checkpoints")) else []
        names = [os.path.basename(path) for path in found]
        good = names == list(self.saved)[:len(names)] and len(names) >= least
        for path in found:
            try:
                same = content(path) == self.saved[os.path.basename(path)]
            except (OSError, KeyError):
                same = False
            good = good and same
        self.tally("lost", not good)
        self.assertTrue(good, f"{run}: {names}")
        return names

    def assert_goes_on(self, run, names):
        """Resumes the run, unless a run with the same files was resumed before."""
        if not names:
            return
        rows = len(history(run)["step"]) if os.path.exists(os.path.join(run, "run.h5")) else 0
        state = (tuple(names), rows, tuple(sorted(os.listdir(run))), tuple(sorted(os.listdir(run + "/checkpoints"))))
        if state in self.states:
            return
        self.states.add(state)
        ended = start(TRAIN, "-resume", "-steps", 3, "-run", run)
        self.assertEqual(ended.code, 0, f"{state}\n{ended.err}")
        self.assert_same_run(run)
        left = [name for name in os.listdir(run) + os.listdir(run + "/checkpoints") if name.endswith(".tmp")]
        self.assertEqual(left, [])

    def assert_same_run(self, run):
        self.assert_same_history(self.straight, run)
        self.assert_same_parameters(self.straight, run)
        self.assertTrue(os.path.exists(os.path.join(run, "DONE")))

    def check(self, fault, options, run, least):
        ended = self.inject(fault, TRAIN, *options, "-run", run)
        self.assert_met(ended, fault, os.path.basename(run), lambda: self.assert_same_run(run))
        names = self.assert_nothing_lost(run, least)
        if ended.code != 0:
            self.assert_goes_on(run, names)

    def test_every_call_of_a_run(self):
        options = [*self.options, "-steps", 3]
        folder = self.path("sweep")
        os.mkdir(folder)
        counts = self.counts(TRAIN, *options, "-run", os.path.join(folder, "counted"), path=folder)
        cases = self.cases(counts, [2, 2, 1], folder)
        self.in_parallel(lambda case: self.check(case[1], options, os.path.join(folder, f"run{case[0]}"), 0),
                         list(enumerate(cases)))

    def test_every_close_of_a_checkpoint(self):
        # A call fails at the end of a collective call: there ROMIO may leave other ranks waiting.
        options = [*self.options, "-steps", 3]
        path = ".step-00000001.h5.tmp"
        counts = self.counts(TRAIN, *options, "-run", self.new_run(), path=path)
        cases = [f"call=close rank={rank} nth={nth} path={path} do=EIO" for rank in range(3)
                 for nth in range(1, counts[rank]["close"] + 1)]
        self.assertGreater(len(cases), 6)
        self.in_parallel(lambda case: self.check(case[1], options, self.path(f"close{case[0]}"), 1),
                         list(enumerate(cases)))

    def test_every_call_of_a_resume(self):
        whole = self.train(*self.options, "-steps", 2, ranks=3)
        folder = self.path("resumes")
        os.mkdir(folder)

        def copy(name):
            return shutil.copytree(whole, os.path.join(folder, name))

        options = ["-resume", "-steps", 3]
        counts = self.counts(TRAIN, *options, "-run", copy("counted"), path=folder)
        cases = self.cases(counts, [1, 1, 1], folder)
        self.in_parallel(lambda case: self.check(case[1], options, copy(f"run{case[0]}"), 3), list(enumerate(cases)))

    def test_a_run_that_cannot_save_records_no_point_that_it_does_not_save(self):
        run = self.new_run()
        options = [*self.options, "-checkpoint_every", 2, "-audit_every", 100, "-steps", 3, "-run", run]
        ended = self.inject("call=open rank=0 nth=1 path=.step-00000002.h5.tmp do=EIO", TRAIN, *options)
        self.assertEqual(ended.code, FAILED, ended.err)
        straight, rows = history(self.straight), history(run)
        for column in ("step", "loss", "grad_norm", "bound"):
            for step, value in zip(rows["step"], rows[column]):
                self.assertEqual(value, straight[column][int(step)], f"{column} of step {step}")
        self.assertEqual(os.path.basename(checkpoints(run)[-1]), "step-00000001.h5")

    def test_a_run_that_cannot_be_seen_is_not_written_over(self):
        run = self.train(*self.options, "-steps", 1, ranks=3)
        def held():
            return {name: content for name, content in files(run).items() if name != ".lock"}

        before = held()
        counts = self.counts(TRAIN, *self.options, "-steps", 1, "-run", run, path=run, code=BAD_INPUT)
        for fault in self.cases(counts, [9, 1, 1], run):
            ended = self.inject(fault, TRAIN, *self.options, "-steps", 1, "-run", run)
            self.assert_named(ended, fault, [os.path.basename(run)])
            self.tally("lost", held() != before)
            self.assertEqual(held(), before, fault)

    def test_every_call_on_the_data_file(self):
        options = [*self.options, "-steps", 3]
        counts = self.counts(TRAIN, *options, "-run", self.new_run(), path=self.regression)
        cases = self.cases(counts, [1, 2, 1], self.regression)

        def check(case):
            run = self.path(f"data{case[0]}")
            ended = self.inject(case[1], TRAIN, *options, "-run", run)
            self.assert_met(ended, case[1], self.regression, lambda: self.assert_same_run(run))

        self.in_parallel(check, list(enumerate(cases)))


class Programs(Faults):
    """The other programs: they read runs and data files, and write data files."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_directory = cls.path("watched")
        ended = start(TRAIN, "-data", cls.regression, "-features", "whiten", "-dynamics", "descent", "-step_size", 0.01,
                      "-steps", 2, "-checkpoint_every", 1, "-run", cls.run_directory)
        assert ended.code == 0, ended.err

    def sweep(self, program, options, path, most):
        sound = start(program, *options)
        self.assertEqual(sound.code, 0, sound.err)

        def check(fault):
            ended = self.inject(fault, program, *options)
            # An audit goes on and reports the file as a claim that does not hold.
            denied = [line for line in ended.out.splitlines() if "NO:" in line and ".h5" in line]
            if program == AUDIT and denied:
                self.assertEqual(ended.code, FAILED, fault)
                return
            if program == AUDIT and "(run.h5 cannot be read)" in ended.out:  # the claims do not need run.h5
                self.assertEqual(ended.out.splitlines()[1:], sound.out.splitlines()[1:], fault)
                return
            self.assert_met(ended, fault, path, lambda: self.assertEqual(ended.out, sound.out))

        self.in_parallel(check, self.cases(self.counts(program, *options, path=path), most, path))

    def test_every_call_of_poise_spectrum_on_a_run(self):
        # With -step: otherwise the program would take the checkpoint before, with a warning.
        self.sweep(SPECTRUM, ["-run", self.run_directory, "-step", 2], self.run_directory, [1, 2, 1])

    def test_every_call_of_poise_audit_on_a_run(self):
        self.sweep(AUDIT, ["-run", self.run_directory, "-replay_steps", 2], self.run_directory, [1, 2, 1])

    def test_every_call_of_poise_data_on_what_it_writes(self):
        options = ["synthetic", "-samples", 60, "-inputs", 5, "-outputs", 2, "-test_samples", 9, "-out"]
        folder = self.path("written")
        os.mkdir(folder)
        sound = os.path.join(folder, "sound.h5")
        cases = self.cases(self.counts(DATA, *options, sound, path=folder), [1, 2, 1], folder)

        def check(case):
            out = os.path.join(folder, f"data{case[0]}.h5")
            ended = self.inject(case[1], DATA, *options, out)
            self.assert_met(ended, case[1], out, lambda: self.assertEqual(content(out), named(out)))
            # The file is complete or missing, and remaining files do not block the next start.
            whole = not os.path.exists(out) or content(out) == named(out)
            self.tally("lost", not whole)
            self.assertTrue(whole, case[1])
            again = start(DATA, *options, out, "-force", "true")
            self.assertEqual(again.code, 0, again.err)
            self.assertEqual(content(out), named(out))
            self.assertFalse(os.path.exists(out + ".tmp"))

        def named(out):
            return {**content(sound), "@name": os.path.basename(out)[:-3]}

        self.in_parallel(check, list(enumerate(cases)))


if __name__ == "__main__":
    unittest.main()
