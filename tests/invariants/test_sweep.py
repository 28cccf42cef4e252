"""poise-sweep: the same table on any number of ranks, bounds that hold for every width, failures with names."""

import glob
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DIGITS, DONE, ENVIRONMENT, FAILED, MPIEXEC, REQUEUE, SOURCE, StudyProcess, files,
                      finished_members, patience)

SWEEP = os.environ.get("POISE_SWEEP", os.path.join(SOURCE, "build", "apps", "poise-sweep"))
PLOT = os.path.join(SOURCE, "apps", "plot_run.py")

# Columns that are not results: the group and the time of a member.
WORK = {"seconds", "group"}
# Sums over two ranks are in a different order. The numbers that end a run change by less than this.
RANKS_OF_A_MEMBER = 1e-6

SMALL = ["-data", DIGITS, "-train_samples", 120]
WIDTH = [*SMALL, "-study", "width", "-widths", "2,5", "-gammas", "0.3,0.8", "-init_scales", "0.1,2", "-seeds", 1]
STEPS = [*SMALL, "-study", "step_size", "-widths", 5, "-features", "random_relu", "-step_factors", "0.5,0.9,3",
         "-bisections", 4, "-target", 0.05, "-steps", 200]
INEXACT = [*SMALL, "-study", "inexact", "-widths", 5, "-tolerances", "1e-6,0.1", "-terms", "1,4", "-steps", 60]
DEPTH = [*SMALL, "-study", "depth", "-widths", 5, "-gammas", "0.5,0.8", "-depths", "1,4,16", "-time", 0.5]
STUDIES = {"width": WIDTH, "step_size": STEPS, "inexact": INEXACT, "depth": DEPTH}


def sweep(*options, ranks=1):
    return subprocess.run([MPIEXEC, "-n", str(ranks), SWEEP, *map(str, options)],
                          capture_output=True, text=True, timeout=patience(150), env=ENVIRONMENT)


def columns(run):
    with h5py.File(os.path.join(run, "sweep.h5"), "r") as file:
        return {name: values[:] for name, values in file["members"].items()}


class SweepTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.count = 0

    @classmethod
    def new_run(cls):
        cls.count += 1
        return os.path.join(cls.scratch, f"sweep{cls.count}")

    def sweep(self, *options, ranks=2, code=DONE):
        """Runs a sweep in a new directory; returns the directory and the output."""
        run = self.new_run()
        done = sweep(*options, "-run", run, ranks=ranks)
        self.assertEqual(done.returncode, code, f"{options} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return run, done.stdout

    def assert_same(self, run, other, tolerance=0.0):
        left, right = columns(run), columns(other)
        self.assertEqual(set(left), set(right))
        for name in set(left) - WORK:
            np.testing.assert_allclose(left[name], right[name], rtol=tolerance, atol=0, err_msg=name)


class Ranks(SweepTest):
    def test_the_table_does_not_depend_on_the_ranks(self):
        for name, options in STUDIES.items():
            reference, text = self.sweep(*options, ranks=1)
            for ranks in (2, 3, 4):
                with self.subTest(study=name, ranks=ranks):
                    run, other = self.sweep(*options, ranks=ranks)
                    self.assert_same(reference, run)
                    self.assertEqual(text.splitlines()[-1], other.splitlines()[-1])
                    groups = columns(run)["group"]
                    self.assertEqual(set(groups), set(range(min(ranks, len(groups)))))

    def test_members_on_two_ranks_agree_with_those_on_one(self):
        one, _ = self.sweep(*WIDTH, ranks=2)
        for ranks in (2, 4):
            two, _ = self.sweep(*WIDTH, "-member_ranks", 2, ranks=ranks)
            self.assert_same(one, two, RANKS_OF_A_MEMBER)

    def test_options_txt_repeats_the_sweep(self):
        run, _ = self.sweep(*DEPTH)
        again, _ = self.sweep("-options_file", os.path.join(run, "options.txt"))
        self.assert_same(run, again)


class Studies(SweepTest):
    def test_every_width_reaches_the_optimum_within_the_bounds(self):
        run, text = self.sweep("-data", DIGITS, "-study", "width", "-widths", "2,4,8,16", "-gammas", "0.1,0.9",
                               "-init_scales", "0.1,3", "-seeds", 1)
        table = columns(run)
        self.assertEqual(len(table["m"]), 16)
        self.assertTrue((table["reached"] == 1).all())
        self.assertTrue((table["violations"] == 0).all())
        self.assertTrue((table["tightness"] >= 1).all() and (table["tightness_integrated"] >= 1).all())
        self.assertTrue((table["lambda_T"] >= table["lambda_floor"]).all())
        np.testing.assert_allclose(table["lambda_floor"], 1 / (table["m"] * (1 + table["gamma"]) ** 2), rtol=1e-14)
        self.assertTrue((table["m"] < table["q"]).any() and (table["m"] < table["n"]).all())
        self.assertEqual(text.splitlines()[-1], "verdict: 16 of 16 members reached L*, 0 bounds violated")

    def test_the_rate_holds_below_the_limits_and_not_far_above(self):
        run, _ = self.sweep(*STEPS)
        table = columns(run)
        below = table["over_guaranteed"] < 1
        above = (table["over_local"] >= 2) & (table["base"] < 2)
        self.assertTrue((table["held"][below] == 1).all() and below.sum() >= 4)
        self.assertTrue((table["held"][above] == 0).all() and above.sum() >= 2)
        self.assertTrue((table["factor_checks"][below] > 0).all())
        self.assertTrue((table["factor_violations"] == 0).all())
        self.assertTrue((table["guaranteed"] <= table["local"] * (1 + 1e-7)).all())
        found = table["base"] == 2
        self.assertEqual(found.sum(), 1)
        self.assertEqual(table["held"][found][0], 1)
        self.assertTrue(0.5 < table["over_local"][found][0] < 2)

    def test_without_bisections_nothing_is_searched(self):
        run, _ = self.sweep(*STEPS, "-bisections", 0)
        self.assertEqual(set(columns(run)["base"]), {0.0, 1.0})

    def test_gradients_are_as_inexact_as_asked_for(self):
        table = columns(self.sweep(*INEXACT)[0])
        error = {(kind, value): e for kind, value, e in zip(table["kind"], table["value"], table["gradient_error"])}
        self.assertLess(error[0, 0], 1e-11)
        self.assertLess(error[1, 1e-6], 1e-3)
        self.assertGreater(error[1, 0.1], 10 * error[1, 1e-6])
        self.assertGreater(error[2, 1], 3 * error[2, 4])
        exact = table["kind"] == 0
        self.assertEqual(table["rate_relative"][exact][0], 1.0)
        self.assertEqual(table["held"][exact][0], 1.0)
        self.assertTrue(np.isfinite(table["rate_relative"]).all())

    def test_depth_converges_like_gamma_to_its_power(self):
        table = columns(self.sweep(*DEPTH)[0])
        self.assertTrue((table["violations"] == 0).all())
        self.assertTrue((table["weight_error"] <= table["weight_bound"]).all())
        np.testing.assert_allclose(table["weight_bound"], table["gamma"] ** table["depth"], rtol=1e-14)
        deep = table["depth"] == 16
        # All other eigenvalues of S are far below its largest eigenvalue, 1: after 16 layers they no longer count.
        np.testing.assert_allclose(table["weight_ratio"][deep], table["gamma"][deep], rtol=1e-3)
        for gamma in (0.5, 0.8):
            chosen = table["gamma"] == gamma
            for name in ("loss_error", "gradient_error", "theta_distance"):
                self.assertTrue((np.diff(table[name][chosen]) < 0).all(), name)

    def test_the_columns_name_their_dimension(self):
        run, _ = self.sweep(*DEPTH)
        with h5py.File(os.path.join(run, "sweep.h5"), "r") as file:
            np.testing.assert_array_equal(file["member"][:], np.arange(6))
            for values in file["members"].values():
                self.assertEqual([dimension[0].name for dimension in values.dims], ["/member"])

    def test_options_files_run_on_two_ranks(self):
        files = sorted(glob.glob(os.path.join(SOURCE, "petsc_opts", "sweep_*.opts")))
        self.assertEqual([os.path.basename(name) for name in files],
                         [f"sweep_{study}.opts" for study in sorted(STUDIES)])
        for name in files:
            with self.subTest(file=name):
                self.sweep("-options_file", name, "-data", DIGITS, "-seeds", 1, "-train_samples", 100, "-steps", 300)


class Restarts(SweepTest):
    """12 members of 0.1 to 0.5 s."""
    options = ["-data", DIGITS, "-study", "width", "-widths", "8,16", "-gammas", 0.9, "-init_scales", "0.1,2", "-seeds", 3]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.straight = cls.new_run()
        done = sweep(*cls.options, "-run", cls.straight, ranks=2)
        assert done.returncode == DONE, done.stdout + done.stderr
        assert sorted(files(cls.straight)) == [".lock", "options.txt", "sweep.h5"]

    def begin(self, members):
        """A sweep of which so many members have ended."""
        study = StudyProcess(SWEEP, *self.options, "-run", self.new_run())
        self.addCleanup(study.process.kill)
        study.wait_for(members)
        return study

    def resume(self, run, *options, ranks=2, code=DONE):
        done = sweep("-run", run, "-resume", *options, ranks=ranks)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_a_killed_sweep_goes_on_to_the_table_of_the_straight_one(self):
        choose = random.Random()
        study = self.begin(choose.randint(1, 5))
        study.kill()
        kept = len(finished_members(study.run))
        self.assertFalse(os.path.exists(os.path.join(study.run, "sweep.h5")))
        with open(finished_members(study.run)[0], encoding="ascii") as file:
            member = file.read().splitlines()[2].removeprefix("member ")
        again = StudyProcess(SWEEP, "-run", study.run, "-resume")
        again.wait_for(choose.randint(kept + 1, kept + 3))
        again.kill()
        self.assertGreater(len(finished_members(study.run)), kept)
        done = self.resume(study.run)
        self.assertIn("members done already", done.stdout)
        self.assertNotIn(f"done     {member}:", done.stdout)
        self.assert_same(self.straight, study.run)
        self.assertEqual(sorted(files(study.run)), [".lock", "options.txt", "sweep.h5"])
        self.assertIn("all members of the study are done", self.resume(study.run, ranks=1).stdout)

    def test_a_signal_stops_a_sweep_and_its_message_says_how_to_go_on(self):
        study = self.begin(1)
        code, text = study.stop()
        self.assertEqual(code, REQUEUE, text)
        kept = len(finished_members(study.run))
        self.assertTrue(1 <= kept < 12)
        self.assertIn(f"to go on: poise-sweep -run {study.run} -resume", text)
        self.assertRegex(text, rf"\n{kept} done, \d stopped, 0 failed, \d+ waiting")
        self.assertEqual(text.count("done     width = "), kept)
        self.resume(study.run, ranks=3)
        self.assert_same(self.straight, study.run)

    def test_at_the_deadline_every_group_ends_its_first_member(self):
        run = self.new_run()
        for kept in (2, 4):
            done = sweep(*(["-run", run, "-resume"] if kept > 2 else [*self.options, "-run", run]), "-deadline", 1e-9, ranks=2)
            self.assertEqual(done.returncode, REQUEUE, done.stdout + done.stderr)
            self.assertEqual(len(finished_members(run)), kept)
        self.resume(run)
        self.assert_same(self.straight, run)

    def test_a_damaged_result_is_named_and_computed_again(self):
        run = self.new_run()
        self.assertEqual(sweep(*self.options, "-run", run, "-deadline", 1e-9, ranks=2).returncode, REQUEUE)
        short, changed = finished_members(run)
        with open(short, "r+b") as file:
            file.truncate(100)
        with open(changed, "r+b") as file:
            content = file.read()
            file.seek(content.index(b"values"))
            file.write(content[file.tell():].replace(b"0", b"1", 1))
        done = self.resume(run)
        for path in (short, changed):
            self.assertIn(f"{path} is damaged", done.stderr)
        self.assert_same(self.straight, run)

    def test_other_options_and_other_samples_are_refused(self):
        data = os.path.join(self.scratch, "data.h5")
        shutil.copy(DIGITS, data)
        run = self.new_run()
        options = [*WIDTH, "-data", data, "-flow_ts_rtol", "1e-6", "-log_view", f":{self.scratch}/log"]
        self.assertEqual(sweep(*options, "-run", run, "-deadline", 1e-9, ranks=2).returncode, REQUEUE)
        before = files(run)
        moved = os.path.join(self.scratch, "moved.h5")
        os.rename(data, moved)
        for given, words in ((["-widths", "2,4"], ["-widths is 2,4", "2,5"]),
                             (["-study", "depth"], ["-study is depth", "width"]),
                             (["-features_constant", "no"], ["-features_constant is no", "true"]),
                             (["-flow_ts_rtol", "1e-5"], ["-flow_ts_rtol is 1e-5", "1e-6"]),
                             (["-flow_ts_atol", "1e-5"], ["-flow_ts_atol is 1e-5", "not given"]),
                             (["-sed", "1"], ["-sed is unknown", "-seed"])):
            done = sweep("-run", run, "-resume", "-data", moved, *given, ranks=2)
            self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
        with h5py.File(moved, "r+") as file:
            file["features"][3, 5] += 1
        done = sweep("-run", run, "-resume", "-data", moved, ranks=2)
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
        self.assertIn("was made with other samples or options", done.stderr)
        with h5py.File(moved, "r+") as file:
            file["features"][3, 5] -= 1
        self.assertEqual({name: text for name, text in files(run).items() if name != "options.txt"},
                         {name: text for name, text in before.items() if name != "options.txt"})
        # The same values in other words, and options that results do not depend on.
        self.resume(run, "-data", moved, "-init_scale_b", "1.0", "-flow_ts_rtol", "0.000001", "-features_constant",
                    "-member_ranks", 2)

    def test_a_study_in_progress_is_not_begun_anew_and_no_other_program_takes_it(self):
        run = self.new_run()
        self.assertEqual(sweep(*self.options, "-run", run, "-deadline", 1e-9, ranks=2).returncode, REQUEUE)
        done = sweep(*self.options, "-run", run)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("already holds a study (members): go on with it by -resume", done.stderr)
        done = sweep("-resume", "-run", os.path.join(self.scratch, "nowhere"))
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("nowhere/options.txt", done.stderr)


class Failures(SweepTest):
    def refuse(self, *options, words, run=None, ranks=(1, 3)):
        run = run or self.new_run()
        for count in ranks:
            done = sweep(*options, "-run", run, ranks=count)
            messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
            with self.subTest(options=options, ranks=count, messages=messages):
                self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
                self.assertEqual(len(messages), 1, done.stderr)
                for word in words:
                    self.assertIn(word, messages[0])

    def test_bad_input_is_refused_before_anything_runs(self):
        cases = [
            (["-study", "depths"], ["-study", "did you mean 'depth'"]),
            (["-widths", ""], ["-widths needs a value"]),
            (["-widths", ","], ["-widths", "'' is no number"]),
            (["-widths", "2,x"], ["-widths", "'x' is no number"]),
            (["-widths", "2.5"], ["-widths", "2.5 is not allowed"]),
            (["-widths", "2,2"], ["-widths", "2 is given twice"]),
            (["-widths", "1"], ["-widths 1", "constant"]),
            (["-widths", "66"], ["-widths 66", "64 inputs"]),
            (["-widths", "4", "-features", "identity"], ["-widths 4", "identity"]),
            (["-features_width", "4"], ["-features_width", "-widths"]),
            (["-gammas", "0.5,1"], ["-gammas", "1 is not allowed"]),
            (["-init_scales", "-1"], ["-init_scales", "-1 is not allowed"]),
            (["-study", "depth", "-depths", "0"], ["-depths", "0 is not allowed"]),
            (["-study", "inexact", "-tolerances", ","], ["-tolerances"]),
            (["-study", "step_size", "-step_factors", "0"], ["-step_factors"]),
            (["-depths", "1,2"], ["-depths 1,2 does not go with -study width: leave it out, or give -study depth"]),
            (["-gamas", "0.5"], ["-gamas is unknown", "-gammas"]),
            (["-widths", "4", "-flow_ts_rtoll", "1e-3"], ["-flow_ts_rtoll", "-flow_ts_rtol"]),
            (["-data", "nowhere.h5"], ["nowhere.h5", "looked for from", "give -data FILE"]),
            (["-data", ""], ["-data needs a value"]),
        ]
        for options, words in cases:
            run = self.new_run()
            self.refuse(*SMALL, *options, words=words, run=run, ranks=(2,))
            self.assertFalse(os.path.exists(run))
        self.refuse(*WIDTH, "-member_ranks", 2, words=["-member_ranks 2", "does not divide"], ranks=(1, 3))

    def test_a_directory_with_results_is_not_overwritten(self):
        run, _ = self.sweep(*DEPTH)
        before = columns(run)["seconds"]
        self.refuse(*DEPTH, words=["already holds a study", "sweep.h5"], run=run)
        np.testing.assert_array_equal(columns(run)["seconds"], before)

    def test_a_failed_member_is_named_and_the_others_finish(self):
        # The digits vary in 55 directions, so a width of 60 is possible for the inputs, but not for the data.
        for ranks in (1, 2):
            run, text = self.sweep(*SMALL, "-widths", "4,60", "-gammas", 0.5, "-init_scales", 1, "-seeds", 2,
                                   ranks=ranks, code=FAILED)
            table = columns(run)
            failed = table["width"] == 60
            np.testing.assert_array_equal(table["failed"], failed)
            self.assertTrue((table["reached"][~failed] == 1).all())
            self.assertTrue(np.isnan(table["lambda_T"][failed]).all())
            self.assertIn("failed: width = 60, gamma = 0.5, init_scale = 1, seed = 1: ", text)
            self.assertIn("-features_width 59", text)
            self.assertIn("2 of 4 members reached L*", text.splitlines()[-1])
            self.assertIn("2 of 4 members failed", text.splitlines()[-1])
            with h5py.File(os.path.join(run, "sweep.h5"), "r") as file:
                self.assertEqual(sorted(file["errors"].attrs), ["member-2", "member-3"])
            # Failed members are tried again, the others stay.
            again = sweep("-run", run, "-resume", ranks=ranks)
            self.assertEqual(again.returncode, FAILED)
            self.assertIn("2 members done already", again.stdout)
            self.assertEqual(again.stdout.count("failed   width = 60"), 2)
            self.assertEqual(again.stdout.splitlines()[-1], text.splitlines()[-1])
            np.testing.assert_array_equal(columns(run)["seconds"][~failed], table["seconds"][~failed])

    def test_a_solver_that_fails_fails_its_member(self):
        _, text = self.sweep(*STEPS, "-limit_lambda_eps_max_it", 1, "-limit_lambda_eps_ncv", 2,
                             "-limit_lambda_eps_tol", 1e-14, "-bisections", 0, code=FAILED)
        self.assertIn("the largest eigenvalues of D were not found: 0 of 1 converged", text)
        self.assertIn("6 of 6 members failed", text.splitlines()[-1])


class Figures(SweepTest):
    def plot(self, *arguments):
        return subprocess.run([sys.executable, PLOT, *arguments], capture_output=True, text=True, timeout=patience(120))

    def test_every_study_is_drawn(self):
        for name, options in STUDIES.items():
            with self.subTest(study=name):
                run, _ = self.sweep(*options)
                done = self.plot(run)
                self.assertEqual(done.returncode, 0, done.stderr)
                paths = [os.path.join(run, "figures", "sweep." + ending) for ending in ("png", "pdf")]
                self.assertEqual(done.stdout.split(), paths)
                for path, magic in zip(paths, (b"\x89PNG", b"%PDF")):
                    with open(path, "rb") as file:
                        content = file.read()
                    self.assertTrue(content.startswith(magic) and len(content) > 5000)

    def test_a_damaged_file_is_refused(self):
        run = self.new_run()
        os.makedirs(run)
        path = os.path.join(run, "sweep.h5")
        with open(path, "w", encoding="ascii") as file:
            file.write("not HDF5")
        for content in (None, {"schema": "poise-sweep-9"}, {"schema": "poise-sweep-1"}):
            if content is not None:
                with h5py.File(path, "w") as file:
                    file.attrs.update(content)
            done = self.plot(run)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("sweep.h5", done.stderr)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
