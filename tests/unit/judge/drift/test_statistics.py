"""The measures, against closed forms, against scipy, and against values that other projects publish in their tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.drift.chance import Null, chi_squared_above, chi_squared_quantile, combined, share_of_alpha
from seatrial.judge.drift.histogram import Histogram, paired
from seatrial.judge.drift.statistics import Statistic, measure
from tests.unit.judge.drift.builders import binned, drawn, normal

COUNTS = st.lists(st.integers(0, 500), min_size=3, max_size=12)


def value(statistic: Statistic, ours: Histogram, theirs: Histogram) -> float:
    return measure(statistic, paired(ours, theirs)).value


def categories(**counts: int) -> Histogram:
    return Histogram.of_categories(counts)


@pytest.mark.parametrize(
    ("shift", "psi", "js_nats", "ks"),
    [(0.1, 0.010, 0.035, 0.040), (0.25, 0.060, 0.086, 0.099), (0.5, 0.238, 0.170, 0.197), (1.0, 0.926, 0.326, 0.383)],
)
def test_shifts_of_a_unit_normal_have_their_known_values(shift: float, psi: float, js_nats: float, ks: float) -> None:
    ours, theirs = normal(shift), normal(0.0)
    assert value(Statistic.PSI, ours, theirs) == pytest.approx(psi, abs=5e-4)
    assert value(Statistic.JS, ours, theirs) * np.sqrt(np.log(2)) == pytest.approx(js_nats, abs=5e-4)
    assert value(Statistic.KS, ours, theirs) == pytest.approx(ks, abs=5e-4)


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0, 3.0])
def test_fine_edges_give_the_closed_forms_of_a_shift(shift: float) -> None:
    """Two unit normals d apart: both KL are d^2/2, KS is 2 Phi(d/2) - 1, Wasserstein's distance is d."""
    edges = (*np.linspace(-9, 12, 2101).tolist(), float("inf"))
    ours, theirs = (normal(mean, n=10**12, edges=edges) for mean in (shift, 0.0))
    assert value(Statistic.KL, ours, theirs) == pytest.approx(shift**2 / 2, rel=0.01)
    assert value(Statistic.PSI, ours, theirs) == pytest.approx(shift**2, rel=0.01)
    assert value(Statistic.KS, ours, theirs) == pytest.approx(2 * stats.norm.cdf(shift / 2) - 1, rel=0.001)
    assert value(Statistic.WASSERSTEIN, ours, theirs) == pytest.approx(shift, rel=0.001)


def test_jensen_shannon_of_normals_as_nannyml_publishes_it() -> None:
    """NannyML, tests/drift/test_univariate_drift_methods.py: 0.05, with its data and its bins (Doane's).

    It takes all 18 bins, of which those of the tails have a row or two. Here such ones are joined, which leaves 0.04;
    counted a thousand times each, no bin is rare, and the shares are the same.
    """
    rng = np.random.RandomState(1)
    reference, analysis = rng.normal(0, 1, 10_000), rng.normal(0, 1, 1000)
    inner = np.histogram_bin_edges(reference, bins="doane")
    sides = binned(analysis, inner), binned(reference, inner)
    often = [replace(side, counts=tuple(1000 * count for count in side.counts)) for side in sides]
    assert round(value(Statistic.JS, *often), 2) == 0.05
    assert round(value(Statistic.JS, *sides), 2) == 0.04


def test_jensen_shannon_of_six_values_against_three_as_nannyml_publishes_it() -> None:
    rng = np.random.RandomState(1)
    reference, analysis = rng.choice(np.linspace(0, 2, 6), 10_000), rng.choice(np.linspace(0, 2, 3), 1000)
    known = np.unique(reference)
    sides = [
        Histogram.of_categories({str(v): int((side == v).sum()) for v in [*known, 1.0]})
        for side in (analysis, reference)
    ]
    assert round(value(Statistic.JS, *sides), 2) == 0.73


def test_jensen_shannon_of_categories_as_nannyml_publishes_it() -> None:
    rng = np.random.RandomState(1)
    reference, analysis = rng.choice(["a", "b", "c", "d"], 10_000), rng.choice(["a", "b", "c", "e"], 1000)
    sides = [categories(**{c: int((side == c).sum()) for c in "abcde"}) for side in (analysis, reference)]
    assert round(value(Statistic.JS, *sides), 2) == 0.5


