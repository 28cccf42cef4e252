"""Every file of petsc_opts for poise-train runs on every model that it suits, every line has an effect, and solvers agree."""

import glob
import os
import unittest

from python_package import make_graph
from training import DIGITS, SOURCE, TrainingTest, WORK, history

ALL = sorted(os.path.basename(path)[:-5] for path in glob.glob(os.path.join(SOURCE, "petsc_opts", "*.opts")))
# The tests of other programs run the files for these programs.
FILES = [name for name in ALL if not name.startswith(("sweep_", "compare_", "graph_"))]
SOLVERS = [name for name in FILES if name.startswith(("eq_", "adj_"))]
INEXACT = [name for name in FILES if name.startswith("backward_")]
STUDIES = [name for name in FILES if name.startswith("compare_")]  # test_compare.py runs them
DYNAMICS = [name for name in FILES if name not in STUDIES + SOLVERS + INEXACT + ["mnist", "collapsed_bcgs"]]
PROBLEM = ["-data", DIGITS, "-train_samples", 60, "-features_rank_cut", 0.03]
DESCENT = ["-loss", "cross_entropy", "-dynamics", "descent", "-step_size", 0.05, "-steps", 3, "-time", 1e9]
# Two solvers of the same equation agree to the tolerance of 1e-12 times the condition of the equation.
SOLVER = 1e-9

SMALL = ["-width", 12, "-features_width", 10]
MODELS = {
    "softmax_linear": ["-audit", "false"],
    "softmax_tanh": ["-model", "pointwise", "-weights", "softmax", "-activation", "tanh", *SMALL],
    "spectral_softplus": ["-model", "pointwise", "-weights", "spectral", "-activation", "softplus", *SMALL],
    "spectral_sigmoid": ["-model", "pointwise", "-weights", "spectral", "-activation", "sigmoid", *SMALL],
    "free_leaky_relu": ["-model", "pointwise", "-weights", "free", "-activation", "leaky_relu", *SMALL],
    "monotone_relu": ["-model", "monotone", "-activation", "relu", "-margin", 0.5, *SMALL],
    "monotone_tanh": ["-model", "monotone", "-activation", "tanh", "-margin", 0.5, *SMALL],
}
# The splittings are for monotone I - W; forward-backward also needs an activation that suits every step size.
SUITED = {
    "eq_perron": ["softmax_linear", "softmax_tanh"],
    "eq_forward_backward": ["monotone_relu"],
    "eq_peaceman_rachford": ["monotone_relu", "monotone_tanh"],
}


class OptionsFiles(TrainingTest):
    @staticmethod
    def file(name):
        return os.path.join(SOURCE, "petsc_opts", name + ".opts")

    def test_every_line_has_a_comment(self):
        self.assertGreater(len(FILES), 20)
        for name in ALL:
            with open(self.file(name), encoding="utf-8") as file:
                for line in file.read().splitlines():
                    self.assertTrue("#" in line or not line, f"{name}: no comment: {line}")

    def test_every_solver_agrees_with_the_default_on_every_model_it_suits(self):
        for model, options in MODELS.items():
            base = [*PROBLEM, *DESCENT, "-objective", "equilibrium", *options]
            reference = history(self.train(*base))
            self.assertLess(reference["loss"][-1], reference["loss"][0], model)
            for name in SOLVERS:
                if model not in SUITED.get(name, [model]):
                    continue
                with self.subTest(file=name, model=model):
                    run = self.train(*base, "-options_file", self.file(name))
                    self.assert_same_columns(reference, history(run), SOLVER, WORK)

    def test_every_solver_runs_on_two_ranks(self):
        base = [*PROBLEM, *DESCENT, "-steps", 1, "-objective", "equilibrium"]
        for name in SOLVERS:
            with self.subTest(file=name):
                model = MODELS[SUITED.get(name, ["monotone_relu"])[0]]
                self.train(*base, *model, "-options_file", self.file(name), ranks=2)

    def test_inexact_gradients_run_and_are_checked(self):
        for name in INEXACT:
            for model in ("softmax_linear", "softmax_tanh"):
                with self.subTest(file=name, model=model):
                    run = self.train(*PROBLEM, *DESCENT, "-objective", "equilibrium", *MODELS[model], "-options_file",
                                     self.file(name))
                    self.assertGreater(history(run)["gradient_cosine"][0], 0.1)

    def test_collapsed_solver_agrees_with_the_default(self):
        base = [*PROBLEM, "-objective", "collapsed", "-time", 0.05]
        run = self.train(*base, "-options_file", self.file("collapsed_bcgs"))
        self.assert_same_columns(history(self.train(*base)), history(run), SOLVER, WORK)

    def test_every_dynamics_lowers_the_loss(self):
        for name in DYNAMICS:
            end = ["-time", 0.05] if name.startswith(("flow", "descent")) else []  # all other files end by -steps
            for ranks in (1, 2):
                with self.subTest(file=name, ranks=ranks):
                    loss = history(self.train(*PROBLEM, *end, "-options_file", self.file(name), ranks=ranks))["loss"]
                    self.assertLess(loss[-1], loss[0])

    def test_every_recipe_of_graphs_lowers_the_loss(self):
        chain, digits = self.path("chain.h5"), os.path.join(SOURCE, "data", "digits_graph.h5")
        make_graph("chain", "-chains", 6, "-length", 20, "-out", chain)
        for name in (name for name in ALL if name.startswith("graph_")):
            data = chain if name == "graph_chains" else digits
            with self.subTest(file=name):
                loss = history(self.train("-options_file", self.file(name), "-data", data, "-steps", 5, ranks=2))["loss"]
                self.assertLess(loss[-1], loss[0])


if __name__ == "__main__":
    unittest.main()
