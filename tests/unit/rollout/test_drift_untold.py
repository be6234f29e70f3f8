"""What a look can't tell: said as such, without hiding what it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seatrial.api.drift import Drift, DriftIncident
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.shares import Part
from seatrial.metrics.drift_types import DriftReadings, Seen
from seatrial.rollout.blame import drift_free
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_compare import compared
from seatrial.rollout.retrain import followed
from tests.unit.judge.drift.builders import DECILES, normal
from tests.unit.rollout import builders as b
from tests.unit.rollout.drift_builders import (
    CANDIDATE,
    NOW_S,
    ONCE,
    OWNER,
    REST,
    STABLE,
    TRAINING,
    TRIAL,
    WHOLE,
    looked,
    readings,
    rows,
)

OTHER = (*(np.array(DECILES[:-1]) + 0.03).tolist(), float("inf"))
RETRAINED = Seen({"age": normal(0.0, n=50_000, edges=OTHER), "income": normal(0.0, n=50_000, edges=OTHER)})


def on_other_edges(candidate: Seen) -> DriftReadings:
    """Let the candidate be trained on new data, with a profile that has edges of its own."""
    base = readings(candidate, rows(8000))
    return replace(base, training={**base.training, (*OWNER, CANDIDATE): RETRAINED})


def on_own(age: Histogram) -> Seen:
    return replace(rows(2000), features={"age": age, "income": normal(0.0, n=2000, edges=OTHER)})


def test_a_broken_candidate_is_rolled_back_whatever_its_edges() -> None:
    found = looked(on_other_edges(on_own(Histogram((0,) * 9 + (2000,), edges=OTHER))))
    assert (found.cause, found.remedy) == ("FeaturesApart", "rollback")
    assert "at least" in found.sentence


def test_a_candidate_on_edges_of_its_own_is_not_called_free_of_drift() -> None:
    found = looked(on_other_edges(on_own(normal(0.0, n=2000, edges=OTHER))))
    assert (found.cause, found.remedy) == ("EdgesDiffer", "nothing")
    assert "counted on other edges than its reference; make its profile with --edges-from" in found.sentence
    assert drift_free(found)[0] == "Unknown"


def test_a_candidate_that_may_be_broken_is_told_of_and_not_acquitted() -> None:
    """Half a deviation from its own training: on other edges stable can't be told to see anything else, or the same."""
    found = looked(
        on_other_edges(on_own(normal(-0.35, n=2000, edges=OTHER))),
        Drift.model_validate({"features": {"warn": "0.05", "act": "0.08"}, "confirm": 1}),
    )
    assert (found.cause, found.remedy) == ("CandidateAway", "notify")


@pytest.mark.parametrize(
    ("mine", "theirs", "who"), [(None, rows(8000), CANDIDATE), (rows(2000), None, STABLE), (None, None, CANDIDATE)]
)
def test_a_version_without_series_is_not_free_of_drift(mine: Seen | None, theirs: Seen | None, who: str) -> None:
    found = looked(readings(mine, theirs, whole=rows(8000)))
    assert found.cause == "NoSeries"
    assert f"version {who}" in found.sentence
    assert drift_free(found)[0] == "Unknown"


def test_what_the_world_does_is_told_without_the_candidate_s_series() -> None:
    assert looked(readings(whole=rows(8000, age=0.8))).cause == "WorldChanged"


def test_a_trial_that_has_only_begun_says_so() -> None:
    found = looked(readings(whole=rows(8000)), subject=replace(TRIAL, weighted_at=NOW_S - 10))
    assert (found.cause, found.sentence) == (
        "TooFewObservations",
        "too few observations to tell: the trial has only just begun",
    )


def test_versions_that_have_nothing_in_common_say_so() -> None:
    mine = Seen({"height": normal(0.0, n=2000)})
    base = readings(mine, rows(8000))
    found = looked(replace(base, training={(*OWNER, STABLE): TRAINING}))
    assert (found.cause, "tell of nothing that both have" in found.sentence) == ("NoSeries", True)


def test_features_that_one_side_does_not_tell_are_listed() -> None:
    mine = rows(2000)
    mine = replace(mine, features={"age": mine.features["age"], "height": normal(0.0, n=2000)}, missing={})
    found = looked(readings(mine, rows(8000)))
    assert found.cause == "NoDrift"
    listed = {(f.name, f.against): (f.level, f.sentence) for f in found.features}
    assert listed["height", "stable"] == ("Inconclusive", f"height: not told by version {STABLE}")
    assert listed["income", "stable"] == ("Inconclusive", f"income: not told by version {CANDIDATE}")
    assert listed["height", "training"][1] == f"height: not told by the training profile of version {CANDIDATE}"
    assert "2 of 3 features have no counterpart on one side (height, income)" in found.sentence


