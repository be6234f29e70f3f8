"""Run rules on synthetic traffic and sum up how they did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seatrial.cli.rules import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from seatrial.cli.rules import Rule
    from seatrial.cli.traffic import Counted

__all__ = ["Outcome", "run", "wilson_interval"]

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rule did on one kind of version.

    Parameters
    ----------
    rule
        Name of the rule.
    rolled_back
        Share of runs that it rolled back; ``low`` and ``high`` are the 95 % interval of that share.
    seconds_p50, seconds_p95
        Seconds from the first bad request until the rollback, of the runs rolled back; ``None`` without any.
    requests_mean
        Requests of the version until the rollback, of the runs rolled back; ``None`` without any.
    bad_mean
        Bad requests that clients got, of all runs, until the rollback or the end.
    times_s
        Seconds from the beginning of each run until its rollback, ascending, of the runs rolled back.
    """

    rule: str
    rolled_back: float
    low: float
    high: float
    seconds_p50: float | None
    seconds_p95: float | None
    requests_mean: float | None
    bad_mean: float
    times_s: tuple[float, ...]


def run(rule: Rule, counted: Counted, tick: Callable[[], None] = lambda: None) -> Outcome:
    """Let a rule judge all runs."""
    looks = rule.rollback_looks(counted, tick)
    back = looks != NEVER
    totals, bads = counted.total.cumsum(axis=1), counted.bad.cumsum(axis=1)
    last = np.where(back, looks, counted.looks - 1)
    each = np.arange(counted.runs)
    first_bad = (bads > 0).argmax(axis=1)
    seconds = (looks - first_bad + 1)[back] * counted.look_s
    low, high = wilson_interval(int(back.sum()), counted.runs)
    return Outcome(
        rule=rule.name,
        rolled_back=float(back.mean()),
        low=low,
        high=high,
        seconds_p50=_quantile(seconds, 0.5),
        seconds_p95=_quantile(seconds, 0.95),
        requests_mean=float(totals[each, last][back].mean()) if back.any() else None,
        bad_mean=float(bads[each, last].mean()),
        times_s=tuple(np.sort((looks[back] + 1) * counted.look_s).tolist()),
    )


def wilson_interval(hits: int, runs: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927)."""
    share, z2 = hits / runs, _Z_95**2
    centre = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = _Z_95 / (1 + z2 / runs) * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs**2))
    return (centre - half if hits else 0.0), (centre + half if hits < runs else 1.0)


def _quantile(values: NDArray[np.float64], q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None
