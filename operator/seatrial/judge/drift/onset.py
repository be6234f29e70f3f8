"""When a drift began: the moment at which counts by bin changed most, by the likelihood-ratio statistic (G).

For each split of a row of tiles of time, G says how much better two distributions explain the counts, one before and
one after it, than a single one does. It is largest at the true change (Hinkley, "Inference about the change-point in a
sequence of random variables", 1970), also when the size of the change is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.drift.chance import chi_squared_above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from seatrial.judge.drift.histogram import Histogram

__all__ = ["onset"]


def onset(features: Sequence[Sequence[Histogram]], *, alpha: float = 0.01) -> int | None:
    """Find the tile with which a drift began.

    Parameters
    ----------
    features
        For each feature its histograms by tile, the oldest first, all with the same number of tiles.
    alpha
        Probability of seeing a change between the tiles where there is none.

    Returns
    -------
    int or None
        Index of the first tile after the change. Without a change beyond chance the drift is as old as the counts: the
        first tile with any. None without observations.
    """
    tables = [_table(tiles) for tiles in features]
    rows = np.sum([table.sum(axis=1) for table in tables], axis=0) if tables else np.zeros(0)
    if not rows.any():
        return None
    splits = len(rows) - 1
    statistic = np.sum([_g(table) for table in tables], axis=0)
    freedom = sum(max(0, int(table.any(axis=0).sum()) - 1) for table in tables)
    best = int(np.argmax(statistic)) if splits else 0
    if splits and freedom and splits * chi_squared_above(float(statistic[best]), freedom) <= alpha:
        return best + 1
    return int(np.flatnonzero(rows)[0])


def _table(tiles: Sequence[Histogram]) -> NDArray[np.float64]:
    """Write counts with a row for each tile and a column for each bin that any of them has."""
    bins = [dict(zip(map(str, (*tile.edges, *tile.categories)), tile.counts, strict=True)) for tile in tiles]
    names = sorted({name for tile in bins for name in tile})
    return np.array([[float(tile.get(name, 0)) for name in names] for tile in bins]).reshape(len(tiles), -1)


def _g(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute G of each split; that of a split with nothing on one side is 0."""
    before = np.cumsum(table, axis=0)[:-1]
    whole = table.sum(axis=0)
    after = whole - before

    def gain(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = counts.sum(axis=-1)
        parts: NDArray[np.float64] = _x_log_x(counts).sum(axis=-1) - _x_log_x(totals)
        return parts

    statistic: NDArray[np.float64] = 2 * (gain(before) + gain(after) - gain(whole))
    return np.maximum(statistic, 0.0)


def _x_log_x(x: NDArray[np.float64]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.where(x > 0, x, 1.0))
    return x * logs
