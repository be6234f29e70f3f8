"""Who is to blame: the candidate, or what candidate and stable share."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.attribution import log_e_attribution
from seatrial.judge.judge import judge
from seatrial.judge.restart import OUTAGE_REQUESTS, next_restart
from seatrial.judge.types import Counts, Evidence, Objective, Verdict

AVAILABILITY = Objective("availability", "shop", Decimal("99.9"))

# Errors of a canary beside a stable version without any, and the e-value computed independently
# (Spinnaker users reported them as wrongly passed)
KAYENTA_426, KAYENTA_799 = (4, 12.0), (11, 1183.0)


@pytest.mark.parametrize(("bad", "e_value"), [KAYENTA_426, KAYENTA_799])
def test_cases_of_which_users_said_that_a_canary_must_fail(bad: int, e_value: float) -> None:
    """As counts at equal traffic against a stable version without errors; computed independently."""
    log_e = log_e_attribution(1000, bad, 1000, 0, tolerated_ratio=1.0)
    assert math.exp(log_e[0]) == pytest.approx(e_value, rel=0.03)


def test_grid_agrees_with_the_integral_it_stands_for() -> None:
    def ratio(u: float) -> float:
        d, r = 1.5 * 1000**u, 1.5
        first = (d / r) ** 4 * ((r * 50 + 450) / (d * 50 + 450)) ** 5
        return float(first * (d / r) ** 3 * ((r * 90 + 90) / (d * 90 + 90)) ** 4)

    exact, _ = quad(ratio, 0, 1)
    log_e = log_e_attribution([50, 90], [4, 3], [450, 90], [1, 1])
    assert math.exp(log_e[0]) == pytest.approx(exact, rel=1e-3)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 8))
def test_expected_value_is_one_at_the_tolerated_ratio(requests: int, stable_requests: int, errors: int) -> None:
    theta = 1.5 * requests / (1.5 * requests + stable_requests)
    bad = np.arange(errors + 1)
    probability = np.array([math.comb(errors, k) for k in bad]) * theta**bad * (1 - theta) ** (errors - bad)
    evidence = [math.exp(log_e_attribution(requests, k, stable_requests, errors - k)[0]) for k in bad]
    assert (probability * evidence).sum() == pytest.approx(1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 50), st.integers(0, 50))
def test_more_errors_of_stable_excuse_the_candidate(mine: int, theirs: int, bad: int, stable_bad: int) -> None:
    log_e = log_e_attribution(mine + 50, bad, theirs + 50, stable_bad)[0]
    assert np.isfinite(log_e)
    assert log_e_attribution(mine + 50, bad, theirs + 50, stable_bad + 1)[0] <= log_e + 1e-9
    assert log_e_attribution(mine + 50, bad + 1, theirs + 50, stable_bad)[0] >= log_e - 1e-9


def test_an_interval_without_requests_says_nothing() -> None:
    assert log_e_attribution([0, 10], [0, 3], [0, 90], [0, 0])[0] == pytest.approx(log_e_attribution(10, 3, 90, 0)[0])


def verdict(candidate: Counts, stable: Counts | None, **more: object) -> Verdict:
    return judge([AVAILABILITY], [Evidence(candidate, stable=stable, **more)])[0].verdict  # type: ignore[arg-type]  # free keywords


def test_shared_outage_is_the_environment() -> None:
    shared = judge([AVAILABILITY], [Evidence(Counts(100, 20), stable=Counts(900, 180))])[0]
    assert shared.verdict is Verdict.Environment
    assert "180 of 900" in shared.sentence
    assert shared.e_attribution is not None
    assert shared.e_attribution < 1


def test_candidate_alone_is_burning() -> None:
    assert verdict(Counts(100, 20), Counts(900, 0)) is Verdict.Burning
    assert verdict(Counts(100, 20), None) is Verdict.Burning
    assert verdict(Counts(100, 20), Counts(0, 0)) is Verdict.Burning


def test_candidate_much_worse_than_a_burning_stable_is_blamed() -> None:
    assert verdict(Counts(1000, 200), Counts(9000, 90)) is Verdict.Burning


def test_one_unlucky_error_of_stable_does_not_excuse() -> None:
    assert verdict(Counts(100, 20), Counts(900, 1)) is Verdict.Burning


def test_shared_outage_late_in_a_long_trial_is_the_environment() -> None:
    """Stable's good record must not hide that it fails now, in the stretch that condemns the candidate."""
    evidence = Evidence(
        Counts(18_030, 6),
        since=(Counts(9_000, 0), Counts(18_000, 0)),
        stable=Counts(162_270, 54),
        stable_since=(Counts(81_000, 0), Counts(162_000, 0)),
    )
    assert judge([AVAILABILITY], [evidence])[0].verdict is Verdict.Environment


