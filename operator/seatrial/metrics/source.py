"""Counts of all rollouts on one Prometheus, read together: the number of queries doesn't grow with their number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from seatrial.metrics.book import Book, Owner, owner_of
from seatrial.metrics.edges import look_for_edges, tell_edges
from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.queries import WITNESS, Raw, spellings
from seatrial.metrics.reader import Client, Overfull, Reader
from seatrial.metrics.targets import START, UP
from seatrial.metrics.types import Measurements, Request
from seatrial.metrics.unlabelled import Unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from seatrial.metrics.prometheus import RawSeries

# A rollout that hasn't asked for so long is no longer read; when it asks again, its checkpoints tell where to go on.
_INTEREST_S: Final = 600.0
# Series after which others get their turn: a look at thousands must not hold up the ticks of all rollouts.
_BREATH: Final = 200
# A look may take a quarter of the time at most, of the operator's and of Prometheus's; more rollouts mean rarer looks.
_SHARE: Final = 4.0
_RAREST_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Horizons:
    """How far samples may lag or lie back, in seconds.

    Attributes
    ----------
    settle_s
        A scrape becomes visible at most so long after its timestamp: the longest scrape timeout, and a reserve. It
        decides how far checkpoints stay behind, and how much every look reads again.
    lookback_s
        How far before a checkpoint the baseline of a series may lie.
    fresh_s
        Age at which a scrape target counts as gone.
    chunk_s
        Longest range of one query.
    """

    settle_s: float = 15.0
    lookback_s: float = 3600.0
    fresh_s: float = 60.0
    chunk_s: float = 300.0


class _Look(NamedTuple):
    at_s: float
    unavailable: str | None
    took_s: float


class PrometheusSource:
    """The metrics source that reads Prometheus.

    One look reads the new samples of everything that any rollout asked for lately, with one query; rollouts that are
    new in it are brought up to date first, with three more for all of them together.

    Parameters
    ----------
    client
        Whom to ask.
    look_s
        Results that are younger, in seconds, are shared by whoever asks; those of a look that took long, for longer.
    clock
        Unix time in seconds.
    horizons
        How far samples may lag or lie back.
    """

    def __init__(
        self,
        client: Client,
        look_s: float,
        clock: Callable[[], float],
        horizons: Horizons = Horizons(),
    ) -> None:
        self._client = client
        self._reader = Reader(client, horizons.chunk_s)
        self._look_s = look_s
        self._clock = clock
        self._horizons = horizons
        self._asked_s: dict[tuple[str, str], float] = {}
        self._books: dict[Owner, Book] = {}
        self._spellings: set[str] = set()
        self._unlabelled = Unlabelled()
        self._last = _Look(float("-inf"), None, 0.0)
        self._covered_s = float("-inf")
        self._running: asyncio.Task[None] | None = None
        self._reading: frozenset[Book] = frozenset()

    async def measure(self, request: Request) -> Measurements:
        """Count up to now, or share what was counted less than ``look_s`` ago.

        A caller waits for one look; a rollout that comes while a look without it is under way waits for the rest of
        that look too, unless Prometheus turns out to be away.
        """
        books = self._admit(request)
        if not self._is_fresh(books):
            await self._look(books)
        return Measurements(
            at_s=self._last.at_s,
            unavailable=self._last.unavailable,
            readings={(book.owner.version, name): reading for book in books for name, reading in book.readings.items()},
            targets_up={book.owner.version: book.targets_up(self._clock()) for book in books},
            unlabelled={book.owner.version: pods for book in books if (pods := self._unlabelled.pods.get(book.owner))},
        )

    def forget(self, namespace: str, rollout: str) -> None:
        """Drop what is kept about a rollout."""
        self._asked_s.pop((namespace, rollout), None)
        for owner in [owner for owner in self._books if owner[:2] == (namespace, rollout)]:
            del self._books[owner]

    def _admit(self, request: Request) -> list[Book]:
        key = (request.namespace, request.rollout)
        self._asked_s[key] = self._clock()
        for owner in [o for o in self._books if o[:2] == key and o.version not in request.versions]:
            del self._books[owner]
        return [self._book(request, version) for version in request.versions]

    def _book(self, request: Request, version: str) -> Book:
        owner = Owner(request.namespace, request.rollout, version)
        book = self._books.get(owner)
        if book is None or not book.answers(request):
            book = self._books[owner] = Book.of(request, version, self._horizons.fresh_s)
        return book

    def _is_fresh(self, books: Iterable[Book]) -> bool:
        age_s = self._clock() - self._last.at_s
        shared_s = max(self._look_s, min(_SHARE * self._last.took_s, _RAREST_S))
        return 0 <= age_s < shared_s and (self._last.unavailable is not None or all(b.answered for b in books))

    async def _look(self, books: list[Book]) -> None:
        for _ in range(2):
            if self._running is None:
                self._drop_idle()
                self._reading = frozenset(self._books.values())
                self._running = asyncio.create_task(self._refresh(), name="prometheus-look")
            covered = self._reading.issuperset(books)
            # Shielded: a caller that gives up must not take the look away from the others.
            await asyncio.shield(self._running)
            if covered or self._last.unavailable:
                return

    async def _refresh(self) -> None:
        now_s = self._clock()
        try:
            await self._read(sorted(self._reading, key=lambda book: book.owner), now_s)
        except (Unavailable, BadQuery) as error:
            self._last = _Look(now_s, str(error), 0.0)
        else:
            self._last = _Look(now_s, None, self._clock() - now_s)
        finally:
            self._running = None

    async def _read(self, books: list[Book], now_s: float) -> None:
        known = [book for book in books if book.joined]
        if known:
            await self._feed(known, min(self._covered_s, now_s) - self._horizons.settle_s, now_s)
        self._covered_s = now_s
        await self._join([book for book in books if not book.joined], now_s)
        await self._join(await look_for_edges(self._client, books, self._spellings, now_s), now_s)
        await tell_edges(self._client, books, now_s)
        for book in books:
            book.settle(now_s - self._horizons.settle_s)
            book.publish()
        await self._unlabelled.look(self._client, books, now_s)

    async def _join(self, books: list[Book], now_s: float) -> None:
        """Bring books up to date from their checkpoints."""
        if not books:
            return
        for book in books:
            book.try_again()
        origin_s = min([now_s, *(book.origin_s for book in books if book.origin_s is not None)])
        # From a little earlier, to have the scrapes around the checkpoint as they were.
        start_s = origin_s - self._horizons.settle_s
        try:
            remembers = bool(await self._client.query(WITNESS, origin_s))
            await self._feed(books, start_s - self._horizons.lookback_s, start_s, last_only=True)
            await self._feed(books, start_s, now_s, born_at_zero=remembers)
        except (Unavailable, BadQuery):
            for book in books:
                book.rewind()
            raise
        for book in books:
            book.joined = True

    async def _feed(
        self, books: list[Book], start_s: float, end_s: float, *, born_at_zero: bool = True, last_only: bool = False
    ) -> None:
        by_owner = {book.owner: book for book in books}
        async for part in self._reader.read(self._wanted(books, start_s, end_s, last_only=last_only)):
            if isinstance(part, Overfull):
                for book in books:
                    if book.owner.version == part.version:
                        book.refuse_metric(part.metric, f"{part.metric} has too many series: {part.why}")
                continue
            for number, series in enumerate(sorted(part, key=_targets_first), start=1):
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
                labels = series["metric"]
                # The last sample of a target says nothing of its health now.
                if last_only and labels["__name__"] == UP:
                    continue
                whose = by_owner.get(owner_of(labels))
                samples = [(end_s, series["value"][1])] if last_only else series.get("values")
                if whose and samples:
                    whose.feed(labels, samples, born_at_zero=born_at_zero)

    def _wanted(self, books: Iterable[Book], start_s: float, end_s: float, *, last_only: bool) -> Raw:
        countings = {counting for book in books for counting in book.countings}
        wanted = {edge for counting in countings for edge in counting.edges}
        spelled = self._spellings.union(*map(spellings, wanted)) if wanted else set()
        return Raw(
            metrics=tuple(sorted({metric for counting in countings for metric in counting.metrics})),
            versions=tuple(sorted({book.owner.version for book in books})),
            edges=tuple(sorted(spelled)),
            start_s=start_s,
            end_s=end_s,
            last_only=last_only,
        )

    def _drop_idle(self) -> None:
        long_ago_s = self._clock() - _INTEREST_S
        for namespace, rollout in [key for key, asked_s in self._asked_s.items() if asked_s < long_ago_s]:
            self.forget(namespace, rollout)


def _targets_first(series: RawSeries) -> bool:
    return series["metric"]["__name__"] not in {UP, START}
