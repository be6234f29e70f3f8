"""From a declared SLI to the counters behind it: what each series adds to the total and to the bad requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seatrial.api.templates import MEANINGS
from seatrial.metrics import templates
from seatrial.metrics.selector import Matcher, Selector, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.metrics.types import Edge, Sli, Slicing


@dataclass(frozen=True, slots=True)
class Weights:
    """What one more count of a series adds to the total and to the bad requests: -1, 0 or 1 each."""

    total: int
    bad: int


@dataclass(frozen=True, slots=True)
class Counting:
    """How an SLI is counted: all events, and the part of them that is either good or bad.

    Attributes
    ----------
    totals
        Selectors of all events; a series counts once, however many of them select it.
    part, part_is_good
        Selector of the good or the bad ones, and which of the two.
    elsewhere
        Whether the series come from something else than the version's own pods, such as a gateway.
    edge
        What counts when the histogram has no edge at the threshold; see ``metrics.edges``.
    spread
        Whether all edges of the histogram are wanted.
    slices
        How a budget counts slices of time; None when it counts events.
    """

    totals: tuple[Selector, ...]
    part: Selector
    part_is_good: bool
    elsewhere: bool = False
    edge: Edge = "exact"
    spread: bool = False
    slices: Slicing | None = None

    @property
    def metrics(self) -> frozenset[str]:
        """Names of the metrics to read."""
        return frozenset(selector.metric for selector in (*self.totals, self.part))

    @property
    def edges(self) -> frozenset[float]:
        """Bucket edges to read, in the metric's own unit."""
        return frozenset(selector.edge for selector in (*self.totals, self.part) if selector.edge is not None)

    def weights(self, labels: Mapping[str, str]) -> Weights | None:
        """Say how a series counts; None when it doesn't. ``labels`` hold ``__name__``."""
        total = int(any(selector.accepts(labels) for selector in self.totals))
        part = int(self.part.accepts(labels))
        bad = total - part if self.part_is_good else part
        return Weights(total, bad) if total or part else None


def counting(sli: Sli) -> Counting:
    """Resolve an SLI.

    Raises
    ------
    ValueError
        With one sentence for the user: unknown template or server, a template that the server can't serve (and what to
        use instead), a threshold that is missing, or a selector that is no plain selector.
    """
    if sli.template is None:
        if sli.good is None or sli.total is None:
            raise ValueError(f"objective {sli.name}: name a template, or give both of the selectors good and total")
        return Counting(totals=(parse(sli.total),), part=parse(sli.good), part_is_good=True)
    template = templates.find(sli.template, sli.server)
    meaning = MEANINGS[sli.template]
    if not {*meaning.where} <= {label for label, _ in sli.where}:
        raise ValueError(f"objective {sli.name}: the template {sli.template} needs where: {meaning.example}")
    elsewhere = templates.server_of(sli.server).source_of(sli.template) != "pod"
    if isinstance(template, templates.Ratio):
        totals, part = [parse(text) for text in template.total], parse(template.good or template.bad or "")
        return Counting(
            totals=tuple(_narrowed(total, sli) for total in totals),
            part=_narrowed(part, sli),
            part_is_good=template.good is not None,
            elsewhere=elsewhere,
        )
    if sli.threshold is None or sli.threshold <= 0:
        example = "250ms" if meaning.threshold == "time" else "0.5"
        raise ValueError(f"objective {sli.name}: the template {sli.template} needs a threshold, such as {example}")
    every, good = template.counters(sli.threshold)
    return Counting(
        totals=(_narrowed(every, sli),),
        part=_narrowed(good, sli),
        part_is_good=True,
        elsewhere=elsewhere,
        edge=sli.edge,
        spread=sli.spread,
    )


def _narrowed(selector: Selector, sli: Sli) -> Selector:
    """Select only those of the series that have the labels that the SLI asks for."""
    return replace(selector, matchers=(*selector.matchers, *(Matcher(name, "=", value) for name, value in sli.where)))
