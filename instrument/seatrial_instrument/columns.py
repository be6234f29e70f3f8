"""Columns of whatever holds them: mappings, records, structured arrays, data frames (whose libraries stay out)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The nulls of data frames, known by name so that their libraries need not be there.
_NULLS: Final = frozenset({"NoneType", "NAType", "NaTType"})
NUMBERS: Final = "fiub"
"""Kinds of numpy that are numbers."""
_TEXT: Final = "US"
_TRUTHS: Final = {"True": "1", "False": "0"}


class NumericColumn(NamedTuple):
    """Numbers of a column.

    Attributes
    ----------
    values
        One for each row; NaN where there is none.
    nulls
        How many are missing because nothing was given.
    mistyped
        How many are missing because something else than a number was given.
    """

    values: NDArray[np.float64]
    nulls: int
    mistyped: int


def names_of(data: object) -> list[str]:
    """List the columns of a table, in their order.

    Raises
    ------
    TypeError
        This is no table.
    """
    if isinstance(data, Mapping):
        return [str(name) for name in data]
    if isinstance(data, np.ndarray) and data.dtype.names:
        return list(data.dtype.names)
    names = getattr(data, "column_names", None)  # of Arrow, whose `columns` are what they hold
    if not isinstance(names, list):
        names = getattr(data, "columns", None)
    if isinstance(names, Iterable):
        return [str(name) for name in names]
    raise TypeError(f"{type(data).__name__} has no named columns; give a mapping, a structured array or a data frame")


def column_of(data: Any, name: str) -> object | None:  # noqa: ANN401 # anything with columns
    """Return one column, or None when the table has no such column."""
    try:
        column: object = data[name]
    except (KeyError, ValueError, IndexError):
        return None
    return of_arrow(column) if hasattr(column, "to_pylist") else column


def of_arrow(column: Any) -> NDArray[Any]:  # noqa: ANN401 # Arrow's library need not be there
    """Read a column of Arrow; a null becomes None or NaN."""
    if hasattr(column.type, "index_type"):  # with its own conversion, nulls of a dictionary become one of its values
        column = column.cast(column.type.value_type)
    array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array


def is_records(data: object) -> bool:
    """Tell whether this is a row-wise table: a sequence of mappings, or of nothing."""
    return isinstance(data, Sequence) and not isinstance(data, str) and (not data or isinstance(data[0], Mapping))


def numeric(column: Any) -> NumericColumn:  # noqa: ANN401 # anything that numpy can make an array of
    """Read the numbers of a column; text is no number, not even if it looks like one, and a huge one is infinite.

    Parameters
    ----------
    column
        A sequence or array of one dimension.
    """
    nulls = 0
    if isinstance(column, np.ma.MaskedArray):
        nulls = int(np.count_nonzero(np.ma.getmaskarray(column)))
        column = np.ma.filled(column.astype(np.float64), np.nan)
    array = np.asarray(column)
    if array.dtype.kind in _TEXT and isinstance(column, list):  # numpy has made text of numbers between text
        array = np.array(column, object)
    if array.dtype.kind in NUMBERS:
        return NumericColumn(array.astype(np.float64, copy=False), nulls, 0)
    values = np.full(len(array), np.nan)
    mistyped = 0
    for row, value in enumerate(_python(array)):
        if is_null(value):
            nulls += 1
        elif isinstance(value, (int, float, np.number, Decimal)):
            values[row] = _float(value)
        else:
            mistyped += 1
    return NumericColumn(values, nulls, mistyped)


def is_numbers(data: object) -> bool:
    """Tell whether this is a plain array of numbers, without a mask."""
    return isinstance(data, np.ndarray) and data.dtype.kind in NUMBERS and not isinstance(data, np.ma.MaskedArray)


def is_null(value: object) -> bool:
    """Tell whether this says that there is no value; NaN is another thing."""
    return type(value).__name__ in _NULLS


def category(value: object) -> str | None:
    """Spell a category; None when there is no value.

    Whole numbers are spelt alike, whether they came as integer or float, and True and False, as text too, are 1 and 0.
    """
    if isinstance(value, str):
        return _TRUTHS.get(value, value)
    if is_null(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            return None
        return str(int(value)) if float(value).is_integer() else str(value)
    return str(value)


def values_of(column: Any) -> list[Any]:  # noqa: ANN401 # anything that numpy can make an array of
    """Return the values of a column as Python's own objects."""
    if isinstance(column, list):
        return column
    if isinstance(column, np.ma.MaskedArray):
        return column.tolist()  # type: ignore[no-any-return] # a column has one dimension
    return _python(np.asarray(column))


def _float(value: Any) -> float:  # noqa: ANN401 # any number
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _python(array: NDArray[Any]) -> list[Any]:
    return array.tolist()  # type: ignore[no-any-return] # a column has one dimension
