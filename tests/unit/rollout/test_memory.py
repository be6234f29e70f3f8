"""What a decision remembers, and the pods and weights that follow: clocks, drains, versions that come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from seatrial.api.status import DEPLOYMENT_STATUS, Draining, HistoryEntry, ModelDeploymentStatus, Outcome, dump
from seatrial.judge.types import Verdict
from seatrial.rollout.decision import Division, Target
from seatrial.rollout.machine import decide
from seatrial.rollout.moves import MAX_HISTORY, MAX_QUARANTINED
from seatrial.rollout.world import Refusal, RouteView
from tests.unit.rollout import builders as b

BURNING = (b.evidence(Verdict.Burning, bad=300),)


def routed(*, accepted: bool = True, resolved: bool = True, **weights: int) -> RouteView:
    shares = {letter * 10: weight for letter, weight in weights.items()}
    return RouteView(shares, accepted=accepted, resolved=resolved)


def step_since(status: ModelDeploymentStatus) -> float | None:
    assert status.trial
    return status.trial.step_since


def unready_since(status: ModelDeploymentStatus) -> float | None:
    assert status.trial
    return status.trial.unready_since


def test_step_clock_starts_with_the_route() -> None:
    waiting = b.on_trial(0, None)
    assert step_since(b.run(waiting, b.at_ease(waiting)).status) == b.NOW
    for route in (None, routed(a=100, b=0), routed(a=90, b=10, accepted=False), routed(a=90, b=10, resolved=False)):
        assert step_since(b.run(waiting, b.at_ease(waiting, route=route)).status) is None


def test_step_clock_starts_again_after_the_pods_were_lost() -> None:
    lost = b.run(b.on_trial(), b.at_ease(b.on_trial(), workloads={b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, 0)}))
    assert step_since(lost.status) is None
    assert unready_since(lost.status) == b.NOW
    assert lost.target.weights == {b.A.hash: 100, b.B.hash: 0}
    assert lost.target.replicas[b.B.hash] == b.PODS
    back = replace(b.at_ease(lost.status), now_s=b.NOW + 40)
    again = b.run(lost.status, back).status
    assert (step_since(again), unready_since(again)) == (b.NOW + 40, None)


def test_deleted_candidate_is_made_again() -> None:
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), workloads={b.A.hash: b.pods(b.A)}))
    assert decision.target.weights == {b.A.hash: 100}
    assert decision.target.replicas == {b.A.hash: b.PODS, b.B.hash: b.PODS}


def test_missing_pods_are_counted_from_the_first_look_without() -> None:
    short = b.at_ease(b.starting(), workloads={b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, ready=1)})
    first = b.run(b.starting(), short).status
    assert unready_since(first) == b.NOW
    last = replace(short, now_s=b.NOW + b.PLAN.ready_deadline - 0.001)
    assert unready_since(b.run(first, last).status) == b.NOW
    late = replace(short, now_s=b.NOW + b.PLAN.ready_deadline)
    assert b.reasons(b.run(first, late)) == ["RolledBack"]


def test_one_ready_pod_is_enough_on_trial() -> None:
    """A node is drained, a pod is moved: no reason to blame the version."""
    fewer = {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, ready=1)}
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), workloads=fewer))
    assert unready_since(decision.status) is None
    assert b.candidate_weight(decision) == 10


def test_dead_stable_leaves_its_share_to_the_candidate_that_serves() -> None:
    dead = {b.A.hash: b.pods(b.A, ready=0), b.B.hash: b.pods(b.B)}
    assert b.run(b.on_trial(), b.at_ease(b.on_trial(), workloads=dead)).target.weights == {b.A.hash: 0, b.B.hash: 100}


def test_a_step_goes_on_while_stable_is_dead_and_says_so() -> None:
    dead = {b.A.hash: b.pods(b.A, ready=0), b.B.hash: b.pods(b.B)}
    asked = b.at_ease(b.on_trial(), workloads=dead, route=routed(a=0, b=100))
    moving = b.run(b.on_trial(), replace(asked, route=routed(a=90, b=10))).status
    assert step_since(moving) is None  # the route does not lead to the candidate alone yet
    there = b.run(moving, asked)
    assert step_since(there.status) == b.NOW
    assert "10 % of the requests and, while stable has no ready pod, all of them" in there.status.summary
    over = replace(asked, now_s=b.NOW + b.STEPS[0].lasts_s, evidence=counted(there.status, 3000, 0))
    passed = b.run(there.status, over)
    assert b.reasons(passed) == ["StepStarted"]
    assert b.condition(passed, "SplitAsTold")[0] == "Unknown"


def test_candidate_without_weight_inherits_nothing() -> None:
    """It was never tried, or it was found bad: an outage of stable doesn't make it better."""
    dead = {b.A.hash: b.pods(b.A, ready=0), b.B.hash: b.pods(b.B)}
    for status, changes in ((b.starting(), {"wish": b.wish(paused=True)}), (b.on_trial(), {"evidence": BURNING})):
        weights = b.run(status, b.at_ease(status, workloads=dead, **changes)).target.weights
        assert weights == {b.A.hash: 100, b.B.hash: 0}


