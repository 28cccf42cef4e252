"""poise-spectrum on runs of poise-train: values known from theory, results of numpy, any number of ranks, bad input, failures."""

import json
import os
import shutil
import subprocess
import unittest

import h5py
import numpy as np

from python_package import poise
from training import (BAD_INPUT, DIGITS, DONE, ENVIRONMENT, FAILED, MPIEXEC, SOURCE, TrainingTest, checkpoints, files,
                      history, parameters, patience, train)

SPECTRUM = os.environ.get("POISE_SPECTRUM", os.path.join(SOURCE, "build", "apps", "poise-spectrum"))

# Fewer points than the defaults, because more points only narrow the brackets.
QUICK = ["-samples", 3, "-angles", 6, "-points", 5, "-power", 2]
DESCENT = ["-dynamics", "descent", "-steps", 3, "-step_size", 0.005]
MODELS = {
    "collapsed": ["-gamma", 0.7, *DESCENT],
    "batches": ["-objective", "equilibrium", "-batch", 8, *DESCENT],
    "minimised": ["-dynamics", "minimise", "-steps", 3, "-audit", "false"],
    "tanh": ["-model", "pointwise", "-width", 11, *DESCENT],
    "relu": ["-model", "pointwise", "-activation", "relu", "-width", 11, "-objective", "unrolled", *DESCENT],
    "spectral": ["-model", "pointwise", "-weights", "spectral", "-width", 11, *DESCENT],
    "free": ["-model", "pointwise", "-weights", "free", "-init_scale_a", 1.5, "-width", 11, *DESCENT],
    "monotone": ["-model", "monotone", "-width", 11, *DESCENT],
    "feedforward": ["-objective", "feedforward", "-width", 11, *DESCENT],
    "shallow": ["-objective", "shallow", *DESCENT],
}


def spectrum(*options, ranks=1):
    return subprocess.run([MPIEXEC, "-n", str(ranks), SPECTRUM, *map(str, options)],
                          capture_output=True, text=True, timeout=patience(100), env=ENVIRONMENT)


def flip_middle(path):
    with open(path, "r+b") as file:
        place = os.path.getsize(path) // 2
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0xFF]))


