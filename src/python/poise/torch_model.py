"""A trained model as a torch.nn.Module, with exact derivatives of its equilibria (THEORY.md 3.2)."""

import math

import torch

from .equilibrium import MOST_ENTRIES, RTOL, solve_equilibria
from .features import UNTRANSFORMED
from .networks import Equation, Feedforward

# Each with its slope a', as a function of the value a(x).
ACTIVATIONS = {
    "identity": (lambda x: x, torch.ones_like),
    "tanh": (torch.tanh, lambda y: (1 - y) * (1 + y)),
    "relu": (torch.relu, lambda y: (y > 0).to(y)),
    "leaky_relu": (lambda x: torch.nn.functional.leaky_relu(x, 0.01), lambda y: torch.where(y > 0, 1.0, 0.01).to(y)),
    "softplus": (lambda x: torch.logaddexp(x, torch.zeros_like(x)), lambda y: -torch.expm1(-y)),
    "sigmoid": (torch.sigmoid, lambda y: y * (1 - y)),
}


class Implicit(torch.autograd.Function):
    """The identity on h(z*; θ, x), whose derivative is that of the equilibrium z* = h(z*): it takes the gradient g with
    respect to z* to λ, the solution of (I − ∂h/∂z)ᵀ λ = g."""

    @staticmethod
    def forward(context, h, weights, slopes):
        context.save_for_backward(weights, slopes)
        return h.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        weights, slopes = context.saved_tensors
        identity = torch.eye(len(weights)).to(weights)
        if slopes is None:  # a linear equation: one matrix for all samples
            return torch.linalg.solve(identity - weights.T, gradient.T).T, None, None
        part = max(1, MOST_ENTRIES // weights.numel())
        parts = zip(slopes.split(part), gradient.split(part))
        return torch.cat([torch.linalg.solve(identity - weights.T * s[:, None, :], g[:, :, None])[:, :, 0]
                          for s, g in parts]), None, None


class TorchModel(torch.nn.Module):
    """The model of a checkpoint (Model.to_torch): x [n, d] → outputs [n, q], in the unit of the targets. Its parameters
    have the names of /parameters in checkpoints, such as A [m, m], V [m, features], b [m, 1], B [q, m], and float64
    numbers. Equilibria are found by numpy on the processor, to the relative residual `rtol`, and raise ConvergenceError
    if they are not found; their gradient solves the adjoint equation exactly. Second derivatives are refused."""

    def __init__(self, model, rtol=RTOL):
        super().__init__()
        self.config, self.network, self.rtol = model.config, model.network, rtol
        for name, values in model.parameters.items():
            self.register_parameter(name, torch.nn.Parameter(torch.tensor(values)))
        self.feature_kind, self.constant, self.scale = model.features.kind, model.features.constant, model.scale
        for name in ("mean", "transform", "offset"):
            self.register_buffer(name, torch.tensor(getattr(model.features, name)))
        self.register_buffer("shift", torch.tensor(model.shift))

    def forward(self, x):
        phi = self.features(torch.as_tensor(x).to(self.B))
        if isinstance(self.network, Equation):
            z = self.unrolled(phi) if self.network.depth else self.equilibria(phi)
        else:
            z = self.feedforward(phi) if isinstance(self.network, Feedforward) else phi
        return self.shift + self.scale * (z @ self.B.T)

    def features(self, x):
        """φ(x) [n, features], differentiable in x (the parameters do not change it)."""
        phi = x if self.feature_kind in UNTRANSFORMED else (x - self.mean) @ self.transform.T
        if self.feature_kind == "unit_rows":
            sums = x.abs().sum(dim=1, keepdim=True)
            phi = x / torch.where(sums > 0, sums, torch.ones_like(sums))
        if self.feature_kind == "random_relu":
            phi = torch.relu(phi)
        if self.feature_kind == "random_fourier":
            phi = math.sqrt(2 / len(self.offset)) * torch.cos(phi + self.offset)
        return torch.cat([phi, torch.ones_like(phi[:, :1])], dim=1) if self.constant else phi

    def weights(self):
        """The recurrent weights W [m, m] (THEORY.md 2.2, 2.3)."""
        kind, gamma = self.network.kind, self.config["gamma"]
        if kind == "monotone":
            identity = torch.eye(len(self.P)).to(self.P)
            return (1 - self.config["margin"]) * identity - self.P.T @ self.P + self.Q - self.Q.T
        if kind == "softmax":
            return gamma * torch.softmax(self.A, dim=0)
        norm = torch.linalg.matrix_norm(self.A, 2) if kind == "spectral" else torch.ones(()).to(self.A)
        return gamma * self.A / torch.clamp(norm, min=1.0)

    def injection(self, phi):
        """u = V φ + b [n, m]."""
        u = phi @ self.V.T if hasattr(self, "V") else phi
        return u + self.b[:, 0] if hasattr(self, "b") else u

    def equilibria(self, phi):
        weights, u = self.weights(), self.injection(phi)
        value, slope = ACTIVATIONS[self.network.activation]
        arrays = (tensor.detach().cpu().double().numpy() for tensor in (weights, u))
        z, _ = solve_equilibria(*arrays, self.network.activation, self.rtol)
        h = value(torch.as_tensor(z).to(u) @ weights.T + u)
        slopes = None if self.network.activation == "identity" else slope(h.detach())
        return Implicit.apply(h, weights.detach(), slopes)

    def unrolled(self, phi):
        weights, u = self.weights(), self.injection(phi)
        value, _ = ACTIVATIONS[self.network.activation]
        z = torch.zeros_like(u)
        for _ in range(self.network.depth):
            z = value(z @ weights.T + u)
        return z

    def feedforward(self, x):
        value, _ = ACTIVATIONS[self.network.activation]
        for k in range(1, self.network.depth + 1):
            bias = getattr(self, f"b{k}")[:, 0] if hasattr(self, f"b{k}") else 0
            x = value(x @ getattr(self, f"W{k}").T + bias)
        return x
