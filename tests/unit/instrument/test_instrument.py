from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from seatrial_instrument import ErrorType, Instrument, Kind, Numeric, Options, Profile, Request, current, profile
from seatrial_instrument.sampling import share_of

if TYPE_CHECKING:
    from collections.abc import Callable


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the page as Prometheus would."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_series_is_born_at_zero(
    make: Callable[..., Instrument], reference: Profile, registry: CollectorRegistry
) -> None:
    instrument = make(
        reference, feature_groups=["profile"], checks={"safety": ["pass", "blocked"]}, slices={"region": ["eu"]}
    )
    before = samples(registry)
    live = {key: number for key, number in before.items() if "reference" not in key[0] and "info" not in key[0]}
    assert set(live.values()) == {0}
    instrument.observe(
        [{"age": 1e9, "amount": None, "region": "mars"}, {"age": math.nan, "amount": "?"}],
        [7.0, math.nan],
        confidence=[0.5, 0.7],
        defaulted=[True, False],
        slices={"region": ["eu", "xx"]},
    )
    instrument.observe(predictions=[0.5], failed=True)
    instrument.outcome("safety", "blocked")
    instrument.feature_age("profile", [3.0, math.nan])
    instrument.request(0.2, ErrorType.BACKEND)
    instrument.request(0.2, kind=Kind.SHADOW)
    instrument.request(0.2, kind=Kind.WARM_UP)
    after = samples(registry)
    assert set(after) == set(before)
    assert all(after[key] >= before[key] for key in before)
    assert sum(after.values()) > sum(before.values())


def test_the_reference_has_the_names_and_edges_of_the_live_series(
    make: Callable[..., Instrument], reference: Profile, registry: CollectorRegistry
) -> None:
    make(reference)
    page = samples(registry)
    live = {key for key in page if key[0].startswith(("ml_model_feature_value", "ml_model_prediction_value"))}
    assert {(name.replace("ml_model_", "ml_model_reference_"), labels) for name, labels in live} <= set(page)
    categories = {labels for name, labels in page if name == "ml_model_feature_category_total"}
    assert categories == {labels for name, labels in page if name == "ml_model_reference_feature_category"}
    assert len(categories) == 4  # eu, us, apac, everything else


