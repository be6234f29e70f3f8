"""From what was measured to counts in status: where counting goes on, and where the test looks afresh."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.counts import Bursts, Restart, Settled, Totals
from seatrial.api.trial import ObjectiveEvidence
from seatrial.judge.detection import needed_requests
from seatrial.judge.dispersion import Clustering
from seatrial.judge.restart import next_restart, retire
from seatrial.judge.types import Counts, Verdict
from seatrial.metrics.types import Checkpoint, Request
from seatrial.rollout.means import bucket_slis, checkpoints, count_mean
from seatrial.rollout.planned import objective_of, sli_of
from seatrial.rollout.slices import begin_step, count_slices

if TYPE_CHECKING:
    from seatrial.api.trial import PlannedObjective, Trial
    from seatrial.metrics.types import Measurements, Reading, Sli


def request_for(namespace: str, rollout: str, candidate: str, stable: str, trial: Trial) -> Request:
    """Say what has to be counted for a trial that has begun, and from where."""
    began = Settled(trial.started_at if trial.weighted_at is None else trial.weighted_at, 0, 0)
    known = {(entry.slo, entry.objective): entry for entry in trial.evidence}
    since: dict[tuple[str, str], Checkpoint] = {}
    slis: list[Sli] = []
    for planned in trial.plan.objectives:
        entry = known.get((planned.slo, planned.objective.name))
        for version, settled in (
            (candidate, entry.candidate_settled if entry else began),
            (stable, entry.stable_settled if entry else began),
        ):
            since[version, planned.key] = _checkpoint(settled)
        slis.append(sli_of(planned))
        if entry and entry.mean:
            buckets = bucket_slis(planned, entry.mean)
            slis += buckets
            for version, counted in ((candidate, entry.mean.candidate_settled), (stable, entry.mean.stable_settled)):
                points = zip(buckets, checkpoints(counted), strict=True)
                since |= {(version, sli.name): point for sli, point in points}
    return Request(namespace=namespace, rollout=rollout, versions=(candidate, stable), slis=tuple(slis), since=since)


def open_step(entry: ObjectiveEvidence, at_s: float | None = None) -> ObjectiveEvidence:
    """Note where a traffic step begins: the test looks afresh and the step's requests count from here."""
    return replace(begin_step(look_afresh(entry, at_s)), step_total=entry.total)


def look_afresh(entry: ObjectiveEvidence, at_s: float | None = None) -> ObjectiveEvidence:
    """Begin another stretch of the test beside those that there are."""
    restart = Restart(candidate=Totals(entry.total, entry.bad), stable=entry.stable, at=at_s)
    restarts = (*entry.restarts, restart)
    kept, _, surplus = retire(tuple(Counts(r.candidate.total, r.candidate.bad) for r in restarts), ())
    return replace(entry, restarts=restarts[len(restarts) - len(kept) :], retired=entry.retired + surplus)


def count_on(
    trial: Trial, planned: PlannedObjective, candidate: str, stable: str, measured: Measurements, *, afresh: bool
) -> ObjectiveEvidence:
    """Take the new counts of one objective, and let the test also look afresh from time to time if it may."""
    named = (planned.slo, planned.objective.name)
    entry = next((e for e in trial.evidence if (e.slo, e.objective) == named), None)
    began_s = measured.at_s if trial.weighted_at is None else trial.weighted_at
    if entry is None:
        entry = _nothing_yet(planned, began_s)
    mine = measured.readings.get((candidate, planned.key))
    theirs = measured.readings.get((stable, planned.key))
    if mine and _follows(mine, entry.total, entry.bad):
        entry = replace(entry, total=mine.total, bad=mine.bad, candidate_settled=_settled(mine))
    if mine and mine.note:
        entry = replace(entry, edge=mine.note)
    if theirs and _follows(theirs, entry.stable.total, entry.stable.bad):
        entry = replace(entry, stable=Totals(theirs.total, theirs.bad), stable_settled=_settled(theirs))
    entry = _first_bad(entry, measured.at_s)
    entry = count_slices(count_mean(entry, planned, candidate, stable, measured, began_s), planned, measured.at_s)
    last = entry.restarts[-1].candidate.total if entry.restarts else 0
    outage = entry.verdict == Verdict.Environment
    return (
        look_afresh(entry, measured.at_s) if afresh and next_restart(entry.total - last, environment=outage) else entry
    )


def _first_bad(entry: ObjectiveEvidence, at_s: float) -> ObjectiveEvidence:
    """Note when the first bad event of each stretch was seen: that is since when the version may be broken."""
    if entry.bad and entry.bad_at is None:
        entry = replace(entry, bad_at=at_s)
    if all(restart.bad_at is not None or entry.bad <= restart.candidate.bad for restart in entry.restarts):
        return entry
    restarts = (
        replace(restart, bad_at=at_s) if restart.bad_at is None and entry.bad > restart.candidate.bad else restart
        for restart in entry.restarts
    )
    return replace(entry, restarts=tuple(restarts))


def _follows(reading: Reading, total: int, bad: int) -> bool:
    """Tell whether counts can come after others; those that shrank are older than what is known, and are left out."""
    return 0 <= reading.bad - bad <= reading.total - total


def _nothing_yet(planned: PlannedObjective, at_s: float) -> ObjectiveEvidence:
    return ObjectiveEvidence(
        slo=planned.slo,
        objective=planned.objective.name,
        total=0,
        bad=0,
        burn_rate=0.0,
        e_value=1.0,
        threshold=0.0,
        verdict="",
        sentence="",
        step_total=0,
        needed=0 if planned.objective.counts_slices else needed_requests(objective_of(planned)),
        stable=Totals(),
        candidate_settled=Settled(at_s, 0, 0),
        stable_settled=Settled(at_s, 0, 0),
    )


def _settled(reading: Reading) -> Settled:
    checkpoint, seen = reading.checkpoint, reading.checkpoint.clustering
    bursts = Bursts(seen.squares, seen.expected, seen.bad_intervals, Totals(seen.total, seen.bad))
    return Settled(at=checkpoint.at_s, total=checkpoint.total, bad=checkpoint.bad, bursts=bursts)


def _checkpoint(settled: Settled) -> Checkpoint:
    seen = settled.bursts
    clustering = Clustering(seen.squares, seen.expected, seen.bad_scrapes, seen.last.total, seen.last.bad)
    return Checkpoint(at_s=settled.at, total=settled.total, bad=settled.bad, clustering=clustering)
