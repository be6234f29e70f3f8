"""The PromQL that is asked: raw samples of plain selectors, and nothing that Prometheus would have to estimate."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from seatrial.metrics.targets import START, UP

if TYPE_CHECKING:
    from collections.abc import Iterable

# Below this a range is not cut any further when an answer is too large: then there are too many series.
_SHORTEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Raw:
    """All raw samples of some metrics of some versions between two instants, as one query.

    One query for all metrics, because within a query Prometheus shows a scrape either whole or not at all (TSDB
    isolation): the good and the total of a scrape can't be torn apart.

    Attributes
    ----------
    metrics
        Names of the counters; ``up`` and the start of the processes are always read with them.
    versions
        Hashes of the versions.
    edges
        Spellings of the bucket edges that are wanted; empty when no histogram is read.
    start_s, end_s
        Unix times in seconds. Prometheus 2 includes a sample at exactly ``start_s``, Prometheus 3 doesn't.
    last_only
        Only the last sample of each series in the range.
    """

    metrics: tuple[str, ...]
    versions: tuple[str, ...]
    edges: tuple[str, ...]
    start_s: float
    end_s: float
    last_only: bool = False

    @property
    def promql(self) -> str:
        """Text of an instant query, to be evaluated at ``end_s``."""
        samples = f"{self._selector}[{round((self.end_s - self.start_s) * 1000)}ms]"
        return f"last_over_time({samples})" if self.last_only else samples

    @property
    def _selector(self) -> str:
        edges = f',le=~"|{any_of(self.edges)}"' if self.edges else ""
        return f'{{__name__=~"{any_of((UP, START, *self.metrics))}",rollout_version=~"{any_of(self.versions)}"{edges}}}'

    def halves(self) -> tuple[Raw, Raw] | None:
        """Cut in two: by time, by metrics, by versions, whichever can be cut; None when nothing can."""
        if self.end_s - self.start_s > _SHORTEST_S and not self.last_only:
            middle_s = (self.start_s + self.end_s) / 2
            return replace(self, end_s=middle_s), replace(self, start_s=middle_s)
        if len(self.metrics) > 1:
            first, second = _halved(self.metrics)
            return replace(self, metrics=first), replace(self, metrics=second)
        if len(self.versions) > 1:
            first, second = _halved(self.versions)
            return replace(self, versions=first), replace(self, versions=second)
        return None


WITNESS: Final = f"count({UP})"
"""Asks whether Prometheus remembers anything at all of the time just before the evaluation."""


def any_of(texts: Iterable[str]) -> str:
    """Write the inside of a quoted regular expression that matches each of the texts and nothing else."""
    # Escaped twice: for the regular expression, and for the string that it stands in.
    return "|".join(re.escape(text).replace("\\", "\\\\").replace('"', '\\"') for text in texts)


def _halved(items: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]
