"""Reads training data from files: CSV by itself, parquet with the extra `parquet`."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument import columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NOTHING: Final = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
"""How other programs write that a cell of numbers is missing, in lower case."""


def read(path: Path | str) -> Mapping[str, object]:
    """Read a table.

    Parameters
    ----------
    path
        A file that ends in `.csv` (with a line of column names, in UTF-8) or `.parquet`.

    Returns
    -------
    Mapping[str, object]
        Columns by name. Of a CSV file a column is numeric when each of its cells is a number, empty, or a word for
        nothing such as NA; in a column of text only an empty cell is missing.

    Raises
    ------
    ValueError
        It ends in something else, it is empty, two columns have the same name, a line has too few or too many cells,
        or the extra is not installed.
    OSError
        The file cannot be read.
    """
    match Path(path).suffix.lower():
        case ".csv":
            return _csv(Path(path))
        case ".parquet":
            return _parquet(Path(path))
        case other:
            raise ValueError(f"{path}: a file that ends in {other!r} can't be read; give .csv or .parquet")


def _csv(path: Path) -> Mapping[str, object]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            names, *rows = list(csv.reader(stream)) or [[]]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: this is no text in UTF-8; save it as UTF-8") from error
    if not names:
        raise ValueError(f"{path}: the file is empty; its first line must name the columns")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path}: the line of names has {', '.join(twice)} more than once")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise ValueError(f"{path}: row {number} has {len(row)} cells, the line of names has {len(names)}")
    return {name: _cells([row[index] for row in rows]) for index, name in enumerate(names)}


def _cells(texts: Sequence[str]) -> object:
    try:
        return np.array([_number(text) for text in texts])
    except ValueError:
        return [text or None for text in texts]


def _number(text: str) -> float:
    if text.strip().lower() in _NOTHING:
        return math.nan
    if "_" in text:
        raise ValueError("Python alone reads 1_0 as a number")
    return float(text)


def _parquet(path: Path) -> Mapping[str, object]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped] # noqa: PLC0415 # the extra; pyarrow has no types
    except ImportError as error:
        raise ValueError(f"{path}: parquet needs pyarrow: pip install 'seatrial-instrument[parquet]'") from error
    table = parquet.read_table(path)
    return {name: columns.of_arrow(table.column(name)) for name in table.column_names}
