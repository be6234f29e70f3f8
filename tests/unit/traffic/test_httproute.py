"""The HTTPRoute that divides the requests, and what is read back from it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.kube.errors import Refused
from seatrial.rollout.versions import ALPHABET, LENGTH
from seatrial.traffic.httproute import HttpRouteRouter

if TYPE_CHECKING:
    from seatrial.traffic.router import Router

OLD, NEW, GOING = "bbbbbbbbbb", "cccccccccc", "dddddddddd"
OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1"},
    "spec": {
        "port": 8080,
        "traffic": {
            "gateway": {
                "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                "hostnames": ["fraud.example.com"],
            }
        },
    },
}
PARENT = OWNER["spec"]["traffic"]["gateway"]["parentRefs"][0]
router: Router = HttpRouteRouter()

versions = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


@st.composite
def divisions(draw: st.DrawFn) -> dict[str, int]:
    names = draw(st.lists(versions, min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    return {name: high - low for name, low, high in zip(names, [0, *cuts], [*cuts, 100], strict=True)}


def live(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Give a manifest back as an API server does: with a generation and the CRD's defaults."""
    stored = copy.deepcopy(manifest)
    stored["metadata"] |= {"generation": 2, "resourceVersion": "7"}
    for rule in stored["spec"]["rules"]:
        rule.setdefault("matches", [{"path": {"type": "PathPrefix", "value": "/"}}])
        rule["backendRefs"] = [{"group": "", "kind": "Service", **backend} for backend in rule["backendRefs"]]
    return {**stored, **changes}


def answered(accepted: str = "True", resolved: str = "True", generation: int = 2, **parent: Any) -> dict[str, Any]:
    def condition(kind: str, status: str) -> dict[str, Any]:
        reason = kind if status == "True" else "Because"
        return {"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": generation}

    conditions = [condition("Accepted", accepted), condition("ResolvedRefs", resolved)]
    return {"parents": [{"parentRef": {**PARENT, **parent}, "controllerName": "c", "conditions": conditions}]}


@given(divisions(), divisions())
def test_what_is_built_reads_back_as_the_same_division(first: dict[str, int], second: dict[str, int]) -> None:
    route = live(router.build(OWNER, first, None))
    assert router.read(OWNER, route).weights == first
    assert router.read(OWNER, live(router.build(OWNER, second, route))).weights == second


def test_every_version_is_named_with_its_service_also_at_weight_0_and_in_a_stable_order() -> None:
    weights = {NEW: 10, OLD: 90, GOING: 0}
    manifest = router.build(OWNER, weights, None)
    assert manifest["spec"] == {
        "parentRefs": [PARENT],
        "hostnames": ["fraud.example.com"],
        "rules": [
            {
                "backendRefs": [
                    {"name": f"fraud-{OLD}", "port": 80, "weight": 90},
                    {"name": f"fraud-{NEW}", "port": 80, "weight": 10},
                    {"name": f"fraud-{GOING}", "port": 80, "weight": 0},
                ]
            }
        ],
    }
    assert manifest == router.build(OWNER, dict(reversed(weights.items())), None)


def test_building_twice_changes_nothing() -> None:
    once = live(router.build(OWNER, {OLD: 90, NEW: 10}, None))
    twice = live(router.build(OWNER, {OLD: 90, NEW: 10}, once))
    assert twice == once


