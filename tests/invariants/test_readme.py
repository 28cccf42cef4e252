"""Runs every command of the documents with the programs of a build, so that commands work when a reader copies them.

    test_readme.py SOURCE_DIRECTORY BUILD_DIRECTORY

The blocks run in the order of DOCUMENTS, in one temporary directory that looks like the source directory after a build, so a
document may use the files of a document before it. tests/README.md says how each kind of block is tested. The test also checks that
relative links lead to files and headings, that the documents name every option, that their tables of options agree with the programs,
and that apps/README.md names all groups, attributes and columns of the files that the programs have written.
"""

import csv
import gzip
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import h5py
import numpy

import option_tables
from training import patience

DOCUMENTS = ("README.md", "data/README.md", "apps/README.md", "apps/poise_compare/README.md", "petsc_opts/README.md",
             "jobs/README.md", "src/README.md", "src/python/README.md", "tests/README.md")
FOLDERS = ("apps", "data", "jobs", "petsc_opts", "src", "tests")
KINDS = {"sh", "sh long", "sh setup", "text", "cmake", "cpp", "python"}
SHORT = " -time 0.2 -points 3 -seeds 1"  # ends poise-compare early
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """The fenced blocks in their order, as (kind, content)."""
    return FENCED.findall(text)


def lines_of(text):
    return {line.strip() for line in text.splitlines() if line.strip()}


def anchors(text):
    """The names that GitHub gives to the headings."""
    names, seen = set(), {}
    for heading in re.findall(r"^#{1,6} +(.*?) *$", FENCED.sub("", text), re.MULTILINE):
        heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def broken_links(path):
    """The relative links of a document that lead nowhere."""
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", path.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"{path}: the link {target} leads to no file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{path}: the link {target} leads to no heading"


def check_links(source):
    """Checks the links of all documents of the repository."""
    documents = sorted(source.glob("*.md")) + sorted(path for folder in FOLDERS for path in (source / folder).rglob("*.md"))
    broken = [message for path in documents for message in broken_links(path)]
    assert not broken, "\n".join(broken)
    strangers = {str(path.relative_to(source)) for path in documents if path.name == "README.md"} - set(DOCUMENTS)
    assert not strangers, f"test_readme.py does not run the commands of {strangers}"


def check_setup(name, block, source):
    """Scripts and presets in a block that is not run must exist."""
    for script in re.findall(r"\b(?:jobs|tests)/[\w./-]+\.(?:sh|sbatch)\b", block):
        assert os.access(source / script, os.X_OK), f"{name} names {script}, which cannot be run"
    presets = json.loads((source / "CMakePresets.json").read_text())["configurePresets"]
    for preset in re.findall(r"cmake --preset (\S+)", block):
        assert preset in {known["name"] for known in presets}, f"{name} names the preset {preset}, which there is not"


def check_kinds(name, text, source):
    """Checks of the blocks that do not run them."""
    assert not re.search(r"^[ \t]+```", text, re.MULTILINE), f"{name} has an indented block, which nothing checks"
    unknown = {kind for kind, _ in blocks(text)} - KINDS
    assert not unknown, f"{name} has blocks of kinds that nothing checks: {unknown}"
    sample = source / "tests" / "install"
    for kind, block in blocks(text):
        if kind == "sh setup":
            check_setup(name, block, source)
        if kind in ("cmake", "cpp"):
            file = sample / ("CMakeLists.txt" if kind == "cmake" else "own_model.cpp")
            missing = lines_of(block) - lines_of(file.read_text())
            assert not missing, f"{name} and {file.relative_to(source)} differ: {missing}"


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(numpy.uint8).tobytes()))


def lay_out(folder, source, build):
    """Makes the files that a reader has after a build, and the user's own tables of the documents."""
    for name in ("data", "petsc_opts", "apps", "src/python"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("*.cpp", "*.hpp"))
    (folder / "build").symlink_to(build)
    draw = numpy.random.default_rng(0)
    x, labels = draw.normal(size=(40, 3)), draw.integers(0, 2, 40)
    numpy.savetxt(folder / "table.csv", numpy.column_stack([x, labels]), delimiter=",", fmt="%.17g")
    numpy.save(folder / "x.npy", x)
    numpy.save(folder / "y.npy", x @ draw.normal(size=(3, 2)))
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", draw.integers(0, 256, (400, 28, 28)))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", numpy.arange(400) % 10)
    # `python3` in the documents is a Python with the modules.
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)


def run(name, block, folder):
    environment = dict(os.environ, PATH=f"{folder / 'programs'}:{os.environ['PATH']}", HOME=str(folder),
                       PYTHONPATH=str(folder / "src" / "python"))  # in the place of pip install src/python
    result = subprocess.run(["bash", "-euxo", "pipefail", "-c", block], cwd=folder, env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience(120))
    if result.returncode != 0:
        sys.exit(f"exit code {result.returncode} of this block of {name}:\n{block}\n{result.stdout}")
    return result.stdout


