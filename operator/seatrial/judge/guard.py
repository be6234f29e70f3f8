"""The absolute guard: what a release may spend of the service's budget, whatever the statistics say.

A release gets an allowance of bad events, a share of the whole window's budget. What counts against it is the excess:
bad events beyond those that the objective grants to the requests that were served. A version that burns at rate 1
lives within the promise for ever and never trips the guard, one that burns faster does in the end. It takes minutes
at a total outage and hours at small burns, so it is only the outer line; the e-value test is the inner one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seatrial.judge.types import Counts

__all__ = ["ALLOWANCE_SHARE", "MIN_ALLOWANCE", "allowance", "excess", "overspent"]

ALLOWANCE_SHARE = Decimal("0.02")
"""Share of the window's budget that a release may spend."""

MIN_ALLOWANCE = 10
"""An allowance of fewer events cannot be told from chance, so it guards nothing."""


def allowance(budget: Decimal, *, share: Decimal = ALLOWANCE_SHARE, remaining: Decimal | None = None) -> float:
    """Bad events that a release may cause beyond its rate.

    Parameters
    ----------
    budget
        Bad events that the service's SLO window grants.
    share
        Share of the window's budget, 0 < share <= 1.
    remaining
        Bad events that the service may still have in the window, or ``None`` when unknown; it caps the allowance.
    """
    granted = share * budget
    return float(granted if remaining is None else max(Decimal(0), min(granted, remaining)))


def excess(counts: Counts, error_budget: float) -> float:
    """Bad events beyond those that the objective grants; negative when the version has credit."""
    return counts.bad - error_budget * counts.total


def overspent(counts: Counts, error_budget: float, allowed: float) -> bool:
    """Whether a release has spent its allowance."""
    return allowed >= MIN_ALLOWANCE and excess(counts, error_budget) >= allowed
