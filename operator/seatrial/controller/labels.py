"""The loop of labels: once a minute what the joiners have counted is read for all models together, and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.labels import Labels
from seatrial.controller.asking import asking
from seatrial.controller.rounds import rounds
from seatrial.rollout.labels import assess_labels, shown_labels, versions_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from seatrial.api.labels import LabelStatus
    from seatrial.controller.cache import Cache, Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.metrics.label_types import LabelSource

ROUND_S = 60.0


class LabelLooks:
    """Judges the labels of all models.

    Parameters
    ----------
    cache
        The models.
    source
        Where counts come from.
    wake
        Makes a model's loop look at once.
    telemetry
        Is told of bugs.
    clock
        Unix time in seconds.
    found
        Findings by model, kept here for the ticks to read.
    """

    def __init__(
        self,
        cache: Cache,
        source: LabelSource,
        wake: Callable[[Key], None],
        telemetry: Telemetry,
        clock: Callable[[], float],
        found: dict[Key, LabelStatus],
    ) -> None:
        self._cache = cache
        self._source = source
        self._wake = wake
        self._telemetry = telemetry
        self._clock = clock
        self._found = found

    async def run(self, begun: asyncio.Event) -> None:
        """Look until cancelled; the first time when there are models."""
        await rounds("labels", self.round, begun, ROUND_S, self._telemetry)

    async def round(self) -> None:
        """Look at all models once."""
        asked = list(asking(self._cache, "labels", Labels))
        present = {key for key, _, _ in asked}
        for key in [key for key in self._found if key not in present]:
            del self._found[key]
        versions = {version for _, _, status in asked for version in versions_of(status)}
        if not versions:
            return
        readings = await self._source.read_labels(versions, self._clock())
        for key, labels, status in asked:
            try:
                known = replace(status, labels=self._found.get(key, status.labels))
                found = assess_labels(labels, *key, known, readings)
            except Exception:  # noqa: BLE001 - a bug about one model must not end labels for all others
                self._telemetry.bug(f"labels of {'/'.join(key)}")
                continue
            if not found:
                continue
            self._found[key] = found
            if status.labels is None or shown_labels(status.labels) != shown_labels(found):
                self._wake(key)
