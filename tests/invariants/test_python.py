"""The Python package on runs of poise-train: what it reads is what the files hold, and bad input gives one exception,
in the words of the programs."""

import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
import warnings

import h5py
import numpy as np

from python_package import PACKAGE, poise, predict
from training import BAD_INPUT, DATA, DIGITS, FAILED, TrainingTest, checkpoints, command, history, patience, train

FLOW = ("-time", 0.05, "-checkpoint_every", 2, "-checkpoint_keep", 0)


class Runs(TrainingTest):
    def refused(self, message, function, *arguments, **options):
        self.assertRaisesRegex(poise.Error, message, function, *arguments, **options)

    def flow(self, *options):
        return self.train("-data", self.regression, *FLOW, *options)

    def test_a_run_has_what_its_file_holds(self):
        path = self.flow()
        run, stored = poise.open_run(path), history(path)
        self.assertEqual(set(run.history), set(stored))
        for name, values in stored.items():
            np.testing.assert_array_equal(run.history[name], values)
        self.assertEqual(run.history.rows, len(stored["t"]))
        self.assertEqual({name: run.config[name] for name in ("gamma", "steps", "audit", "model", "time", "data")},
                         {"gamma": 0.8, "steps": 1000000, "audit": True, "model": "softmax_linear", "time": 0.05,
                          "data": self.regression})
        self.assertIs(type(run.config["steps"]), int)
        self.assertEqual((run.attributes["m"], run.attributes["q"], run.done), (7, 2, True))
        self.assertRaisesRegex(KeyError, "no column 'losses'; it has: .*loss", lambda: run.history["losses"])
        self.train("-resume", "-time", 0.06, run=path)
        self.assertEqual([attempt["state"] for attempt in poise.open_run(path).attempts], ["done", "done"])

    def test_options_have_types_in_every_file(self):
        path = self.flow("-eq_snes_rtol", "1e-11", "-class_weight", "none", "-gamma", "0.80")
        with h5py.File(f"{path}/run.h5") as run, h5py.File(poise.open_run(path).checkpoints[-1].path) as checkpoint:
            for options in (run["config"].attrs, checkpoint["config"].attrs):
                self.assertIs(type(options["audit"]), np.bool_)
                self.assertEqual((options["gamma"].dtype, options["steps"].dtype), (float, np.int64))
                self.assertEqual((options["gamma"], options["steps"], options["time"]), (0.8, 1000000, 0.05))
                self.assertEqual(options["eq_snes_rtol"], 1e-11)
                self.assertEqual(poise.hdf5.text(options["model"]), "softmax_linear")
        run = poise.open_run(path)
        self.assertEqual(run.checkpoint().config, run.config)
        self.assertIs(run.config["audit"], True)
        self.assertEqual([run.options[name] for name in ("audit", "gamma", "steps")], ["true", "0.8", "1000000"])
        self.train("-resume", "-gamma", "0.800", "-time", 0.06, run=path)  # the same value
        self.train("-options_file", f"{path}/options.txt")

    def test_files_of_older_versions_have_texts(self):
        texts = {"gamma": "0.8", "steps": "100", "audit": "false", "data": "7", "model": "softmax_linear", "time": "inf"}
        self.assertEqual(poise.config.typed_options(texts), {"gamma": 0.8, "steps": 100, "audit": False, "data": "7",
                                                            "model": "softmax_linear", "time": np.inf})

    def test_verdicts(self):
        self.assertEqual(poise.verdict(self.flow()), "held")
        self.assertEqual(poise.verdict(self.flow("-audit", "false")), "not audited")
        violated = self.train("-data", self.regression, "-dynamics", "descent", "-step_size", 0.9, "-steps", 50,
                              code=FAILED)
        self.assertEqual(poise.verdict(violated), "violated")

    def test_a_run_that_goes_on_can_be_read_and_has_no_verdict(self):
        path = self.new_run()
        long = ["-data", self.regression, "-run", path, "-dynamics", "descent", "-step_size", 1e-9, "-time", 1]
        running = subprocess.Popen(command(long, 1), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + patience(60)
            while not os.path.exists(os.path.join(path, "run.h5")) and time.monotonic() < deadline:
                time.sleep(0.1)
            run = poise.open_run(path)
            self.assertEqual((run.attempts[-1]["state"], run.verdict, run.done), ("running", None, False))
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(patience(60))

    def test_checkpoints_are_listed_and_read(self):
        path = self.flow()
        run = poise.open_run(path)
        self.assertEqual([checkpoint.path for checkpoint in run.checkpoints], checkpoints(path))
        last = run.checkpoint()
        self.assertEqual((last.step, last.state["t"]), (run.history["step"][-1], run.history["t"][-1]))
        with h5py.File(last.path) as file:
            for name in ("A", "B"):
                np.testing.assert_array_equal(last.parameters[name], file["parameters"][name])
        self.assertEqual(run.checkpoint(2).step, 2)
        self.refused("step 1: .*checkpoints has no such checkpoint; it has: 0, 2, ", run.checkpoint, 1)

    def test_the_best_step_is_that_of_the_validation_samples(self):
        with h5py.File(self.regression) as file:
            sets = {name: file[name][:] for name in ("features", "targets", "test_features", "test_targets")}
        data = self.path("validated.h5")
        poise.write_data(data, **sets, validation_features=sets["features"], validation_targets=0.3 * sets["targets"])
        path = self.train("-data", data, "-dynamics", "descent", "-step_size", 0.02, "-steps", 100)
        run = poise.open_run(path)
        losses = run.history["validation_loss"]
        best = int(np.argmin(losses))
        self.assertTrue(0 < best < 100)
        self.assertEqual(run.best, {"step": best, "t": run.history["t"][best], "validation_loss": losses[best]})
        model = run.model("best")
        self.assertEqual(model.checkpoint.step, best)
        validation = run.data().validation
        self.assertAlmostEqual(model.score(validation).loss / losses[best], 1, delta=1e-10)
        other = poise.open_run(self.flow())
        self.assertIsNone(other.best)
        self.refused("had no validation samples", other.model, "best")

    def test_a_damaged_checkpoint_is_passed_over_with_a_warning(self):
        path = self.flow()
        newest = checkpoints(path)[-1]

        def flip(file):
            """Changes one byte of B."""
            info = file["parameters/B"].id.get_chunk_info(0)
            return info.byte_offset

        def unfinished(file):
            del file.attrs["complete"]

        def another_step(file):
            file["state"].attrs["step"] = 12345

        for damage, words in ((flip, "cannot be read|is damaged in data set /parameters/B"),
                              (unfinished, "is not complete"),
                              (another_step, "is damaged: its content does not have its checksum")):
            with self.subTest(words):
                copy = self.copy_run(path)
                damaged = checkpoints(copy)[-1]
                with h5py.File(damaged, "r+") as file:
                    offset = damage(file)
                if offset is not None:
                    with open(damaged, "r+b") as file:
                        file.seek(offset)
                        byte = file.read(1)
                        file.seek(offset)
                        file.write(bytes([byte[0] ^ 1]))
                with self.assertWarnsRegex(UserWarning, f"checkpoint .* is damaged .*({words}).*; falling back"):
                    model = poise.open_run(copy).model()
                self.assertEqual(model.checkpoint.path, checkpoints(copy)[-2])
                self.refused(words, poise.Checkpoint(damaged).verify)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an undamaged run warns of nothing
            self.assertEqual(poise.open_run(path).model().checkpoint.path, newest)

    def test_a_run_without_a_valid_checkpoint_is_refused(self):
        path = self.flow()
        for name in checkpoints(path):
            with open(name, "wb") as file:
                file.write(b"not HDF5")
        with self.assertWarns(UserWarning):
            self.refused("checkpoints holds no valid checkpoint", poise.open_run(path).model)
        shutil.rmtree(os.path.join(path, "checkpoints"))
        run = poise.open_run(path)
        self.assertEqual(run.checkpoints, [])
        self.refused("checkpoints holds no valid checkpoint", run.model)

    def test_what_is_no_run_is_refused(self):
        self.refused("nowhere: there is no such directory", poise.open_run, self.path("nowhere"))
        self.refused("no run.h5 in it", poise.open_run, self.scratch)
        path = self.flow()
        with open(os.path.join(path, "run.h5"), "ab") as file:
            file.write(b"\0")
        self.refused("is damaged or is not a run file: its content does not have its checksum", poise.verdict, path)

    def test_data_that_have_changed_are_refused(self):
        data = self.path("moving.h5")
        shutil.copy(self.regression, data)
        run = poise.open_run(self.train("-data", data, *FLOW, "-train_samples", 11))
        self.assertEqual(len(run.data().train), 11)
        moved = shutil.move(data, self.path("moved.h5"))
        self.refused("moving.h5' does not exist", run.data)
        self.assertEqual(len(run.data(moved).train), 11)
        with h5py.File(moved, "r+") as file:
            file["features"][3, 1] += 1e-9
        self.refused("moved.h5 differ from the samples that the run of .* was made with", run.data, moved)

    def test_a_run_of_digits_is_applied_to_its_test_set(self):
        """Packed features of a real data set, and a flow with its audit."""
        run = poise.open_run(self.train("-data", DIGITS, "-time", 0.3))
        score = run.model().score(run.data().test)
        np.testing.assert_allclose(score.loss, run.history["test_loss"][-1], rtol=1e-10)
        self.assertEqual(score.accuracy, run.history["test_accuracy"][-1])


class NewSamples(TrainingTest):
    """Samples that do not fit the model."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random = np.random.default_rng(1)
        cls.x, cls.y = random.normal(size=(30, 3)), np.array(["cat", "dog", "eel"])[np.arange(30) % 3]
        cls.file = cls.path("animals.h5")
        poise.write_data(cls.file, cls.x, labels=cls.y, names=["age", "mass", "length"])
        cls.run_directory = cls.path("animals")
        done = train("-data", cls.file, "-run", cls.run_directory, "-loss", "cross_entropy", "-dynamics", "descent",
                     "-steps", 3)
        assert done.returncode == 0, done.stderr
        cls.model = poise.open_run(cls.run_directory).model()

    def new_data(self, features, labels, names, **options):
        poise.write_data(self.path("new.h5"), features, labels=labels, names=names, force=True, **options)
        return poise.read_data(self.path("new.h5")).train

    def refused(self, message, samples, function=None):
        self.assertRaisesRegex(poise.Error, message, function or self.model.score, samples)

    def refused_by_all(self, message, samples):
        """poise-predict refuses the same file, with the same words."""
        self.refused(message, samples)
        done, _ = predict(self.run_directory, self.path("new.h5"))
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
        self.assertRegex(done.stderr, message)

    def test_columns_and_classes_are_matched_by_name(self):
        expected = self.model.score(poise.read_data(self.file).train)
        shuffled = self.new_data(np.column_stack([np.zeros(30), self.x[:, [2, 0, 1]]]), self.y,
                                 ["colour", "length", "age", "mass"], class_names=["eel", "dog", "cat"])
        self.assertEqual(self.model.score(shuffled), expected)
        np.testing.assert_array_equal(self.model(shuffled), self.model(self.x))

    def test_other_columns_are_refused(self):
        self.refused_by_all("new.h5' has no column of features named 'length', which the network was trained on .the "
                            "nearest name is 'lenght'.", self.new_data(self.x, self.y, ["age", "mass", "lenght"]))
        self.refused_by_all("there are two with the name 'age'", self.new_data(
            self.x[:, [0, 0, 1, 2]], self.y, ["age", "age", "mass", "length"]))
        self.refused_by_all("new.h5' has 2 columns of features, but the network was trained on 3",
                            self.new_data(self.x[:, :2], self.y, None))
        self.refused("the array has 4 columns of features, but the network was trained on 3", np.ones((5, 4)),
                     self.model)
        self.refused("the features have 1 dimensions; they need two", np.ones(3), self.model)

    def test_other_classes_are_refused(self):
        labels = np.where(self.y == "dog", "dogfish", self.y)
        self.refused_by_all("the network has no class named 'dogfish', which the network was trained on",
                            self.new_data(self.x, labels, ["age", "mass", "length"]))
        self.refused_by_all("new.h5' has 4 classes, but the network was trained on 3",
                            self.new_data(self.x, np.arange(30) % 4, None))
        self.refused_by_all("has /targets, but the network was trained on classes",
                            self.new_data(self.x, None, None, targets=np.ones((30, 3))))
        self.refused("the array has 4 classes, but the network was trained on 3",
                     poise.Samples(self.x, labels=[0, 1, 3] * 10))
        self.refused("neither targets nor labels", poise.Samples(self.x))

    def test_samples_without_answers_have_outputs(self):
        path = self.path("unlabelled.h5")
        with h5py.File(path, "w") as file:
            file["features"] = self.x
        self.assertRaisesRegex(poise.Error, "has neither /targets .* nor /labels", poise.read_data, path)
        np.testing.assert_array_equal(self.model(poise.read_data(path, needs_answers=False).train), self.model(self.x))

    def test_answers_of_a_regression(self):
        model = poise.open_run(self.train("-data", self.regression, "-time", 0.01)).model()
        x = poise.read_data(self.regression).train.features
        self.refused("has /labels, but the network was trained on /targets",
                     poise.Samples(x, labels=np.zeros(40, int)), model.score)
        self.refused("has 1 columns of targets, but the network has 2 outputs",
                     poise.Samples(x, targets=np.ones(40)), model.score)
        self.refused("the run is a regression", x, model.predict)

    def test_rows_with_missing_numbers_are_named(self):
        for bad in (np.nan, np.inf):
            x = self.x.copy()
            x[17, 1] = bad
            self.refused(r"the array: row 17, column 1 \(mass\) is missing or not finite", x, self.model)

    def test_models_of_other_programs_are_refused(self):
        checkpoint = self.model.checkpoint
        for option, words in (("model", "is the model of another program"), ("objective", "is not known"),
                              ("activation", "is not known"), ("weights", "is not known"),
                              ("loss", "is the loss of another program")):
            class Foreign(poise.Checkpoint):
                config = {**checkpoint.config, "model": "pointwise", option: "sine"}
                parameters = {**checkpoint.parameters, "b": np.zeros((4, 1))}

            with self.subTest(option):
                self.refused(f"-{option} sine {words}", poise.read_data(self.file).train,
                             lambda samples: poise.Model(Foreign(checkpoint.path)).score(samples))

    def test_a_run_whose_data_file_is_gone_still_has_its_model(self):
        file, run = self.path("short_lived.h5"), self.new_run()
        shutil.copy(self.file, file)
        self.train("-data", file, "-loss", "cross_entropy", "-dynamics", "descent", "-steps", 1, run=run)
        os.remove(file)
        model = poise.open_run(run).model()
        self.assertEqual((model.names.inputs, model(self.x).shape), (["age", "mass", "length"], (30, 3)))


class DataFiles(TrainingTest):
    """Files that poise.read_data and poise-data show both refuse, in the same words up to the cure."""

    def refusals(self, path):
        done = subprocess.run([DATA, "show", path], capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(done.returncode, 2, done.stdout)
        with self.assertRaises(poise.Error) as caught:
            poise.read_data(path)
        return done.stderr.split("poise: error: ")[-1].strip(), str(caught.exception)

    def test_bad_files_are_refused_in_the_words_of_the_programs(self):
        x, labels = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])
        nan = x.copy()
        nan[2, 1] = np.nan
        good = {"features": x, "labels": labels}
        changes = {
            "nan": {"features": nan}, "a vector": {"features": x[:, 0]}, "words": {"features": np.array([[b"a"]] * 4)},
            "no features": {"features": None}, "both answers": {"targets": x},
            "rows": {"labels": labels[:3]}, "a large label": {"labels": labels + 5},
            "half a label": {"labels": labels + 0.5},
            "names": {"input_names": [b"a", b"b"]}, "class names": {"class_names": [b"a"]},
            "test columns": {"test_features": x[:, :2], "test_labels": labels},
            "test answers": {"test_features": x, "test_targets": x}, "no test features": {"test_labels": labels},
        }
        attributes = {"_Unsigned": "true", "scale_factor": 0.0, "add_offset": np.inf, "valid_range": [1.0]}
        for name, change in changes.items():
            self.compare(name, {**good, **change}, {})
        for name, value in attributes.items():
            self.compare(name, good, {name: value})

    def compare(self, name, sets, attributes):
        path = self.path(f"bad {name}.h5")
        with h5py.File(path, "w") as file:
            for key, values in sets.items():
                if values is not None:
                    file[key] = values
                    if key.endswith("labels"):
                        file[key].attrs["classes"] = 2
            if attributes:
                file["features"].attrs.update(attributes)
        with self.subTest(name):
            theirs, ours = self.refusals(path)
            self.assertEqual(ours.split(";")[0], theirs.split(";")[0])

    def test_packed_numbers_are_unpacked_as_the_programs_unpack_them(self):
        path = self.path("packed.h5")
        stored = np.random.default_rng(2).integers(0, 200, (20, 3)).astype("uint8")
        with h5py.File(path, "w") as file:
            file["features"], file["targets"] = stored, stored[:, 0] / 7
            file["features"].attrs.update({"scale_factor": 0.5, "add_offset": -3.0, "_FillValue": np.uint8(255)})
        data = poise.read_data(path)
        np.testing.assert_array_equal(data.train.features, 0.5 * stored - 3)
        self.assertEqual(data.train.targets.shape, (20, 1))
        run = self.train("-data", path, "-time", 0.01)
        self.assertEqual(poise.open_run(run).checkpoint().state["data_fingerprint"], data.fingerprint())
        with h5py.File(path, "r+") as file:
            file["features"][4, 2] = 255
        with self.assertRaisesRegex(poise.Error, "row 4, column 2 holds 255, which its attributes call missing"):
            poise.read_data(path)

    def test_what_is_written_is_read_by_the_programs(self):
        path = self.path("written.h5")
        x = np.random.default_rng(3).normal(size=(24, 4))
        poise.write_data(path, x[:20], labels=np.arange(20) % 3, test_features=x[20:], test_labels=[0, 1, 2, 2],
                         names=["a", "b", "c", "größe"], class_names=["one", "two", "three"], source="a test",
                         license="CC0")
        shown = subprocess.run([DATA, "show", path], capture_output=True, text=True, timeout=patience(60),
                               check=True).stdout
        for words in ("inputs: a, b, c, größe", "class 2 (three)", "source: a test", "/test_features [4, 4]"):
            self.assertIn(words, shown)
        data = poise.read_data(path)
        np.testing.assert_array_equal(data.train.features, x[:20])
        self.assertEqual((data.classes, data.names.classes, len(data.test)), (3, ["one", "two", "three"], 4))
        self.assertRaisesRegex(poise.Error, "exists already; force=True replaces it", poise.write_data, path, x,
                               labels=[0] * 24)

    def test_bad_arrays_are_not_written(self):
        path, x = self.path("none.h5"), np.ones((3, 2))
        ragged = np.array([[1], [2, 3]], dtype=object)
        for words, features, answers in (
                ("row 1, column 1 holds nan", [[1, 2], [3, np.nan]], {"targets": [1, 2]}), ("has neither", x, {}),
                ("outside .0, 2.", x, {"labels": [0, 1, 2], "classes": 2}),
                ("is not one of class_names", x, {"labels": ["a", "b", "c"], "class_names": ["a", "b"]}),
                ("neither reals nor integers", [["a", "b"]], {"targets": [1]}),
                ("neither reals nor integers", ragged, {"labels": [0, 1]})):
            with self.subTest(words):
                self.assertRaisesRegex(poise.Error, f"none.h5.*{words}", poise.write_data, path, features, **answers)
                self.assertFalse([name for name in os.listdir(self.scratch) if name.startswith("none.h5")])

    def test_data_in_other_files_and_endless_data_are_refused(self):
        path = self.path("linked.h5")
        with h5py.File(path, "w") as file:
            file["features"] = h5py.ExternalLink(self.regression, "/features")
            file["targets"] = np.ones((40, 1))
        self.assertRaisesRegex(poise.Error, "/features of file .* is a link or a group", poise.read_data, path)
        with h5py.File(path, "w") as file:
            file.create_dataset("features", (10**7, 10**4), chunks=(100, 100))
            file["targets"] = np.ones((10**7, 1), "uint8")
        self.assertRaisesRegex(poise.Error, "claims more data than the file holds", poise.read_data, path)


class CommandLine(TrainingTest):
    def start(self, *words, code=0):
        done = subprocess.run([sys.executable, "-m", "poise", *words], capture_output=True, text=True,
                              timeout=patience(100), env={**os.environ, "PYTHONPATH": PACKAGE})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout + done.stderr

    def test_show_and_plot(self):
        run = self.train("-data", self.regression, *FLOW)
        shown = self.start("show", run)
        for words in ("softmax_linear, gamma = 0.8", "1 attempt", "step 0, t = 0: A [7, 7], B [2, 7]", "verdict: held"):
            self.assertIn(words, shown)
        with open(checkpoints(run)[0], "r+b") as file:
            file.truncate(100)
        self.assertIn("step 0: damaged: ", self.start("show", run))
        self.assertIn("figures/run.png", self.start("plot", run, "--format", "png"))
        self.assertEqual(self.start("show", self.scratch, code=2).strip(),
                         f"python -m poise show: error: {self.scratch}: no run.h5 in it; is it the directory that "
                         "poise-train -run named?")
        self.assertIn("usage", self.start("draw", code=2))


if __name__ == "__main__":
    unittest.main()
