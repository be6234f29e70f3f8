"""How many pods versions get, and how much weight their pods carry, as the phase machine asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.status import Phase, Queued
from seatrial.api.strategy import Shadow, Step
from seatrial.judge.types import Verdict
from seatrial.rollout.capacity import Fitness, Scaling
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

BOUNDS = Scaling(2, 20)
FOUR = 4


def with_trial(status: ModelDeploymentStatus, **changes: Any) -> ModelDeploymentStatus:
    assert status.trial
    return replace(status, trial=replace(status.trial, **changes))


def sparing(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Let the trial take no more pods than one version has."""
    assert status.trial
    return with_trial(status, plan=replace(status.trial.plan, max_surge=0))


def seen(status: ModelDeploymentStatus, mine: tuple[int, int], theirs: int = b.PODS, **changes: Any) -> World:
    """Make a world with so many (ready, desired) pods of the candidate and so many of stable."""
    workloads = {b.A.hash: b.pods(b.A, theirs, theirs), b.B.hash: b.pods(b.B, mine[0], mine[1])}
    return b.at_ease(status, workloads=workloads, **changes)


def test_a_candidate_that_loses_a_pod_keeps_what_the_other_carries() -> None:
    status = with_trial(b.watching(), pods=b.PODS)
    decision = b.run(status, seen(status, (1, 2)))
    assert decision.target.weights == {b.A.hash: 50, b.B.hash: 50}


def test_a_step_says_that_it_waits_for_pods_and_its_time_does_not_run() -> None:
    status = with_trial(b.on_trial(1), pods=FOUR)
    world = seen(status, (1, 4), wish=b.wish(replicas=FOUR))
    decision = b.run(status, world)
    assert b.candidate_weight(decision) == 25
    assert b.condition(decision, "Progressing") == ("False", "WaitingForCapacity")
    assert "it gets 25 % instead of 50 %" in b.said(decision, "Progressing")


def test_a_pod_that_comes_back_gets_weight_once_it_is_warm() -> None:
    status = with_trial(b.promoting(), pods=b.PODS)
    cold = {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, 2, 2, 1)}
    route = replace(b.at_ease(status).route, weights={b.A.hash: 50, b.B.hash: 50})  # type: ignore[type-var] # there is one
    assert b.candidate_weight(b.run(status, b.at_ease(status, workloads=cold, route=route))) == 50
    assert b.candidate_weight(b.run(status, b.at_ease(status, route=route))) == 100


def test_pods_that_a_change_of_scale_adds_take_no_weight_away() -> None:
    status = with_trial(b.on_trial(1), pods=b.PODS)
    decision = b.run(status, seen(status, (2, 6), wish=b.wish(replicas=6)))
    assert b.candidate_weight(decision) == 50


def test_the_most_pods_that_were_there_are_remembered() -> None:
    status = b.on_trial(1)
    after = b.run(status, b.at_ease(status)).status
    assert after.trial
    assert after.trial.pods == b.PODS
    fewer = b.run(after, seen(after, (1, 2))).status
    assert fewer.trial
    assert fewer.trial.pods == b.PODS


def test_an_autoscaler_of_somebody_else_is_left_alone() -> None:
    status = b.on_trial(1)
    workloads = {b.A.hash: b.pods(b.A, 7, 7, autoscaler="keda"), b.B.hash: b.pods(b.B)}
    decision = b.run(status, b.at_ease(status, workloads=workloads))
    assert decision.target.replicas == {b.A.hash: 7, b.B.hash: b.PODS}
    assert decision.target.scaling == {}


def autoscaled(status: ModelDeploymentStatus, mine: int, theirs: int = 8) -> World:
    wish = replace(b.wish(), scaling=BOUNDS)
    return seen(status, (mine, mine), theirs, wish=wish)


def test_stable_keeps_what_it_had_and_the_candidate_gets_the_pods_for_its_weight() -> None:
    status = with_trial(b.on_trial(1), pods=8)
    decision = b.run(status, autoscaled(status, 2, 3))  # stable's autoscaler has already shrunk it
    assert decision.target.scaling == {b.A.hash: Scaling(8, 20), b.B.hash: Scaling(4, 20)}
    assert decision.target.replicas == {b.A.hash: 3, b.B.hash: 2}  # the numbers are the autoscalers' own
    assert b.candidate_weight(decision) == 25


def test_a_candidate_needs_no_more_pods_than_it_may_have() -> None:
    """Stable had eight before an autoscaler with a smaller maximum was asked for."""
    status = with_trial(b.promoting(), pods=8)
    wish = replace(b.wish(), scaling=Scaling(1, 4))
    decision = b.run(status, seen(status, (FOUR, FOUR), 8, wish=wish))
    assert b.candidate_weight(decision) == 100


def test_copies_of_all_requests_take_the_pods_of_all_requests() -> None:
    shadow = b.at_step(Step(shadow=Shadow(percent=75), for_=60.0))
    status = with_trial(shadow, pods=8)
    decision = b.run(status, autoscaled(status, 2))
    assert decision.target.scaling[b.B.hash] == Scaling(6, 20)


def test_a_trial_with_autoscalers_remembers_what_stable_had_when_it_began() -> None:
    status = b.starting()
    after = b.run(status, autoscaled(status, 2)).status
    assert after.trial
    assert after.trial.pods == 8


