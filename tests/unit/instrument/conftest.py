"""What the tests of the instrument library share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial_instrument import Instrument, Options, Profile, profile

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def training() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "age": rng.normal(40, 10, 2000).round(1),
        "amount": np.where(rng.random(2000) < 0.6, 0, rng.exponential(3, 2000)),
        "region": rng.choice(["eu", "us", "apac"], 2000, p=[0.6, 0.39, 0.01]),
        "score": rng.random(2000),
    }


@pytest.fixture
def reference(training: dict[str, np.ndarray]) -> Profile:
    return profile.from_dataframe(training, predictions=["score"], bounds={"score": (0, 1)})


@pytest.fixture
def make(registry: CollectorRegistry) -> Callable[..., Instrument]:
    """Make a strict instrument on the registry of the test."""

    def made(of: Profile, **options: object) -> Instrument:
        return Instrument(of, "fraud", Options(strict=True, **options), registry=registry)  # type: ignore[arg-type] # a test knows its options

    return made


@pytest.fixture
def value(registry: CollectorRegistry) -> Callable[..., float | None]:
    """Read a sample of the metrics page."""

    def read(sample: str, **labels: str) -> float | None:
        named = {name.rstrip("_"): text for name, text in labels.items()}
        return registry.get_sample_value(sample, {"model_name": "fraud", **named})

    return read
