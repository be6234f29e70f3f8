"""The rule for events that come in runs: so many bad slices of time among the last few.

What is stale stays stale for a while, so the events of a minute are no independent trials and no test of proportions is
valid for them, however it is tempered. Time is cut into slices that are good or bad as a whole, and `bad` of the last
`of` are too many (as in Nobl9's and OpenSLO's time slices). A slice that is bad on stable as well is the
surroundings' doing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from decimal import Decimal

    from seatrial.judge.types import Counts

__all__ = ["ALONE", "BOTH", "GOOD", "SliceRule", "is_bad", "judge_slices", "mark"]

GOOD, ALONE, BOTH = "o", "x", "="
"""A slice that is good, one that is bad on the candidate alone, and one that is bad on stable too."""

_HUNDRED = 100


class SliceRule(NamedTuple):
    """How slices are judged.

    Attributes
    ----------
    good
        Percent of a slice's events that must be good, 0 < good < 100.
    min_events
        Events without which a slice says nothing.
    bad, of
        So many bad ones of the last so many are too many, 1 <= bad <= of.
    """

    good: Decimal
    min_events: int
    bad: int
    of: int


def is_bad(counts: Counts, rule: SliceRule) -> bool:
    """Tell whether too few events of a slice were good; a slice with too few events isn't bad."""
    enough = counts.total >= rule.min_events
    return enough and (counts.total - counts.bad) * _HUNDRED < rule.good * counts.total


def mark(candidate: Counts, stable: Counts, rule: SliceRule) -> str:
    """Mark a slice by what both versions counted in it."""
    if not is_bad(candidate, rule):
        return GOOD
    return BOTH if is_bad(stable, rule) else ALONE


def judge_slices(last: str, rule: SliceRule) -> tuple[Verdict, str]:
    """Judge a version by its slices.

    Parameters
    ----------
    last
        Marks of its slices, the newest last.
    rule
        How many bad ones are too many.

    Returns
    -------
    tuple of Verdict and str
        Burning by slices that are bad on the candidate alone; Environment by others; Healthy when the newest slice is
        good and so many of the last are that no others could make it too many; else Inconclusive. And the verdict in
        plain words.
    """
    seen = last[-rule.of :]
    if not seen:
        return Verdict.Inconclusive, "none is over yet."
    alone, both, good = (seen.count(kind) for kind in (ALONE, BOTH, GOOD))
    said = (
        f"in {alone + both} of the last {len(seen)} fewer than {rule.good} % of the events were good, "
        f"and {rule.bad} of {rule.of} are too many"
    )
    if alone >= rule.bad:
        return Verdict.Burning, f"{said}; {alone} were bad on this version alone."
    if alone + both >= rule.bad:
        return Verdict.Environment, f"{said}. But {both} of them were bad on stable too: the surroundings are to blame."
    if good > rule.of - rule.bad and seen[-1] == GOOD:
        return Verdict.Healthy, f"{said}."
    why = "the newest one is bad" if seen[-1] != GOOD else "these are too few to tell"
    return Verdict.Inconclusive, f"{said}: {why}."
