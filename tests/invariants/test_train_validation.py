"""Validation samples: the same on any ranks, the best step among all recorded ones, -patience; and runs that begin with the
weights of another run (-start_from)."""

import os
import shutil
import subprocess
import unittest

import h5py
import numpy as np

from audited import AuditTest, seal_again, sign_again
from training import (DATA, DONE, WORK, RefusalTest, attributes, checkpoints, history, parameters, patience, train)
from test_predict import predict, printed_quality

ROUNDING = 1e-11  # sums in a different order
STEPS = 100
DESCENT = ["-dynamics", "descent", "-step_size", 0.02, "-steps", STEPS, "-features", "whiten"]
FLOW = ["-time", 3, "-features", "whiten"]
MINIMISE = ["-dynamics", "minimise", "-steps", 30, "-features", "whiten", "-min_tao_gatol", 1e-9]
BATCHES = [*DESCENT, "-batch", 8, "-audit", "false"]
WAYS = {"descent": DESCENT, "flow": FLOW, "minimise": MINIMISE, "batches": BATCHES}


def held_out(source, path, share):
    """A copy of a data file of a regression whose validation set has the training features and `share` of their targets:
    its loss falls until the outputs have reached this share, and rises from then on."""
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        file["validation_features"] = file["features"][:]
        file["validation_targets"] = share * file["targets"][:]
    return path


def last_row(losses, patience):
    """The row that ends a run after `patience` rows without a smaller loss than all before."""
    best = 0
    for row, loss in enumerate(losses):
        best = row if loss < losses[best] else best
        if row - best == patience:
            return row
    return len(losses) - 1


def name(step):
    return f"step-{int(step):08d}.h5"


def done(run):
    with open(os.path.join(run, "DONE"), encoding="utf-8") as file:
        return file.read()


