"""Values that are counted as what they are: booleans, huge and exact numbers, and columns of Arrow."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # pyarrow has no types
import pytest

from seatrial_instrument import Categorical, Numeric, Profile
from seatrial_instrument.profile import from_dataframe

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial_instrument import Instrument

    Value = Callable[..., float | None]
    Make = Callable[..., Instrument]

FLAGS = (np.array([True, False]), np.array([1, 0]), np.array([1.0, 0.0]), ["True", "False"], [True, 0])


@pytest.mark.parametrize("served", FLAGS)
@pytest.mark.parametrize("trained", [np.array([True, False] * 20), [1, 0] * 20, ["True", "False"] * 20])
def test_booleans_are_the_categories_0_and_1(make: Make, value: Value, trained: Any, served: Any) -> None:
    made = from_dataframe({"flag": trained, "y": trained}, predictions=["y"], categorical=["flag", "y"])
    make(made).observe({"flag": served}, served)
    assert made.features == (Categorical("flag", ("0", "1"), (20, 20)),)
    assert value("ml_model_feature_category_total", feature="flag", category="1") == 1
    assert value("ml_model_feature_category_total", feature="flag", category="0") == 1
    assert value("ml_model_prediction_class_total", output="y", class_="1") == 1
    assert value("ml_model_predictions_total", outcome="ok", reason="") == 2


@pytest.mark.parametrize("served", FLAGS)
def test_profiles_that_spell_booleans_out_are_understood(make: Make, value: Value, served: Any) -> None:
    old = Profile(2, ("flag",), (Categorical("flag", ("True", "False"), (1, 1)),))
    make(old, slices={"flag": ["False"]}).observe({"flag": served}, [0.5, 0.5], slices={"flag": served})
    assert value("ml_model_feature_category_total", feature="flag", category="True") == 1
    assert value("ml_model_feature_category_total", feature="flag", category="False") == 1
    assert value("ml_model_slice_predictions_total", slice_name="flag", slice="False", outcome="ok") == 1
    new = from_dataframe({"flag": [True] * 3 + [False]}, categorical=["flag"], edges_from=old)
    assert new.features == (Categorical("flag", ("True", "False"), (3, 1)),)


def test_a_number_that_no_float_holds_is_out_of_range_and_spoils_no_other(make: Make, value: Value) -> None:
    make(from_dataframe({"x": [1.0, 2.0]})).observe([{"x": 10**400}, {"x": 1}, {"x": -(10**400)}])
    assert value("ml_model_feature_out_of_range_total", feature="x", side="high") == 1
    assert value("ml_model_feature_out_of_range_total", feature="x", side="low") == 1
    assert value("ml_model_feature_observations_total", feature="x") == 3


def test_decimals_are_numbers(make: Make, value: Value) -> None:
    made = from_dataframe({"x": [Decimal("1.5"), Decimal("2.5"), None]})
    make(made).observe({"x": [Decimal("1.5"), 7]})
    assert isinstance(made.features[0], Numeric)
    assert value("ml_model_feature_value_bucket", feature="x", le="2.0") == 1
    assert value("ml_model_feature_missing_total", feature="x", reason="type") == 0


def test_tables_of_arrow_are_tables(make: Make, value: Value) -> None:
    table = pa.table({"n": [1.0, 2.0, None] * 10, "c": pa.array(["a", None, "b"] * 10).dictionary_encode()})
    made = from_dataframe(table)
    assert [(feature.name, feature.missing) for feature in made.features] == [("n", 10), ("c", 10)]
    make(made).observe(table)
    assert value("ml_model_rows_total", sampled="yes") == 30
    assert value("ml_model_feature_category_total", feature="c", category="b") == 10
    assert value("ml_model_feature_missing_total", feature="c", reason="null") == 10


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 1)), {"x": []}])
def test_nothing_is_no_error(make: Make, value: Value, nothing: Any) -> None:
    make(from_dataframe({"x": [1.0, 2.0]})).observe(nothing, [])
    assert value("ml_model_rows_total", sampled="yes") == 0
    assert value("ml_model_instrument_errors_total") == 0
    assert value("ml_model_predictions_total", outcome="ok", reason="") == 0


def test_a_number_among_text_stays_a_number(make: Make, value: Value) -> None:
    make(from_dataframe({"x": [1.0, 2.0]})).observe({"x": [1.0, "3"]})
    assert value("ml_model_feature_missing_total", feature="x", reason="type") == 1


def test_infinity_is_out_of_the_widest_range(make: Make, value: Value) -> None:
    largest = sys.float_info.max
    make(from_dataframe({"x": [-largest, largest]})).observe({"x": [-largest, largest, float("inf")]})
    assert value("ml_model_feature_out_of_range_total", feature="x", side="high") == 1
    assert value("ml_model_feature_out_of_range_total", feature="x", side="low") == 0
