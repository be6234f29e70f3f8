"""Every row of the phase table: the state that takes it, what it leaves behind, and which row wins over which."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.commands import Verb
from seatrial.api.sights import Restarts
from seatrial.api.status import Draining, Outcome, Phase
from seatrial.api.strategy import Undecided
from seatrial.api.trial import Return
from seatrial.judge.types import Verdict
from seatrial.rollout import machine
from seatrial.rollout.capacity import Fitness
from seatrial.rollout.machine import TRANSITIONS, Transition, decide
from seatrial.rollout.seen import note
from seatrial.rollout.world import RouteView
from tests.unit.rollout import builders as b
from tests.unit.rollout.consistency import check

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

WORSE = (b.evidence(bad=300),)
BURNING = (b.evidence(Verdict.Burning, bad=300),)
BURNT_LATE = (b.evidence(Verdict.Burning, bad=300, objective="accuracy"),)
LATE = b.NOW - b.PLAN.ready_deadline


@dataclass(frozen=True)
class Case:
    """A status, a world, and what the row is to say."""

    status: ModelDeploymentStatus
    world: World
    sentence: str


def case(status: ModelDeploymentStatus, sentence: str, **changes: Any) -> Case:
    return Case(status, b.at_ease(status, **changes), sentence)


def unready(status: ModelDeploymentStatus, since: float = LATE) -> ModelDeploymentStatus:
    assert status.trial
    return replace(status, trial=replace(status.trial, unready_since=since))


def crashing(**why: Any) -> dict[str, Any]:
    return {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, **why)}


def route(**weights: int) -> RouteView:
    """Name versions by the letters a, b, c."""
    return RouteView({letter * 10: weight for letter, weight in weights.items()}, accepted=True, resolved=True)


def done(step: int) -> ModelDeploymentStatus:
    return b.on_trial(step, b.STEPS[step].lasts_s)


RESTARTING = {
    b.A.hash: b.pods(b.A),
    b.B.hash: b.pods(b.B, restarts=12),
}

DOUBT = (b.evidence(Verdict.Inconclusive),)


def impatient(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Ask for a rollback of what stays undecided, and let the deadline pass."""
    assert status.trial
    plan = replace(b.PLAN, undecided=Undecided(deadline=600.0, inconclusive="rollback"))
    trial = replace(status.trial, plan=plan, step_since=b.NOW - 800, started_at=b.NOW - 2000)
    return b.waited(replace(status, trial=trial), b.NOW - 700, *DOUBT)


OTHER_SIGNATURE = b.asked(b.starting(), signature="rollback")
MISFIT = Fitness(b.PODS, mismatch="it needs an input z")
DOUBT = (b.evidence(Verdict.Inconclusive),)

