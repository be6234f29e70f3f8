"""Histograms as a few characters, for status and the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.judge import sentences
from seatrial.judge.drift.histogram import paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.judge.drift.histogram import Histogram

__all__ = ["bars", "beside"]

_STEPS = " ▁▂▃▄▅▆▇█"
_BAR = "█"


def bars(shares: Sequence[float]) -> str:
    """Draw one character for each share, the largest one full; a share above 0 is never drawn as nothing."""
    largest = max(shares, default=0.0)
    if largest <= 0:
        return " " * len(shares)
    return "".join(_STEPS[math.ceil(share / largest * (len(_STEPS) - 1))] for share in shares)


def beside(ours: Histogram, theirs: Histogram, *, width: int = 20) -> list[str]:
    """Draw two histograms on their common bins, one line each: the bin, both shares as bars and in percent."""
    sides = paired(ours, theirs)
    n, m = (max(total, 1.0) for total in sides.totals)
    edges = [sentences.significant(edge) for edge in sides.inner_edges]
    names = [f"<= {edge}" for edge in edges] + [f"> {edges[-1]}" if edges else "all"]
    if not ours.edges and not theirs.edges:
        known = sorted({*ours.categories, *theirs.categories})
        met = [dict(zip(s.categories, s.counts, strict=True)) for s in (ours, theirs)]
        names = [name for name in known if any(side.get(name) for side in met)]
    shares = [(a / n, b / m) for a, b in zip(sides.ours.tolist(), sides.theirs.tolist(), strict=True)]
    largest = max((share for pair in shares for share in pair), default=1.0) or 1.0
    label = max(map(len, names), default=0)
    return [
        f"{name:>{label}}  {_bar(a / largest, width)} {a:4.0%}  {_bar(b / largest, width)} {b:4.0%}"
        for name, (a, b) in zip(names, shares, strict=False)
    ]


def _bar(part: float, width: int) -> str:
    return (_BAR * math.ceil(part * width)).ljust(width)
