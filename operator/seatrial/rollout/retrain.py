"""When confirmed drift asks for a model trained on newer data: seldom enough that people go on listening."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.drift import DriftStatus, RetrainCall

if TYPE_CHECKING:
    from seatrial.api.drift import Drift

MONTH_S = 30 * 86400.0
MOST_KEPT = 10


def asked_for(drift: Drift, found: DriftStatus, before: DriftStatus | None) -> DriftStatus:
    """Carry earlier calls over to a finding, and add one when it is due.

    A call is due when drift that is the world's doing has been confirmed and is seen right now, the last call is older
    than the cooldown, and there is one left of this month's.
    """
    calls = before.retrained if before else ()
    rules = drift.retrain
    due = rules and found.confirmed and found.retrain and found.last_seen == found.at
    if rules and due:
        waits = calls and (calls[0].state == "Asked" or found.at - calls[0].at < rules.cooldown)
        spent = sum(found.at - call.at < MONTH_S for call in calls) >= rules.max_per_month
        if not waits and not spent:
            call = RetrainCall(f"retrain-{found.version}-{int(found.at)}", found.at, "Asked", found.sentence)
            calls = (call, *calls)[:MOST_KEPT]
    return replace(found, retrained=calls)


def answered(found: DriftStatus, call_id: str, *, accepted: bool, sentence: str) -> DriftStatus:
    """Note what came of a call."""
    state = "Accepted" if accepted else "Failed"
    calls = (replace(call, state=state, sentence=sentence) if call.id == call_id else call for call in found.retrained)
    return replace(found, retrained=tuple(calls))
