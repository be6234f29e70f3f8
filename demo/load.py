"""Send requests at a fixed rate, whatever the answers do, and remember every one of them.

The loop is open: a request leaves when its time has come, not when the one before is answered, and its latency counts
from that time. A server that stalls is therefore seen as slow by every request that it kept waiting (the "coordinated
omission" of closed loops does not happen).
"""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import click

MODEL_PATH = "/v2/models/digits/infer"
SAMPLES_FILE = Path(__file__).with_name("digits.txt")
BRIGHTNESS_LEVELS = 17
TIMEOUT_S = 10.0
SLOW_S = 0.25  # the latency objective's threshold in manifests/slo.yaml
OK = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """A scan to send: the request body, and the digit that a right answer names."""

    body: bytes
    digit: int


def held_out_digits() -> list[Sample]:
    """Read the scans that no model was trained on, as bodies of the Open Inference Protocol."""
    samples = []
    for line in SAMPLES_FILE.read_text().splitlines():
        digit, scan = line.split()
        pixels = [int(symbol, BRIGHTNESS_LEVELS) for symbol in scan]
        tensor = {"name": "pixels", "shape": [1, len(pixels)], "datatype": "FP32", "data": pixels}
        samples.append(Sample(json.dumps({"inputs": [tensor]}).encode(), int(digit)))
    return samples


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    Attributes
    ----------
    scheduled_s
        When it was to leave, seconds since the epoch.
    latency_s
        From then to the end of the answer or of the attempt.
    version
        `x-model-version` of the answer; None when no model server answered: the request is lost.
    status
        HTTP status; None when there was no HTTP answer at all.
    right
        Whether the model named the true digit.
    problem
        Why the request is lost, empty otherwise.
    """

    scheduled_s: float
    latency_s: float
    version: str | None
    status: int | None
    right: bool
    problem: str = ""

    @property
    def answered_s(self) -> float:
        """When the client knew, seconds since the epoch."""
        return self.scheduled_s + self.latency_s

    @property
    def failed(self) -> bool:
        """Whether a model server answered with anything but 200."""
        return self.version is not None and self.status != OK

    @property
    def slow(self) -> bool:
        """Whether a model server answered 200, but later than the latency objective allows."""
        return self.version is not None and not self.failed and self.latency_s > SLOW_S


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """Answers of one version in a window; `failed` and `slow` are disjoint."""

    total: int
    failed: int
    slow: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of right digits among the answers that did not fail, 0..1; NaN when all failed."""
        good = self.total - self.failed
        return self.right / good if good else math.nan


@dataclass(frozen=True, slots=True)
class Window:
    """Requests that were due in a span of time, in the order in which they were due."""

    answers: tuple[Answer, ...]
    outstanding: int

    @property
    def lost(self) -> list[Answer]:
        """Requests that no model server answered: transport errors, time-outs and the gateway's own 4xx and 5xx."""
        return [answer for answer in self.answers if answer.version is None]

    def versions(self) -> dict[str, VersionCounts]:
        """Count answers by version, in the order of the versions' first answers."""
        groups: dict[str, list[Answer]] = {}
        for answer in self.answers:
            if answer.version is not None:
                groups.setdefault(answer.version, []).append(answer)
        return {
            version: VersionCounts(
                total=len(answers),
                failed=sum(answer.failed for answer in answers),
                slow=sum(answer.slow for answer in answers),
                right=sum(answer.right for answer in answers),
            )
            for version, answers in groups.items()
        }


