"""All comparisons that a look at drift makes: of features, predictions and faulty values, by the words of the API."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from seatrial.api.drift import DriftedFeature
from seatrial.judge.drift.compare import Level, Rule, Together, compare_all
from seatrial.judge.drift.shares import Excess, Part, compare_shares
from seatrial.judge.drift.sketch import beside
from seatrial.judge.drift.statistics import Statistic
from seatrial.metrics.drift_types import Seen, Stretch
from seatrial.rollout.drift_subject import LOOK_S, LOOKS_PER_WINDOW, within
from seatrial.rollout.drift_usual import some_time_ago, usual_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seatrial.api.drift import Drift, DriftRule
    from seatrial.judge.drift.compare import Difference
    from seatrial.judge.drift.histogram import Histogram
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_subject import Subject

_WORST = (Level.ACT, Level.WARN, Level.INCONCLUSIVE, Level.CLEAR)
_QUESTIONS_OF_FEATURES: Final = 3
_QUESTIONS_OF_PREDICTIONS: Final = 2
"""Each alone, and all together; of features also faulty values. They share alpha."""


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison: the differences of features or outputs, and the shares of faulty values."""

    against: str
    together: Together
    rule: Rule
    ours: Mapping[str, Histogram]
    theirs: Mapping[str, Histogram]
    excesses: tuple[Excess, ...] = ()
    untold: Mapping[str, str] = field(default_factory=dict)
    """Features that one side doesn't tell of, and why they can't be compared."""

    @property
    def unknown(self) -> tuple[Difference, ...]:
        """What could not be told; what has no values on our side is told by its missing ones."""
        return tuple(d for d in self.together.differences if d.level is Level.INCONCLUSIVE and d.ours)

    @property
    def blind(self) -> bool:
        """Whether nothing could be told."""
        return all(d.level is Level.INCONCLUSIVE for d in self.together.differences)

    @property
    def faulty(self) -> Level:
        """The worst level of faulty values."""
        return min((excess.level for excess in self.excesses), key=_WORST.index, default=Level.CLEAR)

    def shown(self) -> Iterator[tuple[int, float, DriftedFeature]]:
        """Give what status can show, with its rank: the worse the level and the larger the value, the earlier."""
        for d in self.together.differences:
            said = DriftedFeature(d.feature, self.against, d.level, d.sentence(self.rule), _short(d.value), d.ours)
            yield _WORST.index(d.level), -d.value, said
        for name, why in self.untold.items():
            yield _WORST.index(Level.INCONCLUSIVE), 0.0, DriftedFeature(name, self.against, Level.INCONCLUSIVE, why)
        for e in self.excesses:
            if e.level in {Level.ACT, Level.WARN}:
                yield (
                    _WORST.index(e.level),
                    -1.0,
                    DriftedFeature(e.feature, self.against, e.level, e.sentence, _short(e.ours.share), e.ours.total),
                )

    def drawn(self, feature: DriftedFeature) -> DriftedFeature:
        """Add both histograms of a feature."""
        if feature.name not in self.ours or feature.name not in self.theirs or feature.name in self.untold:
            return feature
        shape, reference = beside(self.ours[feature.name], self.theirs[feature.name])
        return replace(feature, shape=shape, reference_shape=reference)


