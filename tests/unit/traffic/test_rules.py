"""What a route does besides weights: groups, sticky users, copies, previews and the fallback."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.kube.errors import Refused
from seatrial.rollout.decision import Division, Fallback, Group, Mirror, Preview, Stickiness
from seatrial.traffic.router import ANNOTATION
from tests.unit.traffic.gateway import NEW, OLD, OWNER, Gateway

STICKY = Stickiness("seat", 3600.0, "t1")
HALF = {OLD: 50, NEW: 50}
DOCS = {
    "matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}],
    "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit", "port": 80}}}],
    "backendRefs": [{"group": "", "kind": "Service", "name": "docs", "port": 80, "weight": 1}],
}

divisions = st.builds(
    Division,
    st.integers(0, 100).map(lambda weight: {OLD: 100 - weight, NEW: weight}),
    mirror=st.none() | st.builds(Mirror, st.just(NEW), st.integers(1, 100)),
    group=st.none()
    | st.builds(Group, st.just(NEW), st.text("a.$+ b", min_size=1), header=st.just("x-group"))
    | st.builds(Group, st.just(NEW), st.text("a.$+b", min_size=1), cookie=st.just("group")),
    sticky=st.none() | st.builds(Stickiness, st.just("seat"), st.just(60.0), st.sampled_from(["t1", "t2"])),
    preview=st.none() | st.just(Preview(NEW, ("new.example.com",))),
    fallback=st.none() | st.builds(Fallback, st.just("rules"), st.just(8080), st.booleans()),
)


@settings(max_examples=200)
@given(st.lists(divisions, min_size=1, max_size=4))
def test_whatever_came_before_a_division_is_carried_out_and_reads_back(steps: list[Division]) -> None:
    gateway, fresh = Gateway(), Gateway()
    for division in steps:
        gateway.carry(division)
        view = gateway.router.read(OWNER, gateway.seen)
        assert view
        assert view.carries(division), view
        assert gateway.carry(division) == 0
    fresh.carry(steps[-1])
    assert gateway.routes["fraud"]["spec"] == fresh.routes["fraud"]["spec"]
    assert gateway.routes.keys() == fresh.routes.keys()


@given(divisions, divisions)
def test_other_peoples_rules_stay_through_everything(first: Division, second: Division) -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100}))
    timed = {**gateway.rules[0], "timeouts": {"request": "2s"}}
    gateway.edit(rules=[timed, DOCS])
    for division in (first, second, Division({OLD: 100})):
        gateway.carry(division)
        assert gateway.rules[-1] == DOCS
        assert all(rule["timeouts"] == {"request": "2s"} for rule in gateway.rules[:-1])
    assert gateway.rules == [timed, DOCS]


@pytest.mark.parametrize(
    ("group", "match", "miss"),
    [
        (Group(NEW, "beta", header="x-group"), {"x_group": "beta"}, {"x_group": "beta2"}),
        (Group(NEW, "b+a", cookie="g"), {"cookie": "a=1; g=b+a; z=2"}, {"cookie": "a=1; g=bba; z=2"}),
        (Group(NEW, "beta", cookie="g"), {"cookie": "g=beta"}, {"cookie": "bg=beta"}),
        (Group(NEW, "beta", cookie="g"), {"cookie": "x=y;g=beta"}, {"cookie": "g=betamax"}),
    ],
)
def test_a_group_goes_to_the_candidate_and_all_others_by_weight(
    group: Group, match: dict[str, str], miss: dict[str, str]
) -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100, NEW: 0}, group=group))
    assert gateway.leads(**match) == {NEW: 1}
    assert gateway.leads(**miss) == {OLD: 100}
    assert gateway.leads() == {OLD: 100}
    gateway.carry(Division({OLD: 100, NEW: 0}))
    assert gateway.leads(**match) == {OLD: 100}


def test_users_stay_with_the_version_that_answered_them_and_both_sides_set_a_cookie() -> None:
    gateway = Gateway()
    gateway.carry(Division(HALF, sticky=STICKY))
    old, new = gateway.cookie_of(OLD), gateway.cookie_of(NEW)
    assert (old, new) == (f"seat={OLD}-t1", f"seat={NEW}-t1")
    assert gateway.leads() == HALF
    assert gateway.leads(cookie=old) == {OLD: 1}
    assert gateway.leads(cookie=f"x=y; {new}") == {NEW: 1}


def test_each_step_deals_the_users_anew() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 90, NEW: 10}, sticky=STICKY))
    before = gateway.cookie_of(OLD)
    gateway.carry(Division(HALF, sticky=dataclasses.replace(STICKY, epoch="t2")))
    assert gateway.leads(cookie=before) == HALF


def test_a_rollback_moves_sticky_users_back_in_the_same_write() -> None:
    gateway = Gateway()
    gateway.carry(Division(HALF, sticky=STICKY))
    new = gateway.cookie_of(NEW)
    assert gateway.carry(Division({OLD: 100, NEW: 0})) == 1
    assert gateway.leads(cookie=new) == {OLD: 100}
    assert gateway.cookie_of(OLD) == ""


def test_a_version_that_lost_its_pods_loses_its_sticky_users_too() -> None:
    """The step still asks for stickiness; only the weight is gone."""
    gateway = Gateway()
    gateway.carry(Division(HALF, sticky=STICKY))
    new = gateway.cookie_of(NEW)
    gateway.carry(Division({OLD: 100, NEW: 0}, sticky=STICKY))
    assert gateway.leads(cookie=new) == {OLD: 100}


def test_a_cookie_joins_the_filter_that_somebody_has_on_a_backend_and_leaves_it() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100, NEW: 0}))
    theirs = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "x-team", "value": "risk"}]},
    }
    rules = copy.deepcopy(gateway.rules)
    rules[0]["backendRefs"][0]["filters"] = [theirs]
    gateway.edit(rules=rules)
    gateway.carry(Division(HALF, sticky=STICKY))
    assert gateway.cookie_of(OLD)
    backend = gateway.rules[-1]["backendRefs"][0]
    assert backend["filters"][0]["responseHeaderModifier"]["set"] == [{"name": "x-team", "value": "risk"}]
    gateway.carry(Division({OLD: 100, NEW: 0}))
    assert gateway.rules[0]["backendRefs"][0]["filters"] == [theirs]


def test_a_cookie_that_somebody_sets_on_a_backend_stops_the_dealing_but_not_a_rollback() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 90, NEW: 10}))
    theirs = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"add": [{"name": "set-cookie", "value": "team=risk"}]},
    }
    rules = copy.deepcopy(gateway.rules)
    rules[0]["backendRefs"][1]["filters"] = [theirs]
    gateway.edit(rules=rules)
    with pytest.raises(Refused, match="sets a cookie already"):
        gateway.carry(Division(HALF, sticky=STICKY))
    gateway.carry(Division({OLD: 100, NEW: 0}))
    assert gateway.leads() == {OLD: 100}
    assert gateway.rules[0]["backendRefs"][1]["filters"] == [theirs]


def test_a_rule_that_looks_at_cookies_already_is_not_copied_for_sticky_users() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100}))
    header = {"type": "Exact", "name": "cookie", "value": "tenant=a"}
    rule = {**gateway.rules[0], "matches": [{**gateway.rules[0]["matches"][0], "headers": [header]}]}
    gateway.edit(rules=[rule])
    gateway.carry(Division(HALF, sticky=STICKY))
    assert [len(one["matches"][0]["headers"]) for one in gateway.rules] == [1]
    assert gateway.leads(cookie="tenant=a") == HALF


def mirrors(gateway: Gateway, **headers: str) -> list[tuple[str, int]]:
    rule = gateway.rule_for(**headers)
    found = [one["requestMirror"] for one in (rule or {}).get("filters", []) if one["type"] == "RequestMirror"]
    return [(one["backendRef"]["name"], one.get("percent", 100)) for one in found]


@pytest.mark.parametrize("percent", [1, 99, 100])
def test_requests_are_copied_and_only_stable_answers(percent: int) -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100, NEW: 0}, mirror=Mirror(NEW, percent)))
    assert mirrors(gateway) == [(f"fraud-{NEW}", percent)]
    assert gateway.leads() == {OLD: 100}
    gateway.carry(Division({OLD: 90, NEW: 10}))
    assert mirrors(gateway) == []


def test_requests_that_go_to_the_candidate_are_not_copied_to_it() -> None:
    gateway = Gateway()
    gateway.carry(Division(HALF, mirror=Mirror(NEW, 100), sticky=STICKY))
    assert mirrors(gateway, cookie=gateway.cookie_of(NEW)) == []
    assert mirrors(gateway, cookie=gateway.cookie_of(OLD)) == [(f"fraud-{NEW}", 100)]


def test_a_gateway_that_copies_all_or_none_copies_none_when_a_part_was_asked_for() -> None:
    """Contour takes the filter and ignores its percentage: a candidate of one pod would get everything."""
    gateway = Gateway()
    gateway.carry(Division({OLD: 100, NEW: 0}))
    contour = copy.deepcopy(gateway.routes["fraud"]["status"])
    contour["parents"][0]["controllerName"] = "projectcontour.io/gateway-controller"
    gateway.routes["fraud"]["status"] = contour
    division = Division({OLD: 100, NEW: 0}, mirror=Mirror(NEW, 10))
    gateway.carry(division)
    gateway.routes["fraud"]["status"] = contour
    assert mirrors(gateway) == []
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert view.carries(division)  # nothing is left to write
    assert view.unable
    assert "copies all requests or none, not 10 %" in view.unable
    whole = Division({OLD: 100, NEW: 0}, mirror=Mirror(NEW, 100))
    gateway.carry(whole)
    gateway.routes["fraud"]["status"] = contour
    assert mirrors(gateway) == [(f"fraud-{NEW}", 100)]
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert view.unable is None


def test_a_preview_leads_those_who_know_it_to_the_candidate_and_goes_afterwards() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100}))
    timed = {**gateway.rules[0], "timeouts": {"request": "2s"}}
    gateway.edit(rules=[timed, DOCS])
    gateway.carry(Division({OLD: 100, NEW: 0}, preview=Preview(NEW, ("new.example.com",))))
    assert gateway.leads("new.example.com") == {NEW: 1}
    assert gateway.leads("new.example.com", "/docs") == {NEW: 1}
    assert gateway.leads() == {OLD: 100}
    assert [rule["timeouts"] for rule in gateway.routes["fraud-preview"]["spec"]["rules"]] == [{"request": "2s"}]
    gateway.carry(Division({OLD: 100, NEW: 0}))
    assert gateway.leads("new.example.com") == {}


def test_a_preview_is_in_force_only_when_its_own_route_is() -> None:
    gateway = Gateway()
    division = Division({OLD: 100, NEW: 0}, preview=Preview(NEW, ("new.example.com",)))
    gateway.carry(division)
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert view.programmed
    gateway.routes["fraud-preview"]["status"]["parents"][0]["conditions"][0]["status"] = "False"
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert not view.programmed


def test_somebody_elses_route_with_the_previews_name_is_left_alone() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100, NEW: 0}, preview=Preview(NEW, ("new.example.com",))))
    gateway.routes["fraud-preview"]["metadata"]["ownerReferences"][0]["uid"] = "u-0"
    assert gateway.router.changes(OWNER, Division({OLD: 100, NEW: 0}), gateway.seen) == ()
    with pytest.raises(Refused, match="HTTPRoute ml/fraud-preview exists"):
        gateway.carry(Division({OLD: 100, NEW: 0}, preview=Preview(NEW, ("new.example.com",))))


def test_the_fallback_waits_at_weight_0_and_answers_everything_once_it_is_active() -> None:
    gateway = Gateway()
    division = Division(HALF, fallback=Fallback("rules", 8080), sticky=STICKY, mirror=Mirror(NEW, 100))
    gateway.carry(division)
    assert [(b["name"], b["port"], b["weight"]) for b in gateway.rules[-1]["backendRefs"]][-1] == ("rules", 8080, 0)
    cookie = gateway.cookie_of(NEW)
    active = dataclasses.replace(division, fallback=Fallback("rules", 8080, active=True))
    assert gateway.carry(active) == 1
    assert gateway.leads(cookie=cookie) == gateway.leads() == {"rules": 100}
    assert mirrors(gateway) == []
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert view.carries(active)
    assert view.weights == {OLD: 0, NEW: 0}
    gateway.carry(Division(HALF))
    assert [b["name"] for b in gateway.rules[0]["backendRefs"]] == [f"fraud-{OLD}", f"fraud-{NEW}"]


@pytest.mark.parametrize("edit", ["weight", "rule", "filter", "note"])
def test_what_somebody_edits_by_hand_is_noticed_and_corrected(edit: str) -> None:
    gateway = Gateway()
    division = Division(HALF, sticky=STICKY, mirror=Mirror(NEW, 100), group=Group(NEW, "beta", header="x-group"))
    gateway.carry(division)
    rules = copy.deepcopy(gateway.rules)
    if edit == "weight":
        rules[-1]["backendRefs"][1]["weight"] = 40
    elif edit == "rule":
        rules = rules[1:]
    elif edit == "filter":
        del rules[-1]["filters"]
    else:
        gateway.routes["fraud"]["metadata"]["annotations"][ANNOTATION] = '{"group": 7}'
    wanted = gateway.routes["fraud"]["spec"]["rules"]
    gateway.edit(rules=rules)
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert not view.carries(division)
    assert gateway.carry(division) == 1
    if edit == "note":  # without it, what was added can't be told from what people wrote; once it is back, it can
        assert gateway.carry(division) == 1
    assert gateway.rules == wanted
    view = gateway.router.read(OWNER, gateway.seen)
    assert view
    assert view.carries(division)


def test_more_rules_than_a_route_may_have_are_refused_in_words_that_help() -> None:
    gateway = Gateway()
    gateway.carry(Division({OLD: 100}))
    rule = gateway.rules[0]
    paths: list[Any] = [{"path": {"type": "PathPrefix", "value": f"/{number}"}} for number in range(6)]
    gateway.edit(rules=[{**rule, "matches": [path]} for path in paths])
    with pytest.raises(Refused, match="18 rules with 18 matches, and may have 16 with 128"):
        gateway.carry(Division(HALF, sticky=STICKY))
    gateway.carry(Division(HALF))
