"""One look at drift: from counts of both versions and their training profiles to who is blamed and what follows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.drift import Drift
from seatrial.judge.drift.blame import Dealing
from seatrial.metrics.drift_types import DriftReadings, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import ask_for, look_every_s
from tests.unit.rollout.drift_builders import (
    CANDIDATE,
    NOW_S,
    OWNER,
    REST,
    STABLE,
    TRIAL,
    looked,
    readings,
    rows,
)


@pytest.mark.parametrize(
    ("age_s", "window", "seconds"),
    [(20, "1h", None), (30, "1h", 30), (600, "1h", 480), (7200, "1h", 1920), (7200, "5m", 240)],
)
def test_both_versions_are_counted_over_the_same_stretch_within_the_trial(
    age_s: float, window: str, seconds: int | None
) -> None:
    ask = ask_for(Drift(features={}, window=window), replace(TRIAL, weighted_at=NOW_S - age_s), NOW_S)
    mine = ask.stretches.get(CANDIDATE, frozenset())
    assert mine == ({Stretch(seconds)} if seconds else set())
    assert mine <= ask.stretches[STABLE]


def test_at_rest_the_usual_level_is_asked_for_and_looks_are_few() -> None:
    drift = Drift.model_validate({"features": {}, "usual": {}, "window": "2h"})
    assert ask_for(drift, REST, NOW_S).stretches == {STABLE: {Stretch(7200), Stretch(7200, 7 * 86400)}}
    assert look_every_s(drift, REST) == 600
    assert look_every_s(drift, TRIAL) == 30


def test_a_candidate_that_sees_other_features_is_rolled_back() -> None:
    found = looked(readings(rows(2000, age=0.8), rows(8000)))
    assert (found.cause, found.remedy, found.confirmed) == ("FeaturesApart", "rollback", True)
    assert "age: psi 0.597 is above 0.2 and chance (2,000 against 8,000 observations" in found.sentence
    assert [(f.name, f.against, f.level) for f in found.features[:2]] == [
        ("age", "stable", "Act"),
        ("age", "training", "Act"),
    ]
    assert found.features[0].shape[-1] == "█"


def test_requests_that_are_dealt_by_user_only_hold() -> None:
    chosen = replace(TRIAL, dealing=Dealing.CHOSEN)
    found = looked(readings(rows(2000, age=0.8), rows(8000)), subject=chosen)
    assert (found.cause, found.remedy) == ("PopulationsDiffer", "hold")


def test_what_both_versions_see_is_the_world_s_doing() -> None:
    found = looked(readings(rows(2000, age=0.8), rows(8000, age=0.8)))
    assert (found.cause, found.remedy, found.retrain) == ("WorldChanged", "notify", True)


def test_at_rest_stable_is_compared_with_its_training() -> None:
    found = looked(readings(whole=rows(8000, age=0.8)), subject=REST)
    assert (found.cause, found.remedy, found.version) == ("WorldChanged", "notify", STABLE)
    assert looked(readings(whole=rows(8000)), subject=REST).cause == "NoDrift"


def test_values_that_are_missing_on_the_candidate_alone_are_its_fault() -> None:
    found = looked(readings(rows(2000, missing=100), rows(8000)))
    assert (found.cause, found.remedy) == ("ValuesMissing", "rollback")
    assert "age: 4.76 % missing (100 of 2,100)" in found.sentence


def test_values_that_are_missing_on_both_sides_are_nobody_s_fault() -> None:
    found = looked(readings(rows(2000, missing=100), rows(8000, missing=400)))
    assert (found.cause, found.remedy) == ("SourceBroken", "notify")


def test_predictions_may_differ_unless_bounds_are_declared_for_them() -> None:
    base = readings(rows(2000, score=0.8), rows(8000))
    assert looked(base).remedy == "nothing"
    told = Drift.model_validate({"predictions": {}, "confirm": 1})
    bound = Drift.model_validate({"predictions": {"act": "0.3", "action": "rollback"}, "confirm": 1})
    assert [(looked(base, d).cause, looked(base, d).remedy) for d in (told, bound)] == [
        ("PredictionsApart", "notify"),
        ("PredictionsApart", "rollback"),
    ]


def test_an_action_is_never_more_than_declared() -> None:
    drift = Drift.model_validate({"features": {"action": "hold"}, "confirm": 1})
    assert looked(readings(rows(2000, age=0.8), rows(8000)), drift).remedy == "hold"


def test_nothing_follows_until_two_looks_in_a_row_have_found_it() -> None:
    drift = Drift.model_validate({"features": {}})
    base = readings(rows(2000, age=0.8), rows(8000))
    assert [(s.remedy, s.confirmed) for s in (looked(base, drift), looked(base, drift, times=2))] == [
        ("nothing", False),
        ("rollback", True),
    ]


def test_what_follows_is_the_least_that_two_looks_in_a_row_ask_for() -> None:
    drift = Drift.model_validate({"features": {}})
    world = looked(readings(rows(2000, age=0.8), rows(8000, age=0.8)), drift)
    apart = readings(rows(2000, age=0.8), rows(8000))
    second = assess(drift, TRIAL, replace(apart, at_s=NOW_S + 60), world)
    third = assess(drift, TRIAL, replace(apart, at_s=NOW_S + 120), second)
    assert [(s.cause, s.remedy) for s in (second, third)] == [
        ("FeaturesApart", "notify"),
        ("FeaturesApart", "rollback"),
    ]


def test_a_drift_is_over_when_it_has_been_gone_for_the_cooldown() -> None:
    drift = Drift.model_validate({"features": {}, "cooldown": "10m"})
    status = looked(readings(whole=rows(8000, age=0.8)), drift, REST, times=2)
    calm = readings(whole=rows(8000))
    soon, late = (assess(drift, REST, replace(calm, at_s=NOW_S + after), status) for after in (300, 900))
    assert (soon.cause, soon.confirmed, soon.remedy) == ("WorldChanged", True, "notify")
    assert (late.cause, late.confirmed) == ("NoDrift", False)
    again = assess(drift, REST, replace(readings(whole=rows(8000, age=0.8)), at_s=NOW_S + 400), soon)
    assert (again.confirmed, again.since) == (True, status.since)


def test_a_silent_prometheus_ends_no_drift_and_begins_none() -> None:
    drift = Drift.model_validate({"features": {}})
    away = DriftReadings(NOW_S + 99_999, "Prometheus does not answer")
    assert assess(drift, REST, away).cause == "Unavailable"
    status = looked(readings(whole=rows(8000, age=0.8)), drift, REST, times=2)
    assert assess(drift, REST, away, status).confirmed


def test_another_version_starts_afresh() -> None:
    drift = Drift.model_validate({"features": {}})
    world = looked(readings(whole=rows(8000, age=0.8)), drift, REST, times=2)
    assert assess(drift, TRIAL, replace(readings(rows(2000), rows(8000)), at_s=NOW_S + 60), world).cause == "NoDrift"


def test_too_few_rows_say_so() -> None:
    found = looked(readings(rows(60), rows(8000)))
    assert found.cause == "TooFewObservations"
    assert "are needed" in found.sentence


def test_a_model_that_tells_nothing_is_told_apart_from_one_that_does_not_drift() -> None:
    assert looked(DriftReadings(NOW_S)).cause == "NoSeries"
    assert looked(readings(rows(2000), rows(8000), mixed=frozenset({(*OWNER, CANDIDATE)}))).cause == "ProfilesDiffer"


def test_only_named_features_are_looked_at() -> None:
    drift = Drift.model_validate({"features": {"names": ["income"]}, "confirm": 1})
    assert looked(readings(rows(2000, age=0.8, missing=100), rows(8000)), drift).cause == "NoDrift"


def test_without_a_cooldown_a_drift_is_over_at_the_first_look_that_finds_none() -> None:
    drift = Drift.model_validate({"features": {}, "cooldown": "0s"})
    status = looked(readings(whole=rows(8000, age=0.8)), drift, REST, times=2)
    assert assess(drift, REST, replace(readings(whole=rows(8000)), at_s=NOW_S + 60), status).cause == "NoDrift"