def test_at_rest_an_autoscaler_has_the_bounds_of_the_spec() -> None:
    status = b.stable()
    wish = replace(b.wish(b.A), scaling=BOUNDS)
    decision = b.run(status, b.at_ease(status, wish=wish))
    assert decision.target.scaling == {b.A.hash: BOUNDS}


def test_the_first_pods_of_an_autoscaled_version_are_its_fewest() -> None:
    status = b.pending()
    decision = b.run(status, b.at_ease(status, wish=replace(b.wish(b.A), scaling=BOUNDS)))
    assert decision.target.replicas == {b.A.hash: 2}


@pytest.mark.parametrize(
    ("status", "mine", "theirs", "replicas", "weight"),
    [
        (b.starting(), 0, 4, (1, 3), 0),  # stable gives one pod
        (b.starting(), 1, 3, (1, 3), 0),
        (b.on_trial(0), 1, 3, (1, 3), 10),
        (b.on_trial(1), 1, 3, (2, 2), 25),  # weight follows pods, one at a time
        (b.on_trial(1), 2, 2, (2, 2), 50),
        (b.watching(), 3, 1, (3, 1), 100),  # stable keeps one to return to
    ],
    ids=["begins", "one pod", "first step", "second step", "second step, swapped", "watched"],
)
def test_without_surge_pods_change_hands(
    status: ModelDeploymentStatus, mine: int, theirs: int, replicas: tuple[int, int], weight: int
) -> None:
    status = sparing(status)
    world = seen(status, (mine, max(1, mine)), theirs, wish=b.wish(replicas=FOUR), targets_up={})
    decision = b.run(status, world)
    assert decision.target.replicas == {b.B.hash: replicas[0], b.A.hash: replicas[1]}
    assert b.candidate_weight(decision) == weight


def test_after_a_rollback_without_surge_stable_gets_all_pods_back() -> None:
    status = sparing(b.on_trial(1))
    world = seen(status, (2, 2), 2, wish=b.wish(replicas=FOUR), evidence=(b.evidence(Verdict.Burning, bad=300),))
    decision = b.run(status, world)
    assert decision.status.phase is Phase.ROLLED_BACK
    assert decision.target.replicas[b.A.hash] == FOUR
    assert decision.target.weights == {b.A.hash: 100, b.B.hash: 0}


@pytest.mark.parametrize(
    ("fitness", "reason"),
    [
        (None, "WaitingForModel"),
        (Fitness(1, "pod p: GET /v2/models/scorer/ready is answered with 503"), "WaitingForModel"),
        (Fitness(b.PODS, mismatch="it needs an input z"), "SignatureDiffers"),
    ],
    ids=["not asked yet", "one pod loads", "other inputs"],
)
def test_a_model_that_is_not_ready_or_not_alike_gets_no_weight(fitness: Fitness | None, reason: str) -> None:
    status = b.asked(b.starting())
    decision = b.run(status, b.at_ease(status, fitness=fitness))
    assert decision.status.phase is Phase.STARTING
    assert b.condition(decision, "Progressing")[1] == reason


def test_a_ready_model_gets_weight_and_a_known_difference_may_be_ignored() -> None:
    status = b.asked(b.starting(), signature="ignore")
    fitness = Fitness(b.PODS, mismatch="it needs an input z")
    assert b.run(status, b.at_ease(status, fitness=fitness)).status.phase is Phase.TRIAL


def test_a_model_that_never_gets_ready_is_rolled_back_with_what_it_said() -> None:
    status = with_trial(b.asked(b.starting()), unready_since=b.NOW - 700, started_at=b.NOW - 800)
    waits = Fitness(1, "pod p: GET /v2/models/scorer/ready is answered with 503")
    decision = b.run(status, b.at_ease(status, fitness=waits))
    assert decision.status.phase is Phase.ROLLED_BACK
    assert "answered with 503" in decision.status.history[0].sentence


def test_a_first_version_waits_for_its_model() -> None:
    status = b.asked(b.deploying())
    assert b.run(status, b.at_ease(status, fitness=Fitness(1, "pod p loads"))).status.phase is Phase.DEPLOYING
    assert b.run(status, b.at_ease(status, fitness=Fitness(b.PODS))).status.phase is Phase.STABLE


def test_a_wish_waits_in_line_and_keeps_its_place() -> None:
    status = b.stable()
    world = b.at_ease(status, wish=b.wish(b.B), limited=True, queued="it waits for its turn: 1 of at most 1 trials run")
    decision = b.run(status, world)
    assert decision.status.queued == Queued(b.B.hash, b.NOW)
    assert b.condition(decision, "Progressing") == ("False", "Queued")
    later = b.run(decision.status, replace(world, now_s=b.NOW + 60))
    assert later.status.queued == Queued(b.B.hash, b.NOW)
    begun = b.run(later.status, replace(world, queued=None))
    assert (begun.status.phase, begun.status.queued) == (Phase.STARTING, None)


NO_START = {
    "paused": {"wish": b.wish(b.B, paused=True)},
    "no budget": {"frozen": "the budget is spent"},
    "no limit": {"limited": False, "queued": None, "frozen": "the budget is spent"},
}


@pytest.mark.parametrize("change", NO_START.values(), ids=NO_START)
def test_a_wish_that_could_not_start_anyway_has_no_place(change: dict[str, Any]) -> None:
    status = replace(b.stable(), queued=Queued(b.B.hash, b.NOW - 5))
    world = b.at_ease(status, **({"wish": b.wish(b.B), "limited": True, "queued": "it waits"} | change))
    assert b.run(status, world).status.queued is None
