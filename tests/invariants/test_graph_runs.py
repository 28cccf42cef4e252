"""Runs of -model graph at work: poise-predict gives every node the output that the run scored, poise-audit finds the claims of a
graph's equilibrium held and every change named; on every number of ranks and every grid."""

import os
import re
import shutil
import unittest

import h5py
import numpy as np

from audited import AuditTest, sign_again
from test_predict import GRIDS, content, predict, replace
from python_package import make_graph
from test_train_graph import ADAM, CLASSES, DESCENT, GraphTest
from training import BAD_INPUT, DONE, FAILED, checkpoints, history

SOLVER = 1e-9  # equilibria are solved to 1e-12 at the worst node
NETWORKS = {
    "linear": ["-gamma", 0.9],
    "tanh walk": ["-activation", "tanh", "-graph_normalise", "walk"],
    "relu spectral": ["-activation", "relu", "-weights", "spectral", "-normalise_states", "true"],
    "unrolled": ["-objective", "unrolled", "-depth", 4],
}
KEEP = ["-checkpoint_every", 2, "-checkpoint_keep", 0]


def qualities(text):
    """By set of nodes: loss, number of nodes, accuracy."""
    found = re.findall(r"^(\w+) nodes: loss \(\w+\) (\S+) over (\d+) samples?(?:, accuracy (\S+))?$", text, re.M)
    return {name: (float(loss), int(count), float(accuracy or "nan")) for name, loss, count, accuracy in found}


