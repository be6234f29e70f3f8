"""Counts over the long windows of error budgets, for all rollouts together.

The judgement of a trial needs exact counts from raw samples; a budget over weeks needs a sum that can be had cheaply
once a minute. Windows of up to six hours are asked for as they are. Longer ones are finished hours, each asked for once
(``tiles``), and the rest up to now. How clustered bad events are is followed from minute to minute (``minutes``).
Total and part are evaluated at the same instants, and a part that exceeds its total after a reset is cut to it: no SLI
is ever above 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from seatrial.metrics.book import Owner, owner_of
from seatrial.metrics.counting import Counting, counting
from seatrial.metrics.edges import bracketed, every_edge, used_instead
from seatrial.metrics.errors import BadQuery, TooLarge, Unavailable
from seatrial.metrics.minutes import MINUTE_S, Minutes
from seatrial.metrics.reader import Client
from seatrial.metrics.selector import edge_value
from seatrial.metrics.sliced import asked
from seatrial.metrics.tiles import HOUR_S, Tiles
from seatrial.metrics.types import BudgetAsk, BudgetReadings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from seatrial.metrics.prometheus import RawSeries
    from seatrial.metrics.sliced import Asked
    from seatrial.metrics.tiles import Counts

    Found = TypeVar("Found")

# An hour is asked for once everything that belongs to it is sure to be visible.
_SETTLE_S: Final = 120.0
_LONGEST_AT_ONCE_S: Final = 6 * HOUR_S


class RangeClient(Client, Protocol):
    """Whoever evaluates queries, at one instant or at many."""

    async def query_range(self, promql: str, start_s: int, end_s: int, step_s: int) -> list[RawSeries]:
        """Evaluate a query at each step, in Unix seconds; raise ``Unavailable`` or ``BadQuery``."""
        ...


class PrometheusBudgets:
    """Counts over long windows, read from Prometheus.

    Parameters
    ----------
    client
        Whom to ask.
    clock
        Unix time in seconds.
    """

    def __init__(self, client: RangeClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._past: dict[Counting, Tiles] = {}
        self._minutes: dict[Counting, Minutes] = {}

    async def read(self, asks: Sequence[BudgetAsk]) -> BudgetReadings:
        """Count all windows of all asks.

        The first time it reads the whole past of the longest window, a day at a time; later only what is new. SLIs that
        can't be counted, and rollouts without any series, are left out.
        """
        now_s = self._clock()
        by_counting: dict[Counting, list[BudgetAsk]] = {}
        notes: dict[tuple[str, str, str], str] = {}
        try:
            for ask, how, note in await self._countings(asks, now_s):
                by_counting.setdefault(how, []).append(ask)
                if note:
                    notes[ask.namespace, ask.rollout, ask.sli.name] = note
        except Unavailable as error:
            return BudgetReadings(now_s, str(error), {})
        self._past = {how: tiles for how, tiles in self._past.items() if how in by_counting}
        self._minutes = {how: minutes for how, minutes in self._minutes.items() if how in by_counting}
        dispersion: dict[tuple[str, str, str], Mapping[str, float]] = {}
        first_s: dict[tuple[str, str, str], float] = {}
        counts: dict[tuple[str, str, str], Mapping[float, Mapping[str, tuple[int, int]]]] = {}
        for how, wanted in by_counting.items():
            lengths_s = {length_s for ask in wanted for length_s in ask.windows_s}
            try:
                read = await self._read(how, lengths_s, now_s)
                usual = _by_rollout({} if how.slices else (await self._look_back(how, now_s)).dispersion())
                first = _by_rollout(self._past[how].first()) if how in self._past else {}
            except (BadQuery, TooLarge):
                # This SLI's own trouble, of which its trials tell: the budgets of the others are not to suffer from it.
                continue
            except Unavailable as error:
                return BudgetReadings(now_s, str(error), {})
            windows = {length_s: _by_rollout(found) for length_s, found in read.items()}
            for ask in wanted:
                own = {length_s: windows[length_s].get((ask.namespace, ask.rollout)) for length_s in ask.windows_s}
                counts[ask.namespace, ask.rollout, ask.sli.name] = {s: found for s, found in own.items() if found}
                dispersion[ask.namespace, ask.rollout, ask.sli.name] = usual.get((ask.namespace, ask.rollout), {})
                hours = first.get((ask.namespace, ask.rollout), {}).values()
                if hours:
                    first_s[ask.namespace, ask.rollout, ask.sli.name] = float(min(hours) * HOUR_S)
        return BudgetReadings(now_s, None, counts, dispersion, first_s, notes)

    async def _countings(self, asks: Sequence[BudgetAsk], now_s: float) -> list[tuple[BudgetAsk, Counting, str | None]]:
        """Find out how each ask is counted, and which edge counts instead of its threshold where it may be another one.

        An edge counts when all versions of a rollout have it; without any series nothing is counted yet.
        """
        resolved = [(ask, how) for ask in asks if (how := _counting(ask))]
        open_to = {how.part.metric for _, how in resolved if how.edge != "exact"}
        try:
            known = await every_edge(self._client, open_to, now_s) if open_to else {}
        except (BadQuery, TooLarge):
            known = {}
        found: list[tuple[BudgetAsk, Counting, str | None]] = []
        for ask, how in resolved:
            used = how
            if how.edge != "exact":
                whose = (ask.namespace, ask.rollout)
                own = [
                    set(map(edge_value, texts))
                    for (owner, metric), texts in known.items()
                    if owner[:2] == whose and metric == how.part.metric
                ]
                try:
                    used = bracketed(how, own[0].intersection(*own[1:]) if own else ())
                except ValueError:
                    continue
            found.append((ask, used, used_instead(how, used)))
        return found

    async def _read(self, how: Counting, lengths_s: Iterable[float], now_s: float) -> dict[float, Counts]:
        short = {length_s for length_s in lengths_s if length_s <= _LONGEST_AT_ONCE_S}
        windows = {length_s: await self._now(how, round(length_s), now_s) for length_s in sorted(short)}
        long = sorted(set(lengths_s) - short)
        if long:
            end_hour = int((now_s - _SETTLE_S) // HOUR_S)
            tiles = await self._finished(how, int((now_s - long[-1]) // HOUR_S), end_hour)
            rest = await self._now(how, round(now_s - end_hour * HOUR_S), now_s)
            for length_s in long:
                windows[length_s] = _plus(tiles.since((now_s - length_s) / HOUR_S), rest)
        return windows

    async def _finished(self, how: Counting, first_hour: int, end_hour: int) -> Tiles:
        tiles = self._past.setdefault(how, Tiles())
        for hours in tiles.missing(first_hour, end_hour):
            async for hour, counts in self._each(how, hours, HOUR_S):
                tiles.put(hour, counts)
        tiles.tidy(first_hour, end_hour)
        return tiles

    async def _look_back(self, how: Counting, now_s: float) -> Minutes:
        """Bring the minutes up to date: the last hours once, later what is new."""
        known = self._minutes.setdefault(how, Minutes())
        for minutes in known.missing(int((now_s - _SETTLE_S) // MINUTE_S)):
            async for minute, counts in self._each(how, minutes, MINUTE_S):
                known.put(minute, counts)
        return known

    async def _each(self, how: Counting, tiles: range, length_s: int) -> AsyncIterator[tuple[int, Counts]]:
        """Count tiles of the same length, each known by its beginning in units of it."""
        first_s, last_s = (tiles[0] + 1) * length_s, (tiles[-1] + 1) * length_s
        ask = asked(how, length_s)
        *totals, part = [
            await self._client.query_range(promql, first_s, last_s, length_s) for promql in (*ask.totals, ask.part)
        ]
        for tile in tiles:
            end_s = (tile + 1) * length_s
            yield tile, _counts(ask, [_at(total, end_s) for total in totals], _at(part, end_s))

    async def _now(self, how: Counting, window_s: int, now_s: float) -> Counts:
        ask = asked(how, window_s)
        *totals, part = [await self._client.query(promql, now_s) for promql in (*ask.totals, ask.part)]
        return _counts(ask, [_values(total) for total in totals], _values(part))


def _counting(ask: BudgetAsk) -> Counting | None:
    try:
        return replace(counting(ask.sli), slices=ask.slices)
    except ValueError:
        return None


def _values(series: Iterable[RawSeries]) -> dict[Owner, float]:
    return {owner_of(one["metric"]): float(one["value"][1]) for one in series}


def _at(series: Iterable[RawSeries], at_s: int) -> dict[Owner, float]:
    found = ((one["metric"], value) for one in series for when_s, value in one["values"] if when_s == at_s)
    return {owner_of(labels): float(value) for labels, value in found}


def _counts(ask: Asked, totals: Iterable[Mapping[Owner, float]], part: Mapping[Owner, float]) -> Counts:
    """Put total and part together; without its bucket a latency says nothing, rather than that all was slow."""
    total: dict[Owner, float] = {}
    for one in totals:
        for owner, count in one.items():
            total[owner] = total.get(owner, 0.0) + count
    return {
        owner: (round(every), _bad(ask, round(every), round(part.get(owner, 0.0))))
        for owner, every in total.items()
        if owner in part or not ask.needs_part
    }


def _bad(ask: Asked, total: int, part: int) -> int:
    return min(max(total - part if ask.part_is_good else part, 0), total)


def _plus(one: Counts, other: Counts) -> Counts:
    summed = dict(one)
    for owner, (total, bad) in other.items():
        known_total, known_bad = summed.get(owner, (0, 0))
        summed[owner] = known_total + total, known_bad + bad
    return summed


def _by_rollout(found: Mapping[Owner, Found]) -> dict[tuple[str, str], dict[str, Found]]:
    rollouts: dict[tuple[str, str], dict[str, Found]] = {}
    for (namespace, rollout, version), value in found.items():
        rollouts.setdefault((namespace, rollout), {})[version] = value
    return rollouts
