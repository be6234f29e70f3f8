"""Non-inferiority: "no more than 5 % worse than stable"."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]  # scipy ships no types
from scipy.stats import binom  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.compare import compare_ratios, log_e_inferior, log_e_non_inferior
from seatrial.judge.types import Counts, Verdict


@given(
    st.integers(1, 500), st.floats(0, 1), st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.5, 0.95, 1.0, 1.3])
)
def test_likelihood_on_the_edge_is_the_largest_one(n: int, p: float, m: int, q: float, ratio: float) -> None:
    candidate, stable = Counts(n, int(n * p)), Counts(m, int(m * q))

    def loss(share: float) -> float:
        mine = binom.logpmf(n - candidate.bad, n, ratio * share)
        return -float(mine + binom.logpmf(m - stable.bad, m, share))

    found = minimize_scalar(loss, bounds=(1e-12, min(1, 1 / ratio) - 1e-12), method="bounded", options={"xatol": 1e-10})
    constants = sum(math.log(math.comb(c.total, c.bad)) for c in (candidate, stable))
    # one of the two claims is cut by the edge, the other holds at the observed shares
    edge = max(log_e_inferior(candidate, stable, ratio), log_e_non_inferior(candidate, stable, ratio))
    mixture = -math.log(n + 1) - math.log(m + 1) - constants
    assert edge == pytest.approx(mixture - (-found.fun - constants), abs=1e-3)


def test_verdicts() -> None:
    stable = Counts(10_000, 1000)
    assert compare_ratios(Counts(2000, 500), stable, margin=0.05).verdict is Verdict.Burning
    assert compare_ratios(Counts(2000, 200), stable, margin=0.05).verdict is Verdict.Healthy
    assert compare_ratios(Counts(100, 12), stable, margin=0.05).verdict is Verdict.Inconclusive
    assert compare_ratios(Counts(0, 0), stable, margin=0.05).verdict is Verdict.NoData


def test_sentence_has_the_numbers() -> None:
    worse = compare_ratios(Counts(2000, 500), Counts(10_000, 1000), margin=0.05)
    assert "75 % good against 90 % of stable: worse by more than 5 %" in worse.sentence
    assert worse.effect == pytest.approx(0.75 / 0.9)


def test_versions_at_the_margin_are_rarely_called_at_any_look() -> None:
    """A candidate exactly 5 % worse must be called neither worse nor not worse, in 1 % each."""
    rng = np.random.default_rng(11)
    calls = {Verdict.Burning: 0, Verdict.Healthy: 0}
    runs = 300
    for _ in range(runs):
        bad = rng.binomial(50, 1 - 0.95 * 0.9, 60).cumsum()
        stable_bad = rng.binomial(200, 0.1, 60).cumsum()
        verdicts = {
            compare_ratios(Counts(50 * t, int(k)), Counts(200 * t, int(s)), margin=0.05).verdict
            for t, (k, s) in enumerate(zip(bad, stable_bad, strict=True), start=1)
        }
        for verdict in calls:
            calls[verdict] += verdict in verdicts
    assert max(calls.values()) <= 0.01 * runs


def test_bursts_are_less_evidence_of_either_kind() -> None:
    bad, good = Counts(1000, 250), Counts(1000, 50)
    stable = Counts(9000, 900)
    assert compare_ratios(bad, stable, margin=0.05).verdict is Verdict.Burning
    assert compare_ratios(good, stable, margin=0.05).verdict is Verdict.Healthy
    for counts in (bad, good):
        assert compare_ratios(counts, stable, margin=0.05, dispersion=30).verdict is Verdict.Inconclusive