def test_share_of_traffic_may_change_while_errors_do() -> None:
    """At 1 % all was well, at 50 % both fail: pooled shares would blame the candidate."""
    evidence = Evidence(
        Counts(100 + 1000, 100),
        since=(Counts(100, 0),),
        stable=Counts(9900 + 1000, 100),
        stable_since=(Counts(9900, 0),),
    )
    assert judge([AVAILABILITY], [evidence])[0].verdict is Verdict.Environment
    retired = Evidence(
        Counts(100 + 1000, 100),
        since=(Counts(1000, 90),),
        stable=Counts(9900 + 1000, 100),
        stable_since=(Counts(10_800, 90),),
        retired=1,
    )
    assert judge([AVAILABILITY], [retired])[0].verdict is Verdict.Environment


def test_clustered_errors_are_weaker_attribution() -> None:
    clean = judge([AVAILABILITY], [Evidence(Counts(100, 20), stable=Counts(900, 0))])[0]
    bursts = judge([AVAILABILITY], [Evidence(Counts(100, 20), stable=Counts(900, 0), dispersion=3.0)])[0]
    assert clean.e_attribution is not None
    assert bursts.e_attribution is not None
    assert bursts.e_attribution < clean.e_attribution


OUTAGE = Evidence(Counts(600, 60), stable=Counts(5400, 540))
AFTER = replace(OUTAGE, since=(Counts(600, 60),), stable_since=(Counts(5400, 540),))


def test_after_a_shared_outage_the_version_is_judged_afresh() -> None:
    """Otherwise one bad minute of a database would hold every trial for days."""
    assert judge([AVAILABILITY], [OUTAGE])[0].verdict is Verdict.Environment
    soon = replace(AFTER, candidate=Counts(605, 60), stable=Counts(5445, 540))
    assert judge([AVAILABILITY], [soon])[0].verdict is Verdict.Inconclusive
    later = replace(AFTER, candidate=Counts(1600, 60), stable=Counts(14_400, 545))
    recovered = judge([AVAILABILITY], [later])[0]
    assert recovered.verdict is Verdict.Healthy
    assert "Since an outage that stable suffered too: 0 of 1,000 requests were bad" in recovered.sentence
    assert judge([AVAILABILITY], [later], min_requests=1001)[0].verdict is Verdict.Inconclusive
    assert judge([AVAILABILITY], [later], strict=True)[0].verdict is Verdict.Inconclusive


def test_a_version_that_breaks_alone_after_a_shared_outage_is_blamed() -> None:
    broken = replace(AFTER, candidate=Counts(1600, 90), stable=Counts(14_400, 545))
    assert judge([AVAILABILITY], [broken])[0].verdict is Verdict.Burning
    nearly_promoted = replace(AFTER, candidate=Counts(1600, 72), stable=Counts(5440, 540))
    condemned = judge([AVAILABILITY], [nearly_promoted])[0]
    assert condemned.verdict is Verdict.Burning
    assert condemned.e_attribution is not None
    assert condemned.e_attribution < condemned.threshold  # what condemns it is its own record since the outage
    assert "12 of the last 1,000" in condemned.sentence


def test_a_second_shared_outage_is_excused_too() -> None:
    again = replace(AFTER, candidate=Counts(1600, 160), stable=Counts(14_400, 1440))
    assert judge([AVAILABILITY], [again])[0].verdict is Verdict.Environment


def test_an_outage_is_not_called_while_nothing_is_known_of_now() -> None:
    assert judge([AVAILABILITY], [replace(OUTAGE, unavailable="timeout")])[0].verdict is Verdict.Unavailable
    assert judge([AVAILABILITY], [replace(OUTAGE, fresh=False)])[0].verdict is Verdict.NoData


def test_blame_waits_for_a_sample_of_stable_from_the_same_time() -> None:
    """The candidate is scraped first: what both suffer seems to be its own until stable is scraped."""
    first = Evidence(Counts(100, 20), stable=Counts(900, 0), stable_lags=True)
    waiting = judge([AVAILABILITY], [first])[0]
    assert (waiting.verdict, waiting.awaits_stable) == (Verdict.Inconclusive, True)
    shared = judge([AVAILABILITY], [replace(first, stable=Counts(1000, 200), stable_lags=False)])[0]
    assert (shared.verdict, shared.awaits_stable) == (Verdict.Environment, False)
    alone = judge([AVAILABILITY], [replace(first, stable=Counts(1000, 0), stable_lags=False)])[0]
    assert (alone.verdict, alone.awaits_stable) == (Verdict.Burning, False)


def test_restart_points_come_closer_together_during_an_outage() -> None:
    assert not next_restart(OUTAGE_REQUESTS - 1, environment=True)
    assert next_restart(OUTAGE_REQUESTS, environment=True)
    assert not next_restart(OUTAGE_REQUESTS)
