"""Commands: done once, answered always, legal in each phase or refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.commands import Answer, Command, Hold, Verb
from seatrial.api.status import Draining, Kept, Outcome, Phase
from seatrial.api.strategy import Gate, Step
from seatrial.api.trial import Return
from seatrial.judge.types import Verdict
from seatrial.rollout import commands
from seatrial.rollout.commands import MAX_ANSWERS, obey
from tests.unit.rollout import builders as b
from tests.unit.rollout.strategies import states

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision
    from tests.unit.rollout.strategies import State

LATER = b.NOW + 600
KEPT = Kept(b.C.hash, b.C.label, b.NOW - 100)
TWO_PEOPLE = Step(gate=Gate(name="review", approvals=2))


def ask(verb: Verb, number: int = 1, **more: Any) -> Command:
    return Command(id=f"c{number}", verb=verb, **({"by": "ann"} | more))


def asked(status: ModelDeploymentStatus, *given_commands: Command, **changes: Any) -> Decision:
    return b.run(status, b.at_ease(status, commands=given_commands, **changes))


def answer(decision: Decision) -> tuple[str, str]:
    newest = decision.status.answers[0]
    return newest.outcome, newest.sentence


def test_every_verb_has_a_rule() -> None:
    assert set(commands.RULES) == set(Verb)


REFUSED = {
    "promote at rest": (b.stable(), ask(Verb.PROMOTE), "no trial is at a step or a gate (phase Stable)"),
    "promote while starting": (b.starting(), ask(Verb.PROMOTE), "no trial is at a step or a gate (phase Starting)"),
    "promote another gate": (
        b.at_step(b.GATE),
        ask(Verb.PROMOTE, gate="legal"),
        "gate legal is not where the trial stands: it stands at gate review",
    ),
    "promote a gate at a step": (
        b.on_trial(),
        ask(Verb.PROMOTE, gate="review"),
        "it stands at step 1, which is no gate",
    ),
    "promote twice": (
        b.at_step(TWO_PEOPLE, approvals=("ann",)),
        ask(Verb.PROMOTE),
        "ann has already said promote at gate review",
    ),
    "promote what is paused": (
        replace(b.on_trial(), paused=Hold("bob", b.NOW)),
        ask(Verb.PROMOTE),
        "the rollout is paused by bob: resume it first",
    ),
    "promote-full while promoting": (b.promoting(), ask(Verb.PROMOTE_FULL), "no trial has steps left"),
    "abort at rest": (b.stable(), ask(Verb.ABORT), "abort: nothing is on trial (phase Stable)"),
    "abort the first version": (b.deploying(), ask(Verb.ABORT), "abort: nothing is on trial (phase Deploying)"),
    "pause twice": (replace(b.stable(), paused=Hold("bob", b.NOW)), ask(Verb.PAUSE), "bob has paused it already"),
    "resume what runs": (b.stable(), ask(Verb.RESUME), "resume: nothing is paused"),
    "freeze until the past": (b.stable(), ask(Verb.FREEZE, until=b.NOW - 1), "freeze: `until` has passed already"),
    "override until now": (
        b.stable(),
        ask(Verb.OVERRIDE, until=b.NOW, reason="we know"),
        "override: `until` has passed already",
    ),
    "retry what was not rolled back": (b.stable(), ask(Verb.RETRY), "retry: version 1 was not rolled back"),
    "rollback of nothing": (b.pending(), ask(Verb.ROLLBACK), "rollback: nothing has been deployed yet"),
    "rollback to nothing": (
        b.stable(),
        ask(Verb.ROLLBACK),
        "a former version is not there any more; to be returned to: none",
    ),
    "rollback to a stranger": (
        replace(b.stable(), kept=(KEPT,)),
        ask(Verb.ROLLBACK, version="9"),
        "9 is not there any more; to be returned to: 3 (cccccccccc)",
    ),
    "rollback of a trial to a third version": (
        b.on_trial(),
        ask(Verb.ROLLBACK, version="3"),
        "a version is on trial: only stable (1) can be returned to",
    ),
}


@pytest.mark.parametrize(("status", "command", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(status: ModelDeploymentStatus, command: Command, sentence: str) -> None:
    decision = asked(status, command)
    outcome, said = answer(decision)
    assert outcome == "Refused"
    assert sentence in said
    assert decision.status.phase is not Phase.ROLLED_BACK
    assert "CommandRefused" in b.reasons(decision)


def test_promote_passes_a_step_before_its_time() -> None:
    decision = asked(b.on_trial(0, 1.0), ask(Verb.PROMOTE))
    assert answer(decision) == ("Done", "step 1 is passed")
    assert decision.status.trial
    assert decision.status.trial.step_index == 1
    assert "is let through step 1, ann asked for it" in decision.notices[0].note


def test_promote_opens_a_gate_and_two_people_open_one_for_two() -> None:
    alone = asked(b.at_step(b.GATE), ask(Verb.PROMOTE, gate="review"))
    assert alone.status.trial
    assert (answer(alone)[1], alone.status.trial.step_index) == ("gate review is open", 2)
    first = asked(b.at_step(TWO_PEOPLE), ask(Verb.PROMOTE))
    assert first.status.trial
    assert (answer(first)[1], first.status.trial.step_index) == ("gate review waits for 1 more", 1)
    second = asked(b.at_step(TWO_PEOPLE, approvals=("ann",)), ask(Verb.PROMOTE, by="bob"))
    assert second.status.trial
    assert second.status.trial.step_index == 2
    assert "gate review (ann, bob)" in second.notices[0].note


def test_a_gate_waits_for_people_and_not_for_time() -> None:
    decision = asked(b.at_step(b.GATE, 1e6))
    assert decision.status.phase is Phase.TRIAL
    assert b.condition(decision, "Progressing") == ("False", "WaitingForApproval")


def test_a_gate_is_no_way_round_the_judge() -> None:
    burning = (b.evidence(Verdict.Burning, bad=300),)
    decision = asked(b.at_step(b.GATE, approvals=("ann",)), evidence=burning)
    assert decision.status.phase is Phase.ROLLED_BACK
    unsure = (b.evidence(Verdict.Inconclusive),)
    held = asked(b.at_step(b.GATE, approvals=("ann",)), evidence=unsure)
    assert held.status.trial
    assert held.status.trial.step_index == 1


def test_promote_full_skips_what_is_left() -> None:
    decision = asked(b.on_trial(0, 1.0), ask(Verb.PROMOTE_FULL, reason="a hot fix"))
    assert decision.status.phase is Phase.PROMOTING
    assert "ann asked for it: a hot fix" in decision.notices[0].note


@pytest.mark.parametrize("status", b.UNDERWAY.values(), ids=b.UNDERWAY)
@pytest.mark.parametrize("verb", [Verb.ABORT, Verb.ROLLBACK])
def test_abort_and_rollback_take_the_traffic_in_every_phase_underway(status: ModelDeploymentStatus, verb: Verb) -> None:
    decision = asked(status, ask(verb, reason="it is Friday"))
    assert decision.status.phase is Phase.ROLLED_BACK
    assert decision.target.weights[b.A.hash] == 100
    assert decision.status.quarantined == (b.B.hash,)
    assert "ann asked for it: it is Friday" in decision.status.history[0].sentence


@pytest.mark.parametrize("status", [b.starting(), b.on_trial(), b.watching()], ids=["starting", "trial", "watching"])
def test_abort_overtakes_a_promotion_that_waits(status: ModelDeploymentStatus) -> None:
    """The route is not there, so nobody can be promoted yet; that is no reason to keep on."""
    waiting = b.ordered(status, Verb.PROMOTE_FULL)
    decision = asked(waiting, ask(Verb.ABORT), route=None)
    assert decision.status.phase is Phase.ROLLED_BACK
    assert decision.target.weights == {b.A.hash: 100, b.B.hash: 0}


def test_an_abort_that_was_carried_out_is_not_asked_for_twice() -> None:
    first = asked(b.on_trial(), ask(Verb.ABORT))
    again = asked(first.status, ask(Verb.ABORT), ask(Verb.ABORT, 2), wish=b.wish(b.B))
    assert again.status.history == first.status.history
    assert again.status.phase is Phase.ROLLED_BACK
    assert answer(again) == ("Refused", "abort: nothing is on trial (phase RolledBack)")


def test_a_pause_holds_the_step_and_resume_lets_it_go_on() -> None:
    over = b.on_trial(0, b.STEPS[0].lasts_s)
    paused = asked(over, ask(Verb.PAUSE, reason="lunch"))
    assert b.condition(paused, "Progressing") == ("False", "Paused")
    assert "paused by ann (lunch)" in paused.status.summary
    resumed = asked(paused.status, ask(Verb.PAUSE, reason="lunch"), ask(Verb.RESUME, 2))
    assert resumed.status.paused is None
    assert resumed.status.trial
    assert resumed.status.trial.step_index == 1


def test_resume_can_not_undo_the_spec() -> None:
    decision = asked(b.stable(), ask(Verb.RESUME), wish=b.wish(b.A, paused=True))
    assert answer(decision) == ("Refused", "resume: spec.paused is true, take it out there")


def test_a_freeze_ends_by_itself() -> None:
    frozen = asked(b.stable(), ask(Verb.FREEZE, until=LATER), wish=b.wish(b.B))
    assert frozen.status.candidate is None
    assert frozen.look_again_s == 600.0
    after = asked(frozen.status, ask(Verb.FREEZE, until=LATER), wish=b.wish(b.B), now_s=LATER)
    assert after.status.candidate == b.B


def test_a_pause_never_delays_a_rollback() -> None:
    status = replace(b.on_trial(), paused=Hold("ann", b.NOW))
    decision = asked(status, evidence=(b.evidence(Verdict.Burning, bad=300),))
    assert decision.status.phase is Phase.ROLLED_BACK


def test_retry_tries_a_quarantined_version_again() -> None:
    decision = asked(b.rolled_back(), ask(Verb.RETRY), wish=b.wish(b.B))
    assert decision.status.phase is Phase.STARTING
    assert decision.status.candidate == b.B


def test_rollback_returns_to_a_kept_version_without_steps() -> None:
    status = replace(b.stable(), kept=(KEPT,))
    pods = {b.A.hash: b.pods(b.A), b.C.hash: b.pods(b.C, ready=0, desired=0)}
    begun = asked(status, ask(Verb.ROLLBACK, version="3"), workloads=pods)
    assert begun.status.phase is Phase.STARTING
    assert begun.status.candidate == b.C
    assert begun.status.kept == ()
    assert begun.status.quarantined == (b.A.hash,)  # or the operator would go straight back
    assert begun.target.replicas[b.C.hash] == b.PODS
    ready = asked(begun.status, wish=b.wish(b.A))
    assert ready.status.phase is Phase.PROMOTING
    there = asked(ready.status, wish=b.wish(b.A))
    assert there.status.phase is Phase.STABLE
    assert there.status.stable == b.C
    assert there.status.history[0].outcome is Outcome.RETURNED


def test_a_new_wish_ends_a_return() -> None:
    status = replace(b.stable(), return_to=Return(b.C, "ann asked for it"))
    begun = asked(status, workloads={b.A.hash: b.pods(b.A), b.C.hash: b.pods(b.C)})
    assert begun.status.candidate == b.C
    assert asked(begun.status, wish=b.wish(b.B)).status.phase is Phase.STABLE


def test_a_command_is_done_once() -> None:
    first = asked(b.on_trial(0, 1.0), ask(Verb.PROMOTE))
    again = asked(first.status, ask(Verb.PROMOTE))
    assert first.status.trial
    assert again.status.trial
    assert again.status.trial.step_index == first.status.trial.step_index == 1
    assert len(again.status.answers) == 1


def test_commands_are_obeyed_in_their_order() -> None:
    first = asked(b.stable(), ask(Verb.PAUSE), ask(Verb.RESUME, 2))
    assert first.status.paused
    assert first.look_again_s == 0.0
    second = asked(first.status, ask(Verb.PAUSE), ask(Verb.RESUME, 2))
    assert second.status.paused is None


def test_an_answer_stays_as_long_as_its_command() -> None:
    standing = Answer("c1", Verb.PAUSE, "ann", verified=True, at=b.NOW - 999, outcome="Done", sentence="paused")
    old = [replace(standing, id=f"old{i}") for i in range(MAX_ANSWERS - 1)]
    status = replace(b.stable(), answers=(*old, standing))
    after = obey(status, b.at_ease(status, commands=(ask(Verb.PAUSE), ask(Verb.RESUME, 2))))
    assert len(after.answers) <= MAX_ANSWERS
    assert {answer.id for answer in after.answers} >= {"c1", "c2"}


@pytest.mark.parametrize("attested", [True, False])
def test_an_answer_says_whether_the_name_is_proven(attested: bool) -> None:
    decision = asked(b.stable(), ask(Verb.PAUSE), attested=attested)
    assert decision.status.answers[0].verified is attested
    assert ("unverified" in decision.notices[-1].note) is not attested


def test_a_kept_version_is_what_has_drained_after_a_promotion() -> None:
    status = replace(b.stable(), draining=(Draining(b.C.hash, b.C.label, b.NOW - 1000, keep=True),))
    keeping = replace(b.wish(b.A), keep=b.KEEP)
    world = b.at_ease(status, wish=keeping)
    after = b.run(status, world)
    assert [entry.hash for entry in after.status.kept] == [b.C.hash]
    assert after.target.replicas[b.C.hash] == 0
    assert after.look_again_s == b.KEEP.for_
    old = replace(after.status, kept=(replace(after.status.kept[0], since=b.NOW - b.KEEP.for_),))
    assert b.run(old, world).status.kept == ()


@given(state=states(), verb=st.sampled_from(Verb))
def test_every_command_is_answered_in_every_state(state: State, verb: Verb) -> None:
    status, world = state
    more: dict[str, Any] = {"until": LATER} if verb in {Verb.FREEZE, Verb.OVERRIDE} else {}
    more |= {"reason": "we know"} if verb is Verb.OVERRIDE else {}
    decision = b.run(status, replace(world, commands=(ask(verb, **more),)))
    assert [answer.id for answer in decision.status.answers] == ["c1"]
    assert decision.status.answers[0].sentence
