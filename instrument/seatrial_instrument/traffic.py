"""Counts requests, ages of features, and results of checks."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seatrial_instrument.request import ErrorType, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from seatrial_instrument.series import Layout
    from seatrial_instrument.waiting import Answered

LATENCY_EDGES_S: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0,
)  # fmt: skip
AGE_EDGES_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)


class Traffic:
    """Answered requests by kind and error, and how long they took.

    Parameters
    ----------
    edges_s
        Edges of the latency histograms in seconds.
    layout
        Receives the series.
    """

    def __init__(self, edges_s: Sequence[float], layout: Layout) -> None:
        self._edges = np.array(edges_s, np.float64)
        self._counts = {
            error: layout.counter("ml_model_requests", "Answered requests, mirrored ones included", error_type=error)
            for error in ErrorType
        }
        self._mirrored = {
            error: layout.counter(
                "ml_model_shadow_requests", "Mirrored ones of the answered requests", error_type=error
            )
            for error in ErrorType
        }
        text = "Time to the last byte of the answer"
        self._durations = layout.histogram("ml_model_request_duration_seconds", text, edges_s, with_sum=True)
        self._warm_up = layout.counter("ml_model_warmup_requests", "Requests marked as warm-up")

    def add_good(self, durations: Sequence[float], cells: NDArray[np.float64]) -> None:
        """Count clients' requests that were answered well, by how long each took, in seconds."""
        cells[self._counts[ErrorType.NONE]] += len(durations)
        self._add_durations(durations, cells)

    def add(self, requests: Sequence[Answered], cells: NDArray[np.float64]) -> None:
        """Count requests."""
        durations, errors, kinds = zip(*requests, strict=True)
        for (error, kind), count in Counter(zip(errors, kinds, strict=True)).items():
            if kind is Kind.WARM_UP:
                cells[self._warm_up] += count
                continue
            cells[self._counts[error]] += count
            if kind is Kind.SHADOW:
                cells[self._mirrored[error]] += count
        if Kind.WARM_UP in kinds:
            durations = tuple(duration_s for duration_s, _, kind in requests if kind is not Kind.WARM_UP)
        self._add_durations(durations, cells)

    def _add_durations(self, durations: Sequence[float], cells: NDArray[np.float64]) -> None:
        durations_s = np.array(durations, np.float64)
        durations_s.sort()
        below = durations_s.searchsorted(self._edges, "right")
        total_s = durations_s[np.isfinite(durations_s)].sum()  # what is not would spoil the sum for ever
        cells[self._durations] += [*below, len(durations_s), max(total_s, 0.0)]


class Ages:
    """Ages of features by group.

    Parameters
    ----------
    groups
        Names of the groups.
    edges_s
        Edges in seconds.
    layout
        Receives the series.
    """

    def __init__(self, groups: Sequence[str], edges_s: Sequence[float], layout: Layout) -> None:
        self._edges = np.array(edges_s, np.float64)[:, None]
        text = "Age of the features when they were used"
        self._places = {
            group: layout.histogram("ml_model_feature_age_seconds", text, edges_s, with_sum=True, feature_group=group)
            for group in groups
        }

    def add(self, group: str, ages_s: ArrayLike, cells: NDArray[np.float64]) -> None:
        """Count ages in seconds; NaN or infinity (never updated) is older than every edge and not in the sum.

        Raises
        ------
        KeyError
            The group was not declared.
        """
        ages = np.atleast_1d(np.asarray(ages_s, np.float64))
        places = self._places[group]
        total_s = max(float(ages[np.isfinite(ages)].sum()), 0.0)
        counts = [*np.count_nonzero(ages <= self._edges, axis=1), len(ages), total_s]
        cells[places] += counts


class Checks:
    """Results of checks.

    Parameters
    ----------
    checks
        Results by name of the check.
    layout
        Receives the series.
    """

    def __init__(self, checks: Mapping[str, Sequence[str]], layout: Layout) -> None:
        self._places = {
            (check, result): layout.counter("ml_model_outcomes", "Results of checks", check=check, result=result)
            for check, results in checks.items()
            for result in results
        }

    def add(self, check: str, result: str, count: int, cells: NDArray[Any]) -> None:
        """Count a result.

        Raises
        ------
        KeyError
            The check or the result was not declared.
        ValueError
            The count is negative, or not finite.
        """
        if not 0 <= count < math.inf:
            raise ValueError(f"{check}: a count can't be negative or infinite, got {count}")
        cells[self._places[check, result]] += count
