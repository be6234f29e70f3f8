"""A model server that costs next to nothing, for loads that a real one can't carry beside all else on two cores.

The cluster runs it in the demo model's image, handed over as text. It serves with uvicorn as MLServer does, so it ends
as MLServer ends, and counts its answers under MLServer's names.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

VERSION = os.environ["MODEL_VERSION"].encode()
ERROR_RATIO = float(os.environ.get("FAULT_ERROR_RATIO", "0"))
TAKES_S = 0.02  # so that some requests are always under way
ANSWER = b'{"outputs": [{"data": [0]}]}'
SERIES = 'rest_server_requests_total{{path="/v2/models/digits/infer",status_code="{}"}} {}\n'
counts = {200: 0, 500: 0}


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer by the Open Inference Protocol, as far as the load generator looks."""
    status, kind, body = 200, b"application/json", ANSWER
    if scope["path"] == "/metrics":
        kind = b"text/plain; version=0.0.4"
        body = "".join(SERIES.format(*entry) for entry in counts.items()).encode()
    elif scope["path"].endswith("/infer"):
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(TAKES_S)
        status = 500 if random.random() < ERROR_RATIO else 200  # noqa: S311 # it chooses requests, not keys
        counts[status] += 1
    length = str(len(body)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), (b"x-model-version", VERSION)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, host="", port=8080, lifespan="off", access_log=False, timeout_keep_alive=3600)
