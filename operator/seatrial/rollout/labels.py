"""What labels mean for a version: judged by all questions of its ModelSLO, told, or a reason to roll back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration
from seatrial.api.labels import LabelFinding, LabelStatus
from seatrial.api.status import Phase
from seatrial.judge.judge import SEVERITY
from seatrial.judge.labels import (
    Group,
    LabelJudgement,
    When,
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
    from collections.abc import Iterator, Mapping

    from seatrial.api.labels import Gap, Labels
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Plan, VersionRef
    from seatrial.metrics.label_types import LabelReadings, SliceCounts
    from seatrial.rollout.world import World

MOST_LOOKS = 1000
"""Calibration is no sequential test: its alpha is shared out as if a version were looked at so often."""
OTHER = "__other__"
"""Where the joiner counts values of a slice that were not declared: no group, so it is only compared when named."""
_SAID = {
    When.STEP: ": they act within a step",
    When.WATCH: ", later than the longest step ends: they act in the watch",
    When.COLD: ", later than the watch ends: they act while labels are watched",
    When.LATER: ", later than any step or watch ends: nothing acts on them by itself",
}
UNACTED = "NothingActs"
"""Reason of the condition when labels come after all that would act on them."""


def judged_version(status: ModelDeploymentStatus) -> str | None:
    """Tell whose labels count: the candidate's once it has got weight, otherwise stable's."""
    weighted = status.trial is not None and status.trial.weighted_at is not None and status.phase is not Phase.STARTING
    if status.candidate and weighted:
        return status.candidate.hash
    return status.stable.hash if status.stable else None


def versions_of(status: ModelDeploymentStatus) -> frozenset[str]:
    """Name the versions whose labels are read: from stable's it is known how late those of a candidate will come."""
    known = (status.stable, status.candidate, status.label_watch.former if status.label_watch else None)
    return frozenset(version.hash for version in known if version)


def assess_labels(
    labels: Labels, namespace: str, rollout: str, status: ModelDeploymentStatus, readings: LabelReadings
) -> LabelStatus | None:
    """Judge one look.

    What was known before of coverage and of the delay stays when Prometheus is away, or the joiner's series are.

    Returns
    -------
    LabelStatus or None
        None while there is no version to speak of.
    """
    version = judged_version(status)
    if not version:
        return None
    before = status.labels if status.labels and status.labels.version == version else None
    known = before or LabelStatus(readings.at_s, version, "", "", When.UNKNOWN.value, labels.action)
    known = replace(known, at=readings.at_s, action=labels.action, findings=())
    if readings.unavailable:
        return replace(known, verdict=Verdict.Unavailable.value, sentence=readings.unavailable)
    counted = readings.counts.get((namespace, rollout, version))
    counts = counted or LabelCounts()
    findings = tuple(
        LabelFinding(name, found.verdict, found.sentence, float(f"{found.value:.3g}"), float(f"{found.limit:.3g}"))
        for name, found in _judged(labels, counts)
    )
    worst = min(findings, key=lambda finding: SEVERITY.index(Verdict(finding.verdict)))
    known = replace(known, verdict=worst.verdict, sentence=f"{worst.name}: {worst.sentence}", findings=findings)
    # Who counts labels without a joiner has no coverage to wait for.
    if counted:
        few = next(one for one in findings if one.name == "coverage")
        known = replace(known, uncovered="" if few.verdict == Verdict.Healthy else few.sentence)
    told = [found for one in versions_of(status) if (found := readings.counts.get((namespace, rollout, one)))]
    acts, timing = _timing(told, status)
    return known if acts is When.UNKNOWN else replace(known, acts=acts.value, timing=timing)


