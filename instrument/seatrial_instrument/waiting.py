"""What waits to be counted: copied as it comes, and counted together with others when there is enough of it.

In a busy server the code between two requests throws the library out of the processor's caches, so that every call into
numpy costs many times what it does in a loop. Copying takes few calls; counting, which takes many, is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from seatrial_instrument import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from seatrial_instrument.request import ErrorType, Kind


_TABLE: Final = 2
Rows = tuple[int, int, Any]
"""Features: how many rows were given, how many of them are to be counted, and these."""
Answered = tuple[float, "ErrorType", "Kind"]
"""A request: how long it took in seconds, what was wrong, and what it was for."""


class Told(NamedTuple):
    """Predictions and what was told about them, copied and otherwise as they came."""

    predictions: Any
    confidence: Any = None
    defaulted: Any = None
    failed: Any = None
    slices: Mapping[str, Any] | None = None


class Answers(NamedTuple):
    """Predictions and what was told about them, one value of each for each row."""

    rows: int
    predictions: Any
    confidence: NDArray[np.float64] | None
    defaulted: NDArray[np.bool_] | None
    failed: NDArray[np.bool_] | None
    slices: Mapping[str, Sequence[Any]]


def copied(value: Any) -> Any:  # noqa: ANN401 # whatever users give
    """Copy something that a server may change afterwards."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    return np.array(value)


def answers(told: Told) -> Answers:
    """Bring what was told into one form.

    Raises
    ------
    ValueError
        Something has another number of rows than the predictions.
    """
    predictions = told.predictions
    if isinstance(predictions, dict):
        rows = len(next(iter(predictions.values()), ()))
    else:
        rows = len(predictions)
        if isinstance(predictions, np.ndarray) and predictions.ndim != 1:
            predictions = predictions.reshape(rows)
    return Answers(
        rows,
        predictions,
        None if told.confidence is None else _greatest(np.asarray(told.confidence, np.float64), rows),
        None if told.defaulted is None else _flags(told.defaulted, rows),
        None if told.failed is None else _flags(told.failed, rows),
        {name: _values(given, rows) for name, given in told.slices.items()} if told.slices else {},
    )


def together(batches: Iterable[Told], kinds: str) -> Iterator[Answers]:
    """Join batches that can be counted as one: those with a single output and the same slices.

    Parameters
    ----------
    batches
        What was told.
    kinds
        Kinds of numpy whose predictions can be joined as Python's own values.
    """
    groups: dict[tuple[str, ...], list[Answers]] = {}
    predictions: list[Any] = []
    stated: list[float] = []
    defaulted: list[bool] = []
    for told in batches:
        if _is_usual(told, kinds):  # one by one these take longer to look at than to count
            predictions += told.predictions.tolist()
            stated += () if told.confidence is None else told.confidence.tolist()
            defaulted += [False] * len(told.predictions) if told.defaulted is None else told.defaulted.tolist()
            continue
        batch = answers(told)
        if isinstance(batch.predictions, dict):  # several outputs
            yield batch
        else:
            groups.setdefault(tuple(sorted(batch.slices)) if batch.slices else (), []).append(batch)
    if predictions:
        confidence = np.array(stated) if stated else None
        yield Answers(len(predictions), predictions, confidence, np.array(defaulted), None, {})
    for names, group in groups.items():
        yield group[0] if len(group) == 1 else _joined(names, group)


def _is_usual(told: Told, kinds: str) -> bool:
    """Tell whether all of it are arrays with one value for each row, without failures and slices."""
    predictions, confidence, defaulted, failed, slices = told
    if failed is not None or slices or type(predictions) is not np.ndarray or predictions.ndim != 1:
        return False
    rows = predictions.shape
    if confidence is not None and (
        type(confidence) is not np.ndarray or confidence.shape != rows or confidence.dtype.kind != "f"
    ):
        return False
    if defaulted is not None and (
        type(defaulted) is not np.ndarray or defaulted.shape != rows or defaulted.dtype.kind != "b"
    ):
        return False
    return predictions.dtype.kind in kinds


def _joined(names: tuple[str, ...], group: list[Answers]) -> Answers:
    stated = [batch.confidence for batch in group if batch.confidence is not None]
    return Answers(
        sum(batch.rows for batch in group),
        joined_columns([batch.predictions for batch in group]),
        np.concatenate(stated) if stated else None,
        _joined_flags([(batch.rows, batch.defaulted) for batch in group]),
        _joined_flags([(batch.rows, batch.failed) for batch in group]),
        {name: list(chain.from_iterable(batch.slices[name] for batch in group)) for name in names},
    )


def joined_columns(parts: Sequence[Any]) -> Any:  # noqa: ANN401 # an array or a list
    """Join columns: numbers as an array, anything else as a list."""
    if all(columns.is_numbers(part) for part in parts):
        return np.concatenate(parts)
    return list(chain.from_iterable(columns.values_of(part) for part in parts))


def _joined_flags(parts: Sequence[tuple[int, NDArray[np.bool_] | None]]) -> NDArray[np.bool_] | None:
    if all(flags is None for _, flags in parts):
        return None
    return np.concatenate([np.zeros(rows, bool) if flags is None else flags for rows, flags in parts])


def _flags(flags: Any, rows: int) -> NDArray[np.bool_]:  # noqa: ANN401 # one flag, one for each row, or some for each
    given = np.asarray(flags, bool)
    if given.ndim == _TABLE and len(given) == rows:
        given = np.logical_or.reduce(given, axis=1)
    return np.full(rows, given) if given.ndim == 0 else given.reshape(rows)


def _greatest(shares: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    if shares.ndim == _TABLE and len(shares) == rows:
        shares = np.maximum.reduce(shares, axis=1)
    return shares.reshape(rows)


def _values(given: Any, rows: int) -> list[Any]:  # noqa: ANN401 # one value, or one for each row
    values = [given] * rows if isinstance(given, (str, int)) else list(columns.values_of(given))
    if len(values) != rows:
        raise ValueError(f"a slice has {len(values)} rows, the predictions have {rows}")
    return values