def test_a_feature_that_is_named_and_told_by_nobody_is_listed() -> None:
    drift = Drift.model_validate({"features": {"names": ["age", "heigth"]}, "confirm": 1})
    found = looked(readings(rows(2000), rows(8000)), drift)
    assert f"heigth: not told by version {CANDIDATE} and version {STABLE}" in {f.sentence for f in found.features}


def test_a_feature_that_has_become_a_category_is_listed() -> None:
    mine = replace(rows(2000), features={**rows(2000).features, "age": Histogram((1000, 1000), categories=("a", "b"))})
    found = looked(readings(mine, rows(8000)))
    assert any("age: has numbers on one side and categories on the other" in f.sentence for f in found.features)


def test_no_tolerance_is_the_strictest_of_all() -> None:
    drift = Drift.model_validate({"features": {"faulty": "0"}, "confirm": 1})
    assert looked(readings(rows(2000, missing=900), rows(8000)), drift).cause == "ValuesMissing"


def test_a_candidate_that_loses_an_optional_feature_is_blamed() -> None:
    """Seventy in a hundred have none as a rule, of the candidate's all."""
    theirs, mine = rows(8000), rows(2000)
    theirs = replace(theirs, missing={**theirs.missing, "income": Part(5600, 8000)})
    lost = {**mine.features, "income": Histogram((0,) * 10, edges=DECILES)}
    found = looked(readings(replace(mine, features=lost, missing={**mine.missing, "income": Part(2000, 2000)}), theirs))
    assert (found.cause, found.remedy) == ("ValuesMissing", "rollback")
    assert "income: no values (0 against 8,000 observations)" in {f.sentence for f in found.features}


def thin(at_rest: int) -> Seen:
    """Let income be met so many times in 8,000 rows."""
    return replace(rows(8000), features={"age": normal(0.0, n=8000), "income": normal(0.0, n=at_rest)})


def test_one_thin_feature_blinds_no_others() -> None:
    found = looked(readings(whole=thin(30)), subject=REST)
    assert found.cause == "NoDrift"
    assert found.sentence.endswith("; 1 of 2 features has too few rows (income)")
    assert drift_free(found)[:2] == ("True", "NoDrift")


def test_a_feature_that_is_always_missing_blinds_no_others() -> None:
    always = replace(thin(0), missing={"age": Part(0, 8000), "income": Part(8000, 8000)})
    training = replace(TRAINING, missing={"age": Part(0, 50_000), "income": Part(49_500, 50_000)})
    found = looked(replace(readings(whole=always), training={(*OWNER, STABLE): training}), subject=REST)
    assert found.cause == "NoDrift"
    assert "too few" not in found.sentence


@pytest.mark.parametrize(("features", "cause"), [(("income",), "TooFewObservations"), (("age",), "NoDrift")])
def test_an_incident_waits_for_the_features_that_made_it(features: tuple[str, ...], cause: str) -> None:
    incident = DriftIncident(STABLE, "WorldChanged", "the world", NOW_S - 9000, NOW_S - 9000, NOW_S - 9000, features)
    before = replace(looked(readings(whole=rows(8000)), subject=REST), incident=incident)
    found = assess(ONCE, REST, replace(readings(whole=thin(30)), at_s=NOW_S + 300), before)
    assert found.cause == cause
    closed = replace(before, incident=replace(incident, closed_at=NOW_S - 100))
    assert assess(ONCE, REST, replace(readings(whole=thin(30)), at_s=NOW_S + 300), closed).cause == "NoDrift"


def test_an_incident_keeps_the_names_of_what_made_it() -> None:
    found = followed(ONCE, looked(readings(whole=rows(8000, age=0.8)), subject=REST), None, REST, b.stable())
    assert found.incident
    assert found.incident.features == ("age",)


@pytest.mark.parametrize(("more", "questions"), [({}, 3), ({"predictions": {}}, 5)])
def test_all_questions_share_alpha(more: dict[str, object], questions: int) -> None:
    """Each feature, all together, faulty values; each prediction, all together."""
    found = compared(
        Drift.model_validate({"features": {}, **more}), TRIAL, readings(rows(2000), rows(8000)), usual=False
    )
    assert {one.rule.alpha for name, one in found.items() if name != "stable_away"} == {0.01 / questions}


def test_both_shapes_are_drawn_on_the_same_bins() -> None:
    whole = {
        (*OWNER, STABLE, WHOLE): replace(
            rows(0), features={"age": Histogram((8000, 0, 0), edges=(0.0, 1.0, float("inf")))}
        )
    }
    training = Seen({"age": Histogram((20_000, 20_000, 10_000), edges=(0.0, 1.0, float("inf")))})
    found = looked(DriftReadings(NOW_S, None, whole, {(*OWNER, STABLE): training}), subject=REST)
    assert (found.features[0].shape, found.features[0].reference_shape) == ("█··", "██▄")
