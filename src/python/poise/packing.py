"""Packed and missing numbers of data files, by the CF conventions (8.1, 2.5.1; data/README.md, Schema)."""

import numpy as np

from . import hdf5
from .errors import Error


class Packing:
    """How the stored numbers of one data set are unpacked: value = scale_factor x stored + add_offset. A stored number
    that is _FillValue or missing_value, or outside valid_min, valid_max, valid_range, is missing."""

    def __init__(self, path, name, stored, classes):
        self._where = f"data file '{path}': the attribute"
        self._name = name
        self._stored = stored
        given = hdf5.attributes(stored)
        if "_Unsigned" in given:
            self._refuse("_Unsigned", "is not applied: store the numbers with an unsigned type and remove it")
        self.factor = self._number(given, "scale_factor", 1.0)
        self.offset = self._number(given, "add_offset", 0.0)
        self.missing = [value for key in ("_FillValue", "missing_value") for value in self._numbers(given, key)]
        range_ = self._numbers(given, "valid_range") or [-np.inf, np.inf]
        if len(range_) != 2:
            self._refuse("valid_range", "is not two numbers, the smallest and the largest valid one")
        self.low = max(range_[0], self._number(given, "valid_min", -np.inf))
        self.high = min(range_[1], self._number(given, "valid_max", np.inf))
        self._require_usable(classes)

    def _refuse(self, attribute, why):
        raise Error(f"{self._where} '{attribute}' of {self._name} {why}")

    def _numbers(self, given, key):
        """The numbers of an attribute in the type of the data set: 1e20 as the nearest float32, for example."""
        if key not in given:
            return []
        values = np.atleast_1d(np.asarray(given[key]))
        if values.dtype.kind not in "fiu":
            self._refuse(key, "is no number, nor a short list of numbers")
        if self._stored.dtype.kind == "f" and key not in ("scale_factor", "add_offset"):
            values = values.astype(self._stored.dtype)
        return values.astype(float).tolist()

    def _number(self, given, key, default):
        numbers = self._numbers(given, key)
        if len(numbers) > 1:
            self._refuse(key, "has more than one number")
        return numbers[0] if numbers else default

    def _require_usable(self, classes):
        if not np.isfinite(self.factor) or self.factor == 0:
            self._refuse("scale_factor", f"is {self.factor:g}; it must be a number other than 0")
        if not np.isfinite(self.offset):
            self._refuse("add_offset", f"is {self.offset:g}; it must be a number")
        if classes and (self.factor, self.offset) != (1.0, 0.0):
            self._refuse("scale_factor" if self.factor != 1.0 else "add_offset",
                         "has no meaning for classes: remove it, and store the classes as integers 0, 1, 2, ...")

    def unpacked(self, stored):
        """The values of stored numbers (float64); NaN where they are missing."""
        values = np.asarray(stored, dtype=float)
        absent = (values < self.low) | (values > self.high)
        for number in self.missing:
            absent |= (values == number) | (np.isnan(values) & np.isnan(number))
        return np.where(absent, np.nan, self.factor * values + self.offset)
