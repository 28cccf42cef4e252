"""An ensemble: every member equals a run of poise-train alone with the same options, bit by bit."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DONE, ENVIRONMENT, FAILED, REQUEUE, SOURCE, WORK, TrainingTest, ask_to_stop,
                      attributes, checkpoints, command, files, history, patience, train)

DESCENT = "-features whiten -dynamics descent -step_size 0.01 -time 0.1"
AT_ONCE = 1e-9  # seconds: a deadline that has passed after the first step
PATIENCE = 60


class Ensembles(TrainingTest):
    # ---- Starting ensembles ---------------------------------------------------------------------------------------

    def table(self, lines):
        """Writes a table of these members, a dictionary of options by name."""
        self.__class__.count += 1
        path = self.path(f"table{self.count}.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# members\n\n" + "".join(f"{name}: {options}\n" for name, options in lines.items()))
        return path

    def ensemble(self, lines, *options, ranks=4, group=2, code=DONE, run=None):
        """Runs an ensemble; returns the directory and the output."""
        run = run or self.new_run()
        done = train("-ensemble", self.table(lines), "-ensemble_ranks", group, "-data", self.regression, *options,
                     "-run", run, ranks=ranks)
        self.assertEqual(done.returncode, code, f"{done.stdout}\n{done.stderr}")
        self.assertEqual(os.path.exists(os.path.join(run, "DONE")), code == DONE)
        return run, done

    def start(self, lines, *options):
        """An ensemble of endless members on two groups of two ranks, once every group is past a few checkpoints."""
        run = self.new_run()
        process = subprocess.Popen(
            command(["-ensemble", self.table(lines), "-ensemble_ranks", 2, "-data", self.regression, *options, "-run",
                     run], 4), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.wait(lambda: len(self.under_way(run)) == 2)
        return run, process

    def wait(self, reached):
        limit = time.monotonic() + patience(PATIENCE)
        while not reached():
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.05)

    @staticmethod
    def newest_step(folder):
        if not os.path.isdir(os.path.join(folder, "checkpoints")):
            return 0
        return max((int(os.path.basename(path)[5:-3]) for path in checkpoints(folder)), default=0)

    def under_way(self, run):
        names = [name for name in os.listdir(run) if os.path.isdir(os.path.join(run, name))] if os.path.isdir(run) else []
        return [name for name in names if self.newest_step(os.path.join(run, name)) > 0]

    # ---- Files of ensembles ---------------------------------------------------------------------------------------

    @staticmethod
    def rows(run):
        """The columns of the table of results."""
        columns = {}
        with h5py.File(os.path.join(run, "ensemble.h5"), "r") as file:
            assert file.attrs["schema"] == "poise-runs-1"
            file["runs"].visititems(
                lambda name, item: columns.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None)
        return {name: [value.decode() if isinstance(value, bytes) else value for value in values]
                for name, values in columns.items()}

    def statuses(self, run):
        rows = self.rows(run)
        return dict(zip(rows["name"], rows["status"]))

    def log(self, run, name):
        with open(os.path.join(run, name, "log.txt"), encoding="utf-8") as file:
            return file.read()

    def assert_same_run(self, run, other):
        """History and checkpoints, bit by bit."""
        self.assert_same_history(run, other)
        self.assertEqual(*[[os.path.basename(path) for path in checkpoints(folder)] for folder in (run, other)])
        for pair in zip(checkpoints(run), checkpoints(other)):
            left, right = (self.content(path) for path in pair)
            self.assertEqual(set(left), set(right))
            for name, values in left.items():
                np.testing.assert_array_equal(values, right[name], f"{pair}: {name}")

    @staticmethod
    def content(path):
        """Every data set and number of a checkpoint, without its options."""
        found = {}

        def add(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]
            if name != "config":
                found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
        with h5py.File(path, "r") as file:
            file.visititems(add)
        return found

    def alone(self, lines, name, *options, ranks):
        """Runs the same training without an ensemble."""
        return self.train("-data", self.regression, *options, *lines[name].split(), ranks=ranks)

    # ---- Tests ----------------------------------------------------------------------------------------------------

    def test_members_are_the_single_trainings_bit_by_bit(self):
        # A group of all ranks runs one member after the other: options, also of solvers, must not stay for the next member.
        lines = {"flow": "-time 0.3 -flow_ts_rtol 1e-5 -gamma 0.5",
                 "flow-2": "-time 0.3 -seed 3",
                 "batch": "-features whiten -dynamics descent -step_size 0.01 -batch 10 -epochs 2",
                 "tanh": "-model pointwise -weights spectral -width 8 -dynamics descent -method adam -step_size 0.01 "
                         "-steps 6 -eq_snes_type newtonls -eq_snes_rtol 1e-9",
                 "tanh-2": "-model pointwise -weights spectral -width 8 -dynamics descent -steps 6",
                 "file": f"-options_file {SOURCE}/petsc_opts/descent.opts -features whiten -steps 5"}
        compared = {1: ("flow", "batch"), 2: lines, 4: ("flow-2", "tanh-2", "file")}
        for group in (1, 2, 4):
            run, done = self.ensemble(lines, "-gamma", 0.7, "-checkpoint_every", 5, group=group)
            self.assertEqual(set(self.statuses(run).values()), {"done"})
            for name in compared[group]:
                with self.subTest(group=group, name=name):
                    member = os.path.join(run, name)
                    alone = self.alone(lines, name, "-gamma", 0.7, "-checkpoint_every", 5, ranks=group)
                    self.assert_same_run(member, alone)
                    self.assertEqual(attributes(member)["ranks"], group)
                    for file in ("options.txt", "DONE"):
                        self.assertTrue(os.path.exists(os.path.join(member, file)))
                    self.assertEqual(self.config(member), self.config(alone))
                    self.assertEqual(done.stdout.count(f"done     {name}: "), 1)
                    self.assertIn(f"run       {member}", self.log(run, name))
            self.assertNotIn("audit", done.stdout)
            rows = self.rows(run)
            self.assertEqual(rows["gamma"], [0.5] + 5 * [0.7])
            self.assertEqual(rows["options/flow_ts_rtol"], ["1e-05"] + 5 * [""])
            self.assertEqual(rows["last/loss"], [history(os.path.join(run, name))["loss"][-1] for name in rows["name"]])

    @staticmethod
    def config(run):
        with h5py.File(os.path.join(run, "run.h5"), "r") as file:
            return {name: value for name, value in file["config"].attrs.items() if name != "run"}

    def test_a_member_that_fails_leaves_the_others_alone(self):
        damaged = self.path("damaged.h5")
        shutil.copy(self.regression, damaged)
        with h5py.File(damaged, "r+") as file:
            file["features"][3, 0] = np.nan
        lines = {"good": DESCENT,
                 "diverges": "-model pointwise -weights free -width 12 -dynamics descent -activation identity "
                             "-step_size 0.6 -steps 300",
                 "no-equilibrium": "-model pointwise -weights free -width 12 -dynamics descent -init_scale_a 8",
                 "bound": "-dynamics descent -step_size 0.5 -time 20",
                 "bad-data": f"-data {damaged} {DESCENT}",
                 "misspelt": f"-eq_snes_rtoll 1e-3 -objective equilibrium {DESCENT}",
                 "good-2": f"{DESCENT} -seed 1"}
        every = ("-checkpoint_every", 50)
        run, done = self.ensemble(lines, *every, code=FAILED)
        failed = [name for name in lines if not name.startswith("good")]
        self.assertEqual(self.statuses(run), {name: "failed" if name in failed else "done" for name in lines})
        messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
        self.assertEqual(len(messages), 1, done.stderr)
        self.assertIn(f"failed: {', '.join(failed)};", messages[0])
        rows = self.rows(run)
        for name, words in {"diverges": "last good parameters are in", "no-equilibrium": "eq_newton_", "bound": "bound",
                            "bad-data": "row 3, column 0", "misspelt": "the nearest is -eq_snes_rtol"}.items():
            self.assertIn(words, rows["error"][rows["name"].index(name)])
            self.assertIn(f"failed   {name}: ", done.stdout)
            self.assertIn("poise: error: ", self.log(run, name))
        self.assertFalse(os.path.exists(os.path.join(run, "misspelt", "run.h5")))
        for name in ("good", "good-2", "diverges"):
            member = os.path.join(run, name)
            code = FAILED if name in failed else DONE
            alone = self.train("-data", self.regression, *every, *lines[name].split(), ranks=2, code=code)
            self.assert_same_run(member, alone)  # also the last good parameters
        self.gather(run, len(lines))
        self.retry(run, lines, damaged)

    def gather(self, run, count):
        """gather_runs.py, made for the runs of an array, reads the folder of an ensemble."""
        script = os.path.join(SOURCE, "apps", "gather_runs.py")
        done = subprocess.run([sys.executable, script, run], capture_output=True, text=True,
                              timeout=patience(100), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("not done: bad-data (no run.h5), bound, diverges, misspelt (no run.h5), no-equilibrium; ",
                      done.stderr)
        self.assertIn(f"{count} runs, 2 of them done", done.stdout)
        with h5py.File(os.path.join(run, "runs.h5"), "r") as gathered, \
                h5py.File(os.path.join(run, "ensemble.h5"), "r") as own:
            ours, theirs = set(), set()
            own["runs"].visit(ours.add)
            gathered["runs"].visit(theirs.add)
            self.assertLessEqual(theirs, ours)
            place = {name: k for k, name in enumerate(own["runs/name"][:])}
            names = gathered["runs/name"][:]
            self.assertEqual(list(names), sorted(place))
            there = ~np.isin(names, [b"misspelt", b"bad-data"])
            for name in ("done", "seed", "gamma", "m", "q", "parameters", "ranks", "last/loss", "last/wall_seconds"):
                values = gathered["runs"][name][:]
                theirs = own["runs"][name][:][[place[n] for n in names]]
                np.testing.assert_array_equal(theirs[there], values[there], name)
                np.testing.assert_array_equal(values[~there], 0 if name == "done" else np.nan, name)

    def retry(self, run, lines, damaged):
        """Failed members are tried again, finished members stay as they are."""
        good = {name: files(os.path.join(run, name)) for name in ("good", "good-2")}
        shutil.copy(self.regression, damaged)
        run, done = self.ensemble(lines, "-resume", run=run, code=FAILED)
        self.assertIn("2 members done already", done.stdout)
        self.assertEqual({name for name, status in self.statuses(run).items() if status == "done"},
                         {"good", "good-2", "bad-data"})
        for name, before in good.items():
            self.assertEqual(files(os.path.join(run, name)), before)
        lines = {name: lines[name] for name in ("good", "bad-data", "good-2")}
        run, _ = self.ensemble(lines, "-resume", run=run)
        self.assertEqual(set(self.statuses(run).values()), {"done"})

    def test_results_stand_beside_the_options_that_they_were_made_with(self):
        short = DESCENT.removesuffix(" -time 0.1")
        lines = {"a": f"{short} -seed 1", "b": f"{short} -seed 2 -gamma 0.5", "c": f"{short} -seed 3 -gamma 0.6"}
        run, _ = self.ensemble(lines, "-time", 0.05)
        before = self.rows(run)
        # For a finished run: different settings are refused, a later end continues it, and options that are left out keep their
        # values.
        lines["b"], lines["c"] = f"{short} -seed 7 -gamma 0.9", f"{short} -time 0.1"
        _, done = self.ensemble(lines, "-time", 0.05, "-resume", run=run, code=FAILED)
        self.assertIn("1 member done already", done.stdout)
        self.assertIn("option -seed is 7 but the run was made with 2", done.stdout)
        after = self.rows(run)
        self.assertEqual((after["status"], after["seed"]), (["done", "failed", "done"], [1, 2, 3]))
        self.assertEqual(after["gamma"], before["gamma"])
        self.assertEqual(after["last/loss"][:2], before["last/loss"][:2])
        np.testing.assert_allclose(after["last/t"], [0.05, 0.05, 0.1])
        self.assertTrue(all(seconds > 0 for seconds in after["seconds"]))
        self.assertEqual(after["seconds"][0], before["seconds"][0])

    def test_of_a_damaged_run_file_the_table_of_results_takes_nothing(self):
        run, _ = self.ensemble({"a": f"{DESCENT} -gamma 0.5"})
        path = os.path.join(run, "a", "run.h5")
        with open(path, "rb") as file:
            content = file.read()
        count = np.int64(attributes(os.path.join(run, "a"))["parameters"])
        self.assertIn(count.tobytes(), content)
        with open(path, "wb") as file:
            file.write(content.replace(count.tobytes(), (count + 1).tobytes()))
        _, done = self.ensemble({"a": f"{DESCENT} -gamma 0.5"}, "-resume", run=run, code=FAILED)
        self.assertIn("is damaged", done.stderr)
        rows = self.rows(run)
        self.assertEqual(rows["gamma"], [0.5])  # from the options
        np.testing.assert_array_equal(rows["parameters"], np.nan)

    def test_after_a_deadline_it_goes_on_on_other_ranks(self):
        lines = {f"seed-{seed}": f"{DESCENT} -checkpoint_every 5 -seed {seed}" for seed in range(5)}
        run, done = self.ensemble(lines, "-deadline", AT_ONCE, code=REQUEUE)
        # The first member of each group has made a step.
        self.assertEqual(list(self.statuses(run).values()), 2 * ["stopped"] + 3 * ["waiting"])
        self.assertIn("0 done, 2 stopped, 0 failed, 3 waiting", done.stdout)
        self.assertEqual(sorted(set(os.listdir(run)) - {"ensemble.h5", "ensemble.txt", "options.txt", ".lock"}),
                         ["seed-0", "seed-1"])
        for ranks, group, code in ((3, 3, REQUEUE), (2, 1, DONE)):
            self.ensemble(lines, "-resume", *(["-deadline", AT_ONCE] if code else []), run=run, ranks=ranks, group=group,
                          code=code)
        for name in lines:
            member, alone = os.path.join(run, name), self.alone(lines, name, ranks=1)
            if name in ("seed-3", "seed-4"):  # these two ran only in the last start, on one rank
                self.assert_same_run(member, alone)
            else:
                self.assert_same_history(member, alone, 1e-12, WORK)
                self.assert_same_parameters(member, alone, 1e-12)
        # A member is an ordinary run.
        member = os.path.join(run, "seed-4")
        self.train("-resume", "-time", 0.2, run=member)
        self.assertEqual(len(history(member)["step"]), 21)

    def test_a_signal_stops_all_that_run_and_they_go_on_bit_by_bit(self):
        lines = {f"gamma-{gamma}": f"-features whiten -dynamics descent -step_size 1e-5 -time 1e9 -gamma {gamma}"
                 for gamma in (0.3, 0.5, 0.7, 0.9)}
        run, process = self.start(lines, "-checkpoint_every", 50)
        ask_to_stop(process)
        output = process.communicate(timeout=patience(PATIENCE))
        self.assertEqual(process.returncode, REQUEUE, output)
        self.assertEqual(list(self.statuses(run).values()), 2 * ["stopped"] + 2 * ["waiting"])
        self.finish(lines, run)

    def test_what_was_killed_goes_on_bit_by_bit(self):
        lines = {f"gamma-{gamma}": f"-features whiten -dynamics descent -step_size 1e-5 -time 1e9 -gamma {gamma}"
                 for gamma in (0.3, 0.5, 0.7)}
        run, process = self.start(lines, "-checkpoint_every", 50)
        for rank in self.ranks(run):
            os.kill(rank, signal.SIGKILL)
        process.kill()
        process.communicate(timeout=patience(PATIENCE))
        self.wait(lambda: not self.ranks(run))
        self.finish(lines, run)
        self.assertEqual([name for name in os.listdir(run) if name.startswith(".")], [".lock"])

    @staticmethod
    def ranks(run):
        """Process ids of the ranks of an ensemble."""
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
                    words = file.read().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[0].endswith("poise-train") and run in words:
                found.append(int(process))
        return found

    def finish(self, lines, run):
        """Resumes endless members up to an end that no member has reached; each member equals an uninterrupted run."""
        steps = max(self.newest_step(os.path.join(run, name)) for name in lines) + 20
        options = ("-checkpoint_every", 50, "-steps", steps)
        self.ensemble(lines, "-resume", *options, run=run)
        for name in lines:
            member = os.path.join(run, name)
            self.assertEqual(history(member)["step"][-1], steps)
            alone = self.alone(lines, name, *options, ranks=2)
            self.assert_same_history(member, alone)
            self.assert_same_parameters(member, alone)

    def test_a_grid_is_an_ensemble_of_all_combinations(self):
        run = self.new_run()
        grid = ["-grid", "gamma=0.3,0.5 seed=0:2", "-ensemble_ranks", 2, "-data", self.regression, *DESCENT.split()]
        done = train(*grid, "-run", run, "-deadline", AT_ONCE, ranks=2)
        self.assertEqual(done.returncode, REQUEUE, done.stderr)
        self.assertIn(f"to go on: poise-train -run {run} -resume", done.stdout)
        lines = {f"gamma-{gamma}_seed-{seed}": f"-gamma {gamma} -seed {seed}" for gamma in (0.3, 0.5) for seed in (0, 1)}
        with open(os.path.join(run, "ensemble.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines(),
                             ['# -grid "gamma=0.3,0.5 seed=0:2"', *(f"{name}: {text}" for name, text in lines.items())])
        # That command is enough: the table and the options of all members are in the directory.
        done = train("-run", run, "-resume", ranks=2)
        self.assertEqual(done.returncode, DONE, done.stderr)
        for name in lines:
            self.assert_same_history(os.path.join(run, name), self.alone(lines, name, *DESCENT.split(), ranks=2))
        done = train(*grid, "-run", run, "-resume", ranks=2)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("4 members done already", done.stdout)
        self.rank(run, lines)

    def rank(self, run, lines):
        """gather_runs.py names the best run by any column."""
        script = os.path.join(SOURCE, "apps", "gather_runs.py")

        def gather(*options):
            return subprocess.run([sys.executable, script, run, *options], capture_output=True, text=True,
                                  timeout=patience(100), check=False)
        last = {name: {column: values[-1] for column, values in history(os.path.join(run, name)).items()} for name in lines}
        for column, greatest in (("loss", False), ("test_loss", False), ("lambda_min", True)):
            order = sorted(lines, key=lambda name: last[name][column], reverse=greatest)
            done = gather("--rank-by", column, *(["--order", "descending"] if greatest else []))
            self.assertEqual(done.returncode, DONE, done.stderr)
            rows = [line.split() for line in done.stdout.splitlines() if line.split()[-1:] and line.split()[-1] in lines]
            self.assertEqual([row[-1] for row in rows], order)
            self.assertEqual([row[0] for row in rows], ["1", "2", "3", "4"])
            self.assertIn(f"best: {os.path.join(run, order[0])} ({column} = {last[order[0]][column]:.6g})", done.stdout)
        done = gather("--rank-by", "test_los")
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("no column 'test_los'; did you mean 'test_loss'?", done.stderr)
        self.assertEqual(gather("--order", "descending").returncode, BAD_INPUT)
        self.assertIn("no run that is done has a number in 'test_accuracy'", gather("--rank-by", "test_accuracy").stderr)

    def test_a_grid_that_makes_no_sense_is_refused(self):
        for grid, words in (("gama=0.5", "option -gama is unknown, the nearest is -gamma"), ("gamma=", "'gamma=' has no values"),
                            ("gamma=0.5 gamma=0.6", "gamma is given twice"), ("gamma=0.5,0.5", "has the value 0.5 twice"),
                            ("gamma", "'gamma' is not NAME=VALUES"), ("seed=1 -gamma=0.5", "'-gamma=0.5' begins with a dash"),
                            ("seed=3:3", "the empty range 3:3"), ("seed=1,,2", "has an empty value"),
                            ("seed=0:200 gamma=0.1,0.2,0.3 train_samples=1:101", "60000 members are more than 10000"),
                            ("seed=0:1000000000000", "1000000000000 members are more than 10000"),
                            ("gamma=2", "-gamma: value '2' is not allowed"), ("run=a,b", "-run is not for a single member")):
            run = self.new_run()
            done = train("-grid", grid, "-data", self.regression, "-run", run, ranks=2)
            with self.subTest(grid=grid):
                self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stderr.count("poise: error:"), 1)
                self.assertFalse(os.path.exists(run))
        self.refuse("-data", self.regression, "-grid", "gamma=0.5", words=["-ensemble and -grid both give a table"])

    def refuse(self, *options, lines=None, words=(), ranks=1, run=None):
        run = run or self.new_run()
        table = ["-ensemble", self.table(lines or {"a": ""})]
        before = files(run)
        done = train(*table, "-run", run, *options, ranks=ranks)
        messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
        with self.subTest(options=options, lines=lines, messages=messages):
            self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
            self.assertEqual(len(messages), 1, done.stderr)
            for word in words:
                self.assertRegex(messages[0], word)
            self.assertEqual(files(run), before)
            self.assertTrue(before or not os.path.exists(run))

    def test_a_table_is_refused_before_anything_is_created(self):
        data = ("-data", self.regression)
        first = {"good": "-seed 1"}
        for line, words in (("-gama 0.5", "-gama is unknown, the nearest is -gamma"), ("-gamma x", "-gamma: value 'x'"),
                            ("-gamma 1.5", "-gamma: value '1.5'"), ("-batch 5", "-batch 5 does not go with -dynamics flow: leave it out, or give -dynamics descent"),
                            ("-run x", "-run is not for a single member"), ("-options_file none.opts", "none.opts"),
                            ("-grid_feature_ranks 2", "does not divide the 1 ranks of a member")):
            self.refuse(*data, lines={**first, "bad": line}, words=[r"table\d+\.txt:4", re.escape(words)])
        for line, words in ((f"-data {self.path('none.h5')}", "none.h5' does not exist"),
                            (f"-data {__file__}", "is not an HDF5 file"),
                            ("-loss cross_entropy", "the data have /targets, not /labels"),
                            ("-train_samples 1000000", "holds only"),
                            ("-objective equilibrium -dynamics descent -batch 1000000", "is larger than")):
            self.refuse(*data, lines={**first, "bad": line}, words=[r"table\d+\.txt:4", re.escape(words)], ranks=3)
        self.refuse(*data, lines={**first, "a/b": ""}, ranks=3, words=[r"table\d+\.txt:4", "a/b"])
        self.refuse(words=["-data FILE is missing"])
        self.refuse(*data, "-tme", 1, words=[r"-tme is unknown, the nearest is -time"])
        self.refuse(*data, "-ensemble_ranks", 2, ranks=3, words=["-ensemble_ranks 2 does not divide the 3 ranks"])
        self.refuse(*data, "-ensemble", self.path("none.txt"), words=["none.txt"])
        self.refuse(*data, "-resume", words=["there is no .*ensemble.txt"])
        done = train("-ensemble", self.table({"a": ""}), *data, "-resume", directory=self.scratch)
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
        self.assertIn("-resume needs the directory of the ensemble: give -run DIR", done.stderr)
        self.refuse(*data, "-ensemble", "", "-ensemble_ranks", 1, words=["-ensemble needs a value"])

    def test_a_folder_that_holds_runs_is_refused(self):
        lines = {"a": DESCENT}
        run, _ = self.ensemble(lines)
        data = ("-data", self.regression)
        self.refuse(*data, lines=lines, run=run, words=["already holds an ensemble", "-resume"])
        os.remove(os.path.join(run, "ensemble.txt"))
        self.refuse(*data, lines=lines, run=run, words=["/a already holds a run"])
        self.refuse(*data, lines=lines, run=os.path.join(run, "a"), words=["already holds a run"])


if __name__ == "__main__":
    unittest.main()
