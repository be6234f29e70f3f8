"""Restarts and kills against stable."""

from __future__ import annotations

import numpy as np

from seatrial.judge.pod_events import Exposure, judge_pod_events
from seatrial.judge.types import Verdict

HOUR_S = 3600.0


def test_restarts_of_the_candidate_alone_are_blamed() -> None:
    found = judge_pod_events("restarts", Exposure(5, HOUR_S), Exposure(0, 3 * HOUR_S))
    assert found.verdict is Verdict.Burning
    assert "5 restarts in 1 pod-hours against 0 in 3 pod-hours of stable" in found.sentence


def test_restarts_that_stable_shares_are_not() -> None:
    assert judge_pod_events("restarts", Exposure(5, HOUR_S), Exposure(14, 3 * HOUR_S)).verdict is Verdict.Inconclusive


def test_two_events_are_never_enough() -> None:
    assert judge_pod_events("restarts", Exposure(2, HOUR_S), Exposure(0, 500 * HOUR_S)).verdict is Verdict.Inconclusive


def test_nothing_to_compare_with() -> None:
    assert judge_pod_events("restarts", Exposure(5, HOUR_S), Exposure(0, 0)).verdict is Verdict.NoData


def test_candidates_like_stable_are_rarely_blamed_at_any_look() -> None:
    rng = np.random.default_rng(7)
    blamed = 0
    for _ in range(200):
        candidate, stable = rng.poisson(0.05, 200).cumsum(), rng.poisson(0.15, 200).cumsum()
        blamed += any(
            judge_pod_events("restarts", Exposure(int(c), 60.0 * t), Exposure(int(s), 180.0 * t)).verdict
            is Verdict.Burning
            for t, (c, s) in enumerate(zip(candidate, stable, strict=True), start=1)
        )
    assert blamed <= 2
