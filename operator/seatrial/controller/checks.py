"""Checks of a candidate: each runs beside the ticks, so that none of them can ever hold up a rollback.

A look starts the check of the step that the trial stands at, and tells how it goes. Everything lives in the cluster or
with the service that is asked: a restarted operator finds the Job again, or asks with the same idempotency key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.api.status import Phase
from seatrial.api.trial import CheckRun
from seatrial.kube.errors import Conflict, KubeError
from seatrial.kube.jobs import CANDIDATE, STABLE, check_job, job_name, outcome
from seatrial.kube.workloads import SERVICE_PORT, name_of
from seatrial.rollout.steps import current_step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.strategy import Check
    from seatrial.api.trial import Trial
    from seatrial.controller.cache import Key
    from seatrial.kube.client import Kube
    from seatrial.notify.webhook import Webhooks

POLL_S = 2.0
RETRY_S = 5.0


@dataclass(slots=True)
class Run:
    """A check that was started: which one, its task, and what is known of it."""

    name: str
    task: asyncio.Task[None]
    known: CheckRun


class Checks:
    """Runs the checks of all ModelDeployments, at most one for each."""

    def __init__(self, kube: Kube, webhooks: Webhooks) -> None:
        self._kube = kube
        self._webhooks = webhooks
        self._runs: dict[Key, Run] = {}

    def look(self, key: Key, raw: Mapping[str, Any], status: ModelDeploymentStatus) -> CheckRun | None:
        """Tell how the check of the current step goes, and start it if need be; None when the step has none."""
        trial, step = status.trial, current_step(status)
        if status.phase is not Phase.TRIAL or not trial or not step or not step.check or trial.step_since is None:
            self.forget(key)
            return None
        if trial.check and trial.check.state != "Running":
            return trial.check
        name = job_name(raw, trial.version.hash, trial.step_index, trial.started_at)
        run = self._runs.get(key)
        if step.check.webhook and not _address(raw, trial.step_index, step.check):
            self.forget(key)
            return CheckRun(step.check.name, "Running", "the spec has no address of this check any more")
        if run is None or run.name != name:
            self.forget(key)
            task = asyncio.create_task(self._run(key, raw, status, trial, step.check), name=f"check {name}")
            run = Run(name, task, CheckRun(step.check.name, "Running", "it is being started"))
            self._runs[key] = run
        return run.known

    def forget(self, key: Key) -> None:
        """Leave a check alone whose trial has gone on or ended; its Job goes with the ModelDeployment, or in a day."""
        run = self._runs.pop(key, None)
        if run:
            run.task.cancel()

    async def _run(
        self, key: Key, raw: Mapping[str, Any], status: ModelDeploymentStatus, trial: Trial, check: Check
    ) -> None:
        """Bring a check to its end; what the cluster can't do now is tried again."""
        name = job_name(raw, trial.version.hash, trial.step_index, trial.started_at)
        hosts = {
            CANDIDATE: _host(raw, trial.version.hash),
            STABLE: _host(raw, status.stable.hash if status.stable else ""),
        }
        while True:
            try:
                if check.job:
                    found = await self._job(key, raw, check, name, hosts)
                else:
                    found = await self._ask(raw, status, trial, check, name, hosts)
            except KubeError as error:
                found = CheckRun(check.name, "Running", error.sentence)
            self._runs[key].known = found
            if found.state != "Running":
                return
            await asyncio.sleep(POLL_S if check.job else RETRY_S)

    async def _job(
        self, key: Key, raw: Mapping[str, Any], check: Check, name: str, hosts: Mapping[str, str]
    ) -> CheckRun:
        running = await self._kube.get("Job", key.namespace, name)
        if running is None:
            template = await self._kube.get("Job", key.namespace, str(check.job))
            if template is None:
                missing = f"Job {check.job} is missing in this namespace: apply it, suspended"
                return CheckRun(check.name, "Running", missing)
            try:
                running = await self._kube.create(check_job(raw, template, name, hosts, check.timeout))
            except Conflict:  # somebody was faster: the operator before this one
                return CheckRun(check.name, "Running", f"Job {name} was just made")
        state, sentence = outcome(running)
        return CheckRun(check.name, state, sentence)

    async def _ask(
        self,
        raw: Mapping[str, Any],
        status: ModelDeploymentStatus,
        trial: Trial,
        check: Check,
        name: str,
        hosts: Mapping[str, str],
    ) -> CheckRun:
        if problem := self._webhooks.problem:
            return CheckRun(check.name, "Running", problem)
        body = {
            "namespace": raw["metadata"]["namespace"],
            "name": raw["metadata"]["name"],
            "check": check.name,
            "candidate": {"hash": trial.version.hash, "version": trial.version.label, "host": hosts[CANDIDATE]},
            "stable": {"hash": status.stable.hash if status.stable else None, "host": hosts[STABLE]},
            "step": trial.step_index + 1,
        }
        url = _address(raw, trial.step_index, check)
        said = await self._webhooks.post(url, body, idempotency_key=name, within_s=check.timeout)
        return CheckRun(check.name, "Passed" if said.agreed else "Failed", said.sentence)


def _address(raw: Mapping[str, Any], index: int, check: Check) -> str:
    """Find where a check is posted to, by its name in the spec as it is now: as it may hold a token, no plan has it."""
    steps = raw["spec"]["strategy"]["steps"]
    asked = [step.get("check") or {} for step in (*steps[index : index + 1], *steps)]
    return next((str(one["webhook"]["url"]) for one in asked if one.get("name") == check.name and "webhook" in one), "")


def _host(raw: Mapping[str, Any], version: str) -> str:
    """Say where a version answers inside the cluster."""
    return f"{name_of(raw, version)}.{raw['metadata']['namespace']}.svc:{SERVICE_PORT}"
