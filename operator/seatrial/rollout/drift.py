"""Drift of a model at one look: what the counts mean for the version, and what follows once looks agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.api.drift import DriftStatus
from seatrial.judge.drift.blame import Remedy, Signals, blame
from seatrial.judge.drift.compare import Level
from seatrial.rollout.drift_compare import compared, level_of
from seatrial.rollout.drift_subject import within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.drift import Drift
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_compare import Found
    from seatrial.rollout.drift_subject import Subject

_SHOWN: Final = 5
_NAMED: Final = 3
_REMEDIES: Final = {"rollback": Remedy.ROLL_BACK, "hold": Remedy.HOLD, "notify": Remedy.NOTIFY}
_WORDS: Final = {Remedy.NOTHING: "nothing", **{remedy: word for word, remedy in _REMEDIES.items()}}
_BY_WORD: Final = {word: remedy for remedy, word in _WORDS.items()}


def assess(drift: Drift, subject: Subject, readings: DriftReadings, before: DriftStatus | None = None) -> DriftStatus:
    """Judge one look.

    Parameters
    ----------
    drift
        What counts as drift.
    subject
        Whom it is about.
    readings
        What was counted, for :func:`~seatrial.rollout.drift_subject.ask_for` at ``readings.at_s``.
    before
        The finding of the look before, for confirmation and cooldown; of another version it doesn't count.
    """
    now_s, owner = readings.at_s, (subject.namespace, subject.rollout)
    incident = before.incident if before else None
    awaited = frozenset(incident.features) if incident and incident.open else frozenset()
    before = before if before and before.version == subject.version else None
    if readings.unavailable:
        return _told(subject, now_s, "Unavailable", readings.unavailable, before)
    if any((*owner, version) in readings.mixed for version in (subject.stable, subject.candidate)):
        why = "pods of one version tell of different training profiles, so nothing can be said about drift"
        return _told(subject, now_s, "ProfilesDiffer", why, before)
    # What has once been confirmed must not become usual by lasting: it is over when it is gone.
    known = before is not None and before.confirmed
    found = compared(drift, subject, readings, usual=not known)
    if not any(one.together.differences for one in found.values()):
        why = f"Prometheus knows no features or predictions of version {subject.version} and its reference"
        return _told(subject, now_s, "NoSeries", why, before)
    signals = Signals(
        dealing=subject.dealing if subject.candidate else None,
        apart=level_of(found, "apart"),
        candidate_away=level_of(found, "candidate_away"),
        stable_away=level_of(found, "stable_away"),
        candidate_faulty=found["apart"].faulty if "apart" in found else Level.CLEAR,
        stable_faulty=found["stable_away"].faulty if "stable_away" in found else Level.CLEAR,
        predictions=level_of(found, "predictions"),
    )
    features, predictions = (
        _REMEDIES[rule.action] if rule else Remedy.NOTHING for rule in (drift.features, drift.predictions)
    )
    finding = blame(signals, features=features, predictions=predictions)
    worst = sorted(((one, *entry) for one in found.values() for entry in one.shown()), key=lambda entry: entry[1:3])
    shown = tuple(one.drawn(feature) for one, _, _, feature in worst[:_SHOWN])
    if not finding:
        cause, said = _silent(drift, subject, readings, found) or _nothing(tuple(found.values()), awaited)
        cooldown_s = None if cause == "NoSeries" else drift.cooldown
        return replace(_told(subject, now_s, cause, said, before, cooldown_s), features=shown)
    spoken = next((f.sentence for f in shown if f.level == Level.ACT), shown[0].sentence if shown else "")
    again = before if before and before.last_seen == before.at else None
    looks = again.looks + 1 if again else 1
    confirmed = looks >= drift.confirm or (before is not None and before.confirmed)
    least = min(finding.remedy, _BY_WORD[again.asks]) if again and drift.confirm > 1 else finding.remedy
    return DriftStatus(
        at=now_s,
        version=subject.version,
        cause=finding.row.name,
        remedy=_WORDS[least if looks >= drift.confirm else min(least, Remedy.NOTIFY) if confirmed else Remedy.NOTHING],
        sentence=f"{finding.row.blames}; {spoken}",
        asks=_WORDS[finding.remedy],
        looks=min(looks, drift.confirm),
        confirmed=confirmed,
        retrain=finding.row.retrain,
        since=before.since if before and before.since is not None else now_s,
        last_seen=now_s,
        features=shown,
    )


def _silent(
    drift: Drift, subject: Subject, readings: DriftReadings, found: Mapping[str, Found]
) -> tuple[str, str] | None:
    """Say why a candidate can't be compared with stable at all: that nothing was found proves nothing then."""
    asked = found.get("apart" if drift.features else "predictions")
    if not subject.candidate or (asked and asked.together.differences):
        return None
    both = within(drift, subject, readings.at_s)
    if not both:
        return "TooFewObservations", "too few observations to tell: the trial has only just begun"
    for version in (subject.candidate, subject.stable):
        if (subject.namespace, subject.rollout, version, both) not in readings.seen:
            return "NoSeries", f"Prometheus knows no features or predictions of version {version} during this trial"
    return "NoSeries", f"versions {subject.candidate} and {subject.stable} tell of nothing that both have"


