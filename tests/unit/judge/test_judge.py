"""Verdicts: which evidence leads to which, and that nothing but the evidence matters."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.judge.judge import Trial, judge, judge_all, overall
from seatrial.judge.restart import MAX_RESTARTS, RESTART_REQUESTS, next_restart, retire
from seatrial.judge.types import Counts, Evidence, Judgement, Objective, Verdict

AVAILABILITY = Objective("availability", "shop", Decimal("99.9"))
LATENCY = Objective("latency", "shop", Decimal(95))


def plain(total: int, bad: int, objective: Objective = AVAILABILITY) -> Judgement:
    return judge([objective], [Evidence(Counts(total, bad))], restarts=False)[0]


counts = st.integers(0, 100_000).flatmap(lambda n: st.builds(Counts, st.just(n), st.integers(0, n)))


@pytest.mark.parametrize(
    ("total", "bad", "verdict"),
    [
        (78, 3, Verdict.Burning),
        (79, 3, Verdict.Inconclusive),
        (794, 8, Verdict.Burning),
        (795, 8, Verdict.Inconclusive),
        (20, 2, Verdict.Inconclusive),  # E = 110, but two bad requests are too few
        (3, 3, Verdict.Burning),
        (600, 0, Verdict.Healthy),
        (0, 0, Verdict.NoData),
    ],
)
def test_plain_verdicts(total: int, bad: int, verdict: Verdict) -> None:
    assert plain(total, bad).verdict is verdict


def test_restarts_cost_half_of_the_first_bet() -> None:
    assert judge([AVAILABILITY], [Evidence(Counts(78, 3))])[0].verdict is Verdict.Inconclusive
    assert judge([AVAILABILITY], [Evidence(Counts(55, 3))])[0].verdict is Verdict.Burning


def test_alpha_is_shared_among_objectives() -> None:
    alone = plain(78, 3)
    shared = judge([AVAILABILITY, LATENCY], [Evidence(Counts(78, 3)), Evidence(Counts(78, 0))], restarts=False)
    assert alone.threshold == pytest.approx(100)
    assert [j.threshold for j in shared] == pytest.approx([200, 200])
    assert shared[0].verdict is Verdict.Inconclusive
    assert shared[0].e_value == alone.e_value


def test_late_breakage_is_found_through_a_restart_point() -> None:
    """18,000 healthy requests, then 5 %: 1,287 more without restart points, 144 with."""
    restart_points = tuple(Counts(n, 0) for n in range(RESTART_REQUESTS, 18_001, RESTART_REQUESTS))
    broken = Counts(18_160, 8)
    assert judge([AVAILABILITY], [Evidence(broken)])[0].verdict is Verdict.Healthy
    late = judge([AVAILABILITY], [Evidence(broken, since=restart_points)])[0]
    assert late.verdict is Verdict.Burning
    assert "8 of the last 160" in late.sentence


def test_recent_evidence_keeps_a_good_record_from_being_healthy() -> None:
    evidence = Evidence(Counts(18_100, 3), since=(Counts(18_000, 0),))
    assert judge([AVAILABILITY], [evidence])[0].verdict is Verdict.Inconclusive


def test_beginning_may_be_named_or_left_out() -> None:
    named = Evidence(Counts(2000, 3), since=(Counts(0, 0), Counts(1500, 0)))
    left_out = Evidence(Counts(2000, 3), since=(Counts(1500, 0),))
    assert judge([AVAILABILITY], [named]) == judge([AVAILABILITY], [left_out])


def test_step_minimum_holds() -> None:
    evidence = [Evidence(Counts(5000, 0))]
    assert judge([AVAILABILITY], evidence, min_requests=500, step_total=[499])[0].verdict is Verdict.Inconclusive
    assert judge([AVAILABILITY], evidence, min_requests=500, step_total=[500])[0].verdict is Verdict.Healthy
    assert "499 of the 500 requests" in judge([AVAILABILITY], evidence, min_requests=500, step_total=[499])[0].sentence


def test_a_step_that_has_shown_nothing_is_not_healthy() -> None:
    evidence = [Evidence(Counts(5000, 0)), Evidence(Counts(5000, 0))]
    silent = judge([AVAILABILITY, LATENCY], evidence, step_total=[0, 0])
    assert [found.verdict for found in silent] == [Verdict.Inconclusive] * 2
    assert "no request was counted in this step yet" in silent[0].sentence
    # Events of one objective may be rarer than requests: labels, features that are missing.
    assert {found.verdict for found in judge([AVAILABILITY, LATENCY], evidence, step_total=[0, 1])} == {Verdict.Healthy}


def test_metrics_outage_is_no_fault_and_no_success() -> None:
    good = Evidence(Counts(5000, 0), unavailable="connection refused")
    assert judge([AVAILABILITY], [good])[0].verdict is Verdict.Unavailable
    assert "connection refused" in judge([AVAILABILITY], [good])[0].sentence
    assert judge([AVAILABILITY], [replace(good, unavailable=None, fresh=False)])[0].verdict is Verdict.NoData


def test_evidence_that_was_enough_stays_enough_without_metrics() -> None:
    lost = Evidence(Counts(100, 50), fresh=False, unavailable="timeout")
    assert judge([AVAILABILITY], [lost])[0].verdict is Verdict.Burning


@given(counts)
def test_never_burning_on_fewer_than_min_bad(seen: Counts) -> None:
    assert plain(seen.total, seen.bad, replace(AVAILABILITY, min_bad=seen.bad + 1)).verdict is not Verdict.Burning


@given(counts, st.integers(0, 50))
def test_monotone_in_bad(seen: Counts, more: int) -> None:
    mild = plain(seen.total, seen.bad)
    worse = plain(seen.total, min(seen.total, seen.bad + more))
    order = [Verdict.NoData, Verdict.Healthy, Verdict.Inconclusive, Verdict.Burning]
    assert order.index(worse.verdict) >= order.index(mild.verdict)


def test_early_failures_are_outlived_and_late_successes_forgive_no_burst() -> None:
    """Neither does an old failure hang on for ever, nor does a good minute erase a bad one."""
    assert plain(20, 2).verdict is Verdict.Inconclusive
    assert plain(3000, 2).verdict is Verdict.Healthy
    burst = Evidence(Counts(2000, 12), since=(Counts(1500, 0),))
    recovered = Evidence(Counts(2060, 12), since=(Counts(1500, 0),))
    assert [judge([AVAILABILITY], [one])[0].verdict for one in (burst, recovered)] == [Verdict.Burning] * 2


@given(
    st.lists(st.tuples(counts, counts), min_size=1, max_size=5), st.integers(1, 50), st.floats(1, 5), st.integers(0, 3)
)
def test_more_bad_requests_never_save_a_version_that_burns(
    parts: list[tuple[Counts, Counts]], more: int, dispersion: float, retired: int
) -> None:
    """Whatever stable did meanwhile, and however many restart points there are."""
    sums = [[Counts(0, 0)], [Counts(0, 0)]]
    for part in parts:
        for side, side_part in zip(sums, part, strict=True):
            side.append(Counts(side[-1].total + side_part.total, side[-1].bad + side_part.bad))
    mine, theirs = sums
    retired = retired if len(parts) > 1 else 0
    evidence = Evidence(
        mine[-1], tuple(mine[1:-1]), theirs[-1], tuple(theirs[1:-1]), retired=retired, dispersion=dispersion
    )
    worst = mine[-1].bad + min(more, parts[-1][0].total - parts[-1][0].bad)
    worse = replace(evidence, candidate=Counts(mine[-1].total, worst))
    before, after = (judge([AVAILABILITY], [one])[0] for one in (evidence, worse))
    assert after.e_value >= before.e_value * (1 - 1e-9)
    if before.verdict is Verdict.Burning:
        assert after.verdict is Verdict.Burning


@given(st.lists(counts, min_size=1, max_size=6), st.floats(1, 20))
def test_clustered_errors_are_less_evidence(parts: list[Counts], dispersion: float) -> None:
    total = Counts(sum(p.total for p in parts), sum(p.bad for p in parts))
    tempered = judge([AVAILABILITY], [Evidence(total, dispersion=dispersion)])[0]
    untempered = judge([AVAILABILITY], [Evidence(total)])[0]
    assert abs(tempered.e_value - 1) <= abs(untempered.e_value - 1) * (1 + 1e-9)


@given(st.lists(st.tuples(counts, counts, counts), min_size=1, max_size=8))
def test_judged_together_or_one_by_one_is_the_same(rows: list[tuple[Counts, Counts, Counts]]) -> None:
    """A restart of the operator re-reads the stored totals; batches form by chance. Neither may change a verdict."""
    trials = []
    for index, (a, b, c) in enumerate(rows):
        first, second = a, Counts(a.total + b.total, a.bad + b.bad)
        now = Counts(second.total + c.total, second.bad + c.bad)
        since = ((), (first,), (first, second))[index % 3]
        trials.append(Trial((AVAILABILITY, LATENCY), (Evidence(now, since=since), Evidence(now))))
    assert judge_all(trials) == [judge(t.objectives, t.evidence) for t in trials]


def test_json_can_hold_every_judgement() -> None:
    worst = plain(10_000_000, 10_000_000)
    assert json.loads(json.dumps(worst._asdict()))["e_value"] == pytest.approx(1e300)


def test_overall_is_the_worst_and_of_those_the_strongest() -> None:
    evidence = [Evidence(Counts(100, 5)), Evidence(Counts(100, 0), unavailable="timeout"), Evidence(Counts(100, 50))]
    objectives = [replace(AVAILABILITY, name=name) for name in "abc"]
    assert overall(judge(objectives, evidence)).objective == "c"
    assert overall(judge(objectives[:2], [Evidence(Counts(900, 0)), evidence[1]])).verdict is Verdict.Unavailable
    with pytest.raises(ValueError, match="at least one objective"):
        overall([])


def test_restart_points_are_set_and_bounded() -> None:
    assert not next_restart(RESTART_REQUESTS - 1)
    assert next_restart(RESTART_REQUESTS)
    points = tuple(Counts(n, 0) for n in range(1, MAX_RESTARTS + 3))
    kept, kept_stable, retired = retire(points, points)
    assert (kept, kept_stable, retired) == (points[2:], points[2:], 2)
    assert retire(points[:3], ()) == (points[:3], (), 0)


def test_retired_points_keep_the_test_valid() -> None:
    """Giving a bet up may only lower the evidence."""
    points = tuple(Counts(n, 0) for n in range(1500, 9001, 1500))
    everything = judge([AVAILABILITY], [Evidence(Counts(9100, 6), since=points)])[0]
    bounded = judge([AVAILABILITY], [Evidence(Counts(9100, 6), since=points[4:], retired=4)])[0]
    assert bounded.e_value < everything.e_value


@pytest.mark.parametrize(
    ("target", "changes", "says"),
    [
        ("100", {}, "no error budget"),
        ("0", {}, "between 0 and 100"),
        ("90", {"burn_rate": Decimal("14.4")}, "burnRate below 10 "),
        ("50", {"burn_rate": Decimal(2)}, "burnRate below 2 "),
        ("99", {"burn_rate": Decimal(0)}, "above 0"),
        ("99", {"alpha": Decimal(1)}, "alpha"),
        ("99", {"min_bad": 0}, "minBad"),
    ],
)
def test_impossible_objectives_are_refused_with_a_sentence(target: str, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Objective("o", "s", Decimal(target), **changes)


def test_budget_is_exact() -> None:
    assert AVAILABILITY.error_budget == Decimal("0.001")
    assert AVAILABILITY.p0 == Decimal("0.002")


@pytest.mark.parametrize(("total", "bad"), [(3, 4), (3, -1), (-1, 0)])
def test_impossible_counts_are_refused(total: int, bad: int) -> None:
    with pytest.raises(ValueError, match="same instant"):
        Counts(total, bad)


def test_counts_that_shrink_are_refused() -> None:
    with pytest.raises(ValueError, match="shrank"):
        judge([AVAILABILITY], [Evidence(Counts(10, 0), since=(Counts(20, 0),))])


def test_unpaired_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="pair up"):
        judge([AVAILABILITY], [])
    with pytest.raises(ValueError, match="same instants"):
        Evidence(Counts(10, 0), since=(Counts(5, 0),), stable=Counts(10, 0))
    with pytest.raises(ValueError, match="without restarts"):
        judge([AVAILABILITY], [Evidence(Counts(10, 0), since=(Counts(5, 0),))], restarts=False)


def test_strict_mode_asks_for_proof() -> None:
    young = judge([AVAILABILITY], [Evidence(Counts(600, 0))], strict=True)[0]
    assert young.verdict is Verdict.Inconclusive
    assert "proof" in young.sentence
    assert judge([AVAILABILITY], [Evidence(Counts(600, 0))])[0].verdict is Verdict.Healthy
    assert judge([AVAILABILITY], [Evidence(Counts(6000, 1))], strict=True)[0].verdict is Verdict.Healthy