CASES = {
    "burning": case(b.on_trial(), "burns its error budget, scorer/availability: 300 of 1000", evidence=BURNING),
    "crash loop": case(
        b.on_trial(),
        "crashes over and over: container model, 5 restarts",
        workloads=crashing(ready=1, crash_looping="container model, 5 restarts"),
    ),
    "restarts": case(b.on_trial(), "restarts more often than stable", workloads=RESTARTING),
    "undecided": case(impatient(b.on_trial()), "stayed Inconclusive for 10m", evidence=DOUBT),
    "not ready": case(
        unready(b.starting()),
        "without the ready pods it needs for 10m: no node has a GPU",
        workloads=crashing(ready=0, stuck="no node has a GPU"),
    ),
    "check failed": case(b.at_step(b.CHECK, check=b.FAILED), "failed check golden: 12 of 100 answers differ"),
    "experiment lost": case(b.at_step(b.EXPERIMENT), "lost its experiment: 70 % good", evidence=WORSE),
    "other signature": case(OTHER_SIGNATURE, "differs from stable: it needs an input z", fitness=MISFIT),
    "drifted": case(b.on_trial(), "version 2 (bbbbbbbbbb): age: psi 0.6", drift=b.DRIFTED),
    "labels": case(b.watching(), "version 2 (bbbbbbbbbb) by its labels: brier: 0.4", labels=b.MISLABELLED),
    "too dear": case(b.too_dear(b.watching()), "is too dear: 2 of the last 3 slices were above the cap"),
    "aborted": case(b.ordered(b.on_trial(), Verb.ABORT), "is aborted: ann asked for it"),
    "stable wished back": case(b.watching(), "the spec now asks for version 1", wish=b.wish(b.A)),
    "watch cut short": case(b.watching(), "the spec now asks for version 3", wish=b.wish(b.C)),
    "return asked": case(
        replace(b.stable(), return_to=Return(b.C, "ann asked for it")), "version 3 (cccccccccc) is returned to: ann"
    ),
    "late labels": case(
        b.late(),
        "burns its error budget, scorer/accuracy: 300 of 1000 requests were bad. Version 1 gets all requests back. "
        "Instant rollback: no, version 1 is cold: it needs about 43s to start",
        late=BURNT_LATE,
    ),
    "former is back": case(
        b.coming_back(),
        "version 2 (bbbbbbbbbb) was ready 43s after it was asked for and has all requests: version 1 was often wrong",
        wish=b.wish(b.A),
    ),
    "straight on": case(b.ordered(b.starting(), Verb.PROMOTE_FULL), "gets all requests: ann asked for it"),
    "to be watched": case(b.watched(b.promoting()), "is watched; version 1 is kept warm for 10m"),
    "watch over": case(b.watching(b.WATCH.for_), "was watched for 10m and is stable now"),
    "superseded": case(b.on_trial(), "the spec now asks for version 3", wish=b.wish(b.C)),
    "superseded at first": case(b.deploying(), "the spec now asks for version 3", wish=b.wish(b.C)),
    "status lost": case(
        b.pending(), f"the route leads to {b.A.hash}", workloads={b.A.hash: b.pods(b.A)}, route=route(a=100)
    ),
    "first version": case(b.pending(), "version 1 is the first one"),
    "first ready": case(b.deploying(), "is ready with 2 of 2 pods"),
    "back to stable": case(b.rolled_back(), "asks for version 1 again", wish=b.wish(b.A)),
    "new version": case(b.stable(), "version 2 goes on trial beside version 1", wish=b.wish(b.B)),
    "seaworthy": case(b.starting(), "ready, warm and seen by Prometheus: it gets 10 %"),
    "step passed": case(done(0), "passed step 1: it gets 50 %"),
    "last step passed": case(done(1), "passed step 2, the last one: it gets all requests"),
    "all traffic seen": case(b.promoting(), "is promoted: it serves all requests"),
}


def row(name: str) -> Transition:
    return next(one for one in TRANSITIONS if one.name == name)


@pytest.mark.parametrize("name", [one.name for one in TRANSITIONS])
def test_row_is_taken(name: str) -> None:
    taken, here = row(name), CASES[name]
    decision = b.run(here.status, here.world)
    event = decision.notices[0]
    assert decision.status.phase is taken.to
    assert (event.type, event.reason) == ("Warning" if taken.warning else "Normal", taken.event)
    assert here.sentence in event.note
    assert decision.look_again_s == 0.0  # a move may make another one due


@pytest.mark.parametrize("name", [one.name for one in TRANSITIONS])
def test_nothing_else_takes_it_instead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the row the same state moves differently or not at all: the case above really is this row's."""
    here = CASES[name]
    with_row = decide(here.status, here.world, look_s=b.LOOK_S)
    monkeypatch.setattr(machine, "TRANSITIONS", tuple(one for one in TRANSITIONS if one.name != name))
    assert decide(here.status, here.world, look_s=b.LOOK_S).notices[:1] != with_row.notices[:1]


@pytest.mark.parametrize("status", b.UNDERWAY.values(), ids=b.UNDERWAY.keys())
@pytest.mark.parametrize("name", ["crash loop", "not ready", "stable wished"])
def test_ways_out_are_open_in_every_phase_underway(status: ModelDeploymentStatus, name: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "crash loop": {"workloads": crashing(crash_looping="container model")},
        "not ready": {"workloads": crashing(ready=0)},
        "stable wished": {"wish": b.wish(b.A)},
    }
    decision = b.run(unready(status), b.at_ease(status, **changes[name]))
    assert decision.status.phase is (Phase.STABLE if name == "stable wished" else row(name).to)
    assert decision.status.candidate is None
    assert decision.target.weights == {b.A.hash: 100, b.B.hash: 0}


