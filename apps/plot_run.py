#!/usr/bin/env python3
"""Figures from run directories of poise-train: convergence against the theorem's bounds, the conditioning that
the bounds rest on, and the quality of the model. Works while a run goes on. Of a directory of poise-compare: what the
models learn, the paths of their weights, and what they cost."""

import argparse
import io
import os
import sys
import textwrap
import time
import zlib

import plot_compare
import plot_sweep
from plot_style import BLUE, GREEN, GREY, ORANGE, RED, STYLE, fail, h5py, np, output_files, plt, readable_axis, save

SCHEMA = "poise-run-1"


SEAL = b"poise-crc32:"


def undamaged(path):
    """The bytes of a run file, once its checksum has been verified: the attribute `checksum` of its root, or, in files
    of an older Poise, a line behind it. Without one, another program has written the file: a warning says so."""
    with open(path, "rb") as file:
        content = file.read()
    before, mark, behind = content.partition(SEAL)
    if mark:
        right = behind[:8] == b"%08x" % zlib.crc32(before + SEAL + b"00000000" + behind[8:])
        image = content
    else:
        image, mark, line = content.rpartition(b"\ncrc32 ")
        right = mark and line == b"%d\n" % zlib.crc32(image)
        if not mark or len(line) > 24:
            image = content
            with h5py.File(io.BytesIO(image), "r") as file:  # raises where it is no HDF5 file
                right = "checksum" not in file.attrs
            if right:
                print(f"warning: {path} has no checksum: another program has written it", file=sys.stderr)
    if not right:
        fail(f"{path}: is damaged or is not a run file: its content does not have its checksum; move it away, and "
             "poise-train -resume begins a new history at the newest checkpoint")
    return image


class Run:
    """The history and the attributes of one run directory."""

    def __init__(self, directory, may_be_empty=False):
        self.directory = directory
        self.name = os.path.basename(os.path.normpath(directory))
        if not os.path.isdir(directory):
            fail(f"{directory}: no such directory")
        path = os.path.join(directory, "run.h5")
        if not os.path.isfile(path):
            fail(f"{directory}: no run.h5 in it; is it the directory that poise-train -run named?")
        for attempts_left in (4, 3, 2, 1, 0):
            try:
                self._read(path)
                break
            except (OSError, RuntimeError) as error:  # replaced meanwhile, as seen over a network; or no HDF5 file
                if attempts_left == 0:
                    fail(f"{path}: cannot be read: {error}")
                time.sleep(0.3)
        if len(self.columns["t"]) == 0 and not may_be_empty:
            fail(f"{path}: the history is empty: nothing has been recorded yet")

    def _read(self, path):
        with h5py.File(io.BytesIO(undamaged(path)), "r") as file:
            schema = text(file.attrs.get("schema", "none"))
            if schema != SCHEMA:
                fail(f"{path}: its schema is '{schema}', not '{SCHEMA}'")
            if "history" not in file or "t" not in file["history"]:
                fail(f"{path}: no /history/t in it: not a run file, or it was cut off")
            group = file["history"]
            self.columns = {
                key: np.asarray(value[...], dtype=float)
                for key, value in group.items()
                if isinstance(value, h5py.Dataset) and value.ndim == 1 and value.dtype.kind in "fiu"
            }
            self.attributes = {key: text(value) for key, value in file.attrs.items()}
            self.options = {key: text(value) for key, value in file.get("config", file).attrs.items()
                            if "config" in file}
            self.attributes.update(self.options)
            self.attempts = [{key: text(value) for key, value in group.attrs.items()}
                             for _, group in sorted(file.get("attempts", {}).items())]

    x = None  # what the curves are drawn over: t, step, epoch or seconds; None: what suits the run

    def abscissa(self):
        """The column that curves are drawn over."""
        chosen = {"seconds": "wall_seconds"}.get(self.x, self.x)
        if chosen is None:
            epochs = self.columns.get("epoch")
            by_epoch = epochs is not None and np.isfinite(epochs).any()
            chosen = "epoch" if by_epoch else "step" if self.attribute("dynamics") == "minimise" else "t"
        if chosen not in self.columns or not np.isfinite(self.columns[chosen]).any():
            fail(f"{self.directory}: its history has no {chosen}: give another --x")
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
        folder = os.path.join(self.directory, "checkpoints")
        for name in sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []:
            if not name.endswith(".h5") or name.startswith("."):
                continue
            try:
                with h5py.File(os.path.join(folder, name), "r") as file:
                    return str(file["/parameters/A"].shape[0])
            except (OSError, KeyError):
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


