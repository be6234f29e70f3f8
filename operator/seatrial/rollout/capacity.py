"""How much weight pods can carry, and how many pods a weight needs.

Theory
------
A version *carries* all requests when it has as many pods as that takes (``need``). With a fixed number of replicas that
is what is wished for, but never more than were once available at the same time: pods that a change of scale adds are
help, not a lack. With an autoscaler it is what stable had when the trial began: no autoscaler can tell in advance what
a version will need, and stable's answer is the best there is.

From this follow four rules:

* The weight of a candidate is never above the share of ``need`` that is ready. Falling, it follows readiness; rising,
  it waits until pods have been ready for the whole warm-up (available).
* An autoscaled candidate gets the pods for a weight before it gets the weight: its fewest pods rise with the steps.
* Stable keeps what it needs after a rollback: its fewest pods are ``need`` while a candidate has weight.
* With ``maxSurge: 0`` both versions together have no more pods than one of them is wished to have: a candidate's pod
  takes the place of one of stable's, one at a time, and stable keeps at least one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seatrial.rollout.world import Workload

ALL = 100


@dataclass(frozen=True, slots=True)
class Scaling:
    """The fewest and the most pods that an autoscaler may give a version."""

    fewest: int
    most: int


@dataclass(frozen=True, slots=True)
class Fitness:
    """What is known of a candidate's models, asked pod by pod (``spec.readiness``).

    Attributes
    ----------
    fit
        Pods whose model is ready and warmed up.
    waits
        What the first of the others waits for, in one sentence; empty when there is none.
    mismatch
        How its inputs and outputs differ from stable's, in one sentence; None while no difference is known.
    """

    fit: int
    waits: str = ""
    mismatch: str | None = None


def carried(weight: int, need: int, workload: Workload | None, present: int) -> int:
    """Cut a weight down to what ready pods can carry.

    Parameters
    ----------
    weight
        Percent of the requests that the version is meant to get.
    need
        Pods that all requests take.
    workload
        The version's pods; None when there are none.
    present
        Percent of the requests that the route gives it now: this much it may keep while its pods are ready.

    Returns
    -------
    int
        0 to ``weight``. At least 1 when any pod is ready and weight is asked for: how a version with hundreds of pods
        fares with few of them is nothing to round away.
    """
    if not weight or not workload or workload.terminating or not workload.ready:
        return 0
    ready = _share(workload.ready, need)
    warm = _share(workload.available, need)
    return min(weight, ready, max(present, warm, 1))


def pods_for(weight: int, need: int) -> int:
    """Count the pods that a share of the requests takes, at least one."""
    return max(1, math.ceil(need * weight / ALL))


def swapped(weight: int, total: int, available: int) -> tuple[int, int]:
    """Divide a fixed number of pods between a candidate and stable (``maxSurge: 0``).

    Parameters
    ----------
    weight
        Percent of the requests that the candidate is meant to get.
    total
        Pods that both may have together, at least 2.
    available
        Pods of the candidate that are ready and warm.

    Returns
    -------
    tuple of int
        Pods of the candidate and of stable. The candidate has at most one that isn't available yet, so stable lacks
        no more than one pod for what it carries.
    """
    goal = min(total - 1, pods_for(weight, total))
    candidate = min(goal, available + 1)
    return candidate, total - candidate


def _share(pods: int, need: int) -> int:
    return max(1, min(ALL, ALL * pods // max(1, need))) if pods else 0
