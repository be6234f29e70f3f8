"""Handing over from a Deployment of the user's own to versions, and back: state in, state out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.status import Adopting, Adoption
from seatrial.rollout.adoption import LOOK_S, SETTLES_S, at_rest
from seatrial.rollout.decision import Division, Fallback
from seatrial.rollout.world import Incumbent, RouteView
from tests.unit.rollout.builders import NOW, A, at_ease, condition, deploying, in_force, pods, reasons, run, stable

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision
    from seatrial.rollout.world import World

OLD = Incumbent("old", "old", 8080, pods=3, ready=3)
LEAVING = replace(OLD, leaving=True)
DRAIN_S = 30.0
LONG_S = NOW - DRAIN_S
IN_FRONT = Fallback("old", 8080, active=True)
BEHIND = Fallback("old", 8080)


def handing(state: Adopting, since: float | None = None) -> ModelDeploymentStatus:
    return replace(stable(), adoption=Adoption(state, 3, since))


def decided(status: ModelDeploymentStatus, incumbent: Incumbent | None, route: RouteView | None) -> Decision:
    return run(status, at_ease(status, incumbent=incumbent, route=route))


def state(decision: Decision) -> Adopting | None:
    return decision.status.adoption.state if decision.status.adoption else None


VERSIONS, IDLE = {A.hash: 100}, {A.hash: 0}
FORWARD = RouteView(VERSIONS, accepted=True, resolved=True, fallback=BEHIND)
DIVIDED = RouteView(VERSIONS, accepted=True, resolved=True)
BACK = RouteView(IDLE, accepted=True, resolved=True, fallback=IN_FRONT)
ALONE = RouteView({}, accepted=True, resolved=True)
EMPTY = replace(OLD, pods=0, ready=0)

ROWS = {
    "versions are beside": (Adopting.WAITING, NOW - SETTLES_S, OLD, BACK, Adopting.MOVED, BEHIND),
    "versions are just beside": (Adopting.WAITING, NOW - 1, OLD, BACK, Adopting.WAITING, IN_FRONT),
    "the route is not seen yet": (Adopting.WAITING, None, OLD, None, Adopting.WAITING, IN_FRONT),
    "answers are in flight": (Adopting.MOVED, NOW - 5, OLD, FORWARD, Adopting.MOVED, BEHIND),
    "nothing is in flight": (Adopting.MOVED, LONG_S, OLD, FORWARD, Adopting.ADOPTED, None),
    "its pods go": (Adopting.ADOPTED, None, OLD, DIVIDED, Adopting.ADOPTED, None),
    "it was deleted": (Adopting.MOVED, LONG_S, replace(OLD, pods=None), FORWARD, Adopting.ADOPTED, None),
    "at rest": (Adopting.ADOPTED, None, replace(OLD, pods=None), FORWARD, Adopting.ADOPTED, None),
    "deleted": (Adopting.ADOPTED, None, replace(LEAVING, pods=0, ready=0), FORWARD, Adopting.RETURNING, BEHIND),
    "given up before it began": (Adopting.WAITING, NOW - 1, LEAVING, BACK, Adopting.MOVED_BACK, IN_FRONT),
    "its pods start": (Adopting.RETURNING, None, replace(LEAVING, ready=2), FORWARD, Adopting.RETURNING, BEHIND),
    "its pods have started": (Adopting.RETURNING, NOW - SETTLES_S, LEAVING, FORWARD, Adopting.MOVED_BACK, IN_FRONT),
    "it has just got all": (Adopting.MOVED_BACK, NOW - 5, LEAVING, BACK, Adopting.MOVED_BACK, IN_FRONT),
    "versions have drained": (Adopting.MOVED_BACK, LONG_S, LEAVING, BACK, Adopting.RESTORED, IN_FRONT),
    "versions leave the route": (Adopting.RESTORED, None, LEAVING, BACK, Adopting.RESTORED, IN_FRONT),
    "versions have left it": (Adopting.RESTORED, None, LEAVING, ALONE, Adopting.RETURNED, None),
    "never taken over": (Adopting.RETURNING, None, LEAVING, ALONE, Adopting.RETURNED, None),
    "nothing to hand back to": (
        Adopting.RETURNING,
        None,
        replace(LEAVING, pods=None),
        FORWARD,
        Adopting.RETURNED,
        None,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_state_is_left_when_it_has_done_its_part(name: str) -> None:
    before, since, incumbent, route, after, fallback = ROWS[name]
    decision = decided(handing(before, since), incumbent, route)
    assert state(decision) is after
    assert decision.target.division.fallback == fallback
    assert decision.target.held
    assert bool(decision.target.weights) == (after not in {Adopting.RESTORED, Adopting.RETURNED})


@pytest.mark.parametrize(
    ("before", "since", "incumbent", "route", "wanted"),
    [
        (Adopting.WAITING, NOW - 100, OLD, BACK, None),
        (Adopting.MOVED, LONG_S, OLD, FORWARD, None),
        (Adopting.ADOPTED, None, OLD, FORWARD, None),  # the route still names it
        (Adopting.ADOPTED, None, OLD, DIVIDED, 0),
        (Adopting.ADOPTED, None, EMPTY, DIVIDED, None),
        (Adopting.RETURNING, None, replace(LEAVING, pods=0, ready=0), FORWARD, 3),
        (Adopting.RETURNING, None, replace(LEAVING, ready=0), FORWARD, None),
    ],
)
def test_its_pods_go_when_nothing_leads_to_them_and_come_back_before_anything_does(
    before: Adopting, since: float | None, incumbent: Incumbent, route: RouteView, wanted: int | None
) -> None:
    assert decided(handing(before, since), incumbent, route).target.adopted == wanted


def test_at_rest_its_pods_are_neither_looked_at_nor_fought_with() -> None:
    first = decided(handing(Adopting.ADOPTED), EMPTY, DIVIDED)
    assert first.status.adoption
    assert at_rest(first.status.adoption)
    assert first.look_again_s is None
    assert condition(first, "Adopted") == ("True", "Adopted")
    unread = decided(first.status, replace(OLD, pods=None, ready=0), DIVIDED)
    assert unread.status.adoption == first.status.adoption
    assert unread.target.adopted is None


def test_both_ways_from_end_to_end_whoever_has_requests_is_ready_and_the_proxy_knew_it_before() -> None:
    """Each look sees the world that the look before asked for; the incumbent's pods take ten looks to start."""
    status, incumbent, route, startup = deploying(), OLD, ALONE, 0
    seen: list[Adopting | None] = []
    told: list[str] = []
    known: set[str] = {"old"}
    for look in range(200):
        now_s = NOW + look * LOOK_S
        world: World = at_ease(status, now_s=now_s, incumbent=incumbent, route=route)
        decision = run(status, replace(world, workloads={A.hash: pods(A)}))
        status, division = decision.status, decision.target.division
        told += reasons(decision)
        if state(decision) not in seen[-1:]:
            seen.append(state(decision))
        if not decision.target.held:
            break
        route = in_force(division) or (ALONE if division.fallback else route)
        active = division.fallback is not None and division.fallback.active
        named = {*division.weights, *(["old"] if division.fallback else [])}
        serving = {"old"} if active else {version for version, weight in division.weights.items() if weight}
        if named:
            assert serving <= known, f"{look}: {serving} got requests before the proxy knew them"
            known = named
        assert not active or incumbent.ready
        if decision.target.adopted is not None:
            incumbent, startup = replace(incumbent, pods=decision.target.adopted, ready=0), 0
        startup += 1
        if incumbent.pods and startup > 10:
            incumbent = replace(incumbent, ready=incumbent.pods)
        if look == 80:
            assert seen[-1] is Adopting.ADOPTED
            assert incumbent.pods == 0
            incumbent = replace(incumbent, leaving=True)
    assert seen == list(Adopting)
    there = ["AdoptionWaits", "RequestsMoved", "IncumbentLeaves", "Adopted"]
    back = ["HandingBack", "RequestsMovedBack", "RouteGivenBack", "HandedBack"]
    assert [reason for reason in told if reason in {*there, *back}] == [*there, *back]
    assert "FallbackActive" not in told


