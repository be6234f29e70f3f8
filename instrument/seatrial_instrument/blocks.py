"""Numeric columns of a batch, counted all at once.

One comparison of all values with all edges gives the cumulative counts that a histogram shows; no value is sorted into
bins one by one. NaN is below nothing, so it drops out of every bucket by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument.series import INFINITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from seatrial_instrument.reference import Numeric
    from seatrial_instrument.series import Layout

_CHUNK: Final = 64
"""Rows compared at a time: their number fits a byte, and the comparison fits the processor's cache."""
_SLACK: Final = 1e-6
"""Share by which a value may miss its range: as much as 32-bit numbers lose."""
_LARGEST: Final = float(np.finfo(np.float64).max)
_LOW, _FIRST_EDGE, _ALL, _NAN, _HIGH = 0, 1, -3, -2, -1
_BESIDES_EDGES: Final = 4


class NumericBlock:
    """Counts of numeric columns: below their range, up to each edge, all that are there, missing, above their range.

    Parameters
    ----------
    columns
        Their reference.
    layout
        Receives places for the counts.
    """

    def __init__(self, columns: Sequence[Numeric], layout: Layout) -> None:
        self.columns = tuple(columns)
        longest = max((len(column.edges) for column in columns), default=0)
        # The last bucket is +Inf; the room between a short column's edges and the longest one's is never shown.
        self._shape = (longest + _BESIDES_EDGES, len(columns))
        self._start = layout.reserve(self._shape[0] * self._shape[1])
        thresholds = np.full(self._shape, INFINITY)
        for index, column in enumerate(columns):
            low, high = _range(column)
            thresholds[_LOW, index] = math.nextafter(low, -INFINITY)
            thresholds[_FIRST_EDGE : _FIRST_EDGE + len(column.edges), index] = column.edges
            thresholds[_HIGH, index] = high
        self._thresholds = thresholds.ravel()
        self._places = slice(self._start, layout.size)

    def low(self, index: int) -> int:
        """Return the place of the values below a column's range."""
        return self._at(_LOW, index)

    def high(self, index: int) -> int:
        """Return the place of the values above a column's range."""
        return self._at(_HIGH, index)

    def nan(self, index: int) -> int:
        """Return the place of a column's NaN."""
        return self._at(_NAN, index)

    def buckets(self, index: int) -> list[int]:
        """Return the places of a column's cumulative counts, all observations last."""
        edges = len(self.columns[index].edges)
        return [*(self._at(_FIRST_EDGE + edge, index) for edge in range(edges)), self._at(_ALL, index)]

    def count(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Count a batch.

        Parameters
        ----------
        values
            Shape (rows, columns); NaN where there is no value.

        Returns
        -------
        NDArray[np.float64]
            What is to be added, of shape (counts, columns).
        """
        if self._shape[1] == 1:
            return self._count_one(values)
        counts = self._below(values[:_CHUNK])
        for start in range(_CHUNK, len(values), _CHUNK):
            counts += self._below(values[start : start + _CHUNK])
        there = counts[_ALL]
        np.subtract(there, counts[_HIGH], out=counts[_HIGH])
        np.subtract(len(values), there, out=counts[_NAN])
        return counts

    def missing(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part of a batch's counts that says how many values are missing, by column."""
        missing: NDArray[np.float64] = counts[_NAN]
        return missing

    def is_sound(self, counts: NDArray[np.float64]) -> bool:
        """Tell whether every value of a batch is there and in its range."""
        flat = counts.ravel().tolist()  # few numbers: Python is faster
        return not (any(flat[: self._shape[1]]) or any(flat[_NAN * self._shape[1] :]))

    def add(self, cells: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        """Add a batch's counts to the array of counts."""
        cells[self._places] += counts.ravel()

    def _below(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        # Copied for each threshold, so that numpy compares one long row and not many short ones: a third faster.
        repeated = np.empty((len(values), *self._shape))
        repeated[:] = values[:, None, :]
        is_below = repeated.reshape(len(values), -1) <= self._thresholds
        below = np.add.reduce(is_below.view(np.uint8), axis=0, dtype=np.uint8)
        counts: NDArray[np.float64] = below.reshape(self._shape).astype(np.float64)
        return counts

    def _count_one(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Count a single column, for which sorting is faster; NaN is sorted behind infinity."""
        below = np.sort(values[:, 0]).searchsorted(self._thresholds, "right").tolist()
        below[_HIGH] = below[_ALL] - below[_HIGH]
        below[_NAN] = len(values) - below[_ALL]
        return np.array(below, np.float64)[:, None]

    def _at(self, row: int, index: int) -> int:
        return self._start + row % self._shape[0] * self._shape[1] + index


def out_of_range(values: NDArray[np.float64], column: Numeric) -> NDArray[np.bool_]:
    """Tell which values are outside a column's range; NaN is not."""
    low, high = _range(column)
    outside: NDArray[np.bool_] = (values < low) | (values > high)
    return outside


def _range(column: Numeric) -> tuple[float, float]:
    # Infinity is out of every range.
    low = -_LARGEST if column.low is None else column.low - _SLACK * abs(column.low)
    high = _LARGEST if column.high is None else column.high + _SLACK * abs(column.high)
    return max(low, -_LARGEST), min(high, _LARGEST)
