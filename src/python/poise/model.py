"""A trained model, applied to new samples by numpy alone."""

from typing import NamedTuple

import numpy as np

from . import losses, matching
from .data import Samples, one_hot
from .equilibrium import RTOL
from .errors import Error
from .features import Features
from .networks import make_network


class Forward(NamedTuple):
    """What a model computes of n samples."""

    outputs: np.ndarray  # [n, q], in the unit of the targets
    states: np.ndarray  # [n, m]; of an equilibrium model the equilibria z*
    residuals: np.ndarray  # [n], of the equilibria, relative; None of an explicit network


class Score(NamedTuple):
    """loss: mean or sum over the samples, as -loss_scale says, in the unit of the data; accuracy: share of samples with
    the correct class, NaN for a regression."""

    loss: float
    accuracy: float


class Model:
    """The model of a checkpoint (Run.model): f(x) = B z, z the equilibrium of THEORY.md 2.1 to 2.3, or the last state
    of an explicit network (2.4, 2.5). Samples x are arrays [n, d], or Samples of a data file, whose columns and classes
    are matched by name if file and run both have names. Methods raise Error for samples that do not fit, and for NaN,
    and ConvergenceError for an equilibrium that is not found."""

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.features = Features(checkpoint)
        self.parameters = checkpoint.parameters
        self.readout = checkpoint.array("parameters/B", None, None)
        try:
            self.network = make_network(self.config, self.parameters)
        except KeyError as error:
            raise Error(f"checkpoint '{checkpoint.path}' has no option or parameter {error}, which -model "
                        f"{self.config.get('model')} needs") from error
        self.names, self.classes = matching.names_of(checkpoint)
        self.shift, self.scale = np.zeros(self.outputs), 1.0  # of the targets: y = shift + scale f
        if checkpoint.attributes("targets"):
            self.scale = checkpoint.attribute("targets", "scale")
            self.shift = checkpoint.array("targets/shift", self.outputs)

    def __repr__(self):
        return f"{type(self).__name__}({self.checkpoint.path!r}, {self.inputs} inputs, {self.outputs} outputs)"

    @property
    def inputs(self):
        """d, the number of columns of x."""
        return self.features.inputs

    @property
    def outputs(self):
        """q, the number of outputs."""
        return len(self.readout)

    def __call__(self, x, rtol=RTOL):
        """The outputs [n, q]."""
        return self.forward(x, rtol).outputs

    def forward(self, x, rtol=RTOL):
        """Outputs, states and residuals (Forward). Every equilibrium is solved to the relative residual `rtol`."""
        raw, states, residuals = self._forward(x, rtol)
        return Forward(self.shift + self.scale * raw, states, residuals)

    def predict(self, x, rtol=RTOL):
        """The classes [n] that a classifier predicts: 0, 1, 2, … Raises Error for a regression."""
        if self.classes == 0:
            raise Error("the run is a regression: it predicts targets, the outputs of the model, and no classes")
        return losses.predicted_classes(self.config["loss"], self._forward(x, rtol)[0])

    def probabilities(self, x, rtol=RTOL):
        """The probabilities [n, classes] of a model with the loss cross_entropy or logistic. Raises Error for
        others."""
        return losses.probabilities(self.config["loss"], self._forward(x, rtol)[0])

    def score(self, samples, class_weights=None, rtol=RTOL):
        """Loss and accuracy (Score) on Samples with answers. The loss of the training samples in a history has the
        weights `class_weights` [classes] of -class_weight: see the method of this name."""
        raw = self._forward(samples, rtol)[0]
        answers = self._answers(samples)
        each = losses.find_loss(self.config["loss"])(raw, answers)
        classes = losses.predicted_classes(self.config["loss"], answers)
        if class_weights is not None:
            each = each * np.asarray(class_weights)[classes]
        right = losses.predicted_classes(self.config["loss"], raw) == classes
        classified = samples.labels is not None or self.config["loss"] != "squared"
        total = each.mean() if self.config["loss_scale"] == "mean" else each.sum()
        return Score(float(self.scale**2 * total), float(right.mean()) if classified else float("nan"))

    def class_weights(self, labels):
        """The weight of each class by the option -class_weight of the run; None without weights. `labels` [n]: of all
        training samples (THEORY.md 1, ω)."""
        text = self.config["class_weight"]
        if text in ("", "none"):
            return None
        if text != "balanced":
            return np.array([float(word) for word in text.split(",")])
        counts = np.bincount(labels, minlength=max(2, self.outputs))
        return np.where(counts > 0, len(labels) / np.count_nonzero(counts) / np.maximum(counts, 1), 1.0)

    def to_torch(self):
        """The same model as a torch.nn.Module (TorchModel) with float64 parameters. Needs torch."""
        from .torch_model import TorchModel

        return TorchModel(self)

    def matched(self, x):
        """The features of samples or of an array as float64 [n, d], in the order of the model's inputs."""
        samples = x if isinstance(x, Samples) else Samples(np.asarray(x))
        return matching.matched_inputs(samples, self.inputs, self.names.inputs)

    def _forward(self, x, rtol):
        """f of the problem that was trained, whose targets are scaled; states and residuals."""
        states, residuals = self.network.states(self.features(self.matched(x)), rtol)
        return states @ self.readout.T, states, residuals

    def _answers(self, samples):
        """y of the problem that was trained [n, q]."""
        if samples.labels is not None:
            binary = self.config["loss"] == "logistic"
            classes = (2 if binary else self.outputs) if self.classes is None else self.classes
            labels = matching.matched_labels(samples, classes, self.names.classes)
            return labels[:, None].astype(float) if binary else one_hot(labels, classes)
        if samples.targets is None:
            raise Error(f"{samples.where} has neither targets nor labels to compare with")
        targets = matching.matched_targets(samples, self.outputs, self.classes, self.names.targets)
        return (targets - self.shift) / self.scale
