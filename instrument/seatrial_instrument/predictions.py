"""Counts the answers of a batch: how they are distributed, and which of them are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.blocks import NumericBlock, out_of_range
from seatrial_instrument.features import CategoryPlaces
from seatrial_instrument.reference import OTHER, Categorical, Distribution, Numeric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from seatrial_instrument.reference import Profile
    from seatrial_instrument.series import Layout

CONFIDENCE_EDGES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_SLICED: Final = "ml_model_slice_predictions", "Predicted rows by slice"


class Flaw(IntEnum):
    """What is wrong with an answer; of several flaws the greatest counts."""

    NONE = 0
    IMPUTED = 1
    UNKNOWN_CLASS = 2
    OUT_OF_RANGE = 3
    NAN = 4
    ERROR = 5


_LABELS: Final = {
    Flaw.NONE: ("ok", ""),
    Flaw.IMPUTED: ("default", "imputed"),
    Flaw.UNKNOWN_CLASS: ("invalid", "unknown_class"),
    Flaw.OUT_OF_RANGE: ("invalid", "out_of_range"),
    Flaw.NAN: ("invalid", "nan"),
    Flaw.ERROR: ("invalid", "error"),
}
_OUTCOMES: Final = [_LABELS[flaw][0] for flaw in Flaw]


class _Numbers:
    """A numeric output."""

    def __init__(self, output: Numeric, layout: Layout) -> None:
        self._output = output
        self._block = NumericBlock([output], layout)
        layout.histogram_at(
            "ml_model_prediction_value",
            "Answers on the edges of the training profile",
            output.edges,
            self._block.buckets(0),
            output=output.name,
        )

    def count(
        self,
        answers: Any,  # noqa: ANN401 # any column
        good: NDArray[np.bool_] | None,
        cells: NDArray[np.float64],
    ) -> NDArray[np.int8] | None:
        values = columns.numeric(answers).values.ravel()
        kept = values if good is None else values[good]
        counts = self._block.count(kept[:, None])
        self._block.add(cells, counts)
        if good is None and self._block.is_sound(counts):
            return None
        flaws = np.zeros(len(values), np.int8)
        flaws[out_of_range(values, self._output)] = Flaw.OUT_OF_RANGE
        flaws[np.isnan(values)] = Flaw.NAN
        return flaws


class _Classes:
    """An output that is one of several classes."""

    def __init__(self, output: Categorical, layout: Layout) -> None:
        places = {
            name: layout.counter("ml_model_prediction_class", "Answers by class", output=output.name, class_=name)
            for name in (*output.categories, OTHER)
        }
        self._other = places.pop(OTHER)
        self._places = CategoryPlaces(places, self._other)

    def count(
        self,
        answers: Any,  # noqa: ANN401 # any column
        good: NDArray[np.bool_] | None,
        cells: NDArray[np.float64],
    ) -> NDArray[np.int8] | None:
        values = columns.values_of(answers)
        kept = values if good is None else [value for value, is_good in zip(values, good, strict=True) if is_good]
        known = {value: self._places.of(value) for value in set(values)}
        for value, rows in Counter(kept).items():
            if (at := known[value]) is not None:
                cells[at] += rows
        if all(at is not None and at != self._other for at in known.values()):
            return None
        flaw = {None: Flaw.NAN, self._other: Flaw.UNKNOWN_CLASS}
        return np.array([flaw.get(known[value], Flaw.NONE) for value in values], np.int8)


class Predictions:
    """The outputs of a model.

    Parameters
    ----------
    outputs
        Their reference; may be empty: then only what went wrong is counted.
    slices
        Values to tell apart, by name of the slice.
    layout
        Receives their series.
    """

    def __init__(self, profile: Profile, slices: Mapping[str, Sequence[str]], layout: Layout) -> None:
        self._outputs = {output.name: _counter(output, layout) for output in profile.outputs}
        self._flaws = np.array(
            [
                layout.counter("ml_model_predictions", "Predicted rows by outcome", outcome=outcome, reason=reason)
                for outcome, reason in _LABELS.values()
            ]
        )
        confidence = Numeric("confidence", CONFIDENCE_EDGES, (0,) * (len(CONFIDENCE_EDGES) + 1))
        self._confidence = NumericBlock([confidence], layout)
        layout.histogram_at(
            "ml_model_prediction_confidence_ratio",
            "Confidence that the model states",
            CONFIDENCE_EDGES,
            self._confidence.buckets(0),
        )
        self._slices = {
            (name, value, outcome): layout.counter(*_SLICED, slice_name=name, slice=value, outcome=outcome)
            for name, values in slices.items()
            for value in (*values, OTHER)
            for outcome in dict.fromkeys(_OUTCOMES)
        }

    def count(
        self,
        answers: Any,  # noqa: ANN401 # any column or columns
        defaulted: ArrayLike | None,
        failed: ArrayLike | None,
        cells: NDArray[np.float64],
    ) -> NDArray[np.int8] | None:
        """Count a batch of answers.

        Parameters
        ----------
        answers
            The only output, or a mapping of output to column; one value for each row.
        defaulted, failed
            One flag for each row, or one for all: the answer rests on imputed features or is a default; the answer is
            an error that is sent as a success.
        cells
            Receives the counts.

        Returns
        -------
        NDArray[np.int8] | None
            The worst `Flaw` of each row; None when there is none in any.

        Raises
        ------
        ValueError
            Outputs are missing, unknown, or differ in length.
        """
        given = self._by_output(answers)
        rows = len(next(iter(given.values())))
        bad = None if failed is None else np.broadcast_to(np.asarray(failed, bool), rows)
        good = None if bad is None else ~bad
        found = []
        for name, column in given.items():
            if len(column) != rows:
                raise ValueError(f"output {name} has {len(column)} rows, others have {rows}")
            if name in self._outputs:
                found.append(self._outputs[name].count(column, good, cells))
        if defaulted is not None:
            found.append(np.where(np.broadcast_to(np.asarray(defaulted, bool), rows), Flaw.IMPUTED, 0).astype(np.int8))
        if bad is not None:
            found.append(np.where(bad, Flaw.ERROR, 0).astype(np.int8))
        flawed = [flaws for flaws in found if flaws is not None]
        if not flawed:
            cells[self._flaws[Flaw.NONE]] += rows
            return None
        worst: NDArray[np.int8] = np.maximum.reduce(flawed)
        cells[self._flaws] += np.bincount(worst, minlength=len(Flaw))
        return worst

    def count_confidence(self, confidence: ArrayLike, cells: NDArray[np.float64]) -> None:
        """Count stated confidence, 0..1, one for each row."""
        values = np.asarray(confidence, np.float64).reshape(-1, 1)
        self._confidence.add(cells, self._confidence.count(values))

    def count_slices(self, slices: Mapping[str, Any], flaws: list[int], cells: NDArray[np.float64]) -> None:
        """Count rows by slice: one value for each row, or one for all; undeclared values count as `__other__`.

        Raises
        ------
        KeyError
            A slice was not declared.
        """
        for name, given in slices.items():
            values = [given] * len(flaws) if isinstance(given, (str, int)) else columns.values_of(given)
            for (value, flaw), rows in Counter(zip(values, flaws, strict=True)).items():
                key = (name, columns.category(value) or OTHER, _OUTCOMES[flaw])
                at = self._slices.get(key)
                cells[self._slices[name, OTHER, _OUTCOMES[flaw]] if at is None else at] += rows

    def _by_output(self, answers: Any) -> Mapping[str, Any]:  # noqa: ANN401 # any column or columns
        if isinstance(answers, Mapping):
            if set(answers) != set(self._outputs):
                raise ValueError(f"the profile has the outputs {sorted(self._outputs)}, given are {sorted(answers)}")
            return answers
        if len(self._outputs) > 1:
            raise ValueError(f"the profile has several outputs: give a mapping of {sorted(self._outputs)} to columns")
        return {next(iter(self._outputs), ""): answers}


def _counter(output: Distribution, layout: Layout) -> _Numbers | _Classes:
    return _Numbers(output, layout) if isinstance(output, Numeric) else _Classes(output, layout)
