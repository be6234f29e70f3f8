"""What is said in the log of what could not be counted: once a minute, and never a value of somebody's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG: Final = logging.getLogger("seatrial_instrument")
_EVERY_S: Final = 60.0


class Complaints:
    """Tells of the errors of one model.

    Parameters
    ----------
    model_name
        The model.
    clock
        Monotonic seconds.
    """

    def __init__(self, model_name: str, clock: Callable[[], float]) -> None:
        self._model_name, self._clock, self._told_s = model_name, clock, float("-inf")

    def tell(self, error: BaseException) -> None:
        """Log the kind and the place of an error, unless one was told just now; its text may hold a value."""
        if self._clock() - self._told_s < _EVERY_S:
            return
        self._told_s = self._clock()
        _LOG.warning(
            "model %s: a batch could not be counted (%s at %s); Options(strict=True) shows why, in a test",
            self._model_name,
            type(error).__name__,
            _place_of(error),
        )


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
