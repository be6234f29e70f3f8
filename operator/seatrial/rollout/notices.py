"""What people are told: one Event for each transition, never one for each look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seatrial.api.fields import format_time
from seatrial.judge.types import Verdict
from seatrial.rollout.decision import Notice
from seatrial.rollout.labels import UNACTED
from seatrial.rollout.retrain import UNANSWERED, WAITING, waits
from seatrial.rollout.undecided import action_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Trial

TOLD = frozenset({"Accepted", "MetricsAvailable", "SplitAsTold", "DriftFree", "LabelsGood", "CostInBounds"})
"""Conditions whose change is told by itself; what the others say follows from a move that is told."""


def notices(before: ModelDeploymentStatus, after: ModelDeploymentStatus, moved: Notice | None) -> tuple[Notice, ...]:
    """Collect what is new between two statuses, the move itself first."""
    return (
        *([moved] if moved else []),
        *_conditions(before, after),
        *_verdict(before, after),
        *_untaken(before, after),
        *_label_watch(before, after),
        *_override(before, after),
        *_answers(before, after),
        *_fallback(before, after),
        *_retraining(before, after),
        *_adoption(before, after),
    )


def _conditions(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell of conditions that turned against the user, and back."""
    old = {condition.type: condition for condition in before.conditions}
    for condition in after.conditions:
        had = old.get(condition.type)
        if condition.type not in TOLD or (had and (had.status, had.reason) == (condition.status, condition.reason)):
            continue
        if condition.status == "False" or condition.reason == UNACTED:
            yield Notice("Warning", condition.reason, condition.message)
        elif condition.status == "True" and had and had.status == "False":
            yield Notice("Normal", condition.reason, condition.message)


def _verdict(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell of a version that burns and is not rolled back for it, because its owners asked so."""
    burning = Verdict.Burning.value
    if after.candidate and after.verdict == burning and (before.verdict != burning or not before.candidate):
        yield Notice("Warning", "Burning", after.summary)


def _untaken(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    for old, new in ((before.trial, after.trial), (_late(before), _late(after))):
        found = new.would_have_rolled_back if new else None
        if found and not (old and old.would_have_rolled_back):
            yield Notice("Warning", "WouldHaveRolledBack", f"mode observe, so nothing was done: {found.sentence}")


def _late(status: ModelDeploymentStatus) -> Trial | None:
    return status.label_watch.trial if status.label_watch else None


def _label_watch(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell of labels that burn and lead to nothing, because owners asked so, and of the end of the watch."""
    old, new = _late(before), _late(after)
    burnt = {entry.objective for entry in old.evidence if entry.verdict == Verdict.Burning} if old else set()
    for entry in new.evidence if new else ():
        told = action_on(new, entry) != "auto" and entry.objective not in burnt
        if entry.verdict == Verdict.Burning and told:
            yield Notice("Warning", "Burning", f"{entry.key}, by late labels: {entry.sentence}")
    if old and not new and after.stable == old.version and not after.candidate:
        said = f"labels of version {old.version.label} are no longer watched: nothing returns to an older version now"
        yield Notice("Normal", "LabelWatchEnded", f"{said} unless somebody asks for it")


def _fallback(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell when the fallback answers instead of the model, and when it no longer does."""
    old, new = (
        next((c.message for c in status.conditions if (c.type, c.reason) == ("Ready", "Fallback")), None)
        for status in (before, after)
    )
    if new and not old:
        yield Notice("Warning", "FallbackActive", new)
    elif old and not new:
        yield Notice("Normal", "FallbackEnded", "versions answer again")


def _adoption(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell each step of a handing over."""
    old, new = (next((c for c in status.conditions if c.type == "Adopted"), None) for status in (before, after))
    if new and (not old or old.reason != new.reason):
        yield Notice("Normal", new.reason, new.message)


def _answers(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell what came of the commands that were answered."""
    known = {answer.id for answer in before.answers}
    for answer in after.answers:
        if answer.id not in known:
            severity: Literal["Normal", "Warning"] = "Normal" if answer.outcome == "Done" else "Warning"
            signed = answer.by if answer.verified else f"{answer.by} (unverified)"
            said = f"{answer.verb.value}, asked by {signed}: {answer.sentence}"
            yield Notice(severity, f"Command{answer.outcome}", said)


def _retraining(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    """Tell of calls for retraining that wait for people, and what came of those that were sent."""
    known = {call.id: call.state for call in before.drift.retrained} if before.drift else {}
    for call in after.drift.retrained if after.drift else ():
        if call.state == known.get(call.id):
            continue
        if call.state == WAITING:
            yield Notice("Warning", "RetrainWaits", f"{waits(call)}; {call.sentence}")
        elif call.state in {"Accepted", "Failed", UNANSWERED}:
            severity: Literal["Normal", "Warning"] = "Normal" if call.state == "Accepted" else "Warning"
            yield Notice(severity, f"Retrain{call.state}", f"asked for a model trained on newer data: {call.sentence}")


def _override(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Notice]:
    if after.override == before.override:
        return
    if after.override:
        until = format_time(after.override.until) if after.override.until else "it is taken back"
        said = f"verdicts count as Healthy until {until} ({after.override.by}: {after.override.reason})"
        yield Notice("Warning", "Overridden", said)
    else:
        yield Notice("Normal", "OverrideEnded", "verdicts count again")
