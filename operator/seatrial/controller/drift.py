"""The loop of drift: it reads counts by bin at a slow pace, for all models together, and wakes those it has news of.

It is apart from the ticks, which read what it found: a rollout never waits for it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from seatrial.api.drift import Drift, DriftStatus
from seatrial.api.status import dump
from seatrial.controller.asking import asking, declared
from seatrial.controller.retrain import Retrainings
from seatrial.controller.rounds import rounds
from seatrial.rollout.blame import shown
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_onset import ask_for_onset, dated
from seatrial.rollout.drift_subject import LOOK_S, Subject, ask_for, look_every_s, subject_of
from seatrial.rollout.retrain import followed, not_ahead, opened, outstanding, with_calls_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.controller.cache import Cache, Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.metrics.drift_types import DriftSource
    from seatrial.notify.webhook import Webhooks

DRIFT_STATUS: TypeAdapter[DriftStatus] = TypeAdapter(DriftStatus)
_EARLY_S = 1.0
"""So much before its time a look may come, so that rounds and looks don't drift apart."""


class Drifts:
    """Finds drift of all models.

    Parameters
    ----------
    cache
        The models.
    source
        Where counts by bin come from.
    wake
        Makes a model's loop look at once.
    telemetry
        Is told of bugs.
    clock
        Unix time in seconds.
    found
        Findings by model, kept here for the ticks to read.
    webhooks
        Who asks for retraining.
    steady
        Seconds of a clock that nobody sets: looks go on at their pace when the time is put right.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it works with
        self,
        cache: Cache,
        source: DriftSource,
        wake: Callable[[Key], None],
        telemetry: Telemetry,
        clock: Callable[[], float],
        found: dict[Key, DriftStatus],
        webhooks: Webhooks,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retrain = Retrainings(webhooks, wake, telemetry, found, steady)
        self._cache = cache
        self._source = source
        self._wake = wake
        self._telemetry = telemetry
        self._clock = clock
        self._steady = steady
        self._found = found
        self._looked: dict[Key, tuple[Subject, float]] = {}

    async def run(self, begun: asyncio.Event) -> None:
        """Look until cancelled; the first time when there are models."""
        await rounds("drift", self.round, begun, LOOK_S, self._telemetry)

    async def round(self) -> None:
        """Look at all models whose turn it is, with one answer for all of them."""
        now_s = self._clock()
        asked = list(self._subjects())
        present = {key for key, _, _, _ in asked}
        for key in [key for key in self._found if key not in present]:
            del self._found[key]
        for key, drift, _, status in asked:
            self._send(key, drift, status.drift, now_s)
        due = [one for one in asked if self._due(*one[:3])]
        if not due:
            return
        readings = await self._source.read([ask_for(drift, subject, now_s) for _, drift, subject, _ in due], now_s)
        for key, drift, subject, status in due:
            self._looked[key] = subject, self._steady()
            before = self._found.get(key)
            before = with_calls_of(before, status.drift) if before else status.drift
            before = not_ahead(self._retrain.noted(before), now_s) if before else None
            try:
                found = followed(drift, assess(drift, subject, readings, before), before, subject, status)
            except Exception:  # noqa: BLE001 - a bug about one model must not end drift for all others
                self._telemetry.bug(f"drift of {'/'.join(key)}")
                continue
            if opened(found):
                found = dated(drift, subject, found, await self._source.read([ask_for_onset(drift, subject)], now_s))
            found = self._retrain.noted(found)  # what has been answered while the counts were read
            # As the status will have it, to the millisecond: otherwise drift that lasts would be news at each look.
            found = self._found[key] = DRIFT_STATUS.validate_python(dump(DRIFT_STATUS, found))
            if status.drift is None or shown(status.drift) != shown(found):
                self._wake(key)
            await asyncio.sleep(0)  # a look takes milliseconds, and there may be many models

    def _send(self, key: Key, drift: Drift, recorded: DriftStatus | None, now_s: float) -> None:
        """Send what stands in the status: a restarted operator sends the same again, not another one.

        The address is the one that the ModelSLO has now, as it may hold a secret and stands in no status.
        """
        if not recorded or not drift.retrain:
            return
        self._retrain.forget(recorded)
        call = outstanding(recorded, drift.retrain.cooldown, now_s)
        raw = self._cache.get("ModelDeployment", *key)
        now = declared(self._cache, raw, "drift", Drift) if call and raw else None
        if call and now and now.retrain and now.retrain.url:
            self._retrain.send(key, now.retrain.url, recorded, call)

    def _due(self, key: Key, drift: Drift, subject: Subject) -> bool:
        looked = self._looked.get(key)
        if looked is None or looked[0] != subject:
            return True
        return self._steady() - looked[1] >= look_every_s(drift, subject) - _EARLY_S

    def _subjects(self) -> Iterator[tuple[Key, Drift, Subject, ModelDeploymentStatus]]:
        """Find the models that ask for drift; during a trial by the plan that it keeps to."""
        for key, drift, status in asking(self._cache, "drift", Drift):
            if subject := subject_of(*key, status):
                yield key, drift, subject, status
