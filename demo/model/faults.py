"""Faults on demand, so that a version can be bad in a known way without a second image."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


class InjectedFaultError(Exception):
    """Raised for a request that fails by plan."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How a version misbehaves.

    Attributes
    ----------
    error_ratio
        Share of requests that fail, 0..1, drawn for each request on its own.
    delay_s
        Seconds that every request waits before it is answered.
    """

    error_ratio: float = 0.0
    delay_s: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read `FAULT_ERROR_RATIO` (0..1) and `FAULT_DELAY_MS` (milliseconds); both default to 0.

        Raises
        ------
        ValueError
            A value is no number or out of range.
        """
        error_ratio = float(environment.get("FAULT_ERROR_RATIO", "0"))
        if not 0 <= error_ratio <= 1:
            raise ValueError(f"FAULT_ERROR_RATIO is {error_ratio}; give a share between 0 and 1, such as 0.05 for 5 %")
        delay_s = float(environment.get("FAULT_DELAY_MS", "0")) / 1000
        if not 0 <= delay_s <= 60:  # noqa: PLR2004 # a minute is longer than any client waits
            raise ValueError(f"FAULT_DELAY_MS is {delay_s * 1000:.0f}; give milliseconds between 0 and 60000")
        return cls(error_ratio, delay_s)


class FaultInjector:
    """Applies a plan to requests.

    Parameters
    ----------
    plan
        What goes wrong, and how often.
    seed
        Makes the sequence of failures repeatable; pods need different ones, or they all fail in step.
    """

    def __init__(self, plan: FaultPlan, seed: str) -> None:
        self._plan = plan
        self._random = random.Random(seed)

    async def apply(self) -> None:
        """Delay this request as planned, or fail it.

        Raises
        ------
        InjectedFaultError
            This request is one of the planned share.
        """
        if self._plan.delay_s:
            await asyncio.sleep(self._plan.delay_s)
        if self._random.random() < self._plan.error_ratio:
            raise InjectedFaultError(f"planned failure: {self._plan.error_ratio:.1%} of requests fail")
