"""The date of a drift: which stretches are read for it, and what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.drift import Drift, DriftStatus
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_onset import ask_for_onset, dated, tiles_of
from seatrial.rollout.drift_subject import Subject
from seatrial.rollout.retrain import followed
from tests.unit.judge.drift.builders import normal
from tests.unit.rollout import builders as b

NOW_S = b.NOW
DRIFT = Drift.model_validate({"features": {}, "predictions": {}, "window": "2h", "confirm": 1})
REST = Subject("ml", "scorer", b.A.hash)
OWNER = ("ml", "scorer", b.A.hash)


def seen(age: float, score: float = 0.0, n: int = 800) -> Seen:
    return Seen({"age": normal(age, n=n), "income": normal(0.0, n=n)}, {"score": normal(score, n=n)})


def confirmed(age: float, score: float = 0.0) -> DriftStatus:
    found = {(*OWNER, Stretch(7200)): seen(age, score, 8000)}
    readings = DriftReadings(NOW_S, None, found, {OWNER: seen(0.0, n=50_000)})
    return followed(DRIFT, assess(DRIFT, REST, readings), None, REST, b.stable())


def test_two_windows_are_cut_into_the_stretches_between_looks() -> None:
    tiles = tiles_of(DRIFT)
    assert (len(tiles), tiles[0], tiles[-1]) == (24, Stretch(600, 23 * 600), Stretch(600, 0))
    assert ask_for_onset(DRIFT, REST).stretches == {b.A.hash: frozenset(tiles)}


@pytest.mark.parametrize(("age", "score"), [(0.8, 0.0), (0.0, 0.8)])
def test_the_incident_is_dated_by_what_has_drifted(age: float, score: float) -> None:
    """Forty minutes ago, which is long before the first look that found it."""
    found = confirmed(age, score)
    tiles = {(*OWNER, tile): seen(age, score) if tile.ago_s < 2400 else seen(0.0) for tile in tiles_of(DRIFT)}
    after = dated(DRIFT, REST, found, DriftReadings(NOW_S, None, tiles))
    assert after.incident
    assert NOW_S - after.incident.since == 2400


def test_a_silent_prometheus_leaves_the_date_of_the_first_look() -> None:
    found = confirmed(0.8)
    assert dated(DRIFT, REST, found, DriftReadings(NOW_S, "Prometheus does not answer")) == found


def test_what_has_not_changed_since_the_version_serves_is_as_old_as_that() -> None:
    found = confirmed(0.8)
    tiles = {(*OWNER, tile): seen(0.8) for tile in tiles_of(DRIFT)[10:]}
    after = dated(DRIFT, REST, found, DriftReadings(NOW_S, None, tiles))
    assert after.incident
    assert NOW_S - after.incident.since == 14 * 600


def test_a_date_is_never_later_than_the_first_look_that_found_it() -> None:
    found = confirmed(0.8)
    assert found.incident
    early = replace(found, incident=replace(found.incident, since=NOW_S - 9000))
    tiles = {(*OWNER, tile): seen(0.8 if tile.ago_s < 2400 else 0.0) for tile in tiles_of(DRIFT)}
    assert dated(DRIFT, REST, early, DriftReadings(NOW_S, None, tiles)) == early
