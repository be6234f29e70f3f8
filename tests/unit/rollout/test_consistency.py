"""The checker itself: it refuses what can't be, and lets every state of the builders pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.status import Draining, Phase
from seatrial.judge.types import Verdict
from seatrial.rollout.world import RouteView
from tests.unit.rollout import builders as b
from tests.unit.rollout.consistency import Impossible, check

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

TRIAL = b.on_trial()
STARTING = b.starting()


@pytest.mark.parametrize("status", b.EVERY.values(), ids=b.EVERY.keys())
def test_builders_make_possible_worlds(status: ModelDeploymentStatus) -> None:
    check(status, b.at_ease(status))


@pytest.mark.parametrize(
    ("status", "changes", "complaint"),
    [
        (TRIAL, {"workloads": {b.B.hash: b.pods(b.B, ready=3, desired=2)}}, "3 ready, 2 desired"),
        (TRIAL, {"workloads": {b.B.hash: b.pods(b.B, ready=1, available=2)}}, "2 available, 1 ready"),
        (TRIAL, {"workloads": {b.A.hash: b.pods(b.B)}}, f"{b.A.hash} is {b.B.hash}"),
        (TRIAL, {"targets_up": {b.B.hash: -1}}, "targets"),
        (TRIAL, {"route": RouteView({b.A.hash: 90}, accepted=True, resolved=True)}, "no division"),
        (TRIAL, {"evidence": (b.evidence(), b.evidence())}, "other objectives"),
        (TRIAL, {"evidence": (replace(b.evidence(total=3), bad=4),)}, "4 bad of 3"),
        (TRIAL, {"metrics_down": b.OUTAGE}, "although metrics are down"),
        (STARTING, {"evidence": (b.evidence(),)}, "evidence in phase Starting"),
        (replace(TRIAL, trial=None), {}, "without a trial"),
        (replace(TRIAL, stable=None), {"route": None}, "with stable None"),
        (replace(TRIAL, candidate=None), {}, "with candidate None"),
        (replace(STARTING, candidate=b.A), {}, "stable already"),
        (replace(STARTING, quarantined=(b.B.hash,)), {}, "quarantined version is on trial"),
        (replace(STARTING, draining=(Draining(b.A.hash, "1", b.NOW),)), {}, "drains and serves"),
        (replace(STARTING, phase=Phase.TRIAL), {}, "weighted at None"),
        (replace(TRIAL, phase=Phase.WATCHING), {}, "watched although nobody asked"),
        (b.stable(b.C, since=b.NOW + 1), {}, "knows the future"),
    ],
)
def test_impossible_worlds_are_refused(
    status: ModelDeploymentStatus, changes: dict[str, object], complaint: str
) -> None:
    world: World = b.at_ease(b.on_trial() if status.phase is Phase.TRIAL else b.starting())
    world = replace(world, evidence=() if status.phase is not Phase.TRIAL else world.evidence)
    with pytest.raises(Impossible, match=complaint):
        check(status, replace(world, **changes))  # type: ignore[arg-type] # names and values stand in the table


def test_burning_counts_outlive_the_metrics_source() -> None:
    entry = b.evidence(Verdict.Burning, bad=900)
    check(TRIAL, b.at_ease(TRIAL, metrics_down=b.OUTAGE, evidence=(entry,)))
