"""Writes answers as the lines that a joiner reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.waiting import answers

if TYPE_CHECKING:
    from seatrial_instrument.scores import Scalar
    from seatrial_instrument.waiting import Told


def lines_of(told: Told, common: Mapping[str, object]) -> list[str]:
    """Write one line for each row.

    Parameters
    ----------
    told
        What was answered; of several outputs the first is told.
    common
        Fields that all lines have.

    Raises
    ------
    ValueError, TypeError
        It has not one value for each row, or values that are no class or number.
    """
    batch = answers(told)
    first = batch.predictions
    if isinstance(first, Mapping):
        first = next(iter(first.values()))
    lines = []
    for row, value in enumerate(columns.values_of(first)):
        failed = batch.failed is not None and batch.failed[row]
        line = {
            **common,
            "row": row,
            "predicted": None if failed else _scalar(value),
            "confidence": None if batch.confidence is None else _finite(float(batch.confidence[row])),
            "slices": {name: str(columns.category(given[row])) for name, given in batch.slices.items()},
        }
        lines.append(json.dumps(line))
    return lines


def _scalar(value: Any) -> Scalar | None:  # noqa: ANN401 # whatever a model answers
    """Turn an answer into a class or number that JSON has; None when it is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if columns.is_null(value):
        return None
    if isinstance(value, (float, Decimal)):
        return _finite(float(value))
    if isinstance(value, (str, int)):
        return value
    hash(value)  # a list or the like is no class
    return str(value)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