def test_draining_version_keeps_pods_and_its_place_in_the_route() -> None:
    decision = b.run(b.stable(b.C), b.at_ease(b.stable(b.C), wish=b.wish(b.A)))
    assert decision.target == Target(Division({b.A.hash: 100, b.C.hash: 0}), {b.A.hash: b.PODS, b.C.hash: b.PODS})


def test_drained_version_leaves_the_route_first_and_then_its_pods_go() -> None:
    status = b.stable(b.C, since=b.NOW - b.PLAN.drain)
    there = b.at_ease(status, wish=b.wish(b.A), route=routed(a=100, c=0))
    out = b.run(status, there)
    assert out.target == Target(Division({b.A.hash: 100}), {b.A.hash: b.PODS, b.C.hash: b.PODS})
    gone = replace(there, route=routed(a=100))
    assert b.run(out.status, gone).target.replicas == {b.A.hash: b.PODS}
    away = replace(gone, workloads={b.A.hash: b.pods(b.A)})
    end = b.run(out.status, away)
    assert end.status.draining == ()
    assert end.look_again_s is None


@pytest.mark.parametrize(
    ("route", "first", "later"),
    [
        (routed(a=90, c=10), None, None),  # acting failed, or the operator died: requests still come
        (routed(a=100, c=0, accepted=False), None, b.NOW - 25),  # asked for, not taken by the gateway yet
        (routed(a=100, c=0), b.NOW, b.NOW - 25),
        (routed(a=100, c=0, resolved=False), b.NOW, b.NOW - 25),  # some backend is unknown: that may last for ever
        (routed(a=100), b.NOW, b.NOW - 25),
        (None, b.NOW, b.NOW - 25),
    ],
)
def test_draining_begins_when_the_gateway_has_taken_the_weight_away(
    route: RouteView | None, first: float | None, later: float | None
) -> None:
    for since, expected in ((None, first), (b.NOW - 25, later)):
        status = b.stable(b.C, since=since)
        decision = b.run(status, b.at_ease(status, wish=b.wish(b.A), route=route))
        assert decision.status.draining == (Draining(b.C.hash, "3", expected),)
        assert decision.look_again_s == (30.0 if expected in {None, b.NOW} else 5.0)


def test_version_without_pods_is_kept_out_of_the_route() -> None:
    """Its Service may not exist: one unknown backend, and the gateway refuses to resolve the route."""
    only_stable = {b.A.hash: b.pods(b.A)}
    assert b.run(b.starting(), b.at_ease(b.starting(), workloads=only_stable)).target.weights == {b.A.hash: 100}
    dropped = b.run(b.starting(), b.at_ease(b.starting(), workloads=only_stable, wish=b.wish(b.C)))
    assert dropped.target.weights == {b.A.hash: 100}


def test_pods_stay_while_the_route_names_them_whatever_the_status_forgot() -> None:
    lost = b.at_ease(
        b.pending(),
        wish=Refusal("InvalidSpec", "x"),
        workloads={ref.hash: b.pods(ref, ready=0) for ref in (b.A, b.B)},
        route=routed(a=90, b=10),
    )
    assert b.run(b.pending(), lost).target == Target(Division({}), {b.A.hash: b.PODS, b.B.hash: b.PODS})


def test_unusable_spec_changes_no_pods() -> None:
    sizes = {b.A.hash: b.pods(b.A, 5, 5), b.B.hash: b.pods(b.B, 3, 3)}
    refused = b.at_ease(b.on_trial(), wish=Refusal("InvalidSpec", "x"), workloads=sizes)
    assert b.run(b.on_trial(), refused).target.replicas == {b.A.hash: 5, b.B.hash: 3}


def test_all_serving_versions_get_the_wished_pods() -> None:
    """Stable must be able to take all requests back at any time."""
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), wish=b.wish(replicas=7)))
    assert decision.target.replicas == {b.A.hash: 7, b.B.hash: 7}


def test_new_spec_in_mid_trial_ends_one_trial_and_begins_the_next() -> None:
    world = b.at_ease(b.on_trial(), wish=b.wish(b.C))
    dropped = b.run(b.on_trial(), world)
    assert dropped.target.weights == {b.A.hash: 100, b.B.hash: 0}
    begun = b.run(dropped.status, replace(world, evidence=(), route=routed(a=100, b=0)))
    assert b.reasons(begun) == ["TrialStarting"]
    assert begun.status.candidate == b.C
    assert begun.status.trial
    assert begun.status.trial.evidence == ()
    assert begun.target.replicas == dict.fromkeys((b.A.hash, b.B.hash, b.C.hash), b.PODS)


