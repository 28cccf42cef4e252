"""xarray.open_dataset(PATH, engine="poise"): histories of runs, checkpoints, data files and predictions."""

import os

from xarray.backends import BackendEntrypoint

from . import checkpoint, hdf5
from .data import read_data
from .errors import Error
from .graph_data import SCHEMA as GRAPH_SCHEMA
from .graph_data import read_graph
from .labelled import read_predictions
from .run import open_run


class PoiseBackend(BackendEntrypoint):
    """Opens a run directory or its run.h5 (History.to_xarray); a group of a checkpoint, by default the parameters
    (Checkpoint.to_xarray); a file of poise-predict; or a data file: features (sample, input), targets (sample, target)
    or labels (sample), and the test set over test_sample; or a graph file (Graph.to_xarray). Names of columns and classes are coordinates."""

    description = "Runs, checkpoints, data files and predictions of Poise"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "group")

    def open_dataset(self, filename_or_obj, *, drop_variables=None, group=None):
        path = os.fspath(filename_or_obj)
        if os.path.basename(path) == "run.h5":
            path = os.path.dirname(path) or "."
        schema = "" if os.path.isdir(path) else schema_of(path)
        if schema == checkpoint.SCHEMA:
            opened = checkpoint.Checkpoint(path).to_xarray(group or "parameters")
        elif group is not None:
            raise Error(f"{path}: group='{group}': only a checkpoint has groups; leave it out")
        elif os.path.isdir(path):
            opened = open_run(path).history.to_xarray()
        elif schema.startswith("poise-prediction-"):
            opened = read_predictions(path)
        elif schema == GRAPH_SCHEMA:
            opened = read_graph(path).to_xarray()
        else:
            opened = read_data(path).to_xarray()
        return opened.drop_vars(drop_variables or [])

    def guess_can_open(self, filename_or_obj):
        """Run directories alone: files in HDF5 have engines of their own."""
        is_path = isinstance(filename_or_obj, (str, os.PathLike))
        return is_path and os.path.isfile(os.path.join(filename_or_obj, "run.h5"))


def schema_of(path):
    with hdf5.open_file(path) as file:
        return str(hdf5.attributes(file).get("schema", ""))
