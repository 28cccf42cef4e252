"""poise-predict applies a trained network to samples: its losses are those of the run, whatever the ranks and the order of
columns; samples without a prediction are named."""

import csv
import os
import re
import shutil
import subprocess
import unittest

import h5py
import numpy as np

from training import (BAD_INPUT, DATA, DIABETES, DONE, ENVIRONMENT, FAILED, MPIEXEC, TRAIN, TrainingTest, checkpoints,
                      history, patience, train)

PREDICT = os.environ.get("POISE_PREDICT", os.path.join(os.path.dirname(TRAIN), "poise-predict"))
GRIDS = [(1, 1), (2, 1), (3, 1), (4, 2)]  # ranks, feature ranks
DESCENT = ["-dynamics", "descent", "-step_size", 0.02, "-steps", 3]
# Equilibria are solved to 1e-12; two solvers may differ by that times the condition of the equation.
SOLVER = 1e-10
NETWORKS = {
    "softmax_linear": [],
    "collapsed": ["-objective", "collapsed"],
    "pointwise": ["-model", "pointwise", "-width", 9, "-activation", "tanh", "-features", "random_relu"],
    "free": ["-model", "pointwise", "-weights", "free", "-width", 9, "-activation", "relu"],
    "monotone": ["-model", "monotone", "-width", 9, "-features", "whiten"],
    "unrolled": ["-model", "pointwise", "-objective", "unrolled", "-depth", 4, "-width", 9],
    "feedforward": ["-objective", "feedforward", "-depth", 2, "-width", 8],
    "shallow": ["-objective", "shallow", "-features", "random_fourier"],
}


def predict(*options, ranks=1):
    return subprocess.run([MPIEXEC, "-n", str(ranks), PREDICT, *map(str, options)], capture_output=True, text=True,
                          timeout=patience(100), env=ENVIRONMENT)


def printed_quality(text):
    found = re.search(r"^loss \(\w+\) (\S+) over (\d+) samples?(?:, accuracy (\S+))?$", text, re.M)
    return float(found[1]), int(found[2]), float(found[3]) if found[3] else None


def content(path):
    with h5py.File(path, "r") as file:
        return {name: values[()] for name, values in file.items()}