def test_the_reference_holds_the_training_rows(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    make(reference)
    assert value("ml_model_reference_feature_observations", feature="age") == 2000
    assert value("ml_model_reference_feature_value_bucket", feature="age", le="+Inf") == 2000
    first = reference.features[0]
    assert isinstance(first, Numeric)
    assert value("ml_model_reference_feature_value_bucket", feature="age", le=str(first.edges[1])) == sum(
        first.counts[:2]
    )
    assert value("ml_model_profile_info", profile_sha256=reference.sha256, schema_sha256=reference.schema_sha256) == 1


def test_training_data_observed_equals_its_reference(
    make: Callable[..., Instrument], reference: Profile, training: dict[str, np.ndarray], registry: CollectorRegistry
) -> None:
    instrument = make(reference)
    instrument.observe({name: training[name] for name in reference.columns}, training["score"])
    page = samples(registry)
    compared = 0
    for (name, labels), number in page.items():
        if "reference" in name:
            of_live = name.replace("reference_", "")
            live = page.get((of_live, labels), page.get((of_live + "_total", labels)))
            if live is None:
                assert name == "ml_model_reference_feature_missing"
                continue
            assert live == number, (name, labels)
            compared += 1
    assert compared == 40
    assert (
        page["ml_model_feature_out_of_range_total", (("feature", "age"), ("model_name", "fraud"), ("side", "high"))]
        == 0
    )


def test_outcomes_name_the_worst_flaw(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    instrument = make(reference)
    instrument.observe(
        predictions=[0.5, 1.5, math.nan, None, 0.5, -0.1, math.inf, 0.5],
        defaulted=[True, False, True, False, False, True, False, False],
        failed=[False] * 7 + [True],
    )
    found = {
        reason: value("ml_model_predictions_total", outcome=outcome, reason=reason)
        for outcome, reason in [
            ("ok", ""), ("default", "imputed"), ("invalid", "nan"), ("invalid", "out_of_range"), ("invalid", "error"),
        ]
    }  # fmt: skip
    assert found == {"": 1, "imputed": 1, "nan": 2, "out_of_range": 3, "error": 1}
    assert value("ml_model_prediction_value_count", output="score") == 5


def test_classes_are_counted_and_unknown_ones_are_invalid(
    make: Callable[..., Instrument], value: Callable[..., float | None]
) -> None:
    made = profile.from_dataframe({"x": [1.0] * 40, "y": [0] * 20 + [1] * 20}, predictions=["y"], categorical=["y"])
    instrument = make(made)
    instrument.observe(predictions=np.array([0, 1, 1, 7]))
    instrument.observe(predictions=["0", "cat"], failed=[False, True])
    assert value("ml_model_prediction_class_total", output="y", class_="0") == 2
    assert value("ml_model_prediction_class_total", output="y", class_="1") == 2
    assert value("ml_model_prediction_class_total", output="y", class_="__other__") == 1
    assert value("ml_model_predictions_total", outcome="invalid", reason="unknown_class") == 1
    assert value("ml_model_predictions_total", outcome="invalid", reason="error") == 1


def test_several_outputs_are_given_by_name(make: Callable[..., Instrument], value: Callable[..., float | None]) -> None:
    table = {"x": [1.0] * 20, "p": [0.5] * 20, "q": [0.5] * 20}
    instrument = make(profile.from_dataframe(table, predictions=["p", "q"], bounds={"p": (0, 1)}))
    instrument.observe(predictions={"p": [0.1, 2.0], "q": [math.nan, 5.0]})
    assert value("ml_model_prediction_value_count", output="p") == 2
    assert value("ml_model_predictions_total", outcome="invalid", reason="nan") == 1
    assert value("ml_model_predictions_total", outcome="invalid", reason="out_of_range") == 1
    with pytest.raises(ValueError, match="give a mapping"):
        instrument.observe(predictions=[0.1])
    with pytest.raises(ValueError, match=r"the outputs \['p', 'q'\], given are \['p'\]"):
        instrument.observe(predictions={"p": [0.1]})
    with pytest.raises(ValueError, match="output q has 2 rows, others have 1"):
        instrument.observe(predictions={"p": [0.1], "q": [1, 2]})


def test_slices_are_those_declared(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    instrument = make(reference, slices={"region": ["eu", "us"], "tenant": ["1"]})
    instrument.observe(predictions=[0.1, 0.2, 3.0], slices={"region": ["eu", "Ms Miller", "eu"], "tenant": 1})
    assert value("ml_model_slice_predictions_total", slice_name="region", slice="eu", outcome="ok") == 1
    assert value("ml_model_slice_predictions_total", slice_name="region", slice="eu", outcome="invalid") == 1
    assert value("ml_model_slice_predictions_total", slice_name="region", slice="__other__", outcome="ok") == 1
    assert value("ml_model_slice_predictions_total", slice_name="tenant", slice="1", outcome="ok") == 2
    with pytest.raises(KeyError):
        instrument.observe(predictions=[0.1], slices={"age": [40]})


def test_slices_are_capped(reference: Profile) -> None:
    with pytest.raises(ValueError, match="60 slices are declared, at most 50"):
        Instrument(reference, "m", Options(slices={"tenant": [str(n) for n in range(60)]}), registry=None)


def test_no_value_of_a_request_becomes_a_label(
    make: Callable[..., Instrument], reference: Profile, registry: CollectorRegistry
) -> None:
    instrument = make(reference, slices={"tenant": ["1"]})
    instrument.observe(
        [{"age": 41.987654, "region": "Ms Miller"}],
        [0.987654321],
        slices={"tenant": "Ms Miller"},
        confidence=[0.123456],
    )
    page = generate_latest(registry).decode()
    assert "Miller" not in page
    assert "987654" not in page
    assert "123456" not in page


def test_ages_checks_and_latencies_fall_on_their_edges(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    instrument = make(reference, feature_groups=["p"], checks={"click": ["yes", "no"]}, latency_edges_s=(0.1, 0.3))
    instrument.feature_age("p", [300.0, 301.0, math.nan])
    assert value("ml_model_feature_age_seconds_bucket", feature_group="p", le="300.0") == 1
    assert value("ml_model_feature_age_seconds_count", feature_group="p") == 3
    assert value("ml_model_feature_age_seconds_sum", feature_group="p") == 601
    instrument.outcome("click", "yes", 2)
    assert value("ml_model_outcomes_total", check="click", result="yes") == 2
    for duration_s in (0.1, 0.30001, 5):
        instrument.request(duration_s, ErrorType.TIMEOUT)
    assert value("ml_model_request_duration_seconds_bucket", le="0.1") == 1
    assert value("ml_model_request_duration_seconds_bucket", le="0.3") == 1
    assert value("ml_model_request_duration_seconds_bucket", le="+Inf") == 3
    assert value("ml_model_request_duration_seconds_sum") == pytest.approx(5.40001)
    assert value("ml_model_requests_total", error_type="timeout") == 3
    with pytest.raises(KeyError):
        instrument.outcome("click", "maybe")
    with pytest.raises(ValueError, match="can't be negative"):
        instrument.outcome("click", "yes", -1)


def test_warm_up_is_not_observed(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    instrument = make(reference)
    token = current.set(Request("r", Kind.WARM_UP))
    instrument.observe(np.zeros((1, 3)), [0.5])
    current.reset(token)
    assert value("ml_model_rows_total", sampled="yes") == 0
    assert value("ml_model_predictions_total", outcome="ok", reason="") == 0


def test_sampling_takes_the_same_requests_everywhere(reference: Profile) -> None:
    registries = CollectorRegistry(), CollectorRegistry()
    for registry in registries:
        instrument = Instrument(reference, "fraud", Options(sample_ratio=0.3, strict=True), registry=registry)
        for number in range(2000):
            token = current.set(Request(f"request-{number}"))
            instrument.observe({"age": [float(number % 80)]}, [0.5])
            current.reset(token)
    first, second = (samples(registry) for registry in registries)
    assert first == second
    sampled = first["ml_model_rows_total", (("model_name", "fraud"), ("sampled", "yes"))]
    assert 500 < sampled < 700
    assert sampled == sum(share_of(f"request-{number}") < 0.3 for number in range(2000))
    assert first["ml_model_feature_observations_total", (("feature", "age"), ("model_name", "fraud"))] == sampled
    assert first["ml_model_predictions_total", (("model_name", "fraud"), ("outcome", "ok"), ("reason", ""))] == 2000


def test_rows_per_second_are_capped(reference: Profile) -> None:
    now_s = [0.0]
    registry = CollectorRegistry()
    options = Options(max_rows_per_s=100, strict=True)
    instrument = Instrument(reference, "fraud", options, registry=registry, clock=lambda: now_s[0])
    kept = []
    for now_s[0] in (0.0, 0.0, 0.5, 0.5, 100.0):
        instrument.observe({"age": np.arange(1000.0)})
        kept.append(registry.get_sample_value("ml_model_rows_total", {"model_name": "fraud", "sampled": "yes"}))
    assert kept == [100, 100, 150, 150, 250]
    assert registry.get_sample_value("ml_model_rows_total", {"model_name": "fraud", "sampled": "no"}) == 4750


@pytest.mark.parametrize("options", [{"sample_ratio": 1.5}, {"max_rows_per_s": 0}])
def test_impossible_options_are_refused(reference: Profile, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Instrument(reference, "m", Options(**options), registry=None)  # type: ignore[arg-type] # on purpose


def test_what_cannot_be_counted_costs_no_request_and_tells_no_value(
    reference: Profile, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [0.0]
    instrument = Instrument(reference, "fraud", registry=registry, clock=lambda: now_s[0])
    with caplog.at_level(logging.WARNING):
        for now_s[0] in (0.0, 1.0, 61.0):
            instrument.observe(np.zeros((1, 99)))
            instrument.outcome("Ms Miller", "yes")
    assert registry.get_sample_value("ml_model_instrument_errors_total", {"model_name": "fraud"}) == 6
    assert len(caplog.records) == 2
    assert "ValueError at features.py" in caplog.text
    assert "Miller" not in caplog.text


def test_two_instruments_of_one_page_are_refused(make: Callable[..., Instrument], reference: Profile) -> None:
    make(reference)
    with pytest.raises(ValueError, match="Duplicated"):
        make(reference)
