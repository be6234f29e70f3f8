"""Late labels: what was true of an answer, told to the joiner some seconds after the answer was given."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp

if TYPE_CHECKING:
    from types import TracebackType

    from demo.load import Sample

HOST = "labels.demo.example"
DELAY_S = 8.0
EVERY_S = 1.0
TIMEOUT_S = 5.0


class LateLabels:
    """Tells labels from `async with` to its end; what the joiner does not take is told again a second later.

    Parameters
    ----------
    url
        The gateway's HTTP listener.
    delay_s
        Age of an answer in seconds at which its truth becomes known.
    host
        Host name of the joiner's route.
    """

    def __init__(self, url: str, delay_s: float = DELAY_S, host: str = HOST) -> None:
        self._url, self._delay_s, self._host = url.rstrip("/") + "/labels", delay_s, host
        self._waiting: deque[tuple[float, str, int]] = deque()
        self.told = 0
        self.problem = "no label was due yet"

    def learn(self, request_id: str, sample: Sample) -> None:
        """Note what is true of an answer; it is told later."""
        self._waiting.append((time.monotonic() + self._delay_s, request_id, sample.digit))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tell_on_time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _tell_on_time(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            while True:
                await asyncio.sleep(EVERY_S)
                now_s = time.monotonic()
                due = []
                while self._waiting and self._waiting[0][0] <= now_s:
                    due.append(self._waiting.popleft())
                if due and not await self._tell(session, due):
                    self._waiting.extendleft(reversed(due))

    async def _tell(self, session: aiohttp.ClientSession, due: list[tuple[float, str, int]]) -> bool:
        lines = "\n".join(json.dumps({"request_id": request_id, "actual": digit}) for _, request_id, digit in due)
        self.problem = "the joiner can't be reached"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(self._url, data=lines.encode(), headers={"Host": self._host}) as answer:
                if answer.status == HTTPStatus.NO_CONTENT:
                    self.told += len(due)
                    self.problem = ""
                    return True
                self.problem = f"the joiner's answer is {answer.status}: {(await answer.text())[:200]}"
        return False
