"""The error budget of an objective over its window: what is spent, what remains, how long it lasts.

With error budget ``b`` (share of events that may be bad) and window ``W``:

    burn rate   = (bad / total) / b                       1 spends the budget exactly over the window
    consumed    = bad / (b * events of the whole window)  remaining = 1 - consumed, below 0 when overspent
    exhaustion  = remaining * W / burn rate               at the burn rate given

Ratios of sums, never means of ratios. A rolling window ends now and is always full, so it never "starts at 100 %". A
calendar window begins at a local midnight and is not over yet: what it will hold at its end has to be estimated.

Source: Google, "The Site Reliability Workbook" (2018), chapter 5, table 5-2 for the relation of burn rate and time to
exhaustion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.judge import sentences

if TYPE_CHECKING:
    from seatrial.judge.types import Counts

__all__ = ["Budget", "Period", "Window", "calendar_window", "freeze", "rolling_window", "spend"]

_DAYS_A_WEEK = 7
_MONTHS = {"Month": 1, "Quarter": 3, "Year": 12}


class Period(StrEnum):
    """A calendar window."""

    Week = "Week"
    Month = "Month"
    Quarter = "Quarter"
    Year = "Year"


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, ``start`` <= now <= ``end``; both know their time zone."""

    start: datetime
    end: datetime

    @property
    def length_s(self) -> float:
        """Real seconds in the window; a day with a change of clocks has 23 or 25 hours."""
        return self.end.timestamp() - self.start.timestamp()

    def elapsed(self, now: datetime) -> float:
        """Share of the window that is over, 0 to 1."""
        return (now.timestamp() - self.start.timestamp()) / self.length_s


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of an objective's budget.

    Parameters
    ----------
    total, bad
        Events of the window so far.
    burn_rate
        Over the window so far; 0 without events.
    consumed
        Share of the budget that is spent; above 1 when overspent.
    remaining
        ``1 - consumed``; negative when overspent.
    remaining_bad
        Bad events that the window can still take; negative when overspent.
    exhaustion_s
        Seconds until nothing remains at the present burn rate; 0 when nothing does, ``None`` when it does not burn.
    """

    total: int
    bad: int
    burn_rate: float
    consumed: float
    remaining: float
    remaining_bad: Decimal
    exhaustion_s: float | None


def rolling_window(now: datetime, length: timedelta) -> Window:
    """Return the window of this length that ends now."""
    return Window(now - length, now)


def calendar_window(now: datetime, period: Period) -> Window:
    """Return the calendar window around ``now`` in the time zone of ``now``; weeks begin on Monday.

    Raises
    ------
    ValueError
        When ``now`` has no time zone: a calendar window begins at a different instant in each.
    """
    if now.tzinfo is None:
        raise ValueError(
            "a calendar window needs a time zone, such as Europe/Paris: its month begins at a local midnight"
        )
    today = now.date()
    if period is Period.Week:
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=_DAYS_A_WEEK)
    else:
        months = _MONTHS[period]
        first = today.replace(month=(today.month - 1) // months * months + 1, day=1)
        after = (first + timedelta(days=31 * months)).replace(day=1)
    return Window(*(datetime.combine(day, time(), tzinfo=now.tzinfo) for day in (first, after)))


def spend(
    counts: Counts,
    error_budget: Decimal,
    *,
    window_s: float,
    elapsed: float = 1.0,
    present_burn_rate: float | None = None,
) -> Budget:
    """Work out the state of a budget.

    Parameters
    ----------
    counts
        Events in the window so far.
    error_budget
        Share of events that may be bad, 0 < error_budget < 1.
    window_s
        Length of the whole window in seconds.
    elapsed
        Share of the window that is over, 0 < elapsed <= 1; 1 for a rolling window. The window's events are estimated as
        ``total / elapsed``.
    present_burn_rate
        Burn rate of the last hour or so, for the time to exhaustion; that of the window when ``None``.

    Raises
    ------
    ValueError
        When ``elapsed`` is out of its range.
    """
    if not 0 < elapsed <= 1:
        raise ValueError(f"elapsed share {elapsed} of a window must be above 0 and at most 1")
    granted = error_budget * counts.total / Decimal(elapsed)
    consumed = float(counts.bad / granted) if granted else 0.0
    burn_rate = counts.bad / counts.total / float(error_budget) if counts.total else 0.0
    pace = burn_rate if present_burn_rate is None else present_burn_rate
    exhaustion_s = max(0.0, 1 - consumed) * window_s / pace if pace else None
    return Budget(
        total=counts.total,
        bad=counts.bad,
        burn_rate=burn_rate,
        consumed=consumed,
        remaining=1 - consumed,
        remaining_bad=granted - counts.bad,
        exhaustion_s=0.0 if consumed >= 1 else exhaustion_s,
    )


def freeze(budget: Budget, *, level: float = 0.0, expected_cost: float = 0.0) -> str | None:
    """Say why no new rollout may start, or ``None`` when one may.

    Parameters
    ----------
    budget
        State of the objective's budget.
    level
        Remaining share at which rollouts freeze, 0 to 1.
    expected_cost
        Share of the budget that a bad release is expected to cost before it is rolled back.
    """
    if budget.remaining <= level:
        rule = f"rollouts freeze at {sentences.percent(level)}"
    elif budget.remaining < expected_cost:
        rule = f"a bad release would cost {sentences.percent(expected_cost)}"
    else:
        return None
    return f"{sentences.percent(budget.remaining)} of the error budget remains; {rule}."
