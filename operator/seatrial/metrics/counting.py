"""From a declared SLI to the counters behind it: what each series adds to the total and to the bad requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.metrics import templates
from seatrial.metrics.selector import Selector, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.metrics.types import Sli


@dataclass(frozen=True, slots=True)
class Weights:
    """What one more count of a series adds to the total and to the bad requests: -1, 0 or 1 each."""

    total: int
    bad: int


@dataclass(frozen=True, slots=True)
class Counting:
    """How an SLI is counted: all requests, and the part of them that is either good or bad."""

    total: Selector
    part: Selector
    part_is_good: bool

    @property
    def metrics(self) -> frozenset[str]:
        """Names of the metrics to read."""
        return frozenset({self.total.metric, self.part.metric})

    @property
    def edges(self) -> frozenset[float]:
        """Bucket edges to read, in the metric's own unit."""
        return frozenset(edge for edge in (self.total.edge, self.part.edge) if edge is not None)

    def weights(self, labels: Mapping[str, str]) -> Weights | None:
        """Say how a series counts; None when it doesn't. ``labels`` hold ``__name__``."""
        total = int(self.total.accepts(labels))
        part = int(self.part.accepts(labels))
        bad = total - part if self.part_is_good else part
        return Weights(total, bad) if total or part else None


def counting(sli: Sli) -> Counting:
    """Resolve an SLI.

    Raises
    ------
    ValueError
        With one sentence for the user: unknown template or server, a threshold that is missing, or a selector that is
        no plain selector.
    """
    if sli.template is None:
        if sli.good is None or sli.total is None:
            raise ValueError(f"objective {sli.name}: name a template, or give both of the selectors good and total")
        return Counting(total=parse(sli.total), part=parse(sli.good), part_is_good=True)
    template = templates.find(sli.template, sli.server)
    if isinstance(template, templates.Availability):
        total, bad = template.counters()
        return Counting(total=total, part=bad, part_is_good=False)
    if sli.threshold_s is None or sli.threshold_s <= 0:
        raise ValueError(f"objective {sli.name}: the template {sli.template} needs a threshold, such as 250ms")
    every, good = template.counters(sli.threshold_s)
    return Counting(total=every, part=good, part_is_good=True)
