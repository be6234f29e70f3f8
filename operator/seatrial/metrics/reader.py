"""Reads ranges of raw samples: long ones in chunks, and answers that are too large in halves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from seatrial.metrics.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from seatrial.metrics.prometheus import RawSeries
    from seatrial.metrics.queries import Raw


class Client(Protocol):
    """Whoever evaluates instant queries."""

    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        """Evaluate a query at a Unix time in seconds; raise ``Unavailable`` or ``BadQuery``."""
        ...


class Overfull(NamedTuple):
    """One metric of one version that has more series than can be read; nothing of it was read."""

    metric: str
    version: str
    why: str


class Reader:
    """Reads raw samples.

    Parameters
    ----------
    client
        Whom to ask.
    chunk_s
        Longest range of one query, in seconds.
    """

    def __init__(self, client: Client, chunk_s: float) -> None:
        self._client = client
        self._chunk_s = chunk_s

    async def read(self, wanted: Raw) -> AsyncIterator[list[RawSeries] | Overfull]:
        """Read a range, oldest samples first. What one version has too much of must not blind the others."""
        for chunk in self._chunks(wanted):
            async for part in self._parts(chunk):
                yield part

    def _chunks(self, wanted: Raw) -> Iterator[Raw]:
        if wanted.last_only:
            yield wanted
            return
        start_s = wanted.start_s
        while start_s < wanted.end_s:
            end_s = min(start_s + self._chunk_s, wanted.end_s)
            yield replace(wanted, start_s=start_s, end_s=end_s)
            start_s = end_s

    async def _parts(self, wanted: Raw) -> AsyncIterator[list[RawSeries] | Overfull]:
        try:
            answer = await self._client.query(wanted.promql, wanted.end_s)
        except TooLarge as error:
            halves = wanted.halves()
            if halves is None:
                if not wanted.metrics:
                    raise
                yield Overfull(wanted.metrics[0], wanted.versions[0], str(error))
                return
        else:
            yield answer
            return
        for half in halves:
            async for part in self._parts(half):
                yield part
