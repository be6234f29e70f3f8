"""How often the judge is wrong, and how soon it is right, on simulated traffic."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from seatrial.cli.rules import NEVER, Seatrial
from seatrial.cli.simulation import run
from seatrial.cli.traffic import Counted, Traffic, draw
from seatrial.judge.attribution import log_e_attribution
from seatrial.judge.judge import judge
from seatrial.judge.types import Counts, Evidence, Objective, Verdict

OBJECTIVE = Objective("availability", "shop", Decimal("99.9"))


def simulate(
    ratio: float, *, runs: int = 1000, burst: int = 1, dispersion: float = 1.0, own: bool = True, seed: int = 1
) -> tuple[float, float]:
    """Return the 95 % interval of the share rolled back within 6,000 requests, looked at every 10 of them."""
    traffic = Traffic(rate=10, error_ratio=ratio, burst=burst)
    trace = draw(traffic, runs=runs, duration_s=600, look_s=1, rng=np.random.default_rng(seed))
    outcome = run(Seatrial(OBJECTIVE, dispersion=dispersion, own=own), trace)
    return outcome.low, outcome.high


def test_a_version_exactly_at_its_limit_is_rarely_rolled_back() -> None:
    assert simulate(0.002)[1] < 0.01


def test_a_version_at_its_budget_is_hardly_ever_rolled_back() -> None:
    assert simulate(0.001)[1] < 0.005


def test_clustered_errors_break_the_bound_and_tempering_keeps_it() -> None:
    """Bursts of five are over 1 % without tempering (that they are is why tempering exists), and far under it with."""
    assert simulate(0.001, burst=5, own=False)[0] > 0.02
    assert simulate(0.001, burst=5)[1] < 0.01, "by the version's own errors alone"
    assert simulate(0.001, burst=5, own=False, dispersion=5)[1] < 0.01, "by those of stable alone"


@pytest.mark.parametrize("ratio", [1.0, 0.2, 0.05, 0.02])
def test_tempering_costs_a_real_fault_next_to_nothing(ratio: float) -> None:
    """Errors that come alone, looked at every 10 requests: at most a scrape more, or a fifth of the requests."""
    trace = draw(Traffic(10, ratio), runs=300, duration_s=300, look_s=1, rng=np.random.default_rng(9))
    plain, tempered = (run(Seatrial(OBJECTIVE, own=own), trace).requests_mean or 0 for own in (False, True))
    assert plain <= tempered <= max(plain + 10, 1.2 * plain)


def requests_after(healthy: int, ratio: float, *, restarts: bool, runs: int = 150) -> float:
    """Mean requests after a breakage until the rollback; looked at every 10 requests."""
    rng = np.random.default_rng(4)
    looks_before, looks = healthy // 10, healthy // 10 + 2000
    total = np.full((runs, looks), 10)
    shares = np.where(np.arange(looks) < looks_before, 0.0005, ratio)
    trace = Counted(total, rng.binomial(total, shares), look_s=1)
    if restarts:
        fired = Seatrial(OBJECTIVE).rollback_looks(trace, lambda: None)
        assert (fired >= looks_before).all()
        return 10 * float((fired - looks_before + 1).mean())
    bads = trace.bad.cumsum(axis=1)
    after = []
    for k in bads[:10]:
        look = next(
            look
            for look in range(looks_before, looks)
            if judge([OBJECTIVE], [Evidence(Counts(10 * (look + 1), int(k[look])))], restarts=False)[0].verdict
            is Verdict.Burning
        )
        after.append(10 * (look - looks_before + 1))
    return float(np.mean(after))


def test_late_breakage_is_found_soon_only_with_restart_points() -> None:
    """18,000 healthy requests, then 5 % bad: 1,287 more requests without restart points, at most 144 with.

    The longer ago the last restart point is, the more healthy requests dilute the evidence; midway is the usual case.
    """
    assert requests_after(18_000, 0.05, restarts=False) == pytest.approx(1287, rel=0.1)
    assert requests_after(18_000, 0.05, restarts=True) < 144
    assert requests_after(18_750, 0.05, restarts=True) < 300


def test_late_slight_breakage() -> None:
    """18,000 healthy requests, then 1 % bad: 1,496 more requests with restart points."""
    assert requests_after(18_000, 0.01, restarts=True) == pytest.approx(1496, rel=0.2)


def blamed(
    candidate_ratio: np.ndarray, stable_ratio: np.ndarray, share: np.ndarray, *, runs: int, seed: int
) -> tuple[int, int]:
    """Count runs in which the candidate was blamed, and in which it was excused, of 1,000 requests a look."""
    rng = np.random.default_rng(seed)
    burning = excused = 0
    for _ in range(runs):
        mine = rng.binomial(1000, share)
        theirs = 1000 - mine
        mine_bad, theirs_bad = rng.binomial(mine, candidate_ratio), rng.binomial(theirs, stable_ratio)
        mine, theirs, mine_bad, theirs_bad = (x.cumsum() for x in (mine, theirs, mine_bad, theirs_bad))
        starts = [0, *(np.flatnonzero(np.diff(share)) + 1).tolist()]
        seen = set()
        for look in range(len(share)):
            since = [start - 1 for start in starts if 0 < start <= look]
            evidence = Evidence(
                Counts(int(mine[look]), int(mine_bad[look])),
                since=tuple(Counts(int(mine[s]), int(mine_bad[s])) for s in since),
                stable=Counts(int(theirs[look]), int(theirs_bad[look])),
                stable_since=tuple(Counts(int(theirs[s]), int(theirs_bad[s])) for s in since),
            )
            verdict = judge([OBJECTIVE], [evidence])[0].verdict
            seen.add(verdict)
            if verdict is Verdict.Burning:
                break
        burning += Verdict.Burning in seen
        excused += Verdict.Environment in seen
    return burning, excused


SHARES = np.repeat([0.01, 0.1, 0.5], 20)


def test_an_outage_that_stable_shares_is_not_blamed_on_the_candidate() -> None:
    ratio = np.full(60, 0.0005)
    ratio[30:40] = 0.2
    burning, excused = blamed(ratio, ratio, SHARES, runs=100, seed=1)
    assert burning <= 1
    assert excused >= 95


def test_a_broken_candidate_is_blamed_even_during_an_outage() -> None:
    ratio = np.full(60, 0.0005)
    ratio[30:] = 0.02
    broken = ratio.copy()
    broken[30:] = 0.2
    burning, _ = blamed(broken, ratio, SHARES, runs=60, seed=2)
    assert burning == 60


@pytest.mark.parametrize("ratio", [0.001, 0.05, 0.6])
@pytest.mark.parametrize("tolerated_ratio", [1.0, 1.5])
def test_attribution_keeps_its_bound_for_rare_and_for_frequent_errors(ratio: float, tolerated_ratio: float) -> None:
    """At the very ratio that is tolerated, shares changing, errors from rare to 60 %: under 1 % at any look."""
    rng = np.random.default_rng(6)
    runs, hits = 300, 0
    stable_ratio = ratio / tolerated_ratio
    for _ in range(runs):
        mine = rng.binomial(200, np.repeat([0.01, 0.1, 0.5], 15))
        theirs = 200 - mine
        bad, stable_bad = rng.binomial(mine, ratio), rng.binomial(theirs, stable_ratio)
        for look in range(1, 46):
            bounds = [0, *(b for b in (15, 30) if b < look), look]
            rows = [[int(x[a:b].sum()) for x in (mine, bad, theirs, stable_bad)] for a, b in pairwise(bounds)]
            n_c, k_c, n_s, k_s = np.array(rows).T
            if (
                log_e_attribution(n_c, k_c, n_s, k_s, tolerated_ratio=tolerated_ratio)[0] >= np.log(100)
                and k_c.sum() >= 3
            ):
                hits += 1
                break
    assert hits <= 0.01 * runs


def test_detection_at_more_than_one_objective_costs_little() -> None:
    trace = draw(Traffic(10, 0.05), runs=300, duration_s=60, look_s=1, rng=np.random.default_rng(9))
    alone, shared = (run(Seatrial(OBJECTIVE, objectives=n), trace).requests_mean or 0 for n in (1, 8))
    assert shared < 1.5 * alone


def test_stricter_alpha_is_slower_and_safer() -> None:
    trace = draw(Traffic(10, 0.01), runs=300, duration_s=600, look_s=1, rng=np.random.default_rng(9))
    strict, loose = (
        Seatrial(replace(OBJECTIVE, alpha=Decimal(a))).rollback_looks(trace, lambda: None) for a in ("0.001", "0.05")
    )
    assert (strict[strict != NEVER] >= loose[strict != NEVER]).all()
