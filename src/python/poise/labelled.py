"""Data sets of files as xarray objects whose dimensions have names."""

from . import hdf5

AXES = "dims"  # attribute of a data set: what its indices count, one word for each


def named_dataset(arrays, dims, names, attributes):
    """An xarray.Dataset of arrays by name. `dims`: the words for the dimensions of each; files of older versions have
    none. `names`: names of the input, target and class, which become coordinates. Needs xarray."""
    import numpy as np
    import xarray

    variables = {}
    for name, values in arrays.items():
        values = np.asarray(values)
        words = dims.get(name, [])
        known = len(words) == values.ndim
        variables[name] = (words if known else [f"{name}_{axis}" for axis in range(values.ndim)], values)
    dataset = xarray.Dataset(variables, attrs=attributes)
    offered = {**names, "output": names.get("class") or names.get("target")}
    return dataset.assign_coords({axis: labels for axis, labels in offered.items()
                                  if labels and dataset.sizes.get(axis) == len(labels)})


def read_predictions(path):
    """The file of poise-predict as an xarray.Dataset over sample, output and class, with names as coordinates. Needs
    xarray."""
    with hdf5.open_file(path) as file:
        arrays = {name: hdf5.data_set(file, name)[...] for name in file}
        dims = {name: hdf5.attributes(file[name]).get(AXES, "").split() for name in file}
        names = {name.removesuffix("_names"): [hdf5.text(value) for value in arrays.pop(name)]
                 for name in list(arrays) if name.endswith("_names")}
        return named_dataset(arrays, dims, names, hdf5.attributes(file))
