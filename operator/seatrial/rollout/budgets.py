"""Error budgets of a ModelSLO: from counts over windows to what its status shows, and what follows for rollouts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from seatrial.api.slo_status import ModelSLOStatus, ObjectiveBudget, Tier, VersionCounts
from seatrial.api.trial import PlannedObjective
from seatrial.judge import tiers as rules
from seatrial.judge.budget import Period, Window, calendar_window, freeze, rolling_window, spend
from seatrial.judge.guard import allowance
from seatrial.judge.types import Counts
from seatrial.rollout.evidence import Service
from seatrial.rollout.planned import objective_of
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seatrial.api.model_slo import ModelSLOSpec
    from seatrial.judge.types import Objective

    ByWindow = Mapping[float, Mapping[str, tuple[int, int]]]
    """Counts by length of the window in seconds and by version: total and bad."""

HOUR_S = 3600.0
_YOUNGEST_S = 60.0
MAX_VERSIONS = 32


def planned_by(slo: str, spec: ModelSLOSpec) -> list[PlannedObjective]:
    """Take the objectives of a ModelSLO, each with the rollback that holds for it."""
    return [PlannedObjective(slo, objective, objective.rollback or spec.rollback) for objective in spec.objectives]


def window_of(spec: ModelSLOSpec, now_s: float) -> Window:
    """Find the window of the budget around now.

    Raises
    ------
    ValueError
        When the time zone is unknown here.
    """
    if not spec.calendar:
        return rolling_window(datetime.fromtimestamp(now_s, UTC), timedelta(seconds=spec.window))
    try:
        zone = ZoneInfo(spec.calendar.time_zone)
    except (KeyError, OSError) as error:
        raise ValueError(f"calendar.timeZone {spec.calendar.time_zone!r} is no known time zone") from error
    return calendar_window(datetime.fromtimestamp(now_s, zone), Period(spec.calendar.period.capitalize()))


def windows_s(spec: ModelSLOSpec, planned: PlannedObjective, now_s: float) -> tuple[float, ...]:
    """Tell over which lengths of time an objective has to be counted, in seconds: the budget's, and the tiers'."""
    window = window_of(spec, now_s)
    lengths = {tier_s for tier in _tiers(spec, planned, window) for tier_s in (tier.long_s, tier.short_s)}
    return tuple(sorted({*lengths, HOUR_S, _elapsed_s(window, now_s)}))


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a service's past, for one objective.

    Parameters
    ----------
    counts
        What was counted, for each of :func:`windows_s`.
    dispersion
        How clustered stable's bad events are, or None when it can't be told.
    since_s
        Unix time since when the service has been there, or None when it is older than its window.
    """

    counts: ByWindow
    dispersion: float | None = None
    since_s: float | None = None


def assess(
    spec: ModelSLOSpec,
    planned: PlannedObjective,
    model_deployment: str,
    past: Past,
    now_s: float,
) -> ObjectiveBudget:
    """Work out the budget of one objective for one ModelDeployment.

    Parameters
    ----------
    spec
        The ModelSLO.
    planned
        The objective.
    model_deployment
        Name of the ModelDeployment whose requests were counted.
    past
        What is known of them.
    now_s
        Unix time in seconds.
    """
    counts, dispersion = past.counts, past.dispersion
    window, objective = window_of(spec, now_s), objective_of(planned)
    by_version = counts.get(_elapsed_s(window, now_s), {})
    hour = _sum(counts.get(HOUR_S, {}).values())
    budget = spend(
        _sum(by_version.values()),
        objective.error_budget,
        window_s=window.length_s,
        elapsed=_elapsed(window, past.since_s, now_s),
        present_burn_rate=_burn_rate(hour, objective) if hour.total else None,
    )
    level = spec.freeze_at / ALL
    frozen = freeze(budget, level=float(level)) if budget.total else None
    versions = sorted(by_version.items(), key=lambda item: -item[1][0])[:MAX_VERSIONS]
    return ObjectiveBudget(
        model_deployment=model_deployment,
        objective=planned.objective.name,
        total=budget.total,
        bad=budget.bad,
        burn_rate=_two_digits(budget.burn_rate),
        remaining=round(ALL * budget.remaining, 1),
        remaining_bad=int(budget.remaining_bad),
        exhausted_in=None if budget.exhaustion_s is None else _two_digits(budget.exhaustion_s),
        dispersion=None if dispersion is None else _octave(dispersion),
        versions=tuple(VersionCounts(version, total, bad) for version, (total, bad) in versions),
        tiers=_watched(spec, planned, window, counts),
        frozen=f"{planned.key}: {frozen}" if frozen else "",
    )


