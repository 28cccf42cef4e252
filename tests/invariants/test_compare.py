"""poise-compare as users run it: the same study on any ranks, known properties of the paths, refusals, figures."""

import glob
import os
import random
import subprocess
import sys
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DIGITS, DONE, ENVIRONMENT, FAILED, MPIEXEC, REQUEUE, SOURCE, TrainingTest, DATA,
                      StudyProcess, files, finished_members, patience, synthetic)

COMPARE = os.environ.get("POISE_COMPARE", os.path.join(SOURCE, "build", "apps", "poise-compare"))
PLOT = os.path.join(SOURCE, "apps", "plot_run.py")
FILES = sorted(glob.glob(os.path.join(SOURCE, "petsc_opts", "compare_*.opts")))

# Rounding of the gradients (1e-15) and error of the collapsed solves (1e-13), over the steps of a flow.
RANKS = 1e-9
# Local errors of 1e-8 per step; the flow damps them in the directions of the samples.
INTEGRATION = 1e-5
# Products of a few dozen numbers.
ROUNDING = 1e-12

GAMMA = 0.7
STUDY = ["-features", "identity", "-features_constant", "false", "-gamma", GAMMA, "-depths", "8,1,3", "-seeds", 2,
         "-seed", 4, "-feedforward_depth", 2]
MEMORY = ["-features", "identity", "-features_constant", "false", "-gamma", GAMMA, "-depths", "1,3,8", "-seeds", 2,
          "-feedforward_depth", 0]
# Long enough for the shallow layer to reach its limit on 6 samples of 9 inputs.
LONG = ["-time", 60, "-first_time", 0.1, "-points", 6]
SHORT = ["-time", 0.5, "-first_time", 0.1, "-points", 4]


def compare(*options, ranks=1):
    return subprocess.run([MPIEXEC, "-n", str(ranks), COMPARE, *map(str, options)],
                          capture_output=True, text=True, timeout=patience(100), env=ENVIRONMENT)


