"""Ask a model server in a pod: is the model ready, will it answer this call, what does it take and give.

Every call has a time limit, follows no redirect and reads no more than it needs. What a server answers is never shown
to anybody but for names, types and shapes of tensors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, Self

import aiohttp

from seatrial.rollout.signature import signature_of

if TYPE_CHECKING:
    from types import TracebackType

    from seatrial.rollout.signature import Signature

CALL_S = 10.0
"""Seconds that the server may take to say whether it is ready, or what it takes."""
PREDICTION_S = 120.0
"""Seconds that one prediction may take: the first one of a large model compiles and loads."""
LARGEST_METADATA = 1 << 20
_SUCCESS = range(200, 300)


class NotYet(Exception):  # noqa: N818 - a state of the model, not a fault of the program
    """The model does not answer as it should, in one sentence; it may the next time."""


class ModelServer(Protocol):
    """What can be asked of a model server."""

    async def ready(self, url: str) -> None:
        """Ask whether the model is ready; raise NotYet if not."""

    async def predict(self, url: str, body: str) -> None:
        """Ask for a prediction and throw it away; raise NotYet if there is none."""

    async def signature(self, url: str) -> Signature:
        """Ask what the model takes and gives; raise NotYet if that can't be told."""


class HttpModelServer:
    """A :class:`ModelServer` over HTTP; an asynchronous context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; connections are not kept, as pods come and go."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64, force_close=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def ready(self, url: str) -> None:
        """See :meth:`ModelServer.ready`."""
        await self._ask("GET", url, CALL_S)

    async def predict(self, url: str, body: str) -> None:
        """See :meth:`ModelServer.predict`."""
        await self._ask("POST", url, PREDICTION_S, body=body)

    async def signature(self, url: str) -> Signature:
        """See :meth:`ModelServer.signature`."""
        answer = await self._ask("GET", url, CALL_S, keep=LARGEST_METADATA)
        try:
            return signature_of(json.loads(answer))
        except ValueError as error:
            said = "they are no JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            raise NotYet(f"what it takes and gives can't be read: {said}") from error

    async def _ask(self, method: str, url: str, limit_s: float, *, body: str | None = None, keep: int = 0) -> bytes:
        """Call, and return the first ``keep`` bytes of a successful answer; the rest is read and dropped."""
        if self._session is None:
            raise RuntimeError("HttpModelServer is used outside its `async with` block.")
        kept = bytearray()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        timeout = aiohttp.ClientTimeout(total=limit_s)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                async for chunk in answer.content.iter_any():
                    kept += chunk[: keep - len(kept)]
                status = answer.status
        except TimeoutError as error:
            raise NotYet(f"no answer to {method} {_path(url)} within {limit_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotYet(f"{method} {_path(url)} fails ({type(error).__name__})") from error
        if status not in _SUCCESS:
            raise NotYet(f"{method} {_path(url)} is answered with {status}")
        return bytes(kept)


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]