def run_block(name, kind, block, folder):
    """Runs a block if its kind says so; returns whether it was run."""
    if kind == "python":
        run(name, f"python3 - <<'END'\n{block}\nEND", folder)
    elif kind == "sh long":
        shortened, count = re.subn(r"(poise-compare (?:[^\n#\\]|\\\n)*[^\s#\\])", rf"\1{SHORT}", block)
        assert count, f"{name}: nothing in this block can be made short:\n{block}"
        run(name, shortened, folder)
    elif kind == "sh":
        output = run(name, block, folder)
        if "poise-train" in block and " -run " in block:
            # The theorem is about softmax_linear, the default model; a block with -model and some recipes have another model.
            # A run with -start_from takes the model of its source.
            audited = not any(word in block for word in ("-model", "mnist.opts", "graph_digits.opts", "-start_from"))
            assert ("bound held at all" in output) == audited, output
            assert "run directory: runs/" in output or "kill" in block, output
    else:
        return False
    return True


def names_in_hdf5(path):
    """Names of data sets, groups and attributes, without names that are options or numbers, and without names of HDF5."""
    names = set()
    with h5py.File(path) as file:
        def look(name, item):
            if "config" not in name and not name.startswith(("runs/options", "errors")):
                names.update(name.split("/"), (key for key in item.attrs if not key.isupper()))
        look("", file)
        file.visititems(look)
    return {name for name in names if name and not name.isdigit()}


def names_in_json(value):
    if isinstance(value, dict):
        return set(value).union(*map(names_in_json, value.values()))
    return set().union(*map(names_in_json, value)) if isinstance(value, list) else set()


def check_schemas(folder, text):
    """The tables of the document have all names in the files that the programs have written."""
    known = set(re.findall(r"\w+", FENCED.sub("", text)))
    written = {path: names_in_hdf5(path) for path in sorted((folder / "runs").rglob("*.h5"))}
    kinds = {path.name[:4] for path in written}
    assert kinds >= {"run.", "step", "ense", "runs", "swee", "comp"}, f"files of some kinds are missing: {kinds}"
    audit = json.loads((folder / "runs" / "audited.json").read_text())
    written["audited.json"] = names_in_json(audit) | {row["id"] for row in audit["rows"]}
    written["spectrum.json"] = names_in_json(json.loads((folder / "runs" / "spectrum.json").read_text()))
    with open(folder / "bench.csv", newline="", encoding="utf-8") as file:
        written["bench.csv"] = set(next(csv.reader(file)))
    for path, names in written.items():
        assert not names - known, f"apps/README.md does not name what is in {path}: {names - known}"


def check_options(build, text):
    """A document names every option of every program, such as `-scaling strong|weak` or `-width`."""
    known = set(re.findall(r"`-(\w+)", text))
    for program in sorted((build / "apps").glob("poise-*")):
        shown = subprocess.run([program, "-help"], text=True, stdin=subprocess.DEVNULL, capture_output=True,
                               timeout=patience(120), check=True).stdout
        options = set(re.findall(r"^  -(\w+) \(", shown, re.MULTILINE))
        assert options, f"{program} -help shows no options"
        assert not options - known, f"no document names these options of {program.name}: {options - known}"


def check_tables(source, build):
    """The tables of options are those that the programs make, and every program has one."""
    made = set()
    for name in option_tables.DOCUMENTS:
        text = (source / name).read_text()
        made |= {found[1] for found in option_tables.MARKED.findall(text)}
        assert text == option_tables.with_tables(text, build), \
            f"the options in {name} are not as declared: run tests/invariants/option_tables.py {source} {build}"
    missing = {program.name for program in (build / "apps").glob("poise-*")} - made
    assert not missing, f"no document has the options of {missing}"


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    texts = {name: (source / name).read_text() for name in DOCUMENTS if (source / name).exists()}
    for name, text in texts.items():
        check_kinds(name, text, source)
    check_links(source)
    check_tables(source, build)
    check_options(build, "\n".join(FENCED.sub("", text) for text in texts.values()))

    ran = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lay_out(folder, source, build)
        for document, text in texts.items():
            ran += sum(run_block(document, kind, block, folder) for kind, block in blocks(text))
        check_schemas(folder, texts["apps/README.md"])
        assert (folder / "runs" / "digits" / "figures" / "run.png").stat().st_size > 10000
    assert ran >= 25, f"only {ran} blocks were found"
    print(f"{ran} blocks of {len(texts)} documents ran")


if __name__ == "__main__":
    main()