class PredictTest(TrainingTest):
    def predict(self, run, *options, ranks=1, code=DONE, out="out.h5"):
        out = self.path(out)
        if os.path.exists(out):
            os.remove(out)
        done = predict("-run", run, "-out", out, *options, ranks=ranks)
        self.assertEqual(done.returncode, code, f"{options} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return done, out

    def poise_data(self, *words):
        return subprocess.run([DATA, *map(str, words)], capture_output=True, text=True, timeout=patience(60))

    def altered(self, name, source, change):
        """A copy of a data file, changed by `change(file)`."""
        path = shutil.copy(source, self.path(name))
        with h5py.File(path, "r+") as file:
            change(file)
        return path


def replace(file, name, values):
    attributes = dict(file[name].attrs) if name in file else {}
    if name in file:
        del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


class Agreement(PredictTest):
    def test_losses_are_those_of_the_run_for_every_network_and_loss(self):
        for loss, data in self.data.items():
            for name, options in NETWORKS.items():
                run = self.train("-data", data, "-loss", loss, *DESCENT, *options, ranks=2)
                last = {column: values[-1] for column, values in history(run).items()}
                for subset in ("train", "test") if loss != "logistic" else ("train",):
                    done, _ = self.predict(run, "-data", data, "-set", subset, ranks=2)
                    value, count, accuracy = printed_quality(done.stdout)
                    head = "" if subset == "train" else "test_"
                    with self.subTest(loss=loss, network=name, set=subset):
                        self.assertAlmostEqual(value / last[head + "loss"], 1, delta=SOLVER)
                        if accuracy is not None:
                            self.assertAlmostEqual(accuracy, last[("train_" if subset == "train" else "test_") + "accuracy"], delta=1e-4)

    def test_predictions_do_not_depend_on_the_ranks(self):
        for network in ("softmax_linear", "pointwise", "feedforward"):
            run = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT, *NETWORKS[network])
            one = None
            for ranks, feature_ranks in GRIDS:
                _, out = self.predict(run, "-data", self.classes, "-grid_feature_ranks", feature_ranks, ranks=ranks)
                here = content(out)
                one = one or here
                with self.subTest(network=network, ranks=ranks):
                    np.testing.assert_array_equal(here["predicted"], one["predicted"])
                    for name in ("outputs", "probabilities"):
                        np.testing.assert_allclose(here[name], one[name], rtol=0, atol=SOLVER)
            np.testing.assert_allclose(one["probabilities"].sum(axis=1), 1, rtol=1e-14)
            np.testing.assert_array_equal(one["probabilities"].argmax(axis=1), one["predicted"])

    def test_a_regression_reports_its_errors_in_the_unit_of_the_data(self):
        run = self.train("-data", DIABETES, "-features", "whiten", *DESCENT)
        done, out = self.predict(run, "-data", DIABETES, ranks=3)
        with h5py.File(DIABETES, "r") as file:
            y = file["targets"][:].reshape(file["targets"].shape[0], -1)
        f = content(out)["outputs"]
        self.assertEqual(f.shape, y.shape)
        rmse, mae, r2 = map(float, re.search(r"MAE +R\^2\n +\S+ +(\S+) +(\S+) +(\S+)\n", done.stdout).groups())
        self.assertAlmostEqual(rmse / np.sqrt(((y - f) ** 2).mean()), 1, delta=1e-5)
        self.assertAlmostEqual(mae / np.abs(y - f).mean(), 1, delta=1e-5)
        self.assertAlmostEqual(r2, 1 - ((y - f) ** 2).sum() / ((y - y.mean()) ** 2).sum(), delta=1e-6)

    def test_the_report_of_classes_agrees_with_the_file(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT)
        done, out = self.predict(run, "-data", self.classes, ranks=2)
        with h5py.File(self.classes, "r") as file:
            right = file["labels"][:]
        predicted = content(out)["predicted"]
        confusion = np.zeros((3, 3), int)
        np.add.at(confusion, (right, predicted), 1)
        table = done.stdout.split("one column per predicted class\n")[1].splitlines()[:3]
        np.testing.assert_array_equal([list(map(int, line.split()[-3:])) for line in table], confusion)
        rows = re.findall(r"^  \S+ +(\S+) +(\S+)$", done.stdout.split("recall\n")[1], re.M)[:3]
        for c, (precision, recall) in enumerate(rows):
            for text, whole in ((precision, confusion[:, c].sum()), (recall, confusion[c].sum())):
                if whole == 0:
                    self.assertEqual(text, "nan")
                else:
                    self.assertAlmostEqual(float(text), confusion[c, c] / whole, delta=1e-4)

    def test_a_table_has_the_numbers_of_the_file(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT)
        _, out = self.predict(run, "-data", self.classes, ranks=3)
        _, table = self.predict(run, "-data", self.classes, ranks=3, out="out.csv")
        with open(table, encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        self.assertEqual(lines[0][:2], ["row", "predicted"])
        numbers = np.array(lines[1:], float)
        here = content(out)
        expected = np.column_stack([np.arange(45), here["predicted"], here["outputs"], here["probabilities"], here["residuals"]])
        np.testing.assert_array_equal(numbers, expected)


class Names(PredictTest):
    def named(self, inputs, classes):
        def change(file):
            file["input_names"] = [name.encode() for name in inputs]
            file["class_names"] = [name.encode() for name in classes]
        return change

    def setUp(self):
        self.names = ["age", "height", "mass", "shoe, size", "income"]
        self.data_file = self.altered("named.h5", self.classes, self.named(self.names, ["ant", "bee", "cat"]))
        self.run_directory = self.train("-data", self.data_file, "-loss", "cross_entropy", *DESCENT)
        _, out = self.predict(self.run_directory, "-data", self.data_file)
        self.expected = content(out)

    def test_columns_and_classes_are_matched_by_name(self):
        columns, classes = [4, 2, 0, 1, 3], [2, 0, 1]

        def change(file):
            replace(file, "features", np.column_stack([file["features"][:][:, columns], np.arange(45)]))
            replace(file, "test_features", np.column_stack([file["test_features"][:][:, columns], np.arange(6)]))
            for name in ("labels", "test_labels"):
                replace(file, name, np.argsort(classes)[file[name][:]])
            replace(file, "input_names", [*[self.names[j].encode() for j in columns], b"extra"])
            del file["teacher"]
            replace(file, "class_names", [[b"ant", b"bee", b"cat"][c] for c in classes])
        done, out = self.predict(self.run_directory, "-data", self.altered("permuted.h5", self.data_file, change), ranks=2)
        self.assertIn("5 of 6 columns, by name", done.stdout)
        for name in ("predicted", "class_names"):
            np.testing.assert_array_equal(content(out)[name], self.expected[name])
        np.testing.assert_allclose(content(out)["outputs"], self.expected["outputs"], rtol=0, atol=SOLVER)
        self.assertEqual(printed_quality(done.stdout)[2],
                         printed_quality(self.predict(self.run_directory, "-data", self.data_file)[0].stdout)[2])

    def test_columns_with_the_same_name_are_never_mixed_up(self):
        twice = self.altered("twice.h5", self.data_file, lambda file: replace(
            file, "input_names", [b"x", b"x", b"mass", b"x", b"income"]))
        run = self.train("-data", twice, "-loss", "cross_entropy", *DESCENT)
        _, out = self.predict(run, "-data", twice)
        np.testing.assert_allclose(content(out)["outputs"], self.expected["outputs"], rtol=0, atol=SOLVER)

        def swap(file):
            columns = [0, 1, 4, 3, 2]
            replace(file, "features", file["features"][:][:, columns])
            replace(file, "input_names", [b"x", b"x", b"income", b"x", b"mass"])
        done, _ = self.predict(run, "-data", self.altered("swapped.h5", twice, swap), code=BAD_INPUT)
        self.assertIn("there are two with the name 'x'", done.stderr)

    def test_blanks_at_the_end_of_a_name_are_padding(self):
        padded = self.altered("padded.h5", self.data_file, lambda file: replace(
            file, "input_names", [name + "  " for name in self.names]))  # h5py writes texts of variable length
        run = self.train("-data", padded, "-loss", "cross_entropy", *DESCENT)
        self.train("-resume", "-steps", 5, run=run)
        done, _ = self.predict(run, "-data", self.data_file)
        self.assertIn("5 of 5 columns, by name", done.stdout)

    def test_a_name_too_long_for_a_checkpoint_is_refused(self):
        long = self.altered("long.h5", self.data_file, lambda file: replace(
            file, "input_names", [*self.names[:4], "x" * 5000]))
        refused = train("-data", long, "-loss", "cross_entropy", *DESCENT, "-run", self.new_run())
        self.assertEqual(refused.returncode, BAD_INPUT)
        self.assertIn("/input_names of file", refused.stderr)
        self.assertIn("has texts of 5000 bytes", refused.stderr)

    def refuse(self, *options, words):
        for ranks in (1, 3):
            done, out = self.predict(self.run_directory, *options, ranks=ranks, code=BAD_INPUT)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertFalse(os.path.exists(out) or os.path.exists(out + ".tmp"))

    def test_other_columns_and_classes_are_refused(self):
        without = self.altered("without.h5", self.data_file, lambda file: replace(
            file, "input_names", [b"age", b"height", b"mass", b"shoe, size", b"incomes"]))
        self.refuse("-data", without, words=["no column of features named 'income'", "nearest name is 'incomes'"])
        other = self.altered("other.h5", self.data_file, lambda file: replace(file, "class_names", [b"ant", b"bee", b"dog"]))
        self.refuse("-data", other, words=["no class named 'dog'"])
        self.refuse("-data", self.regression, words=["has 6 columns of features", "trained on 5"])

    def test_answers_of_another_kind_are_refused(self):
        def change(file):
            for name in ("labels", "test_labels"):
                replace(file, name.replace("labels", "targets"), np.zeros((file[name].shape[0], 3)))
                del file[name]
        self.refuse("-data", self.altered("kind.h5", self.classes, change), words=["has /targets", "trained on classes"])


class MissedSamples(PredictTest):
    def setUp(self):
        self.run_directory = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT)

    def test_data_without_answers_are_predicted(self):
        def change(file):
            del file["labels"], file["test_labels"]
        bare = self.altered("bare.h5", self.classes, change)
        done, out = self.predict(self.run_directory, "-data", bare, ranks=2)
        self.assertNotIn("loss", done.stdout)
        _, whole = self.predict(self.run_directory, "-data", self.classes, ranks=2, out="whole.h5")
        np.testing.assert_array_equal(content(out)["outputs"], content(whole)["outputs"])

    def test_a_table_or_array_without_answers_is_imported_and_predicted(self):
        with h5py.File(self.classes, "r") as file:
            features = file["features"][:]
        np.savetxt(self.path("bare.csv"), features, delimiter=",", fmt="%.17g")
        np.save(self.path("bare.npy"), features)
        np.savez(self.path("bare.npz"), X=features)
        _, whole = self.predict(self.run_directory, "-data", self.classes, out="whole.h5")
        for option, name in (("-csv", "bare.csv"), ("-npy_features", "bare.npy"), ("-npz", "bare.npz")):
            bare = self.path(name + ".h5")
            done = self.poise_data("import", option, self.path(name), "-unlabelled", "true", "-out", bare)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertIn("45 samples, 5 features (float64), no labels or targets", done.stdout)
            self.assertIn("no labels or targets", self.poise_data("show", bare).stdout)
            _, out = self.predict(self.run_directory, "-data", bare)
            np.testing.assert_array_equal(content(out)["outputs"], content(whole)["outputs"])
            refused = train("-data", bare, "-run", self.new_run())
            self.assertEqual(refused.returncode, BAD_INPUT)
            self.assertIn("has neither /targets [samples, outputs] nor /labels [samples]", refused.stderr)
        copy = self.path("copy.h5")
        self.assertEqual(self.poise_data("import", "-h5", bare, "-out", copy).returncode, DONE)
        np.testing.assert_array_equal(content(copy)["features"], features)

    def test_answers_beside_unlabelled_are_refused(self):
        np.savetxt(self.path("two.csv"), np.ones((3, 2)), delimiter=",")
        np.save(self.path("two.npy"), np.ones((3, 2)))
        for options in (["-csv", self.path("two.csv"), "-label_column", 0], ["-csv", self.path("two.csv"), "-target_columns", 0],
                        ["-npy_features", self.path("two.npy"), "-npy_targets", self.path("two.npy")]):
            done = self.poise_data("import", *options, "-unlabelled", "true", "-out", self.path("none.h5"))
            self.assertEqual(done.returncode, BAD_INPUT, done.stdout)
            self.assertIn("-unlabelled true: leave out", done.stderr)

    def test_a_row_that_lacks_an_input_is_named_or_left_out(self):
        def change(file):
            for row, column in ((31, 0), (17, 3)):
                file["features"][row, column] = np.nan
        holes = self.altered("holes.h5", self.classes, change)
        for ranks in (1, 3):
            done, out = self.predict(self.run_directory, "-data", holes, ranks=ranks, code=BAD_INPUT)
            self.assertIn("row 17, column 3 is missing or not finite", done.stderr)
            self.assertFalse(os.path.exists(out) or os.path.exists(out + ".tmp"))
            done, out = self.predict(self.run_directory, "-data", holes, "-skip_bad_rows", "true", ranks=ranks)
            self.assertIn("2 samples (row 17, 31)", done.stdout)
            self.assertEqual(printed_quality(done.stdout)[1], 43)
            found = content(out)
            np.testing.assert_array_equal(np.flatnonzero(found["predicted"] < 0), [17, 31])
            np.testing.assert_array_equal(np.flatnonzero(np.isnan(found["outputs"]).any(axis=1)), [17, 31])

    def test_a_sample_whose_equilibrium_does_not_converge_is_named_and_has_no_prediction(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", "-model", "pointwise", "-activation", "tanh",
                         "-width", 9, *DESCENT)

        def change(file):  # inputs 0 have their equilibrium almost at once
            features = file["features"][:]
            features[:] = 0
            features[[5, 40]] = 3
            replace(file, "features", features)
        data = self.altered("hard.h5", self.classes, change)
        hasty = ["-eq_snes_type", "picard", "-eq_snes_max_it", 2, "-eq_ladder", "false", "-eq_snes_rtol", 1e-13]
        for ranks in (1, 3):
            done, out = self.predict(run, "-data", data, *hasty, ranks=ranks, code=FAILED)
            found = content(out)
            missed = np.flatnonzero(found["predicted"] < 0)
            self.assertTrue({5, 40} <= set(missed))
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            self.assertIn(f"equilibria of {len(missed)} samples did not converge (row {missed[0]}", done.stderr)
            np.testing.assert_array_equal(np.isnan(found["outputs"]).any(axis=1), found["predicted"] < 0)
            self.assertGreater(found["residuals"][5], 1e-13)


