"""How clustered bad events usually are, from minute to minute over the last hours, for all versions together.

Only sums are kept: a handful of numbers for each hour of a version, however many requests it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seatrial.judge.dispersion import Clustering, usual_dispersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.metrics.book import Owner
    from seatrial.metrics.tiles import Counts

MINUTE_S: Final = 60
_HOUR: Final = 60
HISTORY: Final = 6 * _HOUR
"""Minutes that are looked back on."""


class Minutes:
    """The finished minutes of one SLI; a minute is known by its beginning in minutes of Unix time."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._hours: dict[Owner, dict[int, Clustering]] = {}

    def missing(self, end_minute: int) -> Iterator[range]:
        """Find the minutes before ``end_minute`` that were not put yet, in runs of at most an hour, oldest first."""
        begin = end_minute - HISTORY if self._next is None else max(self._next, end_minute - HISTORY)
        for start in range(begin, end_minute, _HOUR):
            yield range(start, min(start + _HOUR, end_minute))

    def put(self, minute: int, counts: Counts) -> None:
        """Put what was counted in a minute; minutes come in their order. Hours that lie too far back are forgotten."""
        hour = minute // _HOUR
        for owner, (total, bad) in counts.items():
            hours = self._hours.setdefault(owner, {})
            newest = hours.get(max(hours, default=hour), Clustering())
            known = hours.get(hour, Clustering(total=newest.total, bad=newest.bad))
            hours[hour] = known.then(total, bad)
        self._next = minute + 1
        if minute % _HOUR == 0:
            self._tidy(hour)

    def dispersion(self) -> dict[Owner, float]:
        """Tell the dispersion of each version of which it can be told."""
        found = {owner: usual_dispersion(list(hours.values())) for owner, hours in self._hours.items()}
        return {owner: usual for owner, usual in found.items() if usual is not None}

    def _tidy(self, hour: int) -> None:
        oldest = hour - HISTORY // _HOUR
        for owner, hours in list(self._hours.items()):
            self._hours[owner] = {known: sums for known, sums in hours.items() if known > oldest}
            if not self._hours[owner]:
                del self._hours[owner]
