"""Batches that wait to be counted, copied in the cheapest way: as bytes, which are joined when they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy import ndarray

from seatrial_instrument.columns import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ABSENT: Final = np.empty((0, 0, 0))
"""Stands for what a batch has not, and takes no room."""
_TABLE: Final = 2
_MOST_FORMS: Final = 64

Form = tuple[Any, ...]
"""Class, type and shape of each of the four parts of a batch."""
Copy = tuple[bytes, bytes, bytes, bytes]
"""The four parts of a batch."""


class Batches(NamedTuple):
    """Batches of one form, joined: features, predictions, confidence, flags of defaults."""

    features: Any
    predictions: Any
    confidence: Any
    defaulted: Any


class Gathered:
    """Copies of batches whose parts are plain arrays.

    Parameters
    ----------
    width
        Columns of a matrix of features; None if none is copied as a whole.
    kinds
        Kinds of numpy whose predictions can be joined.
    """

    def __init__(self, width: int | None, kinds: str) -> None:
        self._width, self._kinds = width, (NUMBERS, kinds, "f", "b")
        self._copies: dict[Form, list[Copy]] = {}
        self._last: tuple[Form, list[Copy]] = ((), [])

    def put(self, features: Any, predictions: Any, confidence: Any, defaulted: Any) -> bool:  # noqa: ANN401 # whatever users give
        """Copy a batch if it is of a usual form; tell whether it was."""
        if predictions is None:
            predictions = _ABSENT
        if confidence is None:
            confidence = _ABSENT
        if defaulted is None:
            defaulted = _ABSENT
        try:
            form = (
                type(features), features.dtype, features.shape, type(predictions), predictions.dtype, predictions.shape,
                type(confidence), confidence.dtype, confidence.shape, type(defaulted), defaulted.dtype, defaulted.shape,
            )  # fmt: skip
            last, copies = self._last
            if form != last:
                if not self._is_usual(form):
                    return False
                copies = self._copies.setdefault(form, [])
                self._last = form, copies
            copies.append((features.tobytes(), predictions.tobytes(), confidence.tobytes(), defaulted.tobytes()))
        except (AttributeError, TypeError, ValueError):  # other things than arrays
            return False
        return True

    def take(self) -> Iterator[Batches]:
        """Hand over all batches, those of one form as one."""
        for form, waiting in [*self._copies.items()]:
            copies = waiting[:]
            del waiting[: len(copies)]  # another thread may have added more
            if copies:
                yield _joined(form, copies)

    def _is_usual(self, form: Form) -> bool:
        """Tell whether batches of a form can be counted together: a matrix, and with each row a value or some."""
        if len(form[2]) != _TABLE or form[2][1] != self._width or len(self._copies) >= _MOST_FORMS:
            return form in self._copies
        rows = form[2][0]
        for part, (kinds, most) in enumerate(zip(self._kinds, (2, 1, 2, 2), strict=True)):
            cls, dtype, shape = form[3 * part : 3 * part + 3]
            if shape == _ABSENT.shape:
                continue
            if cls is not ndarray or dtype.kind not in kinds or len(shape) > most or shape[:1] != (rows,):
                return False
        return bool(rows)


def _joined(form: Form, copies: Sequence[Copy]) -> Batches:
    parts: list[Any] = []
    for part, pieces in enumerate(zip(*copies, strict=True)):
        dtype, shape = form[3 * part + 1 : 3 * part + 3]
        if shape == _ABSENT.shape:
            parts.append(None)
        else:
            parts.append(np.frombuffer(b"".join(pieces), dtype).reshape(len(copies) * shape[0], *shape[1:]))
    return Batches(*parts)
