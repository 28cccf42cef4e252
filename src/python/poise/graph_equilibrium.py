"""Solves Z = a(W Z S + U) for all nodes of a graph at once (THEORY.md 8.1). Blocks are [nodes, m]: row i belongs to node i, so
that the equation is Z = a(Sᵀ Z Wᵀ + U)."""

import numpy as np

from .activations import find_activation
from .equilibrium import MOST_ENTRIES, RTOL, SMALLEST_STEP
from .errors import ConvergenceError, Error
from .graph_data import owners

MOST_ITERATIONS = 60  # of Newton's method
MOST_CYCLES = 5  # of GMRES
BASES = 4 * MOST_ENTRIES  # numbers of the basis of GMRES: 256 MB
LOOSEST, TIGHTEST = 1e-3, 1e-12  # what one linear solve gains if a is not the identity, and if it is


class Transport:
    """Sᵀ of a graph, one row a node, as -graph_normalise says (THEORY.md 8.2); with `hops` its power (-graph_hops)."""

    def __init__(self, graph, normalisation, hops=1):
        if normalisation not in ("symmetric", "walk", "none"):
            raise Error(f"-graph_normalise {normalisation} is not known; known are symmetric, walk and none")
        if graph.directed and normalisation == "symmetric":
            raise Error(f"data file '{graph.path}': it is directed, and a symmetric normalisation needs an undirected graph; train "
                        "with -graph_normalise walk")
        self.nodes = count = len(graph)
        self.hops = hops
        rows, columns = owners(graph.indptr), graph.indices
        values = np.ones(len(columns)) if graph.weights is None else graph.weights
        if normalisation != "none":
            degrees = 1.0 + np.bincount(rows, weights=values, minlength=count)
            rows, columns = np.append(rows, np.arange(count)), np.append(columns, np.arange(count))
            values = np.append(values, np.ones(count))
            values = values / (degrees[rows] if normalisation == "walk" else np.sqrt(degrees[rows] * degrees[columns]))
        self._there = self._sorted(rows, columns, values)
        self._back = self._sorted(columns, rows, values)

    def forward(self, z):
        """(S^hops)ᵀ Z, the states that reach each node."""
        for _ in range(self.hops):
            z = product(self._there, z)
        return z

    def backward(self, z):
        """S^hops Z."""
        for _ in range(self.hops):
            z = product(self._back, z)
        return z

    def _sorted(self, rows, columns, values):
        """(first place of every row that has entries, these rows, columns, values) in the order of the rows."""
        order = np.argsort(rows, kind="stable")
        filled, starts = np.unique(rows[order], return_index=True)
        return np.append(starts, len(rows)), filled, columns[order], values[order]


def product(matrix, z):
    """Rows of a sparse matrix times Z, in parts that fit into memory."""
    starts, rows, columns, values = matrix
    out = np.zeros_like(z)
    most = max(1, MOST_ENTRIES // z.shape[1])
    begin = 0
    while begin < len(rows):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + most, side="right")) - 1)
        part = slice(starts[begin], starts[end])
        out[rows[begin:end]] = np.add.reduceat(values[part, None] * z[columns[part]], starts[begin:end] - starts[begin])
        begin = end
    return out


