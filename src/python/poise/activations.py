"""Activations a of pointwise models (THEORY.md 2.2): each with its slope a', as a function of the value a(x)."""

import numpy as np

from .errors import Error

LEAKY_SLOPE = 0.01

ACTIVATIONS = {
    "identity": (lambda x: x, np.ones_like),
    "tanh": (np.tanh, lambda y: (1 - y) * (1 + y)),
    "relu": (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(float)),
    "leaky_relu": (lambda x: np.where(x < 0, LEAKY_SLOPE * x, x), lambda y: np.where(y > 0, 1, LEAKY_SLOPE)),
    "softplus": (lambda x: np.logaddexp(0, x), lambda y: -np.expm1(-y)),
    "sigmoid": (lambda x: 0.5 + 0.5 * np.tanh(0.5 * x), lambda y: y * (1 - y)),
}


def find_activation(name):
    """(a, a') of a value of -activation. Raises Error for an unknown one."""
    if name not in ACTIVATIONS:
        raise Error(f"-activation {name} is not known; known are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