def slo_status(spec: ModelSLOSpec, generation: int, budgets: Sequence[ObjectiveBudget]) -> ModelSLOStatus:
    """Write the columns and the list of a ModelSLO's status."""
    worst = min(budgets, key=lambda entry: entry.remaining, default=None)
    return ModelSLOStatus(
        observed_generation=generation,
        objectives=len(spec.objectives),
        worst=worst.objective if worst else "",
        burn=f"{worst.burn_rate:g}x" if worst else "",
        budget_left=f"{worst.remaining:g}%" if worst else "",
        budgets=tuple(budgets),
    )


def paging(budgets: Mapping[str, ObjectiveBudget]) -> str | None:
    """Name an objective that burns at page level, by ModelSLO and objective."""
    return next((key for key, b in budgets.items() if any(t.firing and t.severity == "page" for t in b.tiers)), None)


def least(budgets: Iterable[ObjectiveBudget]) -> str:
    """Write the smallest rest of a ModelDeployment's budgets, as its column shows it."""
    rest = [entry.remaining for entry in budgets]
    return f"{min(rest):g}%" if rest else ""


def service_of(planned: PlannedObjective, budget: ObjectiveBudget | None) -> Service:
    """Tell what a budget means for the judgement of a release; nothing while the window isn't known."""
    if not budget or not budget.total:
        return Service()
    share = planned.rollback.allowance / ALL
    granted, remaining = Decimal(granted_by(budget)), Decimal(max(0, budget.remaining_bad))
    allowed = allowance(granted, share=share, remaining=remaining)
    return Service(allowance=allowed, dispersion=budget.dispersion or 1.0)


def granted_by(budget: ObjectiveBudget) -> int:
    """Tell how many bad events a budget grants in its whole window."""
    return budget.remaining_bad + budget.bad


def now_of(now_s: float) -> datetime:
    """Turn Unix seconds into a time that knows its zone."""
    return datetime.fromtimestamp(now_s, UTC)


def _elapsed(window: Window, since_s: float | None, now_s: float) -> float:
    """Tell which share of its window a service has had so far; the rest is taken to be like it.

    A young service has a whole window before it: the budget of 28 days is not spent by the first bad minutes.
    """
    start_s = max(window.start.timestamp(), since_s or 0.0)
    return min(1.0, max((now_s - start_s) / window.length_s, _YOUNGEST_S / window.length_s))


def _elapsed_s(window: Window, now_s: float) -> float:
    """Tell how long the window has lasted, in whole minutes, so that all objectives are asked for the same lengths."""
    return max(60.0, 60.0 * ((now_s - window.start.timestamp()) // 60))


def _tiers(spec: ModelSLOSpec, planned: PlannedObjective, window: Window) -> tuple[rules.Tier, ...]:
    preset = rules.Preset(spec.alerts.capitalize())
    return rules.tiers(preset, objective_of(planned).error_budget, window_s=window.length_s)


def _watched(spec: ModelSLOSpec, planned: PlannedObjective, window: Window, counts: ByWindow) -> tuple[Tier, ...]:
    """See which tiers fire now."""
    objective = objective_of(planned)

    def burn(length_s: float) -> float:
        return _burn_rate(_sum(counts.get(length_s, {}).values()), objective)

    return tuple(
        Tier(
            severity=tier.severity.value,
            burn_rate=f"{tier.burn_rate:g}",
            long_window=tier.long_s,
            short_window=tier.short_s,
            firing=tier.fires(burn(tier.long_s), burn(tier.short_s)),
            note=tier.note,
        )
        for tier in _tiers(spec, planned, window)
    )


def _sum(counts: Iterable[tuple[int, int]]) -> Counts:
    pairs = list(counts)
    return Counts(sum(total for total, _ in pairs), sum(bad for _, bad in pairs))


def _burn_rate(counts: Counts, objective: Objective) -> float:
    return counts.bad / counts.total / float(objective.error_budget) if counts.total else 0.0


def _octave(dispersion: float) -> float:
    """Round to the nearest half octave (1, 1.4, 2, 2.8, 4, …): it is known no better, and a status should rest."""
    return _two_digits(2 ** (round(2 * math.log2(dispersion)) / 2))


def _two_digits(number: float) -> float:
    """Round to two significant digits: a status at rest must not change with every request."""
    return float(f"{number:.2g}")