class SpectrumTest(TrainingTest):
    def report(self, run, *options, ranks=1):
        """The JSON, and its quantities by (section, name)."""
        path = self.new_run() + ".json"
        done = spectrum("-run", run, "-json", path, *options, ranks=ranks)
        self.assertEqual(done.returncode, DONE, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        return report, {(entry["section"], entry["name"]): entry for entry in report["quantities"]}


class Truths(SpectrumTest):
    def test_digits(self):
        run = self.train("-data", DIGITS, "-features", "whiten", "-gamma", 0.8, "-time", 0.3, "-train_samples", 400)
        report, found = self.report(run, "-count", 8)
        self.assertEqual(report["schema"], "poise-spectrum-1")
        self.assertEqual((report["model"], report["gamma"], report["q"], report["samples"]),
                         ("softmax_linear", 0.8, 10, 400))
        self.assertEqual(report["step"], history(run)["step"][-1])

        # Values known from theory.
        self.assertAlmostEqual(found["weights", "spectral_radius"]["value"], 0.8, delta=1e-10)  # Perron
        self.assertAlmostEqual(found["shifted_weights", "inverse_norm_1"]["value"], 5.0, delta=1e-11)
        radius = found["weights", "numerical_radius"]
        abscissa = found["weights", "numerical_abscissa"]["value"]  # no entry of W is negative
        self.assertLessEqual(radius["low"], abscissa + 1e-9)
        self.assertGreaterEqual(radius["high"], abscissa - 1e-9)
        # A cold solve and the warm solve of the audit may differ: neither resolves the cluster of eigenvalues.
        smallest = found["dynamics", "smallest_eigenvalue"]
        self.assertAlmostEqual(smallest["value"] / history(run)["lambda_min"][-1], 1.0, delta=1e-8)
        self.assertGreaterEqual(smallest["value"], smallest["bound"])
        # Whitened: ΦΦᵀ = n I on the features that are kept.
        for end in ("largest_singular_value", "smallest_singular_value"):
            self.assertAlmostEqual(found["features", end]["value"], np.sqrt(400), delta=1e-9)
        self.assertAlmostEqual(found["features", "kappa"]["value"], 4.0, delta=1e-9)
        self.compare_with_numpy(parameters(checkpoints(run)[-1]), found)

    def compare_with_numpy(self, theta, found):
        a, b = theta["A"], theta["B"]
        m, q = a.shape[0], b.shape[0]
        s = np.exp(a - a.max(axis=0))
        s /= s.sum(axis=0)
        w, u = 0.8 * s, np.eye(m) - 0.8 * s

        def expect(section, name, value, tolerance=1e-9):
            self.assertAlmostEqual(found[section, name]["value"], value, delta=tolerance * max(1.0, abs(value)),
                                   msg=name)

        eigenvalues = np.linalg.eigvals(w)
        eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues))]
        k = 1
        while ("weights", f"eigenvalue_{k}") in found:
            entry = found["weights", f"eigenvalue_{k}"]
            nearest = np.abs(eigenvalues - (entry["real"] + 1j * entry["imaginary"])).min()
            self.assertLessEqual(nearest, 1e-9)
            self.assertAlmostEqual(entry["value"], abs(eigenvalues[k - 1]), delta=1e-9)
            self.assertLessEqual(entry["residual"], 1e-11)
            k += 1
        self.assertIn(k - 1, (8, 9))  # 9, because 8 would split a complex pair
        imaginary = [found["weights", f"eigenvalue_{i}"]["imaginary"] for i in range(1, k)]
        self.assertAlmostEqual(sum(imaginary), 0.0, delta=1e-12)

        expect("weights", "second_modulus", abs(eigenvalues[1]))
        expect("weights", "norm", np.linalg.norm(w, 2))
        expect("weights", "numerical_abscissa", np.linalg.eigvalsh((w + w.T) / 2)[-1])
        departure = np.sqrt(np.linalg.norm(w) ** 2 - np.sum(np.abs(eigenvalues) ** 2)) / np.linalg.norm(w)
        expect("weights", "departure_from_normality", departure, 1e-7)
        expect("weights", "power_norm_64", np.linalg.norm(np.linalg.matrix_power(w, 64), 2))
        singular = np.linalg.svd(u, compute_uv=False)
        expect("shifted_weights", "largest_singular_value", singular[0])
        expect("shifted_weights", "smallest_singular_value", singular[-1])
        expect("shifted_weights", "norm_1", np.linalg.norm(u, 1))
        # |z| = 1 is nearest at z = 1: no entry of W is negative.
        distance = found["weights", "distance_to_instability"]
        self.assertLessEqual(distance["low"], singular[-1] + 1e-7)
        self.assertAlmostEqual(distance["high"], singular[-1], delta=1e-6)
        expect("dynamics", "largest_eigenvalue", np.linalg.eigvalsh(self.dynamics_matrix(s, u, b, m, q))[-1], 1e-8)

    @staticmethod
    def dynamics_matrix(s, u, b, m, q):
        """THEORY.md 4.1"""
        inverse = np.linalg.inv(u)
        weight = b @ inverse
        total = np.zeros((m * q, m * q))
        for k in range(m):
            j = np.diag(s[:, k]) - np.outer(s[:, k], s[:, k])
            wj = weight @ j
            total += np.kron(np.outer(inverse[k], inverse[k]), np.eye(q) + 0.64 * wj @ wj.T)
        return total

    def test_jacobians_at_equilibria(self):
        run = self.train("-data", self.regression, "-features", "identity", "-features_constant", "false", "-model",
                         "pointwise", "-gamma", 0.9, "-width", 9, *DESCENT)
        _, found = self.report(run, "-samples", 5)
        theta = parameters(checkpoints(run)[-1])
        s = np.exp(theta["A"] - theta["A"].max(axis=0))
        w = 0.9 * s / s.sum(axis=0)
        with h5py.File(self.regression, "r") as file:
            x = file["features"][:][[k * 40 // 5 for k in range(5)]]
        injection = theta["V"] @ x.T + theta["b"].reshape(-1, 1)
        z = np.zeros_like(injection)
        for _ in range(1000):
            z = np.tanh(w @ z + injection)
        slopes = 1.0 - z ** 2
        jacobians = [slopes[:, [k]] * w for k in range(5)]
        mean = slopes.mean(axis=1, keepdims=True) * w

        def radius(matrix):
            return np.abs(np.linalg.eigvals(matrix)).max()

        for name, value in {"spectral_radius": max(map(radius, jacobians)),
                            "norm": max(np.linalg.norm(j, 2) for j in jacobians),
                            "mean_spectral_radius": radius(mean), "mean_norm": np.linalg.norm(mean, 2)}.items():
            self.assertAlmostEqual(found["jacobian", name]["value"], value, delta=1e-9, msg=name)
        self.assertLessEqual(found["jacobian", "spectral_radius"]["value"], 0.9)
        with h5py.File(self.regression, "r") as file:
            singular = np.linalg.svd(file["features"][:], compute_uv=False)
        self.assertAlmostEqual(found["features", "largest_singular_value"]["value"], singular[0], delta=1e-10)
        self.assertAlmostEqual(found["features", "smallest_singular_value"]["value"], singular[-1], delta=1e-10)


class Ranks(SpectrumTest):
    def test_models_on_any_ranks(self):
        for name, options in MODELS.items():
            run = self.train("-data", self.regression, *options)
            report, one = self.report(run, *QUICK)
            for ranks, feature_ranks in ((2, 1), (3, 3), (4, 2)) if name in ("collapsed", "tanh") else ((3, 3),):
                with self.subTest(model=name, ranks=ranks, feature_ranks=feature_ranks):
                    other, many = self.report(run, *QUICK, "-grid_feature_ranks", feature_ranks, ranks=ranks)
                    self.assertEqual(other["grid"], f"{feature_ranks}x{ranks // feature_ranks}")
                    self.assertEqual(other["notes"], report["notes"])
                    self.assert_same(one, many)
            self.assert_sections(name, one, report["notes"])

    def assert_same(self, one, many):
        self.assertEqual(list(one), list(many))
        for key, entry in one.items():
            for part in ("value", "low", "high", "bound", "real", "imaginary"):
                self.assertEqual(part in entry, part in many[key])
                if part in entry:
                    # Tolerances of the solvers: 1e-6 for the resolvent, 1e-9 or less for all others.
                    loose = key[1] in ("distance_to_instability", "kreiss_constant")
                    self.assertAlmostEqual(entry[part], many[key][part], msg=f"{key} {part}",
                                           delta=(1e-5 if loose else 1e-8) * max(1.0, abs(entry[part])))

    def assert_sections(self, name, found, notes):
        sections = {section for section, _ in found}
        text = " ".join(note["note"] for note in notes)
        model = name not in ("feedforward", "shallow")
        linear = name in ("collapsed", "batches", "minimised")
        self.assertEqual("weights" in sections, model)
        self.assertEqual("dynamics" in sections, linear)
        self.assertEqual("jacobian" in sections, model and not linear)
        self.assertIn("features", sections)
        if not model:
            self.assertIn("has no equilibrium equation", text)
        elif not linear:
            self.assertIn("D is defined for -model softmax_linear", text)
        for key, entry in found.items():
            low = entry.get("low", entry.get("value"))
            high = entry.get("high", entry.get("value"))
            self.assertLessEqual(low, high, key)
            slack = 1e-7 * max(1.0, abs(low))
            if entry.get("relation") in ("<=", "="):
                self.assertLessEqual(low, entry["bound"] + slack, key)
            if entry.get("relation") in (">=", "="):
                self.assertGreaterEqual(high, entry["bound"] - slack, key)


class Graphs(SpectrumTest):
    """Runs with -model graph: the graph's part of the report is that of dense matrices in numpy, on any number of ranks."""

    MODELS = {
        "linear": ("weighted", ["-gamma", 0.9]),
        "walk": ("weighted", ["-weights", "spectral", "-graph_normalise", "walk", "-activation", "tanh"]),
        "relu": ("weighted", ["-activation", "relu", "-bias", "false"]),
        "plain": ("weighted", ["-graph_normalise", "none", "-weights", "free", "-init_scale_a", 0.1]),
        "unrolled": ("weighted", ["-objective", "unrolled", "-depth", 3, "-activation", "tanh"]),
        "directed": ("directed", ["-graph_normalise", "walk"]),
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random = np.random.default_rng(7)
        edges = np.argwhere(np.triu(np.ones((24, 24)), 1))
        cls.graphs = {name: cls.path(f"{name}.h5") for name in ("weighted", "directed")}
        for name, path in cls.graphs.items():
            poise.write_graph(path, random.normal(size=(25, 4)), edges=random.permutation(edges)[:60], directed=name == "directed",
                              weights=random.uniform(0.2, 2, 60), targets=random.normal(size=(25, 2)),
                              masks={"train": np.arange(25) < 12})

    def test_graphs_on_any_ranks(self):
        for name, (graph, options) in self.MODELS.items():
            path = self.train("-data", self.graphs[graph], "-model", "graph", "-width", 6, *options, *DESCENT, ranks=2)
            report, one = self.report(path, *QUICK)
            for ranks, feature_ranks in ((2, 1), (3, 1), (4, 2)) if name in ("linear", "walk") else ((3, 3),):
                with self.subTest(model=name, ranks=ranks, feature_ranks=feature_ranks):
                    other, many = self.report(path, *QUICK, "-grid_feature_ranks", feature_ranks, ranks=ranks)
                    self.assertEqual(other["notes"], report["notes"])
                    for key, entry in one.items():
                        tolerance = 1e-5 if key[1] in ("distance_to_instability", "kreiss_constant") else 1e-8
                        for part in ("value", "low", "high", "bound"):
                            self.assertAlmostEqual(entry.get(part, 0), many[key].get(part, 0), delta=tolerance, msg=f"{key} {part}")
            with self.subTest(model=name):
                self.compare_with_numpy(path, one, " ".join(note["note"] for note in report["notes"]))

    def compare_with_numpy(self, path, found, notes):
        run = poise.open_run(path)
        data, model, kind = run.data(), run.model(), run.config["graph_normalise"]
        e = np.zeros((25, 25))
        for node in range(25):
            part = slice(data.indptr[node], data.indptr[node + 1])
            e[data.indices[part], node] = data.weights[part]
        s = e if kind == "none" else e + np.eye(25)
        degrees = s.sum(axis=0)
        s = s / np.sqrt(np.outer(degrees, degrees)) if kind == "symmetric" else s / degrees if kind == "walk" else s
        of_s, of_w = np.linalg.eigvals(s), np.linalg.eigvals(model.network.weights)
        whole = np.kron(s.T, model.network.weights)

        def expect(section, name, value):
            self.assertAlmostEqual(found[section, name]["value"], value, delta=1e-8, msg=name)

        expect("graph", "nodes", 25)
        expect("graph", "entries", len(data.indices))
        expect("graph", "map_spectral_radius", np.abs(np.linalg.eigvals(whole)).max())
        if data.directed:
            expect("graph", "spectral_radius", np.abs(of_s).max())
            self.assertIn("may be complex", notes)
        else:
            expect("graph", "largest_eigenvalue", of_s.real.max())
            expect("graph", "smallest_eigenvalue", of_s.real.min())
            share = (np.abs(of_s)**2).sum() * (np.abs(of_w)**2).sum() / np.linalg.norm(whole)**2
            self.assertAlmostEqual(found["graph", "map_departure_from_normality"]["value"], np.sqrt(1 - share), delta=1e-6)
        expect("weights", "spectral_radius", np.abs(of_w).max())
        expect("features", "largest_singular_value", np.linalg.norm(model.features(data.features), 2))
        self.assertIn("kappa: none for a graph", notes)
        if kind != "none":
            expect("graph", "spectral_radius" if data.directed else "largest_eigenvalue", 1.0)  # theory
            if not data.directed:
                self.assertGreaterEqual(found["graph", "smallest_eigenvalue"]["value"], -1 + 2 / degrees.max() - 1e-9)
        if run.config["activation"] == "identity" or run.config["objective"] == "unrolled":
            self.assertNotIn(("jacobian", "norm"), found)
            self.assertRegex(notes, "the model is linear|has no equilibrium")
            return
        states = model.forward(data).states
        slopes = 1 - states**2 if run.config["activation"] == "tanh" else (states > 0).astype(float)
        jacobian = slopes.reshape(-1, 1) * whole  # rows and columns: the states of node 0, of node 1, …
        expect("jacobian", "spectral_radius", np.abs(np.linalg.eigvals(jacobian)).max())
        expect("jacobian", "norm", np.linalg.norm(jacobian, 2))

    def test_options_of_the_graph_solver(self):
        path = self.train("-data", self.graphs["weighted"], "-model", "graph", "-width", 6, *DESCENT)
        done = spectrum("-run", path, *QUICK, "-spec_graph_eps_view", "-eq_snes_max_it", 30)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("EPS Object: (spec_graph_)", done.stdout)
        done = spectrum("-run", path, *QUICK, "-spec_graph_eps_vew")
        self.assertEqual(done.returncode, BAD_INPUT, done.stdout)
        done = spectrum("-run", path, *QUICK, "-spec_graph_eps_max_it", 1, "-spec_graph_eps_ncv", 3)
        self.assertEqual(done.returncode, FAILED, done.stdout)
        self.assertIn("extreme eigenvalues of S were not found", done.stderr)


class BadInput(SpectrumTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_path = cls.new_run()
        done = train("-data", cls.regression, *DESCENT, "-checkpoint_every", 1, "-checkpoint_keep", 2, "-run",
                     cls.run_path)
        assert done.returncode == DONE, done.stderr

    def refuse(self, *options, words, code=BAD_INPUT, ranks=(1, 3)):
        path = self.new_run() + ".json"
        json_option = [] if "-json" in options else ["-json", path]
        for count in ranks:
            before = files(self.run_path)
            done = spectrum(*options, *json_option, ranks=count)
            messages = [line for line in done.stderr.splitlines() if "poise: error:" in line]
            with self.subTest(options=options, ranks=count):
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                self.assertEqual(len(messages), 1, done.stderr)
                for word in words:
                    self.assertIn(word, messages[0])
                self.assertFalse(os.path.exists(path))
                self.assertEqual(files(self.run_path), before)

    def test_names_and_numbers(self):
        run = ["-run", self.run_path]
        self.refuse(words=["-run DIR", "-checkpoint FILE"])
        self.refuse("-run", self.path("nowhere"), words=["-run", "nowhere", "no such directory"])
        self.refuse("-run", self.scratch, words=["holds no valid checkpoint"])
        self.refuse(*run, "-checkpoint", checkpoints(self.run_path)[0], words=["-run and -checkpoint"], ranks=(1,))
        self.refuse("-checkpoint", self.path("none.h5"), words=["none.h5"])
        self.refuse(*run, "-step", 7, words=["-step 7", "3, 2"])
        self.refuse(*run, "-count", 8, words=["-count 8", "only 7"])
        self.refuse(*run, "-count", 0, words=["-count"], ranks=(1,))
        self.refuse(*run, "-coun", 3, words=["-coun", "-count"])
        self.refuse(*run, "-spec_w_eps_maxit", 3, words=["-spec_w_eps_maxit", "-spec_w_eps_max_it"])
        self.refuse(*run, "-gamma", 0.5, words=["-gamma is 0.5", "0.8"])
        self.refuse(*run, "-grid_feature_ranks", 2, words=["-grid_feature_ranks"], ranks=(3,))
        self.refuse(*run, "-json", self.path("none/x.json"), words=["-json", "none"])
        self.refuse(*run, "-data", self.classes, words=["6 inputs", self.classes])

    def test_damaged_checkpoints(self):
        run = self.copy_run(self.run_path)
        flip_middle(checkpoints(run)[-1])
        done = spectrum("-run", run, *QUICK)
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertIn("is damaged", done.stderr)
        self.assertIn("step 2,", done.stdout)
        self.refuse("-run", run, "-step", 3, words=["step-00000003.h5"])
        self.refuse("-checkpoint", checkpoints(run)[-1], words=["step-00000003.h5"], ranks=(1,))

    def test_older_steps_files_and_moved_data(self):
        for options in (["-run", self.run_path, "-step", 2], ["-checkpoint", checkpoints(self.run_path)[0]]):
            done = spectrum(*options, *QUICK, ranks=2)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertIn("step 2,", done.stdout)
        moved = shutil.copy(self.regression, self.path("elsewhere.h5"))
        done = spectrum("-run", self.run_path, "-data", moved, *QUICK)
        self.assertEqual(done.returncode, DONE, done.stderr)

    def test_solvers_that_do_not_converge(self):
        run = ["-run", self.run_path, *QUICK]
        few = ["-count", 3, "-spec_w_eps_ncv", 4, "-spec_w_eps_max_it", 1]
        self.refuse(*run, *few, code=FAILED, words=["leading eigenvalues of W", " of 3 converged in 1 restarts"])
        self.refuse(*run, "-spec_u_ksp_max_it", 1, code=FAILED, words=["singular values of U", "spec_u_"])
        self.refuse(*run, "-spec_eps_max_it", 1, "-spec_eps_ncv", 2, "-spec_eps_tol", 1e-15, code=FAILED,
                    words=["smallest eigenvalue of D", "0 pairs converged"])
        done = spectrum(*run, "-spec_u_ksp_max_it", 1)
        self.assertIn("numerical radius", done.stdout)  # printed before the failure
        self.assertNotIn("sigma_min", done.stdout)


if __name__ == "__main__":
    unittest.main()
