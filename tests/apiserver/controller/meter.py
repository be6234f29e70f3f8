"""A metrics source that plays models under load: exact counts that are a function of version and time alone."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.metrics.types import Checkpoint, Measurements, Reading

if TYPE_CHECKING:
    from seatrial.metrics.types import Request

RATE = 100
"""Requests per second that each version answers."""
SETTLES_S = 0.5
PODS = 1_000


@dataclass
class Meter:
    """Counts as Prometheus would: whoever loses or repeats a stretch of time gets other totals.

    Attributes
    ----------
    faults
        By version: since when, as number of a request, one request in so many is bad.
    unavailable
        Why Prometheus can't be read, while it can't.
    forgotten
        Rollouts whose memory was given up.
    """

    faults: dict[str, tuple[int, int]] = field(default_factory=dict)
    unavailable: str | None = None
    forgotten: list[tuple[str, str]] = field(default_factory=list)

    def spoil(self, version: str, *, one_in: int) -> None:
        """Let one request in so many be bad from now on; what was counted until now stays as it was."""
        self.faults[version] = (math.floor(time.time() * RATE) + 1, one_in)

    def count(self, version: str, from_s: float, until_s: float) -> tuple[int, int]:
        """Count total and bad requests of a stretch of time."""
        first, last = math.floor(from_s * RATE), math.floor(until_s * RATE)
        began, every = self.faults.get(version, (last, 1))
        return last - first, max(0, last // every - max(first, began) // every)

    def _since(self, version: str, start: Checkpoint, until_s: float) -> Checkpoint:
        until_s = max(start.at_s, until_s)
        total, bad = self.count(version, start.at_s, until_s)
        return Checkpoint(until_s, start.total + total, start.bad + bad)

    async def measure(self, request: Request) -> Measurements:
        now_s = math.floor(time.time() * 1000) / 1000
        readings = {}
        for (version, sli), start in request.since.items():
            now = start if self.unavailable else self._since(version, start, now_s)
            settled = start if self.unavailable else self._since(version, start, round(now_s - SETTLES_S, 3))
            readings[version, sli] = Reading(now.total, now.bad, now.at_s, settled)
        return Measurements(now_s, self.unavailable, readings, dict.fromkeys(request.versions, PODS))

    def forget(self, namespace: str, rollout: str) -> None:
        self.forgotten.append((namespace, rollout))
