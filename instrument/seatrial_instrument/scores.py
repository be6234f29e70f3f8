"""What is known of a version's answers once the truth is known: the series that the joiner writes for one version."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument import columns
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


@dataclass(frozen=True, slots=True)
class Truth:
    """What the labels of a model look like.

    Attributes
    ----------
    classes
        Of a classifier: the classes that are told apart, at most 10. Empty: labels are numbers.
    tolerance
        Of numbers: distance of prediction and label up to which a prediction is right, in the label's unit. It also is
        the tolerance of shadow comparisons.
    error_edges
        Of numbers: edges of the histogram of that distance.
    slices
        Values to tell apart, by name of the slice; at most 50 over all names.
    """

    classes: Sequence[str] = ()
    tolerance: float = 0.0
    error_edges: Sequence[float] = ()
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) > _MOST_CLASSES:
            raise ValueError(f"{len(self.classes)} classes are declared, at most {_MOST_CLASSES} are allowed")
        if self.classes and (self.tolerance or self.error_edges):
            raise ValueError("classes have no distance: declare either classes, or a tolerance and edges")
        if (declared := sum(map(len, self.slices.values()))) > _MOST_SLICES:
            raise ValueError(f"{declared} slices are declared, at most {_MOST_SLICES} are allowed: merge small ones")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"the tolerance is {self.tolerance}; give a distance of 0 or more")


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
        pairs = [(p, a) for p in self._classes() for a in self._classes()]
        outcomes = [(p, a, result) for p, a in pairs for result in _RESULTS if _possible(p, a, result)]
        about = "Scored predictions with a label"
        self._labeled = {
            (p, a, r): layout.counter("ml_model_labeled_predictions", about, predicted=p, actual=a, result=r)
            for p, a, r in outcomes
        }
        self._sliced = {
            (name, value, p, a, r): layout.counter(
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
                known = value if value in self._truth.slices[name] else OTHER
                self.cells[self._sliced[(name, known, *key)]] += 1
        if confidence is not None and 0 <= confidence <= 1:
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

    def _classes(self) -> tuple[str, ...]:
        return (*self._truth.classes, OTHER) if self._truth.classes else ("",)

    def _class(self, value: Scalar) -> str:
        name = columns.category(value)
        return name if name is not None and name in self._truth.classes else OTHER

    def _add_to_histogram(self, places: slice, edges: Sequence[float], value: float) -> None:
        self.cells[places.start + bisect_left(edges, value) : places.stop - 1] += 1
        self.cells[places.stop - 1] += value if math.isfinite(value) else 0


def _possible(predicted: str, actual: str, result: str) -> bool:
    """Tell whether a result can come up: equal classes are right, but for those that only share the rest's name."""
    if predicted == actual and predicted in {"", OTHER}:
        return True
    return (predicted == actual) == (result == "right")


def _distance(predicted: Scalar, actual: Scalar) -> float:
    try:
        distance = abs(float(predicted) - float(actual))
    except ValueError:
        return math.inf
    return math.inf if math.isnan(distance) else distance
