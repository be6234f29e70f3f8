"""All comparisons that a look at drift makes: of features, predictions and faulty values, by the words of the API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seatrial.api.drift import DriftedFeature
from seatrial.judge.drift.compare import Level, Rule, Together, compare_all
from seatrial.judge.drift.shares import Excess, Part, compare_shares
from seatrial.judge.drift.sketch import bars
from seatrial.judge.drift.statistics import Statistic
from seatrial.metrics.drift_types import Seen, Stretch
from seatrial.rollout.drift_subject import LOOK_S, LOOKS_PER_WINDOW, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seatrial.api.drift import Drift, DriftRule, Usual
    from seatrial.judge.drift.histogram import Histogram
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_subject import Subject

_WORST = (Level.ACT, Level.WARN, Level.INCONCLUSIVE, Level.CLEAR)


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison: the differences of features or outputs, and the shares of faulty values."""

    against: str
    together: Together
    rule: Rule
    ours: Mapping[str, Histogram]
    theirs: Mapping[str, Histogram]
    excesses: tuple[Excess, ...] = ()

    @property
    def faulty(self) -> Level:
        """The worst level of faulty values."""
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


def compared(drift: Drift, subject: Subject, readings: DriftReadings, *, usual: bool) -> dict[str, Found]:
    """Make all comparisons for which there are counts."""
    now_s, owner = readings.at_s, (subject.namespace, subject.rollout)

    def seen(version: str | None, stretch: Stretch | None) -> Seen | None:
        return readings.seen.get((*owner, version, stretch)) if version and stretch else None

    both, whole = within(drift, subject, now_s), Stretch(round(drift.window))
    mine, theirs = seen(subject.candidate, both), seen(subject.stable, both)
    ours = seen(subject.stable, whole)
    before = _some_time_ago(drift.usual, whole, subject, readings, now=ours) if drift.usual and usual and ours else None
    training = {v: readings.training.get((*owner, v)) for v in (subject.stable, subject.candidate) if v}
    look = max(1, int((now_s - subject.weighted_at) // LOOK_S))
    found: dict[str, Found] = {}
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
            found["predictions"] = Found("stable", together, rule, mine.predictions, theirs.predictions)
        elif ours and (profile := training[subject.stable]) and not subject.candidate:
            together = compare_all(ours.predictions, profile.predictions, _each_look(rule))
            found["predictions"] = Found("training", together, rule, ours.predictions, profile.predictions)
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
) -> Found:
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
    return Found(against, together, rule, mine, theirs.features, excesses)


def _excess(  # noqa: PLR0913 - passed on
    name: str, fault: str, ours: Part, theirs: Part, *, limit: float, alpha: float, questions: int, look: int | None
) -> Excess:
    return compare_shares(name, fault, ours, theirs, limit=limit, alpha=alpha, questions=questions, look=look)


def _some_time_ago(
    usual: Usual, whole: Stretch, subject: Subject, readings: DriftReadings, *, now: Seen
) -> Seen | None:
    """Find what was seen when all was as usual.

    Of another version, only what it counted in the very bins of this one: on common edges alone, a drift could hide.
    """
    then = subject.served_at(readings.at_s - usual.ago)
    stretch = Stretch(whole.length_s, round(usual.ago))
    before = readings.seen.get((subject.namespace, subject.rollout, then, stretch))
    if not before or then == subject.stable:
        return before
    return Seen(
        {
            name: found
            for name, found in before.features.items()
            if (mine := now.features.get(name)) and (found.edges, found.categories) == (mine.edges, mine.categories)
        }
    )


def _usual(before: Seen, profile: Seen, rule: Rule, *, now: Seen) -> dict[str, float]:
    """Measure how far features were from the training profile when all was as usual.

    A feature that can't be told from what it was then is as usual, whatever its value: two noisy values a quarter
    apart prove nothing. But with so few rows then that they could not have told a drift, nothing is known of what is
    usual: anything can't be told from them.
    """
    then = compare_all(before.features, profile.features, rule).differences
    usual = {d.feature: d.value for d in then if d.ours and d.critical <= rule.act}
    values = {d.feature: d.value for d in compare_all(now.features, profile.features, rule).differences}
    since = compare_all(now.features, before.features, rule).differences
    alike = {d.feature for d in since if d.value <= d.critical}
    return {name: max(value, values.get(name, 0.0)) if name in alike else value for name, value in usual.items()}


def _rule(drift: Drift, rule: DriftRule) -> Rule:
    rise = float(drift.usual.rise) / 100 if drift.usual else 0.0
    return Rule(Statistic(rule.statistic), float(rule.warn), float(rule.act), float(drift.alpha), rise)


def _each_look(rule: Rule) -> Rule:
    """Share the alpha of a window out over the looks at it."""
    return replace(rule, alpha=rule.alpha / LOOKS_PER_WINDOW)


def level_of(found: Mapping[str, Found], name: str) -> Level:
    """Give the level of a comparison; one that could not be made says nothing."""
    return found[name].together.level if name in found else Level.INCONCLUSIVE


def _shape(histogram: Histogram | None) -> str:
    return bars([float(count) for count in histogram.counts]) if histogram else ""


def _short(number: float) -> float:
    """Round to three digits: status is for people."""
    return float(f"{number:.3g}")
