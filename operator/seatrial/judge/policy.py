"""From judgements to a move: who may act, on what, and what happens when the evidence stays away.

The evidence says what is true; this says what is done about it. Only a healthy version goes on. A burning one is
rolled back unless its objective asks for a person. Everything else holds, until a deadline for which the user chose
hold, roll back or promote. A person can decide otherwise, with a reason and for a time. In observe mode nothing is
done, and what would have been done is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.judge.judge import overall
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.judge.types import Judgement

__all__ = ["AfterDeadline", "Mode", "Move", "Override", "Policy", "RollbackAction", "Ruling", "rule"]


class Move(StrEnum):
    """What to do with the version now."""

    Advance = "Advance"
    Hold = "Hold"
    RollBack = "RollBack"


class AfterDeadline(StrEnum):
    """What to do when a verdict other than Healthy and Burning has lasted too long."""

    Hold = "Hold"
    RollBack = "RollBack"
    Promote = "Promote"


class RollbackAction(StrEnum):
    """What a burning objective does."""

    Auto = "Auto"
    """Roll back."""
    Hold = "Hold"
    """Hold the weight and leave the rest to a person."""
    Notify = "Notify"
    """Say so, and let the other objectives decide."""


class Mode(StrEnum):
    """Whether Seatrial acts."""

    Act = "Act"
    Observe = "Observe"


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision instead of the judge's.

    Parameters
    ----------
    move
        What to do.
    reason
        Why, in the person's words; not empty.
    until_s
        Unix time at which the override ends.

    Raises
    ------
    ValueError
        When the reason is empty.
    """

    move: Move
    reason: str
    until_s: float

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("an override needs a reason: it is recorded, and somebody will ask")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user chose.

    Parameters
    ----------
    deadline_s
        How long a verdict other than Healthy and Burning may last, in seconds.
    after_deadline
        What to do then, by verdict; verdicts left out hold.
    actions
        What a burning objective does, by ``(slo, objective)``; objectives left out roll back.
    mode
        Act or observe.
    """

    deadline_s: float = 3600.0
    after_deadline: Mapping[Verdict, AfterDeadline] = field(default_factory=dict)
    actions: Mapping[tuple[str, str], RollbackAction] = field(default_factory=dict)
    mode: Mode = Mode.Act


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do and why; ``would`` is what would have been done, when observing keeps it from being done."""

    move: Move
    sentence: str
    would: Move | None = None


_AFTER = {
    AfterDeadline.Hold: (Move.Hold, "the weight is held"),
    AfterDeadline.RollBack: (Move.RollBack, "the policy asks for a rollback"),
    AfterDeadline.Promote: (Move.Advance, "the policy asks for promotion"),
}


def rule(
    judgements: Sequence[Judgement],
    policy: Policy,
    *,
    now_s: float,
    undecided_s: float = 0.0,
    override: Override | None = None,
) -> Ruling:
    """Decide what to do with a version.

    Parameters
    ----------
    judgements
        One for each objective, at least one.
    policy
        What the user chose.
    now_s
        Unix time.
    undecided_s
        Seconds for which the version has been neither healthy nor burning.
    override
        A person's decision, in force until it expires.

    Raises
    ------
    ValueError
        When there is no judgement.
    """
    if override and now_s < override.until_s:
        return Ruling(override.move, f"A person decided: {override.reason.strip()}")
    ruling = _ruling(judgements, policy, undecided_s)
    if policy.mode is Mode.Observe and ruling.move is not Move.Hold:
        verb = "roll back" if ruling.move is Move.RollBack else "go on"
        return Ruling(Move.Hold, f"Observing only; otherwise it would {verb} now: {ruling.sentence}", would=ruling.move)
    return ruling


def _ruling(judgements: Sequence[Judgement], policy: Policy, undecided_s: float) -> Ruling:
    def action(judgement: Judgement) -> RollbackAction:
        return policy.actions.get((judgement.slo, judgement.objective), RollbackAction.Auto)

    burning = [j for j in judgements if j.verdict is Verdict.Burning]
    for wanted, move in ((RollbackAction.Auto, Move.RollBack), (RollbackAction.Hold, Move.Hold)):
        if blamed := [j for j in burning if action(j) is wanted]:
            return Ruling(move, overall(blamed).sentence)
    deciding = [j for j in judgements if j not in burning]
    if not deciding:
        return Ruling(Move.Hold, f"Nobody but objectives that only notify: {overall(judgements).sentence}")
    worst = overall(deciding)
    if worst.verdict is Verdict.Healthy:
        return Ruling(Move.Advance, worst.sentence)
    if undecided_s < policy.deadline_s:
        return Ruling(Move.Hold, worst.sentence)
    move, says = _AFTER[policy.after_deadline.get(worst.verdict, AfterDeadline.Hold)]
    return Ruling(
        move, f"{worst.verdict.value} for longer than its deadline of {policy.deadline_s:g} s, {says}: {worst.sentence}"
    )
