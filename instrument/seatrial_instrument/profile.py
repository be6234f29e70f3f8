"""Make reference profiles from training data."""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.reference import OTHER, Categorical, Distribution, Numeric, Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["OTHER", "Categorical", "Limits", "Numeric", "Profile", "from_dataframe"]

Bounds = tuple[float | None, float | None]
_DIGITS: Final = 17
"""Significant decimal digits that tell any two floats apart."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps: they bound the number of series and keep what is rare, and so may be personal, out of the profile.

    Attributes
    ----------
    features
        Watched inputs.
    bins
        Bins of a numeric column.
    categories
        Categories of a column; the rest counts as `__other__`.
    rows_per_category
        Training rows that a category needs to be named.
    """

    features: int = 50
    bins: int = 10
    categories: int = 20
    rows_per_category: int = 10


DEFAULT_LIMITS: Final = Limits()


def from_dataframe(  # noqa: PLR0913 # keywords of a call that users write once
    data: object,
    *,
    features: Sequence[str] | None = None,
    predictions: Sequence[str] = (),
    categorical: Collection[str] = (),
    bounds: Mapping[str, Bounds] | None = None,
    edges_from: Profile | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Profile:
    """Count training data.

    Parameters
    ----------
    data
        Mapping of name to column, structured array, or any data frame with `columns`. A column is one-dimensional.
    features
        Inputs to watch, the most important first; default: all. No more than `limits.features` are taken.
    predictions
        Columns that hold the model's answers on rows that it was not trained on. All other columns are inputs.
    categorical
        Columns whose numbers are names. Columns of text are categorical anyway.
    bounds
        Valid range by column, (low, high), inclusive. Default: of inputs the training range, rounded outward to two
        digits, or finer where the range is narrow; of predictions none.
    edges_from
        An earlier profile of the same model: columns that it knows keep its edges and categories, so that versions
        compare bin by bin.
    limits
        Caps.

    Raises
    ------
    TypeError
        `data` is no table.
    ValueError
        There is no such column, there are no rows; columns differ in length, hold dates, or no number where one is due.
    """
    names = columns.names_of(data)
    wanted = list(features) if features is not None else [name for name in names if name not in predictions]
    declared = dict(bounds or {})
    if unknown := [name for name in (*wanted, *predictions, *categorical, *declared) if name not in names]:
        raise ValueError(f"there is no column {', '.join(unknown)}; the data has {', '.join(names)}")
    known = {item.name: item for item in (*edges_from.features, *edges_from.outputs)} if edges_from else {}

    def count(name: str, default: Bounds | None) -> Distribution:
        column = columns.column_of(data, name)
        if name in categorical or _is_text(name, column):
            old = known.get(name)
            return _categorical(name, column, old if isinstance(old, Categorical) else None, limits)
        old = known.get(name)
        return _numeric(
            name, column, old if isinstance(old, Numeric) else None, declared.get(name, default), limits.bins
        )

    watched = tuple(count(name, None) for name in wanted[: limits.features])
    outputs = tuple(count(name, (None, None)) for name in predictions)
    lengths = {item.name: _rows(item) for item in (*watched, *outputs)}
    if not lengths or min(lengths.values()) == 0:
        raise ValueError("there is nothing to count: no columns, or no rows")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    inputs = tuple(name for name in names if name not in predictions)
    return Profile(min(lengths.values()), inputs, watched, outputs)


def _rows(item: Distribution) -> int:
    return sum(item.counts) + item.missing + (item.other if isinstance(item, Categorical) else 0)


def _is_text(name: str, column: object) -> bool:
    kind = np.asarray(column).dtype.kind
    if kind in "Mm":
        raise ValueError(
            f"column {name} holds dates or durations: give a number, such as an age in seconds, or leave it out"
        )
    if kind in "US":
        return True
    return kind == "O" and any(isinstance(value, str) for value in columns.values_of(column))


def _categorical(name: str, column: object, old: Categorical | None, limits: Limits) -> Categorical:
    seen = Counter(columns.category(value) for value in columns.values_of(column))
    missing = seen.pop(None, 0)
    if old is not None:
        named = old.categories  # profiles of old have True and False, which are 1 and 0
    else:
        # By frequency, then by name: the same data in another order gives the same profile.
        ranked = sorted(seen.items(), key=lambda item: (-item[1], str(item[0])))
        named = tuple(str(key) for key, rows in ranked[: limits.categories] if rows >= limits.rows_per_category)
    counts = tuple(seen.pop(columns.category(category), 0) for category in named)
    return Categorical(name, named, counts, sum(seen.values()), missing)


def _numeric(name: str, column: object, old: Numeric | None, bounds: Bounds | None, bins: int) -> Numeric:
    parsed = columns.numeric(column)
    finite = np.isfinite(parsed.values)
    values, missing = parsed.values[finite], int(np.count_nonzero(~finite))
    if not len(values):
        raise ValueError(f"column {name} has no numbers; leave it out, or declare it categorical")
    edges = old.edges if old else edges_between(values, bins)
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    low, high = bounds or _range(values)
    return Numeric(name, edges, tuple(int(count) for count in counts), low, high, missing)


def edges_between(values: NDArray[np.float64], bins: int) -> tuple[float, ...]:
    """Cut values into bins of about equal size, between neighbouring values and never at one.

    An edge at a value would put the same value into another bin when it comes as a 32-bit number, and it would publish
    that value. Where one value fills more than a bin, the others share the bins that are left.

    Parameters
    ----------
    values
        Finite numbers, at least one.
    bins
        Most bins to make.

    Returns
    -------
    tuple[float, ...]
        At most `bins` - 1 edges, ascending; none when all values are equal.
    """
    distinct, rows = np.unique(values, return_counts=True)
    until = np.cumsum(rows)
    edges: list[float] = []
    done = 0.0
    for left in range(bins, 1, -1):
        at = int(np.searchsorted(until, done + (until[-1] - done) / left, side="left"))
        if at >= len(distinct) - 1:
            break
        edges.append(_between(float(distinct[at]), float(distinct[at + 1])))
        done = float(until[at])
    # Neighbours closer than a float can cut make no bin.
    return tuple(sorted(set(edges)))


def _between(low: float, high: float) -> float:
    """Return the shortest decimal near the middle of two numbers, at least `low` and below `high`."""
    middle = low + (high / 2 - low / 2)
    for digits in range(1, _DIGITS):
        short = float(f"{middle:.{digits}g}")
        if low < short < high:
            return short
    return low if middle >= high else middle


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Round a range outward, so that nobody's own value is published; what all rows share is nobody's own.

    Rounded is to two digits of each end, or to one digit of their distance where that is finer: with two digits alone,
    what lies close together far from zero would seem to have room to move.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, high
    finest = _exponent(min(high - low, sys.float_info.max))
    return _rounded(low, ROUND_FLOOR, finest), _rounded(high, ROUND_CEILING, finest)


def _rounded(value: float, rounding: str, finest: int) -> float:
    if value == 0:
        return 0.0
    digits = min(_exponent(value) - 1, finest)
    decimal = Decimal(f"{value:.12g}")  # without the noise of binary fractions: 0.1 + 0.2 is 0.3
    rounded = float(decimal.quantize(Decimal(1).scaleb(digits), rounding))
    return max(-sys.float_info.max, min(rounded, sys.float_info.max))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))
