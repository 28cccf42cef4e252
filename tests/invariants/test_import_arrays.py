"""Arrays of numpy and h5py through poise-data import: the data file has the same numbers, or the array is refused by name."""

import subprocess
import unittest

import h5py
import numpy as np

from training import BAD_INPUT, DATA, DONE, ScratchTest, patience

RANDOM = np.random.default_rng(5)
ROWS, COLUMNS = 30, 4
X = RANDOM.normal(size=(ROWS, COLUMNS)).round(2)
LABELS = np.arange(ROWS) % 3


class Arrays(ScratchTest):
    def run_import(self, *options, code=DONE):
        command = [DATA, "import", *map(str, options), "-out", self.path("out.h5"), "-force"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience(60), check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def npz(self, *options, code=DONE, **arrays):
        np.savez(self.path("arrays.npz"), **arrays)
        return self.run_import("-npz", self.path("arrays.npz"), *options, code=code)

    def stored(self, name):
        with h5py.File(self.path("out.h5"), "r") as file:
            return file[name][:]

    def classes(self):
        with h5py.File(self.path("out.h5"), "r") as file:
            return file["labels"].attrs["classes"]

    def test_every_type_of_number_keeps_its_values(self):
        whole = np.round(100 * X)
        for kind in ("f2", "f4", "f8", ">f4", "i1", "i2", "<i4", ">i8", "u1", "?"):
            for order in ("C", "F"):
                with self.subTest(kind=kind, order=order):
                    sent = (X > 0 if kind == "?" else np.abs(whole) if kind == "u1" else X if "f" in kind else whole)
                    sent = np.clip(sent, -128, 127 if kind == "i1" else 255).astype(kind, order=order)
                    said = self.npz(X=sent, y=LABELS)
                    self.assertIn("3 classes", said)
                    np.testing.assert_array_equal(self.stored("features"), sent.astype(float))
                    np.testing.assert_array_equal(self.stored("labels"), LABELS)
        np.savez_compressed(self.path("packed.npz"), X=X, y=LABELS)
        self.run_import("-npz", self.path("packed.npz"))
        np.testing.assert_array_equal(self.stored("features"), X)

    def test_answers_are_targets_or_classes_by_their_type_and_name(self):
        self.npz(X=X, y=X[:, :2])
        np.testing.assert_array_equal(self.stored("targets"), X[:, :2])
        self.npz(X=X, y=np.array(["cat", "dog", "eel"])[LABELS])
        np.testing.assert_array_equal(self.stored("labels"), LABELS)
        np.testing.assert_array_equal(self.stored("class_names"), [b"cat", b"dog", b"eel"])
        self.npz(X=X, y=LABELS > 0)
        np.testing.assert_array_equal(self.stored("labels"), LABELS > 0)
        # Whole numbers of a real type may be targets or classes: a warning, unless an option names the array.
        self.assertIn("are these classes?", self.npz(X=X, y=LABELS.astype(float)))
        self.assertNotIn("are these classes?", self.npz("-npz_targets", "y", X=X, y=LABELS.astype(float)))
        self.assertNotIn("are these classes?", self.npz(X=X, y=X[:, 0]))
        self.npz("-npz_labels", "y", X=X, y=LABELS.astype(float))
        np.testing.assert_array_equal(self.stored("labels"), LABELS)
        self.assertEqual(self.classes(), 3)

    def test_images_are_flattened_and_test_sets_are_taken(self):
        images = RANDOM.integers(0, 255, (ROWS, 3, 5)).astype("u1")
        self.npz(x_train=images, y_train=LABELS, x_test=images[:7], y_test=LABELS[:7])
        np.testing.assert_array_equal(self.stored("features"), images.reshape(ROWS, 15))
        np.testing.assert_array_equal(self.stored("test_features"), images[:7].reshape(7, 15))
        np.testing.assert_array_equal(self.stored("test_labels"), LABELS[:7])
        names = {"features": X > 0, "targets": X[:, :1].astype("f2"), "test_features": X[:3] > 0,
                 "test_targets": X[:3, :1].astype("f2")}
        options = []
        for name, array in names.items():
            np.save(self.path(name + ".npy"), array)
            options += ["-npy_" + name, self.path(name + ".npy")]
        self.run_import(*options)
        for name, array in names.items():
            np.testing.assert_array_equal(self.stored(name), array.astype(float), name)

    def test_arrays_that_cannot_be_used_are_refused_by_name(self):
        holed = X.copy()
        holed[2, 1] = np.nan
        for arrays, words in (({"X": holed, "y": LABELS}, "X: row 2 (from 0) holds nan"),
                              ({"X": X.astype("c8"), "y": LABELS}, "holds values of type '<c8'"),
                              ({"X": X.astype(object), "y": LABELS}, "holds values of type '|O'"),
                              ({"X": X, "y": LABELS[1:]}, "has 29 rows"),
                              ({"X": X, "y": LABELS, "x_test": X}, "the test set lacks its features or its"),
                              ({"A": X, "b": LABELS}, "which arrays are the features")):
            self.assertIn(words, self.npz(code=BAD_INPUT, **arrays))

    def test_truth_values_of_h5py_are_numbers(self):
        with h5py.File(self.path("truth.h5"), "w") as file:
            file["features"], file["labels"] = X > 0, LABELS > 0
            file["labels"].attrs["classes"] = 2
        self.run_import("-h5", self.path("truth.h5"))
        np.testing.assert_array_equal(self.stored("features"), X > 0)
        np.testing.assert_array_equal(self.stored("labels"), LABELS > 0)


if __name__ == "__main__":
    unittest.main()
