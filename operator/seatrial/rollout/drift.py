"""Drift of a model at one look: what has to be counted, and what the counts mean for the version.

During a trial, candidate and stable are compared over the same stretch of time: the longest one of 30 s, 1, 2, 4, …
minutes within the trial, so that stretches are shared by all rollouts. Stable is compared with its training
profile over the whole window, at rest and during a trial, and that with the same stretch some time ago when there is a
usual level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from seatrial.api.drift import DriftedFeature, DriftStatus
from seatrial.api.status import Phase
from seatrial.judge.drift.blame import Dealing, Remedy, Signals, blame
from seatrial.judge.drift.compare import Level, Rule, Together, compare_all
from seatrial.judge.drift.shares import Excess, Part, compare_shares
from seatrial.judge.drift.sketch import bars
from seatrial.judge.drift.statistics import Statistic
from seatrial.metrics.drift_types import DriftAsk, Seen, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seatrial.api.drift import Drift, DriftRule
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.judge.drift.histogram import Histogram
    from seatrial.metrics.drift_types import DriftReadings

LOOK_S: Final = 30.0
"""Seconds between two looks during a trial."""
_LOOKS_PER_WINDOW: Final = 12
_SHOWN: Final = 5
_REMEDIES: Final = {"rollback": Remedy.ROLL_BACK, "hold": Remedy.HOLD, "notify": Remedy.NOTIFY}
_WORDS: Final = {Remedy.NOTHING: "nothing", **{remedy: word for word, remedy in _REMEDIES.items()}}
_BY_WORD: Final = {word: remedy for remedy, word in _WORDS.items()}
_WORST: Final = (Level.ACT, Level.WARN, Level.INCONCLUSIVE, Level.CLEAR)


@dataclass(frozen=True, slots=True)
class Subject:
    """The versions that a look is about.

    Attributes
    ----------
    namespace, rollout
        The ModelDeployment.
    stable, candidate
        Hashes; no candidate while nothing on trial gets weight.
    weighted_at
        When the candidate got its first weight, Unix seconds.
    dealing
        How requests are dealt to both.
    """

    namespace: str
    rollout: str
    stable: str
    candidate: str | None = None
    weighted_at: float = 0.0
    dealing: Dealing = Dealing.RANDOM

    @property
    def version(self) -> str:
        """The version that is judged."""
        return self.candidate or self.stable


@dataclass(frozen=True, slots=True)
class _Found:
    """One comparison: the differences of features or outputs, and the shares of faulty values."""

    against: str
    together: Together
    rule: Rule
    ours: Mapping[str, Histogram]
    theirs: Mapping[str, Histogram]
    excesses: tuple[Excess, ...] = ()

    @property
    def faulty(self) -> Level:
        return min((excess.level for excess in self.excesses), key=_WORST.index, default=Level.CLEAR)

    def shown(self) -> Iterator[tuple[int, float, DriftedFeature]]:
        """Give what status can show, with its rank: the worse the level and the larger the value, the earlier."""
        for d in self.together.differences:
            shapes = (_shape(side.get(d.feature)) for side in (self.ours, self.theirs))
            yield (
                _WORST.index(d.level),
                -d.value,
                DriftedFeature(
                    d.feature, self.against, d.level, d.sentence(self.rule), _short(d.value), d.ours, *shapes
                ),
            )
        for e in self.excesses:
            if e.level in {Level.ACT, Level.WARN}:
                yield (
                    _WORST.index(e.level),
                    -1.0,
                    DriftedFeature(e.feature, self.against, e.level, e.sentence, _short(e.ours.share), e.ours.total),
                )


def subject_of(namespace: str, rollout: str, status: ModelDeploymentStatus) -> Subject | None:
    """Say whom a look is about: candidate and stable during a trial, else the version that serves alone."""
    trial, candidate = status.trial, status.candidate
    if not status.stable:
        return None
    if not candidate or not trial or trial.weighted_at is None or status.phase is Phase.STARTING:
        return Subject(namespace, rollout, status.stable.hash)
    if status.phase is not Phase.TRIAL:
        return Subject(namespace, rollout, candidate.hash)
    step = trial.plan.steps[trial.step_index]
    chosen = trial.plan.sticky or step.preview or step.experiment
    dealing = Dealing.CHOSEN if chosen else Dealing.RANDOM
    return Subject(namespace, rollout, status.stable.hash, candidate.hash, trial.weighted_at, dealing)


def look_every_s(drift: Drift, subject: Subject) -> float:
    """Tell how often to look: twice a minute during a trial, twelve times in each window at rest."""
    return LOOK_S if subject.candidate else max(LOOK_S, drift.window / _LOOKS_PER_WINDOW)


def ask_for(drift: Drift, subject: Subject, now_s: float) -> DriftAsk:
    """Say what has to be counted for a look."""
    whole = Stretch(round(drift.window))
    stable = {whole}
    if drift.usual:
        stable.add(Stretch(whole.length_s, round(drift.usual.ago)))
    stretches = {subject.stable: frozenset(stable)}
    within = _within(drift, subject, now_s)
    if subject.candidate and within:
        stretches = {subject.candidate: frozenset({within}), subject.stable: frozenset({*stable, within})}
    return DriftAsk(subject.namespace, subject.rollout, stretches)


def assess(drift: Drift, subject: Subject, readings: DriftReadings, before: DriftStatus | None = None) -> DriftStatus:
    """Judge one look.

    Parameters
    ----------
    drift
        What counts as drift.
    subject
        Whom it is about.
    readings
        What was counted, for :func:`ask_for` at ``readings.at_s``.
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
    found = _compared(drift, subject, readings, usual=not known)
    if not any(one.together.differences for one in found.values()):
        why = f"Prometheus knows no features or predictions of version {subject.version} and its reference"
        return _told(subject, now_s, "NoSeries", why, before)
    signals = Signals(
        dealing=subject.dealing if subject.candidate else None,
        apart=_level(found, "apart"),
        candidate_away=_level(found, "candidate_away"),
        stable_away=_level(found, "stable_away"),
        candidate_faulty=found["apart"].faulty if "apart" in found else Level.CLEAR,
        stable_faulty=found["stable_away"].faulty if "stable_away" in found else Level.CLEAR,
        predictions=_level(found, "predictions"),
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


def _within(drift: Drift, subject: Subject, now_s: float) -> Stretch | None:
    """Find the longest shared stretch of time within a trial; None while it is younger than one look."""
    age_s = min(now_s - subject.weighted_at, drift.window)
    if not subject.candidate or age_s < LOOK_S:
        return None
    return Stretch(int(LOOK_S) << (int(age_s // LOOK_S).bit_length() - 1))


def _compared(drift: Drift, subject: Subject, readings: DriftReadings, *, usual: bool) -> dict[str, _Found]:
    """Make all comparisons for which there are counts."""
    now_s, owner = readings.at_s, (subject.namespace, subject.rollout)

    def seen(version: str | None, stretch: Stretch | None) -> Seen | None:
        return readings.seen.get((*owner, version, stretch)) if version and stretch else None

    within, whole = _within(drift, subject, now_s), Stretch(round(drift.window))
    mine, theirs = seen(subject.candidate, within), seen(subject.stable, within)
    ours = seen(subject.stable, whole)
    ago = Stretch(whole.length_s, round(drift.usual.ago)) if drift.usual and usual else None
    before = seen(subject.stable, ago)
    training = {v: readings.training.get((*owner, v)) for v in (subject.stable, subject.candidate) if v}
    look = max(1, int((now_s - subject.weighted_at) // LOOK_S))
    found: dict[str, _Found] = {}
    if drift.features:
        rule, only = _rule(drift, drift.features), drift.features.names
        faulty = float(drift.features.faulty) / 100
        profile = training[subject.stable]
        levels = _usual(before, profile, rule, now=ours) if before and profile and ours else None
        if mine and theirs:
            found["apart"] = _features("stable", mine, theirs, rule, only, look=look, faulty=faulty)
        if mine and (own := training.get(subject.candidate or "")):
            found["candidate_away"] = _features("training", mine, own, rule, only, look=look, usual=levels)
        if ours and profile:
            rare = _each_look(rule)
            found["stable_away"] = _features("training", ours, profile, rare, only, usual=levels, faulty=faulty)
    if drift.predictions:
        rule = _rule(drift, drift.predictions)
        if mine and theirs:
            together = compare_all(mine.predictions, theirs.predictions, rule, look=look)
            found["predictions"] = _Found("stable", together, rule, mine.predictions, theirs.predictions)
        elif ours and (profile := training[subject.stable]) and not subject.candidate:
            together = compare_all(ours.predictions, profile.predictions, _each_look(rule))
            found["predictions"] = _Found("training", together, rule, ours.predictions, profile.predictions)
    return found


def _features(  # noqa: PLR0913 - all that a comparison depends on
    against: str,
    ours: Seen,
    theirs: Seen,
    rule: Rule,
    only: Iterable[str],
    *,
    look: int | None = None,
    usual: Mapping[str, float] | None = None,
    faulty: float | None = None,
) -> _Found:
    chosen = set(only)
    mine = {name: found for name, found in ours.features.items() if not chosen or name in chosen}
    together = compare_all(mine, theirs.features, rule, look=look, usual=usual)
    excesses: tuple[Excess, ...] = ()
    if faulty:
        asked = [
            (name, fault, ours_by[name], theirs_by[name])
            for fault, ours_by, theirs_by in (
                ("missing", ours.missing, theirs.missing),
                ("out of range", ours.out_of_range, theirs.out_of_range),
            )
            for name in ours_by
            if name in theirs_by and (not chosen or name in chosen)
        ]
        if theirs.invalid.total:
            asked.append(("predictions", "invalid", ours.invalid, theirs.invalid))
        excesses = tuple(
            _excess(*one, limit=faulty, alpha=rule.alpha, questions=len(asked), look=look) for one in asked
        )
    return _Found(against, together, rule, mine, theirs.features, excesses)


def _excess(  # noqa: PLR0913 - passed on
    name: str, fault: str, ours: Part, theirs: Part, *, limit: float, alpha: float, questions: int, look: int | None
) -> Excess:
    return compare_shares(name, fault, ours, theirs, limit=limit, alpha=alpha, questions=questions, look=look)


def _usual(before: Seen, profile: Seen, rule: Rule, *, now: Seen) -> dict[str, float]:
    """Measure how far features were from the training profile when all was as usual.

    A feature that can't be told from what it was then is as usual, whatever its value: two noisy values a quarter
    apart prove nothing.
    """
    usual = {d.feature: d.value for d in compare_all(before.features, profile.features, rule).differences if d.ours}
    values = {d.feature: d.value for d in compare_all(now.features, profile.features, rule).differences}
    since = compare_all(now.features, before.features, rule).differences
    alike = {d.feature for d in since if d.value <= d.critical}
    return {name: max(value, values.get(name, 0.0)) if name in alike else value for name, value in usual.items()}


def _rule(drift: Drift, rule: DriftRule) -> Rule:
    rise = float(drift.usual.rise) / 100 if drift.usual else 0.0
    return Rule(Statistic(rule.statistic), float(rule.warn), float(rule.act), float(drift.alpha), rise)


def _each_look(rule: Rule) -> Rule:
    """Share the alpha of a window out over the looks at it."""
    return replace(rule, alpha=rule.alpha / _LOOKS_PER_WINDOW)


def _level(found: Mapping[str, _Found], name: str) -> Level:
    """Give the level of a comparison; one that could not be made says nothing."""
    return found[name].together.level if name in found else Level.INCONCLUSIVE


def _told(
    subject: Subject, now_s: float, cause: str, sentence: str, before: DriftStatus | None, cooldown_s: float = 0.0
) -> DriftStatus:
    """Tell of a look that found nothing, or could not; what was confirmed stays until it has been gone for long."""
    if (
        before
        and before.confirmed
        and before.last_seen is not None
        and (not cooldown_s or now_s - before.last_seen < cooldown_s)
    ):
        # Nothing is done any more about what isn't seen any more.
        return replace(before, at=now_s, remedy="notify", asks="nothing", looks=0)
    return DriftStatus(at=now_s, version=subject.version, cause=cause, remedy="nothing", sentence=sentence)


def _shape(histogram: Histogram | None) -> str:
    return bars([float(count) for count in histogram.counts]) if histogram else ""


def _short(number: float) -> float:
    """Round to three digits: status is for people."""
    return float(f"{number:.3g}")
