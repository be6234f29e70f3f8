"""What people may choose: what a verdict leads to, by objective, by deadline, by mode, and by their own word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.commands import Hold
from seatrial.api.strategy import Undecided
from seatrial.judge.types import Verdict
from seatrial.rollout.capacity import Fitness
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import PlannedObjective
    from seatrial.rollout.decision import Decision

DEADLINE_S = 600.0
OVER_S = b.STEPS[0].lasts_s
LATE_S = OVER_S + DEADLINE_S
UNDECIDED = {
    Verdict.Inconclusive: "inconclusive",
    Verdict.NoData: "no_data",
    Verdict.Unavailable: "unavailable",
    Verdict.Environment: "environment",
}
UNTIL = b.NOW + 300
WORD = Hold(by="ann", at=b.NOW - 10, reason="the auditors know", until=UNTIL)


def trial(held_s: float, *objectives: PlannedObjective, **policies: Any) -> ModelDeploymentStatus:
    status = b.on_trial(0, held_s)
    assert status.trial
    plan = replace(b.PLAN, undecided=Undecided(deadline=DEADLINE_S, **policies))
    plan = replace(plan, objectives=objectives or b.PLAN.objectives)
    return replace(status, trial=replace(status.trial, plan=plan))


def judged(verdict: Verdict, second: Verdict | None = None) -> dict[str, Any]:
    entries = [b.evidence(verdict)] + ([b.evidence(second, objective="latency")] if second else [])
    down = b.OUTAGE if Verdict.Unavailable in {verdict, second} else None
    return {"evidence": tuple(entries), "metrics_down": down}


def late(status: ModelDeploymentStatus, world: dict[str, Any], waited_s: float = DEADLINE_S) -> Decision:
    """Decide when objectives have had their verdicts for so long."""
    waiting = b.waited(status, b.NOW - waited_s, *world["evidence"])
    return b.run(waiting, b.at_ease(waiting, **world))


def outcome(decision: Decision) -> str:
    moves = {"RolledBack": "rollback", "StepStarted": "promote"}
    return next((moves[reason] for reason in b.reasons(decision) if reason in moves), "hold")


@pytest.mark.parametrize(("verdict", "name"), UNDECIDED.items())
@pytest.mark.parametrize("policy", ["hold", "rollback", "promote"])
def test_policy_after_the_deadline(verdict: Verdict, name: str, policy: str) -> None:
    assert outcome(late(trial(LATE_S, **{name: policy}), judged(verdict), LATE_S)) == policy
    assert outcome(late(trial(LATE_S - 0.001, **{name: policy}), judged(verdict), LATE_S)) == "hold"


def test_deadline_begins_when_the_verdict_does() -> None:
    """A step that was Healthy all night, held by a closed window, does not end with the first second of an outage."""
    status = trial(50 * LATE_S, unavailable="rollback")
    assert outcome(late(status, judged(Verdict.Unavailable), 0.0)) == "hold"
    assert outcome(late(status, judged(Verdict.Unavailable), DEADLINE_S - 0.001)) == "hold"
    assert outcome(late(status, judged(Verdict.Unavailable))) == "rollback"


@pytest.mark.parametrize(
    ("before", "now", "policies", "expected"),
    [
        (Verdict.Healthy, Verdict.Unavailable, {"unavailable": "rollback"}, "hold"),
        (Verdict.Inconclusive, Verdict.Unavailable, {"unavailable": "rollback"}, "hold"),
        (Verdict.Inconclusive, Verdict.NoData, {"inconclusive": "rollback", "no_data": "rollback"}, "rollback"),
        (Verdict.Inconclusive, Verdict.NoData, {"inconclusive": "promote", "no_data": "rollback"}, "hold"),
    ],
)
def test_deadline_begins_anew_when_another_end_is_waited_for(
    before: Verdict, now: Verdict, policies: dict[str, str], expected: str
) -> None:
    """Hours of little traffic, which hold, are no reason to roll back when Prometheus is restarted."""
    status = b.waited(trial(LATE_S, **policies), b.NOW - LATE_S, b.evidence(before))
    assert outcome(b.run(status, b.at_ease(status, **judged(now)))) == expected


@pytest.mark.parametrize("by", ["spec", "command", "override", "observe"])
def test_deadline_does_not_run_while_a_person_holds(by: str) -> None:
    holds = {
        "spec": {"wish": b.wish(paused=True)},
        "observe": {"wish": replace(b.wish(), observe=True)},
    }
    doubt = judged(Verdict.Inconclusive)
    status = b.waited(trial(OVER_S - 1, inconclusive="rollback"), b.NOW - 1, *doubt["evidence"])
    people: dict[str, Any] = {"command": {"paused": WORD}, "override": {"override": WORD}}
    held = b.run(replace(status, **people.get(by, {})), b.at_ease(status, **(doubt | holds.get(by, {})))).status
    back = b.at_ease(status, **doubt, now_s=b.NOW + LATE_S)
    released = b.run(replace(held, paused=None, override=None), back)
    assert outcome(released) == "hold"
    after = b.run(released.status, replace(back, now_s=back.now_s + DEADLINE_S))
    assert outcome(after) == "rollback"


@pytest.mark.parametrize(("verdict", "name"), UNDECIDED.items())
def test_policy_speaks_of_its_own_verdict_only(verdict: Verdict, name: str) -> None:
    others = {other: "rollback" for other in UNDECIDED.values() if other != name}
    status = trial(LATE_S, **others)
    assert outcome(late(status, judged(verdict))) == "hold"


@pytest.mark.parametrize(
    ("environment", "inconclusive", "expected"),
    [
        ("promote", "promote", "promote"),
        ("promote", "hold", "hold"),  # the second objective has not said yes
        ("hold", "promote", "hold"),
        ("hold", "rollback", "rollback"),  # one that asks for it is enough
        ("rollback", "promote", "rollback"),
    ],
)
def test_two_objectives_after_the_deadline(environment: str, inconclusive: str, expected: str) -> None:
    status = trial(
        LATE_S,
        b.objective(),
        b.objective("latency"),
        environment=environment,
        inconclusive=inconclusive,
    )
    assert outcome(late(status, judged(Verdict.Environment, Verdict.Inconclusive))) == expected


def test_deadline_never_holds_a_healthy_step_nor_a_pause() -> None:
    status = trial(LATE_S, inconclusive="rollback")
    assert outcome(b.run(status, b.at_ease(status))) == "promote"
    assert outcome(late(status, {"wish": b.wish(paused=True), **judged(Verdict.Inconclusive)})) == "hold"


def test_deadline_is_the_step_s_not_the_promotion_s() -> None:
    """A step that was passed late meets one doubtful look on its way to all traffic."""
    status = trial(LATE_S, inconclusive="rollback")
    promoting = replace(b.promoting(), trial=status.trial)
    assert b.reasons(late(promoting, judged(Verdict.Inconclusive), LATE_S)) == ["Promoted"]


def acting(action: str) -> PlannedObjective:
    planned = b.objective()
    return replace(planned, rollback=planned.rollback.model_copy(update={"action": action}))


@pytest.mark.parametrize(("action", "expected"), [("auto", "rollback"), ("hold", "hold"), ("notify", "promote")])
def test_objective_says_what_burning_leads_to(action: str, expected: str) -> None:
    status = trial(OVER_S, acting(action))
    decision = b.run(status, b.at_ease(status, **judged(Verdict.Burning)))
    assert outcome(decision) == expected


def test_burning_that_is_not_acted_on_is_told_once() -> None:
    status = trial(10.0, acting("hold"))
    first = b.run(status, b.at_ease(status, **judged(Verdict.Burning)))
    assert b.reasons(first) == ["Burning"]
    assert b.reasons(b.run(first.status, b.at_ease(status, **judged(Verdict.Burning)))) == []


def observed(status: ModelDeploymentStatus, **changes: Any) -> Decision:
    return b.run(status, b.at_ease(status, **({"wish": replace(b.wish(), observe=True)} | changes)))


FAULTS: dict[str, dict[str, Any]] = {
    "burning": judged(Verdict.Burning),
    "crash loop": {"workloads": {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, crash_looping="container model")}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_mode_observe_says_what_it_would_have_done(fault: str) -> None:
    decision = observed(b.on_trial(), **FAULTS[fault])
    assert decision.status.candidate == b.B
    assert "WouldHaveRolledBack" in b.reasons(decision)
    assert b.candidate_weight(decision) == 10
    assert decision.status.trial
    assert decision.status.trial.would_have_rolled_back
    again = b.run(decision.status, b.at_ease(b.on_trial(), wish=replace(b.wish(), observe=True), **FAULTS[fault]))
    assert "WouldHaveRolledBack" not in b.reasons(again)


def test_mode_observe_tells_of_another_signature() -> None:
    decision = observed(b.asked(b.starting(), signature="rollback"), fitness=Fitness(b.PODS, mismatch="it needs z"))
    assert decision.status.candidate == b.B
    assert b.reasons(decision) == ["WouldHaveRolledBack"]


@pytest.mark.parametrize("verdict", Verdict)
def test_mode_observe_goes_by_time_alone(verdict: Verdict) -> None:
    assert outcome(observed(b.on_trial(0, OVER_S), **judged(verdict))) == "promote"
    assert outcome(observed(b.on_trial(0, OVER_S - 1), **judged(verdict))) == "hold"


@pytest.mark.parametrize("verdict", Verdict)
def test_override_counts_every_verdict_as_healthy(verdict: Verdict) -> None:
    status = replace(b.on_trial(0, OVER_S), override=WORD)
    decision = b.run(status, b.at_ease(status, **judged(verdict)))
    assert outcome(decision) == "promote"
    assert decision.status.override == WORD


def test_override_excuses_no_crash() -> None:
    status = replace(b.on_trial(), override=WORD)
    decision = b.run(status, b.at_ease(status, **FAULTS["crash loop"]))
    assert outcome(decision) == "rollback"


def test_override_ends_by_itself() -> None:
    status = replace(b.stable(), override=WORD)
    in_force = b.run(status, b.at_ease(status))
    assert in_force.look_again_s == 300.0  # nobody else would wake it
    after = b.run(in_force.status, b.at_ease(status, now_s=UNTIL))
    assert b.reasons(after) == ["OverrideEnded"]
    assert after.status.override is None
    assert after.look_again_s is None


def test_spent_budget_freezes_new_trials_only() -> None:
    frozen = "the error budget of scorer/availability is spent"
    held = b.run(b.stable(), b.at_ease(b.stable(), wish=b.wish(b.B), frozen=frozen))
    assert b.condition(held, "Progressing") == ("False", "BudgetSpent")
    assert frozen in held.status.summary
    running = b.on_trial(0, OVER_S)
    assert outcome(b.run(running, b.at_ease(running, frozen=frozen))) == "promote"


def test_override_thaws_and_is_on_record() -> None:
    status = replace(b.stable(), override=WORD)
    decision = b.run(status, b.at_ease(status, wish=b.wish(b.B), frozen="the budget is spent"))
    assert b.reasons(decision) == ["TrialStarting"]
    assert "although the budget is spent (the auditors know)" in decision.notices[0].note
