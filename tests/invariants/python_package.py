"""Shared by the tests of the Python package: the package itself, and small runs of every model."""

import importlib.util
import os
import subprocess
import sys

import h5py
import numpy as np

from training import DATA, ENVIRONMENT, MPIEXEC, SOURCE, TRAIN, TrainingTest, patience, train

PREDICT = os.environ.get("POISE_PREDICT", os.path.join(os.path.dirname(TRAIN), "poise-predict"))
PACKAGE = os.path.join(SOURCE, "src", "python")
sys.path.insert(0, PACKAGE)
import poise  # noqa: E402,F401  (after the path)

ACTIVATIONS = ("identity", "tanh", "relu", "leaky_relu", "softplus", "sigmoid")
# Two steps of gradient descent: the checkpoints 0, 1, 2 and the rows 0, 1, 2 of the history.
STEPS = 2
DESCENT = ("-dynamics", "descent", "-step_size", 0.01, "-steps", STEPS, "-audit", "false",
           "-checkpoint_every", 1, "-checkpoint_keep", 0)
POINTWISE = ("-model", "pointwise", "-width", 7)
CROSS_ENTROPY = ("-loss", "cross_entropy")

# Data set, options.
CASES = [
    ("regression", ()),
    ("regression", ("-objective", "collapsed", "-loss_scale", "sum", "-scale_targets", "false", "-step_size", 1e-4)),
    ("regression", ("-train_samples", 20, "-gamma", 0.95)),
    ("regression", ("-objective", "unrolled", "-depth", 5)),
    ("regression", ("-objective", "shallow")),
    ("regression", ("-objective", "shallow", "-features", "identity", "-features_constant", "false")),
    ("classes", ()),
    ("classes", CROSS_ENTROPY),
    ("classes", (*CROSS_ENTROPY, "-class_weight", "balanced")),
    ("classes", (*CROSS_ENTROPY, "-class_weight", "1,2.5,0.5", "-loss_scale", "sum")),
    ("classes", ("-class_weight", "balanced", "-objective", "collapsed")),
    ("binary", ("-loss", "logistic")),
    ("binary", ("-loss", "logistic", "-class_weight", "balanced", *POINTWISE)),
    ("classes", (*CROSS_ENTROPY, "-features", "random_relu", "-features_width", 9)),
    ("classes", (*CROSS_ENTROPY, "-features", "random_fourier", "-features_width", 9, "-features_bandwidth", 2)),
    ("classes", (*CROSS_ENTROPY, "-features", "random_fourier", "-features_width", 9, "-features_constant", "false")),
    ("classes", (*CROSS_ENTROPY, "-features", "identity")),
    ("classes", (*CROSS_ENTROPY, "-features", "unit_rows")),
    ("regression", ("-features", "unit_rows", "-features_constant", "false")),
    ("regression", ("-features_zca", "true", "-features_standardise", "false", "-features_constant", "false")),
    ("regression", ("-features_width", 3)),
    *(("regression", (*POINTWISE, "-weights", *weights, "-activation", activation))
      for weights in (("softmax",), ("spectral", "-init_scale_a", 3), ("free",)) for activation in ACTIVATIONS),
    *(("classes", ("-model", "monotone", "-width", 7, "-activation", activation, *CROSS_ENTROPY))
      for activation in ACTIVATIONS),
    ("regression", (*POINTWISE, "-weights", "spectral", "-init_scale_a", 0.3)),  # a norm below 1
    ("regression", ("-model", "monotone", "-margin", 0.01, "-width", 12, "-init_scale_a", 4)),
    ("regression", ("-model", "pointwise", "-input_weights", "false")),
    ("regression", (*POINTWISE, "-bias", "false", "-gamma", 0.99)),
    ("classes", (*POINTWISE, "-objective", "unrolled", "-depth", 4, *CROSS_ENTROPY)),
    ("classes", ("-model", "monotone", "-width", 6, "-objective", "unrolled", "-depth", 3, "-recompute_every", 2)),
    *(("classes", ("-objective", "feedforward", "-depth", 3, "-width", 8, "-activation", activation, *CROSS_ENTROPY))
      for activation in ("relu", "tanh", "leaky_relu")),
    ("diabetes", ("-model", "pointwise", "-width", 5)),
]

