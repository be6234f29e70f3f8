"""Without a gateway: a Service whose pods divide the requests."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.kube.errors import Refused
from seatrial.rollout.decision import Division, Mirror
from seatrial.traffic.choice import ChosenRouter
from seatrial.traffic.httproute import build
from seatrial.traffic.replicas import SERVING_LABEL, pods_for
from seatrial.traffic.router import ANNOTATION, Apply, Label, Seen
from tests.unit.traffic.gateway import NEW, OLD, answered, stored
from tests.unit.traffic.gateway import OWNER as GATEWAY_OWNER

OWNER: dict[str, Any] = {
    **GATEWAY_OWNER,
    "spec": {"port": 8080, "traffic": {"service": {}}},
    "status": {"stable": {"hash": OLD}},
}
router = ChosenRouter()


def pod(version: str, number: int, *, ready: bool = True) -> dict[str, Any]:
    labels = {"seatrial.dev/model": "fraud", "seatrial.dev/version": version}
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    meta = {"name": f"{version}-{number}", "namespace": "ml", "uid": f"{version}-{number}", "labels": labels}
    return {"metadata": meta, "status": {"conditions": [condition]}}


class Network:
    """Keeps a Service and pods as an API server does, and tells who gets connections."""

    def __init__(self, stable: int, candidate: int) -> None:
        self.pods = [pod(version, n) for version, count in ((OLD, stable), (NEW, candidate)) for n in range(count)]
        self.services: dict[str, dict[str, Any]] = {}
        self.ports = {OLD: 8080, NEW: 8080}
        self.least = stable

    @property
    def seen(self) -> Seen:
        return Seen(services=self.services, pods=self.pods, ports=self.ports)

    def carry(self, weights: dict[str, int]) -> int:
        """Carry out weights, write by write; after each write somebody must answer."""
        changes = router.changes(OWNER, Division(weights), self.seen)
        served = bool(self.services)
        for change in changes:
            if isinstance(change, Apply):
                made = copy.deepcopy(dict(change.manifest))
                self.services[made["metadata"]["name"]] = made
            else:
                assert isinstance(change, Label)
                labels = next(p for p in self.pods if p["metadata"]["name"] == change.pod["metadata"]["name"])
                labels = labels["metadata"]["labels"]
                if change.value is None:
                    del labels[change.key]
                else:
                    labels[change.key] = change.value
            assert not served or self.connected()
        return len(changes)

    def connected(self) -> list[str]:
        """Name the version of each pod that the Service leads to."""
        selector = self.services["fraud"]["spec"]["selector"]
        ready = [p for p in self.pods if p["status"]["conditions"][0]["status"] == "True"]
        labels = [p["metadata"]["labels"] for p in ready]
        return [one["seatrial.dev/version"] for one in labels if selector.items() <= one.items()]

    def share(self) -> float:
        connected = self.connected()
        return 100 * connected.count(NEW) / len(connected)


@pytest.mark.parametrize(
    ("weight", "stable", "candidate", "pods"),
    [
        (0, 3, 3, (3, 0)),
        (100, 3, 3, (0, 3)),
        (50, 3, 3, (3, 3)),
        (10, 3, 3, (3, 0)),
        (25, 3, 3, (3, 1)),
        (30, 3, 3, (3, 1)),
        (34, 3, 3, (2, 1)),
        (80, 3, 3, (1, 3)),
        (99, 3, 3, (1, 3)),
        (10, 9, 9, (9, 1)),
        (50, 1, 1, (1, 1)),
        (49, 1, 1, (1, 0)),
        (50, 3, 0, (3, 0)),
        (50, 0, 3, (0, 0)),
    ],
)
def test_pods_come_nearest_to_the_weight_from_below(
    weight: int, stable: int, candidate: int, pods: tuple[int, int]
) -> None:
    assert pods_for(weight, stable, candidate) == pods


@given(st.integers(0, 99), st.integers(1, 12), st.integers(0, 12))
def test_a_candidate_never_gets_more_than_its_weight_and_stables_capacity_stays(
    weight: int, stable: int, candidate: int
) -> None:
    old, new = pods_for(weight, stable, candidate)
    assert old <= stable
    assert new <= candidate
    assert old + new >= stable
    assert new * 100 <= weight * (old + new)
    for s in range(1, stable + 1):  # no other choice comes nearer
        for c in range(candidate + 1):
            if s + c >= stable and c * 100 <= weight * (s + c):
                assert c / (s + c) <= new / (old + new)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 6))
def test_whatever_came_before_the_pods_carry_the_weights_and_somebody_always_answers(
    steps: list[int], stable: int, candidate: int
) -> None:
    network = Network(stable, candidate)
    for weight in steps:
        weights = {OLD: 100 - weight, NEW: weight}
        network.carry(weights)
        view = router.read(OWNER, network.seen)
        assert view
        assert view.carries(Division(weights))
        assert network.carry(weights) == 0
        assert network.share() <= weight
        assert view.real is not None
        assert view.real[NEW] * 100 == pytest.approx(network.share())
        assert (view.unable is None) == all(view.real[version] for version, asked in weights.items() if asked)


def test_a_rollback_is_one_write_that_stops_all_connections_to_the_candidate() -> None:
    network = Network(3, 3)
    network.carry({OLD: 50, NEW: 50})
    first = router.changes(OWNER, Division({OLD: 100, NEW: 0}), network.seen)[0]
    assert isinstance(first, Apply)
    network.services["fraud"] = dict(first.manifest)
    assert set(network.connected()) == {OLD}
    network.carry({OLD: 100, NEW: 0})
    assert not [p for p in network.pods if SERVING_LABEL in p["metadata"]["labels"]]


def test_at_rest_new_pods_serve_without_the_operator() -> None:
    network = Network(2, 0)
    network.carry({OLD: 100})
    network.pods.append(pod(OLD, 7))
    assert network.connected() == [OLD] * 3
    view = router.read(OWNER, network.seen)
    assert view
    assert view.carries(Division({OLD: 100}))
    assert network.carry({OLD: 100}) == 0


def test_a_pod_that_is_replaced_in_a_trial_is_replaced_among_those_that_serve() -> None:
    network = Network(3, 3)
    network.carry({OLD: 50, NEW: 50})
    network.pods = [pod(OLD, 9), *network.pods[1:]]
    view = router.read(OWNER, network.seen)
    assert view
    assert view.weights == {OLD: 50, NEW: 50}
    assert not view.carries(Division({OLD: 50, NEW: 50}))
    assert network.carry({OLD: 50, NEW: 50}) == 1
    assert network.share() == 50


def test_pods_that_are_not_ready_count_for_nothing() -> None:
    network = Network(3, 3)
    for one in network.pods[3:5]:
        one["status"]["conditions"][0]["status"] = "False"
    network.carry({OLD: 40, NEW: 60})
    assert sorted(network.connected()) == [OLD, OLD, NEW]


def test_a_weight_that_whole_pods_cannot_give_is_told() -> None:
    network = Network(3, 3)
    network.carry({OLD: 90, NEW: 10})
    view = router.read(OWNER, network.seen)
    assert view
    assert network.share() == 0
    assert view.unable == (
        f"10 % of the requests can't be had by whole pods (ready: 3 of {OLD}, 3 of {NEW}): begin with a larger weight, "
        "raise replicas, or use a gateway"
    )


def test_a_selector_that_somebody_edits_is_corrected() -> None:
    network = Network(2, 2)
    network.carry({OLD: 100, NEW: 0})
    network.services["fraud"]["spec"]["selector"] = {"seatrial.dev/model": "fraud"}
    view = router.read(OWNER, network.seen)
    assert view
    assert not view.carries(Division({OLD: 100, NEW: 0}))
    assert network.carry({OLD: 100, NEW: 0}) == 1
    assert network.connected() == [OLD, OLD]


def test_a_note_that_somebody_spoils_is_written_anew() -> None:
    network = Network(2, 2)
    network.carry({OLD: 50, NEW: 50})
    network.services["fraud"]["metadata"]["annotations"][ANNOTATION] = "[7]"
    view = router.read(OWNER, network.seen)
    assert view
    assert not view.carries(Division({OLD: 50, NEW: 50}))
    network.carry({OLD: 50, NEW: 50})
    view = router.read(OWNER, network.seen)
    assert view
    assert view.carries(Division({OLD: 50, NEW: 50}))


def test_versions_on_different_ports_cannot_share_a_service_but_can_be_rolled_back() -> None:
    network = Network(2, 2)
    network.carry({OLD: 100, NEW: 0})
    network.ports[NEW] = 9090
    with pytest.raises(Refused, match=r"ports differ \(8080, 9090\)"):
        network.carry({OLD: 50, NEW: 50})
    network.carry({OLD: 0, NEW: 100})
    assert network.services["fraud"]["spec"]["ports"][0]["targetPort"] == 9090


def test_what_only_a_gateway_can_do_is_refused() -> None:
    with pytest.raises(Refused, match="Without a gateway there is no mirror"):
        router.changes(OWNER, Division({OLD: 100, NEW: 0}, mirror=Mirror(NEW, 100)), Network(1, 1).seen)


def test_somebody_elses_service_is_left_alone() -> None:
    network = Network(1, 0)
    network.carry({OLD: 100})
    network.services["fraud"]["metadata"]["ownerReferences"][0]["uid"] = "u-0"
    with pytest.raises(Refused, match="Service ml/fraud exists"):
        network.carry({OLD: 100})


def test_who_moves_from_a_gateway_to_a_service_loses_the_route_once_the_service_is_there() -> None:
    route = stored(build(GATEWAY_OWNER, Division({OLD: 100}), None))
    network = Network(1, 0)
    before = Seen(routes={"fraud": route}, pods=network.pods, ports=network.ports)
    first = router.changes(OWNER, Division({OLD: 100}), before)
    assert [type(change).__name__ for change in first] == ["Apply"]
    network.carry({OLD: 100})
    after = Seen(routes={"fraud": route}, services=network.services, pods=network.pods, ports=network.ports)
    second = router.changes(OWNER, Division({OLD: 100}), after)
    assert [(type(change).__name__, getattr(change, "kind", "")) for change in second] == [("Remove", "HTTPRoute")]
    assert router.changes(GATEWAY_OWNER, Division({OLD: 100}), after) == ()  # the gateway has not taken the route yet
    route["status"] = answered()
    back = router.changes(GATEWAY_OWNER, Division({OLD: 100}), after)
    assert [(type(change).__name__, getattr(change, "kind", "")) for change in back] == [("Remove", "Service")]
