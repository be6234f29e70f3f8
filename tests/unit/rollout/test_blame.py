"""What a finding of drift does to a rollout: rolled back, held, or only told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.commands import Hold
from seatrial.api.status import Phase
from seatrial.rollout.blame import drift_free, shown
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import Refusal, Wish
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.drift import DriftStatus
    from seatrial.api.status import ModelDeploymentStatus

FOUND = replace(b.DRIFTED, remedy="nothing", asks="rollback", confirmed=False, since=b.NOW - 30, looks=1)
HOLDS = replace(b.DRIFTED, cause="PopulationsDiffer", remedy="hold", asks="hold")
TOLD = replace(b.DRIFTED, cause="WorldChanged", remedy="notify", asks="notify", sentence="the world")
CLEAR = replace(FOUND, cause="NoDrift", asks="nothing", since=None, looks=0, sentence="nothing drifts")


def passed() -> ModelDeploymentStatus:
    """Make the status of a step whose time is over and that is found well."""
    return b.on_trial(0, b.STEPS[0].lasts_s)


@pytest.mark.parametrize(
    ("drift", "phase", "step"),
    [
        (b.DRIFTED, Phase.ROLLED_BACK, 0),
        (HOLDS, Phase.TRIAL, 0),
        (FOUND, Phase.TRIAL, 0),  # waits for its confirmation
        (TOLD, Phase.TRIAL, 1),
        (CLEAR, Phase.TRIAL, 1),
        (replace(b.DRIFTED, version=b.A.hash), Phase.TRIAL, 1),  # another version's
    ],
)
def test_what_follows(drift: DriftStatus, phase: Phase, step: int) -> None:
    after = b.run(passed(), b.at_ease(passed(), drift=drift)).status
    assert after.phase is phase
    assert after.trial
    assert after.trial.step_index == step


def test_a_held_step_says_what_holds_it() -> None:
    after = b.run(passed(), b.at_ease(passed(), drift=HOLDS)).status
    progressing = next(c for c in after.conditions if c.type == "Progressing")
    assert (progressing.status, progressing.reason) == ("False", "PopulationsDiffer")
    assert "held: age: psi 0.6" in progressing.message


def test_an_override_and_mode_observe_let_drift_pass() -> None:
    hold = Hold(by="ann", at=b.NOW - 60, reason="known", until=b.NOW + 600)
    overridden = replace(passed(), override=hold)
    assert b.run(overridden, b.at_ease(overridden, drift=b.DRIFTED)).status.phase is Phase.TRIAL
    world = b.at_ease(passed(), drift=b.DRIFTED)
    assert isinstance(world.wish, Wish)
    observing = replace(world, wish=replace(world.wish, observe=True))
    after = b.run(passed(), observing).status
    assert after.phase is Phase.TRIAL
    assert after.trial
    assert after.trial.would_have_rolled_back
    assert "age: psi 0.6" in after.trial.would_have_rolled_back.sentence


def test_what_the_world_has_changed_is_told_once_and_told_to_be_over() -> None:
    status = b.stable()
    finding = replace(TOLD, version=b.A.hash)
    first = b.run(status, b.at_ease(status, drift=finding))
    assert [(n.type, n.reason, n.note) for n in first.notices] == [("Warning", "WorldChanged", "the world")]
    again = b.run(first.status, b.at_ease(first.status, drift=replace(finding, at=b.NOW)))
    assert again.notices == ()
    over = b.run(first.status, b.at_ease(first.status, drift=replace(CLEAR, version=b.A.hash)))
    assert [(n.type, n.reason) for n in over.notices] == [("Normal", "NoDrift")]


def test_a_restarted_operator_remembers_and_an_edited_slo_forgets() -> None:
    status = replace(b.stable(), drift=replace(TOLD, version=b.A.hash))
    assert b.run(status, b.at_ease(status)).status.drift == status.drift
    silent = b.plan_of(b.SPEC, scorer={"objectives": b.SLO["objectives"]})
    world = b.at_ease(status)
    assert isinstance(world.wish, Wish)
    after = b.run(status, replace(world, wish=replace(world.wish, plan=silent))).status
    assert after.drift is None
    assert "DriftFree" not in {c.type for c in after.conditions}


@pytest.mark.parametrize(
    ("drift", "status", "reason"),
    [
        (b.DRIFTED, "False", "FeaturesApart"),
        (FOUND, "Unknown", "ToBeConfirmed"),
        (CLEAR, "True", "NoDrift"),
        (replace(CLEAR, cause="NoSeries"), "Unknown", "NoSeries"),
        (
            replace(b.DRIFTED, remedy="notify", asks="nothing"),
            "False",
            "FeaturesApart",
        ),  # gone, and not for long enough
    ],
)
def test_the_condition(drift: DriftStatus, status: str, reason: str) -> None:
    assert drift_free(drift)[:2] == (status, reason)


def test_counts_alone_are_worth_no_write() -> None:
    later = replace(b.DRIFTED, at=b.NOW, sentence="psi 0.61", looks=2, last_seen=b.NOW)
    assert shown(later) == shown(b.DRIFTED)
    assert shown(replace(b.DRIFTED, cause="WorldChanged")) != shown(b.DRIFTED)


def test_two_model_slos_that_both_say_drift_are_refused() -> None:
    spec = {**b.SPEC, "slos": [{"name": "one"}, {"name": "two"}]}
    found = wish_of(spec, {"one": b.SLO, "two": b.SLO}, lambda _: None)
    assert isinstance(found, Refusal)
    assert "ModelSLOs one, two all say drift: only one of them may" in found.sentence
