"""Histograms on different edges: no difference is made of nothing, and none that must be there is missed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.judge.drift.compare import Level, Rule, compare, compare_all
from seatrial.judge.drift.elsewhere import apart_at_least, other_edges
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.statistics import Statistic
from tests.unit.judge.drift.builders import DECILES, binned, drawn, normal

INNER = np.array(DECILES[:-1])
OTHER = (*(INNER + 0.03).tolist(), float("inf"))
INF = float("inf")
VALUES = st.lists(st.floats(-3, 3), min_size=1, max_size=40)
EDGES = st.lists(st.floats(-3, 3), min_size=1, max_size=8, unique=True).map(sorted)


@pytest.mark.parametrize("statistic", [s for s in Statistic if s is not Statistic.WASSERSTEIN])
def test_a_broken_feature_is_told_on_edges_of_its_own(statistic: Statistic) -> None:
    theirs, broken = normal(0.0, n=8000), Histogram((0,) * 9 + (2000,), edges=OTHER)
    found = compare("age", broken, theirs, Rule(statistic))
    assert found.level is Level.ACT
    assert f"age: {statistic} at least " in found.sentence(Rule(statistic))
    assert "counted on other edges" in found.sentence(Rule(statistic))
    assert compare_all({"age": broken}, {"age": theirs}, Rule(statistic)).level is Level.ACT


@pytest.mark.parametrize("statistic", list(Statistic))
def test_what_only_may_be_alike_is_not_clear(statistic: Statistic) -> None:
    found = compare("age", normal(0.1, n=8000, edges=OTHER), normal(0.0, n=8000), Rule(statistic))
    assert found.level is Level.INCONCLUSIVE
    assert found.sentence(Rule(statistic)) == (
        "age: counted on other edges than its reference; make its profile with --edges-from"
    )


def test_a_constant_feature_on_the_same_edges_is_clear() -> None:
    one = Histogram((500,), edges=(INF,))
    assert compare("age", one, Histogram((50_000,), edges=(INF,)), Rule()).level is Level.CLEAR
    same = Histogram((0, 500, 0), edges=(0.0, 1.0, INF))
    assert compare("age", same, Histogram((0, 50_000, 0), edges=(0.0, 1.0, INF)), Rule()).level is Level.CLEAR


@pytest.mark.parametrize(
    ("mine", "others", "different"),
    [
        ((0.0, 1.0, 2.0), (0.0, 1.0, 2.0), False),
        ((0.0, 1.0, 2.0), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), False),  # finer, and all of ours
        ((0.0, 1.0, 2.0, 3.0), (0.0, 1.5, 2.5, 3.5), True),
        ((0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.5, 3.5), False),
        ((0.0,), (), True),
        ((), (), False),
    ],
)
def test_half_of_the_edges_must_be_common(mine: tuple[float, ...], others: tuple[float, ...], different: bool) -> None:
    ours, theirs = (Histogram((1,) * (len(edges) + 1), edges=(*edges, INF)) for edges in (mine, others))
    assert other_edges(ours, theirs) is different
    assert other_edges(theirs, ours) is different


@given(VALUES, VALUES, EDGES, EDGES)
def test_the_bound_is_never_above_the_true_distance(
    ours: list[float], theirs: list[float], mine: list[float], others: list[float]
) -> None:
    distance, halves = apart_at_least(
        binned(np.array(ours), np.array(mine)), binned(np.array(theirs), np.array(others))
    )
    met = sorted([*ours, *theirs])
    reached = [np.searchsorted(sorted(side), met, side="right") / len(side) for side in (ours, theirs)]
    true = np.abs(reached[0] - reached[1]).max()
    assert 0 <= distance.value <= true + 1e-12
    assert halves.totals == pytest.approx((len(ours), len(theirs)))


def test_on_the_same_edges_the_bound_is_the_distance_itself() -> None:
    distance, _ = apart_at_least(normal(0.5), normal(0.0))
    assert distance.value == pytest.approx(0.197, abs=5e-4)


def test_chance_calls_nothing_on_other_edges() -> None:
    rng = np.random.default_rng(2)
    rule = Rule(warn=1e-9, act=1e-9, alpha=0.05)
    called = sum(
        compare("age", binned(rng.normal(0, 1, 400), INNER + 0.01), drawn(rng, 4000), rule).level
        is not Level.INCONCLUSIVE
        for _ in range(300)
    )
    assert called <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05)


def test_features_on_other_edges_have_no_say_in_the_mean_of_all() -> None:
    theirs = {f"f{i}": normal(0.0, n=100_000) for i in range(4)}
    mine = {name: normal(0.0, n=2000, edges=OTHER if name == "f0" else DECILES) for name in theirs}
    found = compare_all(mine, theirs, Rule())
    assert found.level is Level.INCONCLUSIVE
    assert [d.feature for d in found.differences if d.level is Level.INCONCLUSIVE] == ["f0"]
    only = compare_all({"f0": mine["f0"]}, theirs, Rule())
    assert (only.level, only.mean, only.p_value) == (Level.INCONCLUSIVE, 0.0, 1.0)


def test_a_feature_without_rows_of_ours_blinds_no_others() -> None:
    theirs = {"age": normal(0.0, n=8000), "optional": normal(0.0, n=800)}
    mine = {"age": normal(0.0, n=2000), "optional": Histogram((0,) * 10, edges=DECILES)}
    assert compare_all(mine, theirs, Rule()).level is Level.CLEAR
