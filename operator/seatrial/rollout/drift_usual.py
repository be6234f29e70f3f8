"""What is usual at this hour: how far things were from the training profile some time ago, when all was well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.judge.drift.compare import compare_all
from seatrial.metrics.drift_types import Seen, Stretch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.drift import Usual
    from seatrial.judge.drift.compare import Rule
    from seatrial.judge.drift.histogram import Histogram
    from seatrial.metrics.drift_types import DriftReadings
    from seatrial.rollout.drift_subject import Subject


def some_time_ago(usual: Usual, whole: Stretch, subject: Subject, readings: DriftReadings, *, now: Seen) -> Seen | None:
    """Find what was seen when all was as usual.

    Of another version, only the features that it counted in the very bins of this one: on common edges alone, a drift
    could hide. What another version predicted says nothing about this one's predictions.
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


def usual_levels(
    before: Mapping[str, Histogram], profile: Mapping[str, Histogram], rule: Rule, *, now: Mapping[str, Histogram]
) -> dict[str, float]:
    """Measure how far features or outputs were from the training profile when all was as usual.

    One that can't be told from what it was then is as usual, whatever its value: two noisy values a quarter apart prove
    nothing. One that has drifted since then has no usual level: as far away on the other side is not as usual. And with
    so few rows then that they could not have told a drift, nothing is known of what is usual: anything can't be told
    from them.
    """
    then = compare_all(before, profile, rule).differences
    usual = {d.feature: d.value for d in then if d.ours and d.critical <= rule.act}
    values = {d.feature: d.value for d in compare_all(now, profile, rule).differences}
    since = compare_all(now, before, rule).differences
    alike = {d.feature for d in since if d.value <= d.critical}
    drifted = {d.feature for d in since if d.value > max(rule.act, d.critical)}
    return {
        name: max(value, values.get(name, 0.0)) if name in alike else value
        for name, value in usual.items()
        if name not in drifted
    }
