"""A route that was there before: it is taken over as it is, and given back as it was."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.kube.errors import Refused
from seatrial.rollout.decision import Division, Fallback
from tests.unit.traffic.gateway import NEW, OLD, OWNER, PARENT, Gateway, answered, stored

if TYPE_CHECKING:
    from seatrial.rollout.world import RouteView

Raw = dict[str, Any]
SERVICE = {"name": "fraud", "port": 8080}
ADOPTING: Raw = {**OWNER, "spec": {**OWNER["spec"], "adopt": {"deployment": "fraud", "backendRef": SERVICE}}}
ADOPTED: Raw = {**ADOPTING, "status": {"adoption": {"state": "Adopted"}}}
ACTIVE, WAITING = Fallback("fraud", 8080, active=True), Fallback("fraud", 8080)
FILTER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-team", "value": "risk"}]}}
DOCS = {"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]}
SCORE = {
    "matches": [{"path": {"type": "PathPrefix", "value": "/score"}}],
    "filters": [FILTER],
    "timeouts": {"request": "2s"},
    "backendRefs": [SERVICE],
}


def theirs(*rules: Raw, **spec: Any) -> Raw:
    """Write the route as its owner has applied it."""
    written = {
        "parentRefs": [PARENT],
        "hostnames": ["fraud.example.com"],
        "rules": list(rules or (DOCS, SCORE)),
        **spec,
    }
    meta = {"name": "fraud", "namespace": "ml", "uid": "u-9", "labels": {"team": "risk"}}
    manifest = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": written}
    return stored(manifest, status=answered())


def scene(route: Raw | None, owner: Raw = ADOPTING) -> Gateway:
    gateway = Gateway(owner)
    if route:
        gateway.routes["fraud"] = route
    return gateway


def view(gateway: Gateway) -> RouteView:
    found = gateway.router.read(gateway.owner, gateway.seen)
    assert found
    return found


def test_both_ways_change_nothing_but_the_backends_and_leave_the_route_as_it_was() -> None:
    gateway = scene(theirs())
    before = copy.deepcopy(gateway.routes["fraud"]["spec"])
    assert view(gateway).weights == {}
    for division, score in (
        (Division({OLD: 100}, fallback=ACTIVE), {"fraud": 100}),
        (Division({OLD: 100}, fallback=WAITING), {OLD: 100}),
        (Division({OLD: 100}), {OLD: 100}),
        (Division({OLD: 90, NEW: 10}), {OLD: 90, NEW: 10}),
        (Division({OLD: 100}, fallback=WAITING), {OLD: 100}),
        (Division({OLD: 100}, fallback=ACTIVE), {"fraud": 100}),
    ):
        assert gateway.carry(division) == 1
        assert gateway.leads(path="/score/1") == score
        assert gateway.leads(path="/docs") == {"docs": 1}
        rule = gateway.rule_for(path="/score/1") or {}
        assert (rule["filters"], rule["timeouts"], len(gateway.rules)) == ([FILTER], {"request": "2s"}, 2)
        assert "ownerReferences" not in gateway.routes["fraud"]["metadata"]
        assert view(gateway).carries(division)
        assert gateway.carry(division) == 0
    alone = Division({}, fallback=ACTIVE)
    assert gateway.carry(alone) == 1
    assert gateway.routes["fraud"]["spec"] == before
    assert view(gateway).weights == {}
    assert gateway.carry(alone) == 0


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        (None, "there must be an HTTPRoute ml/fraud with a rule that leads to Service fraud, port 8080, and nowhere"),
        (theirs(DOCS), "there must be an HTTPRoute ml/fraud with a rule"),
        (theirs(SCORE, {"backendRefs": [SERVICE, {"name": "docs", "port": 80}]}), "fraud and elsewhere: split it"),
        (theirs(hostnames=["else.example.com"]), "must name the parentRefs and hostnames of HTTPRoute ml/fraud"),
    ],
)
def test_what_can_not_be_taken_over_without_harm_is_left_alone(route: Raw | None, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        scene(route).carry(Division({OLD: 100}, fallback=ACTIVE))


def test_once_adopted_a_route_that_somebody_has_deleted_is_made_anew() -> None:
    gateway = scene(None, ADOPTED)
    assert gateway.carry(Division({OLD: 100})) == 1
    assert gateway.leads() == {OLD: 100}
