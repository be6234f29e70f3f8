"""Objectives that compare means: which buckets are counted, and the judge's word on them.

Each edge of the histogram is counted as an indicator of its own, whose bad events are those above the edge: so the
counts are as exact as those of shares, across resets and restarts.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from seatrial.api.fields import parse_threshold
from seatrial.api.means import MAX_EDGES, Above, MeanEvidence
from seatrial.api.templates import TIMED
from seatrial.judge.compare import Comparison
from seatrial.judge.means import Buckets, compare_mean, compare_means
from seatrial.judge.types import Verdict
from seatrial.metrics.types import Checkpoint
from seatrial.rollout.planned import sli_of
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.compare import Mean
    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective
    from seatrial.metrics.types import Measurements, Reading, Sli


def bucket_slis(planned: PlannedObjective, mean: MeanEvidence | None) -> tuple[Sli, ...]:
    """Name what has to be counted besides, once the edges are known: one indicator for each of them."""
    whole = sli_of(planned)
    return tuple(
        replace(whole, name=_name(planned, edge), threshold=parse_threshold(edge), edge="exact", spread=False)
        for edge in (mean.edges if mean else ())
    )


def _name(planned: PlannedObjective, edge: str) -> str:
    return f"{planned.key}<={edge}"


def checkpoints(settled: Above) -> Iterator[Checkpoint]:
    """Say from where each edge is counted on."""
    return (Checkpoint(settled.at, settled.total, above) for above in settled.above)


def count_mean(
    entry: ObjectiveEvidence,
    planned: PlannedObjective,
    candidate: str,
    stable: str,
    measured: Measurements,
    began_s: float,
) -> ObjectiveEvidence:
    """Take the new counts of the buckets; with the first ones the edges are chosen, for as long as the trial lasts."""
    if entry.mean is None:
        try:
            edges = _edges(planned, candidate, stable, measured)
        except ValueError:
            return entry
        nothing = Above(began_s, 0, (0,) * len(edges))
        return replace(entry, mean=MeanEvidence(edges, nothing, nothing, nothing, nothing)) if edges else entry
    known = entry.mean
    mine, my_settled = _counted(
        known.candidate, known.candidate_settled, _readings(planned, known, candidate, measured)
    )
    theirs, their_settled = _counted(known.stable, known.stable_settled, _readings(planned, known, stable, measured))
    return replace(entry, mean=MeanEvidence(known.edges, mine, theirs, my_settled, their_settled))


def why_uncounted(
    entry: ObjectiveEvidence, planned: PlannedObjective, candidate: str, stable: str, measured: Measurements
) -> str | None:
    """Say why the means can't be compared, in one sentence for the user; None while nothing speaks against it."""
    if entry.mean is None:
        try:
            _edges(planned, candidate, stable, measured)
        except ValueError as error:
            return str(error)
        return None
    needed = (candidate, stable) if _to_stable(planned) else (candidate,)
    readings = [reading for version in needed for reading in _readings(planned, entry.mean, version, measured)]
    return next((reading.problem for reading in readings if reading.problem), None)


def compared(planned: PlannedObjective, entry: ObjectiveEvidence, *, alpha: float, dispersion: float) -> Comparison:
    """Compare the candidate's mean with what the objective names."""
    compare, counted = planned.objective.compare, entry.mean
    if compare is None or compare.mean is None:
        raise ValueError(f"objective {planned.key} compares no means")
    margin = float(compare.margin) / ALL
    if counted is None:
        said = "The buckets of the histogram are yet to be read."
        return Comparison(Verdict.Inconclusive, said, float("nan"), margin)
    buckets = Buckets(
        tuple(float(parse_threshold(edge)) for edge in counted.edges), timed=planned.objective.sli.template in TIMED
    )
    mine, theirs = _by_bucket(counted.candidate), _by_bucket(counted.stable)
    if compare.mean.value is None:
        return compare_means(mine, theirs, buckets, margin=margin, alpha=alpha, dispersion=dispersion)
    offline = float(parse_threshold(compare.mean.value))
    return compare_mean(mine, offline, buckets, margin=margin, alpha=alpha, dispersion=dispersion)


