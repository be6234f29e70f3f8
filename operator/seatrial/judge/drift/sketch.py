"""Histograms as a few characters, for status and the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.judge.drift.elsewhere import other_edges
from seatrial.judge.drift.histogram import paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.judge.drift.histogram import Histogram

__all__ = ["bars", "beside"]

_STEPS = "·▁▂▃▄▅▆▇█"


def bars(shares: Sequence[float]) -> str:
    """Draw one character for each share, the largest one full; a share above 0 is never drawn as nothing, a dot."""
    largest = max(shares, default=0.0) or 1.0
    return "".join(_STEPS[math.ceil(share / largest * (len(_STEPS) - 1))] for share in shares)


def beside(ours: Histogram, theirs: Histogram) -> tuple[str, str]:
    """Draw two histograms bin by bin on the bins that both have; each on its own when hardly an edge is common."""
    if other_edges(ours, theirs):
        return bars(ours.counts), bars(theirs.counts)
    sides = paired(ours, theirs)
    return bars(sides.ours.tolist()), bars(sides.theirs.tolist())
