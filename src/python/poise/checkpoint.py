"""Checkpoints of a run (schema poise-checkpoint-1); every checksum is verified before anything is returned."""

import functools
import io
import os
import re
import struct
import warnings
import zlib

import h5py
import numpy as np

from . import hdf5
from .config import typed_options
from .errors import Error
from .labelled import AXES, named_dataset

SCHEMA = "poise-checkpoint-1"
NAME = re.compile(r"step-(\d+)\.h5")


class Checkpoint:
    """One checkpoint file. The file is read and verified when its content is first used; then every property raises
    Error if the file is damaged."""

    def __init__(self, path):
        self.path = os.fspath(path)

    def __repr__(self):
        return f"Checkpoint({self.path!r})"

    @property
    def step(self):
        """The step of the run, from the name of the file or, if it has another name, from its content."""
        match = NAME.fullmatch(os.path.basename(self.path))
        return int(match.group(1)) if match else self.state["step"]

    @property
    def parameters(self):
        """The trained parameters by name, such as A [m, m] and B [q, m] (apps/README.md, Checkpoints)."""
        return self.arrays("parameters")

    @property
    def state(self):
        """step, t, gradients, seed, data_path, data_fingerprint."""
        return self.attributes("state")

    @property
    def config(self):
        """The options of the run, typed."""
        return typed_options(self.attributes("config"))

    def verify(self):
        """Reads the file and checks all checksums. Raises Error that says what is wrong."""
        _ = self._content

    def arrays(self, group):
        """The data sets of a group by name: numbers as float64 arrays, texts as lists of str."""
        prefix = f"/{group}/"
        return {name[len(prefix):]: values for name, values in self._content[0].items() if name.startswith(prefix)}

    def array(self, name, *shape):
        """The data set `name` ("parameters/A"). Raises Error unless it has this shape; None stands for any length."""
        values = self._content[0].get(f"/{name}")
        self._require(values is not None, f"has no data set /{name}")
        fits = len(shape) == values.ndim and all(s in (None, n) for s, n in zip(shape, values.shape))
        self._require(fits, f"has /{name} of shape {list(values.shape)}, needed is {list(shape)}")
        return values

    def attribute(self, group, name):
        """One attribute of a group. Raises Error without it."""
        self._require(name in self.attributes(group), f"has no attribute '{name}' of /{group}")
        return self.attributes(group)[name]

    def attributes(self, group):
        """The attributes of a group; empty if the checkpoint does not have it."""
        return self._content[1].get(f"/{group}", {})

    @functools.cached_property
    def _content(self):
        try:
            with open(self.path, "rb") as file:
                image = file.read()
            with h5py.File(io.BytesIO(image), "r") as file:
                return self._verified(file, len(image))
        except (OSError, RuntimeError, KeyError) as error:  # h5py raises all of these for damaged files
            raise Error(f"checkpoint '{self.path}' cannot be read: {error}") from error

    def _verified(self, file, size):
        objects = {"/": file}
        file.visititems(lambda name, item: objects.setdefault(f"/{name}", item) and None)
        root = hdf5.attributes(file)
        self._require(root.get("schema") == SCHEMA,
                      f"has schema '{root.get('schema')}', this program reads '{SCHEMA}'")
        self._require("complete" in root, "is not complete")
        arrays, groups, manifest, claimed = {}, {}, {}, 0
        for name, item in objects.items():
            groups[name] = hdf5.attributes(item)
            if isinstance(item, h5py.Dataset):
                claimed += item.size * item.dtype.itemsize
                self._require(claimed <= size, f"claims more data in {name} than the file holds")
                arrays[name], crc = content_of(item)
                self._require(groups[name].get("crc32") == crc, f"is damaged in data set {name}")
                manifest[name] = "data" + "".join(f" {length}" for length in item.shape) + f" crc32 {crc}"
            own = {"crc32"} if name in arrays else {"checksum", "complete"} if name == "/" else set()
            manifest.update({f"{name}@{key}": described(value)
                             for key, value in groups[name].items() if key not in own})
        self._require(root.get("checksum") == checksum_of(manifest),
                      "is damaged: its content does not have its checksum")
        return arrays, groups

    def to_xarray(self, group="parameters"):
        """The data sets of a group as an xarray.Dataset: parameters over output, state and feature, with the names of
        the data as coordinates; the state of the run as attributes. Needs xarray."""
        arrays = self.arrays(group)
        self._require(arrays, f"has no data set in the group '{group}'")
        dims = {name: self.attributes(f"{group}/{name}").get(AXES, "").split() for name in arrays}
        names = {name.removesuffix("_names"): values for name, values in self.arrays("data").items()}
        return named_dataset(arrays, dims, names, {"step": self.step, **self.state})

    def _require(self, good, what):
        if not good:
            raise Error(f"checkpoint '{self.path}' {what}")


def content_of(item):
    """The entries of a data set, and their CRC-32."""
    if item.dtype.kind in "SO":
        texts = [value.split(b"\0")[0] for value in item[...]]
        return [hdf5.text(value) for value in texts], zlib.crc32(b"".join(value + b"\0" for value in texts))
    values = np.ascontiguousarray(item[...], dtype="<f8")
    return values, zlib.crc32(values.tobytes())


def described(value):
    """An attribute as the checksum of the checkpoint takes it."""
    if isinstance(value, bool):
        return f"flag {int(value)}"
    if isinstance(value, float):
        return f"real {struct.unpack('<Q', struct.pack('<d', value))[0]}"
    return f"text {value}" if isinstance(value, str) else f"integer {value}"


def checksum_of(manifest):
    crc = 0
    for name, entry in sorted((name.encode(), entry.encode()) for name, entry in manifest.items()):
        crc = zlib.crc32(name + b"\n" + entry + b"\n", crc)
    return crc


def list_checkpoints(folder):
    """The checkpoints of a folder, the oldest first, damaged ones included. A missing folder holds none."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted((Checkpoint(os.path.join(folder, name)) for name in names if NAME.fullmatch(name)),
                  key=lambda checkpoint: checkpoint.step)


def newest_valid(folder):
    """The newest checkpoint that passes its checks. Warns of every damaged one that is newer. Raises Error without
    any."""
    for checkpoint in reversed(list_checkpoints(folder)):
        try:
            checkpoint.verify()
            return checkpoint
        except Error as error:
            warnings.warn(f"checkpoint {checkpoint.path} is damaged ({error}); falling back to the checkpoint before "
                          "it", stacklevel=3)
    raise Error(f"{folder} holds no valid checkpoint")
