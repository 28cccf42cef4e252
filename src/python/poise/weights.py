"""Recurrent weights W of pointwise models, from the trained parameters (THEORY.md 2.2, 2.3)."""

import numpy as np

from .errors import Error


def column_softmax(a):
    """σ(A): every column sums to 1."""
    powers = np.exp(a - a.max(axis=0))
    return powers / powers.sum(axis=0)


def recurrent_weights(kind, parameters, gamma, margin):
    """W [m, m] of a value of -weights, or of "monotone". Raises Error for an unknown kind."""
    if kind == "monotone":
        p, q = parameters["P"], parameters["Q"]
        return (1 - margin) * np.eye(len(p)) - p.T @ p + q - q.T
    a = parameters["A"]
    if kind == "softmax":
        return gamma * column_softmax(a)
    if kind == "spectral":
        return gamma * a / max(1.0, np.linalg.norm(a, 2))
    if kind == "free":
        return gamma * a
    raise Error(f"-weights {kind} is not known; known are softmax, spectral and free")
