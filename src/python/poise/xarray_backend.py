"""xarray.open_dataset(PATH, engine="poise"): histories of runs and data files."""

import os

from xarray.backends import BackendEntrypoint

from .data import read_data
from .run import open_run


class PoiseBackend(BackendEntrypoint):
    """Opens a run directory or its run.h5 (History.to_xarray), or a data file: features (sample, input), targets
    (sample, target) or labels (sample), and the test set over test_sample, with the names of the columns as
    coordinates."""

    description = "Runs and data files of Poise"
    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(self, filename_or_obj, *, drop_variables=None):
        path = os.fspath(filename_or_obj)
        if os.path.basename(path) == "run.h5":
            path = os.path.dirname(path) or "."
        opened = open_run(path).history.to_xarray() if os.path.isdir(path) else read_data(path).to_xarray()
        return opened.drop_vars(drop_variables or [])

    def guess_can_open(self, filename_or_obj):
        """Run directories alone: files in HDF5 have engines of their own."""
        is_path = isinstance(filename_or_obj, (str, os.PathLike))
        return is_path and os.path.isfile(os.path.join(filename_or_obj, "run.h5"))
