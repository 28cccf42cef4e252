"""Runs of Poise in Python: history, checkpoints, trained models, data files and figures. Needs numpy and h5py only."""

from .checkpoint import Checkpoint
from .data import Data, Names, Samples, read_data
from .errors import ConvergenceError, Error
from .history import History
from .model import Forward, Model, Score
from .run import Run, open_run, verdict
from .write_data import write_data

__version__ = "0.2.0"
__all__ = ["Checkpoint", "ConvergenceError", "Data", "Error", "Forward", "History", "Model", "Names", "Run", "Samples", "Score",
           "open_run", "read_data", "verdict", "write_data"]
