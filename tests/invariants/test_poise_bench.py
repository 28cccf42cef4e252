#!/usr/bin/env python3
"""poise-bench prints one line of JSON per case, with the documented keys, on any number of ranks and in both directions of
the grid. Its files have the same numbers, and plot_bench.py draws them. Times are not tested.

usage: test_poise_bench.py PROGRAM MPIEXEC
"""
import csv
import json
import math
import os
import subprocess
import sys
import tempfile

import h5py

from training import patience

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "apps", "plot_bench.py")
KEYS = {"case", "m", "n", "q", "ranks", "grid", "seconds", "seconds_min", "seconds_max", "seconds_mean", "gflops",
        "dgemm_gflops", "share_of_dgemm", "products", "residual", "peak_rss_mb", "rank0_rss_mb"}
SOLVES = {"products_per_sample", "equilibrium_iterations", "adjoint_iterations", "fallbacks"}
TRAFFIC = {"comm_bytes", "comm_messages", "comm_bytes_model"}
TINY = ["-m", "24", "-n", "30", "-q", "3", "-repeat", "2", "-dgemm_size", "32"]
ALL = ["product", "collapsed", "equilibrium", "tanh_cold", "tanh_warm", "hard", "lambda_min"]
GRADIENTS = {"equilibrium", "equilibrium_gmres", "tanh_cold", "tanh_warm", "hard", "graph"}
GRAPH = ["-case", "graph", "-nodes", "900", "-plain_factor", "1e6"]
ALSO = {"collapsed": {"floor_bytes_seconds", "floor_flops_seconds", "share_of_floor"},
        "lambda_min": {"collapsed_gradients"},
        "hard": {"plain_products", "plain_seconds", "plain_samples", "products_ratio", "seconds_ratio"},
        "graph": {"graph", "gamma", "activation", "edges", "bytes_per_node", "bytes_per_edge", "halo_bytes", "solve_seconds",
                  "plain_iterations", "plain_seconds", "plain_converged", "plain_difference", "seconds_ratio"},
        "memory": {"rank0_growth_mb"},
        "depth_memory": {"working_mb", "network"},
        "scaling": {"one_rank_seconds", "speedup", "efficiency", "scaling", "scaling_of"}}
DEPTHS = ["depth_memory"] * 3
RUNS = [
    (["-case", "collapsed", "-loss", "squared"], ["collapsed"]),
    (["-case", "collapsed", "-loss", "logistic", "-q", "1"], ["collapsed"]),
    (["-case", "equilibrium_gmres", "-eq_panel", "7"], ["equilibrium_gmres"]),
    (["-case", "hard", "-plain_samples", "5"], ["hard"]),
    (["-case", "memory"], ["memory"]),
    (GRAPH, ["graph"]),
    ([*GRAPH, "-graph", "chain", "-activation", "tanh"], ["graph"]),
    ([*GRAPH, "-graph", "rmat", "-degree", "8"], ["graph"]),
    (["-case", "scaling", "-scaling_of", "graph", "-nodes", "400", "-scaling", "weak"], ["scaling"]),
    (["-case", "depth_memory", "-depths", "1,5"], DEPTHS),
    (["-case", "depth_memory", "-depths", "1,5", "-recompute_every", "2"], DEPTHS),
    (["-case", "scaling", "-scaling_of", "collapsed"], ["scaling"]),
    (["-case", "scaling", "-scaling_of", "tanh_warm", "-scaling", "weak"], ["scaling"]),
]
# Worst residual that the tolerance of the case allows; 2, because the tolerance of adjoints is twice as large.
SOLVED = {"product": 1e-12, "collapsed": 1e-10, "lambda_min": 1e-6, "equilibrium": 2e-10, "equilibrium_gmres": 2e-10}


def launch(program, mpiexec, ranks, arguments, seconds=100):
    start = [mpiexec, "-n", str(ranks)] if ranks > 1 else []  # one rank starts faster without mpirun
    command = [*start, program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=patience(seconds))


