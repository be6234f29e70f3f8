"""The words of judgement: what is promised, what was counted, what follows from it.

Everything here is an immutable value. Ratios that come from a manifest are ``Decimal`` (99.9 % leaves a budget of
exactly 0.001, which binary fractions do not), ratios that come from counting are ``float``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Counts", "Evidence", "Judgement", "Objective", "Verdict"]

_HUNDRED = Decimal(100)


class Verdict(StrEnum):
    """What the evidence says about a version; only ``Healthy`` lets a rollout go on."""

    Healthy = "Healthy"
    """Fresh data, enough requests, and the evidence against the version is weak."""
    Burning = "Burning"
    """The version spends its error budget faster than allowed: roll back."""
    Inconclusive = "Inconclusive"
    """Too little or too mixed to say anything: wait."""
    NoData = "NoData"
    """The metrics source answers, but knows no recent sample or no request of this version."""
    Unavailable = "Unavailable"
    """The metrics source does not answer."""
    Environment = "Environment"
    """Candidate and stable burn alike: the surroundings are to blame, not the version."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Events of one objective on one side.

    Parameters
    ----------
    total
        All events, >= 0.
    bad
        The bad ones among them, 0 <= bad <= total.

    Raises
    ------
    ValueError
        When the two do not fit together. It usually means that they were read at different instants.
    """

    total: int
    bad: int

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.total:
            raise ValueError(
                f"{self.bad} bad of {self.total} events is impossible: both counts must be read at the same instant "
                f"and the bad events must be a part of the total"
            )

    def __sub__(self, earlier: Counts) -> Counts:
        """Return the events since ``earlier``; raises ``ValueError`` when that is not a part of this."""
        return Counts(self.total - earlier.total, self.bad - earlier.bad)


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise of a ModelSLO and the rule by which a version that breaks it is rolled back.

    Parameters
    ----------
    name
        Name of the objective inside its ModelSLO.
    slo
        Name of the ModelSLO.
    target
        Percentage of good events, 0 < target < 100.
    burn_rate
        How many times faster than the budget a version may spend before it is rolled back, > 0.
    alpha
        Probability, over the whole trial, of rolling back a version that is exactly at its limit, 0 < alpha < 1.
        It is shared by all objectives of a ModelDeployment.
    min_bad
        Never roll back on fewer bad events, >= 1.

    Raises
    ------
    ValueError
        When a value is out of its range, or when the limit ``burn_rate * error_budget`` is 100 % or more.
    """

    name: str
    slo: str
    target: Decimal
    burn_rate: Decimal = Decimal(2)
    alpha: Decimal = Decimal("0.01")
    min_bad: int = 3

    def __post_init__(self) -> None:
        where = f"objective {self.name!r} of ModelSLO {self.slo!r}"
        if not 0 < self.target < _HUNDRED:
            raise ValueError(
                f"{where}: a target of {self.target} % cannot be judged; it must lie between 0 and 100, without both "
                f"(a target of 100 leaves no error budget)"
            )
        if not self.burn_rate > 0:
            raise ValueError(f"{where}: burnRate {self.burn_rate} must be above 0")
        if not 0 < self.alpha < 1:
            raise ValueError(f"{where}: alpha {self.alpha} must lie between 0 and 1, without both")
        if self.min_bad < 1:
            raise ValueError(f"{where}: minBad {self.min_bad} must be at least 1")
        if self.p0 >= 1:
            highest = float(1 / self.error_budget)
            raise ValueError(
                f"{where}: burning at {self.burn_rate} times the budget of {float(self.error_budget * _HUNDRED):g} % "
                f"means more bad events than events, which can never happen; choose a burnRate below {highest:.4g} "
                f"or a higher target"
            )

    @property
    def error_budget(self) -> Decimal:
        """Share of events that may be bad, 0 < budget < 1 (SRE workbook, chapter 5)."""
        return 1 - self.target / _HUNDRED

    @property
    def p0(self) -> Decimal:
        """Highest share of bad events that is still tolerated of a version, 0 < p0 < 1."""
        return self.burn_rate * self.error_budget


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted for one objective since the trial began.

    Parameters
    ----------
    candidate
        Counts of the candidate since the trial began.
    since
        Totals of the candidate when each restart point was set, oldest first. The beginning of the trial, ``Counts(0,
        0)``, is always a restart point; it may be left out here. See :mod:`seatrial.judge.restart`.
    stable
        Counts of the stable version over the same time, or ``None`` when there is none.
    stable_since
        Totals of the stable version at the same restart points; empty when ``stable`` is ``None``.
    fresh
        Whether the newest sample is recent enough to speak for now.
    unavailable
        Why the metrics source does not answer, or ``None`` when it does.
    retired
        How many restart points between the beginning and the oldest of ``since`` were given up to bound the list.
    dispersion
        How clustered bad events are, >= 1: 1 when they come alone, larger when they come in bursts. The evidence is
        tempered by it (:mod:`seatrial.judge.dispersion`).

    Raises
    ------
    ValueError
        When restart points of both sides do not pair up, or ``dispersion`` is below 1.
    """

    candidate: Counts
    since: tuple[Counts, ...] = ()
    stable: Counts | None = None
    stable_since: tuple[Counts, ...] = ()
    fresh: bool = True
    unavailable: str | None = None
    retired: int = 0
    dispersion: float = 1.0
    allowance: float | None = None
    stable_lags: bool = False

    def __post_init__(self) -> None:
        expected = 0 if self.stable is None else len(self.since)
        if len(self.stable_since) != expected:
            raise ValueError(
                f"{len(self.since)} restart points of the candidate but {len(self.stable_since)} of the stable "
                f"version: both sides must be counted at the same instants"
            )
        if not self.dispersion >= 1 or self.retired < 0:
            raise ValueError(f"dispersion {self.dispersion} must be at least 1 and retired {self.retired} at least 0")


class Judgement(NamedTuple):
    """What follows from the evidence for one objective, with the numbers it follows from.

    Parameters
    ----------
    objective, slo
        Whose judgement this is.
    verdict
        The result.
    sentence
        The result in plain words, with its numbers.
    total, bad
        The candidate's events since the trial began.
    burn_rate
        Observed share of bad events over the error budget; 0 without events.
    e_value
        Evidence that the version is over its limit; 1 is none. At most 1e300, so that it fits JSON.
    p0
        The limit: highest tolerated share of bad events.
    threshold
        The e-value at which the version is rolled back.
    dispersion
        Variance over mean by which the evidence was tempered; 1 is untempered.
    e_attribution
        Evidence that the candidate fails more often than stable; ``None`` when the question did not arise.
    awaits_stable
        Whether the candidate is condemned but for stable's next sample; see ``Evidence.stable_lags``.
    overspent
        Whether it is the absolute allowance that condemns it.
    """

    objective: str
    slo: str
    verdict: Verdict
    sentence: str
    total: int
    bad: int
    burn_rate: float
    e_value: float
    p0: float
    threshold: float
    dispersion: float
    e_attribution: float | None = None
    awaits_stable: bool = False
    overspent: bool = False
