"""`python -m bench.drift`: how often drift is called without any, how soon it is found, and what a look costs.

Needs no cluster. Everything is simulated with fixed seeds, through the very function that the operator calls.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from bench.report import machine, markdown
from seatrial.api.drift import Drift, DriftStatus
from seatrial.judge.drift.chance import chi_squared_quantile
from seatrial.judge.drift.compare import Rule, compare
from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.sentences import percent, significant
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import Subject, assess

if TYPE_CHECKING:
    from collections.abc import Callable

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


def false_alarms(runs: int) -> str:
    """Compare two samples of the same distribution."""
    rng = np.random.default_rng(1)
    rows = []
    for ours, theirs in ((100, 100), (200, 200), (500, 500), (100, 50_000), (200, 50_000), (500, 50_000)):
        above, called, unsure = 0, 0, 0
        for _ in range(runs):
            mine, others = (histogram(rng.multinomial(n, DECILES)) for n in (ours, theirs))
            found = compare("age", mine, others, Rule())
            above += found.value > 0.1
            called += found.level in {"Warn", "Act"}
            unsure += found.level == "Inconclusive"
        rows.append(
            (
                f"{ours:,}",
                f"{theirs:,}",
                percent(above / runs),
                percent(called / runs),
                percent(unsure / runs),
                significant(found.critical),
            )
        )
    head = ("rows", "against", "PSI above 0.1", "called by us", "of the rest inconclusive", "critical value")
    return markdown(head, rows)


def observations_needed() -> str:
    """Say from which number of rows a level can be told at all, with a large reference and alpha 1 %."""
    rows = []
    for bins in (10, 20, 30):
        cells = [str(bins)]
        for level in (0.1, 0.2):
            for features in (1, 50):
                quantile = chi_squared_quantile(0.01 / features, bins - 1)
                cells.append(f"{math.ceil(quantile / level):,}")
        rows.append(tuple(cells))
    return markdown(("bins", "0.1, 1 feature", "0.1, 50 features", "0.2, 1 feature", "0.2, 50 features"), rows)


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


def hours_to_detect(runs: int, features: int) -> str:
    """Let one feature drift for good, and wait for the word."""
    rows = []
    for rows_per_hour in (100, 400, 2000, 20_000):
        cells = [f"{rows_per_hour:,}"]
        for shift in SHIFTS.values():
            for window_s in (HOUR_S, 24 * HOUR_S):
                waited = sorted(_wait(rows_per_hour, shift, window_s, features, seed) for seed in range(runs))
                median = waited[len(waited) // 2]
                found = sum(hours < math.inf for hours in waited)
                cells.append(
                    f"never in {_PATIENCE_H} h"
                    if median == math.inf
                    else significant(median) + ("" if found == runs else f" ({percent(found / runs)} found)")
                )
        rows.append(tuple(cells))
    head = ("rows per hour", *(f"PSI {level}, {w} window" for level in SHIFTS for w in ("1 h", "24 h")))
    return markdown(head, rows)


_PATIENCE_H = 24


def _wait(rows_per_hour: int, shift: float, window_s: int, features: int, seed: int) -> float:
    """Hours until the drift of one feature is told; looks as often as the operator does."""
    rng = np.random.default_rng(seed)
    drift = Drift.model_validate({"features": {"warn": "0.08"}, "window": f"{window_s}s"})
    training = seen(rng.multinomial(TRAINING_ROWS, DECILES, size=features))
    look_s = window_s // 12
    ring = [rng.multinomial(rows_per_hour * look_s // HOUR_S, DECILES, size=features) for _ in range(12)]
    status: DriftStatus | None = None
    subject, whole = Subject("ml", "m", STABLE), Stretch(window_s)
    for look in range(1, _PATIENCE_H * HOUR_S // look_s + 1):
        n = rng.poisson(rows_per_hour * look_s / HOUR_S)
        fresh = rng.multinomial(n, DECILES, size=features)
        fresh[0] = rng.multinomial(n, shares(shift))
        ring = [*ring[1:], fresh]
        found = {("ml", "m", STABLE, whole): seen(np.sum(ring, axis=0))}
        readings = DriftReadings(float(look * look_s), None, found, {("ml", "m", STABLE): training})
        status = assess(drift, subject, readings, status)
        if status.confirmed:
            return look * look_s / HOUR_S
    return math.inf


def trials(runs: int, features: int) -> str:
    """Let candidates run for an hour beside stable at 10 % of the traffic: healthy, and with one feature broken."""
    rows = []
    drift = Drift.model_validate({"features": {}})
    for per_minute in (10, 60, 600):
        cells = [f"{per_minute:,}"]
        for shift in (0.0, 0.5, 0.75, 1.5):
            waited = [_trial(drift, per_minute, shift, features, seed) for seed in range(runs)]
            found = sorted(minutes for minutes in waited if minutes < math.inf)
            if not shift:
                cells.append(percent(len(found) / runs))
            elif found:
                share = "" if len(found) == runs else f" ({percent(len(found) / runs)} found)"
                cells.append(f"{found[len(found) // 2]:g}{share}")
            else:
                cells.append("never")
        rows.append(tuple(cells))
    head = ("candidate's rows per minute", "healthy, rolled back", "moved by 0.5: minutes", "by 0.75", "by 1.5")
    return markdown(head, rows)


def _trial(drift: Drift, per_minute: int, shift: float, features: int, seed: int) -> float:
    """Minutes until the candidate is to be rolled back, or infinity within an hour."""
    rng = np.random.default_rng(seed)
    subject = Subject("ml", "m", STABLE, CANDIDATE, weighted_at=0.0)
    status: DriftStatus | None = None
    mine, theirs = [], []
    for minute in range(1, 61):
        fresh = rng.multinomial(per_minute, DECILES, size=features)
        fresh[0] = rng.multinomial(per_minute, shares(shift))
        mine.append(fresh)
        theirs.append(rng.multinomial(9 * per_minute, DECILES, size=features))
        length = 1 << (minute.bit_length() - 1)
        within = Stretch(60 * length)
        found = {
            ("ml", "m", version, within): seen(np.sum(tiles[-length:], axis=0))
            for version, tiles in ((CANDIDATE, mine), (STABLE, theirs))
        }
        status = assess(drift, subject, DriftReadings(60.0 * minute, None, found), status)
        if status.remedy == "rollback":
            return minute
    return math.inf


def cost() -> str:
    """Time a look at one model during a trial."""
    rows = []
    rng = np.random.default_rng(0)
    for features in (10, 50, 200):
        drift = Drift.model_validate({"features": {}})
        subject = Subject("ml", "m", STABLE, CANDIDATE, weighted_at=0.0)
        counts = {v: seen(rng.multinomial(5000, DECILES, size=features)) for v in (STABLE, CANDIDATE)}
        readings = DriftReadings(
            3600.0,
            None,
            {("ml", "m", v, Stretch(s)): c for v, c in counts.items() for s in (1920, 3600)},
            {("ml", "m", v): c for v, c in counts.items()},
        )
        times_s = []
        for repeat in range(5):
            began_s = time.process_time()
            assess(drift, subject, replace(readings, at_s=3600.0 + repeat))
            times_s.append(time.process_time() - began_s)
        rows.append((str(features), f"{1000 * min(times_s):.0f} ms"))
    return markdown(("features", "processor time for a look at a trial"), rows)


@click.command()
@click.option("--runs", type=click.IntRange(10), default=2000, show_default=True, help="Simulated comparisons.")
@click.option("--weeks", type=click.IntRange(1), default=2, show_default=True, help="Simulated healthy weeks.")
@click.option("--features", type=click.IntRange(1), default=10, show_default=True, help="Features of the model.")
def main(runs: int, weeks: int, features: int) -> None:
    """Print the figures of drift as Markdown."""
    few = max(10, runs // 100)
    sections: list[tuple[str, Callable[[], str]]] = [
        ("Called without any drift (10 bins, one feature)", lambda: false_alarms(runs)),
        ("Rows from which a level can be told (large reference, alpha 1 %)", observations_needed),
        (f"Told per healthy week ({features} features, windows of an hour)", lambda: healthy_weeks(weeks, features)),
        (
            f"Hours to detect one of {features} features (looks 12 times per window)",
            lambda: hours_to_detect(few, features),
        ),
        (f"Trials of an hour at 10 % of traffic ({features} features)", lambda: trials(few * 5, features)),
        ("Cost of a look", cost),
    ]
    for title, table in sections:
        print(f"### {title}\n\n{table()}\n", flush=True)
    print(machine())


if __name__ == "__main__":
    main()
