"""Counts by bin for drift, for all rollouts together, read from Prometheus at a slow pace.

One query for each stretch of time and one for the training profiles, whatever the number of rollouts and features. The
families of the contract have different labels, so that one answer can hold them all: ``A or B or C``. Shares are what
matters here, so Prometheus's own ``increase`` is good enough: what it extrapolates, it extrapolates in all bins alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.shares import Part
from seatrial.metrics.book import Owner, owner_of
from seatrial.metrics.drift_types import DriftAsk, DriftReadings, Seen, Stretch
from seatrial.metrics.errors import BadQuery, TooLarge, Unavailable
from seatrial.metrics.queries import OWNER, any_of
from seatrial.metrics.selector import EDGE, edge_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from seatrial.metrics.prometheus import RawSeries

_FAMILIES: Final = (
    ("ml_model_feature_value_bucket", "feature, le"),
    ("ml_model_feature_category_total", "feature, category"),
    ("ml_model_feature_observations_total", "feature"),
    ("ml_model_feature_missing_total", "feature, reason"),
    ("ml_model_feature_out_of_range_total", "feature, side"),
    ("ml_model_prediction_value_bucket", "output, le"),
    ("ml_model_prediction_class_total", "output, class"),
    ("ml_model_predictions_total", "outcome"),
)
"""Counters of the contract, and the labels by which they are told apart."""

_PROFILES: Final = (
    ("ml_model_reference_feature_value_bucket", "feature, le"),
    ("ml_model_reference_feature_category", "feature, category"),
    ("ml_model_reference_feature_observations", "feature"),
    ("ml_model_reference_prediction_value_bucket", "output, le"),
    ("ml_model_reference_prediction_class", "output, class"),
    ("ml_model_profile_info", "profile_sha256"),
)
"""The training profile: constant, and the same in all pods of a version."""

_NAMED_BY: Final = ("feature", "output", "outcome", "profile_sha256")
_PROFILE_MISSING: Final = "ml_model_reference_feature_missing"


class Client(Protocol):
    """Whoever evaluates queries at one instant."""

    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        """Evaluate a query; raise ``Unavailable``, ``TooLarge`` or ``BadQuery``."""
        ...


class PrometheusDrift:
    """Counts by bin, read from Prometheus.

    Parameters
    ----------
    client
        Whom to ask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        """Count everything that is asked for, up to ``now_s``, Unix time in seconds."""
        wanted: dict[Stretch, set[str]] = defaultdict(set)
        for ask in asks:
            for version, stretches in ask.stretches.items():
                for stretch in stretches:
                    wanted[stretch].add(version)
        seen: dict[tuple[str, str, str, Stretch], Seen] = {}
        try:
            for stretch, versions in sorted(wanted.items()):
                answer = await self._ask(sorted(versions), partial(counted, stretch=stretch), now_s)
                seen |= {(*owner, stretch): found for owner, found in _by_owner(answer)}
            every = sorted({version for versions in wanted.values() for version in versions})
            profiles = await self._ask(every, profile, now_s) if every else []
        except (Unavailable, BadQuery) as error:
            return DriftReadings(now_s, str(error))
        return DriftReadings(now_s, None, seen, dict(_by_owner(profiles)), _mixed(profiles))

    async def _ask(self, versions: list[str], write: Callable[[list[str]], str], now_s: float) -> list[RawSeries]:
        """Ask for all versions at once; for half of them at a time when the answer would be too large."""
        try:
            return await self._client.query(write(versions), now_s)
        except TooLarge:
            if len(versions) == 1:
                raise
            middle = len(versions) // 2
            return [
                *await self._ask(versions[:middle], write, now_s),
                *await self._ask(versions[middle:], write, now_s),
            ]


def counted(versions: Iterable[str], stretch: Stretch) -> str:
    """Ask for everything that was counted of some versions over a stretch."""
    ago = f" offset {stretch.ago_s}s" if stretch.ago_s else ""
    return " or ".join(
        f"sum by ({OWNER}, {labels}) (increase({metric}{_of(versions)}[{stretch.length_s}s]{ago}))"
        for metric, labels in _FAMILIES
    )


def profile(versions: Iterable[str]) -> str:
    """Ask for the training profiles of some versions."""
    parts = [f"max by ({OWNER}, {labels}) ({metric}{_of(versions)})" for metric, labels in _PROFILES]
    missing = f"max by ({OWNER}, feature) ({_PROFILE_MISSING}{_of(versions)})"
    # Without a label of its own it would look like the observations.
    return " or ".join([*parts, f'label_replace({missing}, "reason", "any", "", "")'])


def _of(versions: Iterable[str]) -> str:
    return f'{{rollout_version=~"{any_of(versions)}"}}'


def _by_owner(answer: Iterable[RawSeries]) -> Iterator[tuple[Owner, Seen]]:
    rows: dict[Owner, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    for series in answer:
        count = float(series["value"][1])
        # What one server tells wrongly must not keep all other models from being looked at.
        if math.isfinite(count) and any(kind in series["metric"] for kind in _NAMED_BY):
            rows[owner_of(series["metric"])].append((series["metric"], count))
    for owner, found in rows.items():
        yield owner, _seen(found)


def _seen(rows: Iterable[tuple[Mapping[str, str], float]]) -> Seen:
    """Sort the rows of one version by the labels that they have."""
    buckets: dict[tuple[str, str], dict[float, float]] = defaultdict(dict)
    categories: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    sums: dict[tuple[str, tuple[str, str]], float] = defaultdict(float)
    for labels, count in rows:
        named = next((kind, labels[kind]) for kind in _NAMED_BY if kind in labels)
        edge = edge_value(labels[EDGE]) if EDGE in labels else None
        category = labels.get("category", labels.get("class"))
        if edge is not None and not math.isnan(edge):
            # Clients may spell the same edge differently: their counts belong together.
            buckets[named][edge] = buckets[named].get(edge, 0.0) + count
        elif category is not None:
            categories[named][category] = count
        else:
            sums[next((part for part in ("reason", "side") if part in labels), "all"), named] += count
    histograms = {named: Histogram.of_buckets(found) for named, found in buckets.items()}
    histograms |= {named: Histogram.of_categories(found) for named, found in categories.items()}
    every = {named: total for (part, named), total in sums.items() if part == "all"}
    outcomes = {name: total for (kind, name), total in every.items() if kind == "outcome"}
    observed = {name: total for (kind, name), total in every.items() if kind == "feature"}
    missing, outside = (
        {name: _part(sums.get((part, ("feature", name)), 0.0), total) for name, total in observed.items()}
        for part in ("reason", "side")
    )
    return Seen(
        features={name: found for (kind, name), found in histograms.items() if kind == "feature"},
        predictions={name: found for (kind, name), found in histograms.items() if kind == "output"},
        missing=missing,
        out_of_range=outside,
        invalid=_part(outcomes.get("invalid", 0.0), sum(outcomes.values())),
    )


def _part(faulty: float, total: float) -> Part:
    return Part(min(round(faulty), round(total)), round(total))


def _mixed(profiles: Iterable[RawSeries]) -> frozenset[tuple[str, str, str]]:
    told: dict[Owner, set[str]] = defaultdict(set)
    for series in profiles:
        if "profile_sha256" in series["metric"]:
            told[owner_of(series["metric"])].add(series["metric"]["profile_sha256"])
    return frozenset(owner for owner, known in told.items() if len(known) > 1)
