"""From counts to evidence in status: the judge's word on each objective of a trial."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seatrial.judge.compare import compare_ratios
from seatrial.judge.detection import resolve
from seatrial.judge.dispersion import own_dispersion
from seatrial.judge.judge import judge
from seatrial.judge.types import Counts, Evidence, Verdict
from seatrial.rollout.counts import count_on
from seatrial.rollout.means import compared, why_uncounted
from seatrial.rollout.planned import objective_of
from seatrial.rollout.slices import judged_by_slices
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective, Trial
    from seatrial.judge.types import Judgement
    from seatrial.metrics.types import Measurements, Reading


@dataclass(frozen=True, slots=True)
class Service:
    """What the budget of an objective tells of the service as a whole.

    Parameters
    ----------
    allowance
        Bad events that a release may cause beyond its due; ``None`` for no such guard.
    dispersion
        How clustered stable's bad events usually are; 1 when nothing is known of it.
    """

    allowance: float | None = None
    dispersion: float = 1.0


STABLE_COMES_WITHIN_S = 20.0
"""So long a version that would be blamed waits for stable's scrape of the same time; later, stable is not scraped."""


def weigh(  # noqa: PLR0913 - who is judged on what, and by which rules
    trial: Trial,
    candidate: str,
    stable: str,
    measured: Measurements,
    *,
    fresh_s: float,
    service: Mapping[str, Service] | None = None,
    afresh: bool = True,
) -> tuple[ObjectiveEvidence, ...]:
    """Count on from the trial's evidence and have it judged.

    Parameters
    ----------
    trial
        The trial with the evidence up to the last look.
    candidate, stable
        Hashes of both versions.
    measured
        What the metrics source answered.
    fresh_s
        Seconds after which the newest sample no longer speaks for now.
    service
        What its budget tells of the service, by objective.
    afresh
        Whether the test also looks at stretches that begin later, to see late breakage as fast as early one.

    Returns
    -------
    tuple of ObjectiveEvidence
        One for each objective of the plan, in its order.
    """
    entries = [
        count_on(trial, planned, candidate, stable, measured, afresh=afresh) for planned in trial.plan.objectives
    ]
    step = trial.plan.steps[trial.step_index]
    gated = step.for_ is None and not step.min_requests
    known = [
        (planned, entry, _comparable(entry, planned, candidate, stable, measured))
        for planned, entry in zip(trial.plan.objectives, entries, strict=True)
    ]
    tested = [of for of in known if not of[0].objective.counts_slices]
    judgements = judge(
        [objective_of(planned) for planned, _, _ in tested],
        [
            _evidence(
                entry,
                measured,
                reading,
                fresh_s=fresh_s,
                service=(service or {}).get(planned.key, Service()),
                stable_lags=_lags(entry, planned, candidate, stable, measured),
            )
            for planned, entry, reading in tested
        ],
        min_requests=step.min_requests,
        step_total=None if gated else [entry.total - entry.step_total for _, entry, _ in tested],
        strict=trial.plan.strict,
    )
    judged = {}
    for (planned, entry, _), judgement in zip(tested, judgements, strict=True):
        condemned_at = _condemning_s(entry, planned, candidate, measured) if judgement.awaits_stable else None
        spoken = _compared(planned, entry, judgement, step.min_requests)
        resolution = resolve(objective_of(planned), entry.total)
        said = "" if resolution.resolvable else resolution.sentence
        judged[planned.key] = replace(_judged(entry, spoken), condemned_at=condemned_at, resolution=said)
    for planned, entry, reading in known:
        if planned.objective.counts_slices:
            judged[planned.key] = judged_by_slices(
                entry,
                planned,
                problem=_problem(reading, measured),
                fresh=_is_fresh(reading, measured, fresh_s),
                wanted=0 if gated else max(1, step.min_requests),
            )
    return tuple(judged[planned.key] for planned in trial.plan.objectives)


def _problem(reading: Reading | None, measured: Measurements) -> str | None:
    return measured.unavailable or (reading.problem if reading else None)


def _is_fresh(reading: Reading | None, measured: Measurements, fresh_s: float) -> bool:
    newest_s = reading.last_sample_s if reading else None
    return newest_s is not None and measured.at_s - newest_s <= fresh_s


