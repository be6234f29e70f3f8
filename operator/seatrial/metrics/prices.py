"""What pods cost per hour, from whoever knows the prices of nodes: a file in ``prices/*.yaml`` says in which metrics.

One query for all pods. The price of a pod is a sum over its containers of what they are given times what their node
asks for it. A pod of which any part isn't known has no price: half a price would make a dear version look cheap.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Protocol

from pydantic import Field

from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.queries import any_of
from seatrial.metrics.shipped import Data, shipped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from seatrial.metrics.drift import Client

_TERM: Final = "seatrial_term"
_NAME: Final = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"

Pod = tuple[str, str]
"""Namespace and name."""


class Term(Data):
    """One thing that is priced."""

    amount: Annotated[str, Field(pattern=_NAME)]
    """Gauge with the labels namespace, pod, container and node: how much a container is given."""
    price: Annotated[str, Field(pattern=_NAME)]
    """Gauge with the label node: what one unit costs there per hour."""
    units: Annotated[int, Field(ge=1)] = 1
    """How many of the amount make one unit."""
    optional: bool = False
    """Whether a pod may have none of it."""


class Prices(Data):
    """Where prices come from."""

    source: str
    title: str
    verified: str
    """What the names were checked against."""
    needs: str
    """How it has to be scraped."""
    terms: Annotated[tuple[Term, ...], Field(min_length=1)]


@cache
def price_sources() -> dict[str, Prices]:
    """Read all files that ship with the operator, by the name of the source."""
    return {prices.source: prices for prices in shipped("prices", Prices)}


@dataclass(frozen=True, slots=True)
class PriceReadings:
    """Prices per hour by pod; of pods whose price isn't known there is none.

    ``unavailable`` says why Prometheus can't be read, in one sentence without secrets.
    """

    unavailable: str | None = None
    per_hour: Mapping[Pod, float] = field(default_factory=dict)


class PriceSource(Protocol):
    """Where prices of pods come from."""

    async def read_prices(self, source: str, pods: Collection[Pod], now_s: float) -> PriceReadings:
        """Tell what pods cost now. Never raises for a source that is away."""
        ...


class PrometheusPrices:
    """Prices of pods, read from Prometheus.

    Parameters
    ----------
    client
        Whom to ask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read_prices(self, source: str, pods: Collection[Pod], now_s: float) -> PriceReadings:
        """Tell what pods cost at ``now_s``, Unix time in seconds, by one of :func:`price_sources`."""
        if not pods:
            return PriceReadings()
        terms = price_sources()[source].terms
        try:
            answer = await self._client.query(priced(terms, pods), now_s)
        except (Unavailable, BadQuery) as error:
            return PriceReadings(str(error))
        parts: dict[Pod, dict[str, float]] = defaultdict(dict)
        for series in answer:
            labels, value = series["metric"], float(series["value"][1])
            if "namespace" in labels and "pod" in labels:
                parts[labels["namespace"], labels["pod"]][labels[_TERM]] = value
        needed = {term.amount for term in terms if not term.optional}
        return PriceReadings(None, {pod: sum(found.values()) for pod, found in parts.items() if _whole(found, needed)})


def _whole(found: Mapping[str, float], needed: Collection[str]) -> bool:
    return found.keys() >= set(needed) and all(math.isfinite(part) and part >= 0 for part in found.values())


def priced(terms: Iterable[Term], pods: Collection[Pod]) -> str:
    """Ask for the price of some pods, term by term.

    Several replicas of the exporter tell the same, so the largest of equal series counts and not their sum.
    """
    names = f'pod=~"{any_of(sorted({name for _, name in pods}))}"'
    ours = f'namespace=~"{any_of(sorted({namespace for namespace, _ in pods}))}",{names}'
    return " or ".join(
        f"label_replace(sum by (namespace, pod) (max by (namespace, pod, container, node) ({term.amount}{{{ours}}}) "
        f'* on (node) group_left () max by (node) ({term.price})) / {term.units}, "{_TERM}", "{term.amount}", "", "")'
        for term in terms
    )
