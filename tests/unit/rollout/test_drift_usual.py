"""The usual level: what was as far from the training profile some time ago is no news."""

from __future__ import annotations

from dataclasses import replace

from seatrial.api.drift import Drift
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import ask_for
from tests.unit.judge.drift.builders import normal
from tests.unit.rollout.drift_builders import CANDIDATE, NOW_S, OWNER, REST, STABLE, WHOLE, looked, readings, rows

WEEK_AGO = Stretch(3600, 7 * 86400)
USUAL = Drift.model_validate({"features": {}, "usual": {}, "confirm": 1})


def since(now: Seen, before: Seen) -> DriftReadings:
    base = readings(whole=now)
    return replace(base, seen={**base.seen, (*OWNER, STABLE, WEEK_AGO): before})


def test_a_drift_does_not_become_usual_by_lasting() -> None:
    drift = Drift.model_validate({"features": {}, "usual": {}})
    base = readings(whole=rows(8000, age=0.7))
    drifted = looked(base, drift, REST, times=2)
    week_later = {(*OWNER, STABLE, Stretch(3600, 7 * 86400)): rows(8000, age=0.7)}
    later = replace(base, at_s=NOW_S + 7 * 86400, seen={**base.seen, **week_later})
    assert assess(drift, REST, later).cause == "NoDrift"
    assert assess(drift, REST, later, drifted).cause == "WorldChanged"


def test_two_noisy_values_a_quarter_apart_are_alike() -> None:
    """150 rows then and now can't be told apart, although the one value is far more than a quarter above the other."""
    assert looked(readings(whole=rows(150, age=0.9)), USUAL, REST).cause == "WorldChanged"
    assert looked(since(rows(150, age=0.9), rows(150, age=0.7)), USUAL, REST).remedy == "nothing"


def test_so_few_rows_a_week_ago_that_anything_is_like_them_make_nothing_usual() -> None:
    """Twenty rows can't be told from a drift of nearly a deviation: that is no reason to call the drift usual."""
    assert looked(since(rows(2000, age=0.8), rows(20)), USUAL, REST).cause == "WorldChanged"


def test_what_is_usual_is_the_world_s_whatever_version_saw_it() -> None:
    """The version that serves now is three days old; a week ago its predecessor met the same requests."""
    drift = Drift.model_validate({"features": {}, "usual": {}, "confirm": 1})
    week_ago = Stretch(3600, 7 * 86400)
    young = replace(REST, served=((STABLE, NOW_S - 3 * 86400), (CANDIDATE, NOW_S - 30 * 86400)))
    assert ask_for(drift, young, NOW_S).stretches == {STABLE: {WHOLE}, CANDIDATE: {week_ago}}
    base = readings(whole=rows(8000, age=0.7))

    def cause(before: Seen) -> str:
        seen = {**base.seen, (*OWNER, CANDIDATE, week_ago): before}
        return looked(replace(base, seen=seen), drift, young).cause

    assert cause(rows(8000, age=0.7)) == "NoDrift"
    coarse = Seen({"age": normal(0.7, n=8000, edges=(0.0, float("inf"))), "income": normal(0.0, n=8000)})
    assert cause(coarse) == "WorldChanged"  # other bins: one common edge would let anything pass for usual


def test_drift_that_is_usual_at_this_hour_is_none() -> None:
    assert looked(readings(whole=rows(8000, age=0.7)), USUAL, REST).cause == "WorldChanged"
    assert looked(since(rows(8000, age=0.7), rows(8000, age=0.7)), USUAL, REST).cause == "NoDrift"


def test_a_drift_to_the_other_side_is_not_usual() -> None:
    """As far from the training profile as a week ago, and nearly three halves of a deviation from there."""
    found = looked(since(rows(8000, age=-0.7), rows(8000, age=0.7)), USUAL, REST)
    assert found.cause == "WorldChanged"
    assert looked(since(rows(8000), rows(8000, age=0.7)), USUAL, REST).cause == "NoDrift"  # back again


def test_predictions_have_a_usual_level_too() -> None:
    drift = Drift.model_validate({"predictions": {}, "usual": {}, "confirm": 1})
    assert looked(readings(whole=rows(8000, score=0.7)), drift, REST).cause == "PredictionsMoved"
    assert looked(since(rows(8000, score=0.7), rows(8000, score=0.7)), drift, REST).cause == "NoDrift"
    assert looked(since(rows(8000, score=0.7), rows(8000)), drift, REST).cause == "PredictionsMoved"


def test_what_another_version_predicted_is_usual_for_nobody_else() -> None:
    drift = Drift.model_validate({"predictions": {}, "usual": {}, "confirm": 1})
    young = replace(REST, served=((STABLE, NOW_S - 3 * 86400), (CANDIDATE, NOW_S - 30 * 86400)))
    base = readings(whole=rows(8000, score=0.7))
    seen = {**base.seen, (*OWNER, CANDIDATE, WEEK_AGO): rows(8000, score=0.7)}
    assert looked(replace(base, seen=seen), drift, young).cause == "PredictionsMoved"
