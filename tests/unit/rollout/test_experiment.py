"""A/B steps: decided by evidence, ended by their cap, and passed or taken out by people when that comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.commands import Command, Verb
from seatrial.api.counts import Totals
from seatrial.api.status import Phase
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ExperimentResult, ObjectiveEvidence
    from seatrial.rollout.decision import Decision

CAP_S = b.EXPERIMENT.experiment.cap if b.EXPERIMENT.experiment else 0.0


def counted(mine: tuple[int, int], theirs: tuple[int, int]) -> ObjectiveEvidence:
    """Make evidence of which all came in this step: (total, bad) of both groups."""
    entry = replace(b.evidence(total=mine[0], bad=mine[1]), step_total=0, restarts=())
    return replace(entry, stable=Totals(*theirs))


def compared(held_s: float, mine: tuple[int, int], theirs: tuple[int, int]) -> Decision:
    status = b.at_step(b.EXPERIMENT, held_s)
    return b.run(status, b.at_ease(status, evidence=(counted(mine, theirs),)))


def found(decision: Decision) -> ExperimentResult:
    assert decision.status.trial
    assert decision.status.trial.experiment
    return decision.status.trial.experiment


@pytest.mark.parametrize(("mine", "theirs"), [((0, 0), (0, 0)), ((0, 0), (9000, 9)), ((50, 0), (0, 0))])
def test_before_both_groups_have_asked_nothing_is_known(mine: tuple[int, int], theirs: tuple[int, int]) -> None:
    """And the status says so in numbers that JSON has: what can't be written can't be held or aborted either."""
    decision = compared(60.0, mine, theirs)
    assert (found(decision).effect, found(decision).verdict) == (None, "NoData")
    assert b.condition(decision, "Progressing") == ("True", "Comparing")


def test_an_effect_stays_finite_when_stable_answers_nothing_well() -> None:
    assert found(compared(60.0, (2, 0), (1, 1))).effect == 1000


def test_a_version_that_is_not_worse_goes_on_before_the_cap() -> None:
    assert b.reasons(compared(60.0, (20_000, 20), (20_000, 400))) == ["StepStarted"]


def capped() -> ModelDeploymentStatus:
    return compared(CAP_S, (50, 1), (50, 0)).status


def test_what_is_undecided_at_its_cap_is_held_for_a_person_and_group_b_goes_back() -> None:
    early = compared(CAP_S - 1, (50, 1), (50, 0))
    assert not found(early).capped
    assert early.target.division.group
    late = compared(CAP_S, (50, 1), (50, 0))
    assert found(late).capped
    assert late.target.division.group is None
    assert late.status.phase is Phase.TRIAL
    assert b.condition(late, "Progressing") == ("False", "ExperimentUndecided")
    assert "promote lets the version pass" in late.status.summary


def test_what_comes_after_the_cap_decides_nothing() -> None:
    """The route changes when group B goes back, and the clock of the step with it: the cap is remembered."""
    status = capped()
    back = b.at_ease(status, evidence=(counted((20_000, 20), (20_000, 400)),))
    later = b.run(status, back)
    assert found(later) == found(b.run(later.status, replace(back, now_s=b.NOW + 2 * CAP_S)))
    assert later.status.phase is Phase.TRIAL
    assert later.target.division.group is None


@pytest.mark.parametrize(("verb", "reason"), [(Verb.PROMOTE, "StepStarted"), (Verb.ABORT, "RolledBack")])
def test_a_person_decides_then(verb: Verb, reason: str) -> None:
    status = capped()
    asked = Command(id="c1", verb=verb, by="ann")
    assert reason in b.reasons(b.run(status, b.at_ease(status, commands=(asked,))))