def test_what_can_not_be_read_changes_nothing() -> None:
    away = replace(LEAVING, pods=None, ready=0, problem="Can't read Deployment ml/old: no answer within 10 s.")
    decision = decided(handing(Adopting.RETURNING, NOW - 60), away, FORWARD)
    assert state(decision) is Adopting.RETURNING
    assert decision.target.held
    assert condition(decision, "Adopted") == ("Unknown", "IncumbentUnknown")


def test_a_lost_status_does_not_give_requests_to_pods_that_are_gone() -> None:
    decision = decided(stable(), EMPTY, RouteView(VERSIONS, accepted=True, resolved=True))
    assert state(decision) is Adopting.ADOPTED
    assert decision.target.division == Division(VERSIONS)


def test_nothing_is_held_up_when_the_owner_does_not_ask_for_it() -> None:
    leaves = replace(OLD, hand_back=False)
    assert not decided(handing(Adopting.ADOPTED), leaves, FORWARD).target.held
    assert not decided(handing(Adopting.ADOPTED), None, FORWARD).target.held
    assert decided(handing(Adopting.ADOPTED), None, FORWARD).status.adoption is None


def test_versions_without_a_ready_pod_leave_requests_with_the_incumbent() -> None:
    status = handing(Adopting.MOVED)
    world = at_ease(status, incumbent=OLD, route=FORWARD, workloads={A.hash: pods(A, ready=0)})
    assert run(status, world).target.division.fallback == IN_FRONT
