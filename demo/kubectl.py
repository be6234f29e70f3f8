"""The cluster as a user sees it: kubectl, its answers, and objects followed as they change."""

import asyncio
import codecs
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

JsonObject = dict[str, Any]
READ_CHUNK = 65536
ANSWER_S = 60.0


class KubectlError(Exception):
    """Kubectl refused; the text is what it said."""


async def kubectl(*arguments: str, stdin: str = "", timeout_s: float = ANSWER_S) -> str:
    """Run kubectl and return what it printed.

    Parameters
    ----------
    arguments
        What to ask for.
    stdin
        What it reads, such as a manifest.
    timeout_s
        Seconds until it is ended: some words (``delete``, ``rollout status``) wait for ever by themselves.

    Raises
    ------
    KubectlError
        It ended with an error, did not end in time, or is not installed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise KubectlError("kubectl is not on the PATH; run this with `python -m cluster run -- …`") from None
    try:
        async with asyncio.timeout(timeout_s):
            output, complaint = await process.communicate(stdin.encode())
    except TimeoutError:
        raise KubectlError(f"kubectl {' '.join(arguments)}: no end within {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {complaint.decode().strip()}")
    return output.decode()


def split_documents(text: str) -> tuple[list[JsonObject], str]:
    """Cut the whole JSON documents off the front of a stream; the rest is the beginning of the next one."""
    decoder = json.JSONDecoder()
    documents: list[JsonObject] = []
    rest = text.lstrip()
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except json.JSONDecodeError:
            break
        documents.append(document)
        rest = rest[end:].lstrip()
    return documents, rest


@dataclass(frozen=True, slots=True)
class State:
    """An object as it was seen at a moment; None after its deletion."""

    seen_s: float
    object: JsonObject | None


@dataclass(slots=True)
class Follow:
    """Follows one object from `async with` to its end; states are kept in the order in which they were seen.

    Parameters
    ----------
    kind, namespace, name
        Which object; it need not exist yet.
    """

    kind: str
    namespace: str
    name: str
    states: list[State] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def latest(self) -> JsonObject | None:
        """The object as last seen."""
        return self.states[-1].object if self.states else None

    async def until(self, holds: Callable[[JsonObject], bool], deadline_s: float) -> State:
        """Wait for a state in which something holds, starting with the latest one.

        Raises
        ------
        TimeoutError
            It did not come about within `deadline_s` seconds.
        """
        async with asyncio.timeout(deadline_s), self._news:
            while not (self.states and self.states[-1].object is not None and holds(self.states[-1].object)):
                await self._news.wait()
            return self.states[-1]

    async def _follow(self) -> None:
        while True:
            async for state in self._watch():
                async with self._news:
                    self.states.append(state)
                    self._news.notify_all()
            await asyncio.sleep(0.2)  # the API server ends a watch now and then

    async def _watch(self) -> AsyncIterator[State]:
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "get", self.kind, "--namespace", self.namespace),
            *("--field-selector", f"metadata.name={self.name}", "--watch", "--output-watch-events", "--output", "json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        decoder = codecs.getincrementaldecoder("utf-8")()  # a chunk may end inside a character
        rest = ""
        try:
            while process.stdout and (chunk := await process.stdout.read(READ_CHUNK)):
                seen_s = time.time()
                documents, rest = split_documents(rest + decoder.decode(chunk))
                for event in documents:
                    yield State(seen_s, None if event["type"] == "DELETED" else event["object"])
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
