"""An open load of 200 requests a second through all that happens to versions.

A pod that is told to go loses nothing. One that is killed loses what it was about to answer, and what the gateway sends
it before Kubernetes knows: the gateway's own log says which requests those were.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import kubectl
from tests.cluster.kill import kill_process_of, lease
from tests.cluster.ship import NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from demo.load import Answer, Window
    from tests.cluster.ship import Raw, Ship

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

SERVER = Path(__file__).with_name("quick_server.py")
RATE = 200.0
LEAST_RATE = 190.0
CALM_S = 3.0
KILLED = "a candidate's pod is killed"
WRITTEN_S = 11.0
"""Envoy writes its access log every 10 seconds."""
UPSTREAM = re.compile(r'"(\d+\.\d+\.\d+\.\d+):8080"')


def version(ship: Ship, label: str, replicas: int = 2, **more: object) -> Raw:
    made = ship.manifest(label, **more)  # type: ignore[arg-type] # as the test wrote them
    made["spec"]["replicas"] = replicas
    template = made["spec"]["template"]
    template["metadata"]["annotations"]["prometheus.io/port"] = "8080"
    template["spec"]["containers"][0]["command"] = ["/opt/model/bin/python", "-c", SERVER.read_text()]
    return made


async def pods(ship: Ship, version_hash: str) -> list[Raw]:
    """List a version's pods, those on their way out too."""
    which = f"--selector=seatrial.dev/version={version_hash}"
    listed: list[Raw] = json.loads(await kubectl("get", "pods", which, "-n", ship.namespace, "-o", "json"))["items"]
    return listed


async def until_pods(ship: Ship, version_hash: str, count: int) -> None:
    """Wait until a version has so many pods, all of them ready, and none on its way out."""
    async with asyncio.timeout(90):
        while True:
            seen = await pods(ship, version_hash)
            ready = [c for pod in seen for c in pod["status"].get("conditions", ()) if c["type"] == "Ready"]
            if len(seen) == count == sum(c["status"] == "True" for c in ready):
                return
            await asyncio.sleep(0.3)


async def failed_at(ship: Ship, address: str, since_s: float) -> int:
    """Count the requests that the gateway could not get an answer to from a pod, in its own words."""
    await asyncio.sleep(WRITTEN_S)
    since = f"--since={math.ceil(time.time() - since_s)}s"
    log = await kubectl("logs", "deployment/envoy", "-n", "gateway-system", since)
    lines = [line for line in log.splitlines() if ship.host in line and " 503 " in line]
    return sum(found[1] == address for line in lines if (found := UPSTREAM.search(line)))


class Voyage:
    """What happens under one load, and how many requests it costs."""

    def __init__(self) -> None:
        self.events: list[tuple[str, float]] = []

    async def through(self, what: str, event: Awaitable[object]) -> None:
        """Let something happen, and leave a moment for what comes of it."""
        self.events.append((what, time.time()))
        await event
        await asyncio.sleep(CALM_S)

    def answers(self, everything: Window) -> dict[str, list[Answer]]:
        """Sort answers by what went on when they came, or were given up."""
        ends = [since_s for _, since_s in self.events[1:]] + [math.inf]
        return {
            what: [answer for answer in everything.answers if since_s <= answer.answered_s < end_s]
            for (what, since_s), end_s in zip(self.events, ends, strict=True)
        }


async def test_at_200_requests_a_second_none_is_lost_that_the_candidate_did_not_lose(
    ship: Ship, record_property: Callable[[str, object], None]
) -> None:
    await judge_by_errors_alone(ship)
    await ship.apply(version(ship, "1"))
    first = (await ship.serving())["stable"]["hash"]
    await until_pods(ship, first, 2)
    began_s = time.time()
    voyage = Voyage()
    async with ship.load(RATE) as load:
        await voyage.through("at rest", asyncio.sleep(2))
        await voyage.through("promotion and retirement", promoted(ship))
        await voyage.through("scaled from 2 to 3 and back", scaled(ship))
        await voyage.through("a candidate begins", tried(ship))
        candidate = ship.status["candidate"]["hash"]
        gone, killed = await pods(ship, candidate)
        await voyage.through("a candidate's pod is deleted", deleted(ship, candidate, gone))
        await voyage.through("the operator is killed", operator_killed())
        await voyage.through(KILLED, candidate_killed(ship, candidate, killed))
        await voyage.through("rollback and retirement", rolled_back(ship))
        everything = await ship.settled(load)
        rate = len(everything.answers) / (time.time() - began_s)
        excused = await failed_at(ship, killed["status"]["podIP"], dict(voyage.events)[KILLED])
    lost = {what: sum(one.version is None for one in answers) for what, answers in voyage.answers(everything).items()}
    figures = [
        f"{what:30s} {len(answers):5d} requests, {lost[what]} lost"
        for what, answers in voyage.answers(everything).items()
    ]
    figures.append(
        f"{rate:.0f}/s sent, at most {load.worst_lag_s:.2f} s late; {excused} lost at the pod that was killed"
    )
    figures += [f"{answer.scheduled_s - began_s:.1f} s: {answer.problem}" for answer in everything.lost[:5]]
    record_property("figures", "\n".join(figures))
    assert rate > LEAST_RATE, "this machine is too busy for the test to prove anything"
    assert {what for what, count in lost.items() if count} <= {KILLED}
    assert len(everything.lost) == excused, "requests were lost that the killed pod did not lose"
    failed = {label: counts.failed for label, counts in everything.versions().items() if counts.failed}
    assert set(failed) == {"4"}, "only the version that fails by plan has failed"


async def judge_by_errors_alone(ship: Ship) -> None:
    """Leave latency out: how fast this machine is, is not asked here."""
    slo = json.loads(await kubectl("get", "modelslo", NAME, "-n", ship.namespace, "-o", "json"))
    slo["spec"]["objectives"] = slo["spec"]["objectives"][:1]
    await ship.apply(slo)


async def promoted(ship: Ship) -> None:
    await ship.apply(version(ship, "2"))
    await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2" and not s.get("draining"))


async def scaled(ship: Ship) -> None:
    stable = ship.status["stable"]["hash"]
    for count in (3, 2):
        await ship.apply(version(ship, "2", count))
        await until_pods(ship, stable, count)


async def tried(ship: Ship) -> None:
    await ship.apply(version(ship, "3", steps=[{"weight": 50, "for": "10m"}]))
    await ship.until(lambda s: s["phase"] == "Trial" and s["weight"] == 50)


async def deleted(ship: Ship, candidate: str, pod: Raw) -> None:
    await kubectl("delete", "pod", pod["metadata"]["name"], "-n", ship.namespace, "--wait=true")
    await until_pods(ship, candidate, 2)


async def operator_killed() -> None:
    before = await lease()
    kill_process_of(before["holderIdentity"], "seatrial")
    for _ in range(120):  # the next one waits for the lease to run out; the same pod's next process does not
        if (await lease())["renewTime"] != before["renewTime"]:
            return
        await asyncio.sleep(0.5)
    pytest.fail("no operator leads")


async def candidate_killed(ship: Ship, candidate: str, pod: Raw) -> None:
    kill_process_of(pod["metadata"]["name"], "uvicorn")
    await asyncio.sleep(2)
    await until_pods(ship, candidate, 2)


async def rolled_back(ship: Ship) -> None:
    await ship.apply(version(ship, "4", errors=0.3, steps=[{"weight": 50, "for": "10m"}]))
    status = await ship.until(lambda s: s["phase"] == "RolledBack" and not s.get("draining"))
    assert status["history"][0]["label"] == "4"
