"""The load generator keeps its pace and counts what a real HTTP server answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from demo.load import Load, held_out_digits, summary

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v2/models/digits/infer", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(version: str, status: int = 200, digit: int = 0) -> web.Response:
    body = {"outputs": [{"data": [digit]}]} if status == 200 else {"error": "planned failure"}
    return web.json_response(body, status=status, headers={"x-model-version": version})


def test_the_samples_are_scans_with_their_digits() -> None:
    samples = held_out_digits()
    assert len(samples) == 540
    assert {sample.digit for sample in samples} == set(range(10))
    assert all(b'"shape": [1, 64]' in sample.body for sample in samples)


async def test_requests_leave_at_the_rate_while_the_server_stalls() -> None:
    arrivals: list[float] = []
    stalled = asyncio.Event()

    async def stall(_: web.Request) -> web.Response:
        arrivals.append(time.monotonic())
        await stalled.wait()
        return answer("1")

    async with served(stall) as url, Load(url, "digits", 100, held_out_digits()) as load:
        await asyncio.sleep(0.6)
        arrived, outstanding = len(arrivals), load.window().outstanding
        stalled.set()
        await asyncio.sleep(0.2)
        counts = load.window().versions()["1"]
    assert arrived >= 40  # about 60: none waited for an answer
    assert outstanding >= 40
    assert counts.slow >= 20  # those that were due in the first 0.35 s of the stall


async def test_answers_are_counted_by_version_and_outcome() -> None:
    number = 0
    samples = held_out_digits()

    async def alternate(_: web.Request) -> web.Response:
        nonlocal number
        number += 1
        if number % 4 == 0:
            return answer("3", status=500)
        return answer("2" if number % 2 else "3", digit=10)

    async with served(alternate) as url, Load(url, "digits", 200, samples, longest_s=0.5) as load:
        await asyncio.sleep(1.0)
        window = load.window()
    versions = window.versions()
    assert sum(counts.total for counts in versions.values()) == 100
    assert (versions["2"].total, versions["2"].failed) == (50, 0)
    assert (versions["3"].total, versions["3"].failed) == (50, 25)
    assert versions["2"].accuracy == 0
    assert window.lost == []


async def test_accuracy_compares_with_the_true_digit() -> None:
    samples = held_out_digits()
    true_digit = {sample.body: sample.digit for sample in samples}

    async def right(request: web.Request) -> web.Response:
        return answer("2", digit=true_digit[await request.read()])

    async with served(right) as url, Load(url, "digits", 100, samples, longest_s=0.2) as load:
        await asyncio.sleep(0.5)
        assert load.window().versions()["2"].accuracy == 1


async def test_what_no_model_server_answered_is_lost() -> None:
    async def gateway_says_no(_: web.Request) -> web.Response:
        return web.Response(status=503, text="no healthy upstream")

    async with served(gateway_says_no) as url, Load(url, "digits", 100, held_out_digits(), longest_s=0.1) as load:
        await asyncio.sleep(0.4)
        window = load.window()
    assert len(window.lost) == 10
    assert window.versions() == {}
    assert window.lost[0].problem == "the gateway answered 503: no healthy upstream"
    assert summary(window) == "lost 10"


async def test_a_refused_connection_is_lost_and_says_why(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with Load(url, "digits", 100, held_out_digits(), longest_s=0.1) as load:
        await asyncio.sleep(0.4)
        lost = load.window().lost
    assert len(lost) == 10
    assert "Connect" in lost[0].problem


async def test_a_window_holds_the_requests_that_were_due_in_it() -> None:
    async def fine(_: web.Request) -> web.Response:
        return answer("1")

    async with served(fine) as url, Load(url, "digits", 100, held_out_digits(), longest_s=0.4) as load:
        await asyncio.sleep(1.0)
        everything = load.window().answers
        between_s = everything[20].scheduled_s - 0.005
        assert len(everything) == 40
        assert load.window(between_s).answers == everything[20:]
        assert load.window(until_s=between_s).answers == everything[:20]
        assert load.window(everything[-1].scheduled_s + 60).answers == ()
