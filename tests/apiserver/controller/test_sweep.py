"""What goes while the watches can't tell: after a new listing the cache is compared with the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seatrial.controller import sweep
from seatrial.controller.cache import Cache
from seatrial.controller.sweep import Sweeper
from seatrial.controller.telemetry import Telemetry
from tests.apiserver.controller.stage import Call, HeardKube, eventually, rests_on

if TYPE_CHECKING:
    from tests.apiserver.controller.stage import Stage

KINDS = ("ModelDeployment", "ModelSLO", "Deployment", "Pod", "Service", "HTTPRoute")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SETTLES_S", 0.2)


def ghost(stage: Stage, kind: str, **changes: Any) -> dict[str, Any]:
    """Make an object that was once in the cluster."""
    meta = {"namespace": stage.namespace, "name": f"ghost-{kind}", "uid": f"ghost-{kind}", "resourceVersion": "1"}
    labels = {"seatrial.dev/model": "scorer", "seatrial.dev/version": "bbbbbbbbbb"}
    return {"metadata": {**meta, "labels": labels, **changes}, "spec": {}, "status": {}}


async def test_what_is_in_the_cache_and_not_in_the_cluster_has_gone(stage: Stage) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
    cache = Cache()
    for kind in KINDS:
        for real in await stage.user.list(kind, stage.namespace):
            cache.put(kind, real)
        cache.put(kind, ghost(stage, kind))
    sweeper = Sweeper(stage.user, cache, Telemetry(), KINDS, [stage.namespace])
    for kind in KINDS:
        assert [raw["metadata"]["name"] for raw in await sweeper.vanished(kind)] == [f"ghost-{kind}"]


async def test_what_is_not_ours_or_came_after_the_reading_is_left_alone(stage: Stage) -> None:
    cache = Cache()
    cache.put("HTTPRoute", ghost(stage, "HTTPRoute", labels={}))

    async def come_late(_: Call) -> None:
        cache.put("HTTPRoute", ghost(stage, "HTTPRoute", uid="late", name="late"))

    async with HeardKube() as kube:
        kube.after.append(come_late)
        sweeper = Sweeper(kube, cache, Telemetry(), KINDS, [stage.namespace])
        assert await sweeper.vanished("HTTPRoute") == []


async def test_a_new_listing_makes_the_operator_look_for_what_went(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first listing is taken for a later one; what no watch told of is played by a cache that holds ghosts."""
    haunted: list[Cache] = []

    class Haunted(Cache):
        def __init__(self) -> None:
            super().__init__()
            haunted.append(self)
            for kind in KINDS:
                self.put(kind, ghost(stage, kind))

    async def left() -> list[str]:
        return [kind for kind in KINDS if haunted[0].get(kind, stage.namespace, f"ghost-{kind}")]

    monkeypatch.setattr(sweep, "STARTING_S", 0.0)
    monkeypatch.setattr("seatrial.controller.operate.Cache", Haunted)
    first = await stage.deploy("1")
    async with stage.operator():
        await stage.until(rests_on(first))
        await eventually(left, [])
