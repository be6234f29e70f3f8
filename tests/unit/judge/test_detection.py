"""Exact detection times against independently computed figures."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seatrial.judge.detection import (
    detection,
    first_stretch_threshold,
    latest_request,
    likely_horizon,
    proof_requests,
    resolve,
)
from seatrial.judge.judge import judge
from seatrial.judge.types import Counts, Evidence, Objective, Verdict

# Mean requests to rollback at a target of 99.9 %, alpha .01, at least 3 bad: true share of bad requests -> mean
MEANS = {
    1.0: {0.01: 484, 0.05: 60, 0.5: 6, 1.0: 3},
    2.0: {0.01: 811, 0.05: 65, 0.5: 6, 1.0: 3},
    4.0: {0.01: 2017, 0.05: 82, 0.5: 6, 1.0: 3},
    14.4: {0.05: 228, 0.5: 6, 1.0: 3},
}


@pytest.mark.parametrize(
    ("burn_rate", "p", "mean"), [(burn, p, mean) for burn, row in MEANS.items() for p, mean in row.items()]
)
def test_mean_requests_to_rollback(burn_rate: float, p: float, mean: float) -> None:
    found = detection(p, burn_rate * 0.001, 100, horizon=6000)
    assert found.share > 0.98
    assert found.mean == pytest.approx(mean, abs=0.6)


@pytest.mark.parametrize(("p", "p95"), [(0.01, 1887), (0.05, 150), (0.5, 11)])
def test_95th_percentile_of_requests_to_rollback(p: float, p95: int) -> None:
    assert detection(p, 0.002, 100, horizon=20_000).p95 == p95


@pytest.mark.parametrize(
    ("burn_rate", "at_budget", "at_limit"),
    [(1.0, 0.0019, 0.0019), (2.0, 0.00011, 0.0023), (4.0, 0.00001, 0.0028), (14.4, 0.0, 0.0040)],
)
def test_false_rollbacks_in_6000_requests(burn_rate: float, at_budget: float, at_limit: float) -> None:
    p0 = burn_rate * 0.001
    assert detection(0.001, p0, 100).share == pytest.approx(at_budget, abs=6e-6 if at_budget < 0.001 else 5e-5)
    assert detection(p0, p0, 100).share == pytest.approx(at_limit, abs=5e-5)
    assert detection(p0, p0, 100).share < 0.01


def test_a_burn_below_the_limit_is_never_found() -> None:
    assert detection(0.01, 0.0144, 100).share < 0.001
    assert detection(0.01, 0.0144, 100).p50 is None


def test_latest_request_is_where_the_verdict_changes() -> None:
    objective = Objective("availability", "shop", Decimal("99.9"))
    for bad, latest in zip((3, 4, 8), latest_request((3, 4, 8), 0.002, 100, horizon=5000).tolist(), strict=True):
        at, after = (
            judge([objective], [Evidence(Counts(n, bad))], restarts=False)[0].verdict for n in (latest, latest + 1)
        )
        assert (at, after) == (Verdict.Burning, Verdict.Inconclusive)


def test_first_stretch_threshold_is_the_operators_own_rule() -> None:
    objective = Objective("availability", "shop", Decimal("99.9"))
    latest = int(latest_request(3, 0.002, first_stretch_threshold(100), horizon=5000)[0])
    verdicts = [judge([objective], [Evidence(Counts(n, 3))])[0].verdict for n in (latest, latest + 1)]
    assert verdicts == [Verdict.Burning, Verdict.Inconclusive]


def test_too_few_bad_requests_to_ever_fire() -> None:
    assert latest_request(1, 0.4, 100, horizon=1000)[0] == 0


def test_resolvability_says_what_is_missing() -> None:
    objective = Objective("availability", "shop", Decimal("99.9"))
    small = resolve(objective, 600)
    assert not small.resolvable
    assert small.needed == 3000
    assert "600 requests at 99.9 % grant 0.6 bad ones" in small.sentence
    assert resolve(objective, 3000).resolvable
    assert small.proof == proof_requests(0.002, 0.01)
    strict = judge([objective], [Evidence(Counts(small.proof, 0))], strict=True)[0].verdict
    assert strict is Verdict.Healthy
    assert judge([objective], [Evidence(Counts(small.proof - 1, 0))], strict=True)[0].verdict is Verdict.Inconclusive


@pytest.mark.parametrize("p", [0.005, 0.01, 0.05, 1.0])
def test_likely_horizon_leaves_next_to_nothing_out(p: float) -> None:
    assert detection(p, 0.002, 100, horizon=likely_horizon(p, 0.002, 100, longest=10**6)).share > 0.999
    assert likely_horizon(p, 0.002, 100, longest=50) == 50
