"""Label objectives blame no version by the first few labels, and no step waits for labels that come after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.keeping import Watch
from seatrial.api.labels import Labels
from seatrial.api.status import Phase
from seatrial.api.strategy import Undecided
from seatrial.judge.types import Verdict
from seatrial.rollout.label_objectives import covered
from seatrial.rollout.undecided import blocking
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence, Plan
    from seatrial.rollout.decision import Decision

ACCURACY = b.late_trial().plan.objectives[1]
PLAN: Plan = replace(b.PLAN, objectives=(b.objective(), ACCURACY), labels=Labels(), watch=Watch(for_=600.0))
FEW = replace(b.MISLABELLED, verdict="Inconclusive", uncovered="9 of 1,000 matured predictions have a label")
ENOUGH = replace(FEW, verdict="Healthy", uncovered="")
AWAY = replace(ENOUGH, verdict="Unavailable", sentence="it is away")
OVER_S = 200.0


def accuracy(verdict: Verdict) -> ObjectiveEvidence:
    return b.evidence(verdict, objective="accuracy")


def judged(found: Any, plan: Plan = PLAN, verdict: Verdict = Verdict.Burning) -> list[str]:
    evidence = (b.evidence(Verdict.Burning), accuracy(verdict))
    return [entry.verdict for entry in covered(evidence, plan, b.B.hash, found)]


def test_labels_of_few_predictions_are_not_held_against_a_version() -> None:
    assert judged(FEW) == ["Burning", "Inconclusive"]
    assert judged(ENOUGH) == ["Burning", "Burning"]
    (found,) = covered((accuracy(Verdict.Burning),), PLAN, b.B.hash, FEW)
    assert found.sentence == (
        "Not held against it: 9 of 1,000 matured predictions have a label. 0 of 1000 requests were bad."
    )


def test_labels_are_not_held_against_a_version_before_their_coverage_was_looked_at() -> None:
    assert judged(None) == judged(replace(ENOUGH, version=b.A.hash)) == ["Burning", "Inconclusive"]


def test_what_burns_is_not_excused_because_prometheus_is_away() -> None:
    assert judged(AWAY) == ["Burning", "Burning"]
    assert judged(replace(AWAY, uncovered=FEW.uncovered)) == ["Burning", "Inconclusive"]


def test_nothing_is_excused_where_nobody_asks_for_coverage() -> None:
    assert judged(FEW, replace(PLAN, labels=None)) == judged(None, replace(PLAN, labels=None)) == ["Burning", "Burning"]


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.Burning])
def test_only_blame_is_held_back(verdict: Verdict) -> None:
    assert judged(FEW, verdict=verdict) == ["Burning", verdict.value]


def step_over(plan: Plan = PLAN) -> ModelDeploymentStatus:
    status = b.on_trial(0, OVER_S)
    assert status.trial
    return replace(status, trial=replace(status.trial, plan=plan))


def looked(
    acts: str, verdict: Verdict = Verdict.NoData, plan: Plan = PLAN, status: ModelDeploymentStatus | None = None
) -> Decision:
    status = status or step_over(plan)
    labels = replace(ENOUGH, verdict="NoData", acts=acts)
    return b.run(status, b.at_ease(status, evidence=(b.evidence(), accuracy(verdict)), labels=labels))


@pytest.mark.parametrize("acts", ["watch", "cold", "later"])
@pytest.mark.parametrize("verdict", [Verdict.NoData, Verdict.Inconclusive])
def test_a_step_does_not_wait_for_labels_that_come_after_it(acts: str, verdict: Verdict) -> None:
    assert b.reasons(looked(acts, verdict))[0] == "StepStarted"


@pytest.mark.parametrize("acts", ["step", "unknown"])
def test_a_step_waits_for_labels_that_come_in_it_and_while_nobody_knows_when_they_come(acts: str) -> None:
    held = looked(acts)
    assert held.status.trial
    assert held.status.trial.step_index == 0
    assert b.condition(held, "Progressing") == ("False", "NoData")


@pytest.mark.parametrize("verdict", [Verdict.Unavailable, Verdict.Environment])
def test_a_step_waits_while_labels_cannot_be_counted_or_the_surroundings_are_to_blame(verdict: Verdict) -> None:
    assert "StepStarted" not in b.reasons(looked("watch", verdict))


def test_late_labels_that_burn_roll_back_all_the_same() -> None:
    assert looked("later", Verdict.Burning).status.phase is Phase.ROLLED_BACK


def test_the_words_of_the_user_count() -> None:
    step = replace_step(PLAN, healthy=[ACCURACY.key])
    assert "StepStarted" not in b.reasons(looked("watch", plan=step))
    assert b.reasons(looked("step", plan=replace_step(PLAN, healthy=[b.objective().key])))[0] == "StepStarted"


def replace_step(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, steps=(plan.steps[0].model_copy(update=changes), *plan.steps[1:]))


def test_what_is_known_of_the_labels_of_another_version_lets_no_step_pass() -> None:
    status = step_over()
    labels = replace(ENOUGH, acts="watch", version=b.A.hash)
    held = b.run(status, b.at_ease(status, evidence=(b.evidence(), accuracy(Verdict.NoData)), labels=labels))
    assert "StepStarted" not in b.reasons(held)


def test_a_held_step_names_what_holds_it_and_not_the_labels_that_come_later() -> None:
    status = step_over()
    evidence = (b.evidence(Verdict.Inconclusive), accuracy(Verdict.NoData))
    held = b.run(status, b.at_ease(status, evidence=evidence, labels=replace(ENOUGH, acts="watch")))
    assert b.condition(held, "Progressing") == ("False", "Inconclusive")
    assert "held: scorer/availability" in b.said(held, "Progressing")


def test_labels_that_come_later_lead_to_nothing_by_being_undecided() -> None:
    rules = Undecided(deadline=1.0, no_data="rollback")
    status = step_over(replace(PLAN, undecided=rules))
    assert status.trial
    waited = replace(accuracy(Verdict.NoData), undecided_since=b.NOW - OVER_S)
    status = replace(status, trial=replace(status.trial, evidence=(b.evidence(), waited)))
    assert looked("step", status=status).status.phase is Phase.ROLLED_BACK
    assert looked("watch", status=status).status.phase is Phase.TRIAL


def test_a_watch_does_not_wait_for_labels_that_come_after_it() -> None:
    status = b.watching(700.0)
    assert status.trial
    status = replace(status, trial=replace(status.trial, plan=PLAN))
    ended = {acts: looked(acts, status=status).status.phase for acts in ("step", "watch", "later", "unknown")}
    assert ended == {
        "step": Phase.WATCHING, "watch": Phase.WATCHING, "later": Phase.STABLE, "unknown": Phase.WATCHING
    }  # fmt: skip


def test_nothing_but_label_objectives_may_be_late() -> None:
    status = replace(step_over(), labels=replace(ENOUGH, acts="later"))
    world = b.at_ease(status, evidence=(b.evidence(Verdict.NoData), accuracy(Verdict.NoData)))
    assert [entry.objective for entry in blocking(status, world)] == ["availability"]
