"""The HTTPRoute that divides the requests by weight, and what is read back from it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.errors import Refused
from seatrial.rollout.decision import Division
from seatrial.rollout.versions import ALPHABET, LENGTH
from seatrial.traffic.httproute import HttpRouteRouter, build
from seatrial.traffic.router import Apply, Seen
from tests.unit.traffic.gateway import GOING, NEW, OLD, OWNER, PARENT, Gateway, answered, stored

if TYPE_CHECKING:
    from seatrial.rollout.world import RouteView

router = HttpRouteRouter()

versions = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


@st.composite
def divisions(draw: st.DrawFn) -> Division:
    names = draw(st.lists(versions, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    return Division({name: high - low for name, low, high in zip(names, [0, *cuts], [*cuts, 100], strict=True)})


def live(weights: dict[str, int], **changes: Any) -> dict[str, Any]:
    return stored(build(OWNER, Division(weights), None), **changes)


def read(route: dict[str, Any], owner: dict[str, Any] = OWNER) -> RouteView:
    view = router.read(owner, Seen(routes={"fraud": route}))
    assert view
    return view


@given(divisions(), divisions())
def test_what_is_built_reads_back_as_the_same_division(first: Division, second: Division) -> None:
    gateway = Gateway()
    for division in (first, second):
        gateway.carry(division)
        view = router.read(OWNER, gateway.seen)
        assert view
        assert view.weights == division.weights
        assert view.carries(division)
        assert gateway.carry(division) == 0


def test_every_version_is_named_with_its_service_also_at_weight_0_and_in_a_stable_order() -> None:
    weights = {NEW: 10, OLD: 90, GOING: 0}
    manifest = build(OWNER, Division(weights), None)
    backend = {"group": "", "kind": "Service", "port": 80}
    assert manifest["spec"] == {
        "parentRefs": [PARENT],
        "hostnames": ["fraud.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {**backend, "name": f"fraud-{OLD}", "weight": 90},
                    {**backend, "name": f"fraud-{NEW}", "weight": 10},
                    {**backend, "name": f"fraud-{GOING}", "weight": 0},
                ],
            }
        ],
    }
    assert "annotations" not in manifest["metadata"]
    assert manifest == build(OWNER, Division(dict(reversed(weights.items()))), None)


def test_without_weights_the_route_is_left_alone() -> None:
    assert router.changes(OWNER, Division({}), Seen()) == ()


def test_other_peoples_rules_matches_filters_and_timeouts_stay_where_they_are() -> None:
    route = live({OLD: 100})
    docs = {"matches": [{"path": {"type": "Exact", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]}
    ours = route["spec"]["rules"][0]
    ours["timeouts"] = {"request": "2s"}
    ours["filters"] = [{"type": "RequestHeaderModifier"}]
    ours["backendRefs"][0]["filters"] = [{"type": "ResponseHeaderModifier"}]
    route["spec"]["rules"] = [docs, ours]

    first, second = build(OWNER, Division({OLD: 90, NEW: 10}), route)["spec"]["rules"]

    assert first == docs
    assert {key: second[key] for key in ("timeouts", "filters", "matches")} == {
        key: ours[key] for key in ("timeouts", "filters", "matches")
    }
    old, new = second["backendRefs"]
    assert old["filters"] == [{"type": "ResponseHeaderModifier"}]
    assert (old["weight"], new["weight"]) == (90, 10)


def test_a_rule_that_somebody_removed_comes_back_behind_the_others() -> None:
    route = live({OLD: 100})
    docs = {"matches": [{"path": {"type": "Exact", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]}
    route["spec"]["rules"] = [docs]
    rules = build(OWNER, Division({OLD: 100}), route)["spec"]["rules"]
    assert rules[0] == docs
    assert [backend["name"] for backend in rules[1]["backendRefs"]] == [f"fraud-{OLD}"]


def test_all_rules_that_lead_to_the_model_get_the_weights() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100}))
    other = copy.deepcopy(gateway.rules[0])
    other["matches"] = [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    gateway.edit(rules=[*gateway.rules, other])
    gateway.carry(Division({OLD: 40, NEW: 60}))
    assert gateway.leads("fraud.example.com", "/v2/models") == {OLD: 40, NEW: 60}
    assert gateway.leads() == {OLD: 40, NEW: 60}


def test_a_rule_that_disagrees_with_the_others_is_corrected() -> None:
    """The largest weight alone would not show that one rule gives a version less than the rest."""
    gateway = Gateway()
    gateway.carry(Division({OLD: 50, NEW: 50}))
    other = copy.deepcopy(gateway.rules[0])
    other["matches"] = [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    other["backendRefs"][0]["weight"], other["backendRefs"][1]["weight"] = 50, 0
    gateway.edit(rules=[*gateway.rules, other])
    view = router.read(OWNER, gateway.seen)
    assert view
    assert not view.carries(Division({OLD: 50, NEW: 50}))
    assert gateway.carry(Division({OLD: 50, NEW: 50})) == 1


@pytest.mark.parametrize("name", ["fraud", "fraud-bbbbbbbbb", f"fraud-{OLD}-x", f"other-{OLD}", "fraud-aaaaaaaaaa"])
def test_backends_that_only_look_alike_are_not_taken_for_versions(name: str) -> None:
    route = live({OLD: 100})
    route["spec"]["rules"][0]["backendRefs"][0]["name"] = name
    assert read(route).weights == {}
    assert build(OWNER, Division({OLD: 100}), route)["spec"]["rules"][0]["backendRefs"][0]["name"] == name


def test_a_route_that_was_not_made_for_this_object_is_never_taken_over() -> None:
    route = live({OLD: 100})
    route["metadata"]["ownerReferences"][0]["uid"] = "u-0"
    with pytest.raises(Refused, match="HTTPRoute ml/fraud exists"):
        router.changes(OWNER, Division({OLD: 100}), Seen(routes={"fraud": route}))


def test_an_orphan_of_a_deployment_of_this_name_is_taken_back_with_its_weights() -> None:
    """`kubectl delete --cascade=orphan` takes the owner references away, and leaves everything running."""
    route = live({OLD: 90, NEW: 10})
    del route["metadata"]["ownerReferences"]
    change = router.changes(OWNER, Division({OLD: 100, NEW: 0}), Seen(routes={"fraud": route}))[0]
    assert isinstance(change, Apply)
    assert change.manifest["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    route["metadata"]["labels"]["seatrial.dev/model"] = "other"
    with pytest.raises(Refused, match="HTTPRoute ml/fraud exists"):
        router.changes(OWNER, Division({OLD: 100, NEW: 0}), Seen(routes={"fraud": route}))


@pytest.mark.parametrize(
    ("status", "accepted", "resolved", "problem"),
    [
        ({}, False, False, None),
        ({"status": {"parents": []}}, False, False, None),
        ({"status": answered()}, True, True, None),
        ({"status": answered(generation=1)}, False, False, None),
        ({"status": answered(name="internal")}, False, False, None),
        ({"status": answered(accepted="False")}, False, True, "The gateway says Accepted is False (Because)"),
        ({"status": answered(resolved="False")}, True, False, "The gateway says ResolvedRefs is False (Because)"),
        ({"status": answered(resolved="Unknown")}, True, False, "The gateway says ResolvedRefs is Unknown (Because)"),
    ],
)
def test_only_the_gateways_word_on_the_newest_generation_counts(
    status: dict[str, Any],
    accepted: bool,
    resolved: bool,
    problem: str | None,
) -> None:
    view = read(live({OLD: 100}, **status))
    assert (view.accepted, view.resolved, view.problem) == (accepted, resolved, problem)


def test_a_route_of_which_the_gateway_dropped_a_rule_is_not_in_force() -> None:
    route = live({OLD: 100}, status=answered())
    partly = {"type": "PartiallyInvalid", "status": "True", "reason": "RuleMatchPartiallyConflict"}
    route["status"]["parents"][0]["conditions"].append({**partly, "message": "two are alike", "observedGeneration": 2})
    view = read(route)
    assert not view.programmed
    assert view.problem == "The gateway says PartiallyInvalid is True (RuleMatchPartiallyConflict): two are alike"


def test_all_gateways_must_have_taken_the_route() -> None:
    route = live({OLD: 100}, status=answered())
    route["spec"]["parentRefs"].append({"name": "internal"})
    assert not read(route).programmed
    route["status"]["parents"] += answered(name="internal", namespace="ml")["parents"]
    assert read(route).programmed


def test_route_that_hangs_elsewhere_is_not_attached() -> None:
    """An edit of spec.traffic at rest has to be carried out although no weight changes."""
    route = live({OLD: 100})
    assert read(route).attached
    gateway = {**OWNER["spec"]["traffic"]["gateway"], "hostnames": ["elsewhere.example.com"]}
    moved = {**OWNER, "spec": {**OWNER["spec"], "traffic": {"gateway": gateway}}}
    assert not read(route, moved).attached
    assert not read(route, moved).carries(Division({OLD: 100}))
