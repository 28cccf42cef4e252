"""poise-predict takes tables (-csv) and arrays (-npy_features): the predictions are bit for bit those of an imported data file,
whatever the ranks; what cannot be used is named by line and column."""

import gzip
import os
import subprocess
import unittest

import h5py
import numpy as np

from test_predict import DESCENT, PredictTest, content, predict, printed_quality
from training import BAD_INPUT, DATA, patience

RANKS = (1, 2, 3)


def lines_of(header, rows):
    return "".join(",".join(map(str, row)) + "\n" for row in [header, *rows])


class Tables(PredictTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        generator = np.random.default_rng(4)
        cls.x = generator.normal(size=(60, 3)).round(4)
        cls.y = (cls.x @ generator.normal(size=(3, 2))).round(4)
        cls.words = [("cat", "dog", "gnu")[number] for number in np.digitize(cls.x[:, 0], (-0.4, 0.4))]
        cls.header = ["mass", "age", "size"]
        cls.table = cls.write("table.csv", lines_of([*cls.header, "kind"], [[*row, word] for row, word in zip(cls.x, cls.words)]))
        cls.animals = cls.imported("animals.h5", "-csv", cls.table, "-label_column", "kind")
        cls.numbers = cls.write("numbers.csv", lines_of([*cls.header, "a", "b"], np.hstack([cls.x, cls.y]).tolist()))
        cls.targets = cls.imported("targets.h5", "-csv", cls.numbers, "-target_columns", "a,b")
        cls.networks, cls.expected = {}, {}  # by data file, and ranks

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return cls.path(name)

    @classmethod
    def save(cls, name, array):
        np.save(cls.path(name), array)
        return cls.path(name)

    @classmethod
    def imported(cls, name, *options):
        done = subprocess.run([DATA, "import", *options, "-force", "true", "-out", cls.path(name)], capture_output=True,
                              text=True, timeout=patience(60))
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return cls.path(name)

    def network(self, data, *options):
        """A run on a data file, trained once."""
        if data not in self.networks:
            self.networks[data] = self.train("-data", data, *DESCENT, *options)
        return self.networks[data]

    def classifier(self):
        return self.network(self.animals, "-loss", "cross_entropy")

    def assert_same(self, run, data, *options, several=(3,)):
        """The options give what the data file gives; returns what was printed."""
        for ranks in several:
            if (data, ranks) not in self.expected:
                done, out = self.predict(run, "-data", data, ranks=ranks)
                self.expected[data, ranks] = done, content(out)
            expected, before = self.expected[data, ranks]
            done, out = self.predict(run, *options, ranks=ranks)
            with self.subTest(options=options, ranks=ranks):
                after = content(out)
                self.assertEqual(set(after), set(before))
                for name, values in before.items():
                    np.testing.assert_array_equal(after[name], values, name)
                self.assertEqual(done.stdout.splitlines()[2:], expected.stdout.splitlines()[2:])
                self.assert_nothing_left()
        return done

    def assert_nothing_left(self):
        self.assertEqual([name for name in os.listdir(self.scratch) if ".samples" in name], [])

    def refused(self, run, *options, words, ranks=(2,)):
        for count in ranks:
            done, out = self.predict(run, *options, ranks=count, code=BAD_INPUT)
            with self.subTest(options=options, ranks=count):
                self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.assertFalse(os.path.exists(out))
                self.assert_nothing_left()

    def test_a_table_of_classes(self):
        run = self.classifier()
        done = self.assert_same(run, self.animals, "-csv", self.table, "-label_column", "kind", several=RANKS)
        self.assertEqual(printed_quality(done.stdout)[1], 60)
        self.assertIn(f"{self.table}: 60 samples, 3 of 3 columns, by name", done.stdout)
        with h5py.File(self.path("out.h5")) as file:
            self.assertEqual(file.attrs["data"], self.table)
        packed = self.path("table.csv.gz")
        with gzip.open(packed, "wt", encoding="utf-8") as file, open(self.table, encoding="utf-8") as plain:
            file.write(plain.read())
        self.assert_same(run, self.animals, "-csv", packed, "-label_column", "-1")

    def test_columns_are_matched_by_name_and_others_are_not_read(self):
        rows = [[f"id {i}", row[2], word, row[0], "", row[1]] for i, (row, word) in enumerate(zip(self.x, self.words))]
        other = self.write("other.csv", lines_of(["name", "size", "kind", "mass", "remark", "age"], rows))
        self.assert_same(self.classifier(), self.animals, "-csv", other, "-label_column", "kind")

    def test_without_names_columns_are_matched_by_place(self):
        bare = self.write("bare.csv", lines_of(self.x[0], self.x[1:]))
        alone = self.imported("alone.h5", "-csv", bare, "-unlabelled", "true")
        done = self.assert_same(self.classifier(), alone, "-csv", bare)
        self.assertIn("3 of 3 columns, by place", done.stdout)
        self.assertNotIn("accuracy", done.stdout)
        self.refused(self.classifier(), "-csv", self.write("wide.csv", lines_of([1, 2, 3, 4], [[5, 6, 7, 8]])),
                     words=["has 4 columns of features", "trained on 3", "-drop_columns"])

    def test_a_table_of_targets(self):
        done = self.assert_same(self.network(self.targets), self.targets, "-csv", self.numbers, "-target_columns", "a,b",
                                several=RANKS)
        self.assertIn("RMSE", done.stdout)

    def test_classes_without_names_have_numbers(self):
        labels = [word == "dog" for word in self.words]
        rows = [[*row, int(label)] for row, label in zip(self.x, labels)]
        table = self.write("two.csv", lines_of([*self.header, "kind"], rows))
        data = self.imported("two.h5", "-csv", table, "-label_column", "kind")
        run = self.network(data, "-loss", "logistic")
        self.assert_same(run, data, "-csv", table, "-label_column", "kind")
        wrong = self.write("three.csv", lines_of([*self.header, "kind"], [*rows[:4], [1, 2, 3, 2]]))
        self.refused(run, "-csv", wrong, "-label_column", "kind", words=["three.csv: line 6", "'2'", "0 to 1"])

    def test_arrays(self):
        numbers = [("cat", "dog", "gnu").index(word) for word in self.words]
        run, features = self.classifier(), self.save("x.npy", self.x)
        self.assert_same(run, self.animals, "-npy_features", features, "-npy_labels",
                         self.save("words.npy", np.array(self.words)), several=RANKS)
        by_columns = self.save("columns.npy", np.asfortranarray(self.x))
        alone = self.imported("array.h5", "-npy_features", features, "-unlabelled", "true")
        self.assert_same(run, alone, "-npy_features", by_columns)
        self.assert_same(self.network(self.targets), self.targets, "-npy_features", features,
                         "-npy_targets", self.save("y.npy", self.y))
        self.refused(run, "-npy_features", features, "-npy_labels", self.save("numbers.npy", np.array(numbers)),
                     words=["numbers.npy: row 0 (from 0)", "no class named"])
        self.refused(run, "-npy_features", self.save("wide.npy", np.ones((4, 5))), words=["5 columns", "trained on 3"])
        self.refused(run, "-npy_features", features, "-npy_labels", self.save("few.npy", np.array(["cat"] * 9)),
                     words=["has 9 rows", "has 60"])
        self.refused(run, "-npy_features", self.save("texts.npy", np.array(["a"])), words=["holds texts"])

    def test_missing_values(self):
        rows = [[*row, word] for row, word in zip(self.x, self.words)]
        rows[7][1], rows[9][3] = "NA", ""
        table = self.write("holes.csv", lines_of([*self.header, "kind"], rows))
        run = self.classifier()
        options = ["-csv", table, "-label_column", "kind"]
        self.refused(run, *options, words=["holes.csv: line 9, column 1 ('age')", "-skip_bad_rows true"])
        done, out = self.predict(run, *options, "-skip_bad_rows", "true", ranks=2)
        self.assertIn("1 sample (row 7)", done.stdout)
        self.assertEqual(printed_quality(done.stdout)[1], 58)  # the label of row 9 is missing, its prediction is there
        predicted = content(out)["predicted"]
        self.assertEqual((predicted[7], (predicted >= 0).sum()), (-1, 59))
        holes = self.x.copy()
        holes[7, 1] = np.nan
        array = self.save("holes.npy", holes)
        self.refused(run, "-npy_features", array, words=["holes.npy: row 7, column 1", "-skip_bad_rows true"])
        _, skipped = self.predict(run, "-npy_features", array, "-skip_bad_rows", "true", out="skipped.h5")
        np.testing.assert_array_equal(content(skipped)["predicted"], predicted)

    def test_what_cannot_be_read_is_named(self):
        run = self.classifier()

        def table(name, *rows):
            return self.write(name, lines_of(self.header, [[1, 2, 3], *rows]))

        for path, words in ((table("word.csv", [1, "two", 3]), ["line 3, column 1 ('age')", "'two' is not a number"]),
                            (table("ragged.csv", [1, 2]), ["line 3", "has 2 fields"]),
                            (self.write("lacks.csv", lines_of(["mass", "aged", "size"], [[1, 2, 3]])),
                             ["has no column of features named 'age'", "'aged'"]),
                            (self.write("twice.csv", lines_of(["mass", "age", "size", "age"], [[1, 2, 3, 4]])), ["two with the name 'age'"]),
                            (self.write("head.csv", lines_of(self.header, [])), ["holds no row"]),
                            (self.write("empty.csv", ""), ["holds no row"]),
                            (self.path("none.csv"), ["no such file"])):
            self.refused(run, "-csv", path, words=[os.path.basename(path), *words])
        self.refused(run, "-csv", self.numbers, "-label_column", "a", words=["numbers.csv: line 2", "no class named"])
        self.refused(run, "-csv", self.table, "-label_column", "kin", words=["-label_column", "did you mean 'kind'"])
        self.refused(run, "-csv", self.numbers, "-target_columns", "a", words=["-target_columns", "trained on classes"])
        self.refused(self.network(self.targets), "-csv", self.table, "-label_column", "kind",
                     words=["-label_column", "trained on targets"])
        self.refused(self.network(self.targets), "-csv", self.numbers, "-target_columns", "a",
                     words=["1 column", "2 outputs"])

    def test_options_that_do_not_go_together(self):
        run, array = self.classifier(), self.save("x.npy", self.x)
        for options, words in ((["-csv", self.table, "-data", self.animals], ["give only one"]),
                               (["-csv", self.table, "-npy_features", array], ["give only one"]),
                               (["-data", self.animals, "-label_column", "kind"], ["-label_column belongs to -csv"]),
                               (["-csv", self.table, "-npy_labels", array], ["-npy_labels belongs to -npy_features"]),
                               (["-csv", self.table, "-set", "test"], ["-set belongs to -data"]),
                               (["-csv", self.table, "-label_column", 0, "-target_columns", 1], ["exclude each other"])):
            self.refused(run, *options, words=words)
        done = predict("-run", run, "-csv", self.table, "-out", self.table)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("is the data file itself", done.stderr)

    def test_many_rows_pass_through_in_blocks(self):
        rows = 399_960  # of 3 numbers: more than one block
        table, run = self.path("many.csv"), self.network(self.targets)
        with open(table, "w", encoding="utf-8") as file:
            file.write(",".join(self.header) + "\n")
            block = "".join(",".join(map(str, row)) + "\n" for row in self.x.tolist())
            file.write(block * (rows // 60))
        arrays = [self.save(f"many_{order}.npy", np.asarray(np.tile(self.x, (rows // 60, 1)), order=order)) for order in "CF"]
        _, few = self.predict(run, "-csv", self.numbers, "-drop_columns", "a,b", out="few.h5")
        outputs = content(few)["outputs"]
        for options in (["-csv", table], *(["-npy_features", array] for array in arrays)):
            done, out = self.predict(run, *options, ranks=2, out="many.h5")
            self.assertIn(f"{rows} samples", done.stdout)
            with h5py.File(out) as file:
                np.testing.assert_array_equal(file["outputs"][...].reshape(-1, *outputs.shape) - outputs, 0)
            os.remove(options[1])
        os.remove(out)


if __name__ == "__main__":
    unittest.main()
