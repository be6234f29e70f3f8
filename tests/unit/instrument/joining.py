"""What the tests of the joiner share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from seatrial_instrument.joiner import Joiner, Prediction
from seatrial_instrument.scores import Truth

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = Truth(classes=("cat", "dog"), slices={"region": ("eu", "us")})
NUMBERS = Truth(tolerance=0.5, error_edges=(0.5, 1.0, 5.0))
MATURITY_S = 100.0


class Page:
    """What a joiner shows."""

    def __init__(self, joiner: Joiner) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(joiner)

    def __call__(self, sample: str, version: str = "v1", **labels: str) -> float | None:
        whose = {"model_name": "m", "rollout_name": "shop", "rollout_version": version}
        return self.registry.get_sample_value("ml_model_" + sample, whose | labels)


def join(path: Path | str, truth: Truth = CLASSES, **options: float) -> Joiner:
    return Joiner(path, "m", truth, **{"maturity_s": MATURITY_S, "keep_s": 1000.0, **options})


def said(request_id: str, predicted: Any, at_s: float = 0.0, version: str = "v1", **more: Any) -> Prediction:
    return Prediction(request_id, "shop", version, at_s, predicted, **more)
