"""What holds in every state, however it came about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.api.status import DEPLOYMENT_STATUS, Phase, dump
from seatrial.judge.judge import SEVERITY
from seatrial.judge.types import Verdict
from seatrial.rollout.capacity import Fitness
from seatrial.rollout.machine import decide
from seatrial.rollout.target import intended_weight
from seatrial.rollout.world import Wish, Workload
from tests.unit.rollout import builders as b
from tests.unit.rollout.strategies import EVIDENCE, PLAN, UNDERWAY, WEIGHTED, states

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import VersionRef
    from seatrial.rollout.decision import Decision
    from seatrial.rollout.world import World
    from tests.unit.rollout.strategies import State

MOST_MOVES = 4
"""Rollback, back to stable, new version, first weight: no more can be due at once."""

few = settings(max_examples=40, deadline=None)
some = settings(max_examples=100, deadline=None)
many = settings(max_examples=400, deadline=None)


def share(status: ModelDeploymentStatus) -> int:
    return intended_weight(status) if status.candidate else 0


def weights_are_a_division(_: ModelDeploymentStatus, __: World, decision: Decision) -> None:
    weights = decision.target.weights
    assert not weights or sum(weights.values()) == 100
    assert all(0 <= weight <= 100 for weight in weights.values())


def at_most_one_entry_of_history(status: ModelDeploymentStatus, _: World, decision: Decision) -> None:
    assert len(decision.status.history) <= len(status.history) + 1
    assert decision.look_again_s is None or decision.look_again_s >= 0


def candidate_gets_more_than_its_step_only_when_stable_is_dead(
    _: ModelDeploymentStatus, world: World, decision: Decision
) -> None:
    after, weight = decision.status, b.candidate_weight(decision)
    assert after.weight == (weight if after.candidate else 0)
    stable = after.stable.hash if after.stable else None
    assert weight <= share(after) or stable == b.B.hash or not world.ready(stable)


def no_weight_for_the_dead_while_somebody_who_serves_lives(
    _: ModelDeploymentStatus, world: World, decision: Decision
) -> None:
    after, weights = decision.status, decision.target.weights
    serving = [after.stable.hash] if after.stable else []
    serving += [after.candidate.hash] if after.candidate and share(after) else []
    alive = [version for version in serving if world.ready(version)]
    for version, weight in weights.items():
        assert not weight or world.ready(version) or not alive


def stable_and_candidate_keep_their_pods(_: ModelDeploymentStatus, world: World, decision: Decision) -> None:
    after, replicas = decision.status, decision.target.replicas
    serving = [ref.hash for ref in (after.stable, after.candidate) if ref]
    spared = after.trial is not None and after.trial.plan.max_surge == 0 and len(serving) > 1
    for version in serving:
        if isinstance(world.wish, Wish) and world.wish.scaling:
            scaling = decision.target.scaling[version]
            assert world.wish.scaling.fewest <= scaling.fewest <= scaling.most == world.wish.scaling.most
            there = world.workloads[version].desired if version in world.workloads else scaling.fewest
            assert replicas[version] == there  # the number is the autoscaler's own
        elif isinstance(world.wish, Wish) and spared:
            assert replicas[version] >= 1
            assert sum(replicas[other] for other in serving) == world.wish.replicas
        elif isinstance(world.wish, Wish):
            assert replicas[version] == world.wish.replicas
        elif version in world.workloads:
            assert replicas[version] == world.workloads[version].desired
    assert set(replicas) <= set(serving) | set(world.workloads)  # nothing is made that nobody wished for


def urgent_takes_weight_from_a_version_that_was_found_bad(
    status: ModelDeploymentStatus, world: World, decision: Decision
) -> None:
    if not decision.urgent:
        return
    bad = set(decision.status.quarantined) - {ref.hash for ref in (decision.status.stable,) if ref}
    routed = world.route.weights if world.route else {}
    assert all(decision.target.weights.get(version, 0) == 0 for version in bad)
    assert share(status) or any(routed.get(version) for version in bad)


def a_candidate_leaves_with_a_word(status: ModelDeploymentStatus, _: World, decision: Decision) -> None:
    after = decision.status
    if not status.candidate or after.candidate:
        return
    assert after.history[0].hash == status.candidate.hash
    assert after.history[0].sentence == decision.notices[0].note
    if after.stable != status.candidate:
        assert after.draining[-1].hash == status.candidate.hash
        assert decision.target.weights.get(status.candidate.hash, 0) == 0


INVARIANTS = (
    weights_are_a_division,
    at_most_one_entry_of_history,
    candidate_gets_more_than_its_step_only_when_stable_is_dead,
    no_weight_for_the_dead_while_somebody_who_serves_lives,
    stable_and_candidate_keep_their_pods,
    urgent_takes_weight_from_a_version_that_was_found_bad,
    a_candidate_leaves_with_a_word,
)


@many
@given(states())
def test_invariants(state: State) -> None:
    """Besides these, ``run`` itself refuses every answer that is no possible status or that harms requests."""
    status, world = state
    decision = b.run(status, world)
    for holds in INVARIANTS:
        holds(status, world, decision)


@some
@given(states(UNDERWAY, plain=True))
def test_weight_rises_only_when_all_is_healthy_and_nobody_holds(state: State) -> None:
    status, world = state
    decision = b.run(status, world)
    if share(decision.status) <= share(status):
        return
    assert isinstance(world.wish, Wish)
    assert not world.wish.paused
    assert not world.metrics_down
    assert status.candidate
    assert world.wish.version == status.candidate.hash
    if status.phase is Phase.TRIAL:
        assert all(entry.verdict == Verdict.Healthy for entry in world.evidence)
    else:
        assert decision.status.phase is Phase.TRIAL
        assert world.targets_up[status.candidate.hash] >= world.workloads[status.candidate.hash].desired


@some
@given(states(WEIGHTED, plain=True), st.data())
def test_burning_means_weight_0_in_that_very_decision(state: State, data: st.DataObject) -> None:
    status, world = state
    index = data.draw(st.integers(0, len(world.evidence) - 1))
    burning = replace(world.evidence[index], verdict=Verdict.Burning.value)
    evidence = tuple(burning if place == index else one for place, one in enumerate(world.evidence))
    decision = b.run(status, replace(world, evidence=evidence))
    assert decision.status.phase is Phase.ROLLED_BACK
    assert b.candidate_weight(decision) == 0
    assert b.B.hash in decision.status.quarantined
    assert decision.urgent


@some
@given(states(WEIGHTED, plain=True), st.data())
def test_worse_verdicts_never_give_more_weight(state: State, data: st.DataObject) -> None:
    status, world = state
    index = data.draw(st.integers(0, len(world.evidence) - 1))
    entry = world.evidence[index]
    rank = SEVERITY.index(Verdict(entry.verdict))
    possible = [v for v in SEVERITY[: rank + 1] if not world.metrics_down or v in {"Burning", "Unavailable"}]
    worse = replace(entry, verdict=data.draw(st.sampled_from(possible)).value)
    evidence = tuple(worse if place == index else one for place, one in enumerate(world.evidence))
    mild, harsh = b.run(status, world), b.run(status, replace(world, evidence=evidence))
    assert share(harsh.status) <= share(mild.status)
    assert b.candidate_weight(harsh) <= b.candidate_weight(mild)


def settle(status: ModelDeploymentStatus, world: World) -> tuple[Decision, World]:
    """Decide in a world that doesn't change until nothing is due; evidence is that of the candidate there is."""
    for _ in range(MOST_MOVES + 1):
        decision = b.run(status, world)
        status = decision.status
        measured = status.trial is not None and status.phase in WEIGHTED
        world = replace(world, evidence=status.trial.evidence if status.trial and measured else ())
        if decision.look_again_s != 0:
            return decision, world
    raise AssertionError(f"no rest after {MOST_MOVES} moves: {status.phase}, {status.summary}")


