"""Checks against a real API server: the Job that is made, what its end leads to, and a rollback that waits for none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from seatrial.api.status import Phase

if TYPE_CHECKING:
    from tests.apiserver.controller.stage import Stage

GOLDEN: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "golden"},
    "spec": {
        "suspend": True,
        "backoffLimit": 0,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "test", "image": "example/golden:1"}]}},
    },
}
STEPS: list[dict[str, Any]] = [
    {"weight": 10, "for": "1s"},
    {"check": {"name": "golden", "job": "golden", "timeout": "10m"}},
    {"weight": 50, "for": "1h"},
]


async def made_job(stage: Stage, *known: str) -> dict[str, Any]:
    """Wait for the copy that the operator makes, besides those that are known by name."""
    for _ in range(200):
        jobs = await stage.user.list("Job", stage.namespace)
        made = [job for job in jobs if job["metadata"]["name"] not in {"golden", *known}]
        if made:
            return made[0]
        await asyncio.sleep(0.1)
    raise AssertionError("no Job was made")


async def finish(stage: Stage, job: dict[str, Any], kind: str) -> None:
    """Play the Job controller, which does not run here."""
    now = "2026-01-01T00:00:00Z"
    before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
    conditions = [
        {"type": name, "status": "True", "reason": "Played", "message": "12 of 100 answers differ"}
        for name in (before, kind)
    ]
    status: dict[str, Any] = {"conditions": conditions, "startTime": now}
    status |= {"completionTime": now, "succeeded": 1} if kind == "Complete" else {"failed": 1}
    body = {**job, "apiVersion": "batch/v1", "kind": "Job", "status": status}
    await stage.user.replace_status(body)


async def at_the_check(stage: Stage, steps: list[dict[str, Any]] = STEPS) -> tuple[str, dict[str, Any]]:
    await stage.deploy("1", spec__strategy__steps=steps)
    first = await stage.until(lambda status: status.phase is Phase.STABLE)
    assert first.stable
    await stage.user.create({**GOLDEN, "metadata": {"name": "golden", "namespace": stage.namespace}})
    await stage.deploy("2", spec__strategy__steps=steps)
    return first.stable.hash, await made_job(stage)


async def test_a_job_that_completes_lets_the_trial_go_on(stage: Stage) -> None:
    async with stage.operator():
        _, job = await at_the_check(stage)
        container = job["spec"]["template"]["spec"]["containers"][0]
        told = {entry["name"]: entry["value"] for entry in container["env"]}
        status = await stage.until(lambda status: any(c.reason == "Checking" for c in status.conditions))
        assert status.candidate
        assert told["SEATRIAL_CANDIDATE"] == f"scorer-{status.candidate.hash}.{stage.namespace}.svc:80"
        assert job["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"
        await finish(stage, job, "Complete")
        await stage.until(lambda status: status.step == "3/3")


async def test_the_same_check_after_more_weight_is_run_again(stage: Stage) -> None:
    async with stage.operator():
        _, first = await at_the_check(stage, [*STEPS[:2], {"weight": 50, "for": "1s"}, *STEPS[1:2]])
        await finish(stage, first, "Complete")
        second = await made_job(stage, first["metadata"]["name"])
        status = await stage.until(lambda status: status.step == "4/4")
        assert status.phase is Phase.TRIAL
        await finish(stage, second, "Failed")
        await stage.until(lambda status: status.phase is Phase.ROLLED_BACK)


async def test_a_job_that_fails_rolls_the_candidate_back(stage: Stage) -> None:
    async with stage.operator():
        stable, job = await at_the_check(stage)
        await finish(stage, job, "Failed")
        status = await stage.until(lambda status: status.phase is Phase.ROLLED_BACK)
    assert status.stable
    assert status.stable.hash == stable
    assert "failed check golden" in status.history[0].sentence
    assert "12 of 100 answers differ" in status.history[0].sentence


async def test_a_restarted_operator_finds_the_job_again(stage: Stage) -> None:
    async with stage.operator():
        _, job = await at_the_check(stage)
    async with stage.operator():
        await asyncio.sleep(2)
        await finish(stage, job, "Complete")
        await stage.until(lambda status: status.step == "3/3")
    assert len(await stage.user.list("Job", stage.namespace)) == 2  # the user's, and one copy


async def test_a_running_check_never_delays_a_rollback(stage: Stage) -> None:
    async with stage.operator():
        await at_the_check(stage)
        status = await stage.until(lambda status: any(c.reason == "Checking" for c in status.conditions))
        assert status.candidate
        stage.meter.spoil(status.candidate.hash, one_in=1)
        after = await stage.until(lambda status: status.phase is Phase.ROLLED_BACK)
    assert "burns its error budget" in after.history[0].sentence
