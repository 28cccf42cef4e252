"""Runs of Poise in Python: history, checkpoints, trained models, data files and figures. Needs numpy and h5py only."""

from .checkpoint import Checkpoint
from .data import Data, Names, Samples, read_data
from .errors import ConvergenceError, Error
from .graph_data import Graph, Nodes, read_graph
from .graph_model import GraphModel
from .history import History
from .model import Forward, Model, Score
from .run import Run, open_run, verdict
from .table import Table, gather
from .write_data import write_data
from .write_graph import write_graph


def plot(runs, path=None, x=None):
    """Draws a run, or compares several: see poise.figures.run.plot. Needs matplotlib."""
    from .figures.run import plot as draw

    return draw(runs, path, x)


__version__ = "0.2.0"
__all__ = ["Checkpoint", "ConvergenceError", "Data", "Error", "Forward", "Graph", "GraphModel", "History", "Model", "Names",
           "Nodes", "Run", "Samples", "Score", "Table", "gather", "open_run", "plot", "read_data", "read_graph", "verdict",
           "write_data", "write_graph"]
