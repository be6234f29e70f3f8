"""Webhooks against a real HTTP server: what is signed, what is tried again, and when it ends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.notify import webhook
from seatrial.notify.webhook import IDEMPOTENCY, SIGNATURE, TIMESTAMP, Webhooks

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"a key of the operator"
BODY = {"name": "scorer", "check": "golden"}


class Service:
    """A service that answers as it is told and keeps what it got."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self.statuses = list(statuses)
        self.headers = headers
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.called = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        self.called.set()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers=self.headers)

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/check", self.answer)
        return TestServer(app)


@pytest.fixture
def webhooks(tmp_path: Path) -> Webhooks:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    return Webhooks(tmp_path / "key", time.time)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "FIRST_WAIT_S", 0.01)


async def test_a_receiver_can_prove_who_asks_and_when(webhooks: Webhooks) -> None:
    service = Service(204)
    async with service.server() as server:
        said = await webhooks.post(str(server.make_url("/check")), BODY, idempotency_key="k1", within_s=5)
    assert said.agreed
    headers, content = service.got[0]
    assert json.loads(content) == BODY
    expected = hmac.new(KEY, f"{headers[TIMESTAMP]}.".encode() + content, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers[SIGNATURE], expected)
    assert abs(time.time() - int(headers[TIMESTAMP])) < 5
    assert KEY.decode() not in str(headers)


async def test_a_fault_of_the_service_is_tried_again_with_the_same_key(webhooks: Webhooks) -> None:
    service = Service(503, 429, 408, 425, 200)
    async with service.server() as server:
        said = await webhooks.post(str(server.make_url("/check")), BODY, idempotency_key="k1", within_s=5)
    assert said.agreed
    assert [headers[IDEMPOTENCY] for headers, _ in service.got] == ["k1"] * 5


async def test_a_no_is_taken_at_once(webhooks: Webhooks) -> None:
    service = Service(422)
    async with service.server() as server:
        said = await webhooks.post(str(server.make_url("/check")), BODY, idempotency_key="k1", within_s=5)
    assert (said.status, said.agreed, len(service.got)) == (422, False, 1)
    assert said.sentence == "the service answered 422"


async def test_nobody_there_ends_in_time(webhooks: Webhooks) -> None:
    service = Service(200)
    async with service.server() as server:
        url = str(server.make_url("/check"))
    began_s = time.monotonic()
    said = await webhooks.post(url, BODY, idempotency_key="k1", within_s=0.3)
    assert said.status is None
    assert "the time is over" in said.sentence
    assert time.monotonic() - began_s < 5


async def test_a_redirect_is_not_followed(webhooks: Webhooks) -> None:
    """A signed body goes to the address that the user wrote, and nowhere else."""
    service = Service(307)
    async with service.server() as server:
        said = await webhooks.post(str(server.make_url("/check")), BODY, idempotency_key="k1", within_s=5)
    assert (said.status, len(service.got)) == (307, 1)


async def test_a_service_that_asks_for_time_gets_it_within_bounds(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LONGEST_ASKED_S", 0.3)
    began_s = time.monotonic()
    service = Service(429, 200, **{"Retry-After": "120"})
    async with service.server() as server:
        said = await webhooks.post(str(server.make_url("/check")), BODY, idempotency_key="k1", within_s=5)
    assert said.agreed
    assert 0.3 <= time.monotonic() - began_s < 3


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 2099 23:59:59 GMT", "-5", "1e9", "²", "soon"])
def test_what_is_no_number_of_seconds_is_not_waited_for(asked: str) -> None:
    assert webhook._asked_s(asked) == 0.0


@pytest.mark.parametrize("url", ["http://..//x", f"http://{'a' * 300}/x", "http://:80/x", "http://[::1/x"])
async def test_an_address_that_can_be_none_is_told_at_once_and_not_named(webhooks: Webhooks, url: str) -> None:
    said = await webhooks.post(url, BODY, idempotency_key="k1", within_s=60)
    assert (said.status, said.agreed, said.again) == (None, False, False)
    assert "nothing can be posted to this url" in said.sentence
    assert url not in said.sentence


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_key_that_is_replaced_meanwhile_is_waited_for(
    tmp_path: Path, webhooks: Webhooks, *, emptied: bool
) -> None:
    key, service = tmp_path / "key", Service(503, 200)

    async def without_key() -> None:
        await service.called.wait()
        key.write_bytes(b"\n") if emptied else key.unlink()
        await asyncio.sleep(0.2)
        assert len(service.got) == 1
        key.write_bytes(b"another key")

    async with service.server() as server:
        url = str(server.make_url("/check"))
        said, _ = await asyncio.gather(webhooks.post(url, BODY, idempotency_key="k1", within_s=10), without_key())
    assert said.agreed
    headers, content = service.got[-1]
    assert headers[SIGNATURE] == webhook.signature(b"another key", int(headers[TIMESTAMP]), content)


async def test_a_key_that_is_gone_for_good_is_told(tmp_path: Path) -> None:
    said = await Webhooks(tmp_path / "key", time.time).post(
        "http://127.0.0.1:1/", {}, idempotency_key="k", within_s=0.2
    )
    assert said.again
    assert "no key" in said.sentence


def test_without_a_key_the_operator_says_what_to_do(tmp_path: Path) -> None:
    problem = Webhooks(tmp_path / "key", time.time).problem
    assert problem
    assert "make the Secret seatrial-webhook" in problem
    (tmp_path / "key").write_bytes(b" \n")
    assert Webhooks(tmp_path / "key", time.time).problem == problem
