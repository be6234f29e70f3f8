"""After a promotion: labels that come late, a former version without pods, and what a rollback takes then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.commands import Command, Hold, Verb
from seatrial.api.keeping import Watch
from seatrial.api.status import DEPLOYMENT_STATUS, Draining, Kept, Outcome, Phase, dump
from seatrial.judge.types import Verdict
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from seatrial.rollout.aftermath import late_request, looks_in_s, weigh_late
from seatrial.rollout.world import Refusal
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision

BURNT = (b.evidence(Verdict.Burning, bad=300, objective="accuracy"),)
GOOD = (b.evidence(objective="accuracy"),)
UNTIL = b.NOW - 7000 + 86400
BROKEN = replace(b.MISLABELLED, version=b.B.hash)


def looked(status: ModelDeploymentStatus, **changes: Any) -> Decision:
    return b.run(status, b.at_ease(status, **changes))


def rolling_back(**changes: Any) -> Decision:
    return looked(b.late(), late=BURNT, **changes)


def acting(action: str) -> ModelDeploymentStatus:
    status = b.late()
    assert status.label_watch
    trial = status.label_watch.trial
    first, accuracy = trial.plan.objectives
    accuracy = replace(accuracy, rollback=accuracy.rollback.model_copy(update={"action": action}))
    plan = replace(trial.plan, objectives=(first, accuracy))
    return replace(status, label_watch=replace(status.label_watch, trial=replace(trial, plan=plan)))


def promoted(**changes: Any) -> ModelDeploymentStatus:
    """Let the watch of a version be over whose label objective has been judged beside another one."""
    status = b.watching(b.WATCH.for_)
    known = b.late().trial
    assert status.trial
    assert known
    plan = replace(known.plan, watch=Watch(for_=600.0, **changes))
    evidence = (b.evidence(), *GOOD)
    status = replace(status, trial=replace(status.trial, plan=plan, evidence=evidence))
    return looked(status, evidence=evidence).status


def test_after_the_watch_labels_are_judged_on_with_what_was_counted_so_far() -> None:
    after = promoted(labels=86400.0)
    watch = after.label_watch
    assert after.phase is Phase.STABLE
    assert watch
    assert (watch.former, watch.until) == (b.A, b.NOW - 600 + 86400)
    assert [entry.objective for entry in watch.trial.evidence] == ["accuracy"]
    assert DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, after)) == after


@pytest.mark.parametrize(("labels", "phase"), [(86400.0, Phase.STABLE), (None, Phase.WATCHING)])
def test_the_watch_does_not_wait_for_labels_that_have_a_time_of_their_own(labels: float | None, phase: Phase) -> None:
    status = b.watching(b.WATCH.for_)
    assert status.trial
    plan = replace(b.late_trial().plan, watch=Watch(for_=600.0, labels=labels))
    status = replace(status, trial=replace(status.trial, plan=plan))
    silent = b.evidence(Verdict.NoData, objective="accuracy")
    assert looked(status, evidence=(b.evidence(), silent)).status.phase is phase
    blind = (b.evidence(Verdict.NoData), replace(GOOD[0]))
    assert looked(status, evidence=blind).status.phase is Phase.WATCHING


@pytest.mark.parametrize("labels", [None, 500.0])
def test_nothing_is_watched_that_was_not_asked_for_or_is_over(labels: float | None) -> None:
    assert promoted(labels=labels).label_watch is None


def test_a_version_that_was_rolled_back_itself_is_not_waited_for() -> None:
    status = b.watching(b.WATCH.for_)
    assert status.trial
    plan = replace(status.trial.plan, watch=Watch(for_=600.0, labels=86400.0))
    status = replace(status, quarantined=(b.A.hash,), trial=replace(status.trial, plan=plan))
    assert looked(status).status.label_watch is None


def test_the_former_version_outlives_the_limits_of_keep() -> None:
    """By number and by age: others go, the one that labels may lead back to stays until they are no longer watched."""
    others = tuple(Kept(letter * 10, letter, b.NOW - 10) for letter in "efg")
    old = replace(b.late(), kept=(*others, Kept(b.A.hash, "1", b.NOW - 2 * b.KEEP.for_)))
    keeping = replace(b.wish(b.B), keep=b.KEEP)
    decision = looked(old, wish=keeping)
    assert [entry.hash for entry in decision.status.kept] == ["e" * 10, "f" * 10, b.A.hash]
    assert decision.target.replicas == {b.B.hash: b.PODS, "e" * 10: 0, "f" * 10: 0, b.A.hash: 0}
    assert decision.look_again_s == pytest.approx((UNTIL - b.NOW + 6400 - 5400) / 1000, rel=0.2)
    over = looked(old, wish=keeping, now_s=UNTIL)
    assert [entry.hash for entry in over.status.kept] == ["e" * 10, "f" * 10]
    assert over.status.label_watch is None
    assert "LabelWatchEnded" in b.reasons(over)


def test_a_former_version_that_drains_is_kept_though_nothing_else_is() -> None:
    status = replace(b.late(), kept=(), draining=(Draining(b.A.hash, "1", b.NOW - 100, keep=True),))
    none = replace(b.wish(b.B), keep=b.KEEP.model_copy(update={"versions": 0}))
    assert [entry.hash for entry in looked(status, wish=none, route=b.at_ease(b.late()).route).status.kept] == [
        b.A.hash
    ]


def test_labels_are_looked_at_seldom_and_often_enough() -> None:
    watch = b.late().label_watch
    assert watch
    month = replace(watch, until=watch.since + 30 * 86400)
    assert looks_in_s(month, b.NOW, 0.5) == 300.0
    brief = replace(watch, until=watch.since + 60)
    assert looks_in_s(brief, watch.since, 0.5) == 0.5
    assert looks_in_s(watch, watch.until - 1, 0.5) == 1.0


def test_a_rollback_starts_the_old_pods_first_while_the_bad_version_serves() -> None:
    begun = rolling_back()
    assert begun.status.phase is Phase.STARTING
    assert (begun.status.stable, begun.status.candidate) == (b.B, b.A)
    assert begun.target.weights == {b.B.hash: 100, b.A.hash: 0}
    assert begun.target.replicas == {b.A.hash: b.PODS, b.B.hash: b.PODS}
    assert b.condition(begun, "Progressing") == ("True", "RollingBack")
    assert "version 1 is started again, 0 of 0 pods are ready; version 2 serves meanwhile" in begun.status.summary
    assert begun.status.quarantined == (b.B.hash,)
    assert begun.status.history[0].outcome is Outcome.ROLLED_BACK
    cold = {b.A.hash: b.pods(b.A, ready=1), b.B.hash: b.pods(b.B)}
    assert looked(begun.status, workloads=cold, wish=b.wish(b.B)).status.phase is Phase.STARTING
    ready = looked(begun.status, wish=b.wish(b.B))
    assert ready.status.phase is Phase.PROMOTING
    assert ready.target.weights == {b.B.hash: 0, b.A.hash: 100}
    back = looked(ready.status, wish=b.wish(b.B), evidence=())
    assert (back.status.phase, back.status.stable) == (Phase.ROLLED_BACK, b.A)
    assert b.reasons(back) == ["RolledBack"]
    rest = looked(back.status, wish=b.wish(b.B), evidence=())
    assert b.condition(rest, "Progressing") == ("False", "RolledBack")
    assert "burns its error budget, scorer/accuracy" in rest.status.summary


HELD = {
    "paused": {"wish": replace(b.wish(b.B), paused=True)},
    "no usable spec": {"wish": Refusal("InvalidSpec", "x")},
    "no metrics": {"wish": b.wish(b.B), "metrics_down": b.OUTAGE},
    "another wish": {"wish": b.wish(b.C)},
}


@pytest.mark.parametrize("changes", HELD.values(), ids=HELD)
def test_nothing_delays_it(changes: dict[str, Any]) -> None:
    status = rolling_back(**changes).status
    assert status.phase is Phase.STARTING
    assert looked(status, workloads=b.COLD, **changes).target.replicas[b.A.hash] == b.PODS
    status = looked(status, **changes).status
    assert status.phase is Phase.PROMOTING
    assert looked(status, evidence=(), **changes).status.stable == b.A


def test_limits_of_labels_lead_back_too() -> None:
    decision = looked(b.late(), labels=BROKEN, wish=b.wish(b.B))
    assert b.reasons(decision)[0] == "RollingBack"
    assert "by its labels: brier: 0.4" in decision.notices[0].note
    notified = looked(b.late(), labels=replace(BROKEN, action="notify"), wish=b.wish(b.B))
    assert notified.status.phase is Phase.STABLE


@pytest.mark.parametrize("action", ["hold", "notify"])
def test_owners_may_ask_to_be_told_only(action: str) -> None:
    told = looked(acting(action), late=BURNT)
    assert told.status.phase is Phase.STABLE
    assert b.reasons(told) == ["Burning"]
    assert b.reasons(looked(told.status, late=BURNT)) == []


def test_mode_observe_tells_it_once() -> None:
    observing = {"wish": replace(b.wish(b.B), observe=True), "late": BURNT}
    told = looked(b.late(), **observing)
    assert told.status.phase is Phase.STABLE
    assert b.reasons(told) == ["WouldHaveRolledBack"]
    assert b.reasons(looked(told.status, **observing)) == []


def test_a_persons_word_counts_more_than_labels() -> None:
    status = replace(b.late(), override=Hold(by="ann", at=b.NOW - 10, reason="we know", until=b.NOW + 100))
    assert looked(status, late=BURNT).status.phase is Phase.STABLE


def test_it_rests_while_another_version_is_on_trial_and_goes_on_when_that_one_is_out() -> None:
    begun = looked(b.late(), wish=b.wish(b.C))
    assert begun.status.candidate == b.C
    assert begun.status.label_watch == b.late().label_watch
    pods = b.COLD | {b.C.hash: b.pods(b.C, crash_looping="container model")}
    out = looked(begun.status, wish=b.wish(b.C), workloads=pods)
    assert out.status.phase is Phase.ROLLED_BACK
    late = looked(out.status, wish=b.wish(b.C), workloads=pods, late=BURNT)
    assert (late.status.phase, late.status.candidate) == (Phase.STARTING, b.A)


def test_it_ends_when_another_version_is_promoted() -> None:
    late = b.late()
    assert late.trial
    trial = replace(late.trial, version=b.C)
    status = replace(late, phase=Phase.PROMOTING, candidate=b.C, trial=replace(trial, plan=b.PLAN))
    after = looked(status, evidence=(b.evidence(),), wish=b.wish(b.C))
    assert (after.status.stable, after.status.label_watch) == (b.C, None)
    assert "LabelWatchEnded" not in b.reasons(after)


def test_it_ends_when_there_is_nothing_left_to_return_to() -> None:
    gone = looked(b.late(), workloads={b.B.hash: b.pods(b.B)}, late=BURNT)
    assert gone.status.phase is Phase.STABLE
    assert b.reasons(gone) == ["LabelWatchEnded"]
    spoilt = replace(b.late(), quarantined=(b.A.hash,))
    assert looked(spoilt, late=BURNT).status.label_watch is None


def test_a_former_version_that_can_not_be_started_stays_and_is_not_blamed() -> None:
    begun = rolling_back().status
    assert begun.trial
    late = replace(begun, trial=replace(begun.trial, unready_since=b.NOW - b.PLAN.ready_deadline))
    unready = {b.A.hash: b.pods(b.A, ready=0), b.B.hash: b.pods(b.B)}
    failed = looked(late, workloads=unready, wish=b.wish(b.B))
    assert failed.status.phase is Phase.ROLLED_BACK
    assert failed.target.weights == {b.B.hash: 100, b.A.hash: 0}
    assert failed.status.quarantined == (b.B.hash,)
    assert failed.status.draining == (Draining(b.A.hash, "1", keep=True),)
    rest = looked(failed.status, workloads=unready, wish=b.wish(b.B), evidence=())
    assert (rest.status.phase, rest.status.stable) == (Phase.STABLE, b.B)


def ask(status: ModelDeploymentStatus, verb: Verb, **more: Any) -> tuple[str, str]:
    answer = looked(status, commands=(Command(id="c1", verb=verb, by="ann", **more),)).status.answers[0]
    return answer.outcome, answer.sentence


ANSWERS = {
    Verb.ABORT: ("Refused", "abort: nothing is on trial, rollback returns to version 1 (phase Stable)"),
    Verb.RETRY: ("Refused", "retry: version 2 was not rolled back"),
    Verb.PROMOTE: ("Refused", "promote: no trial is at a step or a gate (phase Stable)"),
    Verb.PAUSE: ("Done", "nothing starts and no step is taken until resume; judging goes on"),
    Verb.ROLLBACK: ("Done", "version 1 (aaaaaaaaaa) is started again and gets all requests once it is ready"),
}


@pytest.mark.parametrize("verb", ANSWERS)
def test_commands_are_obeyed_or_refused_with_a_sentence(verb: Verb) -> None:
    assert ask(b.late(), verb) == ANSWERS[verb]


def test_a_rollback_that_is_asked_for_ends_the_watch() -> None:
    command = Command(id="c1", verb=Verb.ROLLBACK, by="ann")
    begun = looked(b.late(), commands=(command,))
    assert (begun.status.candidate, begun.status.label_watch) == (b.A, None)


def test_a_rollback_underway_is_not_begun_twice_and_can_be_aborted() -> None:
    begun = rolling_back().status
    assert ask(begun, Verb.ROLLBACK) == (
        "Refused",
        "rollback: version 1 is on its way back; abort ends that",
    )
    command = Command(id="c1", verb=Verb.ABORT, by="ann")
    aborted = looked(begun, commands=(command,), wish=b.wish(b.B))
    assert (aborted.status.candidate, aborted.status.stable) == (None, b.B)
    assert aborted.target.weights == {b.B.hash: 100, b.A.hash: 0}


@pytest.mark.parametrize(
    ("status", "changes", "instant", "sentence"),
    [
        (b.on_trial(), {}, True, "yes, version 1 has ready pods"),
        (b.watching(), {}, True, "yes, version 1 has ready pods"),
        (b.on_trial(), {"workloads": {b.A.hash: b.pods(b.A, 0), b.B.hash: b.pods(b.B)}}, False, "no ready pod"),
        (b.late(), {}, False, "no, version 1 is cold: it needs about 43s to start"),
        (replace(b.late(), history=()), {}, False, "no, version 1 is cold: it has to be started first"),
        (b.stable(b.C), {"wish": b.wish(b.A)}, True, "yes, version 3 has ready pods"),
        (b.stable(), {"wish": b.wish(b.A)}, False, "no, no version is kept"),
    ],
)
def test_status_says_whether_a_rollback_is_instant(
    status: ModelDeploymentStatus, changes: dict[str, Any], instant: bool, sentence: str
) -> None:
    back = looked(status, **changes).status.way_back
    assert back
    assert back.instant is instant
    assert sentence in back.sentence


def test_the_time_to_start_is_measured_once() -> None:
    short = {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, ready=1)}
    status = looked(b.starting(), workloads=short).status
    assert status.trial
    assert status.trial.ready_in is None
    paused = b.wish(paused=True)
    ready = looked(status, now_s=b.NOW + 12.4, wish=paused).status
    assert ready.trial
    assert ready.trial.ready_in == 42.0
    later = looked(ready, now_s=b.NOW + 99, wish=paused).status
    assert later.trial
    assert later.trial.ready_in == 42.0


def test_only_labels_are_counted_and_held_against_the_threshold_of_all_objectives() -> None:
    watch = b.late().label_watch
    assert watch
    request = late_request("ml", "scorer", watch)
    assert request.versions == (b.B.hash, b.A.hash)
    assert [sli.name for sli in request.slis] == ["scorer/accuracy"]
    readings = {
        (version, "scorer/accuracy"): Reading(1000, bad, b.NOW, Checkpoint(b.NOW, 1000, bad))
        for version, bad in ((b.B.hash, 300), (b.A.hash, 1))
    }
    [entry] = weigh_late(watch, Measurements(b.NOW, None, readings, {}), fresh_s=10.0, service={})
    assert (entry.objective, entry.total, entry.bad) == ("accuracy", 1000, 300)
    assert (entry.verdict, entry.threshold) == (Verdict.Burning, 200.0)
