"""What a budget shows, when it freezes new trials, and what it tells the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seatrial.api.model_slo import ModelSLOSpec
from seatrial.rollout.budgets import Past, assess, planned_by, service_of, windows_s
from seatrial.rollout.evidence import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.slo_status import ObjectiveBudget

NOW_S = 1_790_000_000.0
DAY_S = 86400.0
HASH = "aaaaaaaaaa"


def spec(**changes: object) -> ModelSLOSpec:
    objective = {"name": "availability", "target": "99", "sli": {"template": "http-availability"}}
    return ModelSLOSpec.model_validate({"objectives": [objective], **changes})


def budget(total: int, bad: int, *, age_s: float | None = None, slo: ModelSLOSpec | None = None) -> ObjectiveBudget:
    slo = slo or spec()
    planned = planned_by("slo", slo)[0]
    counts: Mapping[float, Mapping[str, tuple[int, int]]] = {
        length_s: {HASH: (total, bad)} for length_s in windows_s(slo, planned, NOW_S)
    }
    since_s = None if age_s is None else NOW_S - age_s
    return assess(slo, planned, "scorer", Past(counts, since_s=since_s), NOW_S)


def test_a_service_as_old_as_its_window_is_frozen_when_its_budget_is_spent() -> None:
    spent = budget(1200, 36)
    assert (spent.remaining, spent.remaining_bad) == (-200, -24)
    assert "rollouts freeze at 0 %" in spent.frozen
    assert budget(1200, 36, age_s=90 * DAY_S).frozen


def test_a_young_service_has_its_window_before_it() -> None:
    """36 bad of 1,200 requests in its first ten minutes: at this pace four weeks grant 48,384 bad ones."""
    young = budget(1200, 36, age_s=600)
    assert young.frozen == ""
    assert young.remaining_bad == 48_384 - 36
    assert (young.total, young.bad, young.burn_rate) == (1200, 36, 3.0)


def test_a_young_service_that_fell_silent_is_held_to_what_it_served() -> None:
    assert budget(1200, 36, age_s=7 * DAY_S).frozen == ""
    assert "freeze" in budget(1200, 36, age_s=14 * DAY_S).frozen


def test_a_calendar_window_counts_from_its_beginning_or_from_that_of_the_service() -> None:
    monthly = spec(calendar={"period": "month", "timeZone": "UTC"})
    assert budget(1200, 36, slo=monthly).remaining < budget(1200, 36, age_s=600, slo=monthly).remaining


def test_what_a_budget_tells_the_judge() -> None:
    planned = planned_by("slo", spec())[0]
    assert service_of(planned, None) == service_of(planned, budget(0, 0)) == Service()
    whole = budget(1_000_000, 2000)
    assert service_of(planned, whole).allowance == pytest.approx(200), "2 % of the 10,000 that the window grants"
    assert service_of(planned, budget(1_000_000, 9900)).allowance == pytest.approx(100), "what remains"


@pytest.mark.parametrize(("found", "shown"), [(1.0, 1.0), (1.3, 1.4), (4.7, 4.0), (5.2, 5.7), (90.0, 91.0)])
def test_dispersion_is_shown_in_half_octaves(found: float, shown: float) -> None:
    planned = planned_by("slo", spec())[0]
    told = assess(spec(), planned, "scorer", Past({}, dispersion=found), NOW_S)
    assert told.dispersion == shown
    assert service_of(planned, told) == Service(), "nothing is known of a service without events"
