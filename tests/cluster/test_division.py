"""What a real gateway makes of a division of traffic: groups, sticky users, copies, previews and a fallback."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from seatrial.kube.client import Kube
from seatrial.kube.workloads import MANAGED_BY, VERSION_LABEL, labels_of, name_of, service
from seatrial.rollout.decision import Division, Fallback, Group, Mirror, Preview, Stickiness
from seatrial.traffic.httproute import KIND, HttpRouteRouter, preview_name
from seatrial.traffic.router import Apply, Remove, Seen
from tests.cluster.test_route import kubectl, owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["owner"]  # a fixture
pytestmark = pytest.mark.cluster

OLD, NEW = "bbbbbbbbbb", "cccccccccc"
ALL_OLD, HALF = {OLD: 100, NEW: 0}, {OLD: 50, NEW: 50}
IMAGE = "seatrial/demo-model:dev"
ECHO = """
import http.server, os
seen = 0
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global seen
        seen += self.path == "/ask"
        body = (str(seen) if self.path == "/seen" else os.environ["NAME"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Echo).serve_forever()
"""
SETTLES_S = 20.0
router = HttpRouteRouter()


class Sea:
    """Two versions and a fallback that say who they are, behind the real gateway."""

    def __init__(self, kube: Kube, owner: dict[str, Any]) -> None:
        self.kube = kube
        self.owner = owner
        self.host = owner["spec"]["traffic"]["gateway"]["hostnames"][0]
        self.namespace = owner["metadata"]["namespace"]

    async def seen(self) -> Seen:
        names = (self.owner["metadata"]["name"], preview_name(self.owner))
        found = [await self.kube.get(KIND, self.namespace, name) for name in names]
        return Seen(routes={route["metadata"]["name"]: route for route in found if route})

    async def carry(self, division: Division) -> None:
        """Bring a division into force and wait for the gateway's word and its proxy."""
        for change in router.changes(self.owner, division, await self.seen()):
            if isinstance(change, Apply):
                await self.kube.apply(change.manifest, force=change.force)
            elif isinstance(change, Remove):
                meta = change.live["metadata"]
                await self.kube.delete(KIND, self.namespace, meta["name"], uid=meta["uid"])
        view = None
        for _ in range(int(SETTLES_S / 0.2)):
            view = router.read(self.owner, await self.seen())
            if view and view.carries(division) and view.programmed:
                break
            await asyncio.sleep(0.2)
        else:
            pytest.fail(f"the gateway did not take {division}: {view}")
        await asyncio.sleep(1)  # from Contour to Envoy

    def ask(self, host: str = "", path: str = "/ask", **headers: str) -> tuple[str, str]:
        """Ask through the gateway; return who answered and the cookie that came with it."""
        gateway = urlsplit(os.environ["SEATRIAL_GATEWAY"])
        connection = http.client.HTTPConnection(gateway.hostname or "", gateway.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host or self.host, **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
            return (text if answer.status == 200 else str(answer.status)), answer.getheader("Set-Cookie") or ""
        finally:
            connection.close()

    def shares(self, count: int = 60, **headers: str) -> Counter[str]:
        return Counter(self.ask(**headers)[0] for _ in range(count))

    def copies(self, version: str) -> int:
        """Ask the pod of a version itself how many requests it has seen."""
        which = f"--selector={VERSION_LABEL}={version}"
        address = kubectl("get", "pods", which, "-n", self.namespace, "-o=jsonpath={.items[0].status.podIP}")
        connection = http.client.HTTPConnection(address, 8080, timeout=10)
        try:
            connection.request("GET", "/seen")
            return int(connection.getresponse().read())
        finally:
            connection.close()


@pytest.fixture
async def sea(owner: dict[str, Any]) -> AsyncIterator[Sea]:
    async with Kube() as kube:
        for version in (OLD, NEW, "rules"):
            pod = labels_of(owner, version)
            container = {
                "name": "echo",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/opt/model/bin/python", "-c", ECHO],
                "env": [{"name": "NAME", "value": version}],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
            }
            manifest = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name_of(owner, version), "namespace": owner["metadata"]["namespace"]},
                "spec": {
                    "selector": {"matchLabels": pod},
                    "template": {
                        "metadata": {"labels": {**pod, **MANAGED_BY}},
                        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
                    },
                },
            }
            await kube.apply(manifest)
            await kube.apply(service(owner, version, 8080))
        for version in (OLD, NEW, "rules"):
            name = f"deployment/{name_of(owner, version)}"
            kubectl("rollout", "status", name, "-n", owner["metadata"]["namespace"], "--timeout=50s")
        yield Sea(kube, owner)


