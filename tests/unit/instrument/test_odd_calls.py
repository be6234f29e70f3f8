"""Calls that make no sense count as little as they can, and spoil nothing that is counted later."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from seatrial_instrument import Instrument, Kind, Options, Profile
from seatrial_instrument.middleware import WSGIMiddleware
from seatrial_instrument.request import request_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

PROFILE = Profile(1, ("x",), ())
OPTIONS = Options(checks={"click": ["good"]}, feature_groups=["g"])


@pytest.fixture
def instrument(registry: CollectorRegistry) -> Instrument:
    return Instrument(PROFILE, "fraud", OPTIONS, registry=registry)


@pytest.mark.parametrize("count", [math.nan, math.inf, -1, 10**400])
def test_a_count_that_is_none_is_an_error(
    instrument: Instrument, value: Callable[..., float | None], count: Any
) -> None:
    instrument.outcome("click", "good", count)
    instrument.outcome("click", "good", 2)
    assert value("ml_model_outcomes_total", check="click", result="good") == 2
    assert value("ml_model_instrument_errors_total") == 1


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_no_sum_is_spoilt_for_ever(instrument: Instrument, value: Callable[..., float | None], odd: float) -> None:
    instrument.feature_age("g", [odd, 2.0])
    instrument.request(odd)
    instrument.request(0.5)
    assert value("ml_model_feature_age_seconds_sum", feature_group="g") == 2
    assert value("ml_model_feature_age_seconds_count", feature_group="g") == 2
    assert value("ml_model_request_duration_seconds_sum") == 0.5
    assert value("ml_model_request_duration_seconds_count") == 2


def test_an_answer_that_is_closed_twice_counts_once(instrument: Instrument, value: Callable[..., float | None]) -> None:
    def answer(_: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"1"]

    start: Any = lambda *_: None  # noqa: E731 # nobody writes
    body: Any = WSGIMiddleware(answer, instrument, version="1")({"REQUEST_METHOD": "POST"}, start)
    list(body)
    body.close()
    body.close()
    assert value("ml_model_requests_total", error_type="") == 1


@pytest.mark.parametrize("no", ["0", "false", "False", b"0", b"FALSE", "", None])
def test_a_header_that_says_no_means_no(no: str | bytes | None) -> None:
    assert request_of("a", "host", no, no).kind is Kind.CLIENT


@pytest.mark.parametrize("yes", ["1", "true", b"1", b"yes"])
def test_a_header_that_says_anything_else_means_yes(yes: str | bytes) -> None:
    assert request_of("a", "host", yes, yes).kind is Kind.WARM_UP
    assert request_of("a", "host", None, yes).kind is Kind.SHADOW