@pytest.mark.parametrize("weights", [{}, {OLD: 99}, {OLD: 110, NEW: -10}, {OLD: 100, NEW: 1}])
def test_what_is_no_division_is_never_built(weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        router.build(OWNER, weights, None)


def test_other_peoples_rules_matches_filters_and_timeouts_stay_where_they_are() -> None:
    route = live(router.build(OWNER, {OLD: 100}, None))
    docs = {"matches": [{"path": {"type": "Exact", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]}
    ours = route["spec"]["rules"][0]
    ours["timeouts"] = {"request": "2s"}
    ours["filters"] = [{"type": "RequestHeaderModifier"}]
    ours["backendRefs"][0]["filters"] = [{"type": "ResponseHeaderModifier"}]
    route["spec"]["rules"] = [docs, ours]

    first, second = router.build(OWNER, {OLD: 90, NEW: 10}, route)["spec"]["rules"]

    assert first == docs
    assert {key: second[key] for key in ("timeouts", "filters", "matches")} == {
        key: ours[key] for key in ("timeouts", "filters", "matches")
    }
    old, new = second["backendRefs"]
    assert old["filters"] == [{"type": "ResponseHeaderModifier"}]
    assert (old["weight"], new["weight"]) == (90, 10)


def test_a_rule_that_somebody_removed_comes_back_behind_the_others() -> None:
    route = live(router.build(OWNER, {OLD: 100}, None))
    other = {"backendRefs": [{"name": "docs", "port": 80}]}
    route["spec"]["rules"] = [other]
    rules = router.build(OWNER, {OLD: 100}, route)["spec"]["rules"]
    assert [rule["backendRefs"][0]["name"] for rule in rules] == ["docs", f"fraud-{OLD}"]


def test_a_rule_that_somebody_split_moves_in_all_its_parts() -> None:
    route = live(router.build(OWNER, {OLD: 90, NEW: 10}, None))
    route["spec"]["rules"] *= 2
    for rule in router.build(OWNER, {OLD: 100, NEW: 0}, route)["spec"]["rules"]:
        assert [backend["weight"] for backend in rule["backendRefs"]] == [100, 0]


def test_of_two_parts_the_larger_weight_is_read_so_that_no_traffic_is_overlooked() -> None:
    route = live(router.build(OWNER, {OLD: 100, NEW: 0}, None))
    route["spec"]["rules"].append(live(router.build(OWNER, {OLD: 90, NEW: 10}, None))["spec"]["rules"][0])
    assert router.read(OWNER, route).weights == {OLD: 100, NEW: 10}


@pytest.mark.parametrize("name", ["fraud-production", "fraud", f"other-{OLD}", f"fraud-{OLD}x"])
def test_a_service_that_is_no_version_is_not_mistaken_for_one(name: str) -> None:
    route = live(router.build(OWNER, {OLD: 100}, None))
    route["spec"]["rules"].insert(0, {"backendRefs": [{"name": name, "port": 80}]})
    assert router.read(OWNER, route).weights == {OLD: 100}
    assert router.build(OWNER, {OLD: 100}, route)["spec"]["rules"][0]["backendRefs"][0]["name"] == name


def test_a_route_that_was_not_made_for_this_object_is_never_taken_over() -> None:
    route = live(router.build(OWNER, {OLD: 100}, None))
    route["metadata"]["ownerReferences"][0]["uid"] = "u-0"
    with pytest.raises(Refused, match="HTTPRoute ml/fraud exists"):
        router.build(OWNER, {OLD: 100}, route)


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
    view = router.read(OWNER, live(router.build(OWNER, {OLD: 100}, None), **status))
    assert (view.accepted, view.resolved, view.problem) == (accepted, resolved, problem)


def test_all_gateways_must_have_taken_the_route() -> None:
    route = live(router.build(OWNER, {OLD: 100}, None), status=answered())
    route["spec"]["parentRefs"].append({"name": "internal"})
    assert not router.read(OWNER, route).programmed
    route["status"]["parents"] += answered(name="internal", namespace="ml")["parents"]
    assert router.read(OWNER, route).programmed


def test_route_that_hangs_elsewhere_is_not_attached() -> None:
    """An edit of spec.traffic at rest has to be carried out although no weight changes."""
    router = HttpRouteRouter()
    route = live(router.build(OWNER, {OLD: 100}, None))
    assert router.read(OWNER, route).attached
    gateway = {**OWNER["spec"]["traffic"]["gateway"], "hostnames": ["elsewhere.example.com"]}
    moved = {**OWNER, "spec": {**OWNER["spec"], "traffic": {"gateway": gateway}}}
    assert not router.read(moved, route).attached
    assert not router.read(moved, route).carries({OLD: 100})
