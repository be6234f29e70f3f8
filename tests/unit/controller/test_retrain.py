"""Webhooks that ask for a newer model: signed, sent once, and what came of them noted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from seatrial.controller.cache import Key
from seatrial.controller.retrain import Retrainings
from seatrial.notify.webhook import IDEMPOTENCY, SIGNATURE, TIMESTAMP, Webhooks
from tests.unit.rollout.test_retrain import DRIFT, WORLD, looks

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.api.drift import DriftStatus

KEY = Key("ml", "scorer")
ASKED = looks(WORLD)


async def settled(retrainings: Retrainings) -> None:
    await asyncio.gather(*retrainings._sent.values())


async def test_the_call_is_signed_and_sent_once_and_the_answer_is_noted(tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    (tmp_path / "key").write_text("secret")
    found: dict[Key, DriftStatus] = {KEY: ASKED}
    woken: list[Key] = []
    retrainings = Retrainings(Webhooks(tmp_path / "key", time.time), woken.append, found)
    assert DRIFT.retrain
    retrain = DRIFT.retrain.model_copy(update={"url": f"http://127.0.0.1:{port}/hook"})
    for _ in range(3):
        retrainings.send(KEY, retrain, ASKED)
    await settled(retrainings)
    await runner.cleanup()
    assert len(got) == 1
    headers, body = got[0]
    expected = hmac.new(b"secret", f"{headers[TIMESTAMP]}.".encode() + body, hashlib.sha256).hexdigest()
    assert (headers[SIGNATURE], headers[IDEMPOTENCY]) == (expected, ASKED.retrained[0].id)
    assert b'"cause": "WorldChanged"' in body
    assert [(c.state, c.sentence) for c in found[KEY].retrained] == [("Accepted", "the service answered 202")]
    assert woken == [KEY]


async def test_without_a_key_nothing_is_sent_and_the_reason_is_told(tmp_path: Path) -> None:
    found: dict[Key, DriftStatus] = {KEY: ASKED}
    told: list[Any] = []
    retrainings = Retrainings(Webhooks(tmp_path / "key", time.time), told.append, found)
    assert DRIFT.retrain
    retrainings.send(KEY, DRIFT.retrain, ASKED)
    await settled(retrainings)
    assert found[KEY].retrained[0].state == "Failed"
    assert "no key" in found[KEY].retrained[0].sentence


async def test_a_model_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    told: list[Any] = []
    retrainings = Retrainings(Webhooks(tmp_path / "key", time.time), told.append, {})
    assert DRIFT.retrain
    retrainings.send(KEY, DRIFT.retrain, ASKED)
    await settled(retrainings)
    assert told == []