def text(value):
    """An HDF5 attribute as text: "3", not "[3]" or "b'3'"."""
    value = np.asarray(value).reshape(-1)
    words = [v.decode(errors="replace") if isinstance(v, bytes) else f"{v:.12g}" if isinstance(v, float) else str(v)
             for v in value.tolist()]
    return " ".join(words)


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
        draw(axes, run, "bound_integrated", r"bound, $\exp(-\int\kappa_t\,\lambda_{\min}(D_t)\,dt)$", True, color=ORANGE,
             linestyle="-.")
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


X_LABELS = {"t": "time $t$", "step": "step", "epoch": "epoch", "wall_seconds": "wall time (s)"}


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
        fail(f"the runs have different losses ({'; '.join(losses)}), which do not belong on one axis: compare runs of one "
             "loss, or draw each alone")
    over = {run.abscissa() for run in runs}
    if len(over) > 1:
        fail(f"the runs are drawn over different things ({', '.join(sorted(over))}): choose one by --x step or --x seconds")
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


def write(figure, arguments, name):
    """Saves the figure where the arguments say, or as RUN_DIR/figures/NAME; one of several runs, which belongs to none
    of them, as ./comparison."""
    stem = os.path.join(arguments.runs[0], "figures", name) if len(arguments.runs) == 1 else "comparison"
    for path in output_files(arguments, stem):
        save(figure, path)
        print(path)


def print_attempts(run):
    """A line for every start of the run. What says that it runs and is not the last was killed."""
    print(f"{run.name}: {len(run.attempts)} attempt{'' if len(run.attempts) == 1 else 's'}")
    print("  #  started               state    steps               ranks  nodes  checkpoints  reason")
    for k, attempt in enumerate(run.attempts, 1):
        killed = attempt.get("state") == "running" and k < len(run.attempts)
        steps = f"{attempt.get('first_step', '?')} to {attempt.get('last_step', '?')}"
        job = f"SLURM job {attempt['slurm_job_id']}; " if "slurm_job_id" in attempt else ""
        print(f"{k:>3}  {attempt.get('started', '?'):<20}  {'killed' if killed else attempt.get('state', '?'):<7}  "
              f"{steps:<18}  {attempt.get('ranks', '?'):>5}  {attempt.get('nodes', '?'):>5}  "
              f"{attempt.get('checkpoints', '0'):>11}  {job}{attempt.get('reason', '')}")


def draw_study(arguments):
    """The figures of a directory of poise-compare, several files beside each other."""
    if len(arguments.runs) > 1:
        fail(f"{arguments.runs[1]}: a directory of poise-compare is drawn alone: name one directory")
    stem, ending = os.path.splitext(arguments.output or "")
    for name, figure in plot_compare.figures(arguments.runs[0]).items():
        if stem:
            arguments.output = f"{stem}_{name}{ending}"
        write(figure, arguments, f"compare_{name}")


def main():
    parser = argparse.ArgumentParser(prog="plot_run.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN_DIR", help="directory of a run; several are compared")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="the figure (default: RUN_DIR/figures/run.png, .pdf; of several runs comparison.png, .pdf here)")
    parser.add_argument("--x", choices=("t", "step", "epoch", "seconds"),
                        help="what is drawn over (default: epochs of minibatches, steps of minimise, else time t)")
    parser.add_argument("--format", metavar="LIST", help="formats, such as png,pdf,svg")
    parser.add_argument("--attempts", action="store_true", help="no figure: list starts and resumptions of the runs")
    arguments = parser.parse_args()

    plt.rcParams.update(STYLE)
    if len(arguments.runs) == 1 and plot_sweep.is_sweep(arguments.runs[0]):
        return write(plot_sweep.figure_of_sweep(arguments.runs[0]), arguments, "sweep")
    if any(plot_compare.is_study(directory) for directory in arguments.runs):
        return draw_study(arguments)
    Run.x = arguments.x
    runs = [Run(directory) for directory in arguments.runs]
    if arguments.attempts:
        return [print_attempts(run) for run in runs]
    write(figure_of_run(runs[0]) if len(runs) == 1 else figure_of_comparison(runs), arguments, "run")


if __name__ == "__main__":
    main()
