"""Counts of labels from Prometheus's answers: one query for all versions."""

from __future__ import annotations

from seatrial.judge.labels import Bin
from seatrial.metrics.label_types import LabelCounts, SliceCounts
from seatrial.metrics.labels import PrometheusLabels, counted
from tests.unit.metrics.test_drift import NEW, OLD, Answers, row

ROWS = [
    row(1000.0, seatrial_family="matured"),
    row(400.0, seatrial_family="labelled"),
    row(390.0, seatrial_family="delay", le="3600.0"),
    row(400.0, seatrial_family="delay", le="+Inf"),
    row(30.0, seatrial_family="bin", bin="0.9", result="right"),
    row(10.0, seatrial_family="bin", bin="0.9", result="wrong"),
    row(34.5, seatrial_family="confidence", bin="0.9"),
    row(5.0, seatrial_family="bin", bin="1.0", result="right"),
    row(4.9, seatrial_family="confidence", bin="1.0"),
    row(8.25, seatrial_family="squared"),
    row(30.0, seatrial_family="slice", slice_name="region", slice="north", actual="fraud", result="right"),
    row(60.0, seatrial_family="slice", slice_name="region", slice="north", actual="ok", result="right"),
    row(10.0, seatrial_family="slice", slice_name="region", slice="north", actual="ok", result="wrong"),
    row(40.0, seatrial_family="predicted", slice_name="region", slice="north", predicted="fraud"),
    row(60.0, seatrial_family="predicted", slice_name="region", slice="north", predicted="ok"),
    row(600.0, seatrial_family="maturity"),
]


async def test_one_answer_holds_all_that_labels_say() -> None:
    found = await PrometheusLabels(Answers(ROWS)).read_labels({OLD}, 5.0)
    assert found.counts["ml", "scorer", OLD] == LabelCounts(
        matured=1000,
        labelled=400,
        delays=((3600.0, 390.0), (float("inf"), 400.0)),
        bins=(Bin(40, 30, 34.5), Bin(5, 5, 4.9)),
        squared_errors=8.25,
        slices={
            "region": {"north": SliceCounts({"fraud": 30, "ok": 60}, {"ok": 10}, {"fraud": 40, "ok": 60})},
        },
        maturity_s=600.0,
    )


async def test_numbers_have_no_class_and_prometheus_leaves_out_what_is_empty() -> None:
    rows = [
        row(50.0, seatrial_family="slice", slice_name="region", slice="north", result="right"),
        row(5.0, seatrial_family="slice", slice_name="region", slice="north", result="wrong"),
        row(55.0, seatrial_family="predicted", slice_name="region", slice="north"),
    ]
    found = (await PrometheusLabels(Answers(rows)).read_labels({OLD}, 5.0)).counts["ml", "scorer", OLD]
    assert found.slices == {"region": {"north": SliceCounts({"": 50}, {"": 5}, {"": 55})}}


async def test_one_query_serves_all_versions() -> None:
    client = Answers([*ROWS, row(7.0, NEW, seatrial_family="matured")])
    found = await PrometheusLabels(client).read_labels({OLD, NEW}, 5.0)
    assert len(client.queries) == 1
    assert found.counts["ml", "scorer", NEW] == LabelCounts(matured=7)


async def test_a_prometheus_that_is_away_is_told_of_and_nobody_is_asked_for_nothing() -> None:
    client = Answers(away="it is away")
    assert (await PrometheusLabels(client).read_labels({OLD}, 5.0)).unavailable == "it is away"
    assert (await PrometheusLabels(client).read_labels(set(), 5.0)).unavailable is None


async def test_a_joiner_that_tells_nonsense_keeps_no_other_from_being_judged() -> None:
    nonsense = [
        row(float("inf"), NEW, seatrial_family="matured"),
        row(1.0, NEW, seatrial_family="bin", result="right"),
        row(1.0, NEW, seatrial_family="bin", bin="high", result="right"),
        row(1.0, NEW, seatrial_family="delay", le="NaN"),
        row(3.0, NEW, seatrial_family="labelled"),
    ]
    found = await PrometheusLabels(Answers([*nonsense, *ROWS])).read_labels({OLD, NEW}, 5.0)
    assert found.counts["ml", "scorer", NEW] == LabelCounts(labelled=3)
    assert found.counts["ml", "scorer", OLD].matured == 1000


def test_the_query_keeps_apart_what_has_the_same_labels() -> None:
    """Matured, labelled and squared errors have no label of their own: without a mark `or` would drop two of them."""
    assert counted([OLD]).count("label_replace(") == 9