@some
@given(states())
def test_every_world_has_a_fixed_point(state: State) -> None:
    """Deciding again does nothing again, and nothing in a status ticks while nothing happens."""
    rest, world = settle(*state)
    again = b.run(rest.status, world)
    assert again.status == rest.status
    assert again.target == rest.target
    assert again.notices == ()
    assert again.look_again_s == rest.look_again_s
    if rest.look_again_s is None:
        for later_s in (0.001, 1e6):
            later = b.run(rest.status, replace(world, now_s=world.now_s + later_s))
            assert later.status == rest.status
            assert (later.notices, later.look_again_s) == ((), None)


@some
@given(states())
def test_operator_that_was_restarted_decides_the_same(state: State) -> None:
    """At any point: its status is written, it dies, another one reads it."""
    status, world = state
    read = DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, status))
    assert read == status
    decision = b.run(status, world)
    assert decide(read, world, look_s=b.LOOK_S) == decision
    assert DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, decision.status)) == decision.status


ENOUGH_LOOKS = 40


def obliging(decision: Decision, world: World, dead: str | None) -> World:
    """Let the cluster be as the decision wants it ten minutes later, but for one version whose pods never get ready."""
    target, status = decision.target, decision.status
    pods = {}
    for version, replicas in target.replicas.items():
        desired = max(replicas, target.scaling[version].fewest if version in target.scaling else 0)
        ready = 0 if version == dead else desired
        pods[version] = Workload(version, desired, ready, ready)
    measured = status.trial is not None and status.phase in WEIGHTED
    judged, well = status.trial.plan.objectives if status.trial else (), EVIDENCE["availability", Verdict.Healthy]
    return replace(
        world,
        now_s=world.now_s + 600,
        workloads=pods,
        route=b.in_force(target.division) or world.route,
        evidence=tuple(replace(well, slo=one.slo, objective=one.objective.name) for one in judged) if measured else (),
        targets_up={version: known.ready for version, known in pods.items()},
        metrics_down=None,
        act_problem=None,
        frozen=None,
        queued=None,
        fitness=Fitness(max((known.desired for known in pods.values()), default=0)),
    )


@few
@given(states(), st.sampled_from([b.A, b.B, b.C]), st.booleans())
def test_no_state_is_a_dead_end(state: State, wished: VersionRef, stable_dies: bool) -> None:
    """Once nothing is in its way any more a rollout ends, with the wished version unless that was found bad.

    That stable is dead is nothing in its way: what replaces it may be the cure.
    """
    status, world = state
    wish = b.wish(wished, plan=PLAN)
    if isinstance(world.wish, Wish):
        wish = replace(wish, scaling=world.wish.scaling)
    dead = status.stable.hash if stable_dies and status.stable and status.stable != wished else None
    world = replace(world, wish=wish)
    decision = b.run(status, world)
    for _ in range(ENOUGH_LOOKS):
        world = obliging(decision, world, dead)
        decision = b.run(decision.status, world)
        if decision.look_again_s is None:
            break
    status = decision.status
    assert status.stable
    assert status.phase in {Phase.STABLE, Phase.ROLLED_BACK}
    assert status.draining == ()
    assert status.stable == wished or wished.hash in status.quarantined
