"""At rest: whatever the number of models, nothing is asked, nothing is written, nothing is told."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING

from seatrial.api.status import Phase

if TYPE_CHECKING:
    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

MODELS = 50
REST_S = 10
FIRST = ["Deploying", "Deployed"]
OURS = {"modeldeployments", "modelslos", "httproutes", "deployments", "services", "pods", "events", "leases"}
ITS_OWN = {"LIST services"}
"""The API server lists Services every few minutes to check its addresses, and its controllers keep Leases of theirs."""
COUNTER = re.compile(
    r'apiserver_request_total\{.*?resource="(?P<resource>\w*)".*?verb="(?P<verb>\w+)".*?\} (?P<count>\S+)'
)


def requests(api_server: ApiServer, namespaced: set[str]) -> Counter[str]:
    """Read from the API server itself how often it was asked, watches left out."""
    page = api_server.kubectl("get", "--raw", "/metrics").stdout
    counts: Counter[str] = Counter()
    for found in COUNTER.finditer(page):
        if found["resource"] in namespaced and found["verb"] != "WATCH":
            counts[f"{found['verb']} {found['resource']}"] += int(float(found["count"]))
    assert counts, "the API server's own counters were not understood"
    return counts


async def test_many_models_at_rest_cost_no_request_but_the_watches(stage: Stage, api_server: ApiServer) -> None:
    async with stage.operator() as kube:
        for number in range(MODELS):
            await stage.deploy("1", f"m{number}")
        for number in range(MODELS):
            await stage.until(
                lambda status: (
                    status.phase is Phase.STABLE
                    and "False" not in [c.status for c in status.conditions if c.type != "Progressing"]
                ),
                f"m{number}",
                within_s=60,
            )
        await asyncio.sleep(1)
        stage.quiet = True
        await asyncio.sleep(1)
        before = {
            item["metadata"]["name"]: item["metadata"]["resourceVersion"]
            for item in await stage.user.list("ModelDeployment", stage.namespace)
        }
        told = [await stage.events(name) for name in before]
        assert [(name, reasons) for name, reasons in zip(before, told, strict=True) if reasons != FIRST] == []
        loop = asyncio.get_running_loop()
        asked, called = await loop.run_in_executor(None, requests, api_server, OURS), len(kube.calls)
        await asyncio.sleep(REST_S)
        assert kube.calls[called:] == []
        more = await loop.run_in_executor(None, requests, api_server, OURS) - asked
        assert [what for what in more if what not in ITS_OWN and not what.endswith(" leases")] == []
        after = {
            item["metadata"]["name"]: item["metadata"]["resourceVersion"]
            for item in await stage.user.list("ModelDeployment", stage.namespace)
        }
        assert after == before
        assert [await stage.events(name) for name in before] == told


async def test_while_only_counts_change_a_status_is_written_now_and_then(stage: Stage) -> None:
    long = [{"weight": 10, "for": "1h"}]
    async with stage.operator(status_s=4) as kube:
        first = await stage.deploy("1", spec__strategy__steps=long)
        await stage.until(
            lambda status: status.phase is Phase.STABLE and status.stable is not None and status.stable.hash == first
        )
        second = await stage.deploy("2", spec__strategy__steps=long)
        await stage.until(
            lambda status: (
                status.verdict == "Healthy" and status.weight == 10 and bool(status.trial and status.trial.step_since)
            )
        )
        await asyncio.sleep(1)
        total = (await stage.status()).trial
        writes = len([call for call in kube.calls if call.writes])
        await asyncio.sleep(9)
        made = [f"{call.method} {call.resource}" for call in kube.calls if call.writes][writes:]
        later = (await stage.status()).trial
    assert made == ["PUT modeldeployments/status"] * len(made)
    assert 2 <= len(made) <= 3
    assert total is not None
    assert later is not None
    assert later.evidence[0].total > total.evidence[0].total
    assert later.version.hash == second
