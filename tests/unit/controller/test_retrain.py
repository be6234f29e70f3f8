"""Webhooks that ask for a newer model: signed, sent once, and what came of them noted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.controller.cache import Key
from seatrial.controller.retrain import AGAIN_S, Retrainings
from seatrial.controller.telemetry import Telemetry
from seatrial.notify.webhook import IDEMPOTENCY, SIGNATURE, TIMESTAMP, Webhooks
from tests.unit.rollout.test_retrain import WORLD, looks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from seatrial.api.drift import DriftStatus

KEY = Key("ml", "scorer")
ASKED = looks(WORLD)
CALL = ASKED.retrained[0]


@dataclass
class Service:
    """A service that answers as it is told, and keeps what it got."""

    statuses: list[int] = field(default_factory=lambda: [202])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@dataclass
class Scene:
    """Retraining with a clock that the test turns."""

    folder: Path
    found: dict[Key, DriftStatus] = field(default_factory=lambda: {KEY: ASKED})
    woken: list[Key] = field(default_factory=list)
    telemetry: Telemetry = field(default_factory=Telemetry)
    now_s: float = 0.0
    url: str = "http://127.0.0.1:1/hook"
    retrainings: Retrainings = field(init=False)

    def __post_init__(self) -> None:
        webhooks = Webhooks(self.folder / "key", time.time)
        self.retrainings = Retrainings(webhooks, self.woken.append, self.telemetry, self.found, lambda: self.now_s)

    async def send(self, recorded: DriftStatus = ASKED, times: int = 1) -> DriftStatus:
        for _ in range(times):
            self.retrainings.send(KEY, self.url, recorded, recorded.retrained[0])
        await asyncio.gather(*(task for _, task in self.retrainings._sent.values()))
        return self.retrainings.noted(recorded)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("seatrial.controller.retrain.WITHIN_S", 0.2)
    (tmp_path / "key").write_text("secret")
    return Scene(tmp_path)


@pytest.fixture
async def service(scene: Scene) -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_post("/hook", service.answer)
    async with TestServer(app) as server:
        scene.url = str(server.make_url("/hook"))
        yield service


def states(found: DriftStatus) -> list[tuple[str, str]]:
    return [(call.state, call.sentence) for call in found.retrained]


async def test_the_call_is_signed_and_sent_once_and_the_answer_is_noted(scene: Scene, service: Service) -> None:
    await scene.send(times=3)
    assert len(service.got) == 1
    headers, body = service.got[0]
    expected = hmac.new(b"secret", f"{headers[TIMESTAMP]}.".encode() + body, hashlib.sha256).hexdigest()
    assert (headers[SIGNATURE], headers[IDEMPOTENCY]) == (expected, CALL.id)
    assert b'"cause": "WorldChanged"' in body
    assert states(scene.found[KEY]) == [("Accepted", "the service answered 202")]
    assert scene.woken == [KEY]


async def test_an_answer_that_comes_before_the_first_look_is_kept_for_it(scene: Scene, service: Service) -> None:
    """A restarted operator sends first, and has found nothing yet."""
    scene.found.clear()
    assert states(await scene.send()) == [("Accepted", "the service answered 202")]
    await scene.send(times=3)
    assert len(service.got) == 1
    assert scene.found == {}


async def test_without_a_key_nothing_is_sent_and_the_reason_is_told(scene: Scene) -> None:
    (scene.folder / "key").unlink()
    await scene.send()
    state, sentence = states(scene.found[KEY])[0]
    assert state == "Unanswered"
    assert "no key" in sentence


async def test_a_service_that_is_away_is_asked_the_same_again_each_hour(scene: Scene, service: Service) -> None:
    service.statuses = [503]
    recorded = await scene.send()
    assert recorded.retrained[0].state == "Unanswered"
    first = len(service.got)
    scene.now_s = AGAIN_S - 1
    await scene.send(recorded)
    assert len(service.got) == first
    scene.now_s, service.statuses = AGAIN_S, [202]
    assert states(await scene.send(recorded)) == [("Accepted", "the service answered 202")]
    assert {headers[IDEMPOTENCY] for headers, _ in service.got} == {CALL.id}
    assert len({body for _, body in service.got}) == 1


async def test_a_refusal_is_final(scene: Scene, service: Service) -> None:
    service.statuses = [400]
    await scene.send()
    scene.now_s = 2 * AGAIN_S
    assert states(await scene.send()) == [("Failed", "the service answered 400")]
    assert len(service.got) == 1


async def test_an_error_that_nobody_foresaw_ends_the_call_and_not_all_calls(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"a bug with {scene.url}")

    monkeypatch.setattr(Webhooks, "post", breaks)
    state, sentence = states(await scene.send())[0]
    assert (state, scene.url in sentence) == ("Failed", False)
    assert scene.telemetry.registry.get_sample_value("seatrial_bugs_total") == 1


@pytest.mark.usefixtures("service")
async def test_what_stands_in_the_status_is_kept_no_longer(scene: Scene) -> None:
    recorded = await scene.send()
    scene.retrainings.forget(ASKED)
    assert CALL.id in scene.retrainings._answers
    scene.retrainings.forget(recorded)
    assert (scene.retrainings._answers, scene.retrainings._sent) == ({}, {})


async def test_a_model_that_is_gone_is_left_alone(scene: Scene) -> None:
    scene.found.clear()
    await scene.send()
    assert (scene.woken, scene.found) == ([], {})
