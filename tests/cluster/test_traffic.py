"""Routers as users live them: previews, and a Service instead of a gateway."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import kubectl
from tests.cluster.ship import NAME, condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

HALF = [{"weight": 50, "for": "5s", "minRequests": 30}]


async def names(ship: Ship, kind: str) -> list[str]:
    listed = json.loads(await kubectl("get", kind, "--namespace", ship.namespace, "--output", "json"))
    return sorted(item["metadata"]["name"] for item in listed["items"])


def by_service(ship: Ship, label: str) -> Raw:
    made = ship.manifest(label, steps=HALF)
    made["spec"]["traffic"] = {"service": {}}
    return made


def by_hand(ship: Ship) -> Raw:
    """Write the route that somebody without a gateway of ours may have in front of the Service."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "by-hand", "namespace": ship.namespace},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
            "hostnames": [ship.host],
            "rules": [{"backendRefs": [{"name": NAME, "port": 80}]}],
        },
    }


async def test_a_preview_has_a_route_of_its_own_for_the_length_of_its_step(ship: Ship) -> None:
    await ship.serve()
    steps: list[Raw] = [{"preview": {"hostnames": [f"next.{ship.host}"]}, "for": "4s"}, {"weight": 100, "for": "4s"}]
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=steps))
        await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        assert await names(ship, "httproutes") == [NAME, f"{NAME}-preview"]
        assert ship.status["weight"] == 0
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        assert await ship.lost(load) == []
    assert await names(ship, "httproutes") == [NAME]


async def test_without_a_gateway_pods_behind_a_service_divide_and_no_request_is_lost(ship: Ship) -> None:
    await ship.apply(by_service(ship, "1"))
    await ship.until(lambda s: s.get("phase") == "Stable" and condition(s, "Ready")["status"] == "True")
    await ship.apply(by_hand(ship))
    await asyncio.sleep(3)
    async with ship.load() as load:
        await ship.apply(by_service(ship, "2"))
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        await ship.until(lambda s: not s.get("draining"))
        await asyncio.sleep(1)
        assert await ship.lost(load) == []
        assert set(load.window().versions()) == {"1", "2"}
