"""Signed webhooks: one JSON body, posted until somebody answers it or the time is over.

The signature is HMAC-SHA-256 of the time, a dot and the body, in hex, with the operator's key; the receiver computes it
anew and refuses what is too old. The same idempotency key is sent each time that one thing is told, also after a
restart of the operator, so that a receiver can leave out what it knows.

An address may hold a token, so no sentence names it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SIGNATURE, TIMESTAMP, IDEMPOTENCY = "X-Seatrial-Signature", "X-Seatrial-Timestamp", "Idempotency-Key"
ONE_TRY_S = 10.0
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_ASKED_S = 300.0
"""So long a service may ask to be left alone (Retry-After)."""
NO_KEY = "the operator has no key to sign webhooks with: make the Secret seatrial-webhook"
_NOT_NOW = frozenset({408, 425, 429})
"""Answers below 500 that may be others later: timeout, too early, too many requests."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes
    ----------
    status
        HTTP status, or None when it gave none.
    sentence
        What it said, or why it could not be asked.
    again
        Whether asking again may help.
    wait_s
        How long it asks to be left alone.
    """

    status: int | None
    sentence: str
    again: bool = False
    wait_s: float = 0.0

    @property
    def agreed(self) -> bool:
        """Whether it was a success (2xx)."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP: success


def signature(key: bytes, at_s: int, body: bytes) -> str:
    """Compute the signature of a body sent at a Unix time."""
    return hmac.new(key, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()


class Webhooks:
    """Sends webhooks.

    Parameters
    ----------
    key_file
        File with the signing key, read anew for each call, so that it can be rotated.
    clock
        Unix time, in seconds.
    """

    def __init__(self, key_file: Path, clock: Callable[[], float]) -> None:
        self._key_file = key_file
        self._clock = clock

    @property
    def problem(self) -> str | None:
        """Say why nothing can be sent, if so."""
        return None if self._key() else NO_KEY

    def _key(self) -> bytes:
        """Read the key; empty when there is none."""
        try:
            return self._key_file.read_bytes().strip()
        except OSError:
            return b""

    async def post(self, url: str, body: Mapping[str, Any], *, idempotency_key: str, within_s: float) -> Answer:
        """Post until there is an answer that stands, or the time is over; whatever the service does, never raises."""
        content = json.dumps(body, sort_keys=True).encode()
        ends_s, wait_s = time.monotonic() + within_s, FIRST_WAIT_S
        said = Answer(None, f"no answer within {within_s:g} s")
        async with aiohttp.ClientSession() as session:
            while (left_s := ends_s - time.monotonic()) > 0:
                said = await self._once(session, url, content, idempotency_key, min(ONE_TRY_S, left_s))
                if not said.again:
                    return said
                await asyncio.sleep(min(max(wait_s, said.wait_s), max(0.0, ends_s - time.monotonic())))
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return Answer(None, f"{said.sentence}, and the time is over", again=True)

    async def _once(
        self, session: aiohttp.ClientSession, url: str, content: bytes, idempotency_key: str, within_s: float
    ) -> Answer:
        at_s, key = int(self._clock()), self._key()
        if not key:  # a Secret that is being replaced is back soon
            return Answer(None, NO_KEY, again=True)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(key, at_s, content),
            TIMESTAMP: str(at_s),
            IDEMPOTENCY: idempotency_key,
        }
        timeout = aiohttp.ClientTimeout(total=within_s)
        try:
            async with session.post(
                url, data=content, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                status, asked = response.status, response.headers.get("Retry-After", "")
                return Answer(status, f"the service answered {status}", _passes(status), _asked_s(asked))
        except TimeoutError:
            return Answer(None, f"no answer within {within_s:g} s", again=True)
        except aiohttp.InvalidURL as error:
            return Answer(None, f"nothing can be posted to this url ({type(error).__name__})")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(None, f"no connection ({type(error).__name__})", again=True)
        except ValueError as error:  # such as a host name that no encoding of host names takes
            return Answer(None, f"nothing can be posted to this url ({type(error).__name__})")


def _passes(status: int) -> bool:
    """Tell whether asking again may help: faults of the server, and what is only not now."""
    return status >= 500 or status in _NOT_NOW  # noqa: PLR2004 - HTTP


def _asked_s(retry_after: str) -> float:
    """Read how many seconds a service asks to be left alone, within bounds; a date is left out."""
    return min(float(retry_after), LONGEST_ASKED_S) if retry_after.isdecimal() and retry_after.isascii() else 0.0
