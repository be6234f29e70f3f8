"""What labels mean for a version: judged by all questions of its ModelSLO, told, or a reason to roll back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.labels import LabelFinding, LabelStatus
from seatrial.api.status import Phase
from seatrial.api.templates import LABELLED
from seatrial.judge.judge import SEVERITY
from seatrial.judge.labels import (
    LabelJudgement,
    delay_quantile,
    judge_brier,
    judge_calibration,
    judge_coverage,
    judge_gap,
    when,
)
from seatrial.judge.types import Verdict
from seatrial.metrics.label_types import LabelCounts
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.labels import Labels
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Plan, VersionRef
    from seatrial.metrics.label_types import LabelReadings
    from seatrial.rollout.world import World

MOST_LOOKS = 1000
"""Calibration is no sequential test: its alpha is shared out as if a version were looked at so often."""


def judged_version(status: ModelDeploymentStatus) -> str | None:
    """Tell whose labels count: the candidate's once it has got weight, otherwise stable's."""
    weighted = status.trial is not None and status.trial.weighted_at is not None and status.phase is not Phase.STARTING
    if status.candidate and weighted:
        return status.candidate.hash
    return status.stable.hash if status.stable else None


def assess_labels(
    labels: Labels, namespace: str, rollout: str, status: ModelDeploymentStatus, readings: LabelReadings
) -> LabelStatus | None:
    """Judge one look.

    Returns
    -------
    LabelStatus or None
        None while there is no version to speak of.
    """
    version = judged_version(status)
    if not version:
        return None
    counts = readings.counts.get((namespace, rollout, version), LabelCounts())
    step_s, watch_s, cold_s = _times_s(status)
    acts = when(delay_quantile(counts.delays), step_s=step_s, watch_s=watch_s, cold_s=cold_s)
    if readings.unavailable:
        said = ("Unavailable", readings.unavailable, acts.value, labels.action)
        return LabelStatus(readings.at_s, version, *said)
    findings = tuple(
        LabelFinding(name, found.verdict, found.sentence, float(f"{found.value:.3g}"), float(f"{found.limit:.3g}"))
        for name, found in _judged(labels, counts)
    )
    worst = min(findings, key=lambda finding: SEVERITY.index(Verdict(finding.verdict)))
    return LabelStatus(
        at=readings.at_s,
        version=version,
        verdict=worst.verdict,
        sentence=f"{worst.name}: {worst.sentence}",
        acts=acts.value,
        action=labels.action,
        findings=findings,
    )


def _judged(labels: Labels, counts: LabelCounts) -> Iterator[tuple[str, LabelJudgement]]:
    """Ask all questions, which share alpha; with too few labels for all, nothing is said against a version."""
    coverage = judge_coverage(counts.matured, counts.labelled, target=float(labels.coverage) / 100)
    yield "coverage", coverage
    alpha = float(labels.alpha) / (len(labels.gaps) + (labels.calibration is not None) + (labels.brier is not None))
    speaks = coverage.verdict is Verdict.Healthy

    def weighed(found: LabelJudgement) -> LabelJudgement:
        held = found.verdict is Verdict.Burning and not speaks
        return replace(found, verdict=Verdict.Inconclusive) if held else found

    if labels.calibration is not None:
        rare = alpha / MOST_LOOKS
        yield "calibration", weighed(judge_calibration(counts.bins, limit=float(labels.calibration), alpha=rare))
    if labels.brier is not None:
        total = sum(one.total for one in counts.bins)
        yield "brier", weighed(judge_brier(counts.squared_errors, total, limit=float(labels.brier), alpha=alpha))
    for gap in labels.gaps:
        groups = counts.slices.get(gap.slice, ())
        found = judge_gap(groups, limit=float(gap.limit) / 100, alpha=alpha, reference=gap.reference)
        yield gap.slice, weighed(found)


def _times_s(status: ModelDeploymentStatus) -> tuple[float, float, float]:
    """Tell how long the longest step, the watch and that of labels last, in seconds; 0 for what there is not."""
    plan = status.trial.plan if status.trial else None
    if not plan:
        return 0.0, 0.0, 0.0
    watch = plan.watch
    longest_s = max((step.lasts_s for step in plan.steps), default=0.0)
    return longest_s, watch.for_ if watch else 0.0, (watch.labels or 0.0) if watch else 0.0


def frozen_plan(status: ModelDeploymentStatus) -> Plan | None:
    """Find the plan by which labels are judged, whatever the ModelSLO says now; None at rest."""
    if status.trial and status.candidate:
        return status.trial.plan
    return status.label_watch.trial.plan if status.label_watch else None


def labelled(plan: Plan) -> frozenset[str]:
    """Name the objectives (slo/objective) that count labels."""
    return frozenset(planned.key for planned in plan.objectives if planned.objective.sli.template in LABELLED)


def latest_labels(status: ModelDeploymentStatus, world: World) -> LabelStatus | None:
    """Take the newest finding; none when nobody asks for labels any more."""
    plan = frozen_plan(status)
    asked = plan.labels if plan else world.wish.plan.labels if isinstance(world.wish, Wish) else status.labels
    return (world.labels or status.labels) if asked else None


def mislabelled(status: ModelDeploymentStatus, world: World) -> str | None:
    """Say which limit labels have found broken, when the ModelSLO asks for a rollback then."""
    return limit_broken(status, world, status.candidate) if status.candidate else None


def limit_broken(status: ModelDeploymentStatus, world: World, version: VersionRef) -> str | None:
    """Say which limit labels have found broken of a version, when the ModelSLO asks for a rollback then."""
    found = status.labels
    if not found or found.version != version.hash or world.override:
        return None
    if found.verdict != Verdict.Burning or found.action != "rollback":
        return None
    return f"version {version.label} ({version.hash}) by its labels: {found.sentence}"


def labels_good(found: LabelStatus) -> tuple[str, str, str]:
    """Write the condition LabelsGood: status, reason and message."""
    if found.verdict == Verdict.Burning:
        return "False", "LimitBroken", found.sentence
    if found.verdict == Verdict.Healthy:
        return "True", "LimitsKept", found.sentence
    return "Unknown", "LabelsPending" if found.verdict != "Unavailable" else "Unavailable", found.sentence


def shown_labels(found: LabelStatus) -> LabelStatus:
    """Leave out what changes with every look."""
    return replace(found, at=0.0, sentence="", findings=())