def test_there_and_back_again_ends_with_nothing_to_do() -> None:
    world = b.at_ease(b.on_trial(), wish=b.wish(b.A))
    dropped = b.run(b.on_trial(), world)
    rest = b.run(dropped.status, replace(world, evidence=(), route=routed(a=100, b=0)))
    assert b.reasons(rest) == []
    assert b.condition(rest, "Progressing") == ("False", "Complete")
    assert rest.status.quarantined == ()


def test_version_that_drains_can_come_back() -> None:
    status = b.stable(b.B)
    begun = b.run(status, b.at_ease(status, wish=b.wish(b.B)))
    assert begun.status.draining == ()
    assert begun.status.candidate == b.B


def many_trials(count: int, changes: dict[str, Any]) -> ModelDeploymentStatus:
    status = b.stable()
    for number in range(count):
        version = replace(b.B, hash=f"{number:010}")
        world = b.at_ease(status, wish=b.wish(version))
        status = b.run(status, world).status
        assert status.candidate == version
        crash = {b.A.hash: b.pods(b.A), version.hash: b.pods(version, crash_looping="x")}
        status = b.run(status, b.at_ease(status, workloads=crash, **changes)).status
        away = b.at_ease(status, workloads={b.A.hash: b.pods(b.A)}, route=routed(a=100), wish=b.wish(b.A))
        status = b.run(status, away).status
    return status


def test_history_and_quarantine_are_bounded_and_keep_the_newest() -> None:
    status = many_trials(25, {})
    assert len(status.history) == MAX_HISTORY
    assert status.history[0].hash == status.quarantined[0] == f"{24:010}"
    assert len(status.quarantined) == MAX_QUARANTINED
    assert status.draining == ()
    written = dump(DEPLOYMENT_STATUS, status)
    assert DEPLOYMENT_STATUS.validate_python(written) == status


def test_history_tells_why_a_quarantined_version_rests() -> None:
    entry = HistoryEntry(b.B.hash, "2", Outcome.ROLLED_BACK, b.NOW - 90, b.NOW - 50, "it burned")
    status = replace(b.stable(quarantined=(b.B.hash,)), history=(entry,))
    decision = b.run(status, b.at_ease(status, wish=b.wish(b.B)))
    assert decision.status.summary == "version 1 serves all requests; it burned"


def test_target_refuses_weights_that_are_no_division() -> None:
    with pytest.raises(ValueError, match="don't sum to 100"):
        Division({b.A.hash: 90})


def test_trial_promises_its_own_time_to_drain() -> None:
    status = b.stable(b.C, since=b.NOW - 40)
    longer = replace(b.PLAN, drain=60.0)
    world = b.at_ease(status, wish=b.wish(b.A, plan=longer))
    assert decide(status, world, look_s=b.LOOK_S).look_again_s == 20.0
    assert decide(status, replace(world, wish=Refusal("X", "x")), look_s=b.LOOK_S).look_again_s == 1.0


def counted(status: ModelDeploymentStatus, mine: int, theirs: int) -> tuple[Any, ...]:
    assert status.trial
    entry = b.evidence(total=mine)
    return (replace(entry, stable=replace(entry.stable, total=theirs)),)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [(300, 2700, ("True", "AsTold")), (1500, 1500, ("False", "SplitDiffers")), (5, 40, ("True", "AsTold"))],
)
def test_split_of_the_router_is_compared_with_its_weights(mine: int, theirs: int, expected: tuple[str, str]) -> None:
    """Counting begins ten seconds into the step: by then every proxy knows the weight."""
    status = b.on_trial(0, 10.0)
    begun = b.run(status, b.at_ease(status, evidence=counted(status, 1000, 20_000))).status
    assert begun.trial
    assert begun.trial.split_from
    assert (begun.trial.split_from.candidate, begun.trial.split_from.stable) == (1000, 20_000)
    world = b.at_ease(status, evidence=counted(begun, 1000 + mine, 20_000 + theirs), now_s=b.NOW + 30)
    decision = b.run(begun, world)
    assert b.condition(decision, "SplitAsTold") == expected
    assert ("SplitDiffers" in b.reasons(decision)) == (expected[0] == "False")


def test_events_that_are_no_requests_do_not_tell_how_requests_are_split() -> None:
    status = b.on_trial(0, 10.0)
    assert status.trial
    tokens = b.objective("tokens")
    sli = tokens.objective.sli.model_copy(update={"template": "inter-token-latency", "threshold": "50ms"})
    tokens = replace(tokens, objective=tokens.objective.model_copy(update={"sli": sli}))
    plan = replace(status.trial.plan, objectives=(b.objective(), tokens))
    status = replace(status, trial=replace(status.trial, plan=plan))
    entries = (*counted(status, 1000, 9000), b.evidence(total=500_000, objective="tokens"))
    begun = b.run(status, b.at_ease(status, evidence=entries)).status
    assert begun.trial
    assert begun.trial.split_from
    assert (begun.trial.split_from.candidate, begun.trial.split_from.stable) == (1000, 9000)
