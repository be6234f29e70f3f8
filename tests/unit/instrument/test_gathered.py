"""Batches of plain arrays are copied as bytes, and counted as all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial_instrument import Categorical, Instrument, Numeric, Options, Profile
from seatrial_instrument.gathered import Gathered

PROFILE = Profile(1, ("x", "c"), (Numeric("x", (0.5,), (0, 0), 0, 9),), (Categorical("y", ("a", "b"), (0, 0)),))
MATRIX = np.array([[0.1, 1.0], [0.7, 1.0], [8.0, 1.0], [99.0, 1.0]])
ANSWERS = np.array(["a", "b", "b", "z"])
CERTAINTY = np.array([0.2, 0.4, 0.6, 0.8])
FLAGS = np.array([True, False, False, False])


def made(**options: Any) -> tuple[Instrument, CollectorRegistry]:
    registry = CollectorRegistry()
    return Instrument(PROFILE, "m", Options(**options), registry=registry), registry


def page(registry: CollectorRegistry) -> dict[Any, float]:
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}


def parts(count: int) -> list[slice]:
    """Cut the four rows into batches of one length, or of different ones."""
    return {1: [slice(0, 4)], 2: [slice(0, 2), slice(2, 4)], 3: [slice(0, 1), slice(1, 4)]}[count]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    "features",
    [
        MATRIX, MATRIX.astype(np.float32), np.asfortranarray(MATRIX), np.repeat(MATRIX, 2, axis=0)[::2],
        MATRIX.astype(object), MATRIX.astype(">f8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stated", [None, CERTAINTY, CERTAINTY[:, None], np.stack([CERTAINTY, 1 - CERTAINTY], axis=1)])
@pytest.mark.parametrize("flags", [None, FLAGS, np.stack([FLAGS, ~FLAGS], axis=1)])
def test_copies_are_counted_as_what_was_given(count: int, features: Any, stated: Any, flags: Any) -> None:
    (gathered, shown), (single, expected) = made(), made()
    for rows in parts(count):
        gathered.observe(
            features[rows],
            ANSWERS[rows],
            confidence=None if stated is None else stated[rows],
            defaulted=None if flags is None else flags[rows],
        )
        for row in range(rows.start, rows.stop):
            confidence = None if stated is None else [float(stated[row].max())]
            defaulted = None if flags is None else [bool(flags[row].any())]
            single.observe([{"x": MATRIX[row, 0]}], [str(ANSWERS[row])], confidence=confidence, defaulted=defaulted)
    assert page(shown) == page(expected)


def test_masked_values_are_not_taken_for_values() -> None:
    instrument, registry = made()
    instrument.observe(MATRIX[:1], ANSWERS[:1])
    masked: Any = np.ma.MaskedArray(MATRIX[:1], [[True, False]])
    instrument.observe(masked, ANSWERS[:1])
    labels = {"model_name": "m", "feature": "x", "reason": "null"}
    assert registry.get_sample_value("ml_model_feature_missing_total", labels) == 1


@pytest.mark.parametrize(
    ("features", "predictions", "confidence"),
    [
        (MATRIX[:, :1], ANSWERS, None),
        (MATRIX, ANSWERS[:3], CERTAINTY),
        (MATRIX, ANSWERS, CERTAINTY[:3]),
        (MATRIX, ANSWERS, np.array(0.5)),
        (MATRIX, ANSWERS[:, None], None),
        (MATRIX[:, 0], ANSWERS, None),
        (MATRIX[:0], ANSWERS[:0], None),
        (MATRIX.tolist(), ANSWERS, None),
        (MATRIX, ANSWERS.tolist(), None),
        (MATRIX, ANSWERS, CERTAINTY.tolist()),
        (MATRIX, ANSWERS.astype(object), None),
    ],
)
def test_what_is_not_usual_is_not_gathered(features: Any, predictions: Any, confidence: Any) -> None:
    gathered = Gathered(2, "U")
    assert gathered.put(MATRIX, ANSWERS, CERTAINTY, None)
    assert not gathered.put(features, predictions, confidence, None)
    (batches,) = gathered.take()
    assert batches.features.tolist() == MATRIX.tolist()
    assert batches.predictions.tolist() == ANSWERS.tolist()
    assert batches.confidence.tolist() == CERTAINTY.tolist()
    assert batches.defaulted is None
    assert not [*gathered.take()]


def test_arrays_that_are_not_in_one_piece_are_gathered_as_well() -> None:
    gathered = Gathered(2, "U")
    assert gathered.put(np.asfortranarray(MATRIX), ANSWERS[::-1], CERTAINTY[::-1], None)
    (batches,) = gathered.take()
    assert batches.features.tolist() == MATRIX.tolist()
    assert batches.predictions.tolist() == ANSWERS[::-1].tolist()
    assert batches.confidence.tolist() == CERTAINTY[::-1].tolist()


def test_forms_are_few() -> None:
    gathered = Gathered(1, "f")
    taken = [gathered.put(np.ones((rows, 1)), None, None, None) for rows in range(1, 100)]
    assert sum(taken) == 64
    assert gathered.put(np.ones((1, 1)), None, None, None)
    assert sum(len(batches.features) for batches in gathered.take()) == sum(range(1, 65)) + 1


def test_models_whose_matrices_are_wide_gather_none() -> None:
    assert not Gathered(None, "f").put(np.ones((1, 1)), None, None, None)
