"""Prices of pods from Prometheus's answers: whole ones or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.metrics.errors import Unavailable
from seatrial.metrics.prices import PrometheusPrices, price_sources, priced

if TYPE_CHECKING:
    from seatrial.metrics.prometheus import RawSeries

CPU, RAM, GPU = "container_cpu_allocation", "container_memory_allocation_bytes", "container_gpu_allocation"
PODS = {("ml", "scorer-1"), ("ml", "scorer-2")}


@dataclass
class Answers:
    """Gives a prepared answer, and keeps what was asked."""

    rows: list[RawSeries] = field(default_factory=list)
    away: str | None = None
    queries: list[str] = field(default_factory=list)

    async def query(self, promql: str, _: float) -> list[RawSeries]:
        self.queries.append(promql)
        if self.away:
            raise Unavailable(self.away)
        return self.rows


def part(term: str, value: float, pod: str = "scorer-1", **more: Any) -> RawSeries:
    return {"metric": {"namespace": "ml", "pod": pod, "seatrial_term": term} | more, "value": (5.0, str(value))}


async def read(*rows: RawSeries) -> dict[tuple[str, str], float]:
    found = await PrometheusPrices(Answers(list(rows))).read_prices("opencost", PODS, 5.0)
    assert found.unavailable is None
    return dict(found.per_hour)


async def test_the_price_of_a_pod_is_the_sum_of_its_terms() -> None:
    rows = (part(CPU, 0.06), part(RAM, 0.02), part(GPU, 2.0), part(CPU, 0.1, "scorer-2"), part(RAM, 0.1, "scorer-2"))
    assert await read(*rows) == {("ml", "scorer-1"): pytest.approx(2.08), ("ml", "scorer-2"): pytest.approx(0.2)}


@pytest.mark.parametrize(
    "rows",
    [
        (part(CPU, 0.06),),
        (part(RAM, 0.02), part(GPU, 2.0)),
        (part(CPU, float("nan")), part(RAM, 0.02)),
        (part(CPU, -1.0), part(RAM, 0.02)),
    ],
)
async def test_half_a_price_is_none(rows: tuple[RawSeries, ...]) -> None:
    assert await read(*rows) == {}


async def test_one_query_serves_all_pods_and_nobody_is_asked_for_nothing() -> None:
    client = Answers([part(CPU, 0.06), part(RAM, 0.02)])
    await PrometheusPrices(client).read_prices("opencost", PODS, 5.0)
    assert len(client.queries) == 1
    await PrometheusPrices(client).read_prices("opencost", set(), 5.0)
    assert len(client.queries) == 1


async def test_a_prometheus_that_is_away_is_told_of() -> None:
    away = await PrometheusPrices(Answers(away="it is away")).read_prices("opencost", PODS, 5.0)
    assert (away.unavailable, away.per_hour) == ("it is away", {})


def test_names_stand_in_the_query_as_they_are() -> None:
    promql = priced(price_sources()["opencost"].terms, {("ml", 'a.b"c')})
    assert 'pod=~"a\\\\.b\\"c"' in promql
