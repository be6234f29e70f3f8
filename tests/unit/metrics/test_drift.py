"""Counts by bin from Prometheus's answers: one query for each stretch, whatever the number of rollouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.judge.drift.shares import Part
from seatrial.metrics.drift import PrometheusDrift
from seatrial.metrics.drift_types import DriftAsk, Stretch
from seatrial.metrics.errors import TooLarge, Unavailable

if TYPE_CHECKING:
    from seatrial.metrics.prometheus import RawSeries

OLD, NEW = "aaaaaaaaaa", "bbbbbbbbbb"
HOUR, WEEK_AGO = Stretch(3600), Stretch(3600, 7 * 86400)


def row(value: float, version: str = OLD, **labels: str) -> RawSeries:
    owner = {"namespace": "ml", "rollout_name": "scorer", "rollout_version": version}
    return {"metric": {**owner, **{k.rstrip("_"): v for k, v in labels.items()}}, "value": (0.0, str(value))}


@dataclass
class Answers:
    """Gives prepared answers, and keeps what was asked."""

    counted: list[RawSeries] = field(default_factory=list)
    profile: list[RawSeries] = field(default_factory=list)
    most_versions: int = 99
    away: str | None = None
    queries: list[str] = field(default_factory=list)

    async def query(self, promql: str, _: float) -> list[RawSeries]:
        self.queries.append(promql)
        if self.away:
            raise Unavailable(self.away)
        versions = [v for v in (OLD, NEW) if v in promql]
        if len(versions) > self.most_versions:
            raise TooLarge("too much")
        rows = self.profile if "reference" in promql else self.counted
        return [r for r in rows if r["metric"]["rollout_version"] in versions]


ROWS = [
    row(30.2, feature="age", le="1.0"),
    row(0.4, feature="age", le="1"),  # another client's spelling
    row(100.4, feature="age", le="+Inf"),
    row(104.0, feature="age"),
    row(2.0, feature="age", reason="null"),
    row(2.0, feature="age", reason="nan"),
    row(7.0, feature="age", side="high"),
    row(9.6, feature="plan", category="free"),
    row(3.0, feature="plan", category="__other__"),
    row(12.6, feature="plan"),
    row(80.0, output="score", le="0.5"),
    row(90.0, output="score", le="+Inf"),
    row(5.0, output="label", class_="fraud"),
    row(88.0, outcome="ok"),
    row(2.0, outcome="invalid"),
]


def ask(**stretches: frozenset[Stretch]) -> list[DriftAsk]:
    return [DriftAsk("ml", "scorer", stretches)]


async def test_one_answer_holds_features_predictions_and_faults() -> None:
    client = Answers(ROWS)
    found = await PrometheusDrift(client).read(ask(**{OLD: frozenset({HOUR})}), 5.0)
    seen = found.seen["ml", "scorer", OLD, HOUR]
    assert seen.features["age"].edges == (1.0, float("inf"))
    assert seen.features["age"].counts == (31, 70)
    assert dict(zip(seen.features["plan"].categories, seen.features["plan"].counts, strict=True)) == {
        "__other__": 3,
        "free": 10,
    }
    assert seen.predictions["score"].counts == (80, 10)
    assert seen.predictions["label"].categories == ("fraud",)
    assert seen.missing == {"age": Part(4, 104), "plan": Part(0, 13)}
    assert seen.out_of_range == {"age": Part(7, 104), "plan": Part(0, 13)}
    assert seen.invalid == Part(2, 90)


async def test_a_profile_is_read_as_it_stands_and_its_missing_values_are_told_apart() -> None:
    rows = [
        row(3000.0, feature="age", le="1.0"),
        row(9000.0, feature="age", le="+Inf"),
        row(10_000.0, feature="age"),
        row(1000.0, feature="age", reason="any"),
        row(1.0, profile_sha256="0a"),
        row(1.0, NEW, profile_sha256="0a"),
        row(1.0, NEW, profile_sha256="0b"),
    ]
    client = Answers([], rows)
    found = await PrometheusDrift(client).read(ask(**{v: frozenset({HOUR}) for v in (OLD, NEW)}), 5.0)
    assert found.training["ml", "scorer", OLD].features["age"].counts == (3000, 6000)
    assert found.training["ml", "scorer", OLD].missing == {"age": Part(1000, 10_000)}
    assert found.mixed == {("ml", "scorer", NEW)}


async def test_queries_are_as_many_as_stretches_however_many_rollouts_ask() -> None:
    client = Answers()
    asks = [DriftAsk("ml", f"m{i}", {OLD: frozenset({HOUR, WEEK_AGO}), NEW: frozenset({HOUR})}) for i in range(100)]
    await PrometheusDrift(client).read(asks, 5.0)
    assert len(client.queries) == 3
    assert sum("offset 604800s" in query for query in client.queries) == 1


async def test_an_answer_that_is_too_large_is_asked_for_in_halves() -> None:
    client = Answers([*ROWS, row(5.0, NEW, outcome="ok")], most_versions=1)
    found = await PrometheusDrift(client).read(ask(**{v: frozenset({HOUR}) for v in (OLD, NEW)}), 5.0)
    assert found.unavailable is None
    assert found.seen["ml", "scorer", NEW, HOUR].invalid == Part(0, 5)
    assert found.seen["ml", "scorer", OLD, HOUR].invalid == Part(2, 90)


async def test_a_server_that_tells_nonsense_keeps_no_other_from_being_looked_at() -> None:
    nonsense = [
        row(float("nan"), NEW, feature="age", le="+Inf"),
        row(1.0, NEW, feature="age", le="NaN"),
        row(3.0, NEW, le="1.0"),
        row(3.0, NEW, feature="plan", category="free"),
    ]
    client = Answers([*nonsense, *ROWS], nonsense)
    found = await PrometheusDrift(client).read(ask(**{v: frozenset({HOUR}) for v in (OLD, NEW)}), 5.0)
    assert found.seen["ml", "scorer", OLD, HOUR].invalid == Part(2, 90)
    assert found.seen["ml", "scorer", NEW, HOUR].features["plan"].counts == (3,)


async def test_a_prometheus_that_is_away_is_told_of() -> None:
    found = await PrometheusDrift(Answers(away="it is away")).read(ask(**{OLD: frozenset({HOUR})}), 5.0)
    assert (found.unavailable, found.seen) == ("it is away", {})


async def test_nothing_is_asked_for_nobody() -> None:
    client = Answers()
    await PrometheusDrift(client).read([], 5.0)
    assert client.queries == []