def arrays(run):
    """Every array of the study and its attributes."""
    found = {}
    with h5py.File(os.path.join(run, "compare.h5"), "r") as file:
        file.visititems(lambda name, item: found.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
        found["attributes"] = dict(file.attrs)
    found["models"] = found["attributes"]["models"].split(";")
    return found


class CompareTest(TrainingTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.teacher = cls.path("teacher.h5")
        subprocess.run([DATA, "synthetic", "-samples", "6", "-inputs", "9", "-outputs", "3", "-teacher_rank", "1",
                        "-test_samples", "20", "-out", cls.teacher], check=True, capture_output=True,
                       timeout=patience(60))

    def compare(self, *options, ranks=1, code=DONE, run=None):
        """Compares into a new directory and returns it."""
        run = run or self.new_run()
        done = compare(*options, "-run", run, ranks=ranks)
        self.assertEqual(done.returncode, code, f"{options} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return run

    def assert_same_study(self, run, other, tolerance):
        """Compares arrays, NaN with NaN; `tolerance` is relative to the largest number of an array."""
        left, right = arrays(run), arrays(other)
        self.assertEqual(set(left), set(right))
        for name in left:
            if not name.startswith(("paths/", "times", "seeds", "weights/")):
                continue
            np.testing.assert_array_equal(np.isnan(left[name]), np.isnan(right[name]), name)
            scale = np.nanmax(np.abs(left[name]), initial=0.0)
            np.testing.assert_allclose(left[name], right[name], rtol=0, atol=tolerance * scale, err_msg=name)


class Study(CompareTest):
    """A study of a linear teacher; the test computes the same numbers from the weights and the data."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_path = cls.new_run()
        cls.options = ["-data", cls.teacher, *STUDY, *LONG, "-feedforward_activation", "identity,tanh",
                       "-save_weights", "true"]
        done = compare(*cls.options, "-run", cls.run_path)
        if done.returncode != DONE:
            raise AssertionError(done.stdout + done.stderr)
        cls.output = done.stdout
        cls.study = arrays(cls.run_path)
        with h5py.File(cls.teacher, "r") as file:
            cls.x, cls.y, cls.truth = file["features"][:].T, file["targets"][:].T, file["teacher"][:]

    def model(self, name):
        return self.study["models"].index(name)

    def path_of(self, quantity, model):
        return self.study[f"paths/{quantity}"][self.model(model)]

    def weights(self, model):
        """[seeds, times, q, m]"""
        return self.study[f"weights/{self.model(model)}"]

    def linear(self):
        return [name for name in self.study["models"] if name != "tanh network"]

    def test_models_times_and_seeds_are_those_that_were_asked_for(self):
        self.assertEqual(self.study["models"],
                         ["implicit", "depth 8", "depth 3", "depth 1", "shallow", "deep linear", "tanh network"])
        np.testing.assert_array_equal(self.study["seeds"], [4, 5])
        np.testing.assert_allclose(self.study["times"], [0, *(0.1 * 600 ** (np.arange(5) / 4))], rtol=1e-14)
        self.assertEqual(self.study["attributes"]["failed"], "")
        for name in self.study["models"]:
            self.assertIn(name, self.output)

    def test_losses_and_measures_are_those_of_the_weights(self):
        for name in self.linear():
            w = self.weights(name)
            losses = ((w @ self.x - self.y) ** 2).sum(axis=(2, 3)) / self.x.shape[1]
            values = np.linalg.svd(w, compute_uv=False)
            share = values / values.sum(axis=-1, keepdims=True)
            entropy = -np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0).sum(axis=-1)
            cosine = (w * self.truth).sum(axis=(2, 3)) / np.linalg.norm(w, axis=(2, 3)) / np.linalg.norm(self.truth)
            v = self.weights("implicit")
            distance = np.linalg.norm(w - v, axis=(2, 3)) / np.linalg.norm(v, axis=(2, 3))
            for quantity, expected in (("train_loss", losses), ("nuclear_norm", values.sum(axis=-1)),
                                       ("effective_rank", np.exp(entropy)), ("teacher_alignment", cosine),
                                       ("distance_implicit", distance)):
                np.testing.assert_allclose(self.path_of(quantity, name), expected, rtol=0, err_msg=f"{name} {quantity}",
                                           atol=ROUNDING * max(1.0, np.abs(expected).max()))

    def test_all_that_share_w0_start_alike_and_truncations_within_the_bound(self):
        for name in ("shallow", "deep linear"):
            self.assertLess(self.path_of("distance_implicit", name)[:, 0].max(), ROUNDING)
        for depth in (1, 3, 8):
            self.assertLess(self.path_of("distance_implicit_1", f"depth {depth}")[:, 0].max(), GAMMA ** depth)

    def test_deeper_truncations_stay_nearer_to_the_implicit_model(self):
        for deep, flat in (("depth 8", "depth 3"), ("depth 3", "depth 1")):
            self.assertTrue((self.path_of("distance_implicit", deep) < self.path_of("distance_implicit", flat)).all())

    def test_the_shallow_flow_ends_at_the_nearest_w_of_least_loss(self):
        inverse = np.linalg.pinv(self.x)
        for w in self.weights("shallow"):
            limit = self.y @ inverse + w[0] @ (np.eye(len(self.x)) - self.x @ inverse)
            self.assertLess(np.abs(w[-1] - limit).max(), INTEGRATION * np.abs(limit).max())
        self.assertLess(self.path_of("distance_nearest", "shallow")[:, -1].max(), INTEGRATION)
        # The other models have the least loss as well, at a different W.
        self.assertLess(self.path_of("train_loss", "implicit")[:, -1].max(), INTEGRATION)
        self.assertGreater(self.path_of("distance_nearest", "implicit")[:, -1].min(), 100 * INTEGRATION)

    def test_the_w_of_depth_one_is_the_shallow_flow_from_b0(self):
        # z = features after one layer, so f = B features: it too ends nearest to where it started.
        inverse = np.linalg.pinv(self.x)
        for w in self.weights("depth 1"):
            limit = self.y @ inverse + w[0] @ (np.eye(len(self.x)) - self.x @ inverse)
            self.assertLess(np.abs(w[-1] - limit).max(), INTEGRATION * np.abs(limit).max())

    def test_a_network_that_is_not_linear_has_losses_but_no_w(self):
        self.assertTrue(np.isfinite(self.path_of("test_loss", "tanh network")).all())
        self.assertTrue(np.isnan(self.path_of("nuclear_norm", "tanh network")).all())

    def test_memory_grows_by_the_states_of_a_layer_with_the_depth_of_the_truncations(self):
        samples, inputs, depths = 100, 30, (1, 3, 8)
        data = synthetic(self.path("memory.h5"), samples, inputs, 3)
        run = self.compare("-data", data, *MEMORY, "-time", 0.01, "-points", 2)
        study = arrays(run)
        memory = [study["costs/working_bytes"][study["models"].index(f"depth {depth}")].min() for depth in depths]
        if np.isnan(memory).any():  # sanitizers hide allocations
            return
        layer = 8 * samples * inputs  # bytes; other allocations differ by less than a kilobyte
        for shallow, deep in ((0, 1), (1, 2)):
            self.assertGreater(memory[deep] - memory[shallow], 0.9 * layer * (depths[deep] - depths[shallow]))

    def test_ranks_and_groups_do_not_change_the_study(self):
        # Short, because rounding decides on the steps once the gradient has vanished.
        options = [*self.options, *SHORT, "-feedforward_activation", "tanh", "-depths", 3, "-seeds", 1]
        reference = self.compare(*options)
        for ranks, member_ranks in ((2, 1), (2, 2), (3, 1), (4, 2), (4, 4)):
            with self.subTest(ranks=ranks, member_ranks=member_ranks):
                run = self.compare(*options, "-member_ranks", member_ranks, ranks=ranks)
                self.assert_same_study(reference, run, RANKS)

    def test_the_options_that_were_written_repeat_the_study(self):
        run = self.compare("-options_file", os.path.join(self.run_path, "options.txt"))
        self.assert_same_study(self.run_path, run, 0.0)

    def test_figures_are_drawn(self):
        done = subprocess.run([sys.executable, PLOT, self.run_path], capture_output=True, text=True, timeout=patience(120))
        self.assertEqual(done.returncode, DONE, done.stderr)
        names = [f"compare_{name}.{ending}" for name in ("learning", "paths", "cost") for ending in ("png", "pdf")]
        self.assertEqual([os.path.basename(path) for path in done.stdout.split()], names)
        for path in done.stdout.split():
            with open(path, "rb") as file:
                content = file.read()
            self.assertGreater(len(content), 5000, path)
            self.assertTrue(content.startswith(b"%PDF" if path.endswith(".pdf") else b"\x89PNG"), path)


class OtherStudies(CompareTest):
    def test_with_more_samples_than_features_all_ends_agree(self):
        run = self.compare("-data", self.regression, *STUDY, "-time", 60, "-first_time", 1, "-points", 3)
        study = arrays(run)
        self.assertLess(np.nanmax(study["paths/distance_min_norm"][:5, :, -1]), INTEGRATION)
        self.assertGreater(np.nanmin(study["paths/distance_implicit"][1:5, :, 1]), 10 * INTEGRATION)

    def test_other_losses_have_no_least_norm_solution_but_accuracies(self):
        for loss in ("cross_entropy", "logistic"):
            study = arrays(self.compare("-data", self.data[loss], "-loss", loss, *STUDY, *SHORT, ranks=2))
            self.assertTrue(np.isnan(study["paths/distance_min_norm"]).all())
            self.assertTrue(np.isfinite(study["paths/train_accuracy"]).all())
            self.assertTrue((study["paths/train_loss"][:, :, -1] < study["paths/train_loss"][:, :, 0]).all())

    def test_whitened_features_are_compared_with_the_teacher_too(self):
        study = arrays(self.compare("-data", self.regression, "-loss", "squared", "-time", 20, "-seeds", 1))
        # The noise of 0.3 on 40 samples of 6 inputs leaves an angle to a teacher of norm sqrt(2).
        self.assertGreater(study["paths/teacher_alignment"][0, 0, -1], 0.9)

    def test_a_failed_member_is_named_and_leaves_the_others_alone(self):
        failing = ["-feedforward_activation", "relu", "-feedforward_scale", 1e200]
        for ranks in (1, 2):
            run = self.new_run()
            done = compare("-data", self.teacher, *STUDY, *SHORT, *failing, "-run", run, ranks=ranks)
            self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
            self.assertIn("relu network, seed 5", done.stderr)
            study = arrays(run)
            self.assertIn("relu network, seed 4: the loss is not finite", study["attributes"]["failed"])
            loss = study["paths/train_loss"]
            self.assertTrue(np.isnan(loss[-1]).all())
            self.assertTrue(np.isfinite(loss[:-1]).all())

    def test_a_flow_that_needs_too_many_steps_has_failed(self):
        done = compare("-data", self.teacher, *STUDY, *SHORT, "-steps", 3, "-run", self.new_run())
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("raise -steps", done.stderr)


class Restarts(CompareTest):
    """Like the restarts of poise-sweep, whose mechanism this is."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = ["-data", DIGITS, "-train_samples", 300, "-depths", "4,16", "-seeds", 2, "-time", 2, "-points", 5,
                       "-save_weights", "-feedforward_activation", "identity,tanh"]
        cls.straight = cls.new_run()
        done = compare(*cls.options, "-run", cls.straight, ranks=2)
        assert done.returncode == DONE, done.stdout + done.stderr

    def resume(self, run):
        done = compare("-run", run, "-resume", ranks=2)
        self.assertEqual(done.returncode, DONE, done.stdout + done.stderr)
        return done.stdout

    def assert_equal(self, run):
        left, right = arrays(self.straight), arrays(run)
        self.assertEqual(set(left), set(right))
        for name in set(left) - {"costs/seconds", "costs/working_bytes", "attributes", "models"}:
            np.testing.assert_array_equal(left[name], right[name], name)
        self.assertEqual(sorted(files(run)), [".lock", "compare.h5", "options.txt"])

    def test_a_killed_study_goes_on_to_the_results_of_the_straight_one(self):
        study = StudyProcess(COMPARE, *self.options, "-run", self.new_run())
        study.wait_for(random.randint(1, 6))
        study.kill()
        kept = len(finished_members(study.run))
        self.assertFalse(os.path.exists(os.path.join(study.run, "compare.h5")))
        self.assertIn(f"{kept} member{'' if kept == 1 else 's'} done already", self.resume(study.run))
        self.assert_equal(study.run)
        self.assertIn("all members of the study are done", self.resume(study.run))

    def test_a_signal_and_a_deadline_stop_a_study(self):
        study = StudyProcess(COMPARE, *self.options, "-run", self.new_run())
        study.wait_for(1)
        code, text = study.stop()
        self.assertEqual(code, REQUEUE, text)
        self.assertIn(f"to go on: poise-compare -run {study.run} -resume", text)
        done = compare("-run", study.run, "-resume", "-deadline", 1e-9, ranks=2)
        self.assertEqual(done.returncode, REQUEUE, done.stdout + done.stderr)
        done = compare("-run", study.run, "-resume", "-gamma", 0.5, ranks=2)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("-gamma is 0.5, but in the study it is 0.8", done.stderr)
        self.resume(study.run)
        self.assert_equal(study.run)

    def test_arrays_name_their_dimensions(self):
        names = {"paths/train_loss": ["models", "seeds", "times"], "costs/steps": ["models", "seeds"],
                 "model_depth": ["models"], "weights/0": ["seeds", "times", "outputs", "features"]}
        with h5py.File(os.path.join(self.straight, "compare.h5"), "r") as file:
            for name, expected in names.items():
                self.assertEqual([dimension[0].name for dimension in file[name].dims], ["/" + scale for scale in expected])
            self.assertEqual([name.decode() for name in file["models"]], file.attrs["models"].split(";"))


class OptionsFiles(CompareTest):
    def test_every_options_file_runs_and_is_used_to_its_last_line(self):
        self.assertEqual(len(FILES), 4)
        for path in FILES:
            brief = ["-time", 0.02, "-first_time", 0.01, "-points", 3, "-seeds", 1]
            # The options files name data relative to the root of the repository; tests start in a different folder.
            brief += ["-data", self.teacher if "teacher" in path else DIGITS]
            if "mnist" in path:  # small images in the place of the original MNIST files
                brief += ["-train_samples", 40, "-features_width", 20]
            with self.subTest(file=path):
                study = arrays(self.compare("-options_file", path, *brief, ranks=2))
                self.assertTrue(np.isfinite(study["paths/train_loss"]).all())


class Refusals(CompareTest):
    def refuse(self, *options, words, data=None, ranks=1):
        run = self.new_run()
        done = compare(*(["-data", data or self.teacher] if data != "" else []), *options, "-run", run, ranks=ranks)
        messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
        with self.subTest(options=options, messages=messages):
            self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
            self.assertEqual(len(messages), 1, done.stderr)
            for word in words:
                self.assertIn(word, messages[0])
            self.assertFalse(os.path.exists(run))

    def test_options_that_make_no_sense_are_refused(self):
        self.refuse("-depths", "4,0", words=["'0' is no depth"])
        self.refuse("-depths", "4,x", words=["'x' is no depth"])
        self.refuse("-feedforward_activation", "tanhh", words=["did you mean 'tanh'"])
        self.refuse("-feedforward_activation", "tanh,tanh", words=["twice"])
        self.refuse("-feedforward_width", 5, words=["6 features", "-feedforward_init random"], ranks=2)
        self.refuse("-member_ranks", 2, words=["-member_ranks 2", "divisor"], ranks=3)
        self.refuse("-first_time", 3, "-time", 2, words=["-first_time 3"])
        self.refuse("-points", 1, words=["-points"])
        self.refuse("-depth", "4", words=["-depth is unknown", "-depths"])
        self.refuse("-flow_ts_rtoll", "1e-4", words=["flow_ts_rtoll"], ranks=2)

    def test_data_that_do_not_fit_are_refused(self):
        self.refuse(words=["-data FILE is missing"], data="")
        self.refuse(words=["does not exist"], data=self.path("none.h5"), ranks=2)
        self.refuse("-loss", "cross_entropy", words=["/targets"], ranks=2)
        self.refuse("-train_samples", 7, words=["holds only 6"])

    def test_a_directory_that_holds_a_study_or_a_run_is_left_alone(self):
        study = self.compare("-data", self.teacher, *STUDY, *SHORT)
        run = self.train("-data", self.teacher, "-time", 0.01)
        for held in (study, run):
            before = files(held)
            done = compare("-data", self.teacher, *STUDY, *SHORT, "-run", held, ranks=2)
            self.assertEqual(done.returncode, BAD_INPUT)
            self.assertIn("already holds a", done.stderr)
            self.assertEqual(files(held), before)


if __name__ == "__main__":
    unittest.main()
