"""Slow loops beside the ticks: one round for all models, a pause, and the next, whatever happens in one of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seatrial.controller.telemetry import Telemetry


async def rounds(
    name: str, work: Callable[[], Awaitable[None]], begun: asyncio.Event, pause_s: float, telemetry: Telemetry
) -> None:
    """Run rounds until cancelled.

    Parameters
    ----------
    name
        What the rounds are about, for the report of a bug.
    work
        One round.
    begun
        Set when there are models; the first round waits for it.
    pause_s
        Seconds between two rounds.
    telemetry
        Is told of bugs.
    """
    await begun.wait()
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - a bug in one round must not end the loop for all models
            telemetry.bug(name)
        await asyncio.sleep(pause_s)
