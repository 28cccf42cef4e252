"""Histories, checkpoints, predictions and data files of the Python package as xarray and pandas objects."""

import os
import unittest

import h5py
import numpy as np

from python_package import poise, predict, require
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

    def test_a_graph_has_its_rows_and_masks(self):
        path = self.path("graph.h5")
        poise.write_graph(path, np.eye(4, 2), edges=[[0, 1], [1, 3]], labels=[0, 1, -1, 1], names=["mass", "age"],
                          masks={"train": [True, True, False, False], "test": [False, False, False, True]})
        dataset = xarray.open_dataset(path, engine=PoiseBackend)
        self.assertEqual(dict(dataset.sizes), {"node": 4, "input": 2, "row_end": 5, "entry": 4, "split": 1})
        np.testing.assert_array_equal(dataset["indices"], [1, 0, 3, 1])
        np.testing.assert_array_equal(dataset["test"], [[False, False, False, True]])
        np.testing.assert_array_equal(dataset["features"].sel(input="age"), [0, 1, 0, 0])

    def test_a_checkpoint_has_names_of_dimensions(self):
        path = self.path("cats.h5")
        x = np.random.default_rng(0).normal(size=(20, 3))
        poise.write_data(path, x, labels=["cat", "dog"] * 10, names=["mass", "age", "size"])
        for options, dims in (([], {"A": ("state", "state_in"), "B": ("output", "state")}),
                              (["-model", "pointwise", "-width", 6],
                               {"V": ("state", "feature"), "b": ("state", "one"), "A": ("state", "state_in")})):
            run = poise.open_run(self.train("-data", path, "-loss", "cross_entropy", "-dynamics", "descent", "-steps", 2, *options))
            file = run.checkpoint().path
            opened = xarray.open_dataset(file, engine=PoiseBackend)
            for name, values in run.checkpoint().parameters.items():
                np.testing.assert_array_equal(opened[name], values)
            for name, words in dims.items():
                self.assertEqual(opened[name].dims, words)
            np.testing.assert_array_equal(opened["B"].sel(output="dog"), run.checkpoint().parameters["B"][1])
            self.assertEqual(opened.attrs["step"], 2)
            features = xarray.open_dataset(file, engine=PoiseBackend, group="features")
            self.assertEqual(features["transform"].dims, ("feature", "input"))
            self.assertEqual(list(features["input"].values), ["mass", "age", "size"])
        self.assertRaisesRegex(poise.Error, "no data set in the group 'none'", xarray.open_dataset, file,
                               engine=PoiseBackend, group="none")
        self.assertRaisesRegex(poise.Error, "only a checkpoint has groups", xarray.open_dataset, path, engine=PoiseBackend,
                               group="x")
        done, out = predict(run.directory, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        opened = xarray.open_dataset(out, engine=PoiseBackend)
        self.assertEqual((opened["outputs"].dims, opened["predicted"].dims), (("sample", "output"), ("sample",)))
        self.assertEqual((list(opened["class"].values), list(opened["output"].values)), (["cat", "dog"], ["cat", "dog"]))
        self.assertEqual(opened["probabilities"].sel({"class": "cat"}).shape, (20,))

    def test_the_files_say_their_dimensions_themselves(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", "-dynamics", "descent", "-steps", 1)
        written = self.path("written.h5")
        poise.write_data(written, np.ones((4, 2)), targets=np.ones((4, 1)), test_features=np.ones((2, 2)), test_targets=np.ones((2, 1)))
        for path in (self.classes, written, poise.open_run(run).checkpoint().path):
            with h5py.File(path) as file:
                seen = []
                file.visititems(lambda name, item: seen.append((name, item)) if isinstance(item, h5py.Dataset) else None)
                for name, item in seen:
                    with self.subTest(path=path, name=name):
                        self.assertEqual(len(poise.hdf5.text(item.attrs["dims"]).split()), item.ndim)
        with h5py.File(self.classes) as file:
            self.assertEqual([poise.hdf5.text(file[name].attrs["dims"]) for name in ("features", "test_labels")],
                             ["sample input", "test_sample"])

    def test_many_runs_are_one_table(self):
        folder = self.path("many")
        options = ["-data", self.regression, "-dynamics", "descent", "-step_size", 0.01]
        runs = {name: self.train(*options, *more, run=f"{folder}/{name}") for name, more in
                {"long": ["-steps", 4], "short": ["-steps", 2, "-gamma", 0.5, "-audit", "false"]}.items()}
        alone = {name: poise.open_run(path).history for name, path in runs.items()}
        for given in (folder, list(runs.values()), [poise.open_run(path) for path in runs.values()]):
            table = poise.gather(given)
            self.assertEqual(list(table.runs), ["long", "short"])
            self.assertEqual({name: table.options[name] for name in ("steps", "gamma", "audit")},
                             {"steps": [4, 2], "gamma": [0.8, 0.5], "audit": [True, False]})
            self.assertNotIn("seed", table.options)
            dataset, frame = table.to_xarray(), table.to_pandas()
            self.assertEqual((dict(dataset.sizes), frame.index.names), ({"run": 2, "step": 5}, ["run", "step"]))
            for name, history in alone.items():
                for column in set(history) - {"step"}:
                    one = dataset[column].sel(run=name).values
                    np.testing.assert_array_equal(one[:history.rows], history[column])
                    self.assertTrue(np.isnan(one[history.rows:]).all())
                    np.testing.assert_array_equal(frame.loc[name, column], history[column])
            self.assertEqual(dataset["wall_seconds"].attrs["units"], "s")
            self.assertEqual(dataset["option_gamma"].sel(run="short"), 0.5)
            self.assertEqual(dataset["option_audit"].dtype, bool)
            self.assertEqual(set(frame.loc["long", "option_gamma"]), {0.8})
        self.assertRaisesRegex(poise.Error, "no run in it", poise.gather, os.path.join(folder, "long", "checkpoints"))
        self.assertRaisesRegex(poise.Error, "is empty", poise.gather, [])
        self.assertRaisesRegex(poise.Error, "named twice", poise.gather, [runs["long"]] * 2)

    def test_what_is_neither_is_refused(self):
        self.assertRaisesRegex(poise.Error, "no run.h5 in it", xarray.open_dataset, self.scratch, engine=PoiseBackend)


if __name__ == "__main__":
    unittest.main()
