"""Signed webhooks: one JSON body, posted until somebody answers it or the time is over.

The signature is HMAC-SHA-256 of the time, a dot and the body, in hex, with the operator's key; the receiver computes it
anew and refuses what is too old. The same idempotency key is sent each time that one thing is told, also after a
restart of the operator, so that a receiver can leave out what it knows.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said: an HTTP status, or None when it never answered in time, with a sentence about it."""

    status: int | None
    sentence: str

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
        try:
            usable = bool(self._key_file.read_bytes().strip())
        except OSError:
            usable = False
        return None if usable else "the operator has no key to sign webhooks with: make the Secret seatrial-webhook"

    async def post(self, url: str, body: Mapping[str, Any], *, idempotency_key: str, within_s: float) -> Answer:
        """Post until there is an answer that stands (not 5xx, not 429), or the time is over; never raises."""
        content = json.dumps(body, sort_keys=True).encode()
        ends_s, wait_s = self._clock() + within_s, FIRST_WAIT_S
        said = Answer(None, f"no answer within {within_s:g} s")
        async with aiohttp.ClientSession() as session:
            while (left_s := ends_s - self._clock()) > 0:
                said = await self._once(session, url, content, idempotency_key, min(ONE_TRY_S, left_s))
                if said.status is not None and _final(said.status):
                    return said
                await asyncio.sleep(min(wait_s, max(0.0, ends_s - self._clock())))
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return Answer(None, f"{said.sentence}, and the time is over")

    async def _once(
        self, session: aiohttp.ClientSession, url: str, content: bytes, idempotency_key: str, within_s: float
    ) -> Answer:
        at_s = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._key_file.read_bytes().strip(), at_s, content),
            TIMESTAMP: str(at_s),
            IDEMPOTENCY: idempotency_key,
        }
        timeout = aiohttp.ClientTimeout(total=within_s)
        try:
            async with session.post(
                url, data=content, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return Answer(response.status, f"the service answered {response.status}")
        except TimeoutError:
            return Answer(None, f"no answer within {within_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(None, f"no connection ({type(error).__name__})")


def _final(status: int) -> bool:
    """Tell whether asking again can't help: everything but faults of the server and too many requests."""
    return status < 500 and status != 429  # noqa: PLR2004 - HTTP
