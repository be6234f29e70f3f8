"""Means compared on the buckets that a real Prometheus has, whatever happens to pods and to the operator."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase, dump
from seatrial.api.trial import Trial, VersionRef
from seatrial.judge.types import Verdict
from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import PrometheusSource
from seatrial.rollout.counts import request_for
from seatrial.rollout.evidence import weigh
from tests.prometheus.test_counting import HORIZONS, V1, V2
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.api.trial import ObjectiveEvidence
    from seatrial.metrics.prometheus import RawSeries
    from tests.prometheus.pods import Pod, Pods
    from tests.prometheus.server import PrometheusServer

LATENCY = {
    "name": "latency",
    "target": "50",
    "rollback": {"burnRate": "1.5"},
    "sli": {"template": "http-latency", "threshold": "250ms"},
    "compare": {"to": "stable", "margin": "5", "mean": {}},
}


class Operator(Prometheus):
    """What the operator keeps: a source in memory, and a status that survives it, written as JSON at each look."""

    def __init__(self, url: str, objective: Mapping[str, Any] = LATENCY) -> None:
        super().__init__(FixedConnection(url), timeout_s=5)
        self.queries = 0
        plan = b.plan_of(b.SPEC, scorer={"objectives": [objective]})
        now_s = round(time.time(), 3)
        trial = Trial(VersionRef(V2, "2"), now_s, plan, weighted_at=now_s)
        self.status = ModelDeploymentStatus(
            phase=Phase.TRIAL, stable=VersionRef(V1, "1"), candidate=trial.version, trial=trial
        )
        self.restart()

    def restart(self) -> None:
        self.source = PrometheusSource(self, 0, time.time, HORIZONS)

    @override
    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        self.queries += 1
        return await super().query(promql, at_s)

    async def look(self) -> ObjectiveEvidence:
        trial = self.status.trial
        assert trial
        measured = await self.source.measure(request_for("ml", "model", V2, V1, trial))
        trial = replace(trial, evidence=weigh(trial, V2, V1, measured, fresh_s=10.0))
        written = dump(DEPLOYMENT_STATUS, replace(self.status, trial=trial))
        self.status = DEPLOYMENT_STATUS.validate_python(written)
        assert self.status.trial
        return self.status.trial.evidence[0]

    async def until(self, wanted: Callable[[ObjectiveEvidence], bool]) -> ObjectiveEvidence:
        """Look until it is so: on a busy machine, what the last look saw is shared for up to five seconds."""
        entry = await self.look()
        for _ in range(60):
            if wanted(entry):
                break
            await asyncio.sleep(0.25)
            entry = await self.look()
        return entry

    async def counted(self, candidate: tuple[int, ...], stable: tuple[int, ...]) -> None:
        """Look until both sides' totals, and what lies above 0.1, 0.25 and 1 s, are these."""
        entry = await self.until(lambda entry: _above(entry) == (candidate, stable))
        assert _above(entry) == (candidate, stable)


def _above(entry: ObjectiveEvidence) -> tuple[tuple[int, ...], ...]:
    if entry.mean is None:
        return ()
    assert entry.mean.edges == ("100ms", "250ms", "1s")
    return tuple((one.total, *one.above) for one in (entry.mean.candidate, entry.mean.stable))


def _settled(entry: ObjectiveEvidence) -> bool:
    return entry.mean is not None and entry.mean.candidate_settled.total == 89


def answer(pod: Pod, **times: int) -> None:
    """Answer so many requests fast (10 ms), usual (200 ms), slow (500 ms) or late (7 s)."""
    for kind, count in times.items():
        for _ in range(count):
            pod.page.answer("", {"fast": 0.01, "usual": 0.2, "slow": 0.5, "late": 7.0}[kind])


async def test_means_are_counted_exactly_and_a_slower_version_is_found(
    server: PrometheusServer, pods: Pods, one: Pod
) -> None:
    answer(one, fast=300, late=50)
    pods.scraped(one)
    operator = Operator(server.url)
    await asyncio.sleep(0.3)
    new = pods.start("new", version=V2)
    answer(one, fast=10, usual=5)
    answer(new, fast=40, slow=30, late=10)
    pods.scraped(one, new)
    for _ in range(2):
        await operator.counted((80, 40, 40, 10), (15, 5, 0, 0))
        operator.restart()
    new.restart()
    answer(new, usual=7, late=2)
    pods.scraped(new)
    await operator.counted((89, 49, 42, 12), (15, 5, 0, 0))
    await asyncio.sleep(2)
    pods.scraped(one, new)
    await operator.until(_settled)
    operator.queries = 0
    for _ in range(3):
        await operator.look()
    assert operator.queries <= 3, "one a look: nothing is read again while the status comes back as it was written"
    operator.restart()
    entry = await operator.until(lambda entry: entry.verdict == Verdict.Inconclusive)
    assert _settled(entry)
    assert entry.mean
    assert entry.mean.candidate.above == (49, 42, 12)
    assert entry.verdict == Verdict.Inconclusive
    assert "of stable: the evidence for worse by more than 5 %" in entry.sentence
    answer(one, fast=900, usual=100)
    answer(new, fast=300, usual=100, slow=60)
    pods.scraped(one, new)
    entry = await operator.until(lambda entry: entry.verdict == Verdict.Burning)
    assert entry.verdict == Verdict.Burning
    assert ": worse by more than 5 %; chance explains that less than once in" in entry.sentence
    operator.close()
