"""Reads training data from files: CSV by itself, parquet with the extra `parquet`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read(path: Path | str) -> Mapping[str, object]:
    """Read a table.

    Parameters
    ----------
    path
        A file that ends in `.csv` (with a line of column names, in UTF-8) or `.parquet`.

    Returns
    -------
    Mapping[str, object]
        Columns by name. Of a CSV file a column is numeric when all of its cells are numbers or empty.

    Raises
    ------
    ValueError
        It ends in something else, a line has too few or too many cells, or the extra is not installed.
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
    with path.open(encoding="utf-8-sig", newline="") as stream:
        names, *rows = csv.reader(stream)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise ValueError(f"{path}: row {number} has {len(row)} cells, the line of names has {len(names)}")
    return {name: _cells([row[index] for row in rows]) for index, name in enumerate(names)}


def _cells(texts: Sequence[str]) -> object:
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return [text or None for text in texts]


def _parquet(path: Path) -> Mapping[str, object]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped] # noqa: PLC0415 # the extra; pyarrow has no types
    except ImportError as error:
        raise ValueError(f"{path}: parquet needs pyarrow: pip install 'seatrial-instrument[parquet]'") from error
    table = parquet.read_table(path)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
