"""`python -m bench.drift`: how often drift is called without any, how soon it is found, and what a look costs.

Needs no cluster. Everything is simulated with fixed seeds, through the very function that the operator calls.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click
import numpy as np

from bench.drift_rare import called_by_chance, healthy_weeks_of_categories
from bench.drift_weeks import (
    CANDIDATE,
    DECILES,
    HOUR_S,
    SHIFTS,
    STABLE,
    TRAINING_ROWS,
    healthy_weeks,
    histogram,
    seen,
    shares,
)
from bench.report import machine, markdown
from seatrial.api.drift import Drift, DriftStatus
from seatrial.judge.drift.chance import chi_squared_quantile
from seatrial.judge.drift.compare import Rule, compare
from seatrial.judge.sentences import percent, significant
from seatrial.metrics.drift_types import DriftReadings, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable


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
    """Say from which number of rows a level can be told at all, with a large reference and a third of alpha 1 %.

    That is the share of single features when features alone are declared.
    """
    rows = []
    for bins in (10, 20, 30):
        cells = [str(bins)]
        for level in (0.1, 0.2):
            for features in (1, 50):
                quantile = chi_squared_quantile(0.01 / 3 / features, bins - 1)
                cells.append(f"{math.ceil(quantile / level):,}")
        rows.append(tuple(cells))
    return markdown(("bins", "0.1, 1 feature", "0.1, 50 features", "0.2, 1 feature", "0.2, 50 features"), rows)


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
        ("Categories of which some are rare, called without any drift", lambda: called_by_chance(runs)),
        (
            f"Told per healthy week of {features} features of two common and 18 rare categories (levels 0.05 and 0.1)",
            lambda: healthy_weeks_of_categories(weeks, features),
        ),
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
