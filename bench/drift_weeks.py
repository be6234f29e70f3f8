"""Simulated features for the figures of drift: services at rest, through healthy weeks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.report import markdown
from seatrial.api.drift import Drift
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.sentences import significant
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import Subject

if TYPE_CHECKING:
    from seatrial.api.drift import DriftStatus

Counts = NDArray[np.int64]

BINS = 10
DECILES = np.full(BINS, 1 / BINS)
INNER = (-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816)
EDGES = (*INNER, math.inf)
TRAINING_ROWS = 50_000
STABLE, CANDIDATE = "stable", "candidate"
HOUR_S, LOOK_S = 3600, 300
SHIFTS = {0.1: 0.322, 0.2: 0.457, 0.5: 0.728}
"""PSI over ten deciles of a unit normal -> by how much its mean has moved."""


def shares(shift: float) -> NDArray[np.float64]:
    """Shares of the deciles' bins when a unit normal has moved."""
    reached = [0.5 * (1 + math.erf((edge - shift) / math.sqrt(2))) for edge in INNER]
    return np.diff([0.0, *reached, 1.0])


def histogram(counts: Counts) -> Histogram:
    """Take counts for a histogram on the deciles' edges."""
    return Histogram(tuple(int(count) for count in counts), edges=EDGES)


@dataclass
class Service:
    """A service at rest, looked at as the operator does, with windows of an hour.

    Attributes
    ----------
    drift
        What counts as drift.
    features
        How many features it has.
    """

    drift: Drift
    features: int
    status: DriftStatus | None = None
    tiles: list[Counts] = field(default_factory=list)
    training: Seen = field(init=False)

    def __post_init__(self) -> None:
        """Draw the training data."""
        rng = np.random.default_rng(99)
        drawn = rng.multinomial(TRAINING_ROWS, DECILES, size=self.features)
        self.training = seen(drawn)

    def look(self, counts: Counts) -> bool:
        """Add five minutes of counts, shape (features, bins), and look; True when a drift is newly told."""
        self.tiles.append(counts)
        week = 7 * 24 * HOUR_S // LOOK_S
        per_window = round(self.drift.window) // LOOK_S
        whole = Stretch(round(self.drift.window))
        found = {("ml", "m", STABLE, whole): seen(sum(self.tiles[-per_window:], np.zeros_like(counts)))}
        if self.drift.usual and len(self.tiles) > week + per_window:
            before = sum(self.tiles[-week - per_window : -week], np.zeros_like(counts))
            found["ml", "m", STABLE, Stretch(whole.length_s, round(self.drift.usual.ago))] = seen(before)
        at_s = float(LOOK_S * len(self.tiles))
        readings = DriftReadings(at_s, None, found, {("ml", "m", STABLE): self.training})
        told = self.status is not None and self.status.confirmed
        self.status = assess(self.drift, Subject("ml", "m", STABLE), readings, self.status)
        return self.status.confirmed and not told


def seen(counts: Counts) -> Seen:
    """Take counts, shape (features, bins), for what was seen of features f0, f1, …."""
    return Seen({f"f{i}": histogram(row) for i, row in enumerate(counts)})


def season(look: int) -> tuple[float, float]:
    """Return the shift of every feature and the traffic (relative to its mean) at a look: days, and weekends."""
    hours = look * LOOK_S / HOUR_S
    weekend = (hours // 24) % 7 >= 5
    return 0.45 * math.sin(2 * math.pi * hours / 24) + (0.3 if weekend else 0.0), 1 + 0.6 * math.sin(
        2 * math.pi * (hours - 6) / 24
    )


def healthy_weeks(weeks: int, features: int) -> str:
    """Count what is told in healthy weeks, after a first one that only says what is usual."""
    per_week = 7 * 24 * HOUR_S // LOOK_S
    rows = []
    for rows_per_hour in (400, 2000, 20_000):
        cells = [f"{rows_per_hour:,}"]
        for seasonal in (False, True):
            rng = np.random.default_rng(5)
            plain = Service(Drift.model_validate({"features": {}}), features)
            usual = Service(Drift.model_validate({"features": {}, "usual": {}}), features)
            thumb, raised, alarms = 0, False, [0, 0]
            for look in range(per_week * (weeks + 1)):
                shift, traffic = season(look) if seasonal else (0.0, 1.0)
                n = rng.poisson(rows_per_hour * traffic * LOOK_S / HOUR_S)
                counts = rng.multinomial(n, shares(shift), size=features)
                new = [service.look(counts) for service in (plain, usual)]
                counted = look >= per_week
                alarms = [a + (b and counted) for a, b in zip(alarms, new, strict=True)]
                if look % (HOUR_S // LOOK_S) == 0:
                    hour = np.array(plain.tiles[-(HOUR_S // LOOK_S) :]).sum(axis=0)
                    above = any(
                        float(((p - q) * np.log(p / q)).sum()) > 0.1
                        for q in [DECILES]
                        for p in (row / row.sum() + 1e-4 for row in hour)
                    )
                    thumb += counted and above and not raised
                    raised = above
            cells += [significant(count / weeks) for count in (thumb, *alarms)]
        rows.append(tuple(cells))
    head = (
        "rows per hour",
        *(
            f"{what}, {kind}"
            for kind in ("steady", "seasonal")
            for what in ("PSI > 0.1 each hour", "ours", "with usual")
        ),
    )
    return markdown(head, rows)
