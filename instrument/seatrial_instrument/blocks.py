"""Numeric columns of a batch, counted all at once.

One comparison of all values with all edges gives the cumulative counts that a histogram shows; no value is sorted into
bins one by one. NaN is below nothing, so it drops out of every bucket by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument.series import INFINITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from seatrial_instrument.reference import Numeric
    from seatrial_instrument.series import Layout

_CHUNK: Final = 255
"""Rows compared at a time: their number fits a byte, and the comparison fits the processor's cache."""
_SLACK: Final = 1e-6
"""Share by which a value may miss its range: as much as 32-bit numbers lose."""
_LARGEST: Final = float(np.finfo(np.float64).max)
_LOW, _HIGH, NAN, _ALL, _FIRST_EDGE = range(5)


class NumericBlock:
    """Counts of numeric columns: low, high, missing, all, and the cumulative buckets.

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
        self._shape = (_FIRST_EDGE + longest + 1, len(columns))
        self._start = layout.reserve(self._shape[0] * self._shape[1])
        thresholds = np.full((2 + longest + 1, len(columns)), INFINITY)
        for index, column in enumerate(columns):
            low, high = _range(column)
            thresholds[:2, index] = np.nextafter(low, -INFINITY), high
            thresholds[2 : 2 + len(column.edges), index] = column.edges
        self._thresholds = thresholds[None]
        self._places = slice(self._start, layout.size)

    def low(self, index: int) -> int:
        """Return the place of the values below a column's range."""
        return self._at(_LOW, index)

    def high(self, index: int) -> int:
        """Return the place of the values above a column's range."""
        return self._at(_HIGH, index)

    def nan(self, index: int) -> int:
        """Return the place of a column's NaN."""
        return self._at(NAN, index)

    def rows(self, index: int) -> int:
        """Return the place of all rows of a column."""
        return self._at(_ALL, index)

    def buckets(self, index: int) -> list[int]:
        """Return the places of a column's cumulative counts, all observations last."""
        edges = len(self.columns[index].edges)
        return [*(self._at(_FIRST_EDGE + edge, index) for edge in range(edges)), self._at(self._shape[0] - 1, index)]

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
        rows = len(values)
        if rows <= _CHUNK:
            below: NDArray[np.integer] = self._below(values)
        else:
            below = np.zeros(self._thresholds.shape[1:], np.int64)
            for start in range(0, rows, _CHUNK):
                below += self._below(values[start : start + _CHUNK])
        counts = np.empty(self._shape)
        counts[_LOW] = below[0]
        np.subtract(below[-1], below[1], out=counts[_HIGH])
        np.subtract(rows, below[-1], out=counts[NAN])
        counts[_ALL] = rows
        counts[_FIRST_EDGE:] = below[2:]
        return counts

    def add(self, cells: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        """Add a batch's counts to the array of counts."""
        cells[self._places] += counts.ravel()

    def _below(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        is_below = values[:, None, :] <= self._thresholds
        below: NDArray[np.uint8] = np.add.reduce(is_below.view(np.uint8), axis=0, dtype=np.uint8)
        return below

    def _at(self, row: int, index: int) -> int:
        return self._start + row * self._shape[1] + index


def out_of_range(values: NDArray[np.float64], column: Numeric) -> NDArray[np.bool_]:
    """Tell which values are outside a column's range; NaN is not."""
    low, high = _range(column)
    outside: NDArray[np.bool_] = (values < low) | (values > high)
    return outside


def _range(column: Numeric) -> tuple[float, float]:
    # Infinity is out of every range.
    low = -_LARGEST if column.low is None else column.low - _SLACK * abs(column.low)
    high = _LARGEST if column.high is None else column.high + _SLACK * abs(column.high)
    return low, high
