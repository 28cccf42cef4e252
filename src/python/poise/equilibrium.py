"""Solves z = a(W z + u) for many samples (THEORY.md 2.2). Blocks are [samples, m]: row i belongs to sample i."""

import numpy as np

from .activations import find_activation
from .errors import ConvergenceError

RTOL = 1e-12
MOST_ITERATIONS = 200
SHARED_ITERATIONS = 40  # of all samples with one matrix; then every sample has a matrix of its own
MOST_ENTRIES = 2**23  # of all matrices at a time: 64 MB
SMALLEST_STEP = 2.0**-10


def residuals_of(z, h, u):
    """‖z − h(z)‖₂ of every sample, relative to ‖z‖₂ + ‖u‖₂."""
    size = np.linalg.norm(z, axis=1) + np.linalg.norm(u, axis=1)
    return np.linalg.norm(z - h, axis=1) / np.where(size > 0, size, 1)


def solve_equilibria(weights, injection, activation, rtol=RTOL):
    """The equilibria z [n, m] and their relative residuals [n], of W [m, m], u [n, m] and a value of -activation.
    Raises ConvergenceError, which names the worst sample, if a residual stays above `rtol`."""
    value, slope = find_activation(activation)
    with np.errstate(over="ignore", invalid="ignore"):  # the residuals tell
        try:
            if activation == "identity":
                z = np.linalg.solve(np.eye(len(weights)) - weights, injection.T).T
            else:
                z = newton(weights, injection, value, slope, rtol)
        except np.linalg.LinAlgError:  # a singular matrix
            z = np.full_like(injection, np.nan)
        residuals = residuals_of(z, value(z @ weights.T + injection), injection)
    residuals = np.where(np.isnan(residuals), np.inf, residuals)
    if (residuals > rtol).any():
        worst = int(np.argmax(residuals))
        raise ConvergenceError(f"the equilibrium of sample {worst} was not found: its relative residual is "
                               f"{residuals[worst]:.2g}, above rtol = {rtol:g}; with -weights free an equilibrium need "
                               "not exist", residuals)
    return z, residuals


def newton(weights, u, value, slope, rtol):
    """Newton's method with a line search. The first iterations share one matrix between all samples, the Jacobian at
    the mean slopes; it is cheap, and good if the slopes of the samples are alike."""
    z = value(u)
    active = np.arange(len(u))
    for iteration in range(MOST_ITERATIONS):
        h = value(z[active] @ weights.T + u[active])
        active = active[residuals_of(z[active], h, u[active]) > 0.1 * rtol]
        if not len(active):
            break
        together = iteration < SHARED_ITERATIONS
        part = len(active) if together else max(1, MOST_ENTRIES // weights.size)
        for rows in np.split(active, range(part, len(active), part)):
            h = value(z[rows] @ weights.T + u[rows])
            step = correction(weights, slope(h), h - z[rows], together)
            z[rows] = searched(z[rows], h, step, weights, u[rows], value)
    return z


def correction(weights, slopes, residual, together):
    """(I − diag(slopes) W)⁻¹ residual of every sample; `together`: with the mean of the slopes."""
    identity = np.eye(len(weights))
    if together:
        return np.linalg.solve(identity - slopes.mean(axis=0)[:, None] * weights, residual.T).T
    return np.linalg.solve(identity - slopes[:, :, None] * weights, residual[:, :, None])[:, :, 0]


def searched(z, h, step, weights, u, value):
    """z + t·step for every sample, with the largest t = 1, 1/2, 1/4, … that shortens z − h(z). Where no t does, as may
    happen at the kink of a relu, the mean of z and h(z), a step that never leads away from the equilibrium of a
    contraction."""
    before = np.linalg.norm(h - z, axis=1)
    result, rest, t = 0.5 * (z + h), np.arange(len(z)), 1.0
    while len(rest) and t >= SMALLEST_STEP:
        trial = z[rest] + t * step[rest]
        after = np.linalg.norm(value(trial @ weights.T + u[rest]) - trial, axis=1)
        good = after < before[rest]
        result[rest[good]] = trial[good]
        rest, t = rest[~good], 0.5 * t
    return result
