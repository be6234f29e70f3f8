"""Chooses the rows whose features are counted."""

from __future__ import annotations

import math
import random
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial_instrument.request import Request

_NONE: Final = slice(0, 0)
ALL: Final = slice(None)


class Sampler:
    """Samples requests by their id, and caps rows per second.

    Parameters
    ----------
    ratio
        Share of requests, 0..1. A request is sampled as a whole.
    max_rows_per_s
        Cap; of a batch that exceeds it, every n-th row is taken.
    clock
        Monotonic seconds.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    def __init__(self, ratio: float, max_rows_per_s: float, clock: Callable[[], float]) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f"sample_ratio is {ratio}; give a share between 0 and 1")
        if max_rows_per_s < 1:
            raise ValueError(f"max_rows_per_s is {max_rows_per_s}; give at least 1")
        self._ratio, self._max, self._clock = ratio, max_rows_per_s, clock
        self._left, self._at_s = max_rows_per_s, clock()

    def pick(self, rows: int, request: Request | None) -> slice:
        """Choose rows of a batch.

        Parameters
        ----------
        rows
            Rows of the batch.
        request
            Its id decides; without it, chance does.
        """
        if self._ratio < 1 and share_of(request.id if request else None) >= self._ratio:
            return _NONE
        if rows > self._left:  # otherwise what has come to it since does not matter yet
            now_s = self._clock()
            self._left = min(self._max, self._left + (now_s - self._at_s) * self._max)
            self._at_s = now_s
        if rows <= self._left:
            self._left -= rows
            return ALL
        if self._left < 1:
            return _NONE
        every = math.ceil(rows / self._left)
        self._left -= math.ceil(rows / every)
        return slice(0, None, every)


def share_of(request_id: str | None) -> float:
    """Map a request to 0..1, evenly and everywhere alike; without an id, by chance."""
    if request_id is None:
        return random.random()  # noqa: S311 # this chooses samples, not keys
    return zlib.crc32(request_id.encode()) / 2**32
