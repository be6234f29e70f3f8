"""Counts the features of a batch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.blocks import NumericBlock
from seatrial_instrument.reference import OTHER, Categorical, Numeric
from seatrial_instrument.sampling import ALL
from seatrial_instrument.waiting import copied

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from seatrial_instrument.reference import Profile
    from seatrial_instrument.series import Layout

_OBSERVATIONS: Final = "ml_model_feature_observations", "Rows, missing values included"
_MISSING: Final = "ml_model_feature_missing", "Rows without a usable value"
_RANGE: Final = "ml_model_feature_out_of_range", "Values outside the training range, and unknown categories"
_VALUE: Final = "ml_model_feature_value", "Values on the edges of the training profile"
_CATEGORY: Final = "ml_model_feature_category", "Values by category"
_REASONS: Final = ("null", "absent", "type")
_TABLE: Final = 2
_NARROW: Final = 8
"""Columns of the model for each watched one, up to which a matrix is narrow."""
_MISTYPED: Final = object()


class CategoryPlaces:
    """Where the categories of one column count.

    Parameters
    ----------
    places
        By category; what is not in it counts as `__other__`.
    other
        The place of that.
    """

    def __init__(self, places: Mapping[str, int], other: int) -> None:
        self.other = other
        self._places: dict[object, int] = {}
        for name, at in places.items():
            spelt = str(columns.category(name))  # profiles of old have True and False, which are 1 and 0
            self._places.setdefault(spelt, at)
            if spelt.isdecimal() and str(int(spelt)) == spelt:  # integers, floats and booleans are equal as keys
                self._places.setdefault(int(spelt), at)

    def of(self, value: object) -> int | None:
        """Return the place of a value, or None when there is no value."""
        at = self._places.get(value)
        if at is None:
            name = columns.category(value)
            at = None if name is None else self._places.get(name, self.other)
        return at


class _Category(NamedTuple):
    name: str
    places: CategoryPlaces
    rows: int
    unknown: int
    missing: Mapping[str, int]


class Features:
    """The watched features of a model.

    Parameters
    ----------
    profile
        Which, and how they were distributed in training.
    layout
        Receives their series.
    """

    def __init__(self, profile: Profile, layout: Layout) -> None:
        numeric = [feature for feature in profile.features if isinstance(feature, Numeric)]
        self._block = NumericBlock(numeric, layout)
        self._rows = layout.reserve(1)
        self._numeric = [(feature.name, self._numeric_series(index, layout)) for index, feature in enumerate(numeric)]
        self._categorical = [
            _category_series(feature, layout) for feature in profile.features if isinstance(feature, Categorical)
        ]
        self._watched = [*(name for name, _ in self._numeric), *(category.name for category in self._categorical)]
        self._width = len(profile.columns)
        order = {name: index for index, name in enumerate(profile.columns)}
        chosen = [order[name] for name in self._watched]
        self._chosen = None if chosen == list(range(self._width)) else np.array(chosen, np.intp)
        # Choosing takes longer than copying some columns too many: of a narrow matrix it is done for many rows at once.
        self._is_chosen_late = self._chosen is not None and self._width <= _NARROW * len(chosen)
        self.width = self._width if self._chosen is None or self._is_chosen_late else None
        """Columns of a matrix that is copied as a whole; None when no matrix is."""

    def rows(self, data: Any) -> int:  # noqa: ANN401 # any table
        """Count the rows of a table.

        Raises
        ------
        TypeError
            This is no table.
        """
        if isinstance(data, np.ndarray) or columns.is_records(data):
            return len(data)
        return next((len(columns.column_of(data, name)) for name in columns.names_of(data)), 0)  # type: ignore[arg-type] # a column has a length

    def copy(self, data: Any, pick: slice) -> Any:  # noqa: ANN401 # any table
        """Copy what is to be counted of a batch.

        Parameters
        ----------
        data
            A matrix of shape (rows, all columns of the model), or any table with named columns, or a list of records.
        pick
            Which rows.

        Returns
        -------
        Any
            A matrix of the watched columns, numeric ones first (of a narrow one all columns, as they came), or a
            mapping or a list of records of them.

        Raises
        ------
        TypeError, ValueError
            This is no table, or it has not the columns of the model.
        """
        if isinstance(data, np.ndarray) and data.ndim == _TABLE and not data.dtype.names:
            if data.shape[1] != self._width:
                raise ValueError(f"the matrix has {data.shape[1]} columns, the profile's model has {self._width}")
            part = data if pick is ALL else data[pick]
            return part.copy() if self._chosen is None or self._is_chosen_late else part.take(self._chosen, axis=1)
        if columns.is_records(data):
            return [{name: record[name] for name in self._watched if name in record} for record in data[pick]]
        names = set(columns.names_of(data))
        there = [name for name in self._watched if name in names]
        return {name: copied(columns.column_of(data, name)[pick]) for name in there}  # type: ignore[index] # columns have slices

    def count(self, tables: Iterable[tuple[int, Any]], cells: NDArray[np.float64]) -> None:
        """Count copied batches.

        Parameters
        ----------
        tables
            Rows of each, and what `copy` made of it.
        cells
            Receives the counts.
        """
        matrices = []
        for rows, table in tables:
            if columns.is_numbers(table):
                matrices.append(table)
            elif isinstance(table, np.ndarray):
                chosen = self._choose(table).T
                self._count_columns(dict(zip(self._watched, chosen, strict=True)), Counter(), rows, cells)
            elif isinstance(table, list):
                self._count_records(table, cells)
            else:
                self._count_columns(table, Counter(), rows, cells)
        if matrices:
            matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices)
            self._count_matrix(self._choose(matrix), cells)

    def _choose(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """Take the watched columns, numeric ones first, unless it was done when the matrix came."""
        return matrix.take(self._chosen, axis=1) if self._is_chosen_late and self._chosen is not None else matrix

    def _count_matrix(self, data: NDArray[Any], cells: NDArray[np.float64]) -> None:
        numeric = len(self._numeric)
        cells[self._rows] += len(data)
        self._block.add(cells, self._block.count(data[:, :numeric].astype(np.float64, copy=False)))
        for index, category in enumerate(self._categorical, start=numeric):
            _count_category(category, data[:, index].tolist(), 0, cells)

    def _count_records(self, records: Sequence[Mapping[str, object]], cells: NDArray[np.float64]) -> None:
        data = {name: [record.get(name) for record in records] for name in self._watched}
        absent = Counter({name: sum(name not in record for record in records) for name in self._watched})
        self._count_columns(data, absent, len(records), cells)

    def _count_columns(
        self, data: Mapping[str, Any], absent: Counter[str], rows: int, cells: NDArray[np.float64]
    ) -> None:  # fmt: skip
        """Count columns; a column that is not there is absent in every row."""
        if uneven := [name for name, column in data.items() if len(column) != rows]:
            raise ValueError(f"columns {uneven} have not the {rows} rows of others")
        numbers = np.full((rows, len(self._numeric)), np.nan)
        explained = np.zeros(len(self._numeric))
        for index, (name, missing) in enumerate(self._numeric):
            found = {"absent": rows}
            if name in data:
                numbers[:, index], nulls, mistyped = columns.numeric(data[name])
                found = {"null": nulls - absent[name], "absent": absent[name], "type": mistyped}
            explained[index] = sum(found.values())
            for reason, count in found.items():
                cells[missing[reason]] += count
        block = self._block.count(numbers)
        self._block.missing(block)[:] -= explained
        self._block.add(cells, block)
        cells[self._rows] += rows
        for category in self._categorical:
            there = category.name in data
            values = columns.values_of(data[category.name]) if there else [None] * rows
            _count_category(category, values, absent[category.name] if there else rows, cells)

    def _numeric_series(self, index: int, layout: Layout) -> Mapping[str, int]:
        block, feature = self._block, self._block.columns[index]
        layout.counter_at(*_OBSERVATIONS, self._rows, feature=feature.name)
        layout.counter_at(*_MISSING, block.nan(index), feature=feature.name, reason="nan")
        layout.counter_at(*_RANGE, block.low(index), feature=feature.name, side="low")
        layout.counter_at(*_RANGE, block.high(index), feature=feature.name, side="high")
        layout.histogram_at(*_VALUE, feature.edges, block.buckets(index), feature=feature.name)
        return {reason: layout.counter(*_MISSING, feature=feature.name, reason=reason) for reason in _REASONS}


def _category_series(feature: Categorical, layout: Layout) -> _Category:
    name = feature.name
    places = {key: layout.counter(*_CATEGORY, feature=name, category=key) for key in (*feature.categories, OTHER)}
    other = places.pop(OTHER)
    return _Category(
        name,
        CategoryPlaces(places, other),
        layout.counter(*_OBSERVATIONS, feature=name),
        layout.counter(*_RANGE, feature=name, side="unknown_category"),
        {reason: layout.counter(*_MISSING, feature=name, reason=reason) for reason in (*_REASONS, "nan")},
    )


def _count_category(category: _Category, values: Sequence[Any], absent: int, cells: NDArray[np.float64]) -> None:
    try:
        seen = Counter(values)
    except TypeError:  # a list or the like is no category
        scalar = (str, int, float)
        seen = Counter(v if isinstance(v, scalar) or columns.is_null(v) else _MISTYPED for v in values)
    cells[category.rows] += len(values)
    cells[category.missing["absent"]] += absent
    cells[category.missing["null"]] -= absent
    cells[category.missing["type"]] += seen.pop(_MISTYPED, 0)
    for value, rows in seen.items():
        at = category.places.of(value)
        if at is None:
            cells[category.missing["nan" if isinstance(value, float) else "null"]] += rows
            continue
        cells[at] += rows
        if at == category.places.other:
            cells[category.unknown] += rows