GRAPH = ("-model", "graph", "-width", 6)
# File (chain and knn: classes; weighted and directed: targets), options.
GRAPH_CASES = [
    ("chain", CROSS_ENTROPY),
    ("chain", (*CROSS_ENTROPY, "-split", 1, "-class_weight", "balanced", "-gamma", 0.95)),
    ("chain", (*CROSS_ENTROPY, "-weights", "spectral", "-init_scale_a", 3, "-normalise_states", "true")),
    ("chain", (*CROSS_ENTROPY, "-objective", "unrolled", "-depth", 4, "-graph_normalise", "walk")),
    ("knn", ("-graph_normalise", "walk", "-activation", "tanh", "-weights", "spectral")),
    ("knn", (*CROSS_ENTROPY, "-activation", "relu", "-gamma", 0.95)),
    ("knn", (*CROSS_ENTROPY, "-features", "unit_rows", "-graph_hops", 2)),
    ("knn", (*CROSS_ENTROPY, "-activation", "tanh", "-normalise_states", "true", "-objective", "unrolled", "-depth", 3)),
    ("weighted", ("-activation", "tanh", "-weights", "free", "-init_scale_a", 0.2, "-graph_normalise", "none")),
    ("weighted", ("-loss_scale", "sum", "-step_size", 1e-4, "-bias", "false")),
    ("directed", ("-graph_normalise", "walk", "-activation", "sigmoid")),
]


def require(*modules):
    """Ends with code 77, which CTest reports as skipped, if a module is missing."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: this Python lacks {', '.join(missing)}")
        sys.exit(77)


def make_graph(*words):
    """A graph file of poise-data."""
    subprocess.run([DATA, "graph", *map(str, words)], check=True, capture_output=True, timeout=patience(60),
                   env={**os.environ, **ENVIRONMENT})


def random_graph(random, nodes=40, edges=90):
    """Edges without self-loops and doubles, in random order; a node without a neighbour."""
    upper = np.argwhere(np.triu(np.ones((nodes - 1, nodes - 1)), 1))
    return random.permutation(upper)[:edges]


def predict(run, data):
    """Starts poise-predict; returns the finished process, and the path of the file that it writes."""
    path = f"{run}.predictions.h5"
    done = subprocess.run([MPIEXEC, "-n", "1", PREDICT, "-run", run, "-data", data, "-out", path], capture_output=True,
                          text=True, timeout=patience(100), env=ENVIRONMENT)
    return done, path


def predictions(run, data):
    """The data sets that poise-predict writes."""
    done, path = predict(run, data)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    with h5py.File(path) as file:
        return {name: values[...] for name, values in file.items()}


class ModelsTest(TrainingTest):
    """All cases, trained once as the members of one ensemble: one start of the program instead of many."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        files = {"regression": cls.regression, "classes": cls.classes, "binary": cls.binary,
                 "diabetes": os.path.join(SOURCE, "data", "diabetes.h5")}
        table, cls.ensemble = cls.path("cases.txt"), cls.path("cases")
        with open(table, "w", encoding="utf-8") as file:
            for number, (data, options) in enumerate(CASES):
                file.write(f"case-{number}: -data {files[data]} {' '.join(map(str, options))}\n")
        done = train("-ensemble", table, "-run", cls.ensemble, *DESCENT)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def opened_cases(self):
        """(name for messages, opened run) of every case."""
        return [(f"{data} {options}", poise.open_run(os.path.join(self.ensemble, f"case-{number}")))
                for number, (data, options) in enumerate(CASES)]


class GraphModelsTest(TrainingTest):
    """All cases of graphs, trained as the members of one ensemble."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.graphs = {name: cls.path(f"{name}.h5") for name in ("chain", "knn", "weighted", "directed")}
        make_graph("chain", "-chains", 6, "-length", 12, "-node_classes", 2, "-node_inputs", 5, "-train_share", 0.2, "-splits", 2,
                   "-out", cls.graphs["chain"])
        make_graph("knn", "-data", cls.classes, "-neighbours", 3, "-labelled", 4, "-validating", 3, "-out", cls.graphs["knn"])
        random = np.random.default_rng(5)
        for name in ("weighted", "directed"):
            targets, masks = random.normal(size=(40, 2)), np.zeros((2, 40), bool)
            masks[0, :12], masks[1, 20:30], targets[35:] = True, True, np.nan
            poise.write_graph(cls.graphs[name], random.normal(size=(40, 4)), edges=random_graph(random),
                              weights=random.uniform(0.1, 1, 90) if name == "weighted" else None, directed=name == "directed",
                              targets=targets, masks={"train": masks[0], "test": masks[1]}, names=["a", "b", "c", "d"])
        table, cls.ensemble = cls.path("graph_cases.txt"), cls.path("graph_cases")
        with open(table, "w", encoding="utf-8") as file:
            for number, (graph, options) in enumerate(GRAPH_CASES):
                file.write(f"case-{number}: -data {cls.graphs[graph]} {' '.join(map(str, options))}\n")
        done = train("-ensemble", table, "-run", cls.ensemble, *DESCENT, *GRAPH)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def opened_cases(self):
        """(name for messages, opened run) of every case."""
        return [(f"{graph} {options}", poise.open_run(os.path.join(self.ensemble, f"case-{number}")))
                for number, (graph, options) in enumerate(GRAPH_CASES)]
