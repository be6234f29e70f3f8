"""One feature against its reference, and all features of a model together.

A difference counts only when it is both large enough to matter and larger than chance makes it at these sample sizes:
drifted if value > max(level, critical value). When the critical value is above the level, so small a sample could not
have told a drift of that size: the answer is Inconclusive and says how many observations it takes. It is as well when
both sides are counted on other edges, and what can be said of them then shows no difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.judge import sentences
from seatrial.judge.drift.chance import combined, share_of_alpha
from seatrial.judge.drift.elsewhere import apart_at_least, other_edges
from seatrial.judge.drift.histogram import paired
from seatrial.judge.drift.statistics import Statistic, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.judge.drift.histogram import Histogram

__all__ = ["Difference", "Level", "Rule", "Together", "compare", "compare_all"]


class Level(StrEnum):
    """How far something has drifted."""

    CLEAR = "Clear"
    """No more than chance makes, or less than matters."""
    WARN = "Warn"
    """Beyond chance, and beyond the level of warning."""
    ACT = "Act"
    """Beyond chance, and beyond the level at which something is done."""
    INCONCLUSIVE = "Inconclusive"
    """Too few observations to tell, or counted on other edges."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a difference counts.

    Parameters
    ----------
    statistic
        The measure.
    warn, act
        Levels of it, 0 < warn <= act. Convention for PSI: 0.1 and 0.2.
    alpha
        Probability of a false alarm over all features, and over all looks at the same growing counts.
    rise
        With a usual level, only a value above (1 + rise) times it counts: 0.25 for a quarter above what is usual.
    """

    statistic: Statistic = Statistic.PSI
    warn: float = 0.1
    act: float = 0.2
    alpha: float = 0.01
    rise: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.warn <= self.act:
            raise ValueError(f"warn {self.warn} must be above 0 and not above act {self.act}")


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one feature is from its reference, with what it rests on.

    Attributes
    ----------
    feature
        Its name.
    level
        The result.
    value
        The measure; 0 without observations.
    critical
        What chance exceeds with the feature's share of alpha; infinite without observations.
    p_value
        How probable chance makes at least this.
    beyond
        The value less what chance adds to it on average.
    ours, theirs
        Observations of both sides.
    needed
        Observations on our side at which a drift of level ``act`` could be told; 0 when it never could.
    usual
        The usual value, or None when it is not known.
    elsewhere
        Whether both sides are counted on other edges: then the value is a lower bound.
    """

    feature: str
    level: Level
    value: float
    critical: float
    p_value: float
    beyond: float
    ours: int
    theirs: int
    needed: int
    usual: float | None = None
    elsewhere: bool = False

    def sentence(self, rule: Rule) -> str:
        """Say it in plain words."""
        if self.elsewhere and self.level is Level.INCONCLUSIVE:
            return f"{self.feature}: counted on other edges than its reference; make its profile with --edges-from"
        if not self.ours or not self.theirs:
            return f"{self.feature}: no values ({self.ours:,} against {self.theirs:,} observations)"
        least = "at least " if self.elsewhere else ""
        said = f"{self.feature}: {rule.statistic} {least}{sentences.significant(self.value)}"
        base = f"{self.ours:,} against {self.theirs:,} observations"
        if self.level is Level.INCONCLUSIVE:
            need = f"about {self.needed:,} are needed" if self.needed else "the reference is too small to tell ever"
            return f"{said} with {base}; {need}"
        limit = rule.act if self.level is Level.ACT else rule.warn
        above = "above" if self.level in {Level.ACT, Level.WARN} else "not above"
        chance = f"chance makes {sentences.significant(self.critical)}"
        if self.elsewhere:
            chance = "counted on other edges, at which the cumulative shares are farther apart than chance makes them"
        usual = "" if self.usual is None else f", usual is {sentences.significant(self.usual)}"
        return f"{said} is {above} {sentences.significant(limit)} and chance ({base}; {chance}{usual})"


@dataclass(frozen=True, slots=True)
class Together:
    """All features of a model: each one, and what they say together.

    Attributes
    ----------
    level
        The worst of the mean and of any feature with values on our side: of one without, its missing values speak.
    differences
        One for each feature, the most drifted first.
    mean
        Mean over the features of the measure less what chance adds to it.
    p_value
        Of all features together (Cauchy combination), whatever their dependence.
    """

    level: Level
    differences: tuple[Difference, ...]
    mean: float
    p_value: float

    @property
    def drifted(self) -> tuple[Difference, ...]:
        """The features beyond a level."""
        return tuple(d for d in self.differences if d.level in {Level.ACT, Level.WARN})


