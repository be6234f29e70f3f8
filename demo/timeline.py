"""What a rollout did to the clients, from the route's states and the answers they got."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from demo.kubectl import JsonObject, State
from demo.load import Answer, Window

BAD: dict[str, Callable[[Answer], bool]] = {"availability": attrgetter("failed"), "latency": attrgetter("slow")}
"""Which answers count against an objective of manifests/slo.yaml."""


def weights(route: JsonObject | None) -> dict[str, int]:
    """Read the percent of requests by backend name; of several rules the largest weight counts."""
    found: dict[str, int] = {}
    for rule in (route or {}).get("spec", {}).get("rules", []):
        for backend in rule.get("backendRefs", []):
            found[backend["name"]] = max(found.get(backend["name"], 0), backend.get("weight", 1))
    return found


def weight_left_s(states: Sequence[State], backend: str) -> float | None:
    """Say when a backend that had weight was first seen without it, seconds since the epoch; None if it never was."""
    had_weight = False
    for state in states:
        weight = weights(state.object).get(backend, 0)
        if had_weight and not weight:
            return state.seen_s
        had_weight = had_weight or weight > 0
    return None


@dataclass(frozen=True, slots=True)
class RollbackFigures:
    """How long, and how many requests, a bad version cost.

    Attributes
    ----------
    seconds_to_weight_0
        From the first bad answer that a client got to weight 0 in the route.
    seconds_to_last_bad
        From the first bad answer to the last one.
    requests_to_weight_0
        Requests of all clients that were due between the first bad answer and weight 0.
    answers
        Answers that the version gave, good and bad.
    bad_answers
        Bad ones among them, all of them seen by clients; what bad means is up to the objective.
    """

    seconds_to_weight_0: float
    seconds_to_last_bad: float
    requests_to_weight_0: int
    answers: int
    bad_answers: int


def rollback_figures(
    window: Window, version: str, weight_0_s: float, bad: Callable[[Answer], bool]
) -> RollbackFigures | None:
    """Measure a rollback; None when no client got a bad answer from the version.

    Parameters
    ----------
    window
        What the clients got from all versions during the trial.
    version
        The version that was rolled back.
    weight_0_s
        When its weight became 0, seconds since the epoch.
    bad
        Whether an answer counts against the objective that decided.
    """
    answers = [answer for answer in window.answers if answer.version == version]
    bad_s = [answer.answered_s for answer in answers if bad(answer)]
    if not bad_s:
        return None
    first_bad_s = min(bad_s)
    return RollbackFigures(
        seconds_to_weight_0=weight_0_s - first_bad_s,
        seconds_to_last_bad=max(bad_s) - first_bad_s,
        requests_to_weight_0=sum(first_bad_s <= answer.scheduled_s < weight_0_s for answer in window.answers),
        answers=len(answers),
        bad_answers=len(bad_s),
    )
