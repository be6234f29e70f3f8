"""One loop per ModelDeployment: tick, then wait until the next look is due or something has changed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

from seatrial.controller.tick import RETRY_MAX_S, Memory

if TYPE_CHECKING:
    from seatrial.controller.cache import Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.controller.tick import Ticker

SPREAD_S = 0.5
"""First ticks are spread over this time at least, so that a restarted operator doesn't do all at once."""
SPREAD_EACH_S = 0.02
"""And over so much for each ModelDeployment: a thousand at once would let the renewal of the Lease wait too long."""
LONGEST_SPREAD_S = 20.0


class Loops:
    """Starts, wakes and ends the loops."""

    def __init__(self, ticker: Ticker, telemetry: Telemetry) -> None:
        self._ticker = ticker
        self._telemetry = telemetry
        self._loops: dict[Key, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self.begun = asyncio.Event()
        """Set with the first loop: no handler runs before everything has been listed, so the cache is filled then."""

    def wake(self, key: Key, *, start: bool = False) -> None:
        """Make a loop look again now; start it first if asked to."""
        if key in self._loops:
            self._loops[key][1].set()
        elif start:
            self.begun.set()
            wake = asyncio.Event()
            self._loops[key] = (asyncio.create_task(self._run(key, wake), name=f"loop {key}"), wake)

    async def end(self, key: Key) -> None:
        """End the loop of a ModelDeployment that is gone."""
        if known := self._loops.pop(key, None):
            known[0].cancel()
            await asyncio.wait([known[0]])

    async def end_all(self) -> None:
        """End all loops; traffic stays as it is."""
        for key in list(self._loops):
            await self.end(key)

    async def _run(self, key: Key, wake: asyncio.Event) -> None:
        memory = Memory()
        due_s = time.monotonic()
        spread_s = min(max(SPREAD_S, SPREAD_EACH_S * len(self._loops)), LONGEST_SPREAD_S)
        await asyncio.sleep(random.uniform(0, spread_s))  # noqa: S311 - a spread needs no secret randomness
        due_s = time.monotonic()
        while True:
            wake.clear()
            try:
                async with self._telemetry.timed(key, due_s):
                    delay_s, memory = await self._ticker.tick(key, memory)
            except Exception:  # noqa: BLE001 - the one place: a bug in one tick must not end the watch over a model
                self._telemetry.bug("/".join(key))
                delay_s = RETRY_MAX_S / 10
            asked_s = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await wake.wait()
            now_s = time.monotonic()
            due_s = now_s if delay_s is None else min(now_s, asked_s + delay_s)
