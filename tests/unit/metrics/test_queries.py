"""The text of the queries, and how a question that is too large is cut."""

from __future__ import annotations

import pytest

from seatrial.metrics.queries import Raw, increase, spellings
from seatrial.metrics.selector import parse

ASKED = Raw(("a", "b"), ("v1", "v2"), ("0.25", "+Inf"), 0.0, 100.0)


def test_all_metrics_of_all_versions_are_one_query() -> None:
    assert ASKED.promql == (
        '{__name__=~"up|process_start_time_seconds|a|b",rollout_version=~"v1|v2",le=~"|0\\\\.25|\\\\+Inf"}[100000ms]'
    )


def test_a_question_is_cut_by_time_then_by_metrics_then_by_versions() -> None:
    cuts = [ASKED]
    while halves := cuts[-1].halves():
        assert (halves[0].start_s, halves[1].end_s) == (cuts[-1].start_s, cuts[-1].end_s)
        assert halves[0].end_s in {halves[1].start_s, halves[1].end_s}
        cuts.append(halves[0])
    assert [(cut.end_s, cut.metrics, cut.versions) for cut in cuts] == [
        (100.0, ("a", "b"), ("v1", "v2")),
        (50.0, ("a", "b"), ("v1", "v2")),
        (50.0, ("a",), ("v1", "v2")),
        (50.0, ("a",), ("v1",)),
    ]


def test_the_last_samples_of_a_range_are_not_cut_by_time() -> None:
    last = Raw(("a",), ("v1",), (), 0.0, 1000.0, last_only=True)
    assert last.halves() is None
    assert last.promql.startswith("last_over_time(")


@pytest.mark.parametrize(
    ("edge", "texts"),
    [
        (1.0, {"1", "1.0", "1e+00"}),
        (0.25, {"0.25", "2.5e-01"}),
        (1e6, {"1000000", "1000000.0", "1e+06"}),
        (5e-05, {"5e-05"}),
        (float("inf"), {"+Inf"}),
    ],
)
def test_edges_are_asked_for_in_the_spellings_of_the_usual_clients(edge: float, texts: set[str]) -> None:
    assert spellings(edge) == texts


def test_an_increase_keeps_the_conditions_of_the_selector() -> None:
    query = increase(parse('m_bucket{path=~"/a\\\\.b",code!="5\\"x",le="1",$selector}'), 300)
    assert 'm_bucket{path=~"/a\\\\.b",code!="5\\"x",le=~"1|1\\\\.0|1e\\\\+00",rollout_version!=""}[300s]' in query
