"""Reads DIR/run.h5 (schema poise-run-1), also while the run goes on."""

import io
import time
import warnings
import zlib
from dataclasses import dataclass

import h5py
import numpy as np

from . import hdf5
from .errors import Error

SCHEMA = "poise-run-1"
MEANING = ("long_name", "units", "valid_min", "valid_max")
SEAL = b"poise-crc32:"  # the checksum of the file follows, in 8 hexadecimal digits


@dataclass
class RunFile:
    """The content of a run file: the columns of the history and what they mean, root attributes, options as stored,
    attempts."""

    columns: dict
    meanings: dict
    attributes: dict
    options: dict
    attempts: list


def image_of(path):
    """The bytes of a run file, once its checksum has been verified: the attribute `checksum` of its root, or, in files
    of an older Poise, a line behind it. Without one, another program has written the file: a warning says so."""
    with open(path, "rb") as file:
        content = file.read()
    before, mark, behind = content.partition(SEAL)
    if mark:
        right = behind[:8] == b"%08x" % zlib.crc32(before + SEAL + b"00000000" + behind[8:])
        image = content
    else:
        image, mark, line = content.rpartition(b"\ncrc32 ")
        right = mark and line == b"%d\n" % zlib.crc32(image)
        if not mark or len(line) > 24:
            image = content
            with h5py.File(io.BytesIO(image), "r") as file:  # raises if it is no HDF5 file
                right = "checksum" not in file.attrs
            if right:
                warnings.warn(f"{path} has no checksum: another program has written it", stacklevel=2)
    if not right:
        raise Error(f"{path}: is damaged or is not a run file: its content does not have its checksum; move it away, "
                    "and poise-train -resume begins a new history at the newest checkpoint")
    return image


def read_once(path):
    with h5py.File(io.BytesIO(image_of(path)), "r") as file:
        attributes = hdf5.attributes(file)
        schema = attributes.get("schema", "none")
        if schema != SCHEMA:
            raise Error(f"{path}: its schema is '{schema}', not '{SCHEMA}'")
        if "history" not in file or "t" not in file["history"]:
            raise Error(f"{path}: no /history/t in it: not a run file, or it was cut off")
        columns = {name: np.asarray(values[...], dtype=float) for name, values in file["history"].items()
                   if isinstance(values, h5py.Dataset) and values.ndim == 1 and values.dtype.kind in "fiu"}
        meanings = {name: {key: hdf5.plain(file["history"][name].attrs[key]) for key in MEANING
                           if key in file["history"][name].attrs} for name in columns}
        options = hdf5.attributes(file["config"]) if "config" in file else {}
        attempts = [hdf5.attributes(group) for _, group in sorted(file.get("attempts", {}).items())]
    return RunFile(columns, meanings, attributes, options, attempts)


def read_run_file(path):
    """Reads and verifies a run file. Raises Error if it is damaged or no run file."""
    for attempts_left in (4, 3, 2, 1, 0):
        try:
            return read_once(path)
        except (OSError, RuntimeError, KeyError) as error:  # replaced meanwhile, or no HDF5 file
            if attempts_left == 0:
                raise Error(f"{path}: cannot be read: {error}") from error
            time.sleep(0.3)