class ValidationTest(AuditTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rising = held_out(cls.regression, cls.path("rising.h5"), 0.3)

    def best_of(self, run, column="validation_loss", sign=1):
        rows = history(run)
        return int(rows["step"][int(np.nanargmin(sign * rows[column]))])


class Sets(ValidationTest):
    def test_a_validation_set_of_the_file_is_scored_like_a_test_set(self):
        data = shutil.copy(self.classes, self.path("both.h5"))
        with h5py.File(data, "r+") as file:
            file["validation_features"] = file["test_features"][:]
            file["validation_labels"] = file["test_labels"][:]
        for options in ([], ["-model", "pointwise", "-width", 9], ["-objective", "collapsed"]):
            rows = history(self.train("-data", data, "-loss", "cross_entropy", *DESCENT, "-steps", 4, *options, ranks=2))
            with self.subTest(options=options):
                np.testing.assert_array_equal(rows["validation_loss"], rows["test_loss"])
                np.testing.assert_array_equal(rows["validation_accuracy"], rows["test_accuracy"])
                self.assertGreater(np.ptp(rows["validation_loss"]), 0)

    def test_a_share_of_the_training_samples_is_the_same_on_any_ranks(self):
        options = ["-loss", "cross_entropy", "-validation_fraction", 0.25, *DESCENT, "-steps", 6]
        for extra in ([], ["-batch", 7, "-audit", "false"]):
            straight = self.train("-data", self.classes, *options, *extra)
            for ranks, feature_ranks in [(2, 1), (3, 3), (4, 2)]:
                with self.subTest(extra=extra, ranks=ranks):
                    other = self.train("-data", self.classes, *options, *extra, "-grid_feature_ranks", feature_ranks, ranks=ranks)
                    self.assert_same_history(straight, other, ROUNDING, WORK)
        text = train("-data", self.classes, *options, "-run", self.new_run(), ranks=2).stdout
        self.assertRegex(text, r"data .*: 3\d training samples, 1\d validation samples, 6 test samples")
        self.assertRegex(text, r" +train +valid +test +left\n")

    def test_copies_of_a_data_file_keep_its_validation_set(self):
        labelled = shutil.copy(self.classes, self.path("labelled.h5"))
        with h5py.File(labelled, "r+") as file:
            file["validation_features"], file["validation_labels"] = file["features"][3:20], file["labels"][3:20]
            file["validation_features"][4, 2] = np.nan
        for source, options, kept in ((self.rising, [], slice(0, 40)), (labelled, ["-drop_missing", "true", "-map_labels", "true"],
                                                                        [k for k in range(17) if k != 4])):
            copy = self.new_run() + ".h5"
            subprocess.run([DATA, "import", "-h5", source, *options, "-out", copy], check=True, capture_output=True, timeout=patience(60))
            with h5py.File(source) as old, h5py.File(copy) as new:
                answers = "validation_labels" if "validation_labels" in old else "validation_targets"
                for data_set in ("validation_features", answers):
                    np.testing.assert_array_equal(new[data_set][:], old[data_set][:][kept])
                self.assertEqual(new[answers].attrs["dims"].split()[0], "validation_sample")
            shown = subprocess.run([DATA, "show", copy], check=True, capture_output=True, text=True, timeout=patience(60)).stdout
            self.assertIn(f"/validation_features [{40 if answers.endswith('targets') else 16}, ", shown)

    def test_without_validation_samples_nothing_is_reported(self):
        run = self.new_run()
        text = train("-data", self.regression, *DESCENT, "-run", run).stdout
        self.assertNotIn("valid", text.replace("not valid", ""))
        self.assertTrue(np.isnan(history(run)["validation_loss"]).all())
        self.assertNotIn("best", done(run))
        self.assertNotIn("best_step", attributes(run))


class Best(ValidationTest):
    def test_the_best_recorded_step_is_kept_and_named(self):
        for way, options in WAYS.items():
            with self.subTest(way=way):
                run = self.train("-data", self.rising, *options, "-checkpoint_every", 4, "-checkpoint_keep", 2, ranks=2)
                rows, best = history(run), self.best_of(run)
                self.assertLess(rows["step"][0], best)
                self.assertLess(best, rows["step"][-1])
                kept = [os.path.basename(path) for path in checkpoints(run)]
                self.assertEqual((len(kept), kept[0]), (3, name(best)))
                t = rows["t"][rows["step"] == best][0]
                self.assertRegex(done(run), rf"best: step {best}, t = {t:.4g}"[:-1])
                self.assertEqual(attributes(run)["best_step"], best)
                self.assertEqual(attributes(run)["best_t"], t)
                self.assertEqual(attributes(run)["best_validation_loss"], np.nanmin(rows["validation_loss"]))
                np.testing.assert_array_equal(rows["validation_best"], np.fmin.accumulate(rows["validation_loss"]))

    def test_the_best_checkpoint_has_the_weights_of_that_step(self):
        run = self.train("-data", self.rising, *DESCENT)
        best = self.best_of(run)
        other = self.train("-data", self.rising, *DESCENT[:-4], "-steps", best, "-features", "whiten")
        stored = parameters(os.path.join(run, "checkpoints", name(best)))
        for block, values in parameters(checkpoints(other)[-1]).items():
            np.testing.assert_array_equal(stored[block], values)

    def test_accuracy_can_choose_the_best_step(self):
        run = self.train("-data", self.classes, "-loss", "cross_entropy", "-validation_fraction", 0.3, "-validation_measure",
                         "accuracy", *DESCENT)
        self.assertEqual(attributes(run)["best_step"], self.best_of(run, "validation_accuracy", -1))
        np.testing.assert_array_equal(history(run)["validation_best"], np.maximum.accumulate(history(run)["validation_accuracy"]))

    def test_patience_ends_the_run_that_number_of_recorded_steps_later(self):
        for way, options in WAYS.items():
            with self.subTest(way=way):
                straight = self.train("-data", self.rising, *options)
                rows = history(straight)
                end = last_row(rows["validation_loss"], 3)
                self.assertLess(end, len(rows["step"]) - 1)
                run = self.train("-data", self.rising, *options, "-patience", 3)
                found = history(run)
                self.assertEqual(len(found["step"]), end + 1)
                for column in ("loss", "validation_loss", "t"):
                    np.testing.assert_array_equal(found[column], rows[column][:end + 1])
                again = train("-run", run, "-resume")
                self.assertEqual(again.returncode, DONE, again.stderr)
                self.assertRegex(again.stdout, r"nothing to do: .* or a larger -patience")
                if way == "minimise":
                    continue  # TAO takes other steps after a restart
                self.train("-resume", "-patience", 10**6, run=run)
                self.assert_same_history(straight, run)
                self.assert_same_parameters(straight, run)
                self.assertEqual(attributes(run)["best_step"], attributes(straight)["best_step"])

    def test_a_resumed_run_knows_the_best_step(self):
        for way in ("descent", "flow", "batches"):
            options = [*WAYS[way], "-checkpoint_every", 5]
            straight = self.train("-data", self.rising, *options)
            rows, best = history(straight), self.best_of(straight)
            for cut in (max(1, best // 2), best, int(rows["step"][-1] + best) // 2):
                with self.subTest(way=way, best=best, cut=cut):
                    run = self.train("-data", self.rising, *options, "-steps", cut, *(["-time", 3] if way == "flow" else []))
                    self.train("-resume", "-steps", STEPS if way != "flow" else 10**6, run=run)
                    self.assert_same_history(straight, run)
                    self.assertEqual(attributes(run)["best_step"], best)
                    stored = [parameters(os.path.join(path, "checkpoints", name(best))) for path in (straight, run)]
                    for block, values in stored[0].items():
                        np.testing.assert_array_equal(stored[1][block], values)

    def test_a_missing_best_checkpoint_is_named_and_searched_again(self):
        run = self.train("-data", self.rising, *DESCENT)
        os.remove(os.path.join(run, "checkpoints", name(self.best_of(run))))
        again = train("-run", run, "-resume", "-steps", STEPS + 2)
        self.assertEqual(again.returncode, DONE, again.stderr)
        self.assertIn("the best step of the validation samples is searched again", again.stderr)
        self.assertEqual(attributes(run)["best_step"], STEPS + 1)

    def test_the_best_step_can_be_predicted_from(self):
        for options in (DESCENT, [*DESCENT, "-model", "pointwise", "-width", 9]):
            run = self.train("-data", self.rising, *options, ranks=2)
            rows, best = history(run), self.best_of(run)
            at = rows["step"] == best
            for words, row in ((["best"], at), ([best], at), (["last"], rows["step"] == STEPS)):
                for subset, column in (("validation", "validation_loss"), ("test", "test_loss")):
                    out = predict("-run", run, "-step", *words, "-data", self.rising, "-set", subset, "-out", self.new_run() + ".h5",
                                  ranks=3)
                    self.assertEqual(out.returncode, DONE, out.stderr)
                    self.assertAlmostEqual(printed_quality(out.stdout)[0] / rows[column][row][0], 1, delta=1e-9)

    def test_an_audit_holds(self):
        for data, options in ((self.rising, []), (self.regression, ["-validation_fraction", 0.2])):
            run = self.train("-data", data, *options, *FLOW, "-checkpoint_every", 3)
            found = self.audit(run, ranks=2)
            self.assertEqual(self.failed(found), set())
            if not options:  # as if an older version had begun the run, which did not know this option
                with h5py.File(checkpoints(run)[0], "r+") as file:
                    del file["config"].attrs["validation_fraction"]
                sign_again(checkpoints(run)[0])
                self.assertEqual(self.failed(self.audit(run)), set())
            with h5py.File(os.path.join(run, "run.h5"), "r+") as file:
                file["history/validation_loss"][-1] *= 1.001
            seal_again(os.path.join(run, "run.h5"))
            self.assertEqual(self.failed(self.audit(run, code=1)), {"history"})


class StartFrom(ValidationTest):
    def test_the_run_begins_with_these_weights(self):
        source = self.train("-data", self.rising, *DESCENT, "-model", "pointwise", "-width", 9, ranks=2)
        rows, best = history(source), self.best_of(source)
        for step in ("", ":last", ":best", f":{best}"):
            run = self.train("-data", self.rising, "-start_from", source + step, "-dynamics", "descent", "-step_size", 0.02,
                             "-steps", 2, ranks=3)
            wanted = STEPS if step in ("", ":last") else best
            stored = parameters(os.path.join(source, "checkpoints", name(wanted)))
            for block, values in parameters(checkpoints(run)[0]).items():
                np.testing.assert_array_equal(values, stored[block])
            row = list(rows["step"]).index(wanted)
            self.assertAlmostEqual(history(run)["loss"][0] / rows["loss"][row], 1, delta=ROUNDING)
            self.assertEqual(attributes(run)["start_step"], wanted)
            self.assertEqual(attributes(run)["start_from"], os.path.join(source, "checkpoints", name(wanted)))
        # Plain descent goes on as the source did: it has no memory beside the weights.
        run = self.train("-data", self.rising, "-start_from", f"{source}:{best}", "-dynamics", "descent", "-step_size", 0.02,
                         "-steps", STEPS - best, ranks=2)
        for block, values in parameters(checkpoints(run)[-1]).items():
            np.testing.assert_allclose(values, parameters(checkpoints(source)[-1])[block], rtol=0, atol=1e-9)

    def test_features_and_scale_of_the_targets_come_from_there(self):
        source = self.train("-data", self.regression, *DESCENT)
        shifted = shutil.copy(self.regression, self.path("shifted.h5"))
        with h5py.File(shifted, "r+") as file:
            file["features"][...] = 2 * file["features"][:] + 1
            file["targets"][...] = 5 * file["targets"][:] - 3
        run = self.train("-data", shifted, "-start_from", source, "-dynamics", "descent", "-step_size", 0.02, "-steps", 0)
        outputs = []
        for path in (source, run):
            out = predict("-run", path, "-data", self.regression, "-out", path + ".h5")
            self.assertEqual(out.returncode, DONE, out.stderr)
            with h5py.File(path + ".h5", "r") as file:
                outputs.append(file["outputs"][:])
        np.testing.assert_array_equal(outputs[0], outputs[1])

    def test_it_resumes_without_the_source_and_its_audit_holds(self):
        source = self.train("-data", self.regression, *FLOW)
        for options in (FLOW[:2], ["-dynamics", "descent", "-step_size", 0.02, "-steps", 20]):
            options = ["-data", self.regression, "-start_from", source, *options, "-checkpoint_every", 5, "-checkpoint_keep", 2]
            straight = self.train(*options)
            run = self.train(*options, "-steps", 10)
            moved = shutil.move(source, source + "-moved")
            try:
                self.train("-resume", "-steps", 20 if "descent" in options else 10**6, run=run, ranks=1)
                self.assert_same_history(straight, run)
                self.assertTrue(checkpoints(run)[0].endswith(name(0)))
                found = self.audit(run, ranks=2)
                self.assertEqual(self.failed(found), set())
                self.assertEqual(self.states(found)["features"], "does not apply")
            finally:
                shutil.move(moved, source)


class Refused(RefusalTest):
    def test_validation_that_cannot_be(self):
        self.refuse("-patience", 3, words=["-patience 3", "no validation samples", "-validation_fraction"])
        self.refuse("-validation_measure", "accuracy", words=["-validation_measure accuracy", "no validation samples"])
        self.refuse("-validation_measure", "accuracy", "-validation_fraction", 0.2, words=["-validation_measure accuracy", "no accuracy"])
        self.refuse("-validation_fraction", 0.01, words=["none of the 40 training samples", "larger fraction"])
        self.refuse("-validation_fraction", 0.01, "-loss", "cross_entropy", data=self.classes,
                    words=["of class 0", "validation sample", "larger fraction"])
        self.refuse("-validation_fraction", 1, words=["-validation_fraction", "0.99"])
        rising = held_out(self.regression, self.path("own.h5"), 0.5)
        self.refuse("-validation_fraction", 0.2, data=rising, words=["has a validation set already"])
        with h5py.File(rising, "r+") as file:
            del file["validation_targets"]
        self.refuse(data=rising, words=["has neither /validation_targets"])

    def test_a_resumed_run_keeps_its_validation_samples(self):
        run = self.train("-data", self.regression, "-validation_fraction", 0.2, *DESCENT, "-steps", 2)
        for option, value in (("-validation_fraction", 0.3),):
            self.refuse("-resume", option, value, run=run, data="", words=[option, "0.2"])

    def test_starts_that_do_not_fit(self):
        source = self.train("-data", self.regression, *DESCENT, "-steps", 2, "-model", "pointwise", "-width", 9)
        here = ["-dynamics", "descent", "-step_size", 0.02]
        self.refuse("-start_from", self.path("nowhere"), *here, words=["-start_from", "nowhere", "no such directory"])
        self.refuse("-start_from", self.scratch, *here, words=["-start_from", "no valid checkpoint"])
        self.refuse("-start_from", source + ":7", *here, words=["-start_from 7", "no such checkpoint"])
        self.refuse("-start_from", source + ":best", *here, words=["-start_from best", "no validation samples"])
        self.refuse("-start_from", source, "-model", "monotone", *here, words=["-model is monotone", "pointwise", "leave"])
        self.refuse("-start_from", source, "-weights", "free", *here, words=["-weights is free", "softmax"])
        self.refuse("-start_from", source, "-features", "identity", *here, words=["-features is identity", "whiten"])
        self.refuse("-start_from", source, "-width", 12, *here, words=["parameters A", "9 x 9", "12 x 12"])
        self.refuse("-start_from", source, "-bias", "false", *here, words=["has the parameters b", "does not have"])
        self.refuse("-start_from", source, "-init_scale_b", 2, *here, words=["-init_scale_b"])
        self.refuse("-start_from", source, *here, "-loss", "cross_entropy", data=self.classes, words=["-data", "5"])
        labelled = shutil.copy(self.regression, self.path("two_classes.h5"))
        with h5py.File(labelled, "r+") as file:
            for prefix in ("", "test_"):
                file[prefix + "labels"] = (file[prefix + "targets"][:, 0] > 0).astype(int)
                file[prefix + "labels"].attrs["classes"] = 2
                del file[prefix + "targets"]
        for loss in ([], ["-loss", "cross_entropy"]):
            self.refuse("-start_from", source, *here, *loss, data=labelled, words=["scaled targets of a regression", labelled])
        # The same number in another form is the same feature map.
        self.train("-data", self.regression, "-start_from", self.train("-data", self.regression, *DESCENT, "-steps", 1, "-features_rank_cut",
                                                                       "0.0010"), "-features_rank_cut", "1e-3", *here, "-steps", 1)
        named = shutil.copy(self.regression, self.path("named.h5"))
        with h5py.File(named, "r+") as file:
            file["input_names"] = [f"x{j}" for j in range(6)]
        source = self.train("-data", named, *DESCENT, "-steps", 2)
        other = shutil.copy(named, self.path("other.h5"))
        with h5py.File(other, "r+") as file:
            file["input_names"][3] = "age"
        self.refuse("-start_from", source, *here, data=other, words=["input 3 is 'age'", "'x3'"])


if __name__ == "__main__":
    unittest.main()
