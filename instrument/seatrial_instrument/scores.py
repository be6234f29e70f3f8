"""What is known of a version's answers once the truth is known: the series that the joiner writes for one version."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.declared import check_edges, check_names
from seatrial_instrument.reference import OTHER
from seatrial_instrument.series import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

Scalar = str | int | float | bool
DELAY_EDGES_S: Final = (1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0, 604800.0, 2592000.0)
_BINS: Final = tuple(f"{index / 10:.1f}" for index in range(1, 11))
_RESULTS: Final = ("right", "wrong")
_COMPARISONS: Final = ("equal", "within_tolerance", "different", "error", "unpaired")
_MOST_CLASSES: Final = 10
_MOST_SLICES: Final = 50
_MOST_SLICED_SERIES: Final = 2000
_SLACK: Final = 1e-6
"""By how much a confidence may miss 0..1: as much as 32-bit numbers lose."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the labels of a model look like.

    Attributes
    ----------
    classes
        Of a classifier: the classes that are told apart, at most 10. Empty: labels are numbers. True and 1 are one
        class, and so are False and 0.
    tolerance
        Of numbers: distance of prediction and label up to which a prediction is right, in the label's unit. It also is
        the tolerance of shadow comparisons.
    error_edges
        Of numbers: edges of the histogram of that distance.
    slices
        Values to tell apart, by name of the slice; at most 50 over all names, and less with many classes, as every
        slice has a series for each pair of them.

    Raises
    ------
    ValueError
        There are too many classes or slices, names that would count as one, edges that don't rise, or a distance
        between classes.
    """

    classes: Sequence[str] = ()
    tolerance: float = 0.0
    error_edges: Sequence[float] = ()
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names("classes", self.classes)
        check_edges("error edges", self.error_edges)
        for name, values in self.slices.items():
            check_names(f"slice {name}", values)
        if len(self.classes) > _MOST_CLASSES:
            raise ValueError(f"{len(self.classes)} classes are declared, at most {_MOST_CLASSES} are allowed")
        if self.classes and (self.tolerance or self.error_edges):
            raise ValueError("classes have no distance: declare either classes, or a tolerance and edges")
        if (declared := sum(map(len, self.slices.values()))) > _MOST_SLICES:
            raise ValueError(f"{declared} slices are declared, at most {_MOST_SLICES} are allowed: merge small ones")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"the tolerance is {self.tolerance}; give a distance of 0 or more")
        if (series := (declared + len(self.slices)) * len(self.outcomes())) > _MOST_SLICED_SERIES:
            raise ValueError(
                f"{declared} slices with {len(self.classes)} classes make {series} series of each version, at most "
                f"{_MOST_SLICED_SERIES} are allowed: declare fewer of either"
            )

    def outcomes(self) -> list[tuple[str, str, str]]:
        """List what can become of a labelled prediction: predicted class, actual class, and result."""
        names = (*self.classes, OTHER) if self.classes else ("",)
        return [(p, a, result) for p in names for a in names for result in _RESULTS if _possible(p, a, result)]


class Scores:
    """Counts of one version.

    Parameters
    ----------
    truth
        What labels look like.
    labels
        Labels of every series: the model's name, and whose answers they are.
    """

    def __init__(self, truth: Truth, labels: Mapping[str, str]) -> None:
        self._truth = truth
        layout = self._layout = Layout(labels)
        self._matured = layout.counter("ml_model_matured_predictions", "Predictions old enough to be scored")
        self._names = {columns.category(name): name for name in truth.classes}
        outcomes = truth.outcomes()
        about = "Scored predictions with a label"
        self._labeled = {
            (p, a, r): layout.counter("ml_model_labeled_predictions", about, predicted=p, actual=a, result=r)
            for p, a, r in outcomes
        }
        self._sliced = {
            (name, columns.category(value), p, a, r): layout.counter(
                "ml_model_slice_labeled_predictions",
                about,
                slice_name=name,
                slice=value,
                predicted=p,
                actual=a,
                result=r,
            )
            for name, values in truth.slices.items()
            for value in (*values, OTHER)
            for p, a, r in outcomes
        }
        self._late = layout.counter("ml_model_late_labels", "Labels that came after the prediction was scored")
        self._delay = layout.histogram(
            "ml_model_label_delay_seconds", "From prediction to label", DELAY_EDGES_S, with_sum=True
        )
        self._error = None
        if not truth.classes:
            name, text = "ml_model_label_absolute_error", "Distance of prediction and label"
            self._error = layout.histogram(name, text, tuple(truth.error_edges), with_sum=True)
        self._calibration = {
            (stated, result): layout.counter(
                "ml_model_calibration_predictions",
                "Labelled predictions by stated confidence",
                bin=stated,
                result=result,
            )
            for stated in _BINS
            for result in _RESULTS
        }
        self._confidence = [
            layout.counter("ml_model_calibration_confidence", "Sum of stated confidence", bin=stated)
            for stated in _BINS
        ]
        self._squared = layout.counter("ml_model_calibration_squared_error", "Sum of (confidence - right) squared")
        self._compared = {
            result: layout.counter("ml_model_shadow_comparisons", "Answers of a mirror against clients'", result=result)
            for result in _COMPARISONS
        }
        self.sha256 = layout.sha256
        self.cells = np.zeros(layout.size)

    def metrics(self) -> Iterator[Metric]:
        """Write all series."""
        return self._layout.metrics(self.cells)

    def mature(self) -> None:
        """Count a prediction that is old enough to be scored, labelled or not."""
        self.cells[self._matured] += 1

    def score(
        self, predicted: Scalar, actual: Scalar, confidence: float | None, slices: Iterable[tuple[str, str]]
    ) -> None:  # fmt: skip
        """Count a prediction whose truth is known.

        Parameters
        ----------
        predicted, actual
            Class or number.
        confidence
            What the model said of its certainty, 0..1.
        slices
            Name and value of each slice that the row belongs to.
        """
        if self._error is None:
            is_right = columns.category(predicted) == columns.category(actual)
            told = self._class(predicted), self._class(actual)
        else:
            distance = _distance(predicted, actual)
            is_right, told = distance <= self._truth.tolerance, ("", "")
            self._add_to_histogram(self._error, self._truth.error_edges, distance)
        key = (*told, _RESULTS[not is_right])
        self.cells[self._labeled[key]] += 1
        for name, value in slices:
            if name in self._truth.slices:
                at = self._sliced.get((name, columns.category(value), *key))
                self.cells[self._sliced[(name, OTHER, *key)] if at is None else at] += 1
        if confidence is not None and -_SLACK <= confidence <= 1 + _SLACK:
            confidence = min(max(confidence, 0.0), 1.0)
            stated = max(math.ceil(round(confidence * 10, 9)) - 1, 0)
            self.cells[self._calibration[_BINS[stated], key[2]]] += 1
            self.cells[self._confidence[stated]] += confidence
            self.cells[self._squared] += (confidence - is_right) ** 2

    def delayed(self, delay_s: float, *, late: bool) -> None:
        """Count how long a label took, in seconds."""
        self._add_to_histogram(self._delay, DELAY_EDGES_S, max(delay_s, 0.0))
        self.cells[self._late] += late

    def compare(self, mirrored: Scalar | None, answered: Scalar | None, *, paired: bool) -> None:
        """Count a mirrored answer against the one that the client got; None is an error."""
        if not paired:
            result = "unpaired"
        elif mirrored is None or answered is None:
            result = "error"
        elif columns.category(mirrored) == columns.category(answered):
            result = "equal"
        elif self._error is not None and _distance(mirrored, answered) <= self._truth.tolerance:
            result = "within_tolerance"
        else:
            result = "different"
        self.cells[self._compared[result]] += 1

    def _class(self, value: Scalar) -> str:
        return self._names.get(columns.category(value), OTHER)

    def _add_to_histogram(self, places: slice, edges: Sequence[float], value: float) -> None:
        self.cells[places.start + bisect_left(edges, value) : places.stop - 1] += 1
        total = float(self.cells[places.stop - 1]) + value
        if math.isfinite(total):  # what is not would spoil the sum for ever
            self.cells[places.stop - 1] = total


def _possible(predicted: str, actual: str, result: str) -> bool:
    """Tell whether a result can come up: equal classes are right, but for those that only share the rest's name."""
    if predicted == actual and predicted in {"", OTHER}:
        return True
    return (predicted == actual) == (result == "right")


def _distance(predicted: Scalar, actual: Scalar) -> float:
    try:
        distance = abs(float(predicted) - float(actual))
    except (ValueError, OverflowError):  # text, or more digits than a float has
        return math.inf
    return math.inf if math.isnan(distance) else distance
