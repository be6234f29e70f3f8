"""What confirmed drift of the world leads to: an incident until its remedy, and calls, neither lost nor too many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.commands import Command, Verb
from seatrial.api.drift import Drift, DriftIncident, DriftStatus
from seatrial.api.status import HistoryEntry, ModelDeploymentStatus, Outcome
from seatrial.rollout.blame import drift_free
from seatrial.rollout.drift_subject import Subject, subject_of
from seatrial.rollout.retrain import (
    answered,
    approved,
    followed,
    not_ahead,
    opened,
    outstanding,
    remedied_s,
    with_calls_of,
)
from tests.unit.rollout import builders as b

RETRAIN = {"url": "https://train.example/hook", "cooldown": "1d", "maxPerMonth": 2}
DRIFT = Drift.model_validate({"features": {}, "retrain": RETRAIN})
BY_TWO = Drift.model_validate({"features": {}, "retrain": {**RETRAIN, "approvals": 2}})
WORLD = DriftStatus(
    at=b.NOW,
    version=b.A.hash,
    cause="WorldChanged",
    remedy="notify",
    sentence="the world",
    confirmed=True,
    retrain=True,
    since=b.NOW - 60,
    last_seen=b.NOW,
)
CALM = DriftStatus(at=b.NOW, version=b.A.hash, cause="NoDrift", remedy="nothing", sentence="nothing drifts")
HOUR_S, DAY_S = 3600.0, 86400.0


def after(after_s: float, found: DriftStatus = WORLD) -> DriftStatus:
    seen = b.NOW + after_s if found.last_seen is not None else None
    return replace(found, at=b.NOW + after_s, last_seen=seen)


def promoted(after_s: float) -> ModelDeploymentStatus:
    """Make the status after the promotion of B."""
    entry = HistoryEntry(b.B.hash, b.B.label, Outcome.PROMOTED, b.NOW, b.NOW + after_s, "promoted")
    return replace(b.stable(), stable=b.B, history=(entry,))


def looks(
    *found: DriftStatus,
    drift: Drift = DRIFT,
    status: ModelDeploymentStatus | None = None,
    known: DriftStatus | None = None,
) -> DriftStatus:
    """Let looks follow each other."""
    status = status or b.stable()
    subject = subject_of("ml", "scorer", status)
    assert subject
    for one in found:
        known = followed(drift, one, known, subject, status)
    assert known
    return known


def incident(found: DriftStatus) -> DriftIncident:
    assert found.incident
    return found.incident


def test_confirmed_drift_of_the_world_asks_once() -> None:
    first = looks(WORLD)
    assert [(call.state, call.sentence) for call in first.retrained] == [("Asked", "the world")]
    assert looks(after(60), known=first).retrained == first.retrained


@pytest.mark.parametrize(
    "found",
    [
        replace(WORLD, confirmed=False),
        replace(WORLD, retrain=False),  # a version's fault
        replace(WORLD, at=b.NOW + 60),  # gone, and not for long enough to be called over
    ],
)
def test_nothing_else_asks_or_opens_an_incident(found: DriftStatus) -> None:
    known = looks(found)
    assert (known.retrained, known.incident) == ((), None)


def test_nobody_is_asked_without_an_address() -> None:
    assert looks(WORLD, drift=Drift.model_validate({"features": {}})).retrained == ()


def test_after_the_cooldown_it_asks_again_and_in_a_month_no_more_than_agreed() -> None:
    status: DriftStatus | None = None
    asked = []
    for day in range(34):
        status = looks(after(day * DAY_S * 1.01), known=status)
        if status.retrained[0].state == "Asked":
            asked.append(day)
            status = answered(status, status.retrained[0].id, "Accepted" if day else "Failed", "it said")
    assert asked == [0, 1, 30, 31]
    assert [call.state for call in status.retrained] == ["Accepted"] * 3 + ["Failed"] if status else False


def test_a_call_without_an_answer_is_not_followed_by_another() -> None:
    assert len(looks(WORLD, after(5 * DAY_S)).retrained) == 1


def test_a_call_that_nobody_answers_is_the_same_one_for_its_cooldown_and_costs_nothing_of_the_month() -> None:
    found = looks(WORLD)
    calls = []
    for hour in range(1, 24 * 10):
        found = looks(after(hour * HOUR_S), known=found)
        call = outstanding(found, DAY_S, found.at)
        assert call
        calls.append(call.id)
        found = answered(found, call.id, "Unanswered", "no connection, and the time is over")
    assert len(set(calls)) == 10
    assert len(found.retrained) == 1  # what nobody answered leaves the room to those that count
    found = answered(found, calls[-1], "Accepted", "the service answered 202")
    assert outstanding(found, DAY_S, found.at) is None


def test_what_nobody_has_answered_is_sent_no_more_when_its_cooldown_is_over() -> None:
    found = answered(looks(WORLD), looks(WORLD).retrained[0].id, "Unanswered", "no connection")
    assert outstanding(found, DAY_S, b.NOW + DAY_S - 1)
    assert outstanding(found, DAY_S, b.NOW + DAY_S) is None
    assert outstanding(looks(WORLD), DAY_S, b.NOW + 9 * DAY_S)  # never sent yet: the operator was away


def test_calls_of_two_models_of_one_version_are_told_apart() -> None:
    one, other = (
        followed(DRIFT, WORLD, None, Subject(namespace, "scorer", b.A.hash), b.stable()) for namespace in ("ml", "test")
    )
    assert one.retrained[0].id != other.retrained[0].id


def test_an_answer_that_came_is_not_taken_back_by_a_later_doubt() -> None:
    found = answered(looks(WORLD), looks(WORLD).retrained[0].id, "Accepted", "the service answered 202")
    assert answered(found, found.retrained[0].id, "Unanswered", "no connection") == found


YEAR_S = 365 * DAY_S


def test_a_look_while_the_clock_was_ahead_does_not_stop_calls_until_then() -> None:
    ahead = looks(after(YEAR_S))
    ahead = answered(ahead, ahead.retrained[0].id, "Accepted", "the service answered 202")
    found = looks(after(60), known=ahead)
    assert (len(found.retrained), found.retrained[0].at) == (1, b.NOW + 60)
    assert len(looks(after(60 + DAY_S), known=found).retrained) == 2


def test_a_look_while_the_clock_was_ahead_does_not_keep_an_incident_open_until_then() -> None:
    found = looks(after(60), known=looks(after(YEAR_S)))
    assert (incident(found).confirmed_at, incident(found).since) == (b.NOW + 60, b.NOW - 60)
    calm = replace(CALM, version=b.B.hash)
    found = looks(after(DAY_S, calm), after(2 * DAY_S, calm), known=found, status=promoted(HOUR_S))
    assert incident(found).closed_at == b.NOW + DAY_S


def test_a_promotion_while_the_clock_was_ahead_does_not_keep_an_incident_open_until_then() -> None:
    calm = replace(CALM, version=b.B.hash)
    found = looks(after(60, calm), after(DAY_S, calm), known=looks(WORLD), status=promoted(YEAR_S))
    assert incident(found).promoted_at == b.NOW + 60
    assert incident(found).closed_at == b.NOW + DAY_S


def test_nothing_that_is_known_lies_in_the_future() -> None:
    found = not_ahead(looks(after(YEAR_S)), b.NOW)
    assert (found.at, found.last_seen) == (b.NOW, b.NOW)
    assert not_ahead(found, b.NOW + 5) == found


def test_calls_of_an_earlier_version_count() -> None:
    first = looks(WORLD)
    assert looks(replace(after(HOUR_S), version=b.B.hash), known=first).retrained == first.retrained


def test_a_call_waits_for_as_many_people_as_it_needs_and_the_status_says_since_when() -> None:
    found = looks(WORLD, after(60), drift=BY_TWO)
    assert [call.state for call in found.retrained] == ["Waiting"]
    assert drift_free(found)[2] == (
        "the world; retraining waits for approval since 2026-11-18T11:06:40.000Z: "
        "2 people to say promote at gate retrain"
    )
    one = approved(found, "ann", b.NOW + 100)
    assert one.retrained[0].state == "Waiting"
    assert "one person to say promote" in drift_free(one)[2]
    both = approved(one, "bob", b.NOW + 200)
    assert (both.retrained[0].state, both.retrained[0].at) == ("Asked", b.NOW + 200)
    assert "waits for approval" not in drift_free(both)[2]


def test_an_approval_counts_from_its_own_time_for_the_cooldown() -> None:
    waited = approved(approved(looks(WORLD, drift=BY_TWO), "ann", b.NOW), "bob", b.NOW + 5 * DAY_S)
    sent = answered(waited, waited.retrained[0].id, "Accepted", "the service answered 202")
    assert len(looks(after(5.5 * DAY_S), drift=BY_TWO, known=sent).retrained) == 1
    assert [c.state for c in looks(after(6.1 * DAY_S), drift=BY_TWO, known=sent).retrained] == ["Waiting", "Accepted"]


def test_an_approval_expires_with_its_incident_and_costs_nothing_of_the_month() -> None:
    waiting = looks(WORLD, drift=BY_TWO)
    quiet = replace(after(HOUR_S, CALM), version=b.B.hash)
    over = looks(quiet, after(2 * HOUR_S, quiet), drift=BY_TWO, status=promoted(60), known=waiting)
    assert [call.state for call in over.retrained] == ["Expired"]
    assert not incident(over).open
    again = replace(after(3 * HOUR_S), version=b.B.hash)
    assert [c.state for c in looks(again, drift=DRIFT, status=promoted(60), known=over).retrained] == ["Asked"]


def test_what_waits_is_asked_for_when_nobody_needs_to_approve_any_more_and_expires_when_nobody_wants_it() -> None:
    waiting = looks(WORLD, drift=BY_TWO)
    assert looks(after(60), known=waiting).retrained[0].state == "Asked"
    silent = Drift.model_validate({"features": {}})
    assert looks(after(60), drift=silent, known=waiting).retrained[0].state == "Expired"


def test_looks_commands_and_services_each_take_a_call_further_and_none_takes_it_back() -> None:
    looked = looks(WORLD, drift=BY_TWO)
    one = approved(looked, "ann", b.NOW)
    both = approved(one, "bob", b.NOW)
    accepted = answered(both, both.retrained[0].id, "Accepted", "the service answered 202")
    for early, late in ((looked, one), (one, both), (both, accepted)):
        assert with_calls_of(early, late).retrained == late.retrained
        assert with_calls_of(late, early).retrained == late.retrained
    assert with_calls_of(looked, None) == looked


def test_an_incident_is_open_until_a_newer_version_serves_and_the_drift_is_gone() -> None:
    first = looks(WORLD)
    assert (incident(first).version, incident(first).confirmed_at, opened(first)) == (b.A.hash, b.NOW, True)
    drifting = looks(replace(after(DAY_S), version=b.B.hash), status=promoted(60), known=first)
    assert incident(drifting).open
    assert incident(drifting).promoted_at == b.NOW + 60
    assert not opened(drifting)
    calm = replace(CALM, version=b.B.hash)
    soon = looks(after(DAY_S + 600, calm), status=promoted(60), known=drifting)
    assert incident(soon).open  # not gone for the cooldown yet
    late = looks(after(DAY_S + HOUR_S, calm), status=promoted(60), known=soon)
    assert incident(late).closed_at == b.NOW + DAY_S + HOUR_S
    assert remedied_s(incident(late)) == DAY_S  # when the drift was last seen
    assert remedied_s(incident(soon)) is None


def test_drift_that_goes_by_itself_leaves_its_incident_open_and_the_condition_says_what_is_missing() -> None:
    found = looks(WORLD, after(2 * HOUR_S, CALM), after(9 * DAY_S, CALM))
    assert incident(found).open
    status, reason, message = drift_free(found)
    assert (status, reason) == ("False", "WorldChanged")
    assert "open until a newer version that is promoted" in message


@pytest.mark.parametrize("outcome", [Outcome.RETURNED, Outcome.ROLLED_BACK])
def test_an_older_version_is_no_remedy(outcome: Outcome) -> None:
    status = promoted(60)
    status = replace(status, history=(replace(status.history[0], outcome=outcome),))
    calm = replace(CALM, version=b.B.hash)
    assert incident(looks(after(2 * HOUR_S, calm), status=status, known=looks(WORLD))).open


@pytest.mark.parametrize("cause", ["TooFewObservations", "NoSeries", "Unavailable"])
def test_a_look_that_can_t_tell_closes_nothing(cause: str) -> None:
    silent = replace(CALM, version=b.B.hash, cause=cause)
    assert incident(looks(after(2 * HOUR_S, silent), status=promoted(60), known=looks(WORLD))).open


def test_a_trial_closes_nothing_and_does_not_lose_the_incident() -> None:
    calm = replace(CALM, version=b.B.hash)
    found = followed(
        DRIFT, after(HOUR_S, calm), looks(WORLD), Subject("ml", "scorer", b.A.hash, b.B.hash), b.on_trial()
    )
    assert incident(found).open


def test_a_trial_that_keeps_finding_stable_out_of_date_is_still_drift() -> None:
    outdated = replace(after(HOUR_S), version=b.B.hash, cause="StableOutdated", retrain=False)
    found = followed(DRIFT, outdated, looks(WORLD), Subject("ml", "scorer", b.A.hash, b.B.hash), b.on_trial())
    assert incident(found).last_seen == b.NOW + HOUR_S


def test_a_second_drift_opens_an_incident_of_its_own() -> None:
    calm = replace(CALM, version=b.B.hash)
    closed = looks(after(2 * HOUR_S, calm), status=promoted(60), known=looks(WORLD))
    assert not incident(closed).open
    again = looks(replace(after(3 * HOUR_S), version=b.B.hash), status=promoted(60), known=closed)
    assert (incident(again).open, incident(again).version, opened(again)) == (True, b.B.hash, True)


WAITING = replace(b.stable(), drift=looks(WORLD, drift=BY_TWO))


def promote(status: ModelDeploymentStatus, by: str) -> ModelDeploymentStatus:
    """Say promote at the gate of retraining."""
    command = Command(id=f"yes-{by}", verb=Verb.PROMOTE, by=by, gate="retrain")
    return b.run(status, b.at_ease(status, commands=(command,))).status


def test_people_approve_by_the_command_that_opens_gates() -> None:
    one = promote(WAITING, "ann")
    assert (one.answers[0].outcome, one.answers[0].sentence) == ("Done", "gate retrain waits for 1 more")
    twice = b.run(
        one, b.at_ease(one, commands=(Command(id="again", verb=Verb.PROMOTE, by="ann", gate="retrain"),))
    ).status
    assert twice.answers[0].sentence == "ann has already said promote at gate retrain"
    both = promote(one, "bob")
    assert both.answers[0].sentence == "retraining is asked for"
    assert both.drift
    assert both.drift.retrained[0].state == "Asked"
    # A look that was made before knows nothing of it, and takes nothing back.
    late = b.run(both, b.at_ease(both, drift=WAITING.drift)).status
    assert late.drift
    assert late.drift.retrained == both.drift.retrained


@pytest.mark.parametrize("status", [b.stable(), replace(b.stable(), drift=looks(WORLD)), b.at_step(b.GATE)])
def test_nothing_that_waits_is_nothing_to_approve(status: ModelDeploymentStatus) -> None:
    answer = promote(status, "ann").answers[0]
    assert (answer.outcome, answer.sentence) == ("Refused", "gate retrain: no retraining waits for approval")


def test_people_are_told_when_they_are_waited_for_and_what_came_of_it() -> None:
    waits = b.run(b.stable(), b.at_ease(b.stable(), drift=WAITING.drift))
    assert "RetrainWaits" in b.reasons(waits)
    assert waits.status.drift
    call = waits.status.drift.retrained[0]
    for state, severity in (("Accepted", "Normal"), ("Failed", "Warning"), ("Unanswered", "Warning")):
        told = answered(waits.status.drift, call.id, state, "the service answered")
        notices = b.run(waits.status, b.at_ease(waits.status, drift=told)).notices
        assert [(n.type, n.reason) for n in notices] == [(severity, f"Retrain{state}")]


def test_who_takes_drift_away_and_puts_it_back_has_the_same_incident_and_the_same_month() -> None:
    found = looks(WORLD)
    found = answered(found, found.retrained[0].id, "Accepted", "the service answered 202")
    status = replace(b.stable(), drift=found)
    silent = b.wish(b.A, plan=replace(b.PLAN, drift=None))
    without = b.run(status, b.at_ease(status, wish=silent))
    assert without.status.drift
    assert (without.status.drift.incident, without.status.drift.retrained) == (found.incident, found.retrained)
    assert "DriftFree" not in {condition.type for condition in without.status.conditions}
    again = b.run(without.status, b.at_ease(without.status, wish=silent, now_s=b.NOW + 60))
    assert again.status.drift == without.status.drift  # nothing to write
    back = b.run(again.status, b.at_ease(again.status)).status
    assert "DriftFree" not in {condition.type for condition in back.conditions}  # until the first look
    seen = looks(after(HOUR_S), known=back.drift)
    assert (incident(seen).confirmed_at, seen.retrained) == (b.NOW, found.retrained)


def test_a_call_that_waits_expires_when_drift_is_taken_away() -> None:
    silent = b.wish(b.A, plan=replace(b.PLAN, drift=None))
    without = b.run(WAITING, b.at_ease(WAITING, wish=silent)).status
    assert without.drift
    assert [call.state for call in without.drift.retrained] == ["Expired"]
    assert promote(without, "ann").answers[0].outcome == "Refused"


def test_a_model_without_incident_and_calls_has_nothing_to_remember() -> None:
    status = replace(b.stable(), drift=CALM)
    silent = b.wish(b.A, plan=replace(b.PLAN, drift=None))
    assert b.run(status, b.at_ease(status, wish=silent)).status.drift is None
