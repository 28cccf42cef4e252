"""The feature map of a checkpoint, x → φ(x) (data: x [n, d], features: φ [n, m])."""

import numpy as np

from .errors import Error

KINDS = ("identity", "whiten", "random_relu", "random_fourier", "unit_rows")
UNTRANSFORMED = ("identity", "unit_rows")  # checkpoints hold no transform of these


def unit_rows(x):
    """The rows of x divided by their 1-norms; a row of zeros stays zero."""
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0)
    scaled = x / np.where(largest > 0, largest, 1)
    return scaled / np.where(largest > 0, np.abs(scaled).sum(axis=1, keepdims=True), 1)


class Features:
    """A fitted feature map, φ(x) = a(T(x − mean) + offset) or x/‖x‖₁ and, if `constant`, a last feature that is 1."""

    def __init__(self, checkpoint):
        self.kind = checkpoint.attribute("features", "kind")
        if self.kind not in KINDS:
            raise Error(f"checkpoint '{checkpoint.path}' has the features '{self.kind}' of another program; this "
                        f"package knows {', '.join(KINDS)}")
        self.inputs = checkpoint.attribute("features", "inputs")
        self.width = checkpoint.attribute("features", "width")
        self.constant = checkpoint.attribute("features", "constant") != 0
        self.mean = checkpoint.array("features/mean", self.inputs)
        count = self.width - self.constant
        self.transform = np.eye(self.inputs)
        if self.kind not in UNTRANSFORMED:
            self.transform = checkpoint.array("features/transform", self.width, self.inputs)[:count]
        self.offset = np.zeros(count)
        if self.kind.startswith("random"):
            self.offset = checkpoint.array("features/offset", self.width, 1)[:count, 0]

    def __call__(self, x):
        phi = x - self.mean if self.kind in UNTRANSFORMED else (x - self.mean) @ self.transform.T
        if self.kind == "unit_rows":
            phi = unit_rows(x)
        if self.kind == "random_relu":
            phi = np.maximum(phi, 0)
        if self.kind == "random_fourier":
            phi = np.sqrt(2 / len(self.offset)) * np.cos(phi + self.offset)
        return np.column_stack([phi, np.ones(len(x))]) if self.constant else phi