class Load:
    """An open-loop load, running from `async with` to its end.

    Parameters
    ----------
    url
        The gateway's HTTP listener, such as `http://10.244.0.5:8080`.
    host
        Host name of the route, sent as the Host header.
    rate
        Requests per second.
    samples
        Sent in turn.
    longest_s
        The load stops by itself after this many seconds.
    learn
        Is told the request id of each good answer, and the sample that it answers.
    headers
        Sent with each request, such as the cookie of a group.
    """

    def __init__(  # noqa: PLR0913 # most are named in the call, and have a default
        self,
        url: str,
        host: str,
        rate: float,
        samples: Sequence[Sample],
        *,
        longest_s: float = 900.0,
        learn: Callable[[str, Sample], None] = lambda _id, _sample: None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/") + MODEL_PATH
        self._headers = {"Host": host, "Content-Type": "application/json", **(headers or {})}
        self._rate = rate
        self._samples = samples
        self._learn = learn
        self._most = int(longest_s * rate)
        self._answers: list[Answer | None] = []  # by number of the request; None while it is under way
        self._under_way: set[asyncio.Task[None]] = set()
        self.worst_lag_s = 0.0

    async def __aenter__(self) -> Self:
        # No limit on connections: waiting for a free one would close the loop.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        )
        self._started = asyncio.get_running_loop().time()
        self._started_s = time.time()
        self._sender = asyncio.create_task(self._send_on_time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.cancel()
        await asyncio.gather(self._sender, *self._under_way, return_exceptions=True)
        await self._session.close()

    def window(self, since_s: float = 0.0, until_s: float = math.inf) -> Window:
        """Answers to the requests that were due from `since_s` up to `until_s` (seconds since the epoch)."""
        first = max(0, math.ceil((since_s - self._started_s) * self._rate))
        end = len(self._answers) if math.isinf(until_s) else max(0, math.ceil((until_s - self._started_s) * self._rate))
        asked = self._answers[first:end]
        answers = tuple(answer for answer in asked if answer is not None)
        return Window(answers, outstanding=len(asked) - len(answers))

    async def _send_on_time(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self._most):
            due = self._started + number / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.worst_lag_s = max(self.worst_lag_s, loop.time() - due)
            self._answers.append(None)
            task = asyncio.create_task(self._send(number))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        due = number / self._rate
        sample = self._samples[number % len(self._samples)]
        version: str | None = None
        status: int | None = None
        right = False
        problem = ""
        try:
            async with self._session.post(self._url, data=sample.body, headers=self._headers) as response:
                body = await response.read()
            status = response.status
            version = response.headers.get("x-model-version")
            if version is None:
                problem = f"the gateway answered {status}: {body[:120].decode(errors='replace')}"
            elif status == OK:
                right = json.loads(body)["outputs"][0]["data"][0] == sample.digit
                self._learn(response.headers.get("x-request-id", ""), sample)
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}".rstrip(": ")
        latency_s = loop.time() - self._started - due
        self._answers[number] = Answer(self._started_s + due, latency_s, version, status, right, problem)


def summary(window: Window) -> str:
    """One line on a window: answers, bad ones and accuracy by version, and lost requests."""
    parts = [
        f"version {version}: {counts.total} answers, {counts.failed} failed, {counts.slow} slow, "
        f"{counts.accuracy:.0%} right"
        for version, counts in sorted(window.versions().items())
    ]
    return "; ".join([*parts, f"lost {len(window.lost)}"])


@click.command()
@click.option("--url", envvar="SEATRIAL_GATEWAY", required=True, help="The gateway's HTTP listener.")
@click.option("--host", default="digits.demo.example", show_default=True, help="Host name of the route.")
@click.option("--rate", default=100.0, show_default=True, help="Requests per second.")
@click.option("--for", "for_s", default=60.0, show_default=True, help="Seconds.")
def main(url: str, host: str, rate: float, for_s: float) -> None:
    """Load the demo's model through the gateway and print what the clients see."""
    asyncio.run(_print_load(url, host, rate, for_s))


async def _print_load(url: str, host: str, rate: float, for_s: float) -> None:
    async with Load(url, host, rate, held_out_digits(), longest_s=for_s) as load:
        for _ in range(math.ceil(for_s / 5)):
            since_s = time.time()
            await asyncio.sleep(min(5.0, for_s))
            print(f"{time.strftime('%H:%M:%S')}  {summary(load.window(since_s))}", flush=True)
    print(f"in all    {summary(load.window())}; the generator was at most {load.worst_lag_s * 1000:.0f} ms behind")
    for problem, count in Counter(answer.problem for answer in load.window().lost).most_common(5):
        print(f"lost {count:4d} {problem}")


if __name__ == "__main__":
    main()