async def test_a_group_goes_to_the_candidate_by_header_or_by_cookie(sea: Sea) -> None:
    await sea.carry(Division(ALL_OLD, group=Group(NEW, "beta", header="x-group")))
    assert sea.shares(10, **{"x-group": "beta"}) == {NEW: 10}
    assert sea.shares(10) == sea.shares(10, **{"x-group": "betamax"}) == {OLD: 10}
    await sea.carry(Division(ALL_OLD, group=Group(NEW, "b+a", cookie="group")))
    assert sea.shares(10, Cookie="a=1; group=b+a; z=2") == {NEW: 10}
    assert sea.shares(10, Cookie="group=bba") == {OLD: 10}


async def test_users_stay_with_their_version_until_they_are_dealt_anew_or_rolled_back(sea: Sea) -> None:
    await sea.carry(Division(HALF, sticky=Stickiness("seat", 600.0, "1")))
    users = [sea.ask() for _ in range(40)]
    assert {version for version, _ in users} == {OLD, NEW}
    for version, cookie in users:
        assert re.fullmatch(f"seat={version}-1; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", cookie)
    known = {version: cookie.split(";")[0] for version, cookie in users}
    for version, cookie in known.items():
        assert sea.shares(10, Cookie=f"a=b; {cookie}") == {version: 10}
    await sea.carry(Division(HALF, sticky=Stickiness("seat", 600.0, "2")))
    assert set(sea.shares(40, Cookie=known[NEW])) == {OLD, NEW}
    new = next(cookie for version, cookie in (sea.ask() for _ in range(60)) if version == NEW).split(";")[0]
    assert sea.shares(5, Cookie=new) == {NEW: 5}
    await sea.carry(Division(ALL_OLD))
    assert sea.shares(20, Cookie=new) == {OLD: 20}


async def test_requests_are_copied_to_the_candidate_and_only_stable_answers(sea: Sea) -> None:
    await sea.carry(Division(ALL_OLD))
    before = sea.copies(NEW)
    await sea.carry(Division(ALL_OLD, mirror=Mirror(NEW, 100)))
    assert sea.shares(40) == {OLD: 40}
    await asyncio.sleep(1)
    assert sea.copies(NEW) - before == 40


async def test_contour_copies_all_or_none_and_so_copies_none_when_a_part_is_asked_for(sea: Sea) -> None:
    """When this fails, Contour has learnt percentages: take it off answers.COPY_ALL_OR_NONE."""
    await sea.carry(Division(ALL_OLD))
    before = sea.copies(NEW)
    await sea.carry(Division(ALL_OLD, mirror=Mirror(NEW, 10)))
    assert sea.shares(40) == {OLD: 40}
    view = router.read(sea.owner, await sea.seen())
    assert view
    assert "copies all requests or none, not 10 %" in str(view.unable)
    assert sea.copies(NEW) == before


async def test_a_preview_has_host_names_of_its_own_and_goes_afterwards(sea: Sea) -> None:
    host = f"new-{secrets.token_hex(3)}.example.com"
    await sea.carry(Division(ALL_OLD, preview=Preview(NEW, (host,))))
    assert sea.ask(host) == (NEW, "")
    assert sea.shares(10) == {OLD: 10}
    await sea.carry(Division(ALL_OLD))
    assert sea.ask(host)[0] == "404"


async def test_the_fallback_answers_everything_once_it_is_active(sea: Sea) -> None:
    fallback = Fallback(name_of(sea.owner, "rules"), 80)
    await sea.carry(Division(HALF, fallback=fallback))
    assert set(sea.shares(40)) == {OLD, NEW}
    await sea.carry(Division(HALF, fallback=Fallback(fallback.name, fallback.port, active=True)))
    assert sea.shares(20) == {"rules": 20}
    await sea.carry(Division(HALF, fallback=fallback))
    assert set(sea.shares(40)) == {OLD, NEW}