def gmres(apply, right, reduction):
    """X with ‖right − apply(X)‖ ≤ reduction ‖right‖ if MOST_CYCLES cycles of GMRES suffice; else the best that they find."""
    most = max(20, min(200, BASES // right.size))
    x, residual = np.zeros_like(right), right
    target = reduction * np.linalg.norm(right)
    for _ in range(MOST_CYCLES):
        size = np.linalg.norm(residual)
        if not size > target:  # also NaN
            break
        x = x + cycle(apply, residual, target, most)
        residual = right - apply(x)
    return x


def cycle(apply, residual, target, most):
    """One cycle of GMRES: the correction from at most `most` products that makes the residual smallest."""
    size = np.linalg.norm(residual)
    basis = np.empty((min(most, residual.size) + 1, residual.size))
    basis[0] = residual.ravel() / size
    triangle, rest = np.zeros((len(basis), len(basis) - 1)), np.zeros(len(basis))
    rest[0], turns, count = size, [], 0
    while count < len(basis) - 1 and abs(rest[count]) > target:
        vector = apply(basis[count].reshape(residual.shape)).ravel()
        column = np.zeros(count + 2)
        for _ in range(2):  # once leaves rounding errors of the size of what it removes
            part = basis[:count + 1] @ vector
            vector = vector - part @ basis[:count + 1]
            column[:count + 1] += part
        column[-1] = height = np.linalg.norm(vector)
        for k, (cosine, sine) in enumerate(turns):
            column[k:k + 2] = cosine * column[k] + sine * column[k + 1], cosine * column[k + 1] - sine * column[k]
        length = np.hypot(*column[-2:])
        if not length > 0:  # the operator is singular, or gives NaN
            break
        turns.append((column[-2] / length, column[-1] / length))
        rest[count:count + 2] = turns[-1][0] * rest[count], -turns[-1][1] * rest[count]
        triangle[:count + 1, count] = [*column[:-2], length]
        count += 1
        if height <= 1e-15 * length:  # the correction is exact
            break
        basis[count] = vector / height
    return (np.linalg.solve(triangle[:count, :count], rest[:count]) @ basis[:count]).reshape(residual.shape)


def relative(norms, largest):
    """Norms of the nodes, relative to the largest norm of a node; NaN counts as infinite."""
    found = norms / largest if largest > 0 else norms
    return np.where(np.isnan(found), np.inf, found)


def apply_layer(transport, weights, injection, value, z):
    """a(Sᵀ Z Wᵀ + U)."""
    return value(transport.forward(z) @ weights.T + injection)


def solve_graph(transport, weights, injection, activation, rtol=RTOL):
    """The equilibrium Z [n, m] and the residuals ‖z_n − h_n‖₂ / max_k ‖h_k‖₂ [n], of W [m, m], U [n, m] and a value of
    -activation, by Newton's method with GMRES. Raises ConvergenceError, which names the worst node, if a residual stays above
    `rtol`."""
    value, slope = find_activation(activation)
    z, loosest = value(injection), TIGHTEST if activation == "identity" else LOOSEST

    def layer(states):
        return apply_layer(transport, weights, injection, value, states)

    with np.errstate(over="ignore", invalid="ignore"):  # the residuals tell
        for _ in range(MOST_ITERATIONS):
            h = layer(z)
            residuals = residuals_of(z, h)
            if not 0.1 * rtol < residuals.max() < np.inf:
                break
            slopes = slope(h)
            step = gmres(lambda v: v - slopes * (transport.forward(v) @ weights.T), h - z,
                         max(0.03 * rtol / residuals.max(), loosest))
            z = searched(z, h, step, layer)
        residuals = residuals_of(z, layer(z))
    require_small(residuals, rtol, "equilibrium of the graph", "; with -weights free, or -graph_normalise none, an equilibrium "
                  "need not exist")
    return z, residuals


def residuals_of(z, h):
    return relative(np.linalg.norm(z - h, axis=1), np.linalg.norm(h, axis=1).max())


def searched(z, h, step, layer):
    """z + t·step with the largest t = 1, 1/2, 1/4, … that shortens z − h(z); if none does, the mean of z and h(z)."""
    before, t = np.linalg.norm(h - z), 1.0
    while t >= SMALLEST_STEP:
        trial = z + t * step
        if np.linalg.norm(layer(trial) - trial) < before:
            return trial
        t *= 0.5
    return 0.5 * (z + h)


def solve_adjoint(transport, weights, slopes, gradient, rtol=RTOL):
    """Λ [n, m] of Λ − S((a' ∘ Λ) W) = gradient (THEORY.md 8.3), which has the slopes a' [n, m]. Raises ConvergenceError."""
    def apply(v):
        return v - transport.backward((slopes * v) @ weights)

    found = gmres(apply, gradient, 0.1 * rtol)
    largest = max(np.linalg.norm(block, axis=1).max() for block in (gradient, found))
    require_small(relative(np.linalg.norm(gradient - apply(found), axis=1), largest), rtol, "adjoint of the graph")
    return found


def require_small(residuals, rtol, solve, why=""):
    if (residuals > rtol).any():
        worst = int(np.argmax(residuals))
        raise ConvergenceError(f"the {solve} was not found: the relative residual of node {worst} is {residuals[worst]:.2g}, above "
                               f"rtol = {rtol:g}{why}", residuals)
