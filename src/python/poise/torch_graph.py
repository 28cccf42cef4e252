"""A trained model of a graph as a torch.nn.Module, with exact derivatives of its equilibrium (THEORY.md 8.3)."""

import torch

from .equilibrium import RTOL
from .graph_equilibrium import solve_adjoint, solve_graph
from .graph_model import nodes_of
from .torch_model import ACTIVATIONS, TorchModel


class GraphImplicit(torch.autograd.Function):
    """The identity on H(Z*; θ, x), whose derivative is that of the equilibrium Z* = H(Z*): it takes the gradient with respect
    to Z* to Λ, the solution of (I − ∂H/∂Z)ᵀ Λ = gradient over all nodes."""

    @staticmethod
    def forward(context, h, weights, slopes, transport):
        context.arrays, context.transport = (numbers(weights), numbers(slopes)), transport
        return h.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        found = solve_adjoint(context.transport, *context.arrays, numbers(gradient))
        return torch.as_tensor(found).to(gradient), None, None, None


class Reach(torch.autograd.Function):
    """Z ↦ Sᵀ Z, the states that reach each node."""

    @staticmethod
    def forward(context, z, transport):
        context.transport = transport
        return torch.as_tensor(transport.forward(numbers(z))).to(z)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        return torch.as_tensor(context.transport.backward(numbers(gradient))).to(gradient), None


class TorchGraphModel(TorchModel):
    """The model of a checkpoint of -model graph (GraphModel.to_torch): a graph → outputs [nodes, q] of all nodes; of some
    nodes (graph.train), theirs alone. `x` [all nodes, d]: features in the place of the graph's, in its order of nodes and the
    model's order of columns. Equilibrium and adjoint are solved by numpy on the processor, to the relative residual `rtol`, and
    raise ConvergenceError if they are not found. Second derivatives are refused."""

    def __init__(self, model, rtol=RTOL):
        super().__init__(model, rtol)
        self.model, self.normalises = model, model.config["normalise_states"]

    def forward(self, nodes, x=None):
        nodes = nodes_of(nodes)
        x = self.model.matched(nodes.graph) if x is None else x
        transport = self.model.transport(nodes.graph)
        u = self.injection(self.features(torch.as_tensor(x).to(self.B)))
        z = (self.layers if self.network.depth else self.equilibrium)(transport, u)[torch.as_tensor(nodes.numbers)]
        if self.normalises:
            norms = torch.linalg.vector_norm(z, dim=1, keepdim=True)
            z = z / torch.where(norms > 0, norms, torch.ones_like(norms))
        return self.shift + self.scale * (z @ self.B.T)

    def equilibrium(self, transport, u):
        weights = self.weights()
        value, slope = ACTIVATIONS[self.network.activation]
        z, _ = solve_graph(transport, numbers(weights), numbers(u), self.network.activation, self.rtol)
        h = value(torch.as_tensor(transport.forward(z)).to(u) @ weights.T + u)
        return GraphImplicit.apply(h, weights.detach(), slope(h.detach()), transport)

    def layers(self, transport, u):
        weights = self.weights()
        value, _ = ACTIVATIONS[self.network.activation]
        z = torch.zeros_like(u)
        for _ in range(self.network.depth):
            z = value(Reach.apply(z, transport) @ weights.T + u)
        return z


def numbers(tensor):
    return tensor.detach().cpu().double().numpy()