ROLLBACKS = (
    "burning",
    "crash loop",
    "restarts",
    "not ready",
    "other signature",
    "undecided",
    "check failed",
    "experiment lost",
    "drifted",
    "labels",
    "too dear",
    "aborted",
)
EXCLUSIVE = {
    ("back to stable", "new version"),  # the wish is stable or it isn't
    ("step passed", "last step passed"),  # a step is the last one or it isn't
    ("to be watched", "all traffic seen"),  # the strategy asks for a watch or it doesn't
    ("former is back", "to be watched"),  # what comes back is not watched
    ("superseded", "former is back"),  # a rollback is brought to its end whatever is wished
}
"""Pairs of rows whose guards can't both hold in one state, so that their order says nothing."""

BASES = {
    "other signature": OTHER_SIGNATURE,
    "seaworthy": b.starting(),
    "last step passed": done(1),
    "all traffic seen": b.promoting(),
    "to be watched": b.watched(b.promoting()),
    "watch over": b.watching(b.WATCH.for_),
    "watch cut short": b.watching(),
    "stable wished back": b.watching(),
    "too dear": b.watching(),
    "check failed": b.at_step(b.CHECK, check=b.FAILED),
    "experiment lost": b.at_step(b.EXPERIMENT),
}
"""What a row needs to be due at all, besides what the other one of a pair needs."""


