"""When the user's own fallback answers instead of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.commands import Command, Hold, Verb
from seatrial.api.slo_status import ObjectiveBudget, Tier
from seatrial.judge.types import Verdict
from seatrial.rollout.budgets import paging
from seatrial.rollout.decision import Decision, Fallback
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus

RULES = Fallback("rules", 8080)
AFTER_S = 300.0
SWITCHED = Hold("ann", b.NOW - 60, "the model answers nonsense")


def look(status: ModelDeploymentStatus, *, fallback: Fallback | None = RULES, **changes: Any) -> Decision:
    """Decide on a status whose user names a fallback."""
    after_s = AFTER_S if fallback else None
    wish = replace(changes.pop("wish", b.wish(b.A)), fallback=fallback, fallback_after_s=after_s)
    world = b.at_ease(status, wish=wish, **changes)
    return b.run(status, world)


def ready(decision: Decision) -> tuple[str, str]:
    return next((c.reason, c.message) for c in decision.status.conditions if c.type == "Ready")


def events(decision: Decision) -> list[str]:
    return [notice.reason for notice in decision.notices]


def test_without_a_fallback_the_route_names_none() -> None:
    assert look(b.stable(), fallback=None).target.division.fallback is None


def test_it_waits_in_the_route_while_versions_answer() -> None:
    decision = look(b.stable())
    assert decision.target.division.fallback == RULES
    assert decision.target.weights == {b.A.hash: 100}


def test_it_answers_while_no_version_has_a_ready_pod_and_no_longer() -> None:
    away = look(b.stable(), workloads={b.A.hash: b.pods(b.A, ready=0, available=0)})
    assert away.target.division.fallback == replace(RULES, active=True)
    assert ready(away) == ("Fallback", "Service rules answers all requests: no version has a ready pod")
    assert "FallbackActive" in events(away)
    back = look(away.status)
    assert back.target.division.fallback == RULES
    assert "FallbackEnded" in events(back)


def test_it_does_not_answer_while_only_the_candidate_is_away() -> None:
    status = b.on_trial(0, 1.0)
    pods = {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, ready=0, available=0)}
    decision = look(status, wish=b.wish(b.B), workloads=pods)
    assert decision.target.division.fallback == RULES
    assert decision.target.weights == {b.A.hash: 100, b.B.hash: 0}


def test_a_command_switches_to_it_and_another_one_back() -> None:
    ask = (Command(id="c1", verb=Verb.FALLBACK, by="ann", reason="nonsense"),)
    there = look(b.stable(), commands=ask)
    assert there.target.division.fallback == replace(RULES, active=True)
    assert there.status.answers[0].sentence == "Service rules answers all requests until restore"
    assert ready(there)[1] == "Service rules answers all requests: ann switched to it: nonsense"
    back = look(there.status, commands=(*ask, Command(id="c2", verb=Verb.RESTORE, by="bob")))
    assert back.target.division.fallback == RULES
    assert back.status.fallback is None


@pytest.mark.parametrize(
    ("status", "fallback", "verb", "sentence"),
    [
        (b.stable(), None, Verb.FALLBACK, "fallback: spec.fallback names none"),
        (replace(b.stable(), fallback=SWITCHED), RULES, Verb.FALLBACK, "fallback: ann has switched to it already"),
        (b.stable(), RULES, Verb.RESTORE, "restore: the fallback was not switched to"),
    ],
)
def test_what_can_not_be_asked_is_refused(
    status: ModelDeploymentStatus, fallback: Fallback | None, verb: Verb, sentence: str
) -> None:
    answer = look(status, fallback=fallback, commands=(Command(id="c1", verb=verb, by="bob"),)).status.answers[0]
    assert (answer.outcome, answer.sentence) == ("Refused", sentence)


def test_nothing_goes_on_while_it_answers() -> None:
    """The step's time begins anew when versions answer again: no requests, no evidence."""
    status = replace(b.on_trial(0, b.STEPS[0].lasts_s), fallback=SWITCHED)
    decision = look(status, wish=b.wish(b.B), route=b.in_force(look(status, wish=b.wish(b.B)).target.division))
    assert decision.status.trial
    assert decision.status.trial.step_index == 0


def test_a_long_burn_at_page_level_switches_to_it_until_a_person_restores() -> None:
    first = look(b.stable(), paging="slo/availability")
    assert first.status.paging_since == b.NOW
    assert first.look_again_s == AFTER_S
    early = look(first.status, paging="slo/availability", now_s=b.NOW + AFTER_S - 1)
    assert early.status.fallback is None
    late = look(early.status, paging="slo/availability", now_s=b.NOW + AFTER_S)
    assert late.target.division.fallback == replace(RULES, active=True)
    assert ready(late)[1].endswith("seatrial switched to it: page-level burn for 5m: slo/availability")
    quiet = look(late.status, now_s=b.NOW + 9 * AFTER_S)
    assert quiet.target.division.fallback == replace(RULES, active=True)
    restore = (Command(id="c1", verb=Verb.RESTORE, by="ann"),)
    back = look(quiet.status, paging="slo/availability", commands=restore, now_s=b.NOW + 9 * AFTER_S)
    assert back.target.division.fallback == RULES


def test_a_pause_in_the_burn_begins_the_time_anew() -> None:
    first = look(b.stable(), paging="slo/availability")
    assert look(first.status, now_s=b.NOW + 60).status.paging_since is None


@pytest.mark.parametrize(("verdict", "counts"), [(Verdict.Healthy, False), (Verdict.Environment, True)])
def test_while_a_candidate_may_be_to_blame_a_rollback_comes_first(verdict: Verdict, counts: bool) -> None:
    evidence = (b.evidence(verdict=verdict),)
    decision = look(b.on_trial(0, 1.0), wish=b.wish(b.B), paging="slo/availability", evidence=evidence)
    assert (decision.status.paging_since is not None) is counts


def test_only_tiers_of_page_level_count() -> None:
    def budget(severity: str, *, firing: bool) -> ObjectiveBudget:
        tier = Tier(severity=severity, burn_rate="14.4", long_window=3600.0, short_window=300.0, firing=firing)
        known: dict[str, Any] = {"total": 1, "bad": 1, "burn_rate": 1.0, "remaining": 0.0, "remaining_bad": 0}
        return ObjectiveBudget(model_deployment="m", objective="availability", tiers=(tier,), **known)

    assert paging({"slo/a": budget("ticket", firing=True), "slo/b": budget("page", firing=False)}) is None
    assert paging({"slo/a": budget("page", firing=True)}) == "slo/a"
