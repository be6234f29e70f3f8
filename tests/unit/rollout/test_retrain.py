"""When confirmed drift asks for a newer model: once, then not for a while, and not too often in a month."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.drift import Drift, DriftStatus
from seatrial.rollout.retrain import answered, asked_for
from tests.unit.rollout import builders as b

DRIFT = Drift.model_validate(
    {"features": {}, "retrain": {"url": "https://train.example/hook", "cooldown": "1d", "maxPerMonth": 2}}
)
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
DAY_S = 86400.0


def seen(after_s: float) -> DriftStatus:
    return replace(WORLD, at=b.NOW + after_s, last_seen=b.NOW + after_s)


def test_confirmed_drift_of_the_world_asks_once() -> None:
    first = asked_for(DRIFT, WORLD, None)
    assert [(call.state, call.sentence) for call in first.retrained] == [("Asked", "the world")]
    assert asked_for(DRIFT, seen(60), first).retrained == first.retrained


@pytest.mark.parametrize(
    "found",
    [
        replace(WORLD, confirmed=False),
        replace(WORLD, retrain=False),  # a version's fault
        replace(WORLD, at=b.NOW + 60),  # gone, and not for long enough to be called over
    ],
)
def test_nothing_else_asks(found: DriftStatus) -> None:
    assert asked_for(DRIFT, found, None).retrained == ()


def test_nobody_is_asked_without_an_address() -> None:
    assert asked_for(Drift.model_validate({"features": {}}), WORLD, None).retrained == ()


def test_after_the_cooldown_it_asks_again_and_in_a_month_no_more_than_agreed() -> None:
    status: DriftStatus | None = None
    asked = []
    for day in range(34):
        status = asked_for(DRIFT, seen(day * DAY_S * 1.01), status)
        if status.retrained[0].state == "Asked":
            asked.append(day)
            status = answered(status, status.retrained[0].id, accepted=day > 0, sentence="the service answered 202")
    assert asked == [0, 1, 30, 31]
    assert [call.state for call in status.retrained] == ["Accepted"] * 3 + ["Failed"] if status else False


def test_a_call_without_an_answer_is_not_followed_by_another() -> None:
    first = asked_for(DRIFT, WORLD, None)
    assert len(asked_for(DRIFT, seen(5 * DAY_S), first).retrained) == 1


def test_calls_of_an_earlier_version_count() -> None:
    first = asked_for(DRIFT, WORLD, None)
    assert asked_for(DRIFT, replace(seen(3600), version=b.B.hash), first).retrained == first.retrained
