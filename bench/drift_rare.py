"""Simulated categories of which some are rare, for the figures of drift: how often chance alone is called drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.drift_weeks import HOUR_S, LOOK_S, STABLE, TRAINING_ROWS
from bench.report import markdown
from seatrial.api.drift import Drift
from seatrial.judge.drift.histogram import Histogram, paired
from seatrial.judge.drift.statistics import Statistic, measure
from seatrial.judge.sentences import percent, significant
from seatrial.metrics.drift_types import DriftReadings, Seen, Stretch
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seatrial.api.drift import DriftStatus

    Shares = NDArray[np.float64]

ALPHA, SHARED = 0.01, 0.01 / 12
"""Probability of a false alarm of a window, and its share for one look of twelve."""


def _zipf(categories: int, power: float) -> Shares:
    weights: Shares = 1 / np.arange(1, categories + 1) ** power
    return np.asarray(weights / weights.sum())


KINDS = {
    "two common, 18 of 0.1 %": np.array([0.6, 0.382, *[0.001] * 18]),
    "20 by Zipf": _zipf(20, 1.0),
    "20, falling with the square": _zipf(20, 2.0),
    "200 by Zipf": _zipf(200, 1.0),
}
SIZES = ((200, 200), (300, 50_000), (1000, 50_000))


def _histogram(counts: NDArray[np.int64]) -> Histogram:
    return Histogram(tuple(counts.tolist()), categories=tuple(f"c{i:03}" for i in range(len(counts))))


def called_by_chance(runs: int) -> str:
    """Compare samples of the same categories; give the worst of all kinds and sizes, and how often that was."""
    rows = []
    for statistic in Statistic:
        worst = {ALPHA: (0.0, ""), SHARED: (0.0, "")}
        total = dict.fromkeys(worst, 0)
        for kind, shares in KINDS.items():
            for ours, theirs in SIZES:
                rng = np.random.default_rng(3)
                p_values = np.array([_p_value(statistic, shares, ours, theirs, rng) for _ in range(runs)])
                for alpha in (ALPHA, SHARED):
                    called = int((p_values < alpha).sum())
                    total[alpha] += called
                    worst[alpha] = max(worst[alpha], (called / runs, f"{kind}; {ours:,} against {theirs:,}"))
        trials = runs * len(KINDS) * len(SIZES)
        rows.append(
            (
                statistic.value,
                f"{total[ALPHA] / trials / ALPHA:.2f}",
                f"{worst[ALPHA][0] / ALPHA:.2f} ({worst[ALPHA][1]})",
                f"{total[SHARED] / trials / SHARED:.2f}",
            )
        )
    return markdown(
        ("statistic", f"called at {percent(ALPHA)}, times that", "worst", "called at 1 % / 12, times that"), rows
    )


def _p_value(statistic: Statistic, shares: Shares, ours: int, theirs: int, rng: np.random.Generator) -> float:
    sides = paired(*(_histogram(rng.multinomial(n, shares)) for n in (ours, theirs)))
    if len(sides.ours) < 2:
        return 1.0
    value, null = measure(statistic, sides)
    return null.p_value(value)


def healthy_weeks_of_categories(weeks: int, features: int) -> str:
    """Count what is told in healthy weeks of features of which most categories are rare, at low levels."""
    rows = []
    for statistic in ("psi", "js", "chi-square", "ks"):
        cells = [statistic]
        for rows_per_hour in (300, 1000):
            told = sum(_week(statistic, rows_per_hour, features, seed) for seed in range(weeks))
            cells.append(significant(told / weeks))
        rows.append(tuple(cells))
    return markdown(("statistic", "300 rows per hour", "1,000 rows per hour"), rows)


def _week(statistic: str, rows_per_hour: int, features: int, seed: int) -> int:
    rule = {"statistic": statistic, "warn": "0.05", "act": "0.1"}
    drift = Drift.model_validate({"features": rule})
    rng = np.random.default_rng(seed)
    shares = KINDS["two common, 18 of 0.1 %"]
    training = _seen(rng.multinomial(TRAINING_ROWS, shares, size=features))
    ring = [rng.multinomial(rng.poisson(rows_per_hour / 12), shares, size=features) for _ in range(12)]
    subject, status, told = Subject("ml", "m", STABLE), None, 0
    for look in range(1, 7 * 24 * HOUR_S // LOOK_S + 1):
        ring = [*ring[1:], rng.multinomial(rng.poisson(rows_per_hour / 12), shares, size=features)]
        found = {("ml", "m", STABLE, Stretch(HOUR_S)): _seen(np.sum(ring, axis=0))}
        readings = DriftReadings(float(LOOK_S * look), None, found, {("ml", "m", STABLE): training})
        before: DriftStatus | None = status
        status = assess(drift, subject, readings, before)
        told += status.confirmed and not (before and before.confirmed)
    return told


def _seen(counts: NDArray[np.int64]) -> Seen:
    return Seen({f"f{i}": _histogram(row) for i, row in enumerate(counts)})
