"""When a difference counts: large enough to matter, and larger than chance makes it at these sample sizes."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.judge.drift.compare import Level, Rule, compare, compare_all
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.shares import Part, compare_shares
from seatrial.judge.drift.sketch import bars, beside
from seatrial.judge.drift.statistics import Statistic
from tests.unit.judge.drift.builders import drawn, normal

TRAINING = normal(0.0, n=100_000)
PSI = Rule()


@pytest.mark.parametrize(
    ("shift", "level"), [(0.0, Level.CLEAR), (0.25, Level.CLEAR), (0.35, Level.WARN), (0.5, Level.ACT)]
)
def test_with_many_observations_the_levels_alone_decide(shift: float, level: Level) -> None:
    assert compare("age", normal(shift, n=100_000), TRAINING, PSI).level is level


@pytest.mark.parametrize(("features", "needed"), [(1, 108), (50, 160)])
def test_with_few_observations_nothing_is_said_and_the_number_that_it_takes(features: int, needed: int) -> None:
    """Needed for false alarms of 1 % at 0.2 with 10 bins and a large reference: 108 for one feature, 160 for 50."""
    found = compare("age", normal(0.0, n=60), normal(0.0), PSI, questions=features)
    assert found.level is Level.INCONCLUSIVE
    assert found.needed == pytest.approx(needed, abs=2)
    assert f"about {found.needed} are needed" in found.sentence(PSI)
    assert compare("age", normal(0.0, n=found.needed), normal(0.0), PSI, questions=features).level is Level.CLEAR


def test_a_drift_that_is_beyond_doubt_needs_no_more_observations() -> None:
    assert compare("age", normal(3.0, n=60), TRAINING, PSI).level is Level.ACT


def test_a_reference_that_is_too_small_is_named() -> None:
    found = compare("age", normal(0.0, n=10_000), normal(0.0, n=40), PSI)
    assert found.level is Level.INCONCLUSIVE
    assert found.needed == 0
    assert "the reference is too small" in found.sentence(PSI)


def test_a_side_without_observations_says_nothing() -> None:
    empty = Histogram((0, 0), edges=(0.0, float("inf")))
    assert compare("age", empty, TRAINING, PSI).level is Level.INCONCLUSIVE
    assert compare_all({"age": empty}, {"age": TRAINING}, PSI).level is Level.INCONCLUSIVE
    assert compare_all({"age": empty}, {}, PSI).level is Level.INCONCLUSIVE


def test_what_is_usual_at_this_hour_is_no_drift_until_it_is_exceeded_by_a_quarter() -> None:
    found = compare("age", normal(0.5, n=10_000), TRAINING, PSI)
    assert compare("age", normal(0.5, n=10_000), TRAINING, PSI, usual=found.value).level is Level.CLEAR
    assert compare("age", normal(0.5, n=10_000), TRAINING, PSI, usual=found.value / 1.3).level is Level.ACT


def test_later_looks_at_growing_counts_ask_for_more() -> None:
    first, late = (compare("age", normal(0.5, n=500), TRAINING, PSI, look=look) for look in (1, 60))
    assert first.critical < late.critical
    assert first.value == late.value


def test_many_features_that_drift_a_little_have_drifted_together() -> None:
    """80 rows are too few to be certain of any of 50 features, but not of all of them."""
    theirs = {f"f{i}": TRAINING for i in range(50)}
    found = compare_all(dict.fromkeys(theirs, normal(0.6, n=80)), theirs, PSI)
    assert found.drifted == ()
    assert found.level is Level.WARN
    assert found.mean == pytest.approx(0.2, abs=0.02)
    rng = np.random.default_rng(3)
    healthy = compare_all({name: drawn(rng, 80) for name in theirs}, theirs, PSI)
    assert healthy.mean < 0.06
    assert healthy.level is Level.INCONCLUSIVE
    assert healthy.drifted == ()


def test_the_alarms_of_all_features_and_of_all_together_are_no_more_than_alpha() -> None:
    """Ten features without drift, levels so low that chance alone decides, 5 % for single features and for the mean."""
    rng = np.random.default_rng(7)
    rule = Rule(warn=1e-9, act=1e-9, alpha=0.05)
    called = 0
    for _ in range(200):
        mine, theirs = ({str(i): drawn(rng, n) for i in range(10)} for n in (500, 4500))
        called += compare_all(mine, theirs, rule).level is Level.ACT
    assert called <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05)


def test_the_most_drifted_feature_comes_first() -> None:
    found = compare_all(
        {"a": normal(0.0, n=1000), "b": normal(0.6, n=1000), "c": normal(0.4, n=1000)},
        dict.fromkeys("abc", TRAINING),
        PSI,
    )
    assert [d.feature for d in found.differences] == ["b", "c", "a"]
    assert [d.feature for d in found.drifted] == ["b", "c"]
    assert found.level is Level.ACT


def test_a_feature_that_has_become_a_category_is_another_feature() -> None:
    named = Histogram((500, 500), categories=("low", "high"))
    found = compare_all({"age": named, "income": normal(0.0, n=1000)}, dict.fromkeys(("age", "income"), TRAINING), PSI)
    assert [d.feature for d in found.differences] == ["income"]


@pytest.mark.parametrize("statistic", list(Statistic))
def test_every_measure_tells_a_large_drift_from_none(statistic: Statistic) -> None:
    rule = Rule(statistic, warn=0.1, act=0.2)
    rng = np.random.default_rng(1)
    assert compare("age", drawn(rng, 5000), TRAINING, rule).level is Level.CLEAR
    assert compare("age", drawn(rng, 5000, 1.0), TRAINING, rule).level is Level.ACT


def test_levels_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="warn"):
        Rule(warn=0.3, act=0.2)


def test_missing_values_of_the_candidate_alone_are_its_fault() -> None:
    found = compare_shares("age", "missing", Part(60, 1000), Part(40, 20_000))
    assert found.level is Level.ACT
    assert "6 % missing (60 of 1,000) against 0.2 % (40 of 20,000)" in found.sentence


@pytest.mark.parametrize(
    ("ours", "theirs", "level"),
    [
        (Part(60, 1000), Part(1200, 20_000), Level.CLEAR),  # as often on both sides
        (Part(2, 40), Part(0, 20_000), Level.CLEAR),  # two are chance
        (Part(5, 10), Part(0, 20_000), Level.INCONCLUSIVE),  # ten are no sample
        (Part(80, 10_000), Part(2, 20_000), Level.WARN),  # certain, but less than a percent
        (Part(20, 10_000), Part(2, 20_000), Level.CLEAR),
    ],
)
def test_missing_values_count_when_they_matter_and_are_no_chance(ours: Part, theirs: Part, level: Level) -> None:
    assert compare_shares("age", "missing", ours, theirs).level is level


@pytest.mark.parametrize(
    ("ours", "theirs", "level"),
    [
        (Part(2000, 2000), Part(5600, 8000), Level.ACT),  # all of them, where 70 % is usual
        (Part(580, 2000), Part(1600, 8000), Level.ACT),  # 29 % against 20 %
        (Part(1400, 2000), Part(5600, 8000), Level.CLEAR),
    ],
)
def test_values_that_are_often_missing_are_blamed_as_well(ours: Part, theirs: Part, level: Level) -> None:
    assert compare_shares("age", "missing", ours, theirs).level is level


@pytest.mark.parametrize("share", [0.001, 0.1, 0.7, 0.99])
def test_the_same_share_is_seldom_called_however_large_it_is(share: float) -> None:
    rng = np.random.default_rng(6)
    called = sum(
        compare_shares(
            "age", "missing", Part(rng.binomial(2000, share), 2000), Part(rng.binomial(8000, share), 8000), limit=0.0
        ).level
        is Level.ACT
        for _ in range(500)
    )
    assert called <= 500 * 0.01 + 3 * np.sqrt(500 * 0.01)


def test_a_histogram_is_drawn_in_as_many_characters_as_it_has_bins() -> None:
    assert bars([0.0, 0.001, 0.5, 1.0]) == "·▁▄█"
    assert bars([0.0, 0.0]) == "··"


def test_two_histograms_are_drawn_bin_by_bin() -> None:
    ours = Histogram((2, 0, 2, 0), edges=(0.0, 1.0, 2.0, float("inf")))
    theirs = Histogram((1, 1, 1, 1), edges=(0.0, 1.0, 3.0, float("inf")))
    assert beside(ours, theirs) == ("█·█", "▄▄█")
    named = beside(Histogram((3, 1), categories=("no", "yes")), Histogram((1,), categories=("yes",)))
    assert named == ("█▃", "·█")
    other = Histogram((1, 1, 1, 1), edges=(0.5, 1.5, 2.5, float("inf")))
    assert beside(ours, other) == ("█·█·", "████")
