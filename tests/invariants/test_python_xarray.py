"""Histories and data files of the Python package as xarray and pandas objects."""

import unittest

import h5py
import numpy as np

from python_package import poise, require
from training import TrainingTest, history

require("xarray", "pandas")
import xarray  # noqa: E402  (after the check that it is there)

from poise.xarray_backend import PoiseBackend  # noqa: E402


class Xarray(TrainingTest):
    def test_a_history_is_the_same_in_every_form(self):
        path = self.train("-data", self.regression, "-time", 0.05)
        stored, run = history(path), poise.open_run(path)
        opened = xarray.open_dataset(path, engine=PoiseBackend)
        frame = run.history.to_pandas()
        for dataset in (run.history.to_xarray(), opened, xarray.open_dataset(f"{path}/run.h5", engine=PoiseBackend)):
            self.assertEqual(set(dataset.variables), set(stored))
            self.assertEqual(dataset.attrs["gamma"], "0.8")
            for name, values in stored.items():
                self.assertEqual(dataset[name].dims, ("t",))
                np.testing.assert_array_equal(dataset[name], values)
            with h5py.File(f"{path}/run.h5") as file:
                for key in ("long_name", "units"):
                    self.assertEqual(dataset["loss_excess"].attrs[key], file["history/loss_excess"].attrs[key])
        for name in set(stored) - {"step"}:
            np.testing.assert_array_equal(frame[name], stored[name])
        np.testing.assert_array_equal(frame.index, stored["step"])
        self.assertNotIn("loss", xarray.open_dataset(path, engine=PoiseBackend, drop_variables=["loss"]))
        self.assertTrue(PoiseBackend().guess_can_open(path))
        self.assertFalse(PoiseBackend().guess_can_open(self.regression))

    def test_a_data_file_has_its_names(self):
        path = self.path("named.h5")
        x = np.random.default_rng(0).normal(size=(9, 2))
        poise.write_data(path, x, labels=["a", "b", "b"] * 3, names=["mass", "age"], test_features=x[:4],
                         test_labels=list("abab"))
        dataset = xarray.open_dataset(path, engine=PoiseBackend)
        self.assertEqual(dict(dataset.sizes), {"sample": 9, "input": 2, "test_sample": 4})
        np.testing.assert_array_equal(dataset["features"].sel(input="age"), x[:, 1])
        np.testing.assert_array_equal(dataset["test_labels"], [0, 1, 0, 1])
        self.assertEqual(list(dataset.attrs["class_names"]), ["a", "b"])

    def test_what_is_neither_is_refused(self):
        self.assertRaisesRegex(poise.Error, "no run.h5 in it", xarray.open_dataset, self.scratch, engine=PoiseBackend)


if __name__ == "__main__":
    unittest.main()
