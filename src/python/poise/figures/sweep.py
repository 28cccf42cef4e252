"""Figures of poise-sweep: one for each study, from DIR/sweep.h5."""

import os

import matplotlib.pyplot as plt
import numpy as np

from .. import hdf5
from ..errors import Error
from .style import BLUE, GREEN, GREY, ORANGE, RED, readable

SCHEMA = "poise-sweep-1"
COLOURS = [BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9", "#F0E442", GREY]
MARKERS = "osD^v<>P"


def is_sweep(directory):
    return os.path.isfile(os.path.join(directory, "sweep.h5"))


class Sweep:
    """The columns and attributes of a sweep; members that failed are left out and counted."""

    def __init__(self, directory):
        path = os.path.join(directory, "sweep.h5")
        with hdf5.open_file(path) as file:
            attributes = hdf5.attributes(file)
            schema = attributes.get("schema", "none")
            if schema != SCHEMA:
                raise Error(f"{path}: its schema is '{schema}', not '{SCHEMA}'")
            if "members/failed" not in file:
                raise Error(f"{path}: no /members/failed in it: not a sweep, or it was cut off")
            columns = {name: values[...] for name, values in file["members"].items()}
            self.study = attributes["study"]
            self.data = os.path.splitext(os.path.basename(attributes["data"]))[0]
        good = columns["failed"] == 0
        self.failed = int((~good).sum())
        self.columns = {name: values[good] for name, values in columns.items()}
        if not good.any():
            raise Error(f"{path}: all members failed")

    def __getitem__(self, name):
        return self.columns[name]

    def select(self, **values):
        """Mask of the members with these values."""
        mask = np.ones(len(self["failed"]), dtype=bool)
        for name, value in values.items():
            mask &= self[name] == value
        return mask

    def facts(self):
        members = len(self["failed"])
        text = f"{self.data}  ·  study: {self.study}  ·  {members} members"
        return text + (f", {self.failed} failed" if self.failed else "")


def medians(x, y):
    """x without repeats, and of each the median, smallest and largest y."""
    values = np.unique(x)
    groups = [y[x == value] for value in values]
    return values, *(np.array([f(group) for group in groups]) for f in (np.median, np.min, np.max))


def curve(axes, x, y, label, i, **style):
    """Medians over the seeds with their range as error bars."""
    keep = np.isfinite(x) & np.isfinite(y)
    if not keep.any():
        return
    values, middle, low, high = medians(x[keep], y[keep])
    style.setdefault("marker", MARKERS[i % len(MARKERS)])
    axes.errorbar(values, middle, yerr=[middle - low, high - middle], label=label, color=COLOURS[i % len(COLOURS)],
                  capsize=3, **style)


def by_gamma(sweep, axes, x, y, mask=None, apart=1.0, **style):
    """A curve for every contraction factor; `apart`: the abscissae of one over those of the one before."""
    mask = sweep.select() if mask is None else mask
    gammas = np.unique(sweep["gamma"])
    for i, gamma in enumerate(gammas):
        chosen = mask & (sweep["gamma"] == gamma)
        shift = apart ** (i - (len(gammas) - 1) / 2)
        if chosen.any():
            curve(axes, shift * sweep[x][chosen], sweep[y][chosen], f"$\\gamma$ = {gamma:g}", i, **style)


def finish(axes, title, xlabel, ylabel, logx=False, logy=False, ticks=None):
    """Titles, scales and a legend under the panel; `ticks`: values that the horizontal axis names."""
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if logx:
        axes.set_xscale("log")
    if logy:
        axes.set_yscale("log")
    if ticks is not None and len(ticks) < 12:
        axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        unique = dict(reversed(list(zip(labels, handles))))  # the first of each label
        unique = dict(reversed(unique.items()))
        axes.legend(unique.values(), unique.keys(), loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0,
                    labelspacing=0.35, ncol=1 if len(unique) < 5 else 2)


def draw_width(sweep, panels):
    widths = np.unique(sweep["m"])
    by_gamma(sweep, panels[0], "m", "tightness", apart=1.07, linestyle="none")
    panels[0].axhline(1.0, color=GREY, linestyle=":", label="bound of Theorem 1")
    finish(panels[0], "Measured over guaranteed exponent", "width $m$", "smallest ratio", True, ticks=widths)
    by_gamma(sweep, panels[1], "m", "lambda_T", apart=1.07, linestyle="none")
    for i, gamma in enumerate(np.unique(sweep["gamma"])):
        panels[1].plot(widths, 1.0 / (widths * (1.0 + gamma) ** 2), color=COLOURS[i % len(COLOURS)], linestyle=":",
                       linewidth=1.2, label="floors $1/(m(1+\\gamma)^2)$" if i == 0 else None)
    finish(panels[1], "Smallest eigenvalue of $D$", "width $m$", r"$\lambda_T$", True, True, widths)
    by_gamma(sweep, panels[2], "m", "steps", apart=1.07, linestyle="none")
    reached = int(sweep["reached"].sum())
    finish(panels[2], f"Steps; {reached} of {len(sweep['m'])} members reached $L^*$", "width $m$", "steps", True, True,
           widths)


def draw_step_size(sweep, panels):
    held = sweep["held"] == 1
    for axes, x, title in ((panels[0], "over_guaranteed", "Multiples of the guaranteed limit"),
                           (panels[1], "over_local", "Multiples of the local limit")):
        for i, gamma in enumerate(np.unique(sweep["gamma"])):
            for mask, fill, name in ((held, "full", "rate held"), (~held, "none", "violated")):
                chosen = mask & (sweep["gamma"] == gamma)
                if chosen.any():
                    axes.plot(sweep[x][chosen], sweep["worst_contraction"][chosen], linestyle="none",
                              marker=MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], fillstyle=fill,
                              label=f"$\\gamma$ = {gamma:g}, {name}")
        axes.axhline(1.0, color=GREY, linestyle=":")
        axes.axvline(1.0, color=GREY, linestyle=":")
        finish(axes, title, r"step size $\eta$ over the limit", "worst factor of the excess in a step", True, True,
               np.array([0.25, 0.5, 1.0, 2.0, 4.0]))
    checked = np.isfinite(sweep["worst_over_factor"])
    by_gamma(sweep, panels[2], "over_guaranteed", "worst_over_factor", checked, linestyle="none")
    panels[2].axhline(1.0, color=GREY, linestyle=":", label="guaranteed factor")
    finish(panels[2], "Contraction over the guaranteed factor", r"$\eta$ over the guaranteed limit",
           "largest ratio, at most 1")