_ORDER = (Level.ACT, Level.WARN, Level.INCONCLUSIVE, Level.CLEAR)


def compare(  # noqa: PLR0913 - names of what it compares
    feature: str,
    ours: Histogram,
    theirs: Histogram,
    rule: Rule,
    *,
    questions: int = 1,
    look: int | None = None,
    usual: float | None = None,
) -> Difference:
    """Compare one feature with its reference.

    Parameters
    ----------
    feature
        Its name.
    ours, theirs
        The side in question, and what it is compared with.
    rule
        When a difference counts.
    questions
        How many features are compared together: they share alpha.
    look
        Number of this look, from 1, at counts that only grow; None for a window that is judged by itself.
    usual
        Value of the measure at a time when all was well, such as the same hour of last week.
    """
    n, m = ours.total, theirs.total
    if not n or not m:
        return Difference(feature, Level.INCONCLUSIVE, 0.0, math.inf, 1.0, 0.0, n, m, 0, usual)
    alpha = share_of_alpha(rule.alpha, questions=questions, look=look)
    if other_edges(ours, theirs):
        return _at_least(feature, ours, theirs, rule, alpha, usual)
    value, null = measure(rule.statistic, paired(ours, theirs))
    critical = null.critical(alpha) if null.freedom else 0.0
    level = _level(value, critical, rule, usual)
    # The scale is h times something that doesn't depend on n: solve critical(n) = act.
    h = 1 / n + 1 / m
    allowed = h * (rule.act / critical) ** null.power - 1 / m if critical else 1.0
    needed = math.ceil(1 / allowed) if allowed > 0 else 0
    return Difference(
        feature=feature,
        level=level,
        value=value,
        critical=critical,
        p_value=null.p_value(value),
        beyond=null.beyond_chance(value),
        ours=n,
        theirs=m,
        needed=needed,
        usual=usual,
    )


def _at_least(
    feature: str, ours: Histogram, theirs: Histogram, rule: Rule, alpha: float, usual: float | None
) -> Difference:
    """Compare on different edges: only a difference that must be there whatever lies between them counts."""
    distance, halves = apart_at_least(ours, theirs)
    value, level = measure(rule.statistic, halves).value, Level.INCONCLUSIVE
    critical = distance.null.critical(alpha)
    if distance.value > critical:
        level = _level(value, 0.0, rule, usual)
    return Difference(
        feature=feature,
        level=Level.INCONCLUSIVE if level is Level.CLEAR else level,
        value=value,
        critical=critical,
        p_value=distance.null.p_value(distance.value),
        beyond=0.0,
        ours=ours.total,
        theirs=theirs.total,
        needed=0,
        usual=usual,
        elsewhere=True,
    )


def compare_all(
    ours: Mapping[str, Histogram],
    theirs: Mapping[str, Histogram],
    rule: Rule,
    *,
    look: int | None = None,
    usual: Mapping[str, float] | None = None,
) -> Together:
    """Compare all features that both sides have; one that is numeric on one side alone is another feature.

    Many small shifts of which none is certain by itself are certain together: the mean of the measure also counts, when
    the features together are beyond chance.
    """
    shared = [name for name, mine in ours.items() if name in theirs and bool(mine.edges) == bool(theirs[name].edges)]
    found = [
        compare(
            feature,
            ours[feature],
            theirs[feature],
            rule,
            questions=len(shared),
            look=look,
            usual=(usual or {}).get(feature),
        )
        for feature in shared
    ]
    measured = [d for d in found if d.ours and d.theirs]
    if not measured:
        return Together(Level.INCONCLUSIVE, tuple(found), 0.0, 1.0)
    whole, alike = Level.CLEAR, [d for d in measured if not d.elsewhere]
    mean = sum(d.beyond for d in alike) / max(1, len(alike))
    p_value = combined([d.p_value for d in alike])
    usually = [d.usual for d in alike if d.usual is not None]
    if p_value <= share_of_alpha(rule.alpha, look=look):
        whole = _level(mean, 0.0, rule, sum(usually) / len(usually) if usually else None)
    ordered = sorted(found, key=lambda d: (_ORDER.index(d.level), -d.value, d.feature))
    worst = min((whole, *(d.level for d in found if d.ours)), key=_ORDER.index)
    return Together(worst, tuple(ordered), mean, p_value)


def _level(value: float, critical: float, rule: Rule, usual: float | None) -> Level:
    floor = critical if usual is None else max(critical, usual * (1 + rule.rise))
    if value > max(rule.act, floor):
        return Level.ACT
    if value > max(rule.warn, floor):
        return Level.WARN
    return Level.INCONCLUSIVE if critical > rule.act else Level.CLEAR
