"""Restarts and out-of-memory kills below a crash loop, judged against stable.

A pod that restarts once an hour is no crash loop, but when only the candidate does it, it is a fault. Such events are
rare and come singly, so they are counted per pod-second (a Poisson process) and compared with stable by the test of
:mod:`seatrial.judge.attribution`: of all events of both versions, the candidate should have the share that its
pod-seconds explain, whatever the common rate is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from seatrial.judge import sentences
from seatrial.judge.attribution import TOLERATED_RATIO, log_e_attribution
from seatrial.judge.types import Verdict

__all__ = ["Exposure", "PodEventsJudgement", "judge_pod_events"]

_LARGEST_LOG = 690.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """Events of a version's pods.

    Parameters
    ----------
    events
        Restarts or kills, >= 0.
    pod_s
        Seconds that its pods ran, summed over pods, >= 0.
    """

    events: int
    pod_s: float


@dataclass(frozen=True, slots=True)
class PodEventsJudgement:
    """Whether the candidate's pods fail more often than stable's; the verdict is Burning, Inconclusive or NoData."""

    verdict: Verdict
    sentence: str
    e_value: float
    threshold: float


def judge_pod_events(
    kind: str,
    candidate: Exposure,
    stable: Exposure,
    *,
    alpha: float = 0.01,
    min_events: int = 3,
    tolerated_ratio: float = TOLERATED_RATIO,
) -> PodEventsJudgement:
    """Judge restarts or kills of the candidate against those of stable.

    Parameters
    ----------
    kind
        What happened, in the plural: ``"restarts"``, ``"out-of-memory kills"``.
    candidate, stable
        Events and exposure of both sides since the trial began.
    alpha
        Probability of ever blaming a candidate whose pods fail at most ``tolerated_ratio`` times as often.
    min_events
        Never blame on fewer.
    tolerated_ratio
        How many times as often the candidate's pods may fail.
    """
    threshold = 1 / alpha
    if candidate.pod_s <= 0 or stable.pod_s <= 0:
        return PodEventsJudgement(Verdict.NoData, f"No pods of both versions to compare {kind} of.", 1.0, threshold)
    log_e = float(
        log_e_attribution(
            candidate.pod_s, candidate.events, stable.pod_s, stable.events, tolerated_ratio=tolerated_ratio
        )[0]
    )
    fired = log_e >= math.log(threshold) and candidate.events >= min_events
    excused = f"{stable.events} in {_hours(stable.pod_s)} of stable"
    said = f"{candidate.events} {kind} in {_hours(candidate.pod_s)} against {excused}"
    meaning = f"chance explains that {sentences.trials(log_e)}" if fired else f"the evidence is {sentences.odds(log_e)}"
    verdict = Verdict.Burning if fired else Verdict.Inconclusive
    return PodEventsJudgement(verdict, f"{said}: {meaning}.", math.exp(min(log_e, _LARGEST_LOG)), threshold)


def _hours(pod_s: float) -> str:
    return f"{sentences.significant(pod_s / 3600)} pod-hours"
