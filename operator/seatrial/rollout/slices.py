"""Objectives that count slices of time: what is remembered of each slice, and the judge's word on them.

A slice is over when it has lasted its length and both has enough events to say anything and was counted to its end: so
with little traffic slices are longer, and one in which Prometheus was away is neither good nor bad.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.counts import Totals
from seatrial.api.fields import format_duration
from seatrial.api.slices import MAX_OF, SliceEvidence
from seatrial.judge.slices import GOOD, SliceRule, judge_slices, mark
from seatrial.judge.types import Counts, Verdict
from seatrial.metrics.types import Slicing
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from seatrial.api.slices import Slices
    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective


def rule_of(slices: Slices) -> SliceRule:
    """Hand the rule of an objective over to the judge."""
    return SliceRule(slices.good, slices.min_events, slices.bad, slices.of)


def slicing(planned: PlannedObjective) -> Slicing | None:
    """Say how a budget counts slices; None where it counts events."""
    slices = planned.objective.counts_slices
    return Slicing(round(slices.length), slices.good, slices.min_events) if slices else None


def count_slices(entry: ObjectiveEvidence, planned: PlannedObjective, at_s: float) -> ObjectiveEvidence:
    """Close the slice that is over, and begin the next one; nothing for an objective that counts events."""
    slices = planned.objective.counts_slices
    if not slices:
        return entry
    now = Totals(entry.total, entry.bad)
    known = entry.slices
    if known is None:
        return replace(entry, slices=SliceEvidence(at_s, now, entry.stable))
    mine, theirs = _since(now, known.candidate), _since(entry.stable, known.stable)
    if at_s - known.since < slices.length or mine.total < slices.min_events:
        return entry
    marked = mark(mine, theirs, rule_of(slices))
    counted = Totals(known.counted.total + 1, known.counted.bad + (marked != GOOD))
    last = (known.last + marked)[-MAX_OF:]
    return replace(
        entry, slices=replace(known, since=at_s, candidate=now, stable=entry.stable, last=last, counted=counted)
    )


def begin_step(entry: ObjectiveEvidence) -> ObjectiveEvidence:
    """Note how many slices there were when a step began."""
    return replace(entry, slices=replace(entry.slices, step=entry.slices.counted)) if entry.slices else entry


def slices_in_step(entry: ObjectiveEvidence) -> Counts | None:
    """Count the slices of the current step; None for an objective that counts events."""
    return _since(entry.slices.counted, entry.slices.step) if entry.slices else None


def judged_by_slices(
    entry: ObjectiveEvidence, planned: PlannedObjective, *, problem: str | None, fresh: bool, wanted: int
) -> ObjectiveEvidence:
    """Judge an objective by its slices.

    Parameters
    ----------
    entry
        What was counted.
    planned
        The objective.
    problem
        Why nothing can be counted now.
    fresh
        Whether the newest sample speaks for now.
    wanted
        Events that the current step must have seen.

    Raises
    ------
    ValueError
        The objective counts events.
    """
    slices, known = planned.objective.counts_slices, entry.slices
    if not slices or not known:
        raise ValueError(f"objective {planned.key} counts no slices")
    verdict, found = judge_slices(known.last, rule_of(slices))
    sentence = f"Slices of {format_duration(slices.length)}: {found}"
    in_step = entry.total - entry.step_total
    if verdict is Verdict.Burning:
        pass  # what was counted keeps its meaning when the metrics source goes away
    elif problem:
        verdict, sentence = Verdict.Unavailable, f"It can't be counted now: {problem}; last known: {sentence}"
    elif not fresh or not entry.total:
        verdict, sentence = Verdict.NoData, f"No recent sample of this version; last known: {sentence}"
    elif verdict is Verdict.Healthy and in_step < wanted:
        need = f"{in_step:,} of the {wanted:,} events that this step asks for were seen"
        verdict, sentence = Verdict.Inconclusive, f"{sentence} {need}."
    return replace(
        entry,
        verdict=verdict.value,
        sentence=f"{sentence} Here {entry.edge}." if entry.edge else sentence,
        burn_rate=_burn_rate(known.counted, planned),
    )


def _burn_rate(slices: Totals, planned: PlannedObjective) -> float:
    budget = float(1 - planned.objective.target / ALL)
    return float(f"{slices.bad / slices.total / budget:.4g}") if slices.total else 0.0


def _since(now: Totals, then: Totals) -> Counts:
    return Counts(now.total - then.total, now.bad - then.bad)
