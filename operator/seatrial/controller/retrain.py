"""Send what the status asks to be sent: a signed webhook for each call, beside everything else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seatrial.api.fields import format_time
from seatrial.rollout.retrain import answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.drift import DriftStatus, Retrain, RetrainCall
    from seatrial.controller.cache import Key
    from seatrial.notify.webhook import Webhooks

WITHIN_S = 600.0


class Retrainings:
    """Asks for models trained on newer data.

    Parameters
    ----------
    webhooks
        Who sends.
    wake
        Makes a model's loop look at once.
    found
        Findings by model, in which answers are noted.
    """

    def __init__(self, webhooks: Webhooks, wake: Callable[[Key], None], found: dict[Key, DriftStatus]) -> None:
        self._webhooks = webhooks
        self._wake = wake
        self._found = found
        self._sent: dict[str, asyncio.Task[None]] = {}

    def send(self, key: Key, retrain: Retrain, recorded: DriftStatus) -> None:
        """Begin to send the call that stands in the status unanswered, once."""
        for call in recorded.retrained[:1]:
            if call.state == "Asked" and call.id not in self._sent:
                self._sent[call.id] = asyncio.create_task(self._post(key, retrain, recorded, call), name=call.id)

    async def _post(self, key: Key, retrain: Retrain, recorded: DriftStatus, call: RetrainCall) -> None:
        # A call that had to wait is about its incident, whatever the newest look has found.
        about = recorded.incident or recorded
        body = {
            "event": "retrain",
            "modelDeployment": key.name,
            "namespace": key.namespace,
            "version": about.version,
            "cause": about.cause,
            "sentence": call.sentence,
            "since": format_time(about.since) if about.since is not None else None,
            "features": [
                {"name": feature.name, "value": feature.value, "observations": feature.observations}
                for feature in recorded.features
            ],
        }
        problem = self._webhooks.problem
        if problem:
            accepted, sentence = False, problem
        else:
            answer = await self._webhooks.post(retrain.url, body, idempotency_key=call.id, within_s=WITHIN_S)
            accepted, sentence = answer.agreed, answer.sentence
        if key in self._found:
            self._found[key] = answered(self._found[key], call.id, accepted=accepted, sentence=sentence)
            self._wake(key)
