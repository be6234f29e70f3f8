"""What a joiner is told of: predictions, labels, and versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial_instrument.scores import Scalar


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row that a version answered.

    Attributes
    ----------
    request_id, row
        Which row of which request.
    rollout, version
        ModelDeployment and hash of the version that answered.
    at_s
        Unix time of the answer in seconds.
    predicted
        Class or number; None when the answer was an error.
    confidence
        What the model said of its certainty, 0..1.
    slices
        Values of slices by name.
    shadow
        Whether the answer was thrown away because the request was mirrored.
    """

    request_id: str
    rollout: str
    version: str
    at_s: float
    predicted: Scalar | None
    row: int = 0
    confidence: float | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one row, known at a Unix time in seconds."""

    request_id: str
    actual: Scalar
    at_s: float
    row: int = 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """A version that will answer, as of a Unix time in seconds."""

    rollout: str
    version: str
    at_s: float