def _evidence(
    entry: ObjectiveEvidence,
    measured: Measurements,
    reading: Reading | None,
    *,
    fresh_s: float,
    service: Service,
    stable_lags: bool,
) -> Evidence:
    own = own_dispersion(reading.clustering) if reading else entry.dispersion
    return Evidence(
        candidate=Counts(entry.total, entry.bad),
        since=tuple(Counts(r.candidate.total, r.candidate.bad) for r in entry.restarts),
        stable=Counts(entry.stable.total, entry.stable.bad),
        stable_since=tuple(Counts(r.stable.total, r.stable.bad) for r in entry.restarts),
        fresh=_is_fresh(reading, measured, fresh_s),
        unavailable=_problem(reading, measured),
        retired=entry.retired,
        dispersion=max(own, service.dispersion),
        allowance=service.allowance,
        stable_lags=stable_lags,
    )


def _comparable(
    entry: ObjectiveEvidence, planned: PlannedObjective, candidate: str, stable: str, measured: Measurements
) -> Reading | None:
    """Find the candidate's counts; they can't be used when the histograms of both versions don't allow it."""
    mine, theirs = (measured.readings.get((version, planned.key)) for version in (candidate, stable))
    if not mine:
        return None
    problem = why_uncounted(entry, planned, candidate, stable, measured)
    if theirs and mine.edge is not None and theirs.edge is not None and mine.edge != theirs.edge:
        problem = (
            f"the histograms of both versions differ: {mine.edge:g} counts for the candidate and {theirs.edge:g} for "
            f"stable; choose an edge that both have as the threshold"
        )
    return replace(mine, problem=mine.problem or problem)


def _lags(
    entry: ObjectiveEvidence, planned: PlannedObjective, candidate: str, stable: str, measured: Measurements
) -> bool:
    """Tell whether stable's newest scrape is older than the one that condemns the candidate, and may still come."""
    mine = _condemning_s(entry, planned, candidate, measured)
    theirs = measured.readings.get((stable, planned.key))
    if mine is None or not theirs or theirs.last_sample_s is None:
        return False
    return theirs.last_sample_s < mine and measured.at_s - mine <= STABLE_COMES_WITHIN_S


def _condemning_s(
    entry: ObjectiveEvidence, planned: PlannedObjective, candidate: str, measured: Measurements
) -> float | None:
    """Find the time of the scrape that condemns the candidate: the first one that did, else the newest."""
    mine = measured.readings.get((candidate, planned.key))
    return entry.condemned_at if entry.condemned_at is not None else (mine.last_sample_s if mine else None)


def _compared(
    planned: PlannedObjective, entry: ObjectiveEvidence, judgement: Judgement, min_requests: int
) -> Judgement:
    """Let the comparison speak where an objective asks for it, as long as there are counts to compare."""
    compare = planned.objective.compare
    spoken = {Verdict.NoData, Verdict.Unavailable, Verdict.Environment}
    if not compare or judgement.verdict in spoken or judgement.overspent:
        return judgement
    alpha, dispersion = 1 / judgement.threshold, judgement.dispersion
    if compare.mean:
        found = compared(planned, entry, alpha=alpha, dispersion=dispersion)
    elif compare.to == "stable":
        found = compare_ratios(
            Counts(entry.total, entry.bad),
            Counts(entry.stable.total, entry.stable.bad),
            margin=float(compare.margin) / ALL,
            alpha=alpha,
            dispersion=dispersion,
        )
    else:
        return judgement
    verdict = found.verdict
    # A mean is worse by all of its events, not by bad ones.
    too_few = verdict is Verdict.Burning and not compare.mean and entry.bad < planned.rollback.min_bad
    if too_few or (verdict is Verdict.Healthy and entry.total - entry.step_total < min_requests):
        verdict = Verdict.Inconclusive
    return judgement._replace(verdict=verdict, sentence=found.sentence)


def _judged(entry: ObjectiveEvidence, judgement: Judgement) -> ObjectiveEvidence:
    return replace(
        entry,
        burn_rate=significant(judgement.burn_rate),
        e_value=significant(judgement.e_value),
        threshold=judgement.threshold,
        dispersion=significant(judgement.dispersion),
        verdict=judgement.verdict.value,
        sentence=f"{judgement.sentence} Here {entry.edge}." if entry.edge else judgement.sentence,
    )


def significant(number: float) -> float:
    """Round to four significant digits: status is for people, and must not change with noise."""
    return float(f"{number:.4g}")
