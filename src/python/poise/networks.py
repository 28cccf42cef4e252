"""The networks of Poise, from features φ [n, width] to states [n, m] (THEORY.md 2). The outputs are f = B z."""

import numpy as np

from .activations import find_activation
from .equilibrium import solve_equilibria
from .errors import Error
from .graph_equilibrium import apply_layer, solve_graph
from .weights import recurrent_weights

MODELS = ("softmax_linear", "pointwise", "monotone", "graph")
OBJECTIVES = ("equilibrium", "collapsed", "unrolled", "feedforward", "shallow")


class Equation:
    """z = a(W z + V φ + b): W `weights` [m, m], V `input_weights` [m, width] or None, b `bias` [m] or None, and a, the
    `activation`. The linear model has only W; -objective unrolled applies the equation `depth` times, from z = 0 on."""

    def __init__(self, config, parameters):
        self.kind = {"softmax_linear": "softmax", "monotone": "monotone"}.get(config["model"], config["weights"])
        self.weights = recurrent_weights(self.kind, parameters, config["gamma"], config["margin"])
        self.input_weights = parameters.get("V")
        self.bias = parameters["b"][:, 0] if "b" in parameters else None
        self.activation = config["activation"]
        self.depth = config["depth"] if config["objective"] == "unrolled" else None

    def injection(self, phi):
        """u = V φ + b [n, m]."""
        u = phi if self.input_weights is None else phi @ self.input_weights.T
        return u if self.bias is None else u + self.bias

    def states(self, phi, rtol):
        u = self.injection(phi)
        if self.depth is None:
            return solve_equilibria(self.weights, u, self.activation, rtol)
        value, _ = find_activation(self.activation)
        z = np.zeros_like(u)
        for _ in range(self.depth):
            z = value(z @ self.weights.T + u)
        return z, None


class GraphEquation(Equation):
    """Z = a(W Z S + V φ + b) of all nodes (THEORY.md 8.1); blocks are [nodes, m]."""

    def states(self, phi, rtol):
        raise Error("a run with -model graph has states only for all nodes of a graph together: run.model() makes its model")

    def states_of(self, transport, phi, rtol):
        u = self.injection(phi)
        if self.depth is None:
            return solve_graph(transport, self.weights, u, self.activation, rtol)
        value, _ = find_activation(self.activation)
        z = np.zeros_like(u)
        for _ in range(self.depth):
            z = apply_layer(transport, self.weights, u, value, z)
        return z, None


class Feedforward:
    """x_l = a(W_l x_{l−1} + b_l), l = 1 … `depth`; `layers` are W and b, which may be missing."""

    def __init__(self, config, parameters):
        self.depth, self.activation = config["depth"], config["activation"]
        self.layers = [(parameters[f"W{k}"], parameters[f"b{k}"][:, 0] if f"b{k}" in parameters else 0)
                       for k in range(1, self.depth + 1)]

    def states(self, phi, rtol):
        value, _ = find_activation(self.activation)
        for weights, bias in self.layers:
            phi = value(phi @ weights.T + bias)
        return phi, None


class Shallow:
    """The states are the features."""

    def states(self, phi, rtol):
        return phi, None


def make_network(config, parameters):
    """The network of a run, from its options and parameters. Raises Error for one that this package does not know."""
    objective = config["objective"]
    if objective not in OBJECTIVES:
        raise Error(f"-objective {objective} is not known; known are {', '.join(OBJECTIVES)}")
    if objective == "shallow":
        return Shallow()
    if objective == "feedforward":
        return Feedforward(config, parameters)
    if config["model"] not in MODELS:
        raise Error(f"-model {config['model']} is the model of another program; this package knows {', '.join(MODELS)}")
    return (GraphEquation if config["model"] == "graph" else Equation)(config, parameters)
