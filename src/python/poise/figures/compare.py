"""Figures from directories of poise-compare: losses, the paths of W, and what a gradient costs. """

import os

import matplotlib.pyplot as plt
import numpy as np

from .. import hdf5
from ..errors import Error
from .style import BLUE, GREEN, GREY, ORANGE, RED, readable

SCHEMA = "poise-compare-1"
FILE = "compare.h5"
OTHERS = ["#CC79A7", "#000000", "#8C6D31"]  # more feedforward networks


def is_study(directory):
    return os.path.isfile(os.path.join(directory, FILE))


class Study:
    """The arrays of a study: paths [models, seeds, times], work [models, seeds]."""

    def __init__(self, directory):
        path = os.path.join(directory, FILE)
        with hdf5.open_file(path) as file:
            self.attributes = hdf5.attributes(file)
            schema = self.attributes.get("schema", "none")
            if schema != SCHEMA:
                raise Error(f"{path}: its schema is '{schema}', not '{SCHEMA}'")
            self.models = self.attributes["models"].split(";")
            self.config = hdf5.attributes(file["config"])
            self.times, self.depths = file["times"][:], file["model_depth"][:]
            self.paths = {name: values[:] for name, values in file["paths"].items()}
            self.work = {name: values[:] for name, values in file["costs"].items()}
        shape = (len(self.models), self.paths["train_loss"].shape[1], len(self.times))
        if any(values.shape != shape for values in self.paths.values()):
            raise Error(f"{path}: its arrays are not [models, seeds, times] = {list(shape)}")

    def unrolled(self):
        """Places of the truncations, by depth."""
        return sorted((i for i, name in enumerate(self.models) if name.startswith("depth ")),
                      key=lambda i: self.depths[i])

    def style(self, model):
        """A colour a kind of model; the truncations go from light to dark."""
        name = self.models[model]
        if name == "implicit":
            return {"color": BLUE, "linewidth": 3.0, "zorder": 3}
        if name == "shallow":
            return {"color": ORANGE, "linestyle": "--", "zorder": 4}
        if name.startswith("depth "):
            order = self.unrolled()
            share = (order.index(model) + 1) / len(order)
            return {"color": plt.get_cmap("Greens")(0.35 + 0.5 * share), "linewidth": 1.6}
        if name == "deep linear":
            return {"color": RED, "linestyle": "-."}
        networks = [m for m in self.models if m.endswith(" network")]
        return {"color": OTHERS[networks.index(name) % len(OTHERS)], "linestyle": ":"}

    def facts(self):
        data = os.path.splitext(os.path.basename(self.config.get("data", "")))[0]
        seeds = self.paths["train_loss"].shape[1]
        words = [data, f"{int(self.attributes['samples'])} samples", f"m = {int(self.attributes['m'])}",
                 f"q = {int(self.attributes['q'])}", f"γ = {float(self.attributes['gamma']):g}",
                 f"loss: {self.config.get('loss', '')}",
                 f"line: median, band: least to largest of {seeds} seed{'s' if seeds > 1 else ''}"]
        return "  ·  ".join(word for word in words if word)


def spread(values):
    """Median, least and largest over the seeds (axis 0) where there are any numbers."""
    values = np.where(np.isfinite(values), values, np.nan)
    usable = np.isfinite(values).any(axis=0)
    filled = np.where(usable, values, 0.0)
    return [np.where(usable, f(filled, axis=0), np.nan) for f in (np.nanmedian, np.nanmin, np.nanmax)]


def draw_paths(axes, study, name, positive=False):
    """One curve a model with its band; models without such numbers are left out."""
    t = study.times[1:]  # 0 has no place on a log axis; first_time is near it
    for model, label in enumerate(study.models):
        values = study.paths[name][model, :, 1:]
        if positive:
            values = np.where(values > 0, values, np.nan)
        if not np.isfinite(values).any():
            continue
        middle, low, high = spread(values)
        style = study.style(model)
        if len(t) == 1:
            style["marker"] = "o"
        axes.plot(t, middle, label=label, **style)
        axes.fill_between(t, low, high, color=style["color"], alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("time $t$")


def has(study, name, positive=False):
    values = study.paths[name]
    return bool((np.isfinite(values) & (values > 0 if positive else True)).any())


def log_if_wide(axes, factor=20.0):
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()] or [np.ones(1)])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > factor:
        axes.set_yscale("log")