def run(program, mpiexec, ranks, arguments):
    """The lines of JSON of a small run."""
    done = launch(program, mpiexec, ranks, TINY + arguments)
    assert done.returncode == 0, f"{arguments} on {ranks}: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def check_line(line, ranks):
    name = line["case"]
    what = line.get("scaling_of", name)
    missing = (KEYS | ALSO.get(name, set()) | (SOLVES if what in GRADIENTS else set())) - set(line)
    assert not missing, f"{name}: no {missing}"
    for key, value in line.items():
        assert isinstance(value, str) or (value is not None and math.isfinite(value)), f"{name}: {key} is {value}"
    assert line["ranks"] == ranks and line["m"] == 24, line
    assert line["seconds"] > 0 and line["gflops"] > 0 and line["dgemm_gflops"] > 0, line
    assert line["seconds_min"] <= line["seconds"] <= line["seconds_max"], line
    assert line["seconds_min"] <= line["seconds_mean"] * (1 + 1e-12) <= line["seconds_max"] * (1 + 2e-12), line
    assert 0 <= line["residual"] <= SOLVED.get(what, 2e-8), line
    assert line["rank0_rss_mb"] <= line["peak_rss_mb"], line
    if what in GRADIENTS:
        assert 2 < line["products_per_sample"] < 200, line
        assert line["fallbacks"] == 0 or name == "hard", line
    if "comm_bytes" in line or (what in GRADIENTS and not line["grid"].startswith("1x")):
        assert not TRAFFIC - set(line), line
        assert abs(line["comm_bytes"] / line["comm_bytes_model"] - 1) < 0.01, line
        # In a product every rank of a group sends a message to every other rank of the group.
        assert line["comm_messages"] >= ranks, line
    if name == "graph":
        check_graph(line)
    if name == "hard":  # a factor of 0.99 takes log(1e-8) / log(0.99) steps, once forward and once backward
        assert 300 < line["plain_products"] < 8000 and line["products_ratio"] > 10, line
        assert line["seconds_ratio"] > 0 and 0 < line["plain_residual"] <= 2e-8, line


def check_graph(line):
    """Plain iteration needs log(1e-8) / log(0.99) steps and finds the same states; graphperron needs a few products."""
    assert line["plain_converged"] == 1 and 0 < line["plain_difference"] < 1e-4, line
    if line["activation"] == "identity":
        assert line["equilibrium_iterations"] <= 15 and line["plain_iterations"] > 1000, line
    assert line["equilibrium_iterations"] < line["plain_iterations"] / 5, line
    if line["graph"] == "grid":
        assert line["edges"] == 2 * 30 * 29, line
        assert line["halo_bytes_model"] <= line["halo_bytes"] <= 1.1 * line["halo_bytes_model"], line


def check_costs(lines):
    """Numbers of products of the cases for which theory predicts them."""
    by_name = {line["case"]: line for line in lines}
    assert by_name["tanh_warm"]["products_per_sample"] < by_name["tanh_cold"]["products_per_sample"], lines
    assert by_name["equilibrium"]["products_per_sample"] < 8, lines  # direct: 2, and 2 to verify; then the norm of W


def check_depths(lines, recompute):
    """An unrolled network of depth H: H products forward, H - 1 backward, and recomputed segments."""
    assert [line["network"] for line in lines] == ["equilibrium", "unrolled", "unrolled"], lines
    again = {1: 0, 5: 4 if recompute else 0}  # segments of 2 layers; the last segment is not recomputed
    for line in lines[1:]:
        depth = line["depth"]
        assert abs(line["products_per_sample"] - (2 * depth - 1 + again[depth])) < 1e-9, line


def same(stored, value):
    return stored == value if isinstance(value, str) else math.isclose(float(stored), value, rel_tol=1e-14)


def check_csv(path, lines):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lines), path
    for row, line in zip(rows, lines):
        assert all(same(row[key], value) for key, value in line.items()), (row, line)
        assert all(value == "" for key, value in row.items() if key not in line), (row, line)


def check_hdf5(path, lines):
    with h5py.File(path, "r") as file:
        assert file.attrs["schema"] == "poise-bench-1", path
        seen = {}
        for line in lines:
            seen[line["case"]] = k = seen.get(line["case"], 0) + 1
            stored = file[line["case"] + (f"_{k}" if k > 1 else "")].attrs
            assert set(stored) == set(line), (dict(stored), line)
            assert all(same(stored[key], value) for key, value in line.items()), (dict(stored), line)
        assert len(file) == len(lines), path


