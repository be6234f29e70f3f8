"""The client against a real API server: what is written, what is left alone, and which error comes of what."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict, Gone, Refused, Unavailable
from seatrial.kube.resources import RESOURCES
from seatrial.kube.workloads import deployment, service
from seatrial.rollout.decision import Division
from seatrial.traffic.httproute import build
from tests.apiserver.relay import Relay
from tests.apiserver.samples import DEPLOYMENT, SLO, changed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.apiserver.conftest import ApiServer

VERSION = "bbbbbbbbbb"


@pytest.fixture
def namespace(api_server: ApiServer, request: pytest.FixtureRequest) -> str:
    name = f"kube-{abs(hash(request.node.nodeid)) % 10**9}"
    assert api_server.kubectl("create", "namespace", name).returncode == 0
    return name


@pytest.fixture
async def relay(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """Lead all ways to the API server through a relay."""
    async with Relay(int(api_server.url.rpartition(":")[2])).running() as relay:
        monkeypatch.setenv("KUBECONFIG", str(relay.kubeconfig(api_server.kubeconfig, tmp_path)))
        yield relay


@pytest.fixture
async def owner(kube: Kube, namespace: str) -> dict[str, Any]:
    return await kube.create(changed(DEPLOYMENT, metadata__namespace=namespace))


def version_of(owner: dict[str, Any], template: dict[str, Any] | None = None) -> dict[str, Any]:
    return deployment(owner, VERSION, template or owner["spec"]["template"], 3, 10, 8080)


async def test_a_second_apply_changes_nothing(kube: Kube, owner: dict[str, Any]) -> None:
    for manifest in (version_of(owner), service(owner, VERSION, 8080)):
        first, second = await kube.apply(manifest), await kube.apply(manifest)
        assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_apply_leaves_fields_of_others_alone(kube: Kube, api_server: ApiServer, owner: dict[str, Any]) -> None:
    made = await kube.apply(version_of(owner))
    name, namespace = made["metadata"]["name"], made["metadata"]["namespace"]
    patch = {"metadata": {"annotations": {"team": "risk"}}, "spec": {"paused": True, "replicas": 7}}
    done = api_server.kubectl("patch", "deployment", name, "-n", namespace, "--type=merge", f"-p={json.dumps(patch)}")
    assert done.returncode == 0, done.stderr
    after = await kube.apply(version_of(owner))
    assert after["metadata"]["annotations"]["team"] == "risk"
    assert after["spec"]["paused"] is True
    assert after["spec"]["replicas"] == 3


async def test_apply_without_force_takes_nothing_from_others(
    kube: Kube, api_server: ApiServer, owner: dict[str, Any]
) -> None:
    theirs = service(owner, VERSION, 9000)
    done = api_server.kubectl("create", "-f", "-", stdin=theirs)
    assert done.returncode == 0, done.stderr
    with pytest.raises(Conflict):
        await kube.apply(service(owner, VERSION, 8080), force=False)


async def test_scaling_changes_replicas_alone_and_a_later_apply_goes_on_from_it(
    kube: Kube, owner: dict[str, Any]
) -> None:
    made = await kube.apply(version_of(owner))
    where = made["metadata"]["namespace"], made["metadata"]["name"]
    await kube.scale(*where, 0)
    scaled = await kube.get("Deployment", *where)
    assert scaled is not None
    assert scaled["spec"] == {**made["spec"], "replicas": 0}
    assert (await kube.apply(version_of(owner)))["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"imagePullPolcy": "Always"}, "imagePullPolcy: field not declared in schema"),
        ({"env": [{"name": "A", "value": 1}]}, "expected string"),
        ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, 'duplicate entries for key [name="A"]'),
        ({"name": "no_such_name"}, "lowercase RFC 1123 label"),
        ({"image": ""}, "image: Required value"),
    ],
)
async def test_a_template_that_kubernetes_will_not_take_is_refused_with_its_reason(
    kube: Kube, owner: dict[str, Any], container: dict[str, Any], words: str
) -> None:
    template = {"spec": {"containers": [{"name": "model", "image": "m:1", **container}]}}
    with pytest.raises(Refused) as refused:
        await kube.apply(version_of(owner, template))
    assert refused.value.sentence.startswith(f"Can't apply Deployment {owner['metadata']['namespace']}/fraud-scorer-")
    assert words in refused.value.sentence


async def test_a_status_is_written_alone(kube: Kube, owner: dict[str, Any]) -> None:
    edited = {**copy.deepcopy(owner), "status": {"phase": "Stable"}}
    edited["spec"]["replicas"] = 99
    written = await kube.replace_status(edited)
    assert written["status"] == {"phase": "Stable"}
    assert written["spec"] == owner["spec"]


async def test_a_status_serves_both_kinds(kube: Kube, namespace: str) -> None:
    slo = await kube.create(changed(SLO, metadata__namespace=namespace))
    assert (await kube.replace_status({**slo, "status": {"objectives": 3}}))["status"] == {"objectives": 3}


async def test_a_status_decided_on_an_older_object_is_a_conflict(
    kube: Kube, api_server: ApiServer, owner: dict[str, Any]
) -> None:
    namespace = owner["metadata"]["namespace"]
    assert api_server.kubectl("annotate", "md", "fraud-scorer", "-n", namespace, "seen=yes").returncode == 0
    with pytest.raises(Conflict):
        await kube.replace_status({**owner, "status": {"phase": "Stable"}})
    assert "status" not in api_server.get("md", "fraud-scorer", "-n", namespace)


async def test_a_status_of_a_deleted_object_goes_nowhere_not_even_to_its_successor(
    kube: Kube, api_server: ApiServer, owner: dict[str, Any]
) -> None:
    namespace = owner["metadata"]["namespace"]
    assert api_server.kubectl("delete", "md", "fraud-scorer", "-n", namespace).returncode == 0
    with pytest.raises(Gone):
        await kube.replace_status({**owner, "status": {"phase": "Stable"}})
    successor = await kube.create(changed(DEPLOYMENT, metadata__namespace=namespace))
    mixed = {**owner["metadata"], "resourceVersion": successor["metadata"]["resourceVersion"]}
    with pytest.raises(Conflict):
        await kube.replace_status({**owner, "metadata": mixed, "status": {"phase": "Stable"}})


async def test_a_status_without_resource_version_is_a_bug_not_a_write(kube: Kube, owner: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="resourceVersion"):
        await kube.replace_status({**owner, "metadata": {**owner["metadata"], "resourceVersion": ""}, "status": {}})


async def test_delete_takes_the_object_that_was_seen_and_no_other(kube: Kube, owner: dict[str, Any]) -> None:
    made = await kube.apply(version_of(owner))
    where = made["metadata"]["namespace"], made["metadata"]["name"]
    await kube.delete("Deployment", *where, uid="00000000-0000-0000-0000-000000000000")
    assert await kube.get("Deployment", *where) is not None
    for _ in range(2):  # the second time it is gone already, which is as good
        await kube.delete("Deployment", *where, uid=made["metadata"]["uid"])
        assert await kube.get("Deployment", *where) is None


async def test_an_event_is_what_describe_shows(kube: Kube, api_server: ApiServer, owner: dict[str, Any]) -> None:
    await kube.emit(owner, severity="Warning", reason="RolledBack", note="Version 7 answered 5 % of requests with 500.")
    shown = api_server.kubectl("describe", "md", "fraud-scorer", "-n", owner["metadata"]["namespace"]).stdout
    line = next(line for line in shown.splitlines() if "RolledBack" in line)
    # The age is a number of seconds, not "<unknown>".
    assert re.fullmatch(r" +Warning +RolledBack +\d+s +seatrial\.dev/operator +Version 7 answered .*", line)


async def test_a_list_holds_what_carries_the_labels(kube: Kube, owner: dict[str, Any]) -> None:
    made = await kube.apply(service(owner, VERSION, 8080))
    namespace = owner["metadata"]["namespace"]
    for where in (namespace, None):
        found = await kube.list("Service", where, f"seatrial.dev/version={VERSION}")
        assert made["metadata"]["uid"] in [each["metadata"]["uid"] for each in found]
    assert await kube.list("Service", namespace, "seatrial.dev/version=none") == []


async def test_what_is_absent_is_none(kube: Kube, namespace: str) -> None:
    assert await kube.get("Service", namespace, "nothing") is None


async def test_creating_twice_is_a_conflict(kube: Kube, owner: dict[str, Any]) -> None:
    with pytest.raises(Conflict):
        await kube.create(changed(DEPLOYMENT, metadata__namespace=owner["metadata"]["namespace"]))


async def test_a_namespace_that_is_going_or_gone_makes_everything_in_it_gone(
    kube: Kube, api_server: ApiServer, owner: dict[str, Any]
) -> None:
    manifest = service(owner, VERSION, 8080)
    # No controller runs here that would empty the namespace, so it stays in this state.
    api_server.kubectl("delete", "namespace", owner["metadata"]["namespace"], "--wait=false")
    with pytest.raises(Gone):
        await kube.apply(manifest)
    manifest["metadata"]["namespace"] = "never-there"
    with pytest.raises(Gone):
        await kube.apply(manifest)


async def test_a_kind_that_the_cluster_does_not_serve_is_named(
    kube: Kube, owner: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests install the Gateway API's CRDs into this server; nobody installs a version 9 of them.
    unserved = replace(RESOURCES["HTTPRoute"], api_version="gateway.networking.k8s.io/v9")
    monkeypatch.setitem(RESOURCES, "HTTPRoute", unserved)
    with pytest.raises(Refused, match="install its CRDs"):
        await kube.apply(build(owner, Division({VERSION: 100}), None))


async def test_a_missing_crd_is_noticed(kube: Kube, api_server: ApiServer) -> None:
    crd = api_server.get("crd", "modelslos.seatrial.dev")
    assert await kube.crd_exists()
    api_server.kubectl("delete", "crd", "modelslos.seatrial.dev")
    try:
        assert not await kube.crd_exists()
    finally:
        fresh = {**crd, "metadata": {"name": crd["metadata"]["name"]}}
        api_server.kubectl("apply", "--server-side", "-f", "-", stdin=fresh)
        api_server.kubectl("wait", "--for=condition=Established", "crd/modelslos.seatrial.dev", "--timeout=20s")
        api_server.get("modelslos.seatrial.dev", "-A")  # kubectl sits out the seconds in which its storage is made


async def test_an_api_server_that_does_not_answer_is_unavailable_in_time(
    api_server: ApiServer,
    relay: Relay,
) -> None:
    async with Kube(deadline_s=0.5) as kube:
        assert await kube.crd_exists()
        relay.hang()
        started_s = time.monotonic()
        with pytest.raises(Unavailable, match=r"no answer within 0\.5 s"):
            await kube.get("Service", "default", "kubernetes")
        assert time.monotonic() - started_s < 10  # the client alone would wait for minutes
        relay.resume()
        relay.cut()
        assert await kube.get("Service", "default", "kubernetes") is not None
    async with Kube() as kube:
        relay.target_port = 1  # nobody listens there
        with pytest.raises(Unavailable) as unavailable:
            await kube.get("Service", "default", "kubernetes")
    token = json.loads(api_server.kubeconfig.read_text())["users"][0]["user"]["token"]
    assert token not in str(unavailable.value)
    assert unavailable.value.sentence.startswith("Can't read Service default/kubernetes: ")


async def test_without_credentials_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(Refused, match="set KUBECONFIG"):
        async with Kube():
            pass


async def test_calls_wait_in_line_but_for_those_that_decide_about_traffic_and_the_lead(
    relay: Relay,
) -> None:
    """Hundreds of models that begin together must not make each other fail, nor take the lead from the operator."""
    async with Kube(deadline_s=2.0) as kube:
        relay.hang()
        calls = [asyncio.create_task(kube.get("Service", "default", f"s{number}")) for number in range(30)]
        await asyncio.sleep(1.0)
        in_line = relay.connections
        assert in_line < len(calls)
        lead = asyncio.create_task(kube.get("Lease", "default", "none"))
        route = asyncio.create_task(kube.get("HTTPRoute", "default", "none"))
        await asyncio.sleep(0.5)
        assert relay.connections == in_line + 2
        await asyncio.wait(calls[:in_line])
        relay.resume()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers[:in_line]] == [Unavailable] * in_line
        assert answers[in_line:] == [None] * (len(calls) - in_line), "their time began with their turn"
        await asyncio.gather(lead, route, return_exceptions=True)
