"""plot_run.py draws run directories, and refuses everything else with exit code 2."""

import os
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

import h5py
import numpy as np

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")
APPS = os.path.join(SOURCE, "apps")

sys.path.insert(0, os.path.join(SOURCE, "src", "python"))
os.environ["MPLBACKEND"] = "Agg"
from poise.figures.curves import Curves  # noqa: E402  (after the path and the backend)
from poise.figures.run import figure_of_run  # noqa: E402


def plot(*arguments, script="plot_run.py", cwd=None):
    return subprocess.run([sys.executable, os.path.abspath(os.path.join(APPS, script)), *arguments], capture_output=True,
                          text=True, timeout=120, cwd=cwd)


def history(records=50):
    """An audited run: the excess falls below its bounds."""
    t = np.linspace(0.0, 6.0, records)
    eigenvalue = 0.72 + 0.02 * np.exp(-t)
    return {
        "step": np.arange(records), "t": t, "loss": 0.4 + 12.0 * np.exp(-3.4 * t),
        "loss_excess": 12.0 * np.exp(-3.4 * t), "grad_norm": np.exp(-1.7 * t),
        "bound": 12.0 * np.exp(-2.9 * t), "bound_integrated": 12.0 * np.exp(-3.0 * t),
        "lambda_min": eigenvalue, "lambda_T": np.minimum.accumulate(eigenvalue),
        "lambda_floor": np.full(records, 0.0055),
        "train_accuracy": 1.0 - 0.9 * np.exp(-t), "test_accuracy": 0.95 - 0.85 * np.exp(-t),
        "test_loss": 0.5 + 12.0 * np.exp(-3.4 * t),
    }


def drawn_run(directory, columns, **options):
    """The run as plot_run.py reads it."""
    write_run(directory, columns, **options)
    return Curves(directory)


def write_run(directory, columns, schema="poise-run-1", **options):
    os.makedirs(directory)
    with h5py.File(os.path.join(directory, "run.h5"), "w") as file:
        file.attrs["schema"] = schema
        file.attrs["ranks"] = 2
        config = file.create_group("config").attrs
        config.update({"data": "data/digits.h5", "model": "softmax_linear", "gamma": "0.8", **options})
        for name, values in columns.items():
            file.create_dataset(f"history/{name}", data=values, maxshape=(None,), chunks=(16,))
    seal(directory)


def seal(directory):
    """Puts the checksum behind the file, as poise-train 0.1.0 did."""
    with open(os.path.join(directory, "run.h5"), "r+b") as file:
        file.write(b"\ncrc32 %d\n" % zlib.crc32(file.read()))