def check_figure(folder, files, code=0):
    figure = os.path.join(folder, "figure")
    done = subprocess.run([sys.executable, SCRIPT, *files, "-o", figure, "--format", "png,pdf"], capture_output=True,
                          text=True, timeout=patience(100))
    assert done.returncode == code, done.stderr
    if code == 0:
        for ending, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            with open(f"{figure}.{ending}", "rb") as file:
                assert file.read(4) == magic
            os.remove(f"{figure}.{ending}")
    else:
        assert "plot_bench.py: error:" in done.stderr and "Traceback" not in done.stderr, done.stderr


def check_files(program, mpiexec, folder):
    """Every case on 2 ranks in both directions of the grid, into both kinds of file; then the figures."""
    every = os.path.join(folder, "all.csv")
    spread = os.path.join(folder, "spread.h5")
    depths = os.path.join(folder, "depths.h5")
    scaling = os.path.join(folder, "scaling.csv")
    for arguments, path, names in (
            (["-case", "all"], every, ALL),
            (["-case", "all", "-grid_feature_ranks", "2"], spread, ALL),
            (["-case", "depth_memory", "-depths", "5,1", "-grid_feature_ranks", "2"], depths, DEPTHS),
            (["-case", "scaling", "-scaling", "weak", "-scaling_of", "tanh_cold", "-grid_feature_ranks", "2"], scaling,
             ["scaling"])):
        lines = run(program, mpiexec, 2, arguments + ["-out", path])
        assert [line["case"] for line in lines] == names, lines
        for line in lines:
            check_line(line, 2)
        (check_csv if path.endswith(".csv") else check_hdf5)(path, lines)
        if names == ALL:
            check_costs(lines)
        if names == DEPTHS:
            check_depths(lines, False)
    assert sorted(os.listdir(folder)) == ["all.csv", "depths.h5", "scaling.csv", "spread.h5"], os.listdir(folder)
    check_figure(folder, [every, spread, depths, scaling])
    check_figure(folder, [depths])
    check_figure(folder, [os.path.join(folder, "none.h5")], 2)
    other = os.path.join(folder, "other.csv")
    with open(other, "w", encoding="utf-8") as file:
        file.write("case,seconds\nproduct,fast\n")
    check_figure(folder, [other], 2)


def check_precision(program, mpiexec):
    """Products in single precision are counted, too."""
    exact, single = (run(program, mpiexec, 1, ["-case", "tanh_cold", "-eq_float32", chosen])[0]["products_per_sample"]
                     for chosen in ("false", "true"))
    assert abs(single - exact) < 1, (exact, single)


def check_refusals(program, mpiexec, folder):
    missing = os.path.join(folder, "missing", "a.csv")
    directory = os.path.join(folder, "directory.h5")
    os.mkdir(directory)
    for ranks, wrong in ((1, ["-case", "nothing"]), (1, ["-case", "product", "-repeats", "3"]),
                         (1, ["-loss", "logistic"]), (1, ["-out", "results.txt"]), (2, ["-out", missing]),
                         (1, ["-out", directory]), (1, ["-depths", "1,x"]),
                         (1, ["-case", "scaling", "-scaling", "weak", "-scaling_of", "product"])):
        done = launch(program, mpiexec, ranks, TINY + wrong)
        assert done.returncode == 2, f"{wrong}: exit code {done.returncode}"
        assert "poise: error:" in done.stderr and done.stdout == "", done.stderr


def main():
    program, mpiexec = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        check_files(program, mpiexec, folder)
        check_precision(program, mpiexec)
        check_refusals(program, mpiexec, folder)
    runs = [(1, *one) for one in RUNS] + [(3, *one) for one in RUNS]
    runs += [(1, ["-case", "all"], ALL), (3, ["-case", "all"], ALL),
             (3, ["-case", "all", "-grid_feature_ranks", "3"], ALL),
             (4, ["-case", "tanh_warm", "-grid_feature_ranks", "2"], ["tanh_warm"])]
    for ranks, arguments, names in runs:
        lines = run(program, mpiexec, ranks, arguments)
        assert [line["case"] for line in lines] == names, lines
        for line in lines:
            check_line(line, ranks)
        if names == DEPTHS:
            check_depths(lines, "-recompute_every" in arguments)
    print("all as expected")


if __name__ == "__main__":
    main()
