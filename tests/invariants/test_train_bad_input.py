"""Bad input: one message with cause and cure, exit code 2 on any number of ranks, no file created or changed."""

import os
import unittest

import h5py
import numpy as np

from audited import sign_again
from training import BAD_INPUT, DIGITS, RefusalTest, checkpoints, synthetic, train


class BadInput(RefusalTest):
    def write(self, name, **sets):
        path = self.path(name)
        with h5py.File(path, "w") as file:
            for key, value in sets.items():
                file[key] = value
        return path

    def test_data_files(self):
        text = self.path("text.h5")
        with open(text, "w", encoding="utf-8") as file:
            file.write("these are no data\n")
        truncated = self.path("truncated.h5")
        with open(truncated, "wb") as file, open(self.regression, "rb") as whole:
            file.write(whole.read()[:1500])
        x, y = np.arange(8.0).reshape(4, 2), np.ones((4, 1))
        cases = {
            "": ["-data FILE is missing", "data/digits.h5"],
            "none.h5": ["none.h5", "does not exist"],
            text: [text, "not an HDF5 file"],
            truncated: [truncated],
            self.scratch: [self.scratch],
            self.write("rank.h5", features=np.arange(4.0), targets=y): ["/features", "[4]", "needs two"],
            self.write("rows.h5", features=x, targets=np.ones((3, 1))): ["/targets", "3", "4"],
            self.write("type.h5", features=np.array([[b"a"], [b"b"]]), targets=np.ones((2, 1))): ["/features"],
            self.write("complex.h5", features=x.astype(complex), targets=y): ["/features"],
            self.write("untargeted.h5", features=x): ["/targets", "/labels"],
            self.write("unfeatured.h5", targets=y): ["/features"],
            self.write("empty.h5", features=np.empty((0, 2)), targets=np.empty((0, 1))): ["/features", "empty"],
            self.write("narrow.h5", features=np.empty((4, 0)), targets=y): ["/features"],
            self.write("real_labels.h5", features=x, labels=np.array([0.5, 1, 0, 1])): ["/labels", "integer"],
        }
        for data, words in cases.items():
            self.refuse(data=data, words=words)

    def test_values(self):
        x, y = np.arange(20.0).reshape(10, 2), np.ones((10, 1))
        for value, name in ((np.nan, "nan"), (np.inf, "inf")):
            bad = x.copy()
            bad[4, 1] = bad[8, 0] = value
            self.refuse(data=self.write(name + ".h5", features=bad, targets=y), words=["/features", "row 4", name])
            bad = y.copy()
            bad[7, 0] = value
            self.refuse(data=self.write(name + "_target.h5", features=x, targets=bad), words=["/targets", "row 7"])
        labelled = self.write("labels.h5", features=x, labels=np.array([0, 1, 2, 5, 0, 1, 2, -1, 0, 1]))
        with h5py.File(labelled, "r+") as file:
            file["labels"].attrs["classes"] = 3
        self.refuse(data=labelled, words=["/labels", "row 3", "5", "classes"])
        with h5py.File(labelled, "r+") as file:
            file["labels"][3] = 0
        self.refuse(data=labelled, words=["/labels", "row 7", "-1"])

    def test_losses_that_do_not_fit_the_data(self):
        self.refuse("-loss", "cross_entropy", words=["cross_entropy", "/targets", "-loss squared"])
        self.refuse("-loss", "logistic", data=DIGITS, words=["logistic", "10 classes", "-loss cross_entropy"])
        self.refuse("-loss", "logistic", words=["logistic", "2 target columns"])
        reals = self.write("reals.h5", features=np.arange(3.0)[:, None], targets=np.array([[0.0], [1.0], [0.5]]))
        self.refuse("-loss", "logistic", data=reals, words=["logistic", "0 or 1", "0.5"])

    def test_numbers(self):
        for value in ("0", "1", "-1", "nan", "inf", "abc", "0.5x", ""):
            self.refuse("-gamma", value, words=["-gamma", f"'{value}'", "(0, 1)"], ranks=(1, 3) if value == "0" else (1,))
        self.refuse("-train_samples", 41, words=["-train_samples 41", "only 40"])
        self.refuse("-train_samples", -1, words=["-train_samples", "'-1'"], ranks=(1,))
        self.refuse("-train_samples", "1.5", words=["-train_samples", "an integer"], ranks=(1,))
        self.refuse("-audit_every", -1, words=["-audit_every"], ranks=(1,))
        self.refuse("-audit", "maybe", words=["-audit", "true or false"], ranks=(1,))
        self.refuse("-resume", "maybe", words=["-resume", "true or false"])
        self.refuse("-dynamics", "descent", "-step_size", 0, words=["-step_size"], ranks=(1,))

    def test_names(self):
        self.refuse("-gama", 0.5, words=["-gama", "-gamma"])
        self.refuse("-flow_ts_rtoll", 1e-6, words=["-flow_ts_rtoll", "-flow_ts_rtol"])
        self.refuse("-colapsed_ksp_max_it", 7, words=["-colapsed_ksp_max_it", "-collapsed_ksp_max_it"])
        self.refuse("-svd_eps_tol", 1e-9, words=["-svd_eps_tol", "does not use"], ranks=(1,))
        for name, choices in {"loss": ["squared", "logistic", "cross_entropy"], "dynamics": ["flow", "descent", "minimise"],
                              "features": ["identity", "whiten", "random_relu", "random_fourier",
                                           "unit_rows"],
                              "objective": ["collapsed", "equilibrium", "unrolled", "feedforward", "shallow"],
                              "model": ["softmax_linear", "pointwise", "monotone"],
                              "weights": ["softmax", "spectral", "free"], "activation": ["tanh", "relu", "softplus"],
                              "backward": ["exact", "neumann", "one_step"],
                              "loss_scale": ["mean", "sum"]}.items():
            self.refuse("-" + name, "nonsense", words=["-" + name, "'nonsense'", *choices], ranks=(1,))
        self.refuse("-dynamics", "descend", words=["did you mean 'descent'"])
        # If PETSc refuses an option, it does not free the title and the prefix of the block of options.
        forgets = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        self.refuse("-flow_ts_type", "rungekutta", words=["TS type", "rungekutta"], **forgets)
        self.refuse("-collapsed_ksp_type", "gmress", words=["KSP type", "gmress"], **forgets)
        self.refuse("-objective", "equilibrium", "-eq_snes_rtol", "small", words=["small", "-help petsc"], **forgets)

    def test_words_on_the_command_line(self):
        done = train("train", "-data", self.regression)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("'train' is not an option", done.stderr)
        self.refuse("-gamma", "0.5", "more", words=["'more'"])

    def test_grids(self):
        self.refuse("-grid_feature_ranks", 2, words=["-grid_feature_ranks", "2", "3"], ranks=(3,))
        self.refuse("-grid_feature_ranks", 2, words=["-grid_feature_ranks", "2", "1"], ranks=(1,))
        self.refuse("-grid_feature_ranks", 0, words=["-grid_feature_ranks"], ranks=(1,))

    def test_run_directories(self):
        run = self.train("-data", self.regression, "-time", 0.1)
        self.refuse(run=run, words=[run, "already holds a run", "-resume"])
        self.refuse("-resume", words=["-resume", "options.txt"])
        self.refuse("-resume", "-gamma", 0.5, run=run, words=["-gamma is 0.5", "0.8", "belong to a different model"])
        for options, reason in ((["-loss_scale", "sum"], "belong to its old loss"), (["-seed", 3], "belong to the samples"),
                                (["-audit_every", 7], "an audit covers the whole run"), (["-init_scale_b", 2], "initial weights of the run")):
            self.refuse("-resume", *options, run=run, words=[options[0], reason], ranks=(1,))
        self.refuse("-resume", data=self.classes, run=run, words=["-data", self.classes, self.regression])
        for options in ([], ["-train_samples", 10]):
            # Different data under the same name.
            before = self.path("moved.h5")
            os.rename(self.regression, before)
            try:
                with h5py.File(self.regression, "w") as file:
                    file["features"], file["targets"] = np.ones((40, 3)), np.ones((40, 2))
                self.refuse("-resume", *options, run=run, words=["-train_samples" if options else "6 inputs"])
            finally:
                os.replace(before, self.regression)

    def test_a_checkpoint_made_to_do_harm(self):
        """The checksums are right, so the program must refuse the content."""

        def lose_transform(file):
            del file["features/transform"]

        def widen(file):
            file["features"].attrs.modify("width", np.int64(2**60))

        def time_that_is_none(file):
            file["state"].attrs.modify("t", np.float64("nan"))

        def step_below_zero(file):
            file["state"].attrs.modify("step", np.int64(-5))

        for forge, word in {lose_transform: "/features/transform", widen: "/features/transform",
                            time_that_is_none: "/state", step_below_zero: "/state"}.items():
            run = self.train("-data", self.regression, "-time", 0.1)
            for old in checkpoints(run)[:-1]:
                os.remove(old)
            with h5py.File(checkpoints(run)[-1], "r+") as file:
                forge(file)
            sign_again(checkpoints(run)[-1])
            with self.subTest(forge=forge.__name__):
                self.refuse("-resume", "-time", 0.2, run=run, words=[word])

    def test_names_that_are_nearly_right_where_others_are_missing(self):
        self.refuse("-dat", self.regression, data="", words=["-data FILE is missing", "the nearest is -data"])
        self.refuse("-ensembl", "table.txt", words=["the nearest is -ensemble"])
        self.refuse("-tiem", 3, words=["the nearest is -time"])
        done = train("-eq_snes_qn_m", 20, "-flow_ts_adapt_safety", 0.5, "-run", self.new_run())
        self.assertNotIn("is unknown", done.stderr)  # no solver has read these options yet
        self.refuse("-xqzvw", 3, words=["-xqzvw is unknown"])
        self.refuse("-ensemble", words=["-ensemble needs a value"])

    def test_a_run_directory_with_a_colon(self):
        self.refuse(run=self.path("t12:30"), words=["t12:30", "colon"])

    def test_options_files_that_cannot_be_read(self):
        for name, words in (("none.opts", ["-options_file", "does not exist", "none.opts"]),
                            (self.scratch, ["-options_file", self.scratch, "Is a directory"]),
                            ("/dev/zero", ["-options_file", "/dev/zero", "more than 1000000 bytes"])):
            self.refuse("-options_file", name, words=words)
            self.refuse("-options_file", name, "-gamma", 0.5, words=words, ranks=(1,))
        self.refuse("-options_file", words=["-options_file needs the name of a file"])

    def test_lines_of_options_files(self):
        path = self.path("line.opts")
        for line, words in (("-gamma 0.5 -time 2", ["-gamma and -time", "a line of its own"]),
                            ("gamma 0.5", ["'gamma' is not an option", "dash"]),
                            ("-data my file.h5", ["-data has more than one value", '"'])):
            with open(path, "w", encoding="utf-8") as file:
                file.write("# two lines\n" + line + "\n")
            self.refuse("-options_file", path, words=["-options_file", path + ":2:", *words])
        self.refuse("-options_file", self.regression, words=["-options_file", self.regression, "binary"])

    def test_a_value_with_blanks_in_an_options_file(self):
        data, path = synthetic(self.path("my data.h5"), 10, 2, 1), self.path("blank.opts")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'-data "{data}"\n')
        self.train("-options_file", path, "-time", 0.1)

    def test_petsc_options(self):
        self.refuse(words=["PETSC_OPTIONS", "-options_file", "does not exist", "none.opts"],
                    PETSC_OPTIONS="-options_file none.opts")
        self.refuse(words=["PETSC_OPTIONS", "-options_file needs"], PETSC_OPTIONS="-options_file", ranks=(1,))
        self.refuse(words=["PETSC_OPTIONS", "'2'"], PETSC_OPTIONS="-gamma 0.5 2", ranks=(1,))
        self.train("-data", self.regression, PETSC_OPTIONS="-gamma 0.5  -time 0.1")

    def test_an_options_file_without_end(self):
        run = self.train("-data", self.regression, "-time", 0.1)
        with open(os.path.join(run, "options.txt"), "a", encoding="utf-8") as file:
            file.write("# more\n" * 200_000)
        self.refuse("-resume", run=run, words=["options.txt", "more than 1000000 bytes"])


if __name__ == "__main__":
    unittest.main()
