"""Figures from run directories of poise-train: convergence against the theorem's bounds, the conditioning that the
bounds rest on, and the quality of the model. Works while a run goes on. Of a directory of poise-compare: what the
models learn, the paths of their weights, and what they cost. Of a directory of poise-sweep: the results of its
study."""

import argparse
import os
import textwrap

import matplotlib.pyplot as plt
import numpy as np

from ..command import program_name
from ..errors import Error
from ..show import attempts_text
from . import compare, sweep
from .curves import X_LABELS, Curves
from .style import (BLUE, GREEN, GREY, ORANGE, RED, STYLE, add_output_options, begin_command, output_files,
                    readable_axis, save, save_all)


def draw(axes, run, name, label, positive=False, **style):
    """Draws one column if the run has it; a single record is drawn as a dot. True if something was drawn."""
    curve = run.curve(name, positive)
    if curve is None:
        return False
    if len(curve[0]) == 1:
        style.setdefault("marker", "o")
    axes.plot(*curve, label=label, **style)
    return True


def spans_decades(axes, factor=20.0):
    """Do the curves drawn so far need a log scale?"""
    values = np.concatenate([line.get_ydata() for line in axes.get_lines()] or [np.ones(1)])
    return values.min() > 0 and values.max() / values.min() > factor


def panel_convergence(axes, run):
    """Excess loss and the two bounds of Theorem 1; the loss where there is no excess."""
    axes.set_yscale("log")
    if draw(axes, run, "loss_excess", "measured", True, color=BLUE, linewidth=2.6, zorder=3):
        axes.set_title("Excess loss")
        axes.set_ylabel(r"$L - L^{*}$")
        draw(axes, run, "bound", r"bound, $\exp(-\kappa\,\lambda_T\,t)$", True, color=RED, linestyle="--")
        draw(axes, run, "bound_integrated", r"bound, $\exp(-\int\kappa_t\,\lambda_{\min}(D_t)\,dt)$", True,
             color=ORANGE, linestyle="-.")
        return
    axes.set_title("Loss")
    axes.set_ylabel(f"$L$ ({run.loss_name()})" if run.loss_name() else r"$L$")
    draw(axes, run, "loss", "training", True, color=BLUE, linewidth=2.6)
    if run.curve("test_accuracy"):  # else the test loss has a panel of its own
        draw(axes, run, "test_loss", "test", True, color=ORANGE, linestyle="--")
    if not axes.get_lines():
        axes.set_yscale("linear")
        draw(axes, run, "loss", "training", color=BLUE, linewidth=2.6)


def panel_conditioning(axes, run):
    """Smallest eigenvalue of D, its running infimum and the floor; the gradient's norm without them."""
    drawn = [
        draw(axes, run, "lambda_min", r"$\lambda_{\min}(D_t)$", True, color=BLUE, linewidth=2.6),
        draw(axes, run, "lambda_T", r"$\lambda_T$, its infimum so far", True, color=ORANGE, linestyle="--"),
        draw(axes, run, "lambda_floor", "floor for any parameters", True, color=GREY, linestyle=":"),
    ]
    if any(drawn):
        axes.set_title("Smallest eigenvalue of $D$")
        axes.set_ylabel(r"$\lambda$")
        if spans_decades(axes):
            axes.set_yscale("log")
        return
    axes.set_title("Gradient")
    axes.set_ylabel(r"$\Vert\nabla L\Vert$")
    if draw(axes, run, "grad_norm", "norm", True, color=BLUE):
        axes.set_yscale("log")


def panel_quality(axes, run):
    """Accuracies of a classifier; losses of a regression; without a test set the step size."""
    drawn = [
        draw(axes, run, "train_accuracy", "training", color=BLUE, linewidth=2.6),
        draw(axes, run, "test_accuracy", "test", color=ORANGE, linestyle="--"),
    ]
    if any(drawn):
        axes.set_title("Accuracy")
        axes.set_ylabel("share of samples")
        top = max(line.get_ydata().max() for line in axes.get_lines())
        low = min(line.get_ydata().min() for line in axes.get_lines())
        axes.set_ylim(max(0.0, low - 0.08 * (top - low + 0.05)), min(1.005, top + 0.08 * (top - low + 0.05)))
        return
    if run.curve("test_loss", True) is None and run.curve("step_size", True) is not None:
        axes.set_title("Step size")
        axes.set_ylabel(r"$\Delta t$" if run.attribute("dynamics") == "flow" else r"$\eta$")
        draw(axes, run, "step_size", "step size", True, color=BLUE)
    else:
        axes.set_title("Loss of training and test")
        axes.set_ylabel(f"$L$ ({run.loss_name()})" if run.loss_name() else r"$L$")
        draw(axes, run, "loss", "training", True, color=BLUE, linewidth=2.6)
        draw(axes, run, "test_loss", "test", True, color=ORANGE, linestyle="--")
    if spans_decades(axes):
        axes.set_yscale("log")


def finish(axes, over):
    """Labels, ticks that can be read, and a legend under the panel so that it covers no data."""
    axes.set_xlabel(X_LABELS[over])
    axes.margins(x=0.02)
    readable_axis(axes, "x")
    readable_axis(axes, "y")
    if axes.get_yscale() == "log":
        axes.grid(True, which="major")
        axes.tick_params(which="minor", length=0)
    if axes.get_lines():
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), borderaxespad=0.0, labelspacing=0.35)
    else:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_xticks([])
        axes.set_yticks([])


