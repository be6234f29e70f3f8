"""The templates against the metrics pages of the real servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from seatrial.metrics.counting import counting
from seatrial.metrics.templates import Server, find, servers
from seatrial.metrics.types import Sli

# Of MLServer 1.7.1 after 20 inferences (6 of them failed on purpose), one of a named version, one malformed, one of a
# model that doesn't exist, and some readiness probes.
PAGE = Path(__file__).parent / "pages" / "mlserver-1.7.1.txt"


def count(sli: Sli) -> tuple[int, int]:
    how = counting(sli)
    total = bad = 0
    for family in text_string_to_metric_families(PAGE.read_text()):
        for sample in family.samples:
            weights = how.weights({"__name__": sample.name, **sample.labels})
            if weights:
                total += weights.total * int(sample.value)
                bad += weights.bad * int(sample.value)
    return total, bad


def test_mlserver_availability_counts_inferences_and_no_probes() -> None:
    assert count(Sli("a", template="http-availability", server="mlserver")) == (23, 6)


@pytest.mark.parametrize(("threshold_s", "slow"), [(0.005, 12), (0.25, 0), (10.0, 0)])
def test_mlserver_latency_counts_the_answers_that_availability_calls_good(threshold_s: float, slow: int) -> None:
    assert count(Sli("l", template="http-latency", server="mlserver", threshold_s=threshold_s)) == (17, slow)


def test_every_template_resolves_for_every_server_that_offers_it() -> None:
    assert list(servers()) == ["ml-model", "mlserver"]
    for name, server in servers().items():
        assert server.offered == ("http-availability", "http-latency")
        for template in server.offered:
            assert counting(Sli("x", template=template, server=name, threshold_s=0.25)).metrics


def test_a_server_may_be_left_out() -> None:
    assert find("http-availability", None) == servers()["ml-model"].templates.http_availability


@pytest.mark.parametrize(
    ("unit", "threshold_s", "edge"),
    [("s", 0.25, 0.25), ("ms", 0.57, 570.0), ("ms", 0.1, 100.0), ("us", 0.3, 300_000.0)],
)
def test_thresholds_are_turned_into_the_unit_of_the_server_without_rounding(
    unit: str, threshold_s: float, edge: float
) -> None:
    server = Server.model_validate(
        {
            "server": "x",
            "verified": "-",
            "templates": {"http-latency": {"unit": unit, "buckets": "x_bucket{$selector}"}},
        }
    )
    assert server.templates.http_latency
    every, good = server.templates.http_latency.counters(threshold_s)
    assert (every.edge, good.edge) == (float("inf"), edge)


@pytest.mark.parametrize(
    "templates",
    [
        {"http-availability": {"total": "rate(x[5m])", "bad": "x{$selector}"}},
        {"http-availability": {"total": "x{$selector}"}},
        {"http-latency": {"unit": "h", "buckets": "x_bucket{$selector}"}},
        {"http-latency": {"unit": "s", "buckets": 'x_bucket{le="1",$selector}'}},
        {"accuracy": {"total": "x{$selector}", "bad": "x{$selector}"}},
    ],
)
def test_a_template_file_that_is_wrong_is_refused(templates: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        Server.model_validate({"server": "x", "verified": "-", "templates": templates})
