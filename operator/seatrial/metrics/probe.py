"""Try SLIs on a live Prometheus: which series they find, with which versions and edges, and what they count now.

Counts are those of ``PrometheusSource``, so what is found here is what the operator would count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from seatrial.metrics import templates
from seatrial.metrics.counting import Counting, counting
from seatrial.metrics.edges import thresholds
from seatrial.metrics.queries import any_of
from seatrial.metrics.selector import EDGE
from seatrial.metrics.source import PrometheusSource
from seatrial.metrics.templates import Histogram
from seatrial.metrics.types import Checkpoint, Reading, Request, Sli

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.metrics.reader import Client

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What an SLI finds of one version.

    Attributes
    ----------
    version
        Hash of the version.
    series
        How many series count for it.
    total, bad
        Events of the window; None without a threshold.
    problem
        Why they can't be counted, in one sentence.
    """

    version: str
    series: int
    total: int | None = None
    bad: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one SLI finds.

    Attributes
    ----------
    sli
        The SLI.
    metrics
        Names of the metrics that it reads.
    seen
        By version, in the order of their hashes.
    edges
        Thresholds that the histogram allows, ascending; empty for plain counters.
    problem
        Why it can't be used as it is, in one sentence with what to do.
    note
        Which edge counts instead of the threshold.
    """

    sli: Sli
    metrics: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    edges: tuple[str, ...] = ()
    problem: str | None = None
    note: str | None = None

    @property
    def works(self) -> bool:
        """Whether the operator could judge by it."""
        return self.problem is None and bool(self.seen) and all(seen.problem is None for seen in self.seen)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Whose series are looked for, and over which time.

    Attributes
    ----------
    namespace, name
        The ModelDeployment.
    window_s
        How far back events are counted, in seconds.
    """

    namespace: str
    name: str
    window_s: float = 300.0

    @property
    def labels(self) -> str:
        """The conditions that select its series, whatever their version."""
        return f'namespace={json.dumps(self.namespace)},rollout_name={json.dumps(self.name)},rollout_version!=""'


async def recognise(client: Client, rollout: Rollout, now_s: float) -> list[str]:
    """Name the servers of which all metrics of a template are there, those with most templates first.

    Raises
    ------
    Unavailable, BadQuery
        When Prometheus can't be asked.
    """
    wanted = {
        name: [{text.partition("{")[0].strip() for text in template.texts} for template in server.templates.values()]
        for name, server in templates.servers().items()
    }
    every = sorted({metric for groups in wanted.values() for group in groups for metric in group})
    promql = f'group by (__name__) ({{__name__=~"{any_of(every)}",{rollout.labels}}})'
    there = {series["metric"]["__name__"] for series in await client.query(promql, now_s)}
    score = {name: sum(group <= there for group in groups) for name, groups in wanted.items()}
    return sorted((name for name, count in score.items() if count), key=lambda name: (-score[name], name))


async def probe(client: Client, rollout: Rollout, slis: Sequence[Sli], now_s: float) -> list[Finding]:
    """Try SLIs.

    Parameters
    ----------
    client
        Whom to ask.
    rollout
        Whose series to look for.
    slis
        What to try; their names must differ. A template with a histogram may lack its threshold: then its edges are
        all that is told.
    now_s
        Unix time in seconds.

    Raises
    ------
    Unavailable, BadQuery
        When Prometheus can't be asked.
    """
    found = [await _look(client, rollout, sli, now_s) for sli in slis]
    versions = sorted({seen.version for finding in found for seen in finding.seen})
    countable = tuple(f.sli for f in found if f.problem is None and not _needs_threshold(f.sli))
    if not versions or not countable:
        return found
    begin = Checkpoint(now_s - rollout.window_s, 0, 0)
    since = {(version, sli.name): begin for version in versions for sli in countable}
    source = PrometheusSource(client, look_s=0.0, clock=lambda: now_s)
    measured = await source.measure(Request(rollout.namespace, rollout.name, tuple(versions), countable, since))
    return [_counted(finding, measured.readings) for finding in found]


def _counted(finding: Finding, readings: Mapping[tuple[str, str], Reading]) -> Finding:
    seen = []
    for one in finding.seen:
        reading = readings.get((one.version, finding.sli.name))
        seen.append(replace(one, total=reading.total, bad=reading.bad, problem=reading.problem) if reading else one)
        finding = replace(finding, note=reading.note) if reading else finding
    return replace(finding, seen=tuple(seen))


def _needs_threshold(sli: Sli) -> bool:
    if sli.template is None or sli.threshold is not None:
        return False
    return isinstance(templates.find(sli.template, sli.server), Histogram)


async def _look(client: Client, rollout: Rollout, sli: Sli, now_s: float) -> Finding:
    try:
        # Any threshold serves to find out which series there are.
        open_ended = _needs_threshold(sli)
        how = counting(replace(sli, threshold=Decimal(1)) if open_ended else sli)
    except ValueError as error:
        return Finding(sli, problem=str(error))
    metrics = tuple(sorted(how.metrics))
    series = await client.query(f'{{__name__=~"{any_of(metrics)}",{rollout.labels}}}', now_s)
    labels = [one["metric"] for one in series]
    edges = thresholds(sli, (one.get(EDGE, "") for one in labels))
    counts: dict[str, int] = {}
    for one in labels:
        if how.weights(one) is not None:
            version = one["rollout_version"]
            counts[version] = counts.get(version, 0) + 1
    seen = tuple(Seen(version, counts[version]) for version in sorted(counts))
    problem = None
    if not counts:
        problem = await _why_nothing(client, rollout, how, labels, now_s)
    elif open_ended:
        problem = f"choose a threshold among {', '.join(edges)}"
    return Finding(sli, metrics, seen, edges, problem)


async def _why_nothing(
    client: Client, rollout: Rollout, how: Counting, labelled: Sequence[Mapping[str, str]], now_s: float
) -> str:
    names = " and ".join(sorted(how.metrics))
    if labelled:
        return f"{names} of {rollout.name} are there, but none has the labels that are counted: {_example(labelled[0])}"
    promql = f'{{__name__=~"{any_of(sorted(how.metrics))}",rollout_version=""}}'
    series = [one["metric"] for one in await client.query(promql, now_s)]
    if not how.elsewhere:
        series = [one for one in series if one.get("namespace", rollout.namespace) == rollout.namespace]
    if series:
        places = sorted({one.get("pod") or one.get("instance", "?") for one in series})
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return (
            f"{names} come without the label rollout_version, from {', '.join(places[:_SHOWN])}{more}: the scrape must "
            f"add it (manifests/monitoring)"
        )
    promql = f"count by (rollout_version) (up{{{rollout.labels}}})"
    if await client.query(promql, now_s):
        return (
            f"the pods of {rollout.name} are scraped, but none shows {names}: is it another server, or not switched on?"
        )
    return f"Prometheus knows neither {names} nor any scraped pod of {rollout.namespace}/{rollout.name}"


def _example(labels: Mapping[str, str]) -> str:
    hidden = {"__name__", "namespace", "rollout_name", "rollout_version", "job", "instance", "pod", EDGE}
    return ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name not in hidden) or "no labels"
