"""Runs of Poise in Python: history, checkpoints, trained models, data files and figures. Needs numpy and h5py only."""

from .checkpoint import Checkpoint
from .data import Data, Names, Samples, read_data
from .errors import ConvergenceError, Error
from .history import History
from .model import Forward, Model, Score
from .run import Run, open_run, verdict
from .table import Table, gather
from .write_data import write_data


def plot(runs, path=None, x=None):
    """Draws a run, or compares several: see poise.figures.run.plot. Needs matplotlib."""
    from .figures.run import plot as draw

    return draw(runs, path, x)


__version__ = "0.2.0"
__all__ = ["Checkpoint", "ConvergenceError", "Data", "Error", "Forward", "History", "Model", "Names", "Run", "Samples",
           "Score", "Table", "gather", "open_run", "plot", "read_data", "verdict", "write_data"]
