"""What a trial can see, computed before it runs.

How many requests does it take until a bad version is rolled back, and what do so many requests prove?

The plain test fires at the k-th bad request if that comes early enough, so there is a largest request number for each
k. With it the time to detection is the first passage of a random walk (bad requests among requests) through a
staircase, and its distribution follows exactly by carrying the probability of each count of bad requests from request
to request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge import sentences
from seatrial.judge.evalue import log_e_health, log_e_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from seatrial.judge.types import Objective

__all__ = [
    "Detection",
    "Resolution",
    "detection",
    "first_stretch_threshold",
    "latest_request",
    "likely_horizon",
    "needed_requests",
    "proof_requests",
    "resolve",
]

RESOLVABLE_BAD = 3
"""Bad requests that the budget must grant to a step before the step can tell a version within it from one beyond."""

_NEGLIGIBLE = 1e-10


@dataclass(frozen=True, slots=True)
class Detection:
    """Requests until a version with a constant share of bad requests is rolled back.

    Parameters
    ----------
    share
        Probability of a rollback within the horizon.
    mean, p50, p95
        Requests up to and with the deciding one, of the detected; quantiles are ``None`` when the horizon comes first.
    """

    share: float
    mean: float
    p50: int | None
    p95: int | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a number of requests can say about an objective.

    Parameters
    ----------
    resolvable
        Whether the budget grants them enough bad ones to tell a version within it from one beyond.
    needed
        Requests from which on it does.
    proof
        Requests without a bad one that prove health, which strict mode asks for.
    sentence
        The same in plain words.
    """

    resolvable: bool
    needed: int
    proof: int
    sentence: str


def first_stretch_threshold(threshold: float) -> float:
    """Return the e-value that the bet since the beginning must reach before a restart point is set.

    The restart mixture is then ``E / 2 + 1 / 2`` (:mod:`seatrial.judge.evalue`).
    """
    return 2 * threshold - 1


def latest_request(bad: ArrayLike, p0: float, threshold: float, *, horizon: int) -> NDArray[np.int64]:
    """Largest request number by which each bad request must come for the plain test to fire.

    Parameters
    ----------
    bad
        Which bad request, shape (m,), >= 1.
    p0
        Limit, 0 < p0 < 1.
    threshold
        E-value that fires.
    horizon
        Largest request number that is of interest.

    Returns
    -------
    ndarray
        Request numbers, shape (m,), at most ``horizon``; ``bad - 1`` where not even ``bad`` of ``bad`` requests
        suffice.
    """
    k = np.atleast_1d(np.asarray(bad, dtype=np.int64))
    fires, fails = k - 1, np.full_like(k, horizon + 1)
    while (fails - fires > 1).any():
        middle = (fires + fails) // 2
        enough = log_e_value(np.maximum(middle, k), k, p0) >= math.log(threshold)
        fires, fails = np.where(enough, middle, fires), np.where(enough, fails, middle)
    return fires


def detection(p: float, p0: float, threshold: float, *, min_bad: int = 3, horizon: int = 6000) -> Detection:
    """Distribution of the requests until the plain test rolls a version back.

    Parameters
    ----------
    p
        The version's true share of bad requests, 0 < p <= 1.
    p0
        Limit, 0 < p0 < 1.
    threshold
        E-value that fires.
    min_bad
        Bad requests below which nothing fires.
    horizon
        Requests after which the trial is over, >= 1.
    """
    needed = _staircase(p0, threshold, min_bad, horizon)
    alive = np.zeros(int(needed[-1]) + 2)
    alive[0] = 1.0
    fired = np.zeros(horizon + 1)
    for n in range(1, horizon + 1):
        alive[1:] = (1 - p) * alive[1:] + p * alive[:-1]
        alive[0] *= 1 - p
        step = int(needed[n])
        fired[n] = alive[step:].sum()
        alive[step:] = 0.0
        if alive.sum() < _NEGLIGIBLE:
            break
    reached = fired.cumsum()
    share = float(reached[-1])
    mean = float(fired @ np.arange(horizon + 1)) / share if share else math.inf
    p50, p95 = (int(np.searchsorted(reached, q)) if share >= q else None for q in (0.5, 0.95))
    return Detection(share=share, mean=mean, p50=p50, p95=p95)


def likely_horizon(p: float, p0: float, threshold: float, *, longest: int) -> int:
    """Return a number of requests by which a rollback is all but certain, or ``longest`` when that is less.

    Ten times the lower bound of any sequential test, ``ln(threshold) / KL(p || p0)`` (Wald 1945), for ``p > p0``.
    """
    good = (1 - p) * math.log((1 - p) / (1 - p0)) if p < 1 else 0.0
    divergence = p * math.log(p / p0) + good
    return min(longest, math.ceil(100 + 10 * math.log(threshold) / divergence))


@lru_cache(maxsize=256)
def proof_requests(p0: float, alpha: float) -> int:
    """Count the requests, none of them bad, that prove a version to be within its limit."""
    enough = 1
    while log_e_health(enough, 0, p0)[0] < -math.log(alpha):
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        if log_e_health(middle, 0, p0)[0] < -math.log(alpha):
            short = middle
        else:
            enough = middle
    return enough


def needed_requests(objective: Objective) -> int:
    """Count the requests to which the budget grants ``RESOLVABLE_BAD`` bad ones."""
    return math.ceil(RESOLVABLE_BAD / objective.error_budget)


def resolve(objective: Objective, requests: int) -> Resolution:
    """Say what so many requests can tell about an objective."""
    budget = float(objective.error_budget)
    needed = needed_requests(objective)
    proof = proof_requests(float(objective.p0), float(objective.alpha))
    said = f"{requests:,} requests at {objective.target} % grant {sentences.significant(budget * requests)} bad ones"
    if requests >= needed:
        sentence = f"{said}: enough to tell a version within the budget from one beyond it."
    else:
        sentence = (
            f"{said}: too few to tell a version within the budget from one a little beyond; that takes {needed:,}."
        )
    return Resolution(resolvable=requests >= needed, needed=needed, proof=proof, sentence=sentence)


def _staircase(p0: float, threshold: float, min_bad: int, horizon: int) -> NDArray[np.int64]:
    """Bad requests that fire at each request number 0 to ``horizon``, shape (horizon + 1,)."""
    most = max(64, min_bad)
    while True:
        bad = np.arange(min_bad, most + 1)
        latest = latest_request(bad, p0, threshold, horizon=horizon)
        if latest[-1] >= horizon or most > horizon:
            break
        most *= 2
    return min_bad + np.searchsorted(np.maximum.accumulate(latest), np.arange(horizon + 1))
