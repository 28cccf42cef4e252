"""The history of a run."""

from collections.abc import Mapping

import numpy as np


class History(Mapping):
    """The columns of a history by name: `history["loss"]` is an array with one number per recorded row. NaN means not
    measured. `meanings[name]` has the long_name, units and valid range of a column, as far as the file says them."""

    def __init__(self, columns, meanings, attributes):
        self._columns = columns
        self.meanings = meanings
        self._attributes = attributes

    def __getitem__(self, name):
        if name not in self._columns:
            raise KeyError(f"the history has no column '{name}'; it has: {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self):
        return iter(self._columns)

    def __len__(self):
        """The number of columns; `rows` is the number of rows."""
        return len(self._columns)

    @property
    def rows(self):
        """The number of recorded rows."""
        return len(self._columns["t"])

    def __repr__(self):
        return f"History({self.rows} rows of {', '.join(self._columns)})"

    def to_xarray(self):
        """An xarray.Dataset over the time t, with the step as second coordinate; options and versions are attributes.
        Needs xarray."""
        import xarray

        columns = {name: ("t", values, self.meanings[name]) for name, values in self._columns.items()}
        coordinates = {name: columns.pop(name) for name in ("t", "step") if name in columns}
        return xarray.Dataset(columns, coordinates, self._attributes)

    def to_pandas(self):
        """A pandas.DataFrame with one row per recorded row; its index is the step. Needs pandas."""
        import pandas

        steps = self._columns.get("step", np.arange(self.rows)).astype(int)
        rest = {name: values for name, values in self._columns.items() if name != "step"}
        return pandas.DataFrame(rest, index=pandas.Index(steps, name="step"))