def _by_bucket(counts: Above) -> tuple[int, ...]:
    below = [counts.total - above for above in counts.above]
    return (*(high - low for low, high in pairwise((0, *below))), counts.above[-1])


def _readings(planned: PlannedObjective, mean: MeanEvidence, version: str, measured: Measurements) -> list[Reading]:
    found = (measured.readings.get((version, _name(planned, edge))) for edge in mean.edges)
    return [reading for reading in found if reading]


def _counted(now: Above, settled: Above, readings: list[Reading]) -> tuple[Above, Above]:
    """Take readings that fit together and go on from what is known: others are in the making, or older."""
    if len(readings) != len(now.above) or any(reading.problem for reading in readings):
        return now, settled
    newest = max(reading.last_sample_s or 0.0 for reading in readings)
    later = _fitting(now, [(newest, reading.total, reading.bad) for reading in readings])
    points = [reading.checkpoint for reading in readings]
    return later, _fitting(settled, [(point.at_s, point.total, point.bad) for point in points])


def _fitting(known: Above, found: list[tuple[float, int, int]]) -> Above:
    """Put counts of all edges together if they are of one instant, fall from edge to edge, and go on from known."""
    above = tuple(bad for _, _, bad in found)
    whole = len({(at_s, total) for at_s, total, _ in found}) == 1
    falling = all(low >= high for low, high in pairwise((found[0][1], *above)))
    total = found[0][1]
    grown = tuple(new - old for new, old in zip((total, *above), (known.total, *known.above), strict=True))
    follows = all(low >= high for low, high in pairwise((*grown, 0)))
    return Above(found[0][0], total, above) if whole and falling and follows else known


def _to_stable(planned: PlannedObjective) -> bool:
    return planned.objective.compare is not None and planned.objective.compare.to == "stable"


def _edges(planned: PlannedObjective, candidate: str, stable: str, measured: Measurements) -> tuple[str, ...]:
    """Choose the edges that are told apart: by the edges alone, whatever was counted. None before they are known.

    Raises
    ------
    ValueError
        With one sentence for the user when the histograms or the ceiling don't allow it.
    """
    compare = planned.objective.compare
    if compare is None or compare.mean is None:
        return ()
    versions = (candidate, stable) if compare.to == "stable" else (candidate,)
    found = [
        reading.edges if (reading := measured.readings.get((version, planned.key))) else () for version in versions
    ]
    if not all(found):
        return ()
    shared = [edge for edge in found[0] if all(edge in edges for edges in found[1:])]
    if not shared:
        raise ValueError("the histograms of both versions share no edge, so their means can't be compared")
    within = _within(compare.mean, shared)
    while len(within) > MAX_EDGES:
        within = within[::-1][::2][::-1]
    highest = float(parse_threshold(within[-1]))
    if compare.mean.value and float(parse_threshold(compare.mean.value)) * (1 + float(compare.margin) / ALL) >= highest:
        raise ValueError(
            f"values above {within[-1]} count as {within[-1]}, so no mean could be more than {compare.margin} % above "
            f"{compare.mean.value}: raise compare.mean.ceiling, or the last edge of the histogram"
        )
    return tuple(within)


def _within(mean: Mean, edges: list[str]) -> list[str]:
    if mean.ceiling is None:
        return edges
    ceiling = parse_threshold(mean.ceiling)
    within = [edge for edge in edges if parse_threshold(edge) <= ceiling]
    if not within or parse_threshold(within[-1]) != ceiling:
        raise ValueError(
            f"compare.mean.ceiling {mean.ceiling} is no edge that both histograms share; these are: {', '.join(edges)}"
        )
    return within
