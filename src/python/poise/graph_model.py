"""A trained model of a graph (-model graph): one equilibrium couples all nodes."""

import numpy as np

from .errors import Error
from .graph_data import Graph, Nodes
from .equilibrium import RTOL
from .graph_equilibrium import Transport
from .model import Model


class GraphModel(Model):
    """The model of a checkpoint (Run.model): f_n = B z_n, Z = a(W Z S + V φ + b) (THEORY.md 8.1), S of the graph that it is
    applied to. Its methods take a Graph (all nodes), or some of its nodes (Nodes: graph.train, graph.test, graph.choose); states
    are always found for all nodes together, to a residual of `rtol` times the largest state. `residuals` are those of the
    nodes; None for -objective unrolled. The last graph's states are kept, so that each of its sets can be scored."""

    _last = (None, None, None)  # graph, rtol, states and residuals

    def score(self, samples, class_weights=None, rtol=RTOL):
        return super().score(nodes_of(samples), class_weights, rtol)

    def matched(self, x):
        """The features of nodes as float64 [n, d], in the order of the model's inputs."""
        return super().matched(nodes_of(x))

    def transport(self, graph):
        """Sᵀ of a graph, normalised as the run says (Transport)."""
        return Transport(graph, self.config["graph_normalise"], self.config.get("graph_hops", 1))

    def to_torch(self):
        """The same model as a torch.nn.Module (TorchGraphModel) with float64 parameters. Needs torch."""
        from .torch_graph import TorchGraphModel

        return TorchGraphModel(self)

    def _forward(self, x, rtol):
        nodes = nodes_of(x)
        states, residuals = self._states(nodes.graph, rtol)
        states = states[nodes.numbers]
        seen = normalised(states) if self.config["normalise_states"] else states
        return seen @ self.readout.T, states, None if residuals is None else residuals[nodes.numbers]

    def _states(self, graph, rtol):
        if self._last[0] is not graph or self._last[1] != rtol:
            phi = self.features(self.matched(graph))
            self._last = (graph, rtol, self.network.states_of(self.transport(graph), phi, rtol))
        return self._last[2]

    def _answers(self, samples):
        unknown = np.zeros(len(samples), bool)
        if samples.labels is not None:
            unknown = samples.labels < 0
        elif samples.targets is not None:
            unknown = np.isnan(samples.targets).any(axis=1)
        for row in np.flatnonzero(unknown)[:1]:
            raise Error(f"{samples.where}: the answer of node {samples.numbers[row]} is not known (nodes count from 0): score a set "
                        "whose answers are known, such as graph.test")
        return super()._answers(samples)


def nodes_of(x):
    """Nodes as such, all nodes of a Graph. Raises Error for others."""
    if isinstance(x, Graph):
        return x.nodes
    if isinstance(x, Nodes) and x.graph is not None:
        return x
    raise Error("a run with -model graph needs a graph, because its nodes have states only together: poise.read_graph(path), "
                "run.data(), or nodes of one, such as run.data().test")


def normalised(states):
    """z/‖z‖₂ of every node; 0 stays 0."""
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    return states / np.where(norms > 0, norms, 1)
