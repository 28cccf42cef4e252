"""What the figures need of a run: its curves, and its facts as texts."""

import os

import numpy as np

from ..errors import Error
from ..run import Run

X_LABELS = {"t": "time $t$", "step": "step", "epoch": "epoch", "wall_seconds": "wall time (s)"}


def text(value):
    """A number or a text of a file as text: "3", not "[3]"."""
    words = np.asarray(value).reshape(-1).tolist()
    return " ".join(f"{word:.12g}" if isinstance(word, float) else str(word) for word in words)


class Curves:
    """A run as it is drawn. `x`: what the curves are drawn over: t, step, epoch or seconds; None: what suits the
    run."""

    def __init__(self, run, x=None, may_be_empty=False):
        self.run = run if isinstance(run, Run) else Run(run)
        self.x, self.directory, self.name = x, self.run.directory, self.run.name
        self.columns, self.options, self.attempts = self.run.history, self.run.options, self.run.attempts
        self.attributes = {key: text(value) for key, value in {**self.run.attributes, **self.options}.items()}
        if self.columns.rows == 0 and not may_be_empty:
            raise Error(f"{self.directory}/run.h5: the history is empty: nothing has been recorded yet")

    def abscissa(self):
        """The column that curves are drawn over."""
        chosen = {"seconds": "wall_seconds"}.get(self.x, self.x)
        if chosen is None:
            epochs = self.columns.get("epoch")
            by_epoch = epochs is not None and np.isfinite(epochs).any()
            chosen = "epoch" if by_epoch else "step" if self.attribute("dynamics") == "minimise" else "t"
        if chosen not in self.columns or not np.isfinite(self.columns[chosen]).any():
            raise Error(f"{self.directory}: its history has no {chosen}: give another --x")
        return chosen

    def curve(self, name, positive=False):
        """(x, values) where the values are usable; None if there are none."""
        if name not in self.columns:
            return None
        over = self.columns[self.abscissa()]
        length = min(len(over), len(self.columns["t"]), len(self.columns[name]))
        t, values = over[:length], self.columns[name][:length]
        keep = np.isfinite(t) & np.isfinite(values)
        if positive:
            keep &= values > 0
        return (t[keep], values[keep]) if keep.any() else None

    def attribute(self, *names):
        """The first of these attributes that is set; None without one."""
        for name in names:
            value = self.attributes.get(name, "")
            if value not in ("", "none"):
                return value
        return None

    def width(self):
        """The state width m, from the attributes or from a checkpoint; None if neither tells."""
        if value := self.attribute("m", "width", "state_width"):
            return value
        for checkpoint in reversed(self.run.checkpoints):
            try:
                return str(checkpoint.parameters["B"].shape[1])
            except (Error, KeyError):
                continue
        return None

    def network(self):
        """What is trained, with the facts that it has: γ only where there is one."""
        if described := self.attribute("network"):
            return described
        objective, model = self.attribute("objective"), self.attribute("model")  # of an older Poise
        if objective in ("feedforward", "shallow"):
            return objective
        parts = [model or ""]
        if model == "monotone":
            parts.append(f"margin = {self.attribute('margin')}" if self.attribute("margin") else "")
        elif gamma := self.attribute("gamma"):
            parts.append(f"gamma = {gamma}")
        if objective == "unrolled":
            parts.append(f"unrolled to {self.attribute('depth')} layers")
        return ", ".join(part for part in parts if part)

    def loss_name(self):
        """The loss and its scale: losses of different ones do not belong on one axis."""
        loss, scale = self.attribute("loss"), self.attribute("loss_scale")
        return f"{loss}, {scale}" if loss and scale else loss or ""

    def facts(self):
        """Data, model, width, loss, dynamics, ranks."""
        data = self.attribute("data")
        width = self.width()
        pairs = [
            ("", os.path.splitext(os.path.basename(data))[0] if data else None),
            ("", self.network()),
            ("m = ", width if self.attribute("objective") != "shallow" else None),
            ("loss: ", self.loss_name()),
            ("dynamics: ", self.attribute("dynamics")),
            ("ranks: ", self.attribute("ranks")),
        ]
        return "  ·  ".join(label + value for label, value in pairs if value)
