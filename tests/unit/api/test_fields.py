"""Field types: what people write, what the operator reads, and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from seatrial.api.fields import Percent, format_duration, format_time, parse_duration, parse_threshold, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("28d", 28 * 86400), ("0s", 0), ("1m1ms", 60.001)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "10", "10 m", "m", "-5m", "1.5h", "2w", "10M", None, "1234567s"])
def test_what_is_no_duration_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="write a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250ms", "0.25"),
        ("3570.47us", "0.00357047"),
        ("1.5s", "1.5"),
        ("1m30s", "90"),
        ("24h", "86400"),
        ("0.5", "0.5"),
    ],
)
def test_thresholds_are_exact(text: str, value: str) -> None:
    assert parse_threshold(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "fast", "-1s", "1.s", "250 ms", "1e3", "5m5"])
def test_what_is_no_threshold_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write a time such as"):
        parse_threshold(text)


@given(st.integers(min_value=0, max_value=999_999 * 86_400_000))
def test_every_duration_survives_a_round_trip(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_every_time_survives_a_round_trip_to_the_millisecond(milliseconds: int) -> None:
    assert abs(parse_time(format_time(milliseconds / 1000)) * 1000 - milliseconds) < 0.5


def test_times_are_written_in_utc() -> None:
    assert format_time(0.25) == "1970-01-01T00:00:00.250Z"
    assert parse_time("1970-01-01T02:00:00+02:00") == 0


def test_a_target_stays_exact() -> None:
    target = TypeAdapter(Percent).validate_python("99.95")
    assert target == Decimal("99.95")
    assert TypeAdapter(Percent).dump_python(target) == "99.95"


@pytest.mark.parametrize("text", ["100", "0.999", "1", "-3", "many"])
def test_a_target_that_is_no_percentage_below_100_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Percent).validate_python(text)
