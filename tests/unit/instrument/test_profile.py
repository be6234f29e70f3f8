from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_instrument import Categorical, Numeric, Profile, profile
from seatrial_instrument.profile import Limits, edges_between, from_dataframe

NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False) | st.integers(-20, 20).map(float)


def only(made: Profile) -> Any:
    (feature,) = made.features
    return feature


@given(st.lists(NUMBERS, min_size=1, max_size=200), st.integers(2, 12))
def test_edges_rise_are_few_and_cut_between_values(values: list[float], bins: int) -> None:
    edges = edges_between(np.array(values), bins)
    assert len(edges) <= bins - 1
    assert all(low < high for low, high in pairwise(edges))
    for edge in edges:
        assert min(values) <= edge < max(values)
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    assert counts.min() > 0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.integers(2, 12))
def test_no_edge_is_a_training_value_and_32_bits_change_no_bin(values: list[int], bins: int) -> None:
    edges = edges_between(np.array(values, float) / 10, bins)
    exact = np.searchsorted(edges, np.array(values) / 10)
    short = np.searchsorted(edges, (np.array(values) / 10).astype(np.float32).astype(float))
    assert not set(edges) & {value / 10 for value in values}
    np.testing.assert_array_equal(exact, short)


def test_bins_are_about_equal_and_a_frequent_value_takes_only_its_own() -> None:
    rng = np.random.default_rng(1)
    even = only(from_dataframe({"x": rng.normal(size=5000)}))
    assert even.counts == (500,) * 10
    zeros = only(from_dataframe({"x": np.where(rng.random(5000) < 0.7, 0, rng.exponential(size=5000))}))
    assert len(zeros.counts) == 10
    assert zeros.counts[0] > 3400
    assert max(zeros.counts[1:]) - min(zeros.counts[1:]) <= 1


def test_a_constant_has_no_edges_but_a_range() -> None:
    feature = only(from_dataframe({"x": [3.0] * 20}))
    assert (feature.edges, feature.counts, feature.low, feature.high) == ((), (20,), 3, 3)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0, 16], 0, 16),
        ([0.3, 123.4], 0.3, 130),
        ([-1234, -0.00123], -1300, -0.0012),
        ([1.0000001, 98765], 1.0, 99000),
    ],
)
def test_the_range_is_rounded_outward(values: list[float], low: float, high: float) -> None:
    feature = only(from_dataframe({"x": values}))
    assert (feature.low, feature.high) == (low, high)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([3.14159] * 20, 3.14159, 3.14159),
        ([3.14158, 3.14159, 3.1416], 3.14158, 3.1416),
        ([2019, 2024.3], 2019, 2025),
        ([-7.0001, -7.0], -7.0001, -7.0),
        ([0.1 + 0.2, 0.7], 0.3, 0.7),
    ],
)
def test_a_narrow_range_leaves_no_room_to_move(values: list[float], low: float, high: float) -> None:
    feature = only(from_dataframe({"x": values}))
    assert (feature.low, feature.high) == (low, high)


def test_the_largest_numbers_have_finite_edges_and_ranges() -> None:
    largest = float(np.finfo(float).max)
    made = from_dataframe({"x": [-largest, 1.0, 2.0, largest]})
    assert (only(made).low, only(made).high) == (-largest, largest)
    assert Profile.from_json(made.to_json()) == made


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_a_range_holds_its_values(values: list[float]) -> None:
    feature = only(from_dataframe({"x": values}))
    assert feature.low - 1e-6 * abs(feature.low) <= min(values)
    assert feature.high >= max(values) - 1e-6 * abs(max(values))


def test_declared_bounds_go_before_the_data() -> None:
    made = from_dataframe({"x": [1, 2], "p": [0.5, 0.5]}, predictions=["p"], bounds={"x": (0, None)})
    assert (only(made).low, only(made).high) == (0, None)
    output = made.outputs[0]
    assert isinstance(output, Numeric)
    assert (output.low, output.high) == (None, None)
    assert made.columns == ("x",)