@pytest.mark.parametrize(("seed", "size", "mean", "published"), [(1, 10_000, 1, 1.01), (1, 100_000, -4, 3.99)])
def test_wasserstein_of_normals_as_nannyml_publishes_it(seed: int, size: int, mean: float, published: float) -> None:
    """Its values are in the feature's unit; the reference has a standard deviation of 1 here."""
    rng = np.random.RandomState(seed)
    reference, analysis = rng.normal(0, 1, size), rng.normal(mean, 1, 1000)
    inner = np.linspace(-9, 9, 1801)
    found = value(Statistic.WASSERSTEIN, binned(analysis, inner), binned(reference, inner)) * reference.std()
    assert found == pytest.approx(published, abs=0.011)  # published from bins of its own, and rounded


def test_wasserstein_of_a_wide_normal_as_nannyml_publishes_it() -> None:
    """Published is 7.18, of a unit normal and one ten times as wide; the edges must reach as far as the values do."""
    rng = np.random.RandomState(1)
    reference, analysis = rng.normal(0, 1, 15_000), rng.normal(0, 10, 1_000_000)
    inner = np.linspace(-60, 60, 12_001)
    found = value(Statistic.WASSERSTEIN, binned(analysis, inner), binned(reference, inner)) * reference.std()
    assert round(found, 2) == 7.18
    near = np.linspace(-2, 2, 401)
    saturated = value(Statistic.WASSERSTEIN, binned(analysis, near), binned(reference, near))
    assert saturated < 1.5  # what lies beyond the edges counts as on them


def test_psi_is_smoothed_where_evidently_has_a_floor() -> None:
    """Evidently, tests/stattests: three values against three, [1, 2, 3] and [3, 2, 2], a floor of 0.0001: 2.93.

    The one empty bin has nearly all of it. With half an observation more in each bin the same counts give 0.358.
    """
    current, reference = np.array([1, 1, 1]) / 3, np.array([0, 2, 1]) / 3
    floored = np.where(reference == 0, 1e-4, reference)
    assert float(((current - floored) * np.log(current / floored)).sum()) == pytest.approx(2.93, abs=0.01)
    ours, theirs = categories(one=1, two=1, three=1), categories(one=0, two=2, three=1)
    assert value(Statistic.PSI, ours, theirs) == pytest.approx(0.358, abs=5e-4)


@pytest.mark.parametrize("times", [1, 2])
def test_chi_square_of_categories_as_evidently_publishes_it(times: int) -> None:
    """Evidently, tests/stattests/test_stattests.py: p = 0.67309, with the reference taken for the truth."""
    reference, current = [16, 18, 16, 14, 12, 12], [16, 16, 16, 16, 16, 8]
    truth = categories(**{f"c{i}": times * 10**9 * n for i, n in enumerate(reference)})
    ours = categories(**{f"c{i}": n for i, n in enumerate(current)})
    found = measure(Statistic.CHI_SQUARE, paired(ours, truth))
    assert chi_squared_above(ours.total * found.value**2, 5) == pytest.approx(0.67309, abs=1e-5)
    assert found.null.p_value(found.value) == pytest.approx(0.67309, abs=1e-3)  # given totals, not for large samples


