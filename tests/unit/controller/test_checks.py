"""Checks that ask a service: where they are posted to, and that no status tells it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.cache import Key
from seatrial.controller.checks import Checks
from seatrial.notify.webhook import Answer, Webhooks
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.kube.client import Kube

KEY = Key("ml", "scorer")
URL = "https://golden.example/run?token=abc"
STEPS: list[dict[str, Any]] = [
    {"weight": 10, "for": "1m"},
    {"check": {"name": "golden", "webhook": {"url": URL}}},
    {"weight": 50, "for": "1m"},
]


def spec_of(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {**b.SPEC, "strategy": {"steps": steps}}


def raw(steps: list[dict[str, Any]]) -> dict[str, Any]:
    meta = {"namespace": "ml", "name": "scorer", "uid": "u", "generation": 1}
    return {"metadata": meta, "spec": spec_of(steps)}


def at_the_check() -> ModelDeploymentStatus:
    status = b.on_trial(1)
    assert status.trial
    return replace(status, trial=replace(status.trial, plan=b.plan_of(spec_of(STEPS), scorer=b.SLO)))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []

    async def post(_: Webhooks, url: str, *__: Any, **___: Any) -> Answer:
        urls.append(url)
        return Answer(204, "the service answered 204")

    monkeypatch.setattr(Webhooks, "post", post)
    monkeypatch.setattr(Webhooks, "problem", None)
    return urls


def checks() -> Checks:
    return Checks(cast("Kube", None), Webhooks(Path("key"), lambda: b.NOW))


async def looked(checks: Checks, steps: list[dict[str, Any]]) -> tuple[str, str]:
    for _ in range(5):
        run = checks.look(KEY, raw(steps), at_the_check())
        await asyncio.sleep(0)
    assert run
    return run.state, run.sentence


async def test_a_service_is_asked_where_the_spec_says_and_the_status_does_not(asked: list[str]) -> None:
    assert await looked(checks(), STEPS) == ("Passed", "the service answered 204")
    assert asked == [URL]
    written = dump(DEPLOYMENT_STATUS, at_the_check())
    assert "token" not in str(written)
    assert DEPLOYMENT_STATUS.validate_python(written).trial == at_the_check().trial  # the plan is still the spec's


async def test_an_address_that_has_changed_meanwhile_is_the_one_that_is_asked(asked: list[str]) -> None:
    moved = {"check": {"name": "golden", "webhook": {"url": "https://other.example/"}}}
    await looked(checks(), [STEPS[0], STEPS[2], moved])  # found by its name, wherever it stands
    assert asked == ["https://other.example/"]


async def test_a_check_whose_address_is_gone_waits_and_says_why(asked: list[str]) -> None:
    running = checks()
    assert await looked(running, STEPS[:1]) == ("Running", "the spec has no address of this check any more")
    assert asked == []
    assert (await looked(running, STEPS))[0] == "Passed"
