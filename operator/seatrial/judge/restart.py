"""Restart points: where a fresh bet against the version opens.

:mod:`seatrial.judge.evalue` says why that is allowed. One is set when a traffic step begins and after every
``RESTART_REQUESTS`` requests: a point must be chosen from what was seen before it, and both are. The list is stored in
status, so it is bounded: the beginning of the trial and the newest points stay, those between retire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.types import Counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seatrial.judge.types import Evidence

__all__ = ["MAX_RESTARTS", "OUTAGE_REQUESTS", "RESTART_REQUESTS", "next_restart", "orders", "restart_points", "retire"]

RESTART_REQUESTS = 1500
"""Requests of the candidate after which a new restart point is set."""

OUTAGE_REQUESTS = 150
"""The same while the environment is to blame."""

MAX_RESTARTS = 24
"""Restart points that are kept besides the beginning of the trial."""


_BEGINNING = Counts(0, 0)


def next_restart(total_since_last_restart: int, *, environment: bool = False) -> bool:
    """Tell whether it is time for another restart point.

    Parameters
    ----------
    total_since_last_restart
        The candidate's requests since the last one.
    environment
        Whether the last verdict was Environment. Then points come closer together, because a version is judged afresh
        from the first one that is set when the outage is over.
    """
    return total_since_last_restart >= (OUTAGE_REQUESTS if environment else RESTART_REQUESTS)


def retire(
    since: tuple[Counts, ...], stable_since: tuple[Counts, ...]
) -> tuple[tuple[Counts, ...], tuple[Counts, ...], int]:
    """Give up the oldest restart points beyond ``MAX_RESTARTS``.

    Parameters
    ----------
    since, stable_since
        Totals at the restart points after the beginning of the trial, oldest first, of both sides; ``stable_since``
        may be empty.

    Returns
    -------
    tuple
        The points that stay, of both sides, and the number of points that retired now (to be added to
        ``Evidence.retired``).
    """
    surplus = max(0, len(since) - MAX_RESTARTS)
    return since[surplus:], stable_since[surplus:], surplus


def restart_points(evidence: Evidence) -> tuple[tuple[Counts, ...], tuple[Counts, ...]]:
    """Return the totals at all restart points, the beginning of the trial first, of the candidate and of stable."""
    named = evidence.since[:1] == (_BEGINNING,)
    since, stable_since = evidence.since[named:], evidence.stable_since[named:]
    return (_BEGINNING, *since), (_BEGINNING, *stable_since)


def orders(points: int, retired: int) -> NDArray[np.int64]:
    """Give restart points their order: 0 is the beginning, the next come after those that retired; (points,)."""
    order = np.arange(points)
    order[1:] += retired
    return order
