"""Vectorised counting against a count of one value after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from seatrial_instrument import Categorical, Instrument, Numeric, Options, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

SPECIAL = [math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0, 0.5]
VALUES = st.sampled_from(SPECIAL) | st.floats(-3, 3) | st.integers(-4, 4).map(float)
EDGES = st.lists(st.floats(-2, 2) | st.sampled_from([0.0, 0.5, 1.0]), max_size=9, unique=True).map(sorted)


@st.composite
def numerics(draw: st.DrawFn, name: str) -> Numeric:
    edges = tuple(draw(EDGES))
    low = draw(st.none() | st.floats(-3, 0))
    high = draw(st.none() | st.floats(0, 3))
    return Numeric(name, edges, (0,) * (len(edges) + 1), low, high)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Profile, np.ndarray]:
    features = tuple(draw(numerics(f"f{index}")) for index in range(draw(st.integers(1, 4))))
    rows = draw(st.integers(0, 5) | st.sampled_from([63, 64, 65, 300]))
    drawn = draw(st.lists(VALUES, min_size=12, max_size=12))
    matrix = np.resize(np.array(drawn), (rows, len(features)))
    return Profile(1, tuple(feature.name for feature in features), features), matrix


def page(profile: Profile, *observed: Any, **options: Any) -> dict[tuple[str, ...], float]:
    """Observe, and read every live sample of features and predictions by its name and labels."""
    registry = CollectorRegistry()
    instrument = Instrument(profile, "m", Options(strict=True, **options), registry=registry)
    for one in observed:
        instrument.observe(one)
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "model_name")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if "reference" not in sample.name
    }


def naive(feature: Numeric, values: Sequence[float]) -> dict[tuple[str, ...], float]:
    there = [value for value in values if not math.isnan(value)]
    low = -math.inf if feature.low is None else feature.low - 1e-6 * abs(feature.low)
    high = math.inf if feature.high is None else feature.high + 1e-6 * abs(feature.high)
    counts: dict[tuple[str, ...], float] = {
        ("ml_model_feature_observations_total", feature.name): len(values),
        ("ml_model_feature_missing_total", feature.name, "nan"): len(values) - len(there),
        ("ml_model_feature_out_of_range_total", feature.name, "low"): sum(v < low or v == -math.inf for v in there),
        ("ml_model_feature_out_of_range_total", feature.name, "high"): sum(v > high or v == math.inf for v in there),
        ("ml_model_feature_value_count", feature.name): len(there),
        ("ml_model_feature_value_bucket", feature.name, "+Inf"): len(there),
    }
    return counts


@given(batches())
def test_a_matrix_is_counted_as_one_value_after_the_other(case: tuple[Profile, np.ndarray]) -> None:
    profile, matrix = case
    counted = page(profile, matrix)
    for index, feature in enumerate(profile.features):
        assert isinstance(feature, Numeric)
        values = matrix[:, index].tolist()
        expected = naive(feature, values)
        assert {key: counted[key] for key in expected} == expected
        buckets = [counted[key] for key in counted if key[:2] == ("ml_model_feature_value_bucket", feature.name)]
        assert buckets == [
            *(sum(v <= edge for v in values) for edge in feature.edges),
            expected[next(reversed(expected))],
        ]


@given(batches())
def test_batches_add_up(case: tuple[Profile, np.ndarray]) -> None:
    profile, matrix = case
    middle = len(matrix) // 2
    parts = page(profile, matrix[:middle], matrix[middle:])
    assert parts == page(profile, matrix)


@given(batches())
def test_every_form_of_a_table_counts_alike(case: tuple[Profile, np.ndarray]) -> None:
    profile, matrix = case
    if len(matrix) == 0:
        return
    named = {name: matrix[:, index] for index, name in enumerate(profile.columns)}
    structured = np.array([tuple(row) for row in matrix], [(name, float) for name in profile.columns])
    expected = page(profile, matrix)
    assert page(profile, named) == expected
    assert page(profile, {name: column.tolist() for name, column in named.items()}) == expected
    assert page(profile, structured) == expected
    assert page(profile, [dict(zip(profile.columns, row, strict=True)) for row in matrix.tolist()]) == expected
    assert page(profile, matrix.astype(object)) == expected


CATEGORIES = ("a", "b", "1", "20")
THINGS = st.sampled_from(["a", "b", "c", "", 1, 1.0, 20, np.float64(20), 2.5, None, math.nan, True])


def spelt(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "1" if value is True else str(value)  # True equals 1, and a dictionary can't tell them apart


@given(st.lists(THINGS, max_size=30))
def test_categories_are_counted_as_one_after_the_other(values: list[Any]) -> None:
    profile = Profile(1, ("c",), (Categorical("c", CATEGORIES, (0,) * 4),))
    counted = page(profile, {"c": values})
    names = [spelt(value) for value in values]
    others = sum(name is not None and name not in CATEGORIES for name in names)
    # Labels in alphabetical order: category, feature
    assert {name: counted["ml_model_feature_category_total", name, "c"] for name in CATEGORIES} == {
        name: names.count(name) for name in CATEGORIES
    }
    assert counted["ml_model_feature_category_total", "__other__", "c"] == others
    assert counted["ml_model_feature_out_of_range_total", "c", "unknown_category"] == others
    nulls = sum(value is None for value in values)
    assert counted["ml_model_feature_missing_total", "c", "null"] == nulls
    assert counted["ml_model_feature_missing_total", "c", "nan"] == names.count(None) - nulls
    assert counted["ml_model_feature_observations_total", "c"] == len(values)


MIXED = Profile(
    1, ("x", "c", "gone"), (Numeric("x", (0.5,), (0, 0)), Categorical("c", ("a",), (0,)), Numeric("gone", (), (0,)))
)


@pytest.mark.parametrize(
    "rows",
    [
        [{"x": 1.0, "c": "a"}, {"x": None, "c": None}, {"x": "1", "c": ["a"]}, {"x": math.nan, "c": math.nan}, {}],
    ],
)
def test_why_a_value_is_missing_is_told(rows: list[dict[str, Any]]) -> None:
    counted = page(MIXED, rows)
    for feature in ("x", "c"):
        missing = {
            reason: counted["ml_model_feature_missing_total", feature, reason]
            for reason in ("null", "nan", "type", "absent")
        }
        assert missing == {"null": 1, "nan": 1, "type": 1, "absent": 1}, feature
    assert counted["ml_model_feature_missing_total", "gone", "absent"] == 5
    assert counted["ml_model_feature_missing_total", "gone", "nan"] == 0


def test_a_column_that_is_not_there_is_absent_in_every_row() -> None:
    counted = page(MIXED, {"x": [1.0, 2.0, 3.0]})
    assert counted["ml_model_feature_missing_total", "c", "absent"] == 3
    assert counted["ml_model_feature_missing_total", "c", "null"] == 0
    assert counted["ml_model_feature_missing_total", "gone", "absent"] == 3
    assert counted["ml_model_feature_observations_total", "gone"] == 3


def test_masked_values_are_null() -> None:
    column = np.ma.MaskedArray([1.0, 2.0, math.nan], [True, False, False])
    counted = page(MIXED, {"x": column, "c": np.ma.MaskedArray(["a", "b", "a"], [True, False, False])})
    assert counted["ml_model_feature_missing_total", "x", "null"] == 1
    assert counted["ml_model_feature_missing_total", "x", "nan"] == 1
    assert counted["ml_model_feature_missing_total", "c", "null"] == 1
    assert counted["ml_model_feature_category_total", "a", "c"] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, bool])
def test_numbers_of_any_type_are_numbers(dtype: type) -> None:
    matrix: np.ndarray = np.array([[0, 0, 0], [1, 1, 1]]).astype(dtype)
    counted = page(Profile(1, ("x", "c", "gone"), (MIXED.features[0],)), matrix)
    assert counted["ml_model_feature_value_bucket", "x", "0.5"] == 1
    assert counted["ml_model_feature_value_count", "x"] == 2


def test_a_matrix_may_hold_categories_as_numbers_in_any_column() -> None:
    features = (Categorical("c", ("1", "2"), (0, 0)), Numeric("x", (0.5,), (0, 0)))
    matrix = np.array([[0.0, 9, 1], [1.0, 9, 3], [math.nan, 9, 2], [1.0, 9, math.nan]])
    counted = page(Profile(1, ("x", "unwatched", "c"), features), matrix)
    assert counted["ml_model_feature_category_total", "1", "c"] == 1
    assert counted["ml_model_feature_category_total", "__other__", "c"] == 1
    assert counted["ml_model_feature_missing_total", "c", "nan"] == 1
    assert counted["ml_model_feature_value_bucket", "x", "0.5"] == 1
    assert counted["ml_model_feature_missing_total", "x", "nan"] == 1


def test_of_a_wide_matrix_only_what_is_watched_is_kept() -> None:
    names = tuple(f"f{index}" for index in range(1000))
    instrument = Instrument(Profile(1, names, (Numeric("f7", (0.5,), (0, 0)),)), "m", registry=None)
    instrument.observe(np.ones((2, 1000)))
    ((_, _, table),) = instrument._tables
    assert table.tolist() == [[1.0], [1.0]]
    assert table.base is None


@pytest.mark.parametrize("form", ["matrix", "columns", "lists", "records"])
def test_of_a_batch_above_the_cap_every_nth_row_is_counted(form: str) -> None:
    matrix = np.arange(100.0)[:, None]
    table: Any = {
        "matrix": matrix,
        "columns": {"x": matrix[:, 0]},
        "lists": {"x": matrix[:, 0].tolist()},
        "records": [{"x": value} for value in matrix[:, 0].tolist()],
    }[form]
    counted = page(Profile(1, ("x",), (Numeric("x", (49.5,), (0, 0)),)), table, max_rows_per_s=25)
    assert counted["ml_model_feature_value_bucket", "x", "49.5"] == 13  # 0, 4, ... 48
    assert counted["ml_model_feature_value_count", "x"] == 25


def test_a_matrix_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="the matrix has 2 columns, the profile's model has 3"):
        page(MIXED, np.zeros((1, 2)))