class Runs(PredictTest):
    def predict_checkpoint(self, path):
        """The checkpoint, moved away from its run: nothing else of the run is needed."""
        alone, out = shutil.copy(path, self.path("alone.h5")), self.path("alone-out.h5")
        done = predict("-checkpoint", alone, "-data", self.classes, "-out", out)
        self.assertEqual(done.returncode, DONE, done.stderr)
        return done, out

    def test_many_classes_have_no_confusion_matrix(self):
        def change(file):
            for name in ("labels", "test_labels"):
                file[name].attrs["classes"] = 60
            del file["teacher"]
        many = self.altered("many.h5", self.classes, change)
        run = self.train("-data", many, "-loss", "cross_entropy", *DESCENT)
        done, out = self.predict(run, "-data", many, ranks=2)
        self.assertNotIn("confusion matrix", done.stdout)
        self.assertIn("  ...", done.stdout)
        self.assertEqual(content(out)["probabilities"].shape, (45, 60))

    def test_a_damaged_checkpoint_is_passed_over_and_a_run_without_one_is_refused(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT, "-checkpoint_every", 1)
        _, out = self.predict(run, "-data", self.classes, "-step", 2)
        expected = content(out)
        with open(checkpoints(run)[-1], "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
        done, out = self.predict(run, "-data", self.classes)
        self.assertIn("poise: warning:", done.stderr)
        np.testing.assert_array_equal(content(out)["outputs"], expected["outputs"])
        _, out = self.predict_checkpoint(checkpoints(run)[-2])
        np.testing.assert_array_equal(content(out)["outputs"], expected["outputs"])
        for path in checkpoints(run):
            os.remove(path)
        done, _ = self.predict(run, "-data", self.classes, code=BAD_INPUT)
        self.assertIn("no valid checkpoint", done.stderr)

    def test_wrong_usage_is_refused(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", *DESCENT)
        for options, word in ((["-run", run, "-out", self.path("o.h5")], "give -data FILE"),
                              (["-run", run, "-data", self.classes], "give -out FILE"),
                              (["-data", self.classes, "-out", self.path("o.h5")], "give -run DIR"),
                              (["-run", run, "-data", self.classes, "-out", self.path("none/o.h5")], "there is no directory"),
                              (["-run", run, "-data", self.classes, "-out", self.classes], "is the data file itself"),
                              (["-run", run, "-data", self.path("none.h5"), "-out", self.path("o.h5")], "none.h5"),
                              (["-run", run, "-data", self.binary, "-set", "test", "-out", self.path("o.h5")], "no /test_features"),
                              (["-run", run, "-data", self.classes, "-out", self.path("o.h5"), "-st", "test"], "option -st is unknown"),
                              (["-run", run, "-data", self.classes, "-out", self.path("o.h5"), "-gamma", 0.5], "option -gamma is 0.5")):
            for ranks in (1, 2):
                done = predict(*options, ranks=ranks)
                with self.subTest(options=options, ranks=ranks):
                    self.assertEqual(done.returncode, BAD_INPUT, done.stdout + done.stderr)
                    self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
                    self.assertIn(word, done.stderr)
        self.assertFalse(os.path.exists(self.path("o.h5")))


if __name__ == "__main__":
    unittest.main()
