"""A model server for ASGI and WSGI that tells a joiner what it answers; the tests of a server's end run it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from seatrial_instrument import Instrument, Profile
from seatrial_instrument.middleware import ASGIMiddleware, WSGIMiddleware
from seatrial_instrument.prediction_log import PredictionLog

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = PredictionLog(os.environ["JOINER"], "shop", "v1")
instrument = Instrument(Profile(1, ("x",), ()), "m", registry=CollectorRegistry(), log=log)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{kind}"
            await send({"type": f"lifespan.{kind}.complete"})
        return
    instrument.observe(predictions=[1.0])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})


def answer_wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    assert environ["REQUEST_METHOD"] == "POST"
    instrument.observe(predictions=[1.0])
    start_response("200 OK", [])
    return [b"1"]


asgi = ASGIMiddleware(answer, instrument, version="1")
wsgi = WSGIMiddleware(answer_wsgi, instrument, version="1")
