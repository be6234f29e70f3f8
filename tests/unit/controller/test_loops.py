"""The loop of one model: when it looks, and what can't stop it."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, cast

import pytest

from seatrial.controller.cache import Key
from seatrial.controller.loops import Loops
from seatrial.controller.telemetry import STUCK_S, Telemetry
from seatrial.controller.tick import RETRY_MAX_S, Memory, Ticker, _later

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = Key("ml", "scorer")


class Script:
    """Stands where the ticks are: counts them, and does what the test says."""

    def __init__(self, then: Callable[[int], float | None]) -> None:
        self.ticks = 0
        self.looked = asyncio.Event()
        self._then = then

    async def tick(self, _: Key, memory: Memory) -> tuple[float | None, Memory]:
        self.ticks += 1
        self.looked.set()
        await asyncio.sleep(0)
        return self._then(self.ticks), memory

    async def look(self) -> None:
        async with asyncio.timeout(5):
            await self.looked.wait()
        self.looked.clear()


@pytest.fixture
async def telemetry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Telemetry]:
    monkeypatch.setattr("seatrial.controller.loops.SPREAD_S", 0.0)
    monkeypatch.setattr("seatrial.controller.loops.RETRY_MAX_S", 0.1)
    yield Telemetry()
    assert not [task for task in asyncio.all_tasks() if "scorer" in task.get_name()]


def loops_of(script: Script, telemetry: Telemetry) -> Loops:
    return Loops(cast("Ticker", script), telemetry)


async def test_at_rest_it_looks_only_when_it_is_woken(telemetry: Telemetry) -> None:
    script = Script(lambda _: None)
    loops = loops_of(script, telemetry)
    loops.wake(KEY)
    await asyncio.sleep(0.05)
    assert script.ticks == 0, "a change of something that belongs to nobody starts no loop"
    loops.wake(KEY, start=True)
    await script.look()
    await asyncio.sleep(0.1)
    assert script.ticks == 1
    loops.wake(KEY)
    await script.look()
    await loops.end(KEY)
    loops.wake(KEY)
    await asyncio.sleep(0.05)
    assert script.ticks == 2


async def test_a_change_during_a_tick_is_looked_at_after_it(telemetry: Telemetry) -> None:
    script = Script(lambda ticks: loops.wake(KEY) if ticks == 1 else None)
    loops = loops_of(script, telemetry)
    loops.wake(KEY, start=True)
    await script.look()
    await script.look()
    await loops.end_all()
    assert script.ticks == 2


async def test_a_bug_in_a_tick_is_counted_and_does_not_end_the_watch_over_a_model(telemetry: Telemetry) -> None:
    def stumble(ticks: int) -> float | None:
        if ticks == 1:
            raise ZeroDivisionError
        return None

    script = Script(stumble)
    loops = loops_of(script, telemetry)
    loops.wake(KEY, start=True)
    await script.look()
    await script.look()
    await loops.end_all()
    assert telemetry.registry.get_sample_value("seatrial_bugs_total") == 1


async def test_a_tick_that_does_not_end_turns_the_probe_red_and_is_named(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    def probe() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{unused_tcp_port}/healthz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async with telemetry.serving(unused_tcp_port), telemetry.timed(KEY, 0.0):
        assert await asyncio.to_thread(probe) == (200, "ok\n")
        monkeypatch.setattr("seatrial.controller.telemetry.STUCK_S", -STUCK_S)
        code, said = await asyncio.to_thread(probe)
    assert code == 500
    assert "ml/scorer" in said


def test_retries_wait_longer_each_time_and_never_longer_than_the_limit() -> None:
    memory, waits = Memory(), []
    for _ in range(8):
        delay_s, memory = _later(memory, "the API server is away")
        waits.append(delay_s)
    assert waits == [1, 2, 4, 8, 16, RETRY_MAX_S, RETRY_MAX_S, RETRY_MAX_S]
    assert memory.problem == "the API server is away"
