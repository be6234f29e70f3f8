"""Counts by bin, on fixed edges or over named categories."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Histogram", "Paired", "paired"]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often each bin was met.

    Parameters
    ----------
    edges
        Upper edges of the bins in ascending order, the last one infinite; empty for categories.
    categories
        Names of the categories; empty for numbers.
    counts
        Observations in each bin, >= 0.

    Raises
    ------
    ValueError
        When bins and counts don't pair up, or the edges don't ascend to infinity.
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.categories) and self.counts:
            raise ValueError("a histogram has either edges or categories")
        if len(self.counts) != len(self.edges) + len(self.categories) or min(self.counts, default=0) < 0:
            raise ValueError(
                f"{len(self.counts)} counts for {len(self.edges) + len(self.categories)} bins, none below 0"
            )
        if self.edges and (self.edges[-1] != math.inf or any(np.diff(self.edges) <= 0)):
            raise ValueError("edges must ascend, and the last one must be infinite")

    @classmethod
    def of_buckets(cls, cumulative: Mapping[float, float]) -> Histogram:
        """Make a histogram of a classic Prometheus histogram's buckets.

        A bucket that holds less than the one below it lost a scrape to a restart; it counts as empty.
        """
        if math.inf not in cumulative:
            return cls(())
        edges = tuple(sorted(cumulative))
        counts, reached = [], 0.0
        for edge in edges:
            counts.append(max(0, round(cumulative[edge] - reached)))
            reached = max(reached, cumulative[edge])
        return cls(tuple(counts), edges=edges)

    @classmethod
    def of_categories(cls, counted: Mapping[str, float]) -> Histogram:
        """Make a histogram of counts by category."""
        names = tuple(sorted(counted))
        return cls(tuple(max(0, round(counted[name])) for name in names), categories=names)

    @property
    def total(self) -> int:
        """All observations."""
        return sum(self.counts)


class Paired(NamedTuple):
    """Two histograms on the same bins; bins that both sides left empty are joined to a neighbour or left out.

    Attributes
    ----------
    ours, theirs
        Observations by bin, of the same length.
    inner_edges
        The finite edges between the bins; empty for categories.
    """

    ours: NDArray[np.float64]
    theirs: NDArray[np.float64]
    inner_edges: NDArray[np.float64]

    @property
    def totals(self) -> tuple[float, float]:
        """Observations of both sides."""
        return float(self.ours.sum()), float(self.theirs.sum())


def paired(ours: Histogram, theirs: Histogram) -> Paired:
    """Bring two histograms onto the same bins.

    Numbers are compared on the edges that both have: cumulative counts at a common edge are right whatever lies
    between. Categories that one side doesn't know count as never met.

    Raises
    ------
    ValueError
        When one has edges and the other categories.
    """
    if ours.counts and theirs.counts and bool(ours.edges) != bool(theirs.edges):
        raise ValueError("a feature is numeric on one side and has categories on the other")
    if ours.edges or theirs.edges:
        return _on_common_edges(ours, theirs)
    names = sorted({*ours.categories, *theirs.categories})
    mine, others = (dict(zip(side.categories, side.counts, strict=True)) for side in (ours, theirs))
    columns = np.array([[float(side.get(name, 0)) for name in names] for side in (mine, others)]).reshape(2, -1)
    columns = columns[:, columns.any(axis=0)]
    return Paired(columns[0], columns[1], np.empty(0))


def _on_common_edges(ours: Histogram, theirs: Histogram) -> Paired:
    edges = [edge for edge in ours.edges if edge in set(theirs.edges)] if theirs.edges else list(ours.edges)
    edges = edges or list(theirs.edges)
    columns = np.array([_rebinned(side, edges) for side in (ours, theirs)])
    # An empty bin tells nothing; joined to the one below it, or above it at the lower end, it costs no power.
    met = columns.any(axis=0)
    if not met.any():
        return Paired(np.empty(0), np.empty(0), np.empty(0))
    kept = np.asarray(edges)[met]
    return Paired(columns[0][met], columns[1][met], kept[:-1])


def _rebinned(side: Histogram, edges: list[float]) -> NDArray[np.float64]:
    if not side.edges:
        return np.zeros(len(edges))
    reached = np.cumsum(side.counts)[np.searchsorted(side.edges, edges)]
    return np.diff(reached, prepend=0).astype(np.float64)
