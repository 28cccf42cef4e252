"""Reading of HDF5 files: attributes as Python values, and messages that name the file."""

import contextlib
import os
import warnings
import zlib

import h5py
import numpy as np

from .errors import Error

LARGEST_EXPANSION = 1032  # of the deflate filter
HEAPS = "text_heaps"  # attribute of the root group: offset, bytes and CRC-32 of every heap, where HDF5 keeps texts


def text(value):
    """A text of an HDF5 file as str. Texts of a fixed length end at the first zero byte."""
    return value.decode(errors="replace").split("\0")[0] if isinstance(value, bytes) else str(value)


def plain(value):
    """An attribute as int, float or str; an array of several numbers stays an array."""
    if isinstance(value, h5py.Empty):
        return ""
    value = np.asarray(value)
    if value.size != 1:
        return value
    value = value.reshape(-1)[0]
    return text(value) if isinstance(value, (bytes, str)) else value.item()


def attributes(item):
    """The attributes of a group or data set, as a dictionary of Python values."""
    return {name: plain(value) for name, value in item.attrs.items() if name != HEAPS}


def require_sealed_texts(file, path):
    """HDF5 may crash on damaged texts, so the texts of a checkpoint must have their checksums. Of other files, changed texts
    are a warning: people change names and attributes by h5py."""
    with open(path, "rb") as stream:
        for begin, length, crc in file.attrs.get(HEAPS, ()):
            stream.seek(begin)
            if zlib.crc32(stream.read(length)) != crc:
                if "complete" in file.attrs:
                    raise Error(f"checkpoint '{path}' is damaged: its texts do not have their checksum")
                warnings.warn(f"file '{path}': its texts (names, attributes) have changed since Poise wrote it: another program "
                              "has changed them, or the file is damaged; if you changed them, delete the attribute "
                              f"'{HEAPS}' of the root group", stacklevel=4)


@contextlib.contextmanager
def open_file(path):
    """Opens an HDF5 file for reading, without a lock: files of a run that goes on may be read, too."""
    path = os.fspath(path)
    if os.path.isdir(path):
        raise Error(f"'{path}' is a directory, not an HDF5 file")
    if not os.path.exists(path):
        raise Error(f"file '{path}' does not exist")
    if not h5py.is_hdf5(path):
        raise Error(f"file '{path}' is not an HDF5 file")
    try:
        with h5py.File(path, "r", locking=False) as file:
            require_sealed_texts(file, path)
            yield file
    except (OSError, RuntimeError, KeyError) as error:  # h5py raises all of these for damaged files
        raise Error(f"file '{path}' cannot be read: {error}") from error


def data_set(file, name):
    """The data set `name` of an open file; None without one. A file from others must not lead to other files, nor claim
    more data than it can hold."""
    links = file.id.links
    if not links.exists(name.encode()):
        return None
    where = f"data set /{name} of file '{file.filename}'"
    if links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD or not isinstance(file[name], h5py.Dataset):
        raise Error(f"{where} is a link or a group: copy the data set into this file (h5py)")
    found = file[name]
    if found.external or found.is_virtual:
        raise Error(f"{where} lies in other files: copy it into this one (h5repack, or h5py)")
    if found.nbytes > LARGEST_EXPANSION * file.id.get_filesize():
        raise Error(f"{where} claims more data than the file holds: it is damaged, or was never filled")
    return found
