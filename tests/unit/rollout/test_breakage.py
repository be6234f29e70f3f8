"""Since when a version has been broken: what its time to detect is counted from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.compare import Compare
from seatrial.api.counts import Restart, Totals
from seatrial.api.slices import Slices
from seatrial.judge.types import Verdict
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from seatrial.rollout.breakage import broken_since
from seatrial.rollout.evidence import weigh
from seatrial.rollout.faults import FAULTS
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence, Trial

BEGAN_S = b.NOW - 10_800
LATE = Restart(Totals(30_000, 10), Totals(270_000, 0), at=b.NOW - 40, bad_at=b.NOW - 8)
KNOWN = replace(b.evidence(total=31_000, bad=30), restarts=(LATE,), bad_at=b.NOW - 10_000)
BURNING = replace(KNOWN, total=31_500, bad=310, verdict=Verdict.Burning)


def at(evidence: ObjectiveEvidence, **objective: Any) -> ModelDeploymentStatus:
    status = b.on_trial()
    assert status.trial
    planned = status.trial.plan.objectives[0]
    planned = replace(planned, objective=planned.objective.model_copy(update=objective))
    plan = replace(status.trial.plan, objectives=(planned,))
    return replace(status, trial=replace(status.trial, plan=plan, weighted_at=BEGAN_S, evidence=(evidence,)))


def test_it_is_the_first_bad_event_of_the_stretch_that_condemns() -> None:
    assert broken_since(at(KNOWN), at(BURNING), "burning") == b.NOW - 8


def test_a_version_that_was_bad_from_the_beginning_is_broken_since_its_first_bad_event() -> None:
    early = replace(BURNING, total=40_000, bad=4000, restarts=(replace(LATE, candidate=Totals(30_000, 3000)),))
    assert broken_since(at(KNOWN), at(early), "burning") == b.NOW - 10_000


def test_a_time_that_was_noted_with_the_decision_itself_is_not_believed() -> None:
    """It would be the time of the decision, although the event may have come before: then since the restart point."""
    unseen = replace(KNOWN, restarts=(replace(LATE, bad_at=None),))
    assert (
        broken_since(at(unseen), at(replace(BURNING, restarts=(replace(LATE, bad_at=b.NOW),))), "burning") == b.NOW - 40
    )


def test_what_is_only_told_is_no_reason() -> None:
    status = at(KNOWN)
    trial = status.trial
    assert trial
    other = replace(trial.plan.objectives[0], slo="other")
    other = replace(other, rollback=other.rollback.model_copy(update={"action": "notify"}))
    told = replace(BURNING, slo="other", restarts=(), bad_at=BEGAN_S)
    plan = replace(trial.plan, objectives=(*trial.plan.objectives, other))

    def with_told(*evidence: ObjectiveEvidence) -> ModelDeploymentStatus:
        return replace(status, trial=replace(trial, plan=plan, evidence=evidence))

    assert broken_since(with_told(KNOWN, told), with_told(BURNING, told), "burning") == b.NOW - 8


@pytest.mark.parametrize(
    ("objective", "since_s"),
    [
        ({"slices": Slices()}, BEGAN_S),
        ({"compare": Compare(to="stable", margin="5", mean={"ceiling": "1s"})}, BEGAN_S),
        ({"compare": Compare(to="stable", margin="5")}, b.NOW - 10_000),
    ],
)
def test_what_is_not_judged_by_stretches_is_broken_since_the_beginning(objective: Any, since_s: float) -> None:
    assert broken_since(at(KNOWN, **objective), at(BURNING, **objective), "burning") == since_s


def test_other_causes_have_times_of_their_own() -> None:
    status = at(KNOWN)
    assert status.trial
    status = replace(
        status, drift=replace(b.DRIFTED, since=b.NOW - 120), trial=replace(status.trial, unready_since=b.NOW - 300)
    )
    found = {
        cause: broken_since(status, status, cause)
        for cause in ("crash loop", "not ready", "drifted", "labels", "aborted")
    }
    assert found == {
        "crash loop": b.NOW - 300,
        "not ready": b.NOW - 300,
        "drifted": b.NOW - 120,
        "labels": BEGAN_S,
        "aborted": None,
    }
    assert {"burning", "crash loop", "not ready", "drifted"} <= {fault.name for fault in FAULTS}


def test_a_version_without_weight_harmed_nobody() -> None:
    assert broken_since(b.starting(), b.starting(), "not ready") is None


def look(trial: Trial, at_s: float, total: int, bad: int) -> Trial:
    key = b.PLAN.objectives[0].key
    readings = {
        (version.hash, key): Reading(total, count, at_s, Checkpoint(at_s - 20, total, count))
        for version, count in ((b.B, bad), (b.A, 0))
    }
    measured = Measurements(at_s, None, readings, {})
    return replace(trial, evidence=weigh(trial, b.B.hash, b.A.hash, measured, fresh_s=10.0))


def test_looks_note_when_bad_events_were_first_seen_in_each_stretch() -> None:
    trial = b.on_trial().trial
    assert trial
    trial = replace(trial, evidence=())
    for at_s, total, bad in ((0, 1000, 0), (10, 1400, 1), (20, 2000, 1), (30, 2500, 1), (40, 2600, 9), (50, 2700, 20)):
        trial = look(trial, b.NOW + at_s, total, bad)
    entry = trial.evidence[0]
    assert entry.bad_at == b.NOW + 10
    assert [(restart.at, restart.bad_at) for restart in entry.restarts] == [(b.NOW + 20, b.NOW + 40)]
