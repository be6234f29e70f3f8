"""Change windows: when trials may start and steps may be taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

from seatrial.api.fields import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.strategy import Window


@dataclass(frozen=True, slots=True)
class Closed:
    """Why nothing may go on now, and when that ends."""

    opens_at_s: float

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return f"all change windows are closed; the next one opens at {format_time(self.opens_at_s)}"


def closed(windows: Sequence[Window] | None, now_s: float) -> Closed | None:
    """Tell whether every window is closed.

    Parameters
    ----------
    windows
        The windows; None means that nothing is ever closed.
    now_s
        Unix time, in seconds.

    Raises
    ------
    ValueError
        When a cron expression or a time zone is none; :func:`check` tells it beforehand.
    """
    if windows is None:
        return None
    opens = []
    for window in windows:
        now = datetime.fromtimestamp(now_s, ZoneInfo(window.time_zone))
        # one second ahead: the search backwards leaves its own start out
        opened = next(CronSim(window.cron, datetime.fromtimestamp(now_s + 1, now.tzinfo), reverse=True), None)
        if opened and now_s < opened.timestamp() + window.for_:
            return None
        opens.append(next(CronSim(window.cron, now)).timestamp())
    return Closed(min(opens))


def check(windows: Sequence[Window] | None) -> None:
    """Refuse windows that can't be used.

    Raises
    ------
    ValueError
        With a sentence that names the window.
    """
    for window in windows or ():
        try:
            next(CronSim(window.cron, datetime.now(ZoneInfo(window.time_zone))))
        except Exception as error:
            raise ValueError(f"strategy.windows: {window.cron!r} in {window.time_zone}: {error}") from error
