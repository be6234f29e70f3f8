"""What is known about models besides how they fare: at the end of warnings, and as one series of information each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from seatrial.controller.cache import Cache, Raw

LABELS = ("owner", "team", "risk", "runbook", "card")
LONGEST = 512
"""Characters of a label, as the CRD allows them."""


class ModelInfo(Collector):
    """A series ``seatrial_model_info`` for each ModelDeployment that says about; joined to alerts, it names people.

    Parameters
    ----------
    cache
        The models.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @override
    def collect(self) -> Iterable[Metric]:
        """List the models as they are now."""
        family = GaugeMetricFamily(
            "seatrial_model_info",
            "Who answers for a model, and where to read on",
            labels=("model_namespace", "model_deployment", *LABELS),
        )
        for raw in self._cache.all("ModelDeployment"):
            about, meta = raw["spec"].get("about"), raw["metadata"]
            if about:
                known = [str(about.get(label) or "")[:LONGEST] for label in LABELS]
                family.add_metric([meta["namespace"], meta["name"], *known], 1)
        yield family


def with_about(note: str, raw: Raw) -> str:
    """End a warning with whom to call and where to read on."""
    about = raw["spec"].get("about") or {}
    known = [f"{part} {about[part]}" for part in ("owner", "team", "runbook") if about.get(part)]
    return f"{note} ({', '.join(known)})" if known else note
