"""What is done about a verdict."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seatrial.judge.judge import judge
from seatrial.judge.policy import AfterDeadline, Mode, Move, Override, Policy, RollbackAction, rule
from seatrial.judge.types import Counts, Evidence, Judgement, Objective, Verdict

OBJECTIVE = Objective("availability", "shop", Decimal("99.9"))
EVIDENCE = {
    Verdict.Healthy: Evidence(Counts(6000, 1)),
    Verdict.Burning: Evidence(Counts(100, 50)),
    Verdict.Inconclusive: Evidence(Counts(300, 2)),
    Verdict.NoData: Evidence(Counts(300, 0), fresh=False),
    Verdict.Unavailable: Evidence(Counts(300, 0), unavailable="timeout"),
    Verdict.Environment: Evidence(Counts(100, 50), stable=Counts(900, 450)),
}
UNDECIDED = [Verdict.Inconclusive, Verdict.NoData, Verdict.Unavailable, Verdict.Environment]


def judged(*verdicts: Verdict) -> tuple[Judgement, ...]:
    objectives = [replace(OBJECTIVE, name=f"{i}") for i in range(len(verdicts))]
    found = judge(objectives, [EVIDENCE[verdict] for verdict in verdicts])
    assert [j.verdict for j in found] == list(verdicts)
    return found


def test_only_healthy_advances() -> None:
    assert rule(judged(Verdict.Healthy), Policy(), now_s=0).move is Move.Advance
    for verdict in UNDECIDED:
        assert rule(judged(Verdict.Healthy, verdict), Policy(), now_s=0, undecided_s=1e9).move is Move.Hold


@pytest.mark.parametrize("verdict", list(Verdict))
def test_burning_outranks_every_other_objective(verdict: Verdict) -> None:
    assert rule(judged(verdict, Verdict.Burning), Policy(), now_s=0).move is Move.RollBack


@pytest.mark.parametrize("verdict", UNDECIDED)
@pytest.mark.parametrize(
    ("choice", "move"),
    [
        (AfterDeadline.Hold, Move.Hold),
        (AfterDeadline.RollBack, Move.RollBack),
        (AfterDeadline.Promote, Move.Advance),
    ],
)
def test_deadline(verdict: Verdict, choice: AfterDeadline, move: Move) -> None:
    policy = Policy(deadline_s=60, after_deadline={verdict: choice})
    assert rule(judged(verdict), policy, now_s=0, undecided_s=59).move is Move.Hold
    after = rule(judged(verdict), policy, now_s=0, undecided_s=60)
    assert after.move is move
    assert "deadline of 60 s" in after.sentence


def test_deadline_of_one_verdict_does_not_speak_for_another() -> None:
    policy = Policy(deadline_s=60, after_deadline={Verdict.Inconclusive: AfterDeadline.Promote})
    assert rule(judged(Verdict.Unavailable), policy, now_s=0, undecided_s=999).move is Move.Hold


def test_actions_of_objectives() -> None:
    first = ("shop", "0")
    both = judged(Verdict.Burning, Verdict.Healthy)
    assert rule(both, Policy(actions={first: RollbackAction.Hold}), now_s=0).move is Move.Hold
    assert rule(both, Policy(actions={first: RollbackAction.Notify}), now_s=0).move is Move.Advance
    assert rule(judged(Verdict.Burning), Policy(actions={first: RollbackAction.Notify}), now_s=0).move is Move.Hold
    mixed = judged(Verdict.Burning, Verdict.Burning)
    assert rule(mixed, Policy(actions={first: RollbackAction.Hold}), now_s=0).move is Move.RollBack


def test_observing_does_nothing_and_says_what_it_would_have_done() -> None:
    policy = Policy(mode=Mode.Observe)
    ruling = rule(judged(Verdict.Burning), policy, now_s=0)
    assert (ruling.move, ruling.would) == (Move.Hold, Move.RollBack)
    assert "it would roll back now" in ruling.sentence
    assert rule(judged(Verdict.NoData), policy, now_s=0).would is None


def test_a_person_can_decide_otherwise_for_a_time_and_with_a_reason() -> None:
    override = Override(Move.Advance, "known client bug, see the incident", until_s=100)
    assert rule(judged(Verdict.Burning), Policy(), now_s=99, override=override).move is Move.Advance
    assert rule(judged(Verdict.Burning), Policy(), now_s=100, override=override).move is Move.RollBack
    with pytest.raises(ValueError, match="reason"):
        Override(Move.Hold, " ", until_s=1)
