"""Leadership on a real Lease, with times short enough for a test; the rules are the same with longer ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

import pytest

from seatrial.kube.client import Kube
from seatrial.kube.lease import Lease, leadership
from tests.apiserver.relay import Relay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import ApiServer

DURATION_S = 2
GIVE_UP_S = 1.0
RETRY_S = 0.1


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"lease-{abs(hash(request.node.nodeid)) % 10**9}"


def by(identity: str, name: str) -> Lease:
    return Lease("default", name, identity, duration_s=DURATION_S, give_up_s=GIVE_UP_S, retry_s=RETRY_S)


async def write(kube: Kube, name: str, **spec: object) -> None:
    """Change the Lease as another process or a person would."""
    async with asyncio.timeout(5):
        while True:
            live = await kube.get("Lease", "default", name)
            manifest = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
            with contextlib.suppress(Exception):  # a renewal came between: once more
                if live:
                    await kube.replace({**live, "spec": {**live["spec"], **spec}})
                else:
                    await kube.create({**manifest, "metadata": {"namespace": "default", "name": name}})
                return


async def test_one_leads_and_the_next_goes_on_at_once_after_a_clean_end(kube: Kube, name: str) -> None:
    async def second() -> float:
        async with leadership(kube, by("b", name)):
            return time.monotonic()

    async with leadership(kube, by("a", name)) as lost:
        waiting = asyncio.create_task(second())
        await asyncio.sleep(DURATION_S + 1)  # renewed for longer than one duration
        assert not waiting.done()
        assert not lost.is_set()
    ended_s = time.monotonic()
    assert await waiting - ended_s < DURATION_S
    live = await kube.get("Lease", "default", name)
    assert live is not None
    assert live["spec"]["leaseTransitions"] == 1


async def test_a_holder_that_died_is_waited_for_as_long_as_it_promised(kube: Kube, name: str) -> None:
    await write(kube, name, holderIdentity="dead", leaseDurationSeconds=DURATION_S)
    started_s = time.monotonic()
    async with leadership(kube, by("a", name)):
        assert time.monotonic() - started_s >= DURATION_S


async def test_the_times_in_the_lease_are_not_trusted(kube: Kube, name: str) -> None:
    # The clock of this holder is years behind; it is alive all the same until it has been silent for long enough.
    stamp = "2001-01-01T00:00:00.000000Z"
    await write(kube, name, holderIdentity="slow", leaseDurationSeconds=DURATION_S, renewTime=stamp)
    started_s = time.monotonic()
    async with leadership(kube, by("a", name)):
        assert time.monotonic() - started_s >= DURATION_S


async def test_the_same_identity_goes_on_at_once_after_its_restart(kube: Kube, name: str) -> None:
    await write(kube, name, holderIdentity="a", leaseDurationSeconds=3600)
    async with asyncio.timeout(1), leadership(kube, by("a", name)) as lost:
        assert not lost.is_set()


async def test_a_lease_that_somebody_else_took_is_lost_at_once_and_left_to_them(kube: Kube, name: str) -> None:
    async with leadership(kube, by("a", name)) as lost:
        await write(kube, name, holderIdentity="b")
        async with asyncio.timeout(1):
            await lost.wait()
    live = await kube.get("Lease", "default", name)
    assert live is not None
    assert live["spec"]["holderIdentity"] == "b"


async def test_a_lease_that_was_deleted_is_lost(kube: Kube, name: str) -> None:
    async with leadership(kube, by("a", name)) as lost:
        live = await kube.get("Lease", "default", name)
        assert live is not None
        await kube.delete("Lease", "default", name, uid=live["metadata"]["uid"])
        async with asyncio.timeout(1):
            await lost.wait()


async def test_an_edit_that_leaves_the_holder_alone_costs_nothing(kube: Kube, name: str) -> None:
    async with leadership(kube, by("a", name)) as lost:
        for _ in range(3):
            await write(kube, name, leaseDurationSeconds=DURATION_S + 1)
            await asyncio.sleep(GIVE_UP_S)
        assert not lost.is_set()


@pytest.mark.parametrize("fault", ["hang", "cut"])
async def test_who_can_not_renew_stops_before_the_next_one_starts(
    kube: Kube, name: str, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async def second() -> float:
        async with leadership(kube, by("b", name)):
            return time.monotonic()

    async with Relay(int(api_server.url.rpartition(":")[2])).running() as relay:
        monkeypatch.setenv("KUBECONFIG", str(relay.kubeconfig(api_server.kubeconfig, tmp_path)))
        async with Kube() as severed, leadership(severed, by("a", name)) as lost:
            waiting = asyncio.create_task(second())
            relay.target_port = 1
            relay.hang() if fault == "hang" else relay.cut()
            broken_s = time.monotonic()
            async with asyncio.timeout(GIVE_UP_S + 0.5):
                await lost.wait()
            lost_s = time.monotonic()
            assert lost_s - broken_s > GIVE_UP_S - 3 * RETRY_S  # a short fault is sat out
            relay.resume()
            assert await waiting > lost_s


async def test_among_many_there_is_never_more_than_one(kube: Kube, name: str) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    leading: set[str] = set()
    terms = 0

    async def contend(identity: str) -> None:
        nonlocal terms
        while terms < 12:
            async with leadership(kube, by(identity, name)) as lost:
                assert not leading, f"{identity} leads beside {leading}"
                leading.add(identity)
                terms += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(chance.uniform(0.0, 0.4)):
                        await lost.wait()
                leading.remove(identity)
            await asyncio.sleep(chance.uniform(0.0, 0.3))

    async with asyncio.timeout(30):
        await asyncio.gather(*(contend(identity) for identity in "abcd"))
