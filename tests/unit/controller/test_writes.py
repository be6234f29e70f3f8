"""What makes a status worth a write at once, and what may wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.conditions import Condition
from seatrial.api.counts import Restart, Totals
from seatrial.api.status import ModelDeploymentStatus, Phase
from seatrial.api.trial import Trial
from seatrial.controller.tick import _restarts, _without_counts
from seatrial.judge.types import Verdict
from tests.unit.rollout.builders import NOW, PLAN, A, B, evidence

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESSING = Condition("Progressing", "True", "Judging", "12 of 1000 requests were bad", NOW, 1)
TRIAL = Trial(B, NOW - 60, PLAN, NOW - 50, evidence=(evidence(total=1000, bad=2),))
STATUS = ModelDeploymentStatus(phase=Phase.TRIAL, stable=A, candidate=B, trial=TRIAL, conditions=(PROGRESSING,))


def in_trial(status: ModelDeploymentStatus, **changes: object) -> ModelDeploymentStatus:
    assert status.trial is not None
    return replace(status, trial=replace(status.trial, **changes))  # type: ignore[arg-type] # whatever the test says


WAITS: dict[str, Callable[[ModelDeploymentStatus], ModelDeploymentStatus]] = {
    "counts": lambda status: in_trial(status, evidence=(evidence(total=1100, bad=3),)),
    "the sentence that names counts": lambda status: replace(
        status, summary="13", conditions=(replace(PROGRESSING, message="13 of 1100 requests were bad"),)
    ),
}
AT_ONCE: dict[str, Callable[[ModelDeploymentStatus], ModelDeploymentStatus]] = {
    "verdict": lambda status: in_trial(status, evidence=(evidence(Verdict.Inconclusive, total=1000, bad=2),)),
    "phase": lambda status: replace(status, phase=Phase.PROMOTING),
    "step": lambda status: in_trial(status, step_index=1),
    "time of the step": lambda status: in_trial(status, step_since=NOW),
    "condition": lambda status: replace(status, conditions=(replace(PROGRESSING, status="False"),)),
    "reason": lambda status: replace(status, conditions=(replace(PROGRESSING, reason="Paused"),)),
    "generation": lambda status: replace(status, observed_generation=2),
}


@pytest.mark.parametrize("name", WAITS)
def test_what_changes_with_every_request_waits(name: str) -> None:
    changed = WAITS[name](STATUS)
    assert changed != STATUS
    assert _without_counts(changed) == _without_counts(STATUS)


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_a_person_or_the_next_operator_must_know_does_not_wait(name: str) -> None:
    assert _without_counts(AT_ONCE[name](STATUS)) != _without_counts(STATUS)


def test_a_new_restart_point_is_seen_also_after_the_oldest_was_given_up() -> None:
    points = tuple(Restart(Totals(n, 0), Totals(n, 0)) for n in range(3))
    full = in_trial(STATUS, evidence=(replace(evidence(), restarts=points),))
    moved = in_trial(STATUS, evidence=(replace(evidence(), restarts=points, retired=1),))
    assert _restarts(full) != _restarts(moved)


def test_the_first_bad_event_after_a_restart_point_is_worth_a_write_like_the_point_itself() -> None:
    point = Restart(Totals(500, 1), Totals(500, 0), NOW - 20)
    before = in_trial(STATUS, evidence=(replace(evidence(), restarts=(point,)),))
    after = in_trial(STATUS, evidence=(replace(evidence(), restarts=(replace(point, bad_at=NOW),)),))
    assert _restarts(before) != _restarts(after)
    assert _without_counts(before) == _without_counts(after)
