"""Faults on demand, so that a version can be bad in a known way without a second image."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class InjectedFaultError(Exception):
    """Raised for a request that fails by plan."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How a version misbehaves.

    Attributes
    ----------
    error_ratio
        Share of requests that fail, 0..1, drawn for each request on its own.
    errors_after
        Requests of a pod that are answered well before any fails: late breakage.
    delay_s
        Seconds that every request waits before it is answered.
    null_ratio
        Share of requests whose features get lost on the way to the model, 0..1.
    shift
        What the feature pipeline adds to every pixel that it spoils.
    """

    error_ratio: float = 0.0
    errors_after: int = 0
    delay_s: float = 0.0
    null_ratio: float = 0.0
    shift: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables `FAULT_…` of demo/README.md; all default to 0.

        Raises
        ------
        ValueError
            A value is no number or out of range.
        """
        error_ratio, null_ratio = (_share(environment, name) for name in ("FAULT_ERROR_RATIO", "FAULT_NULL_RATIO"))
        delay_s = float(environment.get("FAULT_DELAY_MS", "0")) / 1000
        if not 0 <= delay_s <= 60:  # noqa: PLR2004 # a minute is longer than any client waits
            raise ValueError(f"FAULT_DELAY_MS is {delay_s * 1000:.0f}; give milliseconds between 0 and 60000")
        shift = float(environment.get("FAULT_SHIFT", "0"))
        if not -16 <= shift <= 16:  # noqa: PLR2004 # brightness runs from 0 to 16
            raise ValueError(f"FAULT_SHIFT is {shift}; give a brightness between -16 and 16")
        errors_after = int(environment.get("FAULT_ERRORS_AFTER", "0"))
        if errors_after < 0:
            raise ValueError(f"FAULT_ERRORS_AFTER is {errors_after}; give a number of requests, 0 or more")
        return cls(error_ratio, errors_after, delay_s, null_ratio, shift)


def _share(environment: Mapping[str, str], name: str) -> float:
    share = float(environment.get(name, "0"))
    if not 0 <= share <= 1:
        raise ValueError(f"{name} is {share}; give a share between 0 and 1, such as 0.05 for 5 %")
    return share


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
        self._served = 0

    async def apply(self) -> None:
        """Delay this request as planned, or fail it.

        Raises
        ------
        InjectedFaultError
            This request is one of the planned share.
        """
        if self._plan.delay_s:
            await asyncio.sleep(self._plan.delay_s)
        self._served += 1
        if self._served > self._plan.errors_after and self._random.random() < self._plan.error_ratio:
            raise InjectedFaultError(f"planned failure: {self._plan.error_ratio:.1%} of requests fail")

    def spoil(self, scans: NDArray[np.float64], pixels: Sequence[int]) -> NDArray[np.float64]:
        """Pass scans through the feature pipeline, which loses or shifts pixels as planned.

        Parameters
        ----------
        scans
            Shape (scans, pixels), brightness 0..16; left as they are.
        pixels
            Columns that the pipeline spoils; a lost one becomes NaN.
        """
        is_lost = self._random.random() < self._plan.null_ratio
        if not is_lost and not self._plan.shift:
            return scans
        spoilt = scans.copy()
        spoilt[:, pixels] = float("nan") if is_lost else (spoilt[:, pixels] + self._plan.shift).clip(0, 16)
        return spoilt
