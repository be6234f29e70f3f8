"""A person's connection to a real API server: who one is, and looking on while objects change and connections break."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import pytest

from seatrial.kube.errors import Gone, Refused, Unavailable
from seatrial.kube.person import Person, Scene
from tests.apiserver.relay import Relay
from tests.apiserver.samples import DEPLOYMENT, changed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from seatrial.kube.client import Kube
    from tests.apiserver.conftest import ApiServer

NOBODY = 9
"""A port where nobody listens."""


@pytest.fixture
def namespace(api_server: ApiServer, request: pytest.FixtureRequest) -> str:
    name = f"person-{abs(hash(request.node.nodeid)) % 10**9}"
    assert api_server.kubectl("create", "namespace", name).returncode == 0
    return name


@pytest.fixture
async def relay(
    api_server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kube: Kube,  # noqa: ARG001 - connects first
) -> AsyncIterator[Relay]:
    port = urlparse(api_server.url).port
    assert port
    async with Relay(port).running() as relay:
        monkeypatch.setenv("KUBECONFIG", str(relay.kubeconfig(api_server.kubeconfig, tmp_path)))
        yield relay


def names(scene: Scene) -> list[str]:
    return [raw["metadata"]["name"] for raw in scene.objects]


async def until(scenes: AsyncIterator[Scene], holds: Callable[[Scene], bool]) -> Scene:
    """Look on until a scene is so."""
    async with asyncio.timeout(15):
        async for scene in scenes:
            if holds(scene):
                return scene
    raise AssertionError("it ended")


def model(namespace: str, name: str, **changes: Any) -> dict[str, Any]:
    return changed(DEPLOYMENT, metadata__namespace=namespace, metadata__name=name, **changes)


async def test_it_sees_what_comes_changes_and_goes(namespace: str, kube: Kube) -> None:
    made = await kube.create(model(namespace, "one"))
    async with Person() as person:
        scenes = person.follow("ModelDeployment", namespace)
        assert names(await anext(scenes)) == ["one"]
        await kube.create(model(namespace, "another"))
        assert names(await anext(scenes)) == ["another", "one"]
        made["spec"]["paused"] = True
        await kube.replace(made)
        assert (await anext(scenes)).objects[1]["spec"]["paused"]
        await kube.delete("ModelDeployment", namespace, "one", uid=made["metadata"]["uid"])
        assert names(await anext(scenes)) == ["another"]


async def test_one_name_is_followed_alone(namespace: str, kube: Kube) -> None:
    async with Person() as person:
        scenes = person.follow("ModelDeployment", namespace, "one")
        assert names(await anext(scenes)) == []
        await kube.create(model(namespace, "another"))
        await kube.create(model(namespace, "one"))
        assert names(await anext(scenes)) == ["one"]


async def test_objects_longer_than_any_line_arrive_whole(namespace: str, kube: Kube) -> None:
    long = {f"seatrial.example/{number}": "x" * 60_000 for number in range(4)}
    async with Person() as person:
        scenes = person.follow("ModelDeployment", namespace)
        await anext(scenes)
        await kube.create(model(namespace, "one", metadata__annotations=long))
        assert (await anext(scenes)).objects[0]["metadata"]["annotations"] == long


async def test_a_connection_that_breaks_is_told_and_begun_anew(namespace: str, kube: Kube, relay: Relay) -> None:
    there = relay.target_port
    made = await kube.create(model(namespace, "one"))
    async with Person() as person:
        scenes = person.follow("ModelDeployment", namespace)
        assert (await anext(scenes)).problem is None
        relay.target_port = NOBODY
        relay.cut()
        scene = await until(scenes, lambda scene: scene.problem is not None)
        assert names(scene) == ["one"]
        await kube.delete("ModelDeployment", namespace, "one", uid=made["metadata"]["uid"])
        await kube.create(model(namespace, "another"))
        relay.target_port = there
        assert names(await until(scenes, lambda scene: scene.problem is None)) == ["another"]


async def test_what_fails_at_first_is_raised(namespace: str, relay: Relay) -> None:
    relay.target_port = NOBODY
    async with Person() as person:
        with pytest.raises(Unavailable, match="list ModelDeployment objects in person-"):
            await anext(person.follow("ModelDeployment", namespace))


async def test_it_knows_who_one_is_and_what_one_may_not(
    namespace: str, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig_of("carol")))
    async with Person(context="test") as person:
        assert await person.whoami() == "carol"
        with pytest.raises(Refused, match="forbidden"):
            await anext(person.follow("ModelDeployment", namespace))


async def test_a_command_for_nobody_is_gone(namespace: str, kube: Kube) -> None:  # noqa: ARG001 - sets the kubeconfig
    async with Person() as person:
        with pytest.raises(Gone, match="There is no ModelDeployment nobody in namespace"):
            await person.command(namespace, "nobody", lambda _: [])