def _timing(told: list[LabelCounts], status: ModelDeploymentStatus) -> tuple[When, str]:
    """Say when labels act, and why, by the version with the most of them: the first labels of a new one are quick ones.

    A label counts once the joiner scores its prediction, however early it came.
    """
    delays = max((one.delays for one in told if one.delays), key=lambda found: found[-1][1], default=())
    delay_s = delay_quantile(delays)
    maturity_s = max((one.maturity_s for one in told), default=0.0)
    counts_s = None if delay_s is None else max(delay_s, maturity_s)
    step_s, watch_s, cold_s = _times_s(status)
    acts = when(counts_s, step_s=step_s, watch_s=watch_s, cold_s=cold_s)
    if counts_s is None:
        return acts, ""
    last_s = max([maturity_s, *(edge for edge, _ in delays if math.isfinite(edge))])
    age = format_duration(counts_s) if math.isfinite(counts_s) else f"more than {format_duration(last_s)}"
    return acts, f"labels are counted {age} after a prediction{_SAID[acts]}"


def _judged(labels: Labels, counts: LabelCounts) -> Iterator[tuple[str, LabelJudgement]]:
    """Ask all questions, which share alpha; with too few labels for all, nothing is said against a version."""
    coverage = judge_coverage(counts.matured, counts.labelled, target=float(labels.coverage) / 100)
    yield "coverage", coverage
    asked = len(labels.gaps) + (labels.calibration is not None) + (labels.brier is not None)
    alpha = float(labels.alpha) / max(1, asked)
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
        yield _name(gap), weighed(_judge_gap(gap, counts.slices.get(gap.slice, {}), alpha))


def _name(gap: Gap) -> str:
    return gap.slice if gap.of == "errors" else f"{gap.slice} ({gap.of} of {gap.class_})"


def _judge_gap(gap: Gap, counts: Mapping[str, SliceCounts], alpha: float) -> LabelJudgement:
    """Judge a gap between declared groups; a class of which the joiner was not told is never found alike."""
    limit, of = float(gap.limit) / 100, gap.class_
    compared = {name: one for name, one in counts.items() if name != OTHER or gap.reference == OTHER}
    known = {name for one in compared.values() for name in (*one.predicted, *one.right, *one.wrong)}
    if of and known and of not in known:
        why = f"no label is counted by class {of}: the joiner tells apart {', '.join(sorted(known))}"
        return LabelJudgement(Verdict.NoData, 0.0, limit, why)
    groups = [_group(gap, name, one) for name, one in sorted(compared.items())]
    what = {"errors": "wrong", "positive": f"predicted {of}", "recall": f"of actual {of} found"}[gap.of]
    return judge_gap(groups, limit=limit, alpha=alpha, reference=gap.reference, what=what)


def _group(gap: Gap, name: str, counts: SliceCounts) -> Group:
    match gap.of:
        case "errors":
            wrong = sum(counts.wrong.values())
            return Group(name, sum(counts.right.values()) + wrong, wrong)
        case "positive":
            return Group(name, sum(counts.predicted.values()), counts.predicted.get(gap.class_, 0))
        case "recall":
            found = counts.right.get(gap.class_, 0)
            return Group(name, found + counts.wrong.get(gap.class_, 0), found)


def _times_s(status: ModelDeploymentStatus) -> tuple[float, float, float]:
    """Tell how long the longest step, the watch and that of labels last, in seconds; 0 for what there is not."""
    plan = frozen_plan(status) or (status.trial.plan if status.trial else None)
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


def labels_good(found: LabelStatus, *, awaited: bool = False) -> tuple[str, str, str]:
    """Write the condition LabelsGood: status, reason and message.

    Parameters
    ----------
    found
        What the last look has found.
    awaited
        Whether a version is on trial or watched, so that labels should lead to something.
    """
    if found.verdict == Verdict.Burning:
        return "False", "LimitBroken", found.sentence
    if found.verdict == Verdict.Healthy:
        return "True", "LimitsKept", found.sentence
    if found.verdict == Verdict.Unavailable:
        return "Unknown", "Unavailable", found.sentence
    reason = UNACTED if awaited and found.acts == When.LATER else "LabelsPending"
    return "Unknown", reason, f"{found.sentence}; {found.timing}" if awaited and found.timing else found.sentence


def shown_labels(found: LabelStatus) -> LabelStatus:
    """Leave out what changes with every look."""
    return replace(found, at=0.0, sentence="", findings=(), uncovered="few" if found.uncovered else "")
