"""Multi-window, multi-burn-rate tiers for the service as a whole: presets as data.

A tier fires when the burn rate is above its threshold over a long window, which makes it mean something, and over a
short one, which makes it stop soon after the trouble does. No burn rate can exceed ``1 / b``, so for an objective
with a large budget ``b`` some tiers would never fire: at a target of 90 % a total outage burns at 10, below the 14.4
of the workbook's page. Such a tier gets the highest threshold that leaves room, nine tenths of ``1 / b``, and says
so.

Source: Google, "The Site Reliability Workbook" (2018), chapter 5, table 5-8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from seatrial.judge import sentences

__all__ = ["Preset", "Severity", "Tier", "detection_s", "tiers"]

_MINUTE_S = 60.0
_HOUR_S = 3600.0
_DAY_S = 86400.0
_ROOM = Decimal("0.9")


class Severity(StrEnum):
    """How soon a person is wanted."""

    Page = "Page"
    Ticket = "Ticket"


class Preset(StrEnum):
    """A named set of tiers."""

    Workbook = "Workbook"
    """The tiers of the SRE workbook."""
    Early = "Early"
    """Lower thresholds, and an escalation when half the budget is gone in a quarter of the window."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier.

    Parameters
    ----------
    severity
        Page or ticket.
    burn_rate
        Threshold; the tier fires above it.
    long_s, short_s
        Both windows in seconds.
    note
        Why the threshold is not that of the preset; empty when it is.
    """

    severity: Severity
    burn_rate: Decimal
    long_s: float
    short_s: float
    note: str = ""

    def fires(self, long_burn_rate: float, short_burn_rate: float) -> bool:
        """Whether the burn rates of both windows are above the threshold."""
        return min(long_burn_rate, short_burn_rate) > float(self.burn_rate)

    def budget_spent(self, window_s: float) -> float:
        """Share of the budget of an SLO window that is gone when the tier fires: ``burn rate * long / window``."""
        return float(self.burn_rate) * self.long_s / window_s


_PRESETS = {
    Preset.Workbook: (
        Tier(Severity.Page, Decimal("14.4"), _HOUR_S, 5 * _MINUTE_S),
        Tier(Severity.Page, Decimal(6), 6 * _HOUR_S, 30 * _MINUTE_S),
        Tier(Severity.Ticket, Decimal(3), _DAY_S, 2 * _HOUR_S),
        Tier(Severity.Ticket, Decimal(1), 3 * _DAY_S, 6 * _HOUR_S),
    ),
    Preset.Early: (
        Tier(Severity.Page, Decimal(4), _HOUR_S, 5 * _MINUTE_S),
        Tier(Severity.Page, Decimal(2), 6 * _HOUR_S, 30 * _MINUTE_S),
        Tier(Severity.Ticket, Decimal("1.5"), _DAY_S, 2 * _HOUR_S),
    ),
}


def tiers(preset: Preset, error_budget: Decimal, *, window_s: float = 28 * _DAY_S) -> tuple[Tier, ...]:
    """Return the tiers of a preset as they fit an objective.

    Parameters
    ----------
    preset
        Which set.
    error_budget
        Share of events that may be bad, 0 < error_budget < 1.
    window_s
        SLO window in seconds; the escalation of ``Early`` looks at a quarter of it.
    """
    chosen = _PRESETS[preset]
    if preset is Preset.Early:
        chosen = (*chosen, Tier(Severity.Page, Decimal(2), window_s / 4, window_s / 48))
    return tuple(_fitted(tier, error_budget) for tier in chosen)


def detection_s(tier: Tier, error_budget: float, error_ratio: float) -> float | None:
    """Seconds until the long window is above the threshold at a constant error ratio, or ``None`` when it never is."""
    threshold = float(tier.burn_rate) * error_budget
    return tier.long_s * threshold / error_ratio if error_ratio > threshold else None


def _fitted(tier: Tier, error_budget: Decimal) -> Tier:
    highest = 1 / error_budget
    if tier.burn_rate < highest:
        return tier
    fitted = _ROOM * highest
    note = (
        f"With an error budget of {sentences.percent(float(error_budget))} even a total outage burns "
        f"at only 1 / {float(error_budget):g} = {sentences.significant(float(highest))}: "
        f"a tier at {tier.burn_rate} could never fire. "
        f"It fires above {sentences.significant(float(fitted))}, when {sentences.percent(float(_ROOM))} are bad."
    )
    return replace(tier, burn_rate=fitted, note=note)