def figure_of_run(run):
    figure, panels = plt.subplots(1, 3, figsize=(14.0, 5.2))
    for axes, panel in zip(panels, (panel_convergence, panel_conditioning, panel_quality)):
        panel(axes, run)
        finish(axes, run.abscissa())
    title = textwrap.fill(run.facts() or run.name, 150)
    figure.suptitle(title, x=0.015, ha="left", fontsize=12, color=GREY)
    figure.tight_layout(rect=(0, 0, 1, 0.98 - 0.03 * title.count("\n")), w_pad=2.5)
    return figure


def labels_of(runs):
    """Names that tell the runs apart: the directory's name, or as much of its path as it takes."""
    paths = [os.path.normpath(os.path.abspath(run.directory)).split(os.sep) for run in runs]
    for length in range(1, max(map(len, paths)) + 1):
        labels = [os.sep.join(path[-length:]) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{run.name} ({i + 1})" for i, run in enumerate(runs)]


def figure_of_comparison(runs):
    """Several runs over each other: one colour a run, the same three questions."""
    losses = sorted({run.loss_name() for run in runs})
    if len(losses) > 1:
        raise Error(f"the runs have different losses ({'; '.join(losses)}), which do not belong on one axis: compare "
                    "runs of one loss, or draw each alone")
    over = {run.abscissa() for run in runs}
    if len(over) > 1:
        raise Error(f"the runs are drawn over different things ({', '.join(sorted(over))}): choose one by --x step or "
                    "--x seconds")
    figure, panels = plt.subplots(1, 3, figsize=(14.0, 5.2 + 0.25 * max(0, len(runs) - 6)))
    colours = [BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9", GREY, "#F0E442"]
    excess = all(run.curve("loss_excess", True) for run in runs)
    audited = any(run.curve("lambda_min", True) for run in runs)
    accuracy = any(run.curve("test_accuracy") for run in runs)
    loss = f"$L$ ({losses[0]})" if losses[0] else "$L$"
    columns = [
        ("loss_excess", "Excess loss", r"$L - L^{*}$") if excess else ("loss", "Loss", loss),
        ("lambda_min", "Smallest eigenvalue of $D$", r"$\lambda_{\min}(D_t)$") if audited
        else ("grad_norm", "Gradient", r"$\Vert\nabla L\Vert$"),
        ("test_accuracy", "Test accuracy", "share of samples") if accuracy else ("test_loss", "Test loss", loss),
    ]
    if not accuracy and not any(run.curve("test_loss", True) for run in runs):
        columns[2] = ("step_size", "Step size", "step size")
    for axes, (column, title, label) in zip(panels, columns):
        for i, (run, name) in enumerate(zip(runs, labels_of(runs))):
            draw(axes, run, column, name, column != "test_accuracy", color=colours[i % len(colours)],
                 linestyle=("-", "--", "-.", ":")[i // len(colours) % 4])
        axes.set_title(title)
        axes.set_ylabel(label)
        if column != "test_accuracy" and axes.get_lines() and (axes is panels[0] or spans_decades(axes)):
            axes.set_yscale("log")
        finish(axes, runs[0].abscissa())
    figure.tight_layout(w_pad=2.5)
    return figure


def plot(runs, path=None, x=None):
    """Draws a run, or compares several of one loss; returns the matplotlib Figure. `runs`: a Run or the path of a run
    directory, or a list of them; `path`: the file to write (.png, .pdf, …); `x`: what is drawn over, "t", "step",
    "epoch" or "seconds". Raises Error for an empty history, or for runs that do not belong on one axis."""
    several = [Curves(run, x) for run in (runs if isinstance(runs, (list, tuple)) else [runs])]
    with plt.rc_context(STYLE):
        figure = figure_of_run(several[0]) if len(several) == 1 else figure_of_comparison(several)
        if path is not None:
            save(figure, os.fspath(path))
    return figure


def default_stem(arguments, name):
    """RUN_DIR/figures/NAME; of several runs, which belongs to none of them, ./comparison."""
    return os.path.join(arguments.runs[0], "figures", name) if len(arguments.runs) == 1 else "comparison"


def draw_study(arguments):
    """The figures of a directory of poise-compare, several files beside each other."""
    if len(arguments.runs) > 1:
        raise Error(f"{arguments.runs[1]}: a directory of poise-compare is drawn alone: name one directory")
    stem, ending = os.path.splitext(arguments.output or "")
    for name, figure in compare.figures(arguments.runs[0]).items():
        if stem:
            arguments.output = f"{stem}_{name}{ending}"
        save_all(figure, output_files(arguments, default_stem(arguments, f"compare_{name}")))


def main():
    parser = argparse.ArgumentParser(prog=program_name(), description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN_DIR", help="directory of a run; several are compared")
    add_output_options(parser, "RUN_DIR/figures/run.png, .pdf; of several runs comparison.png, .pdf here")
    parser.add_argument("--x", choices=("t", "step", "epoch", "seconds"),
                        help="what is drawn over (default: epochs of minibatches, steps of minimise, else time t)")
    parser.add_argument("--attempts", action="store_true", help="no figure: list starts and resumptions of the runs")
    arguments = parser.parse_args()

    begin_command()
    if len(arguments.runs) == 1 and sweep.is_sweep(arguments.runs[0]):
        paths = output_files(arguments, default_stem(arguments, "sweep"))
        return save_all(sweep.figure_of_sweep(arguments.runs[0]), paths)
    if any(compare.is_study(directory) for directory in arguments.runs):
        return draw_study(arguments)
    if arguments.attempts:
        for directory in arguments.runs:
            print(attempts_text(Curves(directory).run))
        return None
    return save_all(plot(arguments.runs, x=arguments.x), output_files(arguments, default_stem(arguments, "run")))