@given(st.lists(st.integers(5, 500), min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_chi_square_and_jensen_shannon_are_those_of_scipy(first: list[int], random: object) -> None:
    """No bin is rare here: of each, five are expected on either side."""
    second = list(first)
    random.shuffle(second)  # type: ignore[attr-defined]  # hypothesis's Random
    sides = [Histogram(tuple(s), categories=tuple(f"c{i}" for i in range(len(s)))) for s in (first, second)]
    theirs = stats.chi2_contingency(np.array([first, second]), correction=False)
    half = sum(first) / 2
    assert half * value(Statistic.CHI_SQUARE, *sides) ** 2 == pytest.approx(theirs.statistic, abs=1e-6)
    assert value(Statistic.JS, *sides) == pytest.approx(float(jensenshannon(first, second, base=2)), abs=1e-7)


@given(COUNTS)
def test_nothing_differs_from_itself(counts: list[int]) -> None:
    for sort in ("edges", "categories"):
        bins: dict[str, tuple[object, ...]] = {
            "edges": (*map(float, range(len(counts) - 1)), float("inf")),
            "categories": tuple(f"c{i}" for i in range(len(counts))),
        }
        side = Histogram(tuple(counts), **{sort: bins[sort]})  # type: ignore[arg-type]  # one of the two
        if side.total:
            for statistic in Statistic:
                assert value(statistic, side, side) == pytest.approx(0, abs=1e-7)


@given(COUNTS, COUNTS)
def test_order_of_the_sides_matters_to_kl_and_wasserstein_alone(first: list[int], second: list[int]) -> None:
    size = min(len(first), len(second))
    edges = (*map(float, range(size - 1)), float("inf"))
    one, other = (Histogram(tuple(side[:size]), edges=edges) for side in (first, second))
    if one.total and other.total:
        for statistic in (Statistic.PSI, Statistic.JS, Statistic.KS, Statistic.CHI_SQUARE):
            assert value(statistic, one, other) == pytest.approx(value(statistic, other, one), abs=1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 2.7, 9, 49, 300])
@pytest.mark.parametrize("alpha", [0.5, 0.01, 1e-4, 1e-9])
def test_quantiles_are_those_of_scipy(freedom: float, alpha: float) -> None:
    found = chi_squared_quantile(alpha, freedom)
    assert found == pytest.approx(stats.chi2.isf(alpha, freedom), rel=1e-8)
    assert chi_squared_above(found, freedom) == pytest.approx(alpha, rel=1e-6)


def test_a_critical_value_has_the_probability_it_was_asked_for() -> None:
    for null in (Null(9, 0.01), Null(9, 0.01, power=2), Null(2, 0.01, power=2, factor=2)):
        assert null.p_value(null.critical(0.003)) == pytest.approx(0.003, rel=1e-6)


@pytest.mark.parametrize("statistic", list(Statistic))
@pytest.mark.parametrize(("ours", "theirs"), [(200, 200), (500, 50_000)])
def test_chance_exceeds_the_critical_value_as_seldom_as_asked(statistic: Statistic, ours: int, theirs: int) -> None:
    rng = np.random.default_rng(7)
    runs, alpha = 400, 0.02
    beyond = 0
    for _ in range(runs):
        found = measure(statistic, paired(drawn(rng, ours), drawn(rng, theirs)))
        beyond += found.value > found.null.critical(alpha)
    assert beyond <= stats.binom.isf(1e-4, runs, alpha * 1.3)  # asymptotic: a third more is tolerated


def test_alpha_is_shared_over_questions_and_over_all_looks_there_will_ever_be() -> None:
    assert share_of_alpha(0.01, questions=5) == pytest.approx(0.002)
    looks = sum(share_of_alpha(0.01, questions=5, look=k) for k in range(1, 100_000))
    assert looks == pytest.approx(0.002, rel=1e-4)


def test_probabilities_are_combined_whatever_their_dependence() -> None:
    assert combined([]) == 1.0
    assert combined([0.03] * 20) == pytest.approx(0.03)
    assert combined([0.5, 0.5, 1e-6]) == pytest.approx(3e-6, rel=0.01)


def test_a_feature_that_can_t_differ_silences_no_others() -> None:
    """A constant feature has one bin and a p-value of 1; so have values that are just alike."""
    assert combined([1e-6] * 3 + [1.0]) < 1e-5
    rng = np.random.default_rng(11)
    for features in (2, 20):
        alarms = np.mean([combined(list(rng.random(features))) <= 0.01 for _ in range(6000)])
        assert alarms <= 0.01 + 4 * np.sqrt(0.01 / 6000)


def test_histograms_meet_on_the_edges_that_both_have() -> None:
    ours = Histogram((1, 2, 3, 4), edges=(0.0, 1.0, 2.0, float("inf")))
    theirs = Histogram((10, 20, 30), edges=(1.0, 3.0, float("inf")))
    sides = paired(ours, theirs)
    assert sides.ours.tolist() == [3, 7]
    assert sides.theirs.tolist() == [10, 50]
    assert sides.inner_edges.tolist() == [1.0]


def test_bins_that_nobody_met_are_no_degrees_of_freedom() -> None:
    sides = paired(
        Histogram((5, 0, 5, 0), edges=(0.0, 1.0, 2.0, float("inf"))),
        Histogram((5, 0, 9, 0), edges=(0.0, 1.0, 2.0, float("inf"))),
    )
    assert sides.ours.tolist() == [5, 5]
    assert sides.inner_edges.tolist() == [0.0]
    assert measure(Statistic.PSI, sides).null.freedom == 1


def test_buckets_are_taken_apart_and_a_dip_counts_as_empty() -> None:
    found = Histogram.of_buckets({float("inf"): 12.0, 1.0: 5.0, 2.0: 4.0})
    assert found.counts == (5, 0, 7)
    assert Histogram.of_buckets({1.0: 5.0}).counts == ()


def test_what_is_no_histogram_is_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Histogram((1, 2), edges=(1.0, 2.0))
    with pytest.raises(ValueError, match="either edges or categories"):
        Histogram((1,))
    with pytest.raises(ValueError, match="counts for"):
        Histogram((1, 2), categories=("a",))
    with pytest.raises(ValueError, match="numeric on one side"):
        paired(Histogram((1,), edges=(float("inf"),)), Histogram((1,), categories=("a",)))
    with pytest.raises(ValueError, match="both sides"):
        measure(Statistic.PSI, paired(Histogram((0,), categories=("a",)), Histogram((1,), categories=("a",))))
