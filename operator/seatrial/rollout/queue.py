"""Whose turn it is, when only so many trials may run at the same time (scarce GPUs).

A wish joins the line when nothing but the line keeps it from starting, and loses its place when something else does (a
pause, a closed window, a spent budget): a wish that can't start keeps nobody waiting. The place is the time of joining,
kept in status, so a restarted operator changes no order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A wish in line: since when, in Unix seconds, and whose it is; sorted in the order of their turns."""

    since_s: float
    namespace: str
    name: str


def waits(mine: Place | None, line: Collection[Place], running: int, limit: int) -> str | None:
    """Say for what a wish waits, or None when it is its turn.

    Parameters
    ----------
    mine
        Its place; None when it has not joined yet.
    line
        All places, with its own.
    running
        Trials that run now.
    limit
        Trials that may run at the same time, at least 1.
    """
    before = sum(place < mine for place in line) if mine else len(line)
    if mine and running + before < limit:
        return None
    ahead = f", and {before} wait before it" if before else ""
    return f"it waits for its turn: {running} of at most {limit} trials run{ahead}"