def compared(drift: Drift, subject: Subject, readings: DriftReadings, *, usual: bool) -> dict[str, Found]:
    """Make all comparisons for which there are counts."""
    now_s, owner = readings.at_s, (subject.namespace, subject.rollout)

    def seen(version: str | None, stretch: Stretch | None) -> Seen | None:
        return readings.seen.get((*owner, version, stretch)) if version and stretch else None

    both, whole = within(drift, subject, now_s), Stretch(round(drift.window))
    mine, theirs = seen(subject.candidate, both), seen(subject.stable, both)
    ours = seen(subject.stable, whole)
    before = some_time_ago(drift.usual, whole, subject, readings, now=ours) if drift.usual and usual and ours else None
    training = {v: readings.training.get((*owner, v)) for v in (subject.stable, subject.candidate) if v}
    profile = training[subject.stable]
    look = max(1, int((now_s - subject.weighted_at) // LOOK_S))
    found: dict[str, Found] = {}
    if drift.features:
        rule, only = _rule(drift, drift.features), drift.features.names
        faulty = float(drift.features.faulty) / 100
        levels = _usual_features(before, profile, rule, now=ours)
        stable, candidate = f"version {subject.stable}", f"version {subject.candidate}"
        if mine and theirs:
            found["apart"] = _features(
                "stable", mine, theirs, rule, only, (candidate, stable), look=look, faulty=faulty
            )
        if mine and (own := training.get(subject.candidate or "")):
            names = candidate, f"the training profile of {candidate}"
            found["candidate_away"] = _features("training", mine, own, rule, only, names, look=look, usual=levels)
        if ours and profile:
            names, rare = (stable, f"the training profile of {stable}"), _each_look(rule)
            found["stable_away"] = _features("training", ours, profile, rare, only, names, usual=levels, faulty=faulty)
    if drift.predictions:
        rule = _rule(drift, drift.predictions)
        if mine and theirs:
            found["predictions"] = _predictions("stable", mine, theirs, rule, look=look)
        elif ours and profile and not subject.candidate:
            found["predictions"] = _predictions("training", ours, profile, _each_look(rule), before=before)
    return found


def _usual_features(before: Seen | None, profile: Seen | None, rule: Rule, *, now: Seen | None) -> dict[str, float]:
    if not before or not profile or not now:
        return {}
    return usual_levels(before.features, profile.features, rule, now=now.features)


def _predictions(
    against: str, ours: Seen, theirs: Seen, rule: Rule, *, look: int | None = None, before: Seen | None = None
) -> Found:
    mine, others = ours.predictions, theirs.predictions
    usual = usual_levels(before.predictions, others, rule, now=mine) if before else None
    return Found(against, compare_all(mine, others, rule, look=look, usual=usual), rule, mine, others)


def _features(  # noqa: PLR0913 - all that a comparison depends on
    against: str,
    ours: Seen,
    theirs: Seen,
    rule: Rule,
    only: Iterable[str],
    names: tuple[str, str],
    *,
    look: int | None = None,
    usual: Mapping[str, float] | None = None,
    faulty: float | None = None,
) -> Found:
    chosen = set(only)
    mine = {name: found for name, found in ours.features.items() if not chosen or name in chosen}
    together = compare_all(mine, theirs.features, rule, look=look, usual=usual)
    excesses: tuple[Excess, ...] = ()
    if faulty is not None:
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
    return Found(against, together, rule, mine, theirs.features, excesses, _untold(ours, theirs, chosen, names))


def _untold(ours: Seen, theirs: Seen, chosen: set[str], names: tuple[str, str]) -> dict[str, str]:
    """Name the features that can't be compared; one without any values is told of by its missing ones."""
    told = [{*side.features, *side.missing} for side in (ours, theirs)]
    untold = {}
    for name in sorted(chosen or told[0] | told[1]):
        lacking = [who for who, known in zip(names, told, strict=True) if name not in known]
        kinds = {bool(side.features[name].edges) for side in (ours, theirs) if name in side.features}
        if lacking:
            untold[name] = f"{name}: not told by {' and '.join(lacking)}"
        elif len(kinds) > 1:
            untold[name] = f"{name}: has numbers on one side and categories on the other ({' and '.join(names)})"
    return untold


def _excess(  # noqa: PLR0913 - passed on
    name: str, fault: str, ours: Part, theirs: Part, *, limit: float, alpha: float, questions: int, look: int | None
) -> Excess:
    return compare_shares(name, fault, ours, theirs, limit=limit, alpha=alpha, questions=questions, look=look)


def _rule(drift: Drift, rule: DriftRule) -> Rule:
    rise = float(drift.usual.rise) / 100 if drift.usual else 0.0
    questions = bool(drift.features) * _QUESTIONS_OF_FEATURES + bool(drift.predictions) * _QUESTIONS_OF_PREDICTIONS
    alpha = float(drift.alpha) / questions
    return Rule(Statistic(rule.statistic), float(rule.warn), float(rule.act), alpha, rise)


def _each_look(rule: Rule) -> Rule:
    """Share the alpha of a window out over the looks at it."""
    return replace(rule, alpha=rule.alpha / LOOKS_PER_WINDOW)


def level_of(found: Mapping[str, Found], name: str) -> Level:
    """Give the level of a comparison; one that could not be made says nothing."""
    return found[name].together.level if name in found else Level.INCONCLUSIVE


def _short(number: float) -> float:
    """Round to three digits: status is for people."""
    return float(f"{number:.3g}")
