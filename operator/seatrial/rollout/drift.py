"""Drift of a model at one look: what the counts mean for the version, and what follows once looks agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.api.drift import DriftStatus
from seatrial.judge.drift.blame import Remedy, Signals, blame
from seatrial.judge.drift.compare import Level
from seatrial.rollout.drift_compare import compared, level_of

if TYPE_CHECKING:
    from seatrial.api.drift import Drift
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_subject import Subject

_SHOWN: Final = 5
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
    worst = sorted((entry for one in found.values() for entry in one.shown()), key=lambda entry: entry[:2])
    shown = tuple(feature for _, _, feature in worst[:_SHOWN])
    if not finding:
        few = Level.INCONCLUSIVE in {one.together.level for one in found.values()}
        cause, said = ("TooFewObservations", "too few observations to tell") if few else ("NoDrift", "nothing drifts")
        sentence = f"{said}: {shown[0].sentence}" if shown else said
        return replace(_told(subject, now_s, cause, sentence, before, drift.cooldown), features=shown)
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
