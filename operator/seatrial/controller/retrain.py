"""Send what the status asks to be sent: a signed webhook for each call, beside everything else."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from seatrial.api.fields import format_time
from seatrial.rollout.retrain import UNANSWERED, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.drift import DriftStatus, RetrainCall
    from seatrial.controller.cache import Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.notify.webhook import Webhooks

WITHIN_S: Final = 600.0
AGAIN_S: Final = 3600.0
"""So long after a webhook that nobody answered the same one is sent again."""


class Retrainings:
    """Asks for models trained on newer data.

    An answer may come at any time, also before the first look of an operator that has just started. So answers are
    kept apart from findings, until they stand in the status.

    Parameters
    ----------
    webhooks
        Who sends.
    wake
        Makes a model's loop look at once.
    telemetry
        Is told of bugs.
    found
        Findings by model, in which answers are noted.
    steady
        Seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        wake: Callable[[Key], None],
        telemetry: Telemetry,
        found: dict[Key, DriftStatus],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._webhooks = webhooks
        self._wake = wake
        self._telemetry = telemetry
        self._found = found
        self._steady = steady
        self._sent: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._answers: dict[str, tuple[str, str]] = {}
        """State and sentence, by the id of the call."""

    def send(self, key: Key, url: str, recorded: DriftStatus, call: RetrainCall) -> None:
        """Begin to send a call that stands in the status: once, and again each hour while nobody has answered it."""
        sent = self._sent.get(call.id)
        if sent and (not sent[1].done() or self._steady() - sent[0] < AGAIN_S):
            return
        if self._answers.get(call.id, (UNANSWERED,))[0] != UNANSWERED:
            return
        task = asyncio.create_task(self._send(key, url, recorded, call), name=call.id)
        self._sent[call.id] = self._steady(), task

    def noted(self, found: DriftStatus) -> DriftStatus:
        """Note in a finding what has been answered."""
        for call in found.retrained:
            if call.id in self._answers:
                found = answered(found, call.id, *self._answers[call.id])
        return found

    def forget(self, recorded: DriftStatus) -> None:
        """Drop what is kept about calls whose answer stands in the status."""
        for call in recorded.retrained:
            if self._answers.get(call.id, (UNANSWERED,))[0] == call.state != UNANSWERED:
                del self._answers[call.id], self._sent[call.id]

    async def _send(self, key: Key, url: str, recorded: DriftStatus, call: RetrainCall) -> None:
        try:
            answer = await self._post(key, url, recorded, call)
        except Exception:  # noqa: BLE001 - a call without an end would be the last one of its model
            self._telemetry.bug(f"retraining of {'/'.join(key)}")
            answer = "Failed", "it could not be sent, by an error that nobody foresaw: see the operator's log"
        self._answers[call.id] = answer
        if key in self._found:
            self._found[key] = self.noted(self._found[key])
            self._wake(key)

    async def _post(self, key: Key, url: str, recorded: DriftStatus, call: RetrainCall) -> tuple[str, str]:
        # A call that had to wait is about its incident, whatever the newest look has found.
        about = recorded.incident or recorded
        body = {
            "event": "retrain",
            "modelDeployment": key.name,
            "namespace": key.namespace,
            "version": about.version,
            "cause": about.cause,
            "sentence": about.sentence,
            "since": format_time(about.since) if about.since is not None else None,
            "features": [
                {"name": feature.name, "value": feature.value, "observations": feature.observations}
                for feature in recorded.features
            ],
        }
        if problem := self._webhooks.problem:
            return UNANSWERED, problem
        answer = await self._webhooks.post(url, body, idempotency_key=call.id, within_s=WITHIN_S)
        return "Accepted" if answer.agreed else UNANSWERED if answer.again else "Failed", answer.sentence