def draw_inexact(sweep, panels):
    exact = sweep["kind"] == 0
    for axes, kind, label in ((panels[0], 1, "tolerance of the equilibria"), (panels[1], 2, "terms of the adjoint")):
        mask = sweep["kind"] == kind
        by_gamma(sweep, axes, "value", "tightness", mask)
        for i, gamma in enumerate(np.unique(sweep["gamma"])):
            chosen = exact & (sweep["gamma"] == gamma)
            if chosen.any():
                axes.axhline(np.median(sweep["tightness"][chosen]), color=COLOURS[i % len(COLOURS)], linestyle="--",
                             linewidth=1.2, label="exact gradient")
        axes.axhline(1.0, color=GREY, linestyle=":", label="bound of Theorem 1")
        finish(axes, "Measured over guaranteed exponent", label, "smallest ratio", mask.any(), False,
               np.unique(sweep["value"][mask]) if kind == 2 else None)
    for i, (kind, label) in enumerate(((1, "tolerances"), (2, "truncated adjoints"))):
        chosen = sweep["kind"] == kind
        if chosen.any():
            curve(panels[2], sweep["gradient_error"][chosen], sweep["floor"][chosen], label, i, linestyle="none")
    finish(panels[2], "Smallest excess of the run", "error of the gradient at the start", "over the initial one", True,
           True)


def draw_depth(sweep, panels):
    by_gamma(sweep, panels[0], "depth", "weight_error")
    by_gamma(sweep, panels[0], "depth", "weight_bound", marker="", linestyle=":")
    finish(panels[0], "Weight of depth $H$ (dotted: $\\gamma^H$)", "depth $H$", r"$\max|W_H - W| / \max|W|$",
           False, True)
    by_gamma(sweep, panels[1], "depth", "gradient_error")
    finish(panels[1], "Gradient of depth $H$", "depth $H$", "relative error", False, True)
    by_gamma(sweep, panels[2], "depth", "theta_distance")
    finish(panels[2], "Trained parameters", "depth $H$", "distance over the way of the limit", False, True)


PANELS = {"width": draw_width, "step_size": draw_step_size, "inexact": draw_inexact, "depth": draw_depth}


def figure_of_sweep(directory):
    sweep = Sweep(directory)
    if sweep.study not in PANELS:
        raise Error(f"{directory}: no figure is known for study '{sweep.study}'")
    figure, panels = plt.subplots(1, 3, figsize=(14.0, 5.6))
    PANELS[sweep.study](sweep, panels)
    for axes in panels:
        axes.minorticks_off()
    figure.suptitle(sweep.facts(), x=0.015, ha="left", fontsize=12, color=GREY)
    readable(figure)
    figure.tight_layout(rect=(0, 0, 1, 0.98), w_pad=2.5)
    return figure
