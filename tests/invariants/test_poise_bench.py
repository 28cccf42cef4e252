#!/usr/bin/env python3
"""poise-bench prints one line of JSON a case, with the agreed keys, on any number of ranks. No times are tested.

usage: test_poise_bench.py PROGRAM MPIEXEC
"""
import json
import subprocess
import sys

KEYS = {"case", "m", "n", "q", "ranks", "grid", "seconds", "seconds_min", "seconds_max", "gflops", "dgemm_gflops",
        "share_of_dgemm", "products", "residual", "peak_rss_mb", "rank0_rss_mb"}
TINY = ["-m", "24", "-n", "30", "-q", "3", "-repeat", "2", "-dgemm_size", "32"]
RUNS = [
    (["-case", "all"], ["product", "collapsed", "equilibrium", "lambda_min"]),
    (["-case", "product"], ["product"]),
    (["-case", "collapsed", "-loss", "squared"], ["collapsed"]),
    (["-case", "collapsed", "-loss", "logistic", "-q", "1"], ["collapsed"]),
    (["-case", "equilibrium", "-eq_panel", "7"], ["equilibrium"]),
    (["-case", "lambda_min"], ["lambda_min"]),
    (["-case", "memory"], ["memory"]),
    (["-case", "scaling", "-scaling_of", "collapsed"], ["scaling"]),
]
ALSO = {"collapsed": {"floor_bytes_seconds", "floor_flops_seconds", "share_of_floor"},
        "lambda_min": {"collapsed_gradients"},
        "memory": {"rank0_growth_mb"},
        "scaling": {"one_rank_seconds", "speedup"}}
SOLVED = 1e-6  # every solve of these runs asks for at least this residual


def run(program, mpiexec, ranks, arguments):
    command = [mpiexec, "-n", str(ranks), "--oversubscribe", program] + TINY + arguments
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def check(program, mpiexec, ranks, arguments, cases):
    done = run(program, mpiexec, ranks, arguments)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["case"] for line in lines] == cases, done.stdout
    for line in lines:
        missing = (KEYS | ALSO.get(line["case"], set())) - set(line)
        assert not missing, f"{line['case']}: no {missing}"
        assert line["ranks"] == ranks and line["m"] == 24, line
        assert line["seconds"] > 0 and line["gflops"] > 0 and line["dgemm_gflops"] > 0, line
        assert line["seconds_min"] <= line["seconds"] <= line["seconds_max"], line
        assert 0 <= line["residual"] < SOLVED, line
        assert line["rank0_rss_mb"] <= line["peak_rss_mb"], line


def main():
    program, mpiexec = sys.argv[1:3]
    for ranks in (1, 3):
        for arguments, cases in RUNS:
            check(program, mpiexec, ranks, arguments, cases)
    check(program, mpiexec, 3, ["-case", "equilibrium", "-grid_feature_ranks", "3"], ["equilibrium"])
    for wrong in (["-case", "nothing"], ["-case", "product", "-repeats", "3"], ["-loss", "logistic"]):
        done = run(program, mpiexec, 2, wrong)
        assert done.returncode == 2, f"{wrong}: exit code {done.returncode}"
        assert "poise: error:" in done.stderr, done.stderr
    print("all as expected")


if __name__ == "__main__":
    main()
