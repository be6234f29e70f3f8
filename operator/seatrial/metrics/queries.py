"""The PromQL that is asked: raw samples of plain selectors, and nothing that Prometheus would have to estimate."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from seatrial.metrics.selector import EDGE
from seatrial.metrics.targets import START, UP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.metrics.selector import Selector

# Below this a range is not cut any further when an answer is too large: then there are too many series.
_SHORTEST_S = 60.0
# A reset just before a window shows only between the samples on both sides of its beginning.
_BEFORE_S = 120


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


OWNER: Final = "namespace, rollout_name, rollout_version"
"""Labels by which series belong to a version."""

WITNESS: Final = f"count({UP})"
"""Asks whether Prometheus remembers anything at all of the time just before the evaluation."""


def increase(selector: Selector, window_s: int, lookback_s: int = 3600) -> str:
    """Ask how much the selected counters of every version rose in a window that ends at the evaluation.

    The last value minus the last one before the window, or minus nothing for a series that is born in the window: whole
    numbers, without the extrapolation of ``increase()``, and of adjacent windows they add up exactly. Only a series
    that was reset in the window is left to ``increase()``, which may miss one scrape at either end and the first
    value of the new process.

    Parameters
    ----------
    selector
        Which counters.
    window_s
        Length of the window in seconds.
    lookback_s
        How long before the window the last value may lie; a counter that was seen before that and comes back looks as
        if it were born in the window.
    """
    series = _text(selector)
    last, before = (
        f"last_over_time({series}[{window_s}s])",
        f"last_over_time({series}[{lookback_s}s] offset {window_s}s)",
    )
    return (
        f"sum by ({OWNER}) "
        f"((({last} - {before}) or {last}) unless resets({series}[{window_s + _BEFORE_S}s]) > 0 "
        f"or increase({series}[{window_s}s]))"
    )


def _text(selector: Selector) -> str:
    conditions = [
        f'{EDGE}=~"{any_of(sorted(spellings(float(m.value))))}"'
        if m.label == EDGE
        else f"{m.label}{m.operator}{json.dumps(m.value, ensure_ascii=False)}"
        for m in selector.matchers
    ]
    ours = 'rollout_version!=""'
    return f"{selector.metric}{{{','.join([*conditions, ours])}}}"


def spellings(edge: float) -> frozenset[str]:
    """Spell a bucket edge in the ways of the usual clients and of Prometheus 2 (as exposed) and 3 (always a float).

    For 1000000 these are 1000000.0 and 1e+06 (Python), 1000000 (Java, Node) and 1e+06 (Go).
    """
    texts = {repr(edge), _exponential(edge)}
    if edge.is_integer():
        texts.add(str(int(edge)))
    return frozenset(text.replace("inf", "+Inf") for text in texts)


def _exponential(edge: float) -> str:
    shortest = next(text for text in (f"{edge:.{digits}e}" for digits in range(17)) if float(text) == edge)
    return shortest if abs(edge) not in {0.0, float("inf")} else repr(edge)


def any_of(texts: Iterable[str]) -> str:
    """Write the inside of a quoted regular expression that matches each of the texts and nothing else."""
    # Escaped twice: for the regular expression, and for the string that it stands in.
    return "|".join(re.escape(text).replace("\\", "\\\\").replace('"', '\\"') for text in texts)


def _halved(items: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]
