"""Losses of a sample (THEORY.md 5), and the accuracy: f and y are [n, q]."""

import numpy as np

from .errors import Error


def squared(f, y):
    """‖f − y‖², without a factor ½."""
    return ((f - y) ** 2).sum(axis=1)


def logistic(f, y):
    """log(1 + eᶠ) − y f, y in {0, 1}."""
    return (np.logaddexp(0, f) - y * f)[:, 0]


def cross_entropy(f, y):
    """−log of the softmax of f at the true class, y one-hot."""
    return np.logaddexp.reduce(f, axis=1) - (f * y).sum(axis=1)


LOSSES = {"squared": squared, "logistic": logistic, "cross_entropy": cross_entropy}


def find_loss(name):
    """A value of -loss. Raises Error for an unknown one."""
    if name not in LOSSES:
        raise Error(f"-loss {name} is the loss of another program; this package knows {', '.join(LOSSES)}")
    return LOSSES[name]


def predicted_classes(loss, f):
    """The class of every row: the largest output; of a single output, whether it is above the middle of its targets."""
    if f.shape[1] > 1:
        return f.argmax(axis=1)
    return (f[:, 0] > (0 if loss == "logistic" else 0.5)).astype(int)


def probabilities(loss, f):
    """The probabilities of the classes [n, classes] that a classification loss gives to the outputs."""
    if loss == "cross_entropy":
        powers = np.exp(f - f.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    if loss == "logistic":
        of_one = np.exp(-np.logaddexp(0, -f[:, 0]))
        return np.column_stack([1 - of_one, of_one])
    raise Error(f"-loss {loss} gives no probabilities: only logistic and cross_entropy do")
