"""From manifests to a wish: what is taken over, and what is refused with a sentence that says where."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from seatrial.rollout.versions import version_hash
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import Refusal, Wish
from tests.unit.rollout import builders as b


def read(spec: dict[str, Any] | None = None, slo: dict[str, Any] | None = None) -> Wish | Refusal:
    return wish_of(b.SPEC | (spec or {}), {"scorer": b.SLO | (slo or {})}, lambda _: None)


def accepted(**spec: Any) -> Wish:
    wish = read(spec)
    assert isinstance(wish, Wish)
    return wish


def test_what_is_written_is_wished() -> None:
    wish = accepted(replicas=5, paused=True)
    assert (wish.version, wish.label, wish.replicas, wish.paused) == (version_hash(b.SPEC), "1", 5, True)
    assert [(step.weight, step.lasts_s, step.min_requests) for step in wish.plan.steps] == [(10, 60, 0), (50, 120, 500)]
    assert [planned.key for planned in wish.plan.objectives] == ["scorer/availability"]
    assert not wish.observe


def test_objectives_of_all_slos_are_joined_in_their_order() -> None:
    other = {"objectives": [{"name": "availability", "target": "95", "sli": b.SLI}]}
    spec = b.SPEC | {"slos": [{"name": "second"}, {"name": "first"}]}
    wish = wish_of(spec, {"first": b.SLO, "second": other}, lambda _: None)
    assert isinstance(wish, Wish)
    assert [planned.key for planned in wish.plan.objectives] == ["second/availability", "first/availability"]
    assert [planned.objective.target for planned in wish.plan.objectives] == [Decimal(95), Decimal(99)]


def test_objective_may_have_a_rollback_rule_of_its_own() -> None:
    loose = {"name": "loose", "target": "99", "sli": b.SLI, "rollback": {"burnRate": "10"}}
    wish = read(slo={"objectives": [*b.SLO["objectives"], loose], "rollback": {"burnRate": "3"}})
    assert isinstance(wish, Wish)
    assert [planned.rollback.burn_rate for planned in wish.plan.objectives] == [Decimal(3), Decimal(10)]


@pytest.mark.parametrize(
    ("spec", "slo", "reason", "sentence"),
    [
        ({"replicas": 0}, {}, "InvalidSpec", "replicas"),
        ({"strategy": {"steps": [{"weight": 10, "for": "soon"}]}}, {}, "InvalidSpec", "strategy.steps.0.for"),
        ({"slos": [{"name": "missing"}]}, {}, "SLOMissing", "missing doesn't exist in this namespace: apply it"),
        (
            {"strategy": {"steps": [{"weight": 10, "for": "1m", "healthy": ["scorer/p95"]}]}},
            {},
            "InvalidSpec",
            "step 1 names objective scorer/p95; there are scorer/availability",
        ),
        (
            {"strategy": {"steps": [{"experiment": {"match": {"header": "a", "value": "b"}, "objective": "p95"}}]}},
            {},
            "InvalidSpec",
            "step 1 names objective p95; there are scorer/availability",
        ),
        ({}, {"objectives": []}, "InvalidSLO", "ModelSLO scorer can't be used: objectives"),
        ({}, {"rollback": {"burnRate": "100"}}, "InvalidSLO", "objective availability"),
    ],
)
def test_what_can_not_be_used_is_refused(spec: dict[str, Any], slo: dict[str, Any], reason: str, sentence: str) -> None:
    refusal = read(spec, slo)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert sentence in refusal.sentence


def test_sli_that_can_not_be_counted_is_refused_in_the_counter_s_own_words() -> None:
    def check(_: object) -> None:
        raise ValueError("server mlserver has no template of that name")

    refusal = wish_of(b.SPEC, {"scorer": b.SLO}, check)
    assert isinstance(refusal, Refusal)
    assert "objective availability: server mlserver has no template of that name" in refusal.sentence
