"""The loop of prices: once a minute, what the pods of watched versions cost, where no annotation says it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from seatrial.api.cost import ANNOTATION, Cost
from seatrial.api.status import Phase
from seatrial.controller.asking import asking
from seatrial.controller.rounds import rounds

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from seatrial.controller.cache import Cache, Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.metrics.prices import PriceSource

ROUND_S = 60.0


class PriceLooks:
    """Reads the prices of all models that are judged by them.

    Parameters
    ----------
    cache
        The models and their pods.
    source
        Where prices come from.
    telemetry
        Is told of bugs.
    clock
        Unix time in seconds.
    found
        Prices per hour by model and name of the pod, kept here for the ticks to read.
    """

    def __init__(
        self,
        cache: Cache,
        source: PriceSource,
        telemetry: Telemetry,
        clock: Callable[[], float],
        found: dict[Key, Mapping[str, float]],
    ) -> None:
        self._cache = cache
        self._source = source
        self._telemetry = telemetry
        self._clock = clock
        self._found = found

    async def run(self, begun: asyncio.Event) -> None:
        """Look until cancelled; the first time when there are models."""
        await rounds("prices", self.round, begun, ROUND_S, self._telemetry)

    async def round(self) -> None:
        """Look at the pods of all models whose cost is judged now; what can't be read is not known any more."""
        asked: dict[str, list[Key]] = defaultdict(list)
        for key, cost, status in asking(self._cache, "cost", Cost):
            if cost.prices != ANNOTATION and status.phase is Phase.WATCHING:
                asked[cost.prices].append(key)
        told: dict[Key, Mapping[str, float]] = {}
        for source, keys in asked.items():
            names = {key: [pod["metadata"]["name"] for pod in self._cache.children("Pod", key)] for key in keys}
            pods = {(key.namespace, name) for key, known in names.items() for name in known}
            read = (await self._source.read_prices(source, pods, self._clock())).per_hour
            for key, known in names.items():
                told[key] = {name: read[key.namespace, name] for name in known if (key.namespace, name) in read}
        self._found.clear()
        self._found.update(told)
