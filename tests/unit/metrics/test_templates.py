"""Templates: what a file may say, and what is made of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from seatrial.api.fields import parse_threshold
from seatrial.api.templates import MEANINGS
from seatrial.metrics.counting import Weights, counting
from seatrial.metrics.templates import Histogram, Server, find, servers
from seatrial.metrics.types import Sli


def test_every_template_resolves_for_every_server_that_offers_it() -> None:
    for name, server in servers().items():
        for template in server.offered:
            where = tuple((label, "y") for label in MEANINGS[template].where)
            sli = Sli("x", template, name, threshold=Decimal("0.25"), where=where)
            assert counting(sli).elsewhere == (server.source_of(template) != "pod")


@pytest.mark.parametrize("name", ["envoy", "ingress-nginx", "traefik", "istio", "istio-gateway", "mlserver"])
def test_it_is_told_what_becomes_of_calls_by_grpc(name: str) -> None:
    """A call that fails ends with HTTP status 200: a ratio of HTTP statuses looks right and is not."""
    assert "gRPC" in (servers()[name].templates["http-availability"].note or "")


def test_a_server_may_be_left_out() -> None:
    assert find("http-availability", None) == servers()["ml-model"].templates["http-availability"]


@pytest.mark.parametrize(
    ("unit", "threshold", "edge"),
    [("s", "0.25", 0.25), ("ms", "0.57", 570.0), ("ms", "0.1", 100.0), ("us", "0.3", 300_000.0), ("1", "0.5", 0.5)],
)
def test_thresholds_are_turned_into_the_unit_of_the_server_without_rounding(
    unit: str, threshold: str, edge: float
) -> None:
    name = "label-absolute-error" if unit == "1" else "feature-freshness"
    histogram = server({name: {"unit": unit, "buckets": "x_bucket{$selector}"}}).templates[name]
    assert isinstance(histogram, Histogram)
    every, good = histogram.counters(Decimal(threshold))
    assert (every.edge, good.edge) == (float("inf"), edge)


@pytest.mark.parametrize(
    ("unit", "edge", "threshold"),
    [("s", 0.25, "250ms"), ("s", 2.5, "2.5s"), ("ms", 1000, "1s"), ("us", 708235, "708.235ms"), ("us", 18, "18us")],
)
def test_edges_are_written_as_thresholds_that_lead_back_to_them(unit: str, edge: float, threshold: str) -> None:
    histogram = server({"feature-freshness": {"unit": unit, "buckets": "x_bucket{$selector}"}}).templates[
        "feature-freshness"
    ]
    assert isinstance(histogram, Histogram)
    assert histogram.threshold(edge) == threshold
    assert histogram.counters(parse_threshold(threshold))[1].edge == edge


def test_several_counters_add_up_and_where_narrows_all_of_them() -> None:
    two = server({"http-availability": {"total": ["ok{$selector}", "failed{$selector}"], "bad": "failed{$selector}"}})
    assert two.templates["http-availability"].texts == ("ok{$selector}", "failed{$selector}", "failed{$selector}")
    how = counting(Sli("x", template="feature-missing", where=(("feature", "amount"),)))
    assert how.weights({"__name__": "ml_model_feature_missing_total", "feature": "amount"}) == Weights(0, 1)
    assert how.weights({"__name__": "ml_model_feature_observations_total", "feature": "amount"}) == Weights(1, 0)
    assert how.weights({"__name__": "ml_model_feature_missing_total", "feature": "age"}) is None


@pytest.mark.parametrize(
    "templates",
    [
        {"http-availability": {"total": "rate(x[5m])", "bad": "x{$selector}"}},
        {"http-availability": {"total": "x{$selector}"}},
        {"http-availability": {"total": "x{$selector}", "bad": "x{$selector}", "good": "x{$selector}"}},
        {"http-availability": {"total": [], "bad": "x{$selector}"}},
        {"http-availability": {"unit": "s", "buckets": "x_bucket{$selector}"}},
        {"feature-freshness": {"total": "x{$selector}", "bad": "x{$selector}"}},
        {"feature-freshness": {"unit": "h", "buckets": "x_bucket{$selector}"}},
        {"feature-freshness": {"unit": "s", "buckets": 'x_bucket{le="1",$selector}'}},
        {"accuracy": {"total": "x{$selector}", "bad": "x{$selector}"}},
    ],
)
def test_a_template_file_that_is_wrong_is_refused(templates: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        server(templates)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"errors": "none"}, "what errors and latency say of http-availability"),
        ({"latency": "ratio"}, "what errors and latency say of http-latency"),
        ({"instead": {}}, "say under instead what to do about http-latency"),
        ({"instead": {"speed": "x"}}, "there is no template speed"),
    ],
)
def test_what_a_file_says_of_its_server_must_be_what_it_offers(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        server({"http-availability": {"total": "x{$selector}", "bad": "x{$selector}"}}, **changes)


def server(templates: dict[str, object], **changes: object) -> Server:
    instead = {
        name: "measure at the gateway" for name in ("http-availability", "http-latency") if name not in templates
    }
    errors = "ratio" if "http-availability" in templates else "none"
    described = {"server": "x", "title": "-", "verified": "-", "errors": errors, "latency": "none", "instead": instead}
    return Server.model_validate({**described, "templates": templates, **changes})
