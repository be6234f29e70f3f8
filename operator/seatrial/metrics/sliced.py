"""Slices of time in PromQL: how many of a window's slices had enough events, and how many of these were good.

Prometheus cuts a window of a subquery at whole multiples of the slice's length, so adjacent windows share no slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from seatrial.metrics.queries import OWNER, increase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.metrics.counting import Counting
    from seatrial.metrics.selector import Selector
    from seatrial.metrics.types import Slicing

# How long a counter may have been away and still be known; a slice is asked for often, so this is short.
_LOOKBACK_S: Final = 600


class Asked(NamedTuple):
    """What is asked to count a window, and how the answers belong together.

    Attributes
    ----------
    totals
        Queries whose sum is the total.
    part, part_is_good
        Query of the good or the bad ones among them, and which of the two.
    needs_part
        Whether without an answer about the part nothing is known, rather than that there is none.
    """

    totals: tuple[str, ...]
    part: str
    part_is_good: bool
    needs_part: bool


def asked(how: Counting, window_s: int) -> Asked:
    """Ask for all and for the good ones (or the bad ones) of a window that ends at the evaluation.

    Parameters
    ----------
    how
        What is counted: events, or slices of time.
    window_s
        Length of the window in seconds.
    """
    if not how.slices:
        totals = tuple(increase(total, window_s) for total in how.totals)
        return Asked(totals, increase(how.part, window_s), how.part_is_good, how.part.edge is not None)
    # A millisecond less, as Prometheus 2 takes the slice that ends with the beginning of the window in as well.
    slices, cut = how.slices, f"[{1000 * window_s - 1}ms:{how.slices.length_s}s]"
    enough = _enough(how, slices)
    total, good = (f"count_over_time(({which}){cut})" for which in (enough, _good(how, slices, enough)))
    return Asked((total,), good, part_is_good=True, needs_part=False)


def _enough(how: Counting, slices: Slicing) -> str:
    """Select the slices that say something; without its bucket a histogram says nothing, and not that all was bad."""
    enough = f"{_total(how.totals, slices)} >= {slices.min_events}"
    return f"{enough} and {_part(how, slices)}" if how.part.edge is not None else enough


def _good(how: Counting, slices: Slicing, enough: str) -> str:
    """Select the good ones of them, in whole numbers: 99.9 % is 999 of 1,000."""
    total, part = _total(how.totals, slices), _part(how, slices)
    share, whole = (slices.good / 100).as_integer_ratio()
    if how.part_is_good:
        return f"({enough}) and {part} * {whole} >= {total} * {share}"
    return f"({enough}) unless {part} * {whole} > {total} * {whole - share}"


def _part(how: Counting, slices: Slicing) -> str:
    return increase(how.part, slices.length_s, _LOOKBACK_S)


def _total(totals: Sequence[Selector], slices: Slicing) -> str:
    each = [increase(total, slices.length_s, _LOOKBACK_S) for total in totals]
    if len(each) == 1:
        return each[0]
    # Told apart by a label, or one of two equal series would be dropped.
    apart = (f'label_replace({one}, "part", "{number}", "", "")' for number, one in enumerate(each))
    return f"sum by ({OWNER}) ({' or '.join(apart)})"
