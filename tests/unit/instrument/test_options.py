from __future__ import annotations

from typing import Any

import pytest

from seatrial_instrument import Options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"latency_edges_s": (1.0, 0.5)}, "latency_edges_s: edges must be finite and rise, got 1.0, 0.5"),
        ({"latency_edges_s": (0.5, 0.5)}, "latency_edges_s: edges must be finite and rise"),
        ({"age_edges_s": (1.0, float("inf"))}, "age_edges_s: edges must be finite and rise"),
        ({"feature_groups": ["g", "g"]}, "feature_groups: g, g would count as one; declare every name once"),
        ({"feature_groups": "account"}, "feature_groups: give a list of names"),
        ({"checks": {"click": ["good", "good"]}}, "check click: good, good would count as one"),
        ({"slices": {"region": ["eu", "eu"]}}, "slice region: eu, eu would count as one"),
        ({"slices": {"region": ["__other__"]}}, "slice region: __other__ is the name of all that is not declared"),
        ({"slices": {"tenant": [1]}}, "slice tenant: give a list of names"),
        ({"sample_ratio": float("nan")}, "sample_ratio is nan; give a share between 0 and 1"),
        ({"max_rows_per_s": float("nan")}, "max_rows_per_s is nan; give at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused_when_they_are_made(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**options)
