"""What is said in the log of what goes wrong: once a minute, and never a value of somebody's."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG: Final = logging.getLogger("seatrial_instrument")
_EVERY_S: Final = 60.0


class Complaints:
    """Warns once a minute at most.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._told_s = clock, float("-inf")

    def tell(self, text: str) -> None:
        """Log a warning, unless there was one just now."""
        if self._clock() - self._told_s >= _EVERY_S:
            self._told_s = self._clock()
            _LOG.warning("%s", text)


def uncounted(model_name: str, error: BaseException) -> str:
    """Say of what kind an error was and where, but not its text, which may hold a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    return (
        f"model {model_name}: a batch could not be counted ({type(error).__name__} at {place}); Options(strict=True) "
        "shows why, in a test"
    )
