"""Since when a drift that was just confirmed has been there: one more reading, in short stretches of time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.judge.drift.compare import Level
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.onset import onset
from seatrial.metrics.drift_types import DriftAsk, Seen, Stretch
from seatrial.rollout.drift_subject import LOOK_S, LOOKS_PER_WINDOW

if TYPE_CHECKING:
    from seatrial.api.drift import Drift, DriftStatus
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_subject import Subject

_WINDOWS: Final = 2
"""So many windows are looked back on: the last one has the drift, and the one before ends with none."""


def tiles_of(drift: Drift) -> list[Stretch]:
    """Cut the last windows into as many stretches as there are looks in them, the oldest first."""
    length_s = round(max(LOOK_S, drift.window / LOOKS_PER_WINDOW))
    return [Stretch(length_s, ago * length_s) for ago in reversed(range(_WINDOWS * LOOKS_PER_WINDOW))]


def ask_for_onset(drift: Drift, subject: Subject) -> DriftAsk:
    """Say what has to be counted to date a drift of what stable sees."""
    return DriftAsk(subject.namespace, subject.rollout, {subject.stable: frozenset(tiles_of(drift))})


def dated(drift: Drift, subject: Subject, found: DriftStatus, readings: DriftReadings) -> DriftStatus:
    """Date the incident of a finding; as it was when nothing can be counted.

    Parameters
    ----------
    drift
        What counts as drift.
    subject
        Whom the finding is about.
    found
        A finding that has just opened an incident.
    readings
        The answer to :func:`ask_for_onset`.
    """
    tiles = tiles_of(drift)
    owner = (subject.namespace, subject.rollout, subject.stable)
    seen = [readings.seen.get((*owner, tile), Seen()) for tile in tiles]
    parts = [tile.predictions if found.cause == "PredictionsMoved" else tile.features for tile in seen]
    drifted = {f.name for f in found.features if f.level == Level.ACT and f.against == "training"}
    names = sorted(drifted or {name for part in parts for name in part})
    first = onset([[part.get(name, Histogram(())) for part in parts] for name in names])
    if first is None or not found.incident:
        return found
    began_s = found.at - tiles[first].ago_s - tiles[first].length_s
    return replace(found, incident=replace(found.incident, since=min(began_s, found.incident.since)))
