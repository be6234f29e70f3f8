"""What goes wrong between the operator and the API server: conflicts, failing writes, and nobody there at all."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlparse

import pytest

from seatrial.api.status import Phase
from seatrial.kube.errors import Unavailable
from tests.apiserver.controller.stage import Call, HeardKube, eventually, on_trial, rests_on
from tests.apiserver.relay import Relay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Raw, Stage

LONG = [{"weight": 10, "for": "1h"}]
NOBODY = 9
"""A port where nobody listens."""


class Road:
    """A relay in a thread of its own: kopf, when it ends, ends all that has begun in its event loop."""

    def __init__(self, relay: Relay) -> None:
        self.kubeconfig = relay.kubeconfig
        self._relay = relay
        self._there = relay.target_port
        self._started, self._ended = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._relay.running():
            self._started.set()
            await self._ended.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)

    def block(self, *, silent: bool) -> None:
        """Let nothing through: without a word, or by breaking and refusing connections."""
        if silent:
            self._loop.call_soon_threadsafe(self._relay.hang)
        else:
            self._relay.target_port = NOBODY
            self._loop.call_soon_threadsafe(self._relay.cut)

    def unblock(self) -> None:
        self._relay.target_port = self._there
        self._loop.call_soon_threadsafe(self._relay.resume)


async def test_an_edit_between_observation_and_record_makes_it_look_again_and_nothing_is_lost(stage: Stage) -> None:
    edits = 0

    async def get_in_between(call: Call) -> None:
        nonlocal edits

        def note(live: Raw) -> None:
            live["metadata"].setdefault("annotations", {})["edits"] = str(edits)

        if call.resource == "modeldeployments/status":
            edits += 1
            if edits % 2:  # every other record meets an object that has changed since
                await stage.edit("ModelDeployment", "scorer", note)

    async with stage.operator() as kube:
        kube.before.append(get_in_between)
        await stage.until(rests_on(await stage.deploy("1")))
        second = await stage.deploy("2")
        status = await stage.until(rests_on(second))
    live = await stage.user.get("ModelDeployment", stage.namespace, "scorer")
    assert live is not None
    assert int(live["metadata"]["annotations"]["edits"]) > 5
    assert [entry.id for entry in status.decisions] == [7, 6, 5, 4, 3, 2, 1]
    assert status.trial is not None
    assert status.trial.weighted_at is not None
    settled = status.trial.evidence[0].candidate_settled
    assert (settled.total, settled.bad) == stage.meter.count(second, status.trial.weighted_at, settled.at)


async def test_a_pause_that_comes_between_decision_and_record_is_heard(stage: Stage) -> None:
    paused_at: list[int] = []
    caught = asyncio.Event()

    async def pause(call: Call) -> None:
        if call.resource == "modeldeployments/status" and call.body["status"].get("step") == "2/2" and not paused_at:
            paused_at.append(len(stage.weights))
            caught.set()
            await stage.edit("ModelDeployment", "scorer", lambda live: live["spec"].update(paused=True))

    async with stage.operator() as kube:
        await stage.until(rests_on(await stage.deploy("1")))
        kube.before.append(pause)
        second = await stage.deploy("2")
        async with asyncio.timeout(15):
            await caught.wait()
        await asyncio.sleep(1)
        assert len(stage.weights) == paused_at[0]
        assert (await stage.status()).step == "1/2"
        await stage.edit("ModelDeployment", "scorer", lambda live: live["spec"].update(paused=False))
        await stage.until(rests_on(second))


async def test_weight_0_does_not_wait_for_a_record_that_cannot_be_written(stage: Stage) -> None:
    broken = False

    async def refuse_records(call: Call) -> None:
        if broken and call.resource == "modeldeployments/status":
            raise Unavailable("Can't write the status: etcd has no leader.")

    async with stage.operator() as kube:
        kube.before.append(refuse_records)
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(on_trial(second))
        broken = True
        stage.meter.spoil(second, one_in=1)
        await eventually(lambda: stage.weight(second), 0)
        assert (await stage.status()).phase is Phase.TRIAL
        broken = False
        status = await stage.until(rests_on(first, Phase.ROLLED_BACK))
        assert status.quarantined == (second,)
    assert (await stage.events()).count("RolledBack") == 1


async def test_what_was_recorded_is_told_also_when_it_takes_a_second_try_to_do_it(stage: Stage) -> None:
    stumbled = False

    async def stumble(call: Call) -> None:
        nonlocal stumbled
        if call.weights and 10 in call.weights.values() and not stumbled:
            stumbled = True
            raise Unavailable("Can't apply the HTTPRoute: no answer within 10 s.")

    async with stage.operator() as kube:
        kube.before.append(stumble)
        await stage.until(rests_on(await stage.deploy("1", spec__strategy__steps=LONG)))
        await stage.until(on_trial(await stage.deploy("2", spec__strategy__steps=LONG)))
    assert stumbled
    assert await stage.events() == ["Deploying", "Deployed", "TrialStarting", "StepStarted"]


async def test_a_fresh_reading_that_fails_is_tried_again_and_is_no_bug(stage: Stage) -> None:
    failed = 0

    async def fail_now_and_then(call: Call) -> None:
        nonlocal failed
        if not call.writes and call.resource == "pods" and failed < 3:
            failed += 1
            raise Unavailable("Can't list Pod objects: no answer within 10 s.")

    async with stage.operator() as kube:
        kube.before.append(fail_now_and_then)
        await stage.until(rests_on(await stage.deploy("1")))
    assert failed == 3
    assert stage.telemetry.registry.get_sample_value("seatrial_kube_errors_total", {"kind": "Unavailable"}) == 3


async def test_a_route_that_cannot_be_written_is_told_and_tried_again(stage: Stage) -> None:
    broken = True

    async def refuse_routes(call: Call) -> None:
        if broken and call.resource == "httproutes" and call.writes:
            raise Unavailable("Can't apply the HTTPRoute: the webhook of the gateway is away.")

    async with stage.operator() as kube:
        kube.before.append(refuse_routes)
        first = await stage.deploy("1")
        status = await stage.until(lambda status: any(c.reason == "CannotAct" for c in status.conditions))
        assert "the webhook of the gateway is away" in str(status.conditions)
        broken = False
        status = await stage.until(rests_on(first))
        assert "CannotAct" not in str(status.conditions)


@pytest.mark.parametrize("silent", [True, False], ids=["hangs", "breaks"])
async def test_after_minutes_without_an_api_server_it_goes_on_where_it_was(
    stage: Stage, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    """Seconds here: times of retries are the operator's own. The version goes bad while nobody can be told."""
    with Road(Relay(urlparse(api_server.url).port or 0)) as road:
        monkeypatch.setenv("KUBECONFIG", str(road.kubeconfig(api_server.kubeconfig, tmp_path)))
        async with stage.operator(HeardKube()):
            first = await stage.deploy("1", spec__strategy__steps=LONG)
            await stage.until(rests_on(first))
            second = await stage.deploy("2", spec__strategy__steps=LONG)
            await stage.until(on_trial(second))
            road.block(silent=silent)
            stage.meter.spoil(second, one_in=1)
            await asyncio.sleep(6)
            assert (await stage.routed())[second] == 10
            road.unblock()
            await eventually(lambda: stage.weight(second), 0)
            status = await stage.until(rests_on(first, Phase.ROLLED_BACK), within_s=45)
            assert status.quarantined == (second,)
            # The watches are back too: a new wish is heard without anything being restarted.
            third = await stage.deploy("3", spec__strategy__steps=LONG)
            await stage.until(on_trial(third), within_s=45)


async def test_what_is_deleted_while_the_watches_are_broken_is_noticed_afterwards(
    stage: Stage, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Road(Relay(urlparse(api_server.url).port or 0)) as road:
        monkeypatch.setenv("KUBECONFIG", str(road.kubeconfig(api_server.kubeconfig, tmp_path)))
        async with stage.operator(HeardKube()):
            first = await stage.deploy("1")
            await stage.until(rests_on(first))
            await stage.deploy("1", "other")
            await stage.until(rests_on(first), "other")
            road.block(silent=False)
            await asyncio.sleep(1)
            await stage.remove("Deployment", f"scorer-{first}")
            await stage.remove("ModelDeployment", "other")
            await asyncio.sleep(1)
            road.unblock()
            await eventually(stage.versions, {first}, within_s=45)
    assert stage.meter.forgotten == [(stage.namespace, "other")]