class Predictions(GraphTest):
    def predict(self, run, *options, ranks=1, code=DONE):
        out = self.path("out.h5")
        if os.path.exists(out):
            os.remove(out)
        done = predict("-run", run, "-out", out, *options, ranks=ranks)
        self.assertEqual(done.returncode, code, f"{options} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return done, out

    def test_every_set_of_nodes_has_the_loss_of_the_run_on_every_number_of_ranks(self):
        for name, options in NETWORKS.items():
            run = self.graph(*CLASSES, *DESCENT, "-width", 6, "-steps", 3, *options, "-split", 1, ranks=2)
            last = {column: values[-1] for column, values in history(run).items()}
            first = None
            for ranks, features in GRIDS if name in ("linear", "relu spectral") else [(3, 1)]:
                with self.subTest(network=name, ranks=ranks, features=features):
                    done, out = self.predict(run, "-data", self.chain, "-grid_feature_ranks", features, ranks=ranks)
                    found = qualities(done.stdout)
                    for node_set, head in (("train", ""), ("validation", "validation_"), ("test", "test_")):
                        loss, _, accuracy = found[node_set]
                        self.assertAlmostEqual(loss / last[head + "loss"], 1, delta=SOLVER)
                        column = "train_accuracy" if node_set == "train" else head + "accuracy"
                        self.assertAlmostEqual(accuracy, last[column], delta=1e-4)
                    self.assertEqual(sum(count for _, count, _ in found.values()), 6 * 12 * 2)
                    here = content(out)
                    first = first or here
                    for values in ("outputs", "probabilities"):
                        np.testing.assert_allclose(here[values], first[values], rtol=0, atol=SOLVER)
                    self.assertEqual(here["outputs"].shape, (144, 2))
                    self.assertLess(here["residuals"].max(), 2e-12)
                    self.assertEqual("equilibria by SNES newtonls" in done.stdout, name != "unrolled")

    def test_nodes_of_a_graph_that_the_run_has_not_seen_are_classified(self):
        run = self.graph(*CLASSES, "-gamma", 0.95, "-width", 8, *ADAM, "-steps", 60, ranks=2)
        other = self.path("other.h5")
        make_graph("chain", "-chains", 3, "-length", 9, "-node_classes", 2, "-node_inputs", 5, "-out", other)
        with h5py.File(other, "r+") as file:
            del file["masks"]
        done, out = self.predict(run, "-data", other, ranks=2)
        loss, count, accuracy = qualities(done.stdout)["labelled"]
        self.assertEqual((count, accuracy), (54, 1.0), loss)
        with h5py.File(other) as file:
            np.testing.assert_array_equal(content(out)["predicted"], file["labels"])

    def test_bad_input_is_named(self):
        run = self.graph(*CLASSES, *DESCENT, "-width", 4, "-steps", 1)
        wide = self.path("wide.h5")
        make_graph("chain", "-chains", 2, "-length", 5, "-node_classes", 2, "-node_inputs", 7, "-out", wide)
        broken = shutil.copy(self.chain, self.path("broken.h5"))
        with h5py.File(broken, "r+") as file:
            features = file["features"][:].astype(float)
            features[3, 1] = np.nan
            replace(file, "features", features)
        table = self.path("table.csv")
        with open(table, "w", encoding="utf-8") as file:
            file.write("a,b\n1,2\n")
        for options, words in ((["-data", self.regression], ["poise-graph-1"]), (["-csv", table], ["no edges", "-model graph"]),
                               (["-data", self.chain, "-set", "test"], ["-set", "together"]),
                               (["-data", self.chain, "-skip_bad_rows", "true"], ["-skip_bad_rows", "neighbours"]),
                               (["-data", wide], ["7 columns", "trained on 5"]), (["-data", broken], ["row 3, column 1"])):
            done, out = self.predict(run, *options, ranks=2, code=BAD_INPUT)
            self.assertEqual(done.stderr.count("poise: error:"), 1, done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertFalse(os.path.exists(out))

    def test_an_equilibrium_that_fails_leaves_no_predictions_and_names_its_worst_node(self):
        run = self.graph(*CLASSES, *DESCENT, "-width", 4, "-steps", 1)
        done, out = self.predict(run, "-data", self.chain, "-eq_snes_max_it", 1, "-eq_ksp_max_it", 1, ranks=2, code=FAILED)
        self.assertRegex(done.stderr, r"at worst at node \d+, which has \d neighbour")
        self.assertFalse(os.path.exists(out))


class Audits(GraphTest, AuditTest):
    def test_the_claims_hold_the_same_on_any_number_of_ranks(self):
        for name, options in NETWORKS.items():
            run = self.graph(*CLASSES, *DESCENT, "-width", 6, "-steps", 4, *KEEP, *options, ranks=2)
            expected = {"gradient": "held", "trajectory": "held", "history": "held"}
            if name != "unrolled":
                expected |= dict.fromkeys(("equilibria", "adjoints", "contraction", "error_bound", "certificate"), "held")
                expected |= {"mass": "held" if name == "linear" else "does not apply"}
            verdicts = []
            for ranks, features in [(1, 1), (3, 1), (4, 2)] if name == "linear" else [(2, 1)]:
                with self.subTest(network=name, ranks=ranks):
                    found = self.audit(run, "-grid_feature_ranks", features, ranks=ranks)
                    verdicts.append(self.states(found))
                    self.assertEqual(self.failed(found), set())
                    self.assertLessEqual(expected.items(), verdicts[-1].items())
            self.assertTrue(all(states == verdicts[0] for states in verdicts), name)

    def test_few_labelled_nodes_have_the_rate_of_their_gram_matrix(self):
        run = self.graph("-dynamics", "flow", "-time", 0.2, "-width", 8, "-checkpoint_every", 6, "-checkpoint_keep", 0, ranks=2)
        verdicts = [self.states(self.audit(run, "-replay_steps", 0, ranks=ranks)) for ranks in (1, 3)]
        self.assertEqual(verdicts[0], verdicts[1])
        for row in ("gram_rate", "gram_floor"):
            self.assertEqual(verdicts[0][row], "held", row)

    def test_changed_weights_are_found_and_named(self):
        run = self.graph(*CLASSES, *DESCENT, "-width", 4, "-steps", 4, *KEEP)
        path = checkpoints(run)[1]
        with h5py.File(path, "r+") as file:
            file["parameters/V"][0, 0] += 1e-3
        self.assertIn("integrity", self.failed(self.audit(run, code=FAILED)))
        sign_again(path)
        found = self.audit(run, ranks=2, code=FAILED)
        self.assertEqual(self.failed(found), {"trajectory", "history"})
        self.assertEqual(self.row(found, "trajectory")["file"], os.path.basename(path))


if __name__ == "__main__":
    unittest.main()
