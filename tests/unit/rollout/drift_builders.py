"""Looks at drift for tests: counts of both versions and their training profiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.drift import Drift
from seatrial.judge.drift.shares import Part
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import Subject
from tests.unit.judge.drift.builders import normal

if TYPE_CHECKING:
    from seatrial.api.drift import DriftStatus

STABLE, CANDIDATE = "aaaaaaaaaa", "bbbbbbbbbb"
OWNER = ("ml", "scorer")
NOW_S = 10_000_000.0
REST = Subject(*OWNER, stable=STABLE)
TRIAL = Subject(*OWNER, stable=STABLE, candidate=CANDIDATE, weighted_at=NOW_S - 600)
WITHIN, WHOLE = Stretch(480), Stretch(3600)
TRAINING = Seen(
    {"age": normal(0.0, n=50_000), "income": normal(0.0, n=50_000)},
    {"score": normal(0.0, n=50_000)},
    {"age": Part(50, 50_050)},
)
ONCE = Drift.model_validate({"features": {}, "confirm": 1})


def rows(n: int, age: float = 0.0, score: float = 0.0, missing: int = 0) -> Seen:
    features = {"age": normal(age, n=n), "income": normal(0.0, n=n)}
    shares = {"age": Part(missing, n + missing), "income": Part(0, n + missing)}
    return Seen(features, {"score": normal(score, n=n)}, shares, dict.fromkeys(shares, Part(0, n)), Part(0, n))


def readings(
    mine: Seen | None = None, theirs: Seen | None = None, whole: Seen | None = None, **more: object
) -> DriftReadings:
    given = {(CANDIDATE, WITHIN): mine, (STABLE, WITHIN): theirs, (STABLE, WHOLE): whole or theirs}
    return DriftReadings(
        NOW_S,
        None,
        {(*OWNER, *key): seen for key, seen in given.items() if seen},
        {(*OWNER, STABLE): TRAINING, (*OWNER, CANDIDATE): TRAINING},
        **more,  # type: ignore[arg-type]  # fields by name
    )


def looked(found: DriftReadings, drift: Drift = ONCE, subject: Subject = TRIAL, times: int = 1) -> DriftStatus:
    status = assess(drift, subject, found)
    for minute in range(1, times):
        status = assess(drift, subject, replace(found, at_s=NOW_S + minute), status)
    return status
