"""Hypothesis strategies: any status with any world that could be seen beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from seatrial.api.aftermath import LabelWatch
from seatrial.api.capacity import Readiness
from seatrial.api.status import Draining, ModelDeploymentStatus, Phase
from seatrial.api.strategy import Undecided
from seatrial.api.trial import Trial, VersionRef
from seatrial.judge.types import Verdict
from seatrial.rollout.capacity import Fitness, Scaling
from seatrial.rollout.world import Refusal, RouteView, Workload, World
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.trial import ObjectiveEvidence
    from seatrial.rollout.world import Wish

    State = tuple[ModelDeploymentStatus, World]

D = VersionRef("d" * 10, "4")
VERSIONS = (b.A, b.B, b.C, D)
PROMOTED = replace(b.late_trial(), version=b.A)
OBJECTIVES = ("availability", "latency")
PLAN = replace(b.PLAN, objectives=tuple(b.objective(name) for name in OBJECTIVES))
EVIDENCE = {
    (name, verdict): b.evidence(verdict, bad=300 if verdict is Verdict.Burning else 0, objective=name)
    for name in OBJECTIVES
    for verdict in Verdict
}
REFUSAL = Refusal("SLOMissing", "ModelSLO scorer doesn't exist: apply it")
WEIGHTED = {Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING}
UNDERWAY = {Phase.STARTING, *WEIGHTED}

ages_s = st.sampled_from([0.0, 0.001, 5.0, 29.999, 30.0, 60.0, 120.0, 599.999, 600.0, 5000.0])
ago = ages_s.map(lambda age_s: b.NOW - age_s)
maybe_ago = st.none() | ago
policies = st.sampled_from(["hold", "rollback", "promote"])


@st.composite
def plans(draw: st.DrawFn) -> Any:
    chosen = {name: draw(policies) for name in ("inconclusive", "no_data", "unavailable", "environment")}
    watch = draw(st.sampled_from([None, b.WATCH]))
    readiness = draw(st.sampled_from([None, None, Readiness(path="/ready", signature="rollback")]))
    spared = replace(PLAN, max_surge=draw(st.sampled_from([None, None, 0])), readiness=readiness)
    return replace(spared, watch=watch, undecided=Undecided(deadline=draw(st.sampled_from([60.0, 3600.0])), **chosen))


@st.composite
def statuses(draw: st.DrawFn, phases: Any = tuple(Phase), plan: Any = None) -> ModelDeploymentStatus:
    phase = draw(st.sampled_from(sorted(phases)))
    stable = None if phase in {Phase.PENDING, Phase.DEPLOYING} else b.A
    candidate = b.B if phase in {Phase.DEPLOYING, *UNDERWAY} else None
    trial = None
    if candidate:
        chosen = plan or draw(plans())
        if phase is Phase.WATCHING and not chosen.watch:
            chosen = replace(chosen, watch=b.WATCH)
        index = (
            len(chosen.steps) - 1
            if phase in {Phase.PROMOTING, Phase.WATCHING}
            else draw(st.integers(0, len(chosen.steps) - 1))
        )
        trial = Trial(
            version=candidate,
            started_at=b.NOW - 9000,
            plan=chosen,
            weighted_at=b.NOW - 8000 if phase in WEIGHTED else None,
            step_index=index if phase in WEIGHTED else 0,
            step_since=draw(ago if phase is Phase.WATCHING else maybe_ago) if phase in WEIGHTED else None,
            unready_since=draw(maybe_ago),
            pods=draw(st.none() | st.integers(1, 4)),
        )
    others = [version for version in VERSIONS if version not in {stable, candidate}]
    gone = draw(st.lists(st.sampled_from(others), max_size=2, unique=True))
    spoilt = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if stable else []
    watched = draw(st.booleans()) if phase in {Phase.STABLE, Phase.ROLLED_BACK} else False
    return ModelDeploymentStatus(
        phase=phase,
        stable=stable,
        candidate=candidate,
        trial=trial,
        draining=tuple(Draining(one.hash, one.label, draw(maybe_ago)) for one in gone),
        quarantined=tuple(one.hash for one in spoilt),
        label_watch=LabelWatch(D, b.NOW - 900, b.NOW + draw(ages_s) - 60, PROMOTED) if watched else None,
    )


@st.composite
def workloads(draw: st.DrawFn, version: str) -> Workload:
    desired = draw(st.integers(1, 3))
    ready = draw(st.integers(0, desired) | st.just(desired))
    available = draw(st.integers(0, ready) | st.just(ready))
    return Workload(
        version,
        desired,
        ready,
        available,
        terminating=draw(st.sampled_from([False, False, False, True])),
        crash_looping=draw(st.sampled_from([None, None, None, "container model, 5 restarts"])),
    )


@st.composite
def routes(draw: st.DrawFn) -> RouteView | None:
    named = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.sampled_from([0, 10, 50, 100]), min_size=len(named) - 1, max_size=len(named) - 1)))
    shares = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    weights = {version.hash: share for version, share in zip(named, shares, strict=True)}
    taken = st.sampled_from([True, True, False])
    return draw(st.none() | st.just(RouteView(weights, accepted=draw(taken), resolved=draw(taken))))


@st.composite
def wishes(draw: st.DrawFn, *, plain: bool = False) -> Wish | Refusal:
    wish = b.wish(draw(st.sampled_from((b.A, b.B, b.C))), paused=draw(st.booleans()), plan=PLAN)
    if not plain:
        scaling = draw(st.sampled_from([None, None, Scaling(1, 3), Scaling(2, 2)]))
        wish = replace(wish, observe=draw(st.booleans()), scaling=scaling)
    return REFUSAL if draw(st.integers(0, 3)) == 0 else wish


@st.composite
def judgements(draw: st.DrawFn, *, down: bool) -> tuple[ObjectiveEvidence, ...]:
    possible = [Verdict.Unavailable, Verdict.Burning] if down else [*Verdict, Verdict.Healthy, Verdict.Healthy]
    return tuple(EVIDENCE[name, draw(st.sampled_from(possible))] for name in OBJECTIVES)


@st.composite
def worlds(draw: st.DrawFn, status: ModelDeploymentStatus, *, plain: bool = False) -> World:
    down = draw(st.sampled_from([False, False, True]))
    there = draw(st.sets(st.sampled_from(VERSIONS)) | st.just(set(VERSIONS)))
    pods = {version.hash: draw(workloads(version.hash)) for version in sorted(there, key=lambda ref: ref.hash)}
    route = draw(routes())
    if draw(st.booleans()):  # often the route is just as it should be
        route = b.at_ease(status).route
    return World(
        now_s=b.NOW,
        generation=4,
        wish=draw(wishes(plain=plain)),
        workloads=pods,
        route=route,
        evidence=draw(judgements(down=down)) if status.phase in WEIGHTED else (),
        late=(replace(b.evidence(draw(st.sampled_from([*Verdict]))), objective="accuracy"),)
        if status.label_watch
        else (),
        targets_up={version: draw(st.integers(0, 3)) for version in pods},
        metrics_down=b.OUTAGE if down else None,
        frozen=draw(st.sampled_from([None, None, "the budget is spent"])),
        act_problem=draw(st.sampled_from([None, None, "the API server said no"])),
        fitness=draw(st.none() | st.builds(Fitness, st.integers(0, 3), mismatch=st.sampled_from([None, "it differs"]))),
        limited=draw(st.booleans()),
        queued=draw(st.sampled_from([None, None, "it waits for its turn"])),
    )


@st.composite
def states(draw: st.DrawFn, phases: Any = tuple(Phase), *, plain: bool = False) -> State:
    """Draw a status and a world; plain: no mode, override or deadline softens what a verdict leads to."""
    status = draw(statuses(phases, plan=PLAN if plain else None))
    return status, draw(worlds(status, plain=plain))
