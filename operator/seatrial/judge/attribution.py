"""Attribution: is it the candidate, or is it everybody.

When a database behind both versions breaks, the candidate is over its limit and yet not to blame. The test here asks
whether errors come from the candidate more often than its share of the traffic explains. Of ``K`` errors in an
interval in which candidate and stable got ``n_c`` and ``n_s`` requests, each is the candidate's with probability ``d
n_c / (d n_c + n_s)`` if the candidate fails ``d`` times as often as stable. The claim to refute is ``d <= r``, so the
evidence is

    E = mean_d  prod_t  (d / r)^k_ct * ((r n_ct + n_st) / (d n_ct + n_st))^K_t,      d log-uniform in (r, 1000 r)

over intervals ``t`` with a constant share of traffic each. How frequent errors are, and how that swings, cancels:
only who has them counts.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (arXiv 2011.03567),
section on software canaries. With small numbers of requests it rests on errors being rare or ``r`` being 1 (the
hypergeometric law is below the binomial one in convex order); for frequent errors and ``r > 1`` the simulation in
``tests/simulation/judge`` shows that the bound holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.evalue import GRID_POINTS, FloatArray, log_e_restart, log_e_value, log_mean_exp
from seatrial.judge.restart import orders, restart_points

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from seatrial.judge.types import Counts, Evidence

__all__ = ["TOLERATED_RATIO", "Attribution", "attribute", "log_e_attribution"]

TOLERATED_RATIO = 1.5
"""A candidate that fails at most this many times as often as stable is not blamed for what both suffer."""

_WIDEST_RATIO = 1000.0


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who is to blame for a candidate over its limit.

    Parameters
    ----------
    log_e
        Log of the evidence that the candidate fails more often than stable, over the whole trial (restart mixture).
    stable
        What stable got since each restart point, the beginning of the trial first.
    stable_log_e
        Log of the evidence that stable itself was over the limit since each restart point, shape as ``stable``.
    """

    log_e: float
    stable: tuple[Counts, ...]
    stable_log_e: FloatArray


def attribute(evidence: Evidence, p0: float) -> Attribution | None:
    """Compare candidate and stable over the same time.

    Parameters
    ----------
    evidence
        Counts of both sides, with a restart point wherever the share of traffic changed.
    p0
        The objective's limit, 0 < p0 < 1.

    Returns
    -------
    Attribution or None
        ``None`` when there is no stable version: then nobody shares the blame.
    """
    if evidence.stable is None:
        return None
    candidate_points, stable_points = restart_points(evidence)
    intervals = [
        (
            now.total - then.total,
            now.bad - then.bad,
            stable_now.total - stable_then.total,
            stable_now.bad - stable_then.bad,
        )
        for then, now, stable_then, stable_now in zip(
            candidate_points,
            (*candidate_points[1:], evidence.candidate),
            stable_points,
            (*stable_points[1:], evidence.stable),
            strict=True,
        )
    ]
    log_e = log_e_attribution(*np.array(intervals, dtype=np.float64).T) / evidence.dispersion
    if evidence.retired:
        # shares changed within the first interval, and who had the errors then is not known: that bet is given up
        log_e[0] = -np.inf
    order = orders(len(log_e), evidence.retired)
    stable = tuple(evidence.stable - then for then in stable_points)
    totals, bads = np.array([(since.total, since.bad) for since in stable]).T
    return Attribution(
        log_e=float(log_e_restart(log_e, [0], order)[0]),
        stable=stable,
        stable_log_e=log_e_value(totals, bads, p0) / evidence.dispersion,
    )


def log_e_attribution(
    candidate: ArrayLike,
    candidate_bad: ArrayLike,
    stable: ArrayLike,
    stable_bad: ArrayLike,
    *,
    tolerated_ratio: float = TOLERATED_RATIO,
) -> FloatArray:
    """Log of the evidence that the candidate fails more than ``tolerated_ratio`` times as often as stable.

    Parameters
    ----------
    candidate, stable
        Exposure of both sides in each interval, shape (t,), >= 0: requests, or pod-seconds for restarts and
        out-of-memory kills (events of a Poisson process; the same argument holds for exposures known beforehand).
    candidate_bad, stable_bad
        Errors of both sides in each interval, shape (t,), >= 0.
    tolerated_ratio
        ``r`` of the module's description, > 0.

    Returns
    -------
    ndarray
        Natural log of the evidence from interval i to the last one, shape (t,): element 0 is that of all intervals.
    """
    exposure, bad, other, other_bad = (
        np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (candidate, candidate_bad, stable, stable_bad)
    )
    steps = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS
    log_excess = np.log(_WIDEST_RATIO) * steps
    ratios = tolerated_ratio * np.exp(log_excess)
    at_limit = tolerated_ratio * exposure + other
    at_limit[at_limit == 0] = 1  # nobody had a request, so nobody had an error: the factor is 1
    share_ratio = at_limit[:, None] / np.maximum(exposure[:, None] * ratios + other[:, None], np.finfo(float).tiny)
    share_ratio[(exposure + other) == 0] = 1
    log_ratio = bad[:, None] * log_excess + (bad + other_bad)[:, None] * np.log(share_ratio)
    since = np.cumsum(log_ratio[::-1], axis=0)[::-1]
    return log_mean_exp(since)
