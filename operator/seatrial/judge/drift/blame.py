"""The table of blame: who is at fault when something has drifted, and what follows.

A candidate and stable get requests from the same world. So what both see is the world's doing and no reason to roll
back; what only the candidate sees, while requests are dealt at random, is the doing of its own feature path. When
requests are dealt by user or by header, both versions serve different people, and a difference proves nothing.
Predictions of a new model are meant to differ: only bounds that were declared for them count.

The rows of ``TABLE`` are tried in their order; the first that fits speaks. What is done is never more than the drift
objective's own ``action`` allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from seatrial.judge.drift.compare import Level

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TABLE", "Dealing", "Finding", "Remedy", "Row", "Signals", "blame"]


class Dealing(StrEnum):
    """How requests are dealt to the versions."""

    RANDOM = "random"
    """By weight alone: both versions see the same mixture."""
    CHOSEN = "chosen"
    """By user, cookie or header: the populations differ."""


class Remedy(IntEnum):
    """What follows, from least to most."""

    NOTHING = 0
    NOTIFY = 1
    HOLD = 2
    ROLL_BACK = 3


@dataclass(frozen=True, slots=True)
class Signals:
    """What was found, each as the worst level over all features.

    Attributes
    ----------
    dealing
        How requests are dealt; None while nothing is on trial.
    apart
        Features of the candidate against those of stable.
    candidate_away, stable_away
        Features of each against the training profile of that version.
    candidate_faulty, stable_faulty
        Missing, out-of-range or invalid values: of the candidate beyond stable's, of stable beyond its training's.
    predictions
        Predictions of the candidate against those of stable, by the declared bounds.
    """

    dealing: Dealing | None = None
    apart: Level = Level.CLEAR
    candidate_away: Level = Level.CLEAR
    stable_away: Level = Level.CLEAR
    candidate_faulty: Level = Level.CLEAR
    stable_faulty: Level = Level.CLEAR
    predictions: Level = Level.CLEAR


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    name
        CamelCase, as it stands in conditions and Events.
    fits
        When the row speaks.
    remedy
        What it asks for.
    blames
        In plain words, who is at fault.
    about
        Whose declared action bounds the remedy: ``features`` or ``predictions``.
    retrain
        Whether a model trained on newer data would help.
    """

    name: str
    fits: Callable[[Signals], bool]
    remedy: Remedy
    blames: str
    about: str = "features"
    retrain: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The row that spoke, and what may be done."""

    row: Row
    remedy: Remedy


_ACT = Level.ACT

TABLE = (
    Row(
        "ValuesMissing",
        lambda s: s.candidate_faulty is _ACT,
        Remedy.ROLL_BACK,
        "values are missing or out of range on the candidate and not on stable: its feature path is broken",
    ),
    Row(
        "FeaturesApart",
        lambda s: s.apart is _ACT and s.dealing is Dealing.RANDOM,
        Remedy.ROLL_BACK,
        "requests are dealt at random, yet the candidate sees other features than stable: its feature path is broken",
    ),
    Row(
        "PopulationsDiffer",
        lambda s: s.apart is _ACT,
        Remedy.HOLD,
        "both versions see different features, and requests are dealt by user or header: the populations differ",
    ),
    Row(
        "PredictionsApart",
        lambda s: s.predictions is _ACT and s.dealing is not None,
        Remedy.ROLL_BACK,
        "both versions see the same features, and the candidate's predictions leave the bounds declared for them",
        about="predictions",
    ),
    Row(
        "SourceBroken",
        lambda s: s.stable_faulty is _ACT,
        Remedy.NOTIFY,
        "values are missing or out of range in what all versions read: no version is blamed",
    ),
    Row(
        "WorldChanged",
        lambda s: s.stable_away is _ACT and (s.dealing is None or s.candidate_away is not Level.CLEAR),
        Remedy.NOTIFY,
        "what is asked of the model has moved away from what it was trained on: no version is blamed",
        retrain=True,
    ),
    Row(
        "StableOutdated",
        lambda s: s.stable_away is _ACT,
        Remedy.NOTIFY,
        "requests have moved away from stable's training data and not from the candidate's: stable is out of date",
    ),
    Row(
        "TrainedElsewhere",
        lambda s: s.candidate_away is _ACT and s.apart is Level.CLEAR,
        Remedy.NOTIFY,
        "both versions see the same features, which are those of stable's training data and not of the candidate's: "
        "it was trained on something else",
    ),
    Row(
        "CandidateAway",
        lambda s: s.candidate_away is _ACT,
        Remedy.NOTIFY,
        "the candidate's features are not those of its training data, and it is not certain that stable sees the same: "
        "it was trained on something else, or its feature path is broken",
    ),
    Row(
        "PredictionsMoved",
        lambda s: s.predictions is _ACT,
        Remedy.NOTIFY,
        "no feature that is compared drifts, yet predictions left their bounds: what was learnt may no longer hold",
        about="predictions",
        retrain=True,
    ),
    Row(
        "DriftWarning",
        lambda s: Level.WARN in _all(s),
        Remedy.NOTIFY,
        "a difference is beyond chance and beyond its warning level, and not at the level at which something is done",
    ),
)
"""All rows, in order of precedence."""


def blame(
    signals: Signals, *, features: Remedy = Remedy.ROLL_BACK, predictions: Remedy = Remedy.NOTIFY
) -> Finding | None:
    """Find who is at fault.

    Parameters
    ----------
    signals
        What was found.
    features, predictions
        The most that may be done about each.

    Returns
    -------
    Finding or None
        None when nothing is beyond chance and its levels.
    """
    for row in TABLE:
        if row.fits(signals):
            return Finding(row, min(row.remedy, predictions if row.about == "predictions" else features))
    return None


def _all(signals: Signals) -> tuple[Level, ...]:
    return (
        signals.apart,
        signals.candidate_away,
        signals.stable_away,
        signals.candidate_faulty,
        signals.stable_faulty,
        signals.predictions,
    )