def _nothing(found: tuple[Found, ...], awaited: frozenset[str]) -> tuple[str, str]:
    """Say that nothing drifts, and of what that could be told.

    While a comparison can tell nothing, nothing is known. Nor is it while what an open incident is about can't be told:
    that would close it.
    """
    compared = [one for one in found if one.together.differences]
    unknown = [(one, d) for one in compared for d in one.unknown]
    blocking = [
        (d.feature not in awaited, d.sentence(one.rule), d.elsewhere)
        for one, d in unknown
        if one.blind or (one.against == "training" and d.feature in awaited)
    ]
    if blocking:
        _, sentence, elsewhere = min(blocking, key=lambda entry: entry[0])
        if elsewhere:
            return "EdgesDiffer", f"nothing can be told: {sentence}"
        return "TooFewObservations", f"too few observations to tell: {sentence}"
    if any(one.blind for one in compared):
        return "TooFewObservations", "too few observations to tell: no feature has any"
    clear = [
        (d.value, d.sentence(one.rule))
        for one in compared
        for d in one.together.differences
        if d.level is not Level.INCONCLUSIVE
    ]
    names = {d.feature for one in compared for d in one.together.differences}
    more = (
        ("too few rows", {d.feature for _, d in unknown if not d.elsewhere}),
        ("other edges than their reference", {d.feature for _, d in unknown if d.elsewhere}),
        ("no counterpart on one side", {name for one in found for name in one.untold}),
    )
    notes = [
        f"{len(some)} of {len(names | some)} features {'has' if len(some) == 1 else 'have'} {what} ({_few(some)})"
        for what, some in more
        if some
    ]
    return "NoDrift", "; ".join([f"nothing drifts: {max(clear)[1]}" if clear else "nothing drifts", *notes])


def _few(names: set[str]) -> str:
    first = sorted(names)[:_NAMED]
    return ", ".join([*first, "…"] if len(names) > _NAMED else first)


def _told(
    subject: Subject,
    now_s: float,
    cause: str,
    sentence: str,
    before: DriftStatus | None,
    cooldown_s: float | None = None,
) -> DriftStatus:
    """Tell of a look that found nothing, or could not; what was confirmed stays until it has been gone for long."""
    if (
        before
        and before.confirmed
        and before.last_seen is not None
        and (cooldown_s is None or now_s - before.last_seen < cooldown_s)
    ):
        # Nothing is done any more about what isn't seen any more.
        return replace(before, at=now_s, remedy="notify", asks="nothing", looks=0)
    return DriftStatus(at=now_s, version=subject.version, cause=cause, remedy="nothing", sentence=sentence)
