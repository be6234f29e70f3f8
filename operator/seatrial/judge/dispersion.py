"""How clustered errors are: the variance of bad events over what it would be if they came alone.

The test counts each bad event as evidence of its own. Retries, batches and flapping dependencies bring them in bursts,
and a burst of five is one piece of evidence, not five. So evidence is tempered, ``E^(1 / D)``, by a dispersion ``D``
of at least 1; for bursts of a constant size ``D`` is that size, and ``E^(1 / D)`` is the e-value of the bursts.

``D`` is estimated from what changes between neighbours, here from one interval with ``n`` events and ``b`` bad ones to
the next, ``n'`` and ``b'``:

    D = sum (b n' - b' n)^2 / (n n')  /  sum (b + b') (1 - q),      q = (b + b') / (n + n')

With independent errors (binomial counts of a common share) it is 1 on average, and a version that breaks moves it only
once, by the step between its two levels, while a burst goes up and down again. It is measured twice, and the larger one
holds:

- On the candidate itself, from scrape to scrape. What it saw of its errors so far includes those that it tempers; that
  does no harm, see below. Errors of a single scrape are taken for one burst, up to ``LARGEST_OWN``: a total outage must
  not wait for a second scrape. This adapts to the errors in hand, so it costs a real fault next to nothing, but bursts
  that are longer than a scrape escape it.
- On the stable version, from minute to minute over the last hours, which sees those too. The hour that speaks loudest
  is left out, as an outage of stable is no property of its usual errors (a shared one is the verdict Environment).

**Why the promise holds.** For independent errors, tempering can only take evidence away, whatever ``D >= 1`` is and
wherever it comes from: by Jensen's inequality the tempered mixture is at most ``M^(1/D)``, which reaches a threshold
above 1 only when ``M`` does. So Ville's bound is kept even though ``D`` depends on the evidence. For clustered errors
there is no theorem, only simulation: ``python -m bench.judge``.

Source of the ratio of successive differences: von Neumann, "Distribution of the ratio of the mean square successive
difference to the variance", Annals of Mathematical Statistics 1941; of tempering by a dispersion: McCullagh and Nelder,
"Generalized Linear Models" (1989), section 4.5 (quasi-likelihood).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Number = TypeVar("Number", float, NDArray[np.float64])

__all__ = [
    "LARGEST_OWN",
    "MIN_BAD_INTERVALS",
    "NO_EVENTS",
    "Clustering",
    "own_dispersion",
    "squared_step",
    "usual_dispersion",
]

LARGEST_OWN = 10.0
"""Largest dispersion that a version's own errors may claim; stable's history may say more."""

MIN_BAD_INTERVALS = 10
"""Intervals with bad events below which a history tells nothing."""


def squared_step(total: Number, bad: Number, next_total: Number, next_bad: Number) -> tuple[Number, Number]:
    """Return the square of the step between two neighbours, and what independent errors bring it to on average."""
    step = (bad * next_total - next_bad * total) ** 2 / (total * next_total)
    return step, (bad + next_bad) * (1 - (bad + next_bad) / (total + next_total))


@dataclass(frozen=True, slots=True)
class Clustering:
    """Sums over the intervals so far, from which the dispersion follows; intervals without events are passed over.

    Parameters
    ----------
    squares, expected
        Sums of both sides of :func:`squared_step`.
    bad_intervals
        Intervals with bad events.
    total, bad
        Events of the newest interval, and the bad ones among them.
    """

    squares: float = 0.0
    expected: float = 0.0
    bad_intervals: int = 0
    total: int = 0
    bad: int = 0

    def then(self, total: int, bad: int) -> Clustering:
        """Add the next interval. Before the first one there were no errors: it counts as a step from nothing."""
        if total <= 0:
            return self
        step, expected = squared_step(float(self.total or total), float(self.bad), float(total), float(bad))
        return Clustering(
            squares=self.squares + step,
            expected=self.expected + expected,
            bad_intervals=self.bad_intervals + (bad > 0),
            total=total,
            bad=bad,
        )

    @property
    def dispersion(self) -> float:
        """The estimate, at least 1: errors are never taken to be more regular than chance."""
        return max(1.0, self.squares / self.expected) if self.expected else 1.0


NO_EVENTS = Clustering()
"""Nothing was seen yet."""


def own_dispersion(clustering: Clustering) -> float:
    """By how much a version's own errors temper the evidence against it, 1 to ``LARGEST_OWN``."""
    return min(clustering.dispersion, LARGEST_OWN)


def usual_dispersion(hours: Sequence[Clustering]) -> float | None:
    """Dispersion of a version's usual errors over some hours; ``None`` while there are too few to tell.

    Parameters
    ----------
    hours
        One for each hour, of its minutes.

    Returns
    -------
    float or None
        1 unless chance explains what was seen with less than about 2 %: a doubt is no reason to be slow.
    """
    loudest = max(range(len(hours)), key=lambda i: hours[i].squares, default=0)
    usual = [hour for i, hour in enumerate(hours) if i != loudest or len(hours) == 1]
    intervals = sum(hour.bad_intervals for hour in usual)
    if intervals < MIN_BAD_INTERVALS:
        return None
    found = sum(hour.squares for hour in usual) / sum(hour.expected for hour in usual)
    return found if found > 1 + 2 * math.sqrt(2 / intervals) else 1.0
