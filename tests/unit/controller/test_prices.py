"""The loop of prices: whose pods are asked for, and that what can't be read is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.cost import Cost
from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.cache import Cache, Key
from seatrial.controller.prices import PriceLooks
from seatrial.controller.telemetry import Telemetry
from seatrial.kube.workloads import MODEL_LABEL
from seatrial.metrics.prices import PriceReadings
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.metrics.prices import Pod

KEY = Key("ml", "scorer")


@dataclass
class Market:
    """Pods cost one, and those of ``unpriced`` nobody knows; until it is closed."""

    unpriced: set[str] = field(default_factory=set)
    closed: bool = False
    asks: list[tuple[str, set[Pod]]] = field(default_factory=list)

    async def read_prices(self, source: str, pods: Collection[Pod], _: float) -> PriceReadings:
        self.asks.append((source, set(pods)))
        if self.closed:
            return PriceReadings("it is away")
        return PriceReadings(None, {pod: 1.0 for pod in pods if pod[1] not in self.unpriced})


@dataclass
class Scene:
    market: Market = field(default_factory=Market)
    cache: Cache = field(default_factory=Cache)
    found: dict[Key, Mapping[str, float]] = field(default_factory=dict)
    version: int = 0

    def model(self, name: str, status: ModelDeploymentStatus, prices: str) -> None:
        cost = Cost.model_validate({"objective": "availability", "perThousand": "0.5", "prices": prices})
        assert status.trial
        status = replace(status, trial=replace(status.trial, plan=replace(status.trial.plan, cost=cost)))
        meta = {"namespace": "ml", "name": name, "uid": name, "resourceVersion": self._next()}
        raw = {"metadata": meta, "spec": b.SPEC, "status": dump(DEPLOYMENT_STATUS, status)}
        self.cache.put("ModelDeployment", raw)
        for pod in (f"{name}-x", f"{name}-y"):
            owned = {"namespace": "ml", "name": pod, "uid": pod, "labels": {MODEL_LABEL: name}}
            owned["resourceVersion"] = self._next()
            self.cache.put("Pod", {"metadata": owned})

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    async def round(self) -> None:
        await PriceLooks(self.cache, self.market, Telemetry(), lambda: b.NOW, self.found).round()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_only_watched_models_that_name_the_source_are_asked_for_together(scene: Scene) -> None:
    scene.model("scorer", b.watching(), "opencost")
    scene.model("other", b.watching(), "opencost")
    scene.model("annotated", b.watching(), "annotation")
    scene.model("early", b.on_trial(), "opencost")
    scene.market.unpriced.add("other-y")
    await scene.round()
    pods = {("ml", name) for name in ("scorer-x", "scorer-y", "other-x", "other-y")}
    assert scene.market.asks == [("opencost", pods)]
    assert scene.found == {KEY: {"scorer-x": 1.0, "scorer-y": 1.0}, Key("ml", "other"): {"other-x": 1.0}}


async def test_prices_that_can_t_be_read_any_more_are_not_those_of_an_hour_ago(scene: Scene) -> None:
    scene.model("scorer", b.watching(), "opencost")
    await scene.round()
    scene.market.closed = True
    await scene.round()
    assert scene.found == {KEY: {}}


async def test_nobody_is_asked_while_nobody_is_watched(scene: Scene) -> None:
    scene.model("scorer", b.on_trial(), "opencost")
    await scene.round()
    assert (scene.market.asks, scene.found) == ([], {})
