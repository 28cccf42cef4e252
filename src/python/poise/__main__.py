"""python -m poise COMMAND ARGUMENTS; each command explains itself by -h."""

import argparse
import importlib
import sys

from .command import program_name, run
from .errors import Error
from .run import open_run

FIGURES = {"plot": "run", "gather": "gather", "bench": "bench", "scaling": "scaling"}
USAGE = """usage: python -m poise COMMAND ARGUMENTS
  show DIR ...     history, attempts, checkpoints and verdict of runs, as text
  plot DIR ...     figures of runs, of a comparison or of a sweep (also the program poise-plot)
  gather DIR       one table and one figure of all runs of a sweep
  bench FILE ...   a figure of the results of poise-bench
  scaling DIR      a table and a figure of the results of jobs/scaling.sbatch"""


def show():
    from .show import run_text

    parser = argparse.ArgumentParser(prog=program_name(), description="History, attempts, checkpoints and verdict.")
    parser.add_argument("runs", nargs="+", metavar="DIR", help="a run directory")
    print("\n\n".join(run_text(open_run(directory)) for directory in parser.parse_args().runs))


def figures(part):
    """The command line of a module of poise.figures, which needs matplotlib."""
    try:
        module = importlib.import_module(f"poise.figures.{part}")
    except ModuleNotFoundError as error:
        raise Error(f"needs matplotlib: pip install 'poise[plot]' ({error})") from error
    return module.main()


def plot():
    """The program poise-plot."""
    run(lambda: figures("run"))


def main():
    command = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if command in ("-h", "--help"):
        return print(USAGE)
    if command not in ("show", *FIGURES):
        print(USAGE, file=sys.stderr)
        return 2
    sys.argv[0] = f"python -m poise {command}"
    return show() if command == "show" else figures(FIGURES[command])


if __name__ == "__main__":
    run(main)
