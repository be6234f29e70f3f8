"""Labels that come when the old version has no pods any more, from real answers through a real joiner."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from demo.kubectl import kubectl
from demo.labels import LateLabels
from tests.cluster.ship import MANIFESTS, NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

MATURITY = "25s"
"""Longer than from the first answer of version 2 until version 1 has no pods: labels of both count from their first."""
STEPS: list[Raw] = [{"weight": 50, "for": "4s", "minRequests": 60, "healthy": ["digits/availability"]}]
WATCH = {"for": "3s", "labels": "10m"}
COLD = r"no, version 1 is cold: it needs about \d+s to start"
ACCURATE = 0.9
WRONG = 0.7
"""Of 100 answers 20 may be wrong, at twice the error budget; version 2 has more wrong ones than that by far."""
HOLD_S = 3.0


async def judge_by_labels(ship: Ship) -> str:
    """Let labels be judged, beside errors, and a joiner count them; return the host name that takes them."""
    host = f"labels.{ship.namespace}.example"
    slo = yaml.safe_load((MANIFESTS / "slo-drift.yaml").read_text())
    objectives = [one for one in slo["spec"]["objectives"] if one["name"] != "latency"]
    slo["spec"] = {"objectives": objectives, "rollback": slo["spec"]["rollback"]}
    joiner = list(yaml.safe_load_all((MANIFESTS / "joiner.yaml").read_text()))
    container = joiner[0]["spec"]["template"]["spec"]["containers"][0]
    container["args"] = [f"--maturity={MATURITY}" if "--maturity" in one else one for one in container["args"]]
    joiner[2]["spec"]["hostnames"] = [host]
    for manifest in (slo, *joiner):
        manifest["metadata"]["namespace"] = ship.namespace
        await ship.apply(manifest)
    return host


def version(ship: Ship, label: str, **fault: str) -> Raw:
    """Write a version that tells the joiner what it answers."""
    made = ship.manifest(label, steps=STEPS, watch=WATCH)
    told = {"JOINER_URL": "http://joiner:9465", **fault}
    env = made["spec"]["template"]["spec"]["containers"][0]["env"]
    env += [{"name": name, "value": value} for name, value in told.items()]
    for name in ("model", "version"):
        path = f"metadata.labels['seatrial.dev/{name}']"
        env.append({"name": f"SEATRIAL_{name.upper()}", "valueFrom": {"fieldRef": {"fieldPath": path}}})
    return made


async def until_cold(ship: Ship, version_hash: str) -> None:
    """Wait until a version has a Deployment, and no pod."""
    which = ("-n", ship.namespace, "-o")
    async with asyncio.timeout(60):
        while True:
            asked = await kubectl("get", f"deployment/{NAME}-{version_hash}", *which, "jsonpath={.spec.replicas}")
            pods = await kubectl("get", "pods", "-l", f"seatrial.dev/version={version_hash}", *which, "name")
            if asked == "0" and not pods.split():
                return
            await asyncio.sleep(0.5)


async def test_late_labels_start_the_cold_version_again_and_no_request_is_lost(
    ship: Ship, record_property: Callable[[str, object], None]
) -> None:
    host = await judge_by_labels(ship)
    await ship.apply(version(ship, "1"))
    first = (await ship.serving())["stable"]["hash"]
    await kubectl("rollout", "status", "deployment/joiner", "-n", ship.namespace, "--timeout=50s")
    labels = LateLabels(ship.gateway, host=host)
    async with ship.load(learn=labels.learn) as load:
        # The features of version 2 get lost on their way to the model: it answers in time, without an error, and wrong.
        await ship.apply(version(ship, "2", FAULT_NULL_RATIO="1"))
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2" and not s.get("draining"))
        await until_cold(ship, first)
        second = ship.status["stable"]["hash"]
        assert ship.status["labelWatch"]["former"]["hash"] == first
        assert ship.status["wayBack"]["instant"] is False
        cold = ship.status["wayBack"]["sentence"]
        assert re.fullmatch(COLD, cold), cold
        async with labels:  # only now is anything told of what was true
            await ship.until(lambda s: s["phase"] == "Starting")
            serving = {name: weight for name, weight in ship.weights_seen()[-1].items() if weight}
            assert serving == {f"{NAME}-{second}": 100}, "it serves until the other one is ready"
            status = await ship.until(lambda s: s["phase"] == "RolledBack" and not s.get("draining"))
        await asyncio.sleep(HOLD_S)
        since_s = load.window().answers[-1].scheduled_s
        await asyncio.sleep(HOLD_S)
        assert set(load.window(since_s=since_s).versions()) == {"1"}
        assert await ship.lost(load) == []
        counts = load.window().versions()
    record_property("figures", f"{status['history'][0]['sentence']}\n{cold}\n{counts}")
    assert labels.told, labels.problem
    assert counts["1"].accuracy > ACCURATE
    assert counts["2"].accuracy < WRONG
    assert (status["stable"]["hash"], status["quarantined"]) == (first, [second])
    fared = [(entry["label"], entry["outcome"]) for entry in status["history"]]
    assert fared == [("1", "Returned"), ("2", "RolledBack"), ("2", "Promoted"), ("1", "Deployed")]
    said = status["history"][1]["sentence"]
    assert said.startswith(f"version 2 ({second}) burns its error budget, digits/accuracy: "), said
    events = await ship.events()
    assert events.count("RollingBack") == events.count("RolledBack") == 1
