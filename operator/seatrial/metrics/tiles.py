"""Counts over a long past in tiles: what is over doesn't change, so it is asked for once and then only added up.

A tile is an hour; hours that lie further back are joined to days. A window is the sum of the tiles that lie in it for
the greater part, so its beginning is exact to half a tile: half an hour for windows of up to three days, half a day
for longer ones.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from seatrial.metrics.book import Owner

    Counts = Mapping[Owner, tuple[int, int]]
    """Total and bad requests by version."""

HOUR_S: Final = 3600
_DAY: Final = 24
# Days whose hours are kept one by one.
_FINE: Final = 4 * _DAY


class _Tile(NamedTuple):
    hours: int
    total: array[int]
    bad: array[int]


class Tiles:
    """The finished hours of one SLI, for all versions together."""

    def __init__(self) -> None:
        self._tiles: dict[int, _Tile] = {}
        self._known: set[int] = set()
        # Counts stand in arrays, by the number of the version: a tile of 2,000 versions takes 32 kB.
        self._numbers: dict[Owner, int] = {}

    def missing(self, first_hour: int, end_hour: int) -> Iterator[range]:
        """Find the hours that were not put yet, in runs within one day, oldest first."""
        run: list[int] = []
        for hour in range(first_hour, end_hour):
            if run and (hour in self._known or hour % _DAY == 0):
                yield range(run[0], run[-1] + 1)
                run = []
            if hour not in self._known:
                run.append(hour)
        if run:
            yield range(run[0], run[-1] + 1)

    def put(self, hour: int, counts: Counts) -> None:
        """Put what was counted in an hour, ``hour`` being its beginning in hours of Unix time."""
        numbers = [self._numbers.setdefault(owner, len(self._numbers)) for owner in counts]
        total, bad = (array("q", bytes(8 * len(self._numbers))) for _ in range(2))
        for number, count in zip(numbers, counts.values(), strict=True):
            total[number], bad[number] = count
        self._tiles[hour] = _Tile(1, total, bad)
        self._known.add(hour)

    def tidy(self, first_hour: int, end_hour: int) -> None:
        """Drop what lies before ``first_hour``, and join the hours of days that are long over."""
        for hour in [hour for hour, tile in self._tiles.items() if hour + tile.hours <= first_hour]:
            del self._tiles[hour]
        self._known = {hour for hour in self._known if hour >= first_hour}
        for day in {hour // _DAY for hour in self._tiles if hour < end_hour - _FINE}:
            hours = range(day * _DAY, (day + 1) * _DAY)
            if all(hour in self._tiles and self._tiles[hour].hours == 1 for hour in hours):
                tiles = [self._tiles.pop(hour) for hour in hours]
                total, bad = _added([tile.total for tile in tiles]), _added([tile.bad for tile in tiles])
                self._tiles[hours[0]] = _Tile(_DAY, total, bad)

    def first(self) -> dict[Owner, int]:
        """Find the first hour of each version that has events, to the tile."""
        found: dict[int, int] = {}
        for hour in sorted(self._tiles):
            for number, count in enumerate(self._tiles[hour].total):
                if count:
                    found.setdefault(number, hour)
        return {owner: found[number] for owner, number in self._numbers.items() if number in found}

    def since(self, start_hour: float) -> Counts:
        """Add up the tiles of which the greater part lies after an instant."""
        tiles = [tile for hour, tile in self._tiles.items() if hour + tile.hours / 2 >= start_hour]
        total, bad = _added([tile.total for tile in tiles]), _added([tile.bad for tile in tiles])
        return {
            owner: (total[number], bad[number])
            for owner, number in self._numbers.items()
            if number < len(total) and total[number]
        }


def _added(columns: list[array[int]]) -> array[int]:
    summed = array("q", bytes(8 * max(map(len, columns), default=0)))
    for column in columns:
        for number, count in enumerate(column):
            summed[number] += count
    return summed