class PlotRun(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = os.path.join(scratch.name, "run")
        self.scratch = scratch.name

    def expect_figures(self, *paths, arguments=()):
        result = plot(self.directory, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        for path in paths:
            with open(path, "rb") as file:
                content = file.read()
            self.assertGreater(len(content), 5000, path)
            self.assertTrue(content.startswith(b"%PDF" if path.endswith(".pdf") else b"\x89PNG"), path)
        self.assertEqual(result.stdout.split(), list(paths))

    def expect_refusal(self, message, *arguments, script="plot_run.py"):
        result = plot(*arguments, script=script)
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        self.assertIn(message, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)

    def figure(self, ending):
        return os.path.join(self.directory, "figures", "run." + ending)

    def test_an_audited_run_gives_png_and_pdf(self):
        write_run(self.directory, history())
        self.expect_figures(self.figure("png"), self.figure("pdf"))

    def test_a_run_without_audit_or_classes_gives_figures(self):
        columns = history()
        for name in columns:
            if name not in ("step", "t", "loss", "grad_norm", "test_loss"):
                columns[name] = np.full(len(columns["t"]), np.nan)
        write_run(self.directory, columns)
        self.expect_figures(self.figure("png"), self.figure("pdf"))

    def test_one_record_and_values_that_are_not_positive_give_figures(self):
        columns = history(1)
        columns["loss_excess"] = np.zeros(1)
        write_run(self.directory, columns)
        self.expect_figures(self.figure("png"), self.figure("pdf"))

    def test_columns_of_unequal_length_are_cut_to_the_shorter(self):
        columns = history()
        columns["bound"] = columns["bound"][:-1]
        columns["t"] = columns["t"][:-1]
        write_run(self.directory, columns)
        self.expect_figures(self.figure("png"), self.figure("pdf"))

    def test_a_run_that_another_process_is_writing_gives_figures(self):
        write_run(self.directory, history())
        path, ended = os.path.join(self.directory, "run.h5"), threading.Event()
        with open(path, "rb") as file:
            content = file.read()

        def replace_again_and_again():
            while not ended.is_set():
                with open(path + ".new", "wb") as file:
                    file.write(content)
                os.replace(path + ".new", path)

        writer = threading.Thread(target=replace_again_and_again)
        writer.start()
        try:
            self.expect_figures(self.figure("png"), self.figure("pdf"))
        finally:
            ended.set()
            writer.join()

    def test_name_and_format_can_be_chosen(self):
        write_run(self.directory, history())
        chosen = os.path.join(self.scratch, "new", "mine.pdf")
        self.expect_figures(chosen, arguments=("-o", chosen))
        self.expect_figures(self.figure("png"), arguments=("--format", "png"))

    def test_several_runs_are_compared_in_one_figure(self):
        other = os.path.join(self.scratch, "other")
        write_run(self.directory, history())
        write_run(other, history(20))
        chosen = os.path.join(self.scratch, "both.png")
        self.expect_figures(chosen, arguments=(other, "-o", chosen))
        self.assertFalse(os.path.exists(self.figure("png")))  # run.png belongs to the first run alone

    def test_a_comparison_without_a_name_belongs_to_none_of_the_runs(self):
        other = os.path.join(self.scratch, "other")
        write_run(self.directory, history(5))
        write_run(other, history(5))
        result = plot(self.directory, other, "--format", "png", cwd=self.scratch)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(os.path.exists(os.path.join(self.scratch, "comparison.png")))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "figures")))

    def test_runs_of_different_losses_are_not_drawn_on_one_axis(self):
        other = os.path.join(self.scratch, "other")
        write_run(self.directory, history(5), loss="squared")
        write_run(other, history(5), loss="cross_entropy")
        self.expect_refusal("different losses", self.directory, other)

    def test_the_abscissa_can_be_chosen_and_suits_the_run(self):
        for dynamics, given, label in (("flow", None, "time $t$"), ("minimise", None, "step"), ("flow", "step", "step")):
            run = drawn_run(self.directory + dynamics + str(given), history(30), dynamics=dynamics)
            run.x = given
            axes = figure_of_run(run).axes
            self.assertEqual({panel.get_xlabel() for panel in axes}, {label})
        columns = history(30)
        columns["epoch"] = columns["step"] / 10
        run = drawn_run(self.directory, columns)
        self.assertEqual(figure_of_run(run).axes[0].get_xlabel(), "epoch")

    def test_a_title_has_only_what_the_network_has(self):
        for options, there, absent in (
                ({"objective": "feedforward", "gamma": "0.8"}, "feedforward", "gamma"),
                ({"model": "monotone", "margin": "0.5", "gamma": "0.8"}, "margin = 0.5", "gamma"),
                ({"model": "softmax_linear", "gamma": "0.8"}, "gamma = 0.8", "margin")):
            run = drawn_run(self.directory + there, history(3), **options)
            self.assertIn(there, run.facts())
            self.assertNotIn(absent, run.facts())
            self.assertNotIn("softmax" if "softmax" not in there and "gamma" not in there else "feedforward", run.facts())
        run = drawn_run(self.directory, history(3), model="softmax_linear", gamma="0.8")
        run.attributes["network"] = "feedforward, 3 layers, relu"  # the attribute of poise-train decides
        self.assertIn("feedforward, 3 layers", run.facts())

    def test_every_log_axis_has_two_numbers_and_no_axis_an_offset(self):
        columns = history(40)
        columns["loss"] = 7.367e-1 + 1e-5 * np.linspace(1.0, 0.0, 40)
        columns["test_loss"] = 0.8 + 1e-5 * np.linspace(1.0, 0.0, 40)
        columns["grad_norm"] = np.linspace(3.0, 1.5, 40)
        columns["lambda_min"] = 0.73 + 1e-9 * np.linspace(1.0, 0.0, 40)
        for name in ("loss_excess", "bound", "bound_integrated", "train_accuracy", "test_accuracy"):
            columns[name] = np.full(40, np.nan)
        for run in (drawn_run(self.directory, columns), drawn_run(self.directory + "2", history(40))):
            figure = figure_of_run(run)
            figure.canvas.draw()
            for axes in figure.axes:
                for axis, limits in ((axes.yaxis, axes.get_ylim()), (axes.xaxis, axes.get_xlim())):
                    self.assertEqual(axis.get_offset_text().get_text(), "")
                    shown = [label.get_text() for label, place in zip(axis.get_majorticklabels(), axis.get_majorticklocs())
                             if min(limits) <= place <= max(limits) and label.get_text()]
                    self.assertGreaterEqual(len(shown), 2, (axes.get_title(), shown))

    def test_no_legend_covers_a_curve(self):
        figure = figure_of_run(drawn_run(self.directory, history(40)))
        figure.canvas.draw()
        for axes in figure.axes:
            box = axes.get_legend().get_window_extent()
            self.assertFalse(box.overlaps(axes.get_window_extent()), axes.get_title())

    def test_a_regression_without_a_test_set_has_a_third_panel_of_use(self):
        columns = history(20)
        for name in ("test_loss", "train_accuracy", "test_accuracy"):
            columns[name] = np.full(20, np.nan)
        columns["step_size"] = np.full(20, 0.1)
        axes = figure_of_run(drawn_run(self.directory, columns)).axes[2]
        self.assertIn("Step size", (axes.get_title(), axes.get_title(loc="left")))
        self.assertEqual(len(axes.get_lines()), 1)

    def test_what_is_no_run_is_refused(self):
        self.expect_refusal("there is no such directory", self.directory)
        os.makedirs(self.directory)
        self.expect_refusal("no run.h5", self.directory)
        with open(os.path.join(self.directory, "run.h5"), "w", encoding="ascii") as file:
            file.write("not HDF5")
        self.expect_refusal("cannot be read", self.directory)
        seal(self.directory)
        self.expect_refusal("cannot be read", self.directory)

    def test_a_damaged_run_is_refused_by_all_that_read_it(self):
        write_run(self.directory, history())
        path = os.path.join(self.directory, "run.h5")
        with open(path, "rb") as file:
            content = file.read()
        for name, damaged in {"another gamma": content.replace(b"0.8", b"0.9"), "cut off": content[:-1],
                              "longer": content + b"\n"}.items():
            with open(path, "wb") as file:
                file.write(damaged)
            with self.subTest(name):
                self.assertNotEqual(damaged, content)
                for arguments in ((self.directory,), (self.directory, "--attempts")):
                    self.expect_refusal(f"{path}: is damaged", *arguments)
                self.expect_refusal("-resume begins a new history", self.scratch, script="gather_runs.py")
                self.assertFalse(os.path.exists(os.path.join(self.scratch, "runs.h5")))

    def test_a_file_without_a_checksum_is_taken_with_a_warning(self):
        """A file of poise-train 0.1.0 that another program has opened for writing."""
        write_run(self.directory, history())
        path = os.path.join(self.directory, "run.h5")
        with open(path, "rb") as file:
            content = file.read()
        with open(path, "wb") as file:
            file.write(content[:content.rindex(b"\ncrc32 ")])
        result = plot(self.directory, "--format", "png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("has no checksum", result.stderr)

    def test_another_schema_is_refused(self):
        write_run(self.directory, history(), schema="poise-run-9")
        self.expect_refusal("poise-run-9", self.directory)

    def test_a_missing_or_empty_history_is_refused(self):
        write_run(self.directory, {})
        self.expect_refusal("/history/t", self.directory)
        other = os.path.join(self.scratch, "other")
        write_run(other, history(0))
        self.expect_refusal("empty", other)

    def test_what_is_no_study_is_refused(self):
        os.makedirs(self.directory)
        path = os.path.join(self.directory, "compare.h5")
        with open(path, "w", encoding="ascii") as file:
            file.write("not HDF5")
        self.expect_refusal("is not an HDF5 file", self.directory)
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = "poise-compare-9"
        self.expect_refusal("poise-compare-9", self.directory)
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = "poise-compare-1"
        self.expect_refusal("cannot be read", self.directory)
        self.expect_refusal("drawn alone", self.directory, self.directory)

    def test_an_unknown_format_is_refused(self):
        write_run(self.directory, history())
        self.expect_refusal("xyz", self.directory, "--format", "xyz")


if __name__ == "__main__":
    unittest.main()