def two_objectives(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    assert status.trial
    plan = replace(status.trial.plan, objectives=(b.objective(), b.objective("latency")))
    return replace(status, trial=replace(status.trial, plan=plan))


def both(first: str, second: str) -> tuple[ModelDeploymentStatus, World]:  # noqa: C901, PLR0912 - one line for each row
    """Make a state in which two rows are due at once."""
    pair = {first, second}
    status = b.coming_back() if "former is back" in pair else BASES.get(second, BASES.get(first, done(0)))
    changes: dict[str, Any] = {}
    if "other signature" in pair:
        status, changes["fitness"] = OTHER_SIGNATURE, MISFIT
    if "undecided" in pair:
        late = "latency" if "burning" in pair else "availability"
        changes["evidence"] = (b.evidence(Verdict.Inconclusive, objective=late),)
        status = b.waited(impatient(done(0)), b.NOW - 700, *changes["evidence"])
    if pair == {"undecided", "burning"}:
        status, changes["evidence"] = two_objectives(status), (*BURNING, *changes["evidence"])
    elif "burning" in pair:
        changes["evidence"] = BURNING
    elif "experiment lost" in pair:
        changes["evidence"] = WORSE
    if "drifted" in pair:
        changes["drift"] = b.DRIFTED
    if "too dear" in pair:
        status = b.too_dear(status)
    if "labels" in pair:
        changes["labels"] = b.MISLABELLED
    if pair & {"superseded", "watch cut short"}:
        changes["wish"] = b.wish(b.C)
    if "stable wished back" in pair:
        changes["wish"] = b.wish(b.A)
    for name, verb in (("aborted", Verb.ABORT), ("straight on", Verb.PROMOTE_FULL)):
        status = b.ordered(status, verb) if name in pair else status
    if pair in ({"check failed", "step passed"}, {"experiment lost", "step passed"}) or (
        "drifted" in pair and pair & NEEDS_HEALTH
    ):
        status = b.ordered(status, Verb.PROMOTE)
    worse: dict[str, Any] = {"crash_looping": "container model"} if "crash loop" in pair else {}
    if "restarts" in pair:
        worse |= {"restarts": 12}
    if "not ready" in pair:
        status, worse["ready"] = unready(status), 0
    if worse:
        changes["workloads"] = RESTARTING | {b.B.hash: b.pods(b.B, **worse)}
    if pair == {"superseded at first", "first ready"}:
        status, changes = b.deploying(), {"wish": b.wish(b.C)}
    if pair == {"status lost", "first version"}:
        status, changes = b.pending(), {"workloads": {b.A.hash: b.pods(b.A)}, "route": route(a=100)}
    if "late labels" in pair:
        wished = {"back to stable": b.B, "new version": b.C}.get(second, b.B)
        status = replace(b.late(), phase=Phase.ROLLED_BACK, quarantined=(b.C.hash,) if wished is b.B else ())
        changes = {"wish": b.wish(wished), "late": BURNT_LATE}
    if pair == {"return asked", "late labels"}:
        return replace(status, return_to=Return(b.A, "ann asked for it")), b.at_ease(status, **changes)
    if "return asked" in pair:
        wished = b.A if "back to stable" in pair else b.B
        status = b.rolled_back() if "back to stable" in pair else b.stable()
        status = replace(status, return_to=Return(b.C, "ann asked for it"))
        changes = {"wish": b.wish(wished)}
    return status, b.at_ease(status, **changes)


NEEDS_WEIGHT = {"burning", "undecided", "check failed", "experiment lost", "restarts"}
NEEDS_PODS = {
    "seaworthy",
    "step passed",
    "last step passed",
    "all traffic seen",
    "straight on",
    "to be watched",
    "former is back",
}
NEEDS_HEALTH = {"step passed", "last step passed"}
ONLY_AT_A_STEP = {"undecided", "check failed", "experiment lost"}
ORDERS = {"aborted", "straight on"}
WATCH_ROWS = {"watch cut short", "stable wished back", "watch over"}


def can_both_be_due(first: str, second: str) -> bool:
    """Tell whether a state exists in which both rows are due; the earlier one is named first."""
    pair = {first, second}
    impossible = (
        pair & {"seaworthy", "other signature"} and pair & NEEDS_WEIGHT,  # evidence exists only once there is weight
        pair == {"seaworthy", "other signature"},  # what differs gets no weight
        "not ready" in pair and pair & NEEDS_PODS,
        pair & {"burning", "undecided"} and pair & NEEDS_HEALTH,  # what is not Healthy passes no step
        pair & ONLY_AT_A_STEP and pair & {"all traffic seen", "to be watched", "former is back", *WATCH_ROWS},
        "not ready" in pair and pair & {"undecided", "experiment lost"},  # a step without pods has no clock
        pair <= ONLY_AT_A_STEP,  # a step is of one kind
        pair & {"check failed", "experiment lost"} and "last step passed" in pair,  # they stand before the last step
        pair <= ORDERS,  # one command waits at a time
        pair <= {"watch cut short", "stable wished back"},  # the wish is one
    )
    return not any(impossible)


def contested() -> list[tuple[str, str]]:
    """List the pairs of rows that share a phase and can both be due, the earlier one first."""
    pairs = itertools.combinations(TRANSITIONS, 2)
    shared = [(one.name, other.name) for one, other in pairs if one.phases & other.phases]
    return [pair for pair in shared if pair not in EXCLUSIVE and can_both_be_due(*pair)]


def test_rollbacks_come_first_and_then_a_changed_wish() -> None:
    """The pairs below follow the table; this says which table: the most telling reason first, going on last."""
    names = [one.name for one in TRANSITIONS]
    assert names[: len(ROLLBACKS)] == list(ROLLBACKS)
    assert names[len(ROLLBACKS) :][:4] == ["superseded", "stable wished back", "watch cut short", "superseded at first"]
    assert names.index("status lost") < names.index("first version")


@pytest.mark.parametrize(("winner", "loser"), contested())
def test_precedence(winner: str, loser: str) -> None:
    status, world = both(winner, loser)
    check(status, world)
    status = note(status, world)
    for name in (winner, loser):
        assert row(name).guard(status, world), f"{name} isn't due: this state proves nothing"
    decision = b.run(status, world)
    assert decision.notices[0].note == row(winner).guard(status, world)
    assert decision.status.phase is row(winner).to


@pytest.mark.parametrize("status", b.EVERY.values(), ids=b.EVERY.keys())
@pytest.mark.parametrize("wished", [b.A, b.B, b.C], ids=["wish a", "wish b", "wish c"])
def test_rows_that_exclude_each_other(status: ModelDeploymentStatus, wished: Any) -> None:
    world = b.at_ease(status, wish=b.wish(wished))
    for first, second in EXCLUSIVE:
        assert not (row(first).guard(status, world) and row(second).guard(status, world))


@pytest.mark.parametrize("name", ROLLBACKS)
def test_rollback_remembers(name: str) -> None:
    here = CASES[name]
    after = b.run(here.status, here.world).status
    assert after.quarantined == (b.B.hash,)
    assert after.draining == (Draining(b.B.hash, "2"),)
    assert (after.history[0].outcome, after.history[0].hash) == (Outcome.ROLLED_BACK, b.B.hash)
    assert here.sentence in after.history[0].sentence
    assert after.trial  # kept, so that people can see what it was judged by
    assert after.stable == b.A


def test_a_check_that_is_late_has_failed() -> None:
    """Whatever became of it: what can't be started would hold the trial for ever."""
    late = b.at_step(b.CHECK, 10_000.0)
    decision = b.run(late, b.at_ease(late))
    assert b.reasons(decision) == ["RolledBack"]
    assert "failed check golden: it was not over within 10m" in decision.notices[0].note
    passed = replace(b.FAILED, state="Passed")
    assert b.reasons(b.run(late, b.at_ease(late, check=passed))) == ["StepStarted"]


def test_superseded_version_is_not_quarantined() -> None:
    after = b.run(CASES["superseded"].status, CASES["superseded"].world).status
    assert after.quarantined == ()
    assert after.draining == (Draining(b.B.hash, "2"),)
    assert after.history[0].outcome is Outcome.SUPERSEDED


def test_promotion_moves_the_pointer() -> None:
    after = b.run(CASES["all traffic seen"].status, CASES["all traffic seen"].world).status
    assert (after.stable, after.candidate) == (b.B, None)
    assert after.draining == (Draining(b.A.hash, "1", keep=True),)
    assert after.history[0].outcome is Outcome.PROMOTED


def test_first_version_is_deployed_without_a_trial() -> None:
    begun = b.run(CASES["first version"].status, CASES["first version"].world)
    assert begun.target.weights == {}
    assert begun.target.replicas == {b.A.hash: b.PODS}
    ready = b.run(CASES["first ready"].status, CASES["first ready"].world)
    assert ready.status.stable == b.A
    assert ready.status.history[0].outcome is Outcome.DEPLOYED
    assert ready.target.weights == {b.A.hash: 100}


def test_evidence_counts_from_the_first_weight() -> None:
    after = b.run(CASES["seaworthy"].status, CASES["seaworthy"].world).status
    assert after.trial
    assert (after.trial.weighted_at, after.trial.step_index, after.trial.step_since) == (b.NOW, 0, None)


def test_step_starts_its_count_and_waits_for_the_route() -> None:
    after = b.run(CASES["step passed"].status, CASES["step passed"].world).status
    assert after.trial
    assert (after.trial.step_index, after.trial.step_since) == (1, None)
    entry = after.trial.evidence[0]
    assert entry.step_total == entry.total == 1000
    assert entry.restarts[-1].candidate.total == 1000


def test_trial_keeps_the_plan_it_began_with() -> None:
    begun = b.run(CASES["new version"].status, CASES["new version"].world).status
    assert begun.trial
    assert begun.trial.plan == b.PLAN
    edited = b.wish(plan=replace(b.PLAN, steps=b.STEPS[:1]))
    world = b.at_ease(done(0), wish=edited)
    decision = b.run(done(0), world)
    assert b.candidate_weight(decision) == 50
    assert "keeps the steps and objectives it began with" in decision.status.summary


@pytest.mark.parametrize(
    ("weights", "expected"),
    [({"a": 90, "b": 10}, b.A), ({"a": 10, "b": 90}, b.B), ({"a": 0, "b": 100}, b.B)],
)
def test_lost_status_is_rebuilt_from_the_route(weights: dict[str, int], expected: Any) -> None:
    versions = {ref.hash: b.pods(ref) for ref in (b.A, b.B)}
    world = b.at_ease(b.pending(), wish=b.wish(b.B), workloads=versions, route=route(**weights))
    after = b.run(b.pending(), world).status
    assert after.stable
    assert after.stable.hash == expected.hash


def test_lost_status_never_takes_a_dead_version_for_stable() -> None:
    versions = {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, ready=0)}
    world = b.at_ease(b.pending(), wish=b.wish(b.B), workloads=versions, route=route(a=10, b=90))
    after = b.run(b.pending(), world).status
    assert after.stable
    assert after.stable.hash == b.A.hash


def test_restarts_before_the_first_weight_are_forgiven() -> None:
    """A version that needed a few attempts to start is not compared with pods that have run for days."""
    status = done(0)
    assert status.trial
    forgiven = replace(status, trial=replace(status.trial, restarts_from=Restarts(candidate=12, stable=0)))
    decision = b.run(forgiven, b.at_ease(forgiven, workloads=RESTARTING))
    assert decision.status.phase is not Phase.ROLLED_BACK
