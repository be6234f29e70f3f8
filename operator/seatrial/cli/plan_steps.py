"""The steps of a strategy that give the candidate weight, with what traffic brings it there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from seatrial.rollout.steps import share_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.api.strategy import Step

__all__ = ["WeightedStep", "weighted_steps"]


class WeightedStep(NamedTuple):
    """One step.

    Attributes
    ----------
    number
        From 1, as in the strategy.
    weight
        Percent of the requests that reach the candidate.
    rate
        These in requests per second.
    requests
        What the candidate has answered when the step is over.
    lasts_s
        Seconds until then.
    """

    number: int
    weight: int
    rate: float
    requests: int
    lasts_s: float


def weighted_steps(steps: Sequence[Step], rps: float) -> Iterator[WeightedStep]:
    """Name the steps that can be planned: others last as long as people, a test or a comparison take."""
    for number, step in enumerate(steps, start=1):
        weight = share_at(steps, number - 1)
        if weight and not (step.gate or step.check or step.experiment):
            rate = rps * weight / 100
            requests = max(step.min_requests, math.floor(rate * step.lasts_s))
            yield WeightedStep(number, weight, rate, requests, max(step.lasts_s, step.min_requests / rate))
