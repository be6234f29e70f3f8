"""Numbers in plain words: the sentence that each judgement carries into status, Events and the terminal."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seatrial.judge.types import Counts

__all__ = ["bursts", "counted", "measure", "odds", "overspending", "percent", "significant", "times", "trials"]


_NOTEWORTHY = 1.5
_COUNTABLE = 1e9
"""From here on a power of ten reads better than the digits."""


@lru_cache(maxsize=1024)
def percent(ratio: float) -> str:
    """Write a ratio as a percentage with three digits: 0.0625 -> ``6.25 %``."""
    return f"{significant(100 * ratio)} %"


def times(factor: float) -> str:
    """Write a factor as a multiple: 62.5 -> ``62.5 times``."""
    return f"{significant(factor)} times"


def odds(log_e: float) -> str:
    """Write evidence as odds: ln(12) -> ``12:1``."""
    return f"{_power(log_e)}:1"


def trials(log_e: float) -> str:
    """Write evidence as Ville's bound on chance: ln(5400) -> ``less than once in 5,400 trials``."""
    return f"less than once in {_power(log_e)} trials"


def counted(counts: Counts, error_budget: float) -> str:
    """Say what was counted: ``7 of 112 requests were bad (6.25 %, 62.5 times the error budget of 0.1 %)``."""
    verb = "was" if counts.bad == 1 else "were"
    said = f"{counts.bad:,} of {counts.total:,} requests {verb} bad"
    if counts.bad == 0:
        return said
    ratio = counts.bad / counts.total
    share = f"{significant(100 * ratio)} %"  # without percent's cache: hardly a ratio comes twice
    return f"{said} ({share}, {times(ratio / error_budget)} the error budget of {percent(error_budget)})"


def measure(value: float, *, timed: bool) -> str:
    """Write a number, or a time in seconds: 0.112 -> ``112 ms``."""
    if not timed:
        return significant(value)
    scale, unit = next(((scale, unit) for scale, unit in ((1, "s"), (1e3, "ms")) if value * scale >= 1), (1e6, "us"))
    return f"{significant(value * scale)} {unit}"


def bursts(dispersion: float) -> str:
    """Say that errors count for less because they cluster; nothing when they hardly do."""
    return f" (errors come in bursts of about {dispersion:.2g})" if dispersion >= _NOTEWORTHY else ""


def overspending(excess: float, allowance: float) -> str:
    """Say that the absolute guard tripped."""
    return (
        f"That is {significant(excess)} more than the objective grants to so many requests, "
        f"and this release may cause at most {significant(allowance)}."
    )


def significant(value: float) -> str:
    """Write a number with three digits, and without an exponent where people would not use one."""
    text = f"{value:.3g}"
    return f"{value:,.0f}" if "e+" in text and abs(value) < _COUNTABLE else text


def _power(log_e: float) -> str:
    """Write exp(log_e) cut down to two digits, so that a bound is never overstated."""
    if log_e < math.log(10):
        return f"{math.floor(10 * math.exp(log_e)) / 10:g}"
    exponent = math.floor(log_e / math.log(10)) - 1
    if log_e >= math.log(_COUNTABLE):
        return f"10^{exponent + 1}"
    return f"{math.floor(math.exp(log_e) / 10**exponent) * 10**exponent:,}"
