"""Copies of requests: the service answers each of them too, so its error budget leaves out what a shadow got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import Copies, Phase
from seatrial.judge.types import Counts
from seatrial.rollout.slices import slices_in_step
from seatrial.rollout.steps import current_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence

    ByWindow = Mapping[float, Mapping[str, tuple[int, int]]]
    """Counts by length of the window in seconds and by version: total and bad."""

MAX_COPIES = 64
"""So many entries stay in status, the newest; with eight objectives that is eight trials."""


def since_step(entry: ObjectiveEvidence) -> tuple[Counts, Counts]:
    """Count the events of candidate and stable since the current step began, when the test began to look afresh."""
    began = next((r for r in reversed(entry.restarts) if r.candidate.total <= entry.step_total), None)
    mine, theirs = Counts(entry.total, entry.bad), Counts(entry.stable.total, entry.stable.bad)
    if not began:
        return mine, theirs
    return (
        mine - Counts(began.candidate.total, began.candidate.bad),
        theirs - Counts(began.stable.total, began.stable.bad),
    )


def running(status: ModelDeploymentStatus, now_s: float) -> tuple[Copies, ...]:
    """Count the copies that the candidate has got in the current step; none unless it is a shadow."""
    step, trial = current_step(status), status.trial
    if status.phase is not Phase.TRIAL or not trial or not step or not step.shadow:
        return ()
    counted = ((entry, slices_in_step(entry) or since_step(entry)[0]) for entry in trial.evidence)
    return tuple(Copies(entry.key, trial.version.hash, now_s, counts.total, counts.bad) for entry, counts in counted)


def remembered(before: ModelDeploymentStatus, after: ModelDeploymentStatus, now_s: float) -> tuple[Copies, ...]:
    """Keep the copies of a shadow step that a move has ended."""
    same = before.trial and after.trial and before.trial.step_index == after.trial.step_index
    if same and after.phase is Phase.TRIAL:
        return after.copies
    return (*running(before, now_s), *after.copies)[:MAX_COPIES]


def without(counts: ByWindow, copies: Iterable[Copies], key: str, now_s: float) -> ByWindow:
    """Take copies out of what was counted, for each window that they fall into."""
    left = {window_s: dict(by_version) for window_s, by_version in counts.items()}
    for copy in copies:
        for window_s, by_version in left.items():
            if copy.objective == key and copy.version in by_version and now_s - copy.until < window_s:
                total, bad = by_version[copy.version]
                total = max(0, total - copy.total)
                by_version[copy.version] = (total, min(total, max(0, bad - copy.bad)))
    return left
