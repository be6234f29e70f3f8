"""Objectives that count labels: when they may blame a version, and when a step waits for them.

Both rules hold wherever such objectives are judged: on trial, in the watch, and while late labels are watched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.templates import LABELLED
from seatrial.judge.labels import When
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from seatrial.api.labels import LabelStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence, Plan

AFTER_STEP = frozenset({When.WATCH, When.COLD, When.LATER})
AFTER_WATCH = frozenset({When.COLD, When.LATER})
_UNTOLD = frozenset({Verdict.NoData, Verdict.Inconclusive})
_NOT_YET = "how many of its predictions have a label was not looked at yet"


def labelled(plan: Plan) -> frozenset[str]:
    """Name the objectives (slo/objective) that count labels."""
    return frozenset(planned.key for planned in plan.objectives if planned.objective.sli.template in LABELLED)


def covered(
    evidence: tuple[ObjectiveEvidence, ...], plan: Plan, version: str, found: LabelStatus | None
) -> tuple[ObjectiveEvidence, ...]:
    """Let label objectives blame a version only once enough of its predictions have a label, where that is asked for.

    Parameters
    ----------
    evidence, plan
        What was judged, and by which plan; one without ``labels`` asks for no coverage.
    version
        Hash of the version.
    found
        What the last look at labels has found, maybe of another version.
    """
    why = found.uncovered if found and found.version == version else _NOT_YET
    if not plan.labels or not why:
        return evidence
    mine = labelled(plan)
    return tuple(
        replace(entry, verdict=Verdict.Inconclusive.value, sentence=f"Not held against it: {why}. {entry.sentence}")
        if entry.verdict == Verdict.Burning and entry.key in mine
        else entry
        for entry in evidence
    )


def unhurried(status: ModelDeploymentStatus, times: AbstractSet[When] = AFTER_STEP) -> frozenset[str]:
    """Name the label objectives whose labels are known to come only at one of these times, by default after a step."""
    trial, found = status.trial, status.labels
    if not trial or not found or found.version != trial.version.hash or found.acts not in times:
        return frozenset()
    return labelled(trial.plan)


def waits(entry: ObjectiveEvidence, unhurried: AbstractSet[str]) -> bool:
    """Tell whether an objective says nothing yet because its labels come later."""
    return entry.key in unhurried and entry.verdict in _UNTOLD
