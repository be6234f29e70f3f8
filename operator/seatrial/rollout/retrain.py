"""What confirmed drift of the world leads to: an incident that is open until its remedy, and calls for retraining.

An incident is opened by drift that is confirmed and that no version is to blame for. It is closed when a newer version
has been promoted *and* the drift is gone: the one without the other is no remedy. Calls are seldom enough that people
go on listening, and may wait for people's approval.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.api.drift import RETRAIN_GATE, DriftIncident, DriftStatus, RetrainCall
from seatrial.api.fields import format_time
from seatrial.api.status import Outcome

if TYPE_CHECKING:
    from seatrial.api.drift import Drift
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.drift_subject import Subject

MONTH_S: Final = 30 * 86400.0
MOST_KEPT: Final = 10
WAITING, ASKED, UNANSWERED, EXPIRED = "Waiting", "Asked", "Unanswered", "Expired"
_COURSE: Final = (WAITING, ASKED, UNANSWERED, "Accepted", "Failed", EXPIRED)
"""States of a call in the order in which they can follow each other."""
NOT_ASKED: Final = "NotAsked"
"""Stands for a finding while no ModelSLO says drift."""
_OF_THE_WORLD: Final = frozenset({"WorldChanged", "PredictionsMoved", "StableOutdated"})
"""Findings that say that an incident goes on."""
_GONE: Final = frozenset({"NoDrift", "DriftWarning"})
"""Findings of looks that could tell and found nothing to act on."""


def followed(
    drift: Drift, found: DriftStatus, before: DriftStatus | None, subject: Subject, status: ModelDeploymentStatus
) -> DriftStatus:
    """Carry the incident and its calls over to a finding, and let them go on.

    Parameters
    ----------
    drift
        What counts as drift, and whom to tell.
    found
        The finding of this look.
    before
        That of the look before, with its incident and calls.
    subject
        The versions that were looked at.
    status
        Tells which version is stable, and since when.
    """
    before = not_ahead(before, found.at) if before else None
    incident = _incident(drift, found, before.incident if before else None, subject, status)
    found = replace(found, incident=incident)
    return replace(found, retrained=_calls(drift, found, subject, before.retrained if before else ()))


def not_ahead(found: DriftStatus, now_s: float) -> DriftStatus:
    """Let nothing have happened later than now: a clock that was ahead once must not stop everything until then."""

    def past(at_s: float | None) -> float | None:
        return None if at_s is None else min(at_s, now_s)

    incident = found.incident
    if incident:
        incident = replace(
            incident,
            since=min(incident.since, now_s),
            confirmed_at=min(incident.confirmed_at, now_s),
            last_seen=min(incident.last_seen, now_s),
            promoted_at=past(incident.promoted_at),
            closed_at=past(incident.closed_at),
        )
    return replace(
        found,
        at=min(found.at, now_s),
        since=past(found.since),
        last_seen=past(found.last_seen),
        incident=incident,
        retrained=tuple(replace(call, at=min(call.at, now_s)) for call in found.retrained),
    )


def _incident(
    drift: Drift, found: DriftStatus, known: DriftIncident | None, subject: Subject, status: ModelDeploymentStatus
) -> DriftIncident | None:
    seen = found.last_seen == found.at
    if known is None or not known.open:
        if not (seen and found.confirmed and found.retrain):
            return known
        since = found.at if found.since is None else found.since
        names = tuple(dict.fromkeys(f.name for f in found.features if f.level == "Act" and f.against == "training"))
        return DriftIncident(subject.stable, found.cause, found.sentence, since, found.at, found.at, names)
    if seen and found.cause in _OF_THE_WORLD:
        known = replace(known, last_seen=found.at)
    known = replace(known, promoted_at=_newer_since(known, status, found.at))
    serves_alone = subject.candidate is None and status.stable is not None and found.version == status.stable.hash
    if known.promoted_at is None or not serves_alone or found.cause not in _GONE:
        return known
    calm_s = found.at - max(known.last_seen, known.promoted_at)
    return replace(known, closed_at=found.at) if calm_s >= drift.cooldown else known


def _newer_since(incident: DriftIncident, status: ModelDeploymentStatus, now_s: float) -> float | None:
    """Tell since when a version serves that was promoted after the incident was confirmed."""
    if not status.stable or status.stable.hash == incident.version:
        return None
    ended = (
        entry.ended_at
        for entry in status.history
        if (entry.hash, entry.outcome) == (status.stable.hash, Outcome.PROMOTED)
    )
    at_s = next((at for at in ended if at >= incident.confirmed_at), incident.promoted_at)
    ahead = at_s is not None and at_s > now_s
    return (now_s if incident.promoted_at is None else incident.promoted_at) if ahead else at_s


def opened(found: DriftStatus) -> bool:
    """Tell whether this look has opened an incident."""
    return found.incident is not None and found.incident.open and found.incident.confirmed_at == found.at


def remedied_s(incident: DriftIncident) -> float | None:
    """Tell how long a closed incident took from its confirmation to its remedy; None while it is open."""
    if incident.closed_at is None or incident.promoted_at is None:
        return None
    return max(incident.last_seen, incident.promoted_at) - incident.confirmed_at


def _calls(
    drift: Drift, found: DriftStatus, subject: Subject, calls: tuple[RetrainCall, ...]
) -> tuple[RetrainCall, ...]:
    """Let a call that waits go on or expire, and add one when it is due.

    A call is due when drift of the world is confirmed and seen right now, none is underway, the last one is older than
    the cooldown, and there is one left of this month's. What nobody answered costs nothing of the month.
    """
    rules = drift.retrain
    if calls and calls[0].state == WAITING:
        return (_waiting(calls[0], rules.approvals if rules else None, found), *calls[1:])
    if not rules or not (found.confirmed and found.retrain and found.last_seen == found.at):
        return calls
    sent = [call for call in calls if call.state != EXPIRED]
    waits = sent and (sent[0].state == ASKED or found.at - sent[0].at < rules.cooldown)
    counted = [call for call in sent if call.state != UNANSWERED]
    spent = sum(found.at - call.at < MONTH_S for call in counted) >= rules.max_per_month
    if waits or spent:
        return calls
    state = WAITING if rules.approvals else ASKED
    call_id = f"retrain-{subject.namespace}-{subject.rollout}-{found.version}-{int(found.at)}"
    return (RetrainCall(call_id, found.at, state, found.sentence, needs=rules.approvals), *counted)[:MOST_KEPT]


def outstanding(found: DriftStatus, cooldown_s: float, now_s: float) -> RetrainCall | None:
    """Find the call that has to be sent, or sent again, since nobody has answered it and its cooldown is not over."""
    call = next(iter(found.retrained), None)
    if not call or call.state not in {ASKED, UNANSWERED}:
        return None
    return call if call.state == ASKED or now_s - call.at < cooldown_s else None


def _waiting(call: RetrainCall, needs: int | None, found: DriftStatus) -> RetrainCall:
    if needs is None or found.incident is None or not found.incident.open:
        return replace(call, state=EXPIRED)
    return _if_enough(replace(call, needs=needs), found.at)


def _if_enough(call: RetrainCall, now_s: float) -> RetrainCall:
    return replace(call, state=ASKED, at=now_s) if len(call.approvals) >= call.needs else call


def remembered(found: DriftStatus, now_s: float) -> DriftStatus | None:
    """Keep incident and calls while nobody asks for drift: who asks again begins no new month. What waits expires."""
    if found.cause == NOT_ASKED:
        return found
    calls = tuple(replace(call, state=EXPIRED) if call.state == WAITING else call for call in found.retrained)
    if not found.incident and not calls:
        return None
    kept = DriftStatus(now_s, found.version, NOT_ASKED, "nothing", "no ModelSLO asks for drift")
    return replace(kept, incident=found.incident, retrained=calls)


def waiting(found: DriftStatus | None) -> RetrainCall | None:
    """Find the call that waits for approval."""
    call = next(iter(found.retrained), None) if found else None
    return call if call and call.state == WAITING else None


def waits(call: RetrainCall) -> str:
    """Say since when a call waits, and what it takes."""
    missing = call.needs - len(call.approvals)
    people = "one person" if missing == 1 else f"{missing} people"
    return f"retraining waits for approval since {format_time(call.at)}: {people} to say promote at gate {RETRAIN_GATE}"


def approved(found: DriftStatus, by: str, now_s: float) -> DriftStatus:
    """Note that somebody has said promote for the call that waits; with enough of them it is asked for."""
    call, *others = found.retrained
    return replace(found, retrained=(_if_enough(replace(call, approvals=(*call.approvals, by)), now_s), *others))


def answered(found: DriftStatus, call_id: str, state: str, sentence: str) -> DriftStatus:
    """Note what came of a call: Accepted, Failed or Unanswered; it never goes back."""
    said = (
        _furthest(replace(call, state=state, sentence=sentence), call) if call.id == call_id else call
        for call in found.retrained
    )
    return replace(found, retrained=tuple(said))


def with_calls_of(found: DriftStatus, other: DriftStatus | None) -> DriftStatus:
    """Take over how far calls have come elsewhere: looks add them, commands approve them, services answer them."""
    known = {call.id: call for call in other.retrained} if other else {}
    return replace(found, retrained=tuple(_furthest(call, known.get(call.id, call)) for call in found.retrained))


def _furthest(one: RetrainCall, other: RetrainCall) -> RetrainCall:
    further = max(one, other, key=lambda call: _COURSE.index(call.state))
    return replace(further, approvals=max(one.approvals, other.approvals, key=len))