def curves(study, name, title, label, positive=False):
    """A panel of one array, or None if the study has nothing of it."""
    if not has(study, name, positive):
        return None

    def panel(axes):
        draw_paths(axes, study, name, positive)
        axes.set_title(title)
        axes.set_ylabel(label)
        log_if_wide(axes)

    return panel


def depth_panel(study):
    """Distance of the truncations from the implicit W of the same seed, at the start and at the end."""
    order = study.unrolled()
    values = study.paths["distance_implicit_1"]
    if not order or not np.isfinite(values[order]).any():
        return None

    def panel(axes):
        depths = study.depths[order]
        for time, label, colour, marker in ((0, "at $t = 0$", ORANGE, "o"), (-1, "at the end", BLUE, "s")):
            middle, low, high = spread(values[order, :, time].T)
            axes.errorbar(depths, middle, yerr=[middle - low, high - middle], label=label, color=colour, marker=marker,
                          capsize=3)
        axes.plot(depths, float(study.attributes["gamma"]) ** depths, color=GREY, linestyle=":",
                  label=r"$\gamma^H$, bound at $t = 0$")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("depth $H$")
        axes.set_ylabel(r"$\Vert W_H - W\Vert_1 / \Vert W\Vert_1$")
        axes.set_title("Truncations, same seed and time")

    return panel


def work_panel(study, name, title, label, unit):
    """A cost against depth: truncations as a curve, the implicit and the shallow model as lines across."""
    values = study.work[name] * unit
    order = study.unrolled()
    if not np.isfinite(values).any():
        return None

    def panel(axes):
        if order:
            middle, low, high = spread(values[order].T)
            axes.errorbar(study.depths[order], middle, yerr=[middle - low, high - middle], color=GREEN, marker="o",
                          capsize=3, label="truncations")
        for model, known in enumerate(study.models):
            if known.startswith("depth ") or not np.isfinite(values[model]).any():
                continue
            style = study.style(model)
            axes.axhline(np.nanmedian(values[model]), label=known, **style)
        axes.set_xscale("log", base=2)
        log_if_wide(axes)
        if axes.get_yscale() == "linear":
            axes.set_ylim(bottom=0.0)
        axes.set_xlabel("depth $H$")
        axes.set_ylabel(label)
        axes.set_title(title)

    return panel


def figure_of(study, panels, columns=3):
    panels = [panel for panel in panels if panel is not None]
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(14.0, 5.2 * rows + 0.6), squeeze=False)
    for place, ax in enumerate(axes.flat):
        if place >= len(panels):
            ax.axis("off")
            continue
        panels[place](ax)
        ax.grid(True, which="major")
        ax.minorticks_off()
        ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0, ncol=2, fontsize=8.5)
    figure.suptitle(study.facts(), x=0.015, ha="left", fontsize=11, color=GREY)
    readable(figure)
    figure.tight_layout(rect=(0, 0, 1, 0.99), w_pad=2.0, h_pad=2.0)
    return figure


def figures(directory):
    """The figures of a study by name: learning, paths, cost."""
    study = Study(directory)
    gradient_seconds = study.work["seconds"] / np.where(study.work["gradients"] > 0, study.work["gradients"], np.nan)
    study.work["gradient_seconds"] = gradient_seconds
    learning = [curves(study, "train_loss", "Training loss", "$L$", positive=True),
                curves(study, "test_loss", "Test loss", "$L$", positive=True),
                curves(study, "test_accuracy", "Test accuracy", "share of samples")]
    distance = r"$\Vert W - V\Vert_F / \Vert V\Vert_F$"
    paths = [curves(study, "distance_implicit", "Distance from the implicit $V$", distance, True),
             curves(study, "distance_nearest", r"Distance from $V = Y\Phi^+ + W_0(I - \Phi\Phi^+)$", distance, True),
             depth_panel(study),
             curves(study, "nuclear_norm", "Nuclear norm of $W$", r"$\Vert W\Vert_*$"),
             curves(study, "effective_rank", "Effective rank of $W$", r"$\exp H(\sigma/\Sigma\sigma)$"),
             curves(study, "teacher_alignment", "Alignment with the teacher", "cosine")]
    cost = [work_panel(study, "working_bytes", "Working memory of a gradient", "kB, all ranks of a member", 1e-3),
            work_panel(study, "gradient_seconds", "Time of a gradient", "ms", 1e3),
            work_panel(study, "gradients", "Gradients of the flow", "number", 1.0)]
    return {name: figure_of(study, panels) for name, panels in
            (("learning", learning), ("paths", paths), ("cost", cost)) if any(p is not None for p in panels)}
