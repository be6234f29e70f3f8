"""The sample ratio test, against values published with another implementation of the same paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seatrial.judge.split import SplitStep, check_split, log_e_split


def first_rejection(draws: np.ndarray, shares: list[float], alpha: float) -> tuple[int, float]:
    """Count requests one by one until the sequential p-value 1/E is at most alpha."""
    for n, counts in enumerate(draws.cumsum(axis=0), start=1):
        p = math.exp(-log_e_split(counts.tolist(), shares))
        if p <= alpha:
            return n, p
    raise AssertionError("never rejected")


def test_published_multinomial_example() -> None:
    """savvi, example Multinomial (assuncaolfi/savvi): stops at n = 402 with p = .04845591105969517."""
    draws = np.random.RandomState(1).multinomial(1, [0.1, 0.3, 0.6], size=1000)
    n, p = first_rejection(draws, [0.1, 0.4, 0.5], 0.05)
    assert n == 402
    assert p == pytest.approx(0.04845591105969517, rel=1e-9)


def test_published_poisson_canary_example() -> None:
    """savvi, example InhomogeneousPoissonProcess: stops at n = 210 with p = .045579631759249686."""
    rate = np.array([0.8, 0.2]) * np.exp([1.5, 2])
    draws = np.random.RandomState(1).multinomial(1, rate / rate.sum(), size=1500)
    n, p = first_rejection(draws, [0.8, 0.2], 0.05)
    assert n == 210
    assert p == pytest.approx(0.045579631759249686, rel=1e-9)


def test_expected_value_is_one_when_the_split_is_right() -> None:
    n, weight = 40, 0.1
    probability = [math.comb(n, k) * weight**k * (1 - weight) ** (n - k) for k in range(n + 1)]
    evidence = [math.exp(log_e_split((k, n - k), (weight, 1 - weight))) for k in range(n + 1)]
    assert sum(p * e for p, e in zip(probability, evidence, strict=True)) == pytest.approx(1)


def test_a_router_that_splits_as_told_through_all_steps() -> None:
    steps = [SplitStep(0.01, 12, 988), SplitStep(0.1, 480, 4520), SplitStep(0.5, 2480, 2520)]
    assert not check_split(steps).mismatch


def test_a_router_that_ignores_the_weights() -> None:
    ignored = check_split([SplitStep(0.1, 500, 500)])
    assert ignored.mismatch
    assert ignored.observed == pytest.approx(0.5)
    assert "500 of 1,000 requests, its weight asks for 100" in ignored.sentence


def test_a_candidate_that_gets_nothing() -> None:
    assert check_split([SplitStep(0.1, 0, 400)]).mismatch


def test_a_deviation_that_does_not_matter_is_none_however_certain() -> None:
    slightly = check_split([SplitStep(0.1, 1_050_000, 8_950_000)])
    assert slightly.e_value > slightly.threshold
    assert not slightly.mismatch