def test_missing_values_are_counted_apart() -> None:
    feature = only(from_dataframe({"x": [1.0, None, float("nan"), 2.0, "3"]}, categorical=()))
    assert isinstance(feature, Categorical)  # text makes a column categorical
    feature = only(from_dataframe({"x": [1.0, None, float("nan"), 2.0]}))
    assert (sum(feature.counts), feature.missing) == (2, 2)


def test_categories_are_ranked_capped_and_never_rare() -> None:
    column = ["common"] * 50 + ["usual"] * 30 + ["also"] * 20 + ["a person's name"] * 3 + [None] * 2
    feature = only(from_dataframe({"x": column}, limits=Limits(categories=2)))
    assert feature == Categorical("x", ("common", "usual"), (50, 30), 23, 2)
    feature = only(from_dataframe({"x": column}))
    assert feature.categories == ("common", "usual", "also")
    assert feature.other == 3


def test_numbers_that_are_names_are_spelt_alike() -> None:
    as_ints = from_dataframe({"x": [1] * 20 + [2] * 10}, categorical=["x"])
    as_floats = from_dataframe({"x": [1.0] * 20 + [2.0] * 10}, categorical=["x"])
    assert as_ints == as_floats
    assert only(as_ints).categories == ("1", "2")


def test_features_are_capped_by_importance() -> None:
    data = {name: [1.0, 2.0] for name in "abcd"}
    made = from_dataframe(data, features=["d", "b", "a"], limits=Limits(features=2))
    assert [feature.name for feature in made.features] == ["d", "b"]
    assert made.columns == ("a", "b", "c", "d")


def test_a_new_profile_keeps_the_edges_and_categories_of_the_one_before() -> None:
    rng = np.random.default_rng(2)
    old = from_dataframe({"x": rng.normal(size=500), "c": ["a"] * 400 + ["b"] * 100})
    new = from_dataframe({"x": rng.normal(1, 1, 300), "c": ["b"] * 200 + ["z"] * 100, "y": [1.0] * 300}, edges_from=old)
    x, c, y = new.features
    assert isinstance(x, Numeric)
    assert x.edges == old.features[0].edges  # type: ignore[union-attr] # it is the number
    assert sum(x.counts) == 300
    assert c == Categorical("c", ("a", "b"), (0, 200), 100)
    assert y.name == "y"


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    data = {"x": rng.normal(size=300), "c": rng.choice(["a", "b", "c"], 300)}
    order = rng.permutation(300)
    assert from_dataframe(data).sha256 == from_dataframe({name: column[order] for name, column in data.items()}).sha256


class Frame:
    """As much of a data frame as is used of one."""

    columns = ("x", "c")

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array({"x": [1.0, 2.0], "c": ["a", "a"]}[name])


def test_any_table_will_do() -> None:
    mapping = {"x": [1.0, 2.0], "c": ["a", "a"]}
    structured = np.array([(1.0, "a"), (2.0, "a")], dtype=[("x", float), ("c", "U1")])
    assert from_dataframe(mapping) == from_dataframe(structured) == from_dataframe(Frame())


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        ({"x": [1.0]}, {"features": ["y"]}, "there is no column y; the data has x"),
        ({"x": [1.0]}, {"bounds": {"z": (0, 1)}}, "no column z"),
        ({"x": []}, {}, "no numbers"),
        ({}, {}, "nothing to count"),
        ({"x": [1.0], "y": [1.0, 2.0]}, {}, "differ in length"),
        ({"x": np.array(["2026-01-01"], "datetime64[D]")}, {}, "dates"),
        ({"x": [None, None]}, {}, "has no numbers"),
    ],
)
def test_what_cannot_be_counted_is_refused(data: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_dataframe(data, **options)


def test_a_list_is_no_table() -> None:
    with pytest.raises(TypeError, match="list has no named columns"):
        profile.from_dataframe([1, 2])
