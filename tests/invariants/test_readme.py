"""Runs every command of README.md with the programs of a build: what a reader copies must work.

    test_readme.py SOURCE_DIRECTORY BUILD_DIRECTORY

Blocks marked ```sh run in order, in one temporary directory that looks like the source directory after a build.
Blocks marked ```sh setup install, build or submit jobs: continuous integration does the first two itself, and the tests of
tests/slurm submit the jobs.
The cmake and C++ blocks must stand in the project tests/install, which a test builds and runs.
"""

import gzip
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy

from training import patience


def blocks(text, language):
    """The fenced blocks whose info string is exactly `language`."""
    return re.findall(r"^```" + re.escape(language) + r"\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines_of(text):
    return {line.strip() for line in text.splitlines() if line.strip()}


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(numpy.uint8).tobytes()))


def lay_out(folder, source, build):
    """What a reader has after a build, and the tables that the README calls the reader's own."""
    for name in ("data", "petsc_opts", "apps"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("*.cpp", "*.hpp", "raw"))
    (folder / "build").symlink_to(build)
    draw = numpy.random.default_rng(0)
    x, labels = draw.normal(size=(40, 3)), draw.integers(0, 2, 40)
    numpy.savetxt(folder / "table.csv", numpy.column_stack([x, labels]), delimiter=",", fmt="%.17g")
    numpy.save(folder / "x.npy", x)
    numpy.save(folder / "y.npy", x @ draw.normal(size=(3, 2)))
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", draw.integers(0, 256, (400, 28, 28)))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", numpy.arange(400) % 10)
    # `python3` of the README is the one that has the modules.
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)


def run(block, folder):
    environment = dict(os.environ, PATH=f"{folder / 'programs'}:{os.environ['PATH']}", HOME=str(folder))
    result = subprocess.run(["bash", "-euxo", "pipefail", "-c", block], cwd=folder, env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience(120))
    if result.returncode != 0:
        sys.exit(f"exit code {result.returncode} of this block of README.md:\n{block}\n{result.stdout}")
    return result.stdout


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    text = (source / "README.md").read_text()

    commands = blocks(text, "sh")
    setup = blocks(text, "sh setup")
    shown = re.findall(r"^```(.*)$", text, re.MULTILINE)[::2]
    unknown = set(shown) - {"sh", "sh setup", "text", "cmake", "cpp", "python"}
    assert not unknown, f"README.md has blocks of kinds that nothing checks: {unknown}"
    assert len(commands) >= 5 and setup, "README.md: the blocks of commands were not found"
    for block in setup:
        for script in re.findall(r"^(?:jobs|tests)/\S+", block, re.MULTILINE):
            assert os.access(source / script, os.X_OK), f"README.md names {script}, which cannot be run"

    sample = source / "tests" / "install"
    for language, file in (("cmake", "CMakeLists.txt"), ("cpp", "own_model.cpp")):
        for block in blocks(text, language):
            missing = lines_of(block) - lines_of((sample / file).read_text())
            assert not missing, f"README.md and tests/install/{file} differ: {missing}"

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lay_out(folder, source, build)
        for block in blocks(text, "python"):
            run(f"python3 - <<'END'\n{block}\nEND", folder)
        for block in commands:
            output = run(block, folder)
            if "poise-train" in block and " -run " in block:
                # The theorem is about softmax_linear, which is the model unless a block or the recipe names another.
                audited = "-model" not in block and "mnist.opts" not in block
                assert ("bound held at all" in output) == audited, output
                assert "run directory: runs/" in output or "kill" in block, output
        assert (folder / "runs" / "digits" / "figures" / "run.png").stat().st_size > 10000
    print(f"{len(commands)} blocks of commands ran")


if __name__ == "__main__":
    main()
