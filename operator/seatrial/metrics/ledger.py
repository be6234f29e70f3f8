"""Exact counting: raw samples of counters go in, the requests since a checkpoint come out.

``rate()`` and ``increase()`` guess: they extrapolate to the edges of their window, lose the first count of a new
series, and read numerator and denominator at different instants. Here each series has a cursor, the newest sample
counted of it, and each newer sample adds its difference, so any schedule of looks gives the same totals:

- The baseline is the last sample at or before the checkpoint. A series without one was born later and counts from zero.
- A value that drops is a restart of the process: the counter began again at zero, so the whole new value is added.
  A counter can also pass its old value between two samples; ``reborn`` tells when (see ``targets.Target``).
- A series that ends keeps what it has added. NaN and infinite values are no counts and are passed over.
- All series of one scrape share one timestamp; a cut of the ledger at an instant holds whole scrapes only, so the bad
  requests of a cut are a part of its total.
- Scrapes of different pods become visible in any order. Cursors are kept per series, and the checkpoint stays behind
  the instant up to which everything is visible.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from seatrial.metrics.types import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from seatrial.judge.dispersion import Clustering
    from seatrial.metrics.counting import Weights


def _never(_seen_s: float, _again_s: float) -> bool:
    return False


class _Cursor(NamedTuple):
    at_s: float
    value: int


class Ledger:
    """Counts of one SLI of one version, from a checkpoint on.

    Parameters
    ----------
    checkpoint
        Where to count from: its totals are the start, samples up to its instant are baselines only.
    """

    __slots__ = ("_cursors", "_fault", "_origin_s", "_pending", "_running_bad", "_running_total", "checkpoint")

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._origin_s = checkpoint.at_s
        self._running_total = checkpoint.total
        self._running_bad = checkpoint.bad
        self._cursors: dict[Hashable, _Cursor] = {}
        self._pending: dict[float, tuple[int, int]] = {}
        self._fault: tuple[Hashable, float] | None = None

    @property
    def total(self) -> int:
        """Requests since the trial began."""
        return self._running_total

    @property
    def bad(self) -> int:
        """Bad requests among them; kept inside the total while a server counts a good answer before it counts it."""
        return min(max(self._running_bad, 0), self._running_total)

    @property
    def excess(self) -> int:
        """By how much the good requests outnumber all requests."""
        return max(-self._running_bad, 0)

    @property
    def fault(self) -> str | None:
        """Why a series of this ledger is no counter of requests; None while all of them are."""
        if self._fault is None:
            return None
        return (
            f"a counter of requests can't have the value {self._fault[1]:g}; its values must be whole and not negative"
        )

    def add(
        self,
        series: Hashable,
        weights: Weights,
        samples: Sequence[tuple[float, str]],
        *,
        reborn: Callable[[float, float], bool] = _never,
        born_at_zero: bool = True,
    ) -> None:
        """Count the new ones among the samples of a series.

        Parameters
        ----------
        series
            Identity of the series.
        weights
            What a count of it adds.
        samples
            (Unix time in seconds, value), oldest first, as Prometheus gives them; known ones may come again.
        reborn
            Tells whether the counter began again at zero between two instants, whatever its values say.
        born_at_zero
            Whether a series without a baseline began at zero. False makes its first sample the baseline: when
            Prometheus has no memory of the time before, an old series looks like a new one.
        """
        cursor = self._cursors.get(series)
        first_new = len(samples)
        while first_new and (cursor is None or samples[first_new - 1][0] > cursor.at_s):
            first_new -= 1
        for at_s, text in samples[first_new:]:
            exact = float(text)
            if not math.isfinite(exact):
                continue
            value = int(exact)
            if value != exact or value < 0:
                self._fault = series, exact
                continue
            if self._fault and self._fault[0] == series:
                self._fault = None
            if at_s > self._origin_s and (cursor or born_at_zero):
                goes_on = cursor and value >= cursor.value and not reborn(cursor.at_s, at_s)
                self._count(at_s, weights, value - cursor.value if cursor and goes_on else value)
            cursor = _Cursor(at_s, value)
        if cursor is not None:
            self._cursors[series] = cursor

    @property
    def clustering(self) -> Clustering:
        """How the bad requests fell on the scrapes so far; the scrapes of all pods in the order of their times."""
        found = self.checkpoint.clustering
        for at_s in sorted(self._pending):
            total, bad = self._pending[at_s]
            found = found.then(total, min(max(bad, 0), total))
        return found

    def settle(self, up_to_s: float) -> None:
        """Move the checkpoint to ``up_to_s``, by when every sample is known to be visible.

        It stops at the last instant where the bad requests are a part of the total, because only there the split of
        both is final; the next scrape brings the missing half.
        """
        if up_to_s <= self.checkpoint.at_s:
            return
        instants = sorted(at_s for at_s in self._pending if at_s <= up_to_s)
        sound, cut = self.checkpoint, 0
        total, bad, clustering = sound.total, sound.bad, sound.clustering
        for index, at_s in enumerate(instants, start=1):
            more_total, more_bad = self._pending[at_s]
            total, bad = total + more_total, bad + more_bad
            clustering = clustering.then(more_total, min(max(more_bad, 0), more_total))
            if 0 <= bad <= total:
                sound, cut = Checkpoint(max(at_s, sound.at_s), total, bad, clustering), index
        if cut == len(instants):
            sound = replace(sound, at_s=up_to_s)
        self.checkpoint = sound
        for at_s in instants[:cut]:
            del self._pending[at_s]

    def _count(self, at_s: float, weights: Weights, more: int) -> None:
        if more == 0:
            return
        total, bad = more * weights.total, more * weights.bad
        self._running_total += total
        self._running_bad += bad
        known_total, known_bad = self._pending.get(at_s, (0, 0))
        self._pending[at_s] = known_total + total, known_bad + bad
