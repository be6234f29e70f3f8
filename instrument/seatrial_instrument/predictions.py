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

    from numpy.typing import NDArray

    from seatrial_instrument.reference import Profile
    from seatrial_instrument.series import Layout
    from seatrial_instrument.waiting import Answers

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
        self.plain_kinds = _plain_kinds(profile.outputs)
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
            (name, columns.category(value), outcome): layout.counter(
                *_SLICED, slice_name=name, slice=value, outcome=outcome
            )
            for name, values in slices.items()
            for value in (*values, OTHER)
            for outcome in dict.fromkeys(_OUTCOMES)
        }

    def count(self, batch: Answers, cells: NDArray[np.float64]) -> None:
        """Count a batch of answers.

        Raises
        ------
        KeyError
            A slice was not declared.
        ValueError
            Outputs are missing, unknown, or differ in length.
        """
        flaws = self._count_answers(batch, cells)
        if batch.confidence is not None:
            self._confidence.add(cells, self._confidence.count(batch.confidence[:, None]))
        if batch.slices:
            worst = [Flaw.NONE] * batch.rows if flaws is None else flaws.tolist()
            self._count_slices(batch.slices, worst, cells)

    def _count_answers(self, batch: Answers, cells: NDArray[np.float64]) -> NDArray[np.int8] | None:
        """Count answers; return the worst `Flaw` of each row, or None when there is none in any."""
        given, rows, bad = self._by_output(batch.predictions), batch.rows, batch.failed
        good = None if bad is None or not bad.any() else ~bad
        found = []
        for name, column in given.items():
            if len(column) != rows:
                raise ValueError(f"output {name} has {len(column)} rows, others have {rows}")
            if name in self._outputs:
                found.append(self._outputs[name].count(column, good, cells))
        if batch.defaulted is not None and batch.defaulted.any():
            found.append(np.where(batch.defaulted, Flaw.IMPUTED, 0).astype(np.int8))
        if bad is not None and good is not None:
            found.append(np.where(bad, Flaw.ERROR, 0).astype(np.int8))
        flawed = [flaws for flaws in found if flaws is not None]
        if not flawed:
            cells[self._flaws[Flaw.NONE]] += rows
            return None
        worst: NDArray[np.int8] = np.maximum.reduce(flawed)
        cells[self._flaws] += np.bincount(worst, minlength=len(Flaw))
        return worst

    def _count_slices(self, slices: Mapping[str, Sequence[Any]], flaws: list[int], cells: NDArray[np.float64]) -> None:
        """Count rows by slice; undeclared values count as `__other__`."""
        for name, values in slices.items():
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


def _plain_kinds(outputs: Sequence[Distribution]) -> str:
    """Say which kinds of numpy can be joined as Python's own values: text and numbers of one output never meet."""
    if len(outputs) > 1:
        return ""
    return "fiub" if all(isinstance(output, Numeric) for output in outputs) else "fiubU"


def _counter(output: Distribution, layout: Layout) -> _Numbers | _Classes:
    return _Numbers(output, layout) if isinstance(output, Numeric) else _Classes(output, layout)
