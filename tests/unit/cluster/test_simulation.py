import re
from random import Random
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.simulation import GOOD, World
from cluster.simulator import accepted


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - simulated traffic, no keys


def _pod(version: str, number: int = 0, *, ready: bool = True, **env: str) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "ml",
            "name": f"m-{version}-{number}",
            "labels": {"seatrial.dev/model": "m", "seatrial.dev/version": version},
        },
        "spec": {
            "containers": [
                {"env": [{"name": name, "value": value} for name, value in (env | {"MODEL_VERSION": version}).items()]}
            ]
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def _service(version: str) -> dict[str, Any]:
    selector = {"seatrial.dev/model": "m", "seatrial.dev/version": version}
    return {"metadata": {"namespace": "ml", "name": f"m-{version}"}, "spec": {"selector": selector}}


def _route(**weights: int) -> dict[str, Any]:
    backends = [{"name": f"m-{version}", "port": 80, "weight": weight} for version, weight in weights.items()]
    return {
        "metadata": {"namespace": "ml", "name": "m", "generation": 3},
        "spec": {"parentRefs": [{"name": "public"}], "hostnames": ["m.example"], "rules": [{"backendRefs": backends}]},
    }


def _world(*pods: dict[str, Any], route: dict[str, Any]) -> World:
    world = World()
    for pod in pods:
        world.see("pods", pod, gone=False)
        world.see("services", _service(pod["metadata"]["labels"]["seatrial.dev/version"]), gone=False)
    world.see("httproutes", route, gone=False)
    return world


def _counts(world: World) -> dict[tuple[str, str], float]:
    """Requests by (version, status code), as Prometheus' own parser reads the page."""
    return {
        (sample.labels["rollout_version"], sample.labels["status_code"]): sample.value
        for family in text_string_to_metric_families(world.page())
        for sample in family.samples
        if sample.name == "rest_server_requests_total"
    }


def test_the_split_follows_the_weights() -> None:
    world = _world(_pod("a"), _pod("b"), route=_route(a=90, b=10))
    random = _random(1)
    drawn = [world.backend(("ml", "m"), "/", random) for _ in range(5000)]
    share = sum(pod is not None and pod.version == "b" for pod in drawn) / len(drawn)
    assert share == pytest.approx(0.1, abs=0.015)


def test_weight_zero_gets_nothing() -> None:
    world = _world(_pod("a"), _pod("b"), route=_route(a=100, b=0))
    random = _random(2)
    assert all(pod.version == "a" for _ in range(500) if (pod := world.backend(("ml", "m"), "/", random)))


def test_a_weight_on_a_version_without_ready_pods_loses_its_requests() -> None:
    world = _world(_pod("a"), _pod("b", ready=False), route=_route(a=0, b=100))
    assert world.backend(("ml", "m"), "/", _random(3)) is None


def test_a_pod_that_turns_ready_or_goes_is_seen_at_once() -> None:
    world = _world(_pod("a", ready=False), route=_route(a=100))
    assert world.backend(("ml", "m"), "/", _random(4)) is None
    world.see("pods", _pod("a"), gone=False)
    assert world.backend(("ml", "m"), "/", _random(4)) is not None
    world.see("pods", _pod("a"), gone=True)
    assert world.backend(("ml", "m"), "/", _random(4)) is None
    assert "m-a-0" not in world.page()


def test_faults_come_as_the_template_says() -> None:
    world = _world(_pod("a", FAULT_ERROR_RATIO="0.05", FAULT_DELAY_MS="400"), route=_route(a=100))
    pod, random = world.pods["ml", "m-a-0"], _random(5)
    answers = [pod.answer(random) for _ in range(4000)]
    assert sum(status != GOOD for status, _ in answers) / len(answers) == pytest.approx(0.05, abs=0.012)
    assert min(latency_s for _, latency_s in answers) > 0.4
    assert _counts(world)["a", "500"] + _counts(world)["a", "200"] == len(answers)


def test_requests_that_nobody_sends_come_at_the_rate_that_the_template_asks_for() -> None:
    world = _world(_pod("a", SIMULATED_REQUESTS_PER_S="7"), route=_route(a=100))
    random = _random(6)
    assert sum(world.play(0.25, random) for _ in range(40)) == 70
    assert sum(_counts(world).values()) == 70


def test_a_change_of_the_route_loses_no_owed_request() -> None:
    world = _world(_pod("a", SIMULATED_REQUESTS_PER_S="1"), route=_route(a=100))
    assert world.play(0.75, _random(7)) == 0
    world.see("httproutes", _route(a=100), gone=False)
    assert world.play(0.25, _random(7)) == 1


def test_the_page_is_a_histogram_that_prometheus_can_read() -> None:
    world = _world(_pod("a"), route=_route(a=100))
    pod, random = world.pods["ml", "m-a-0"], _random(8)
    for _ in range(100):
        pod.answer(random)
    samples = [sample for family in text_string_to_metric_families(world.page()) for sample in family.samples]
    buckets = [one for one in samples if one.name.endswith("_bucket") and one.labels["status_code"] == "200"]
    counts = [sample.value for sample in buckets]
    assert counts == sorted(counts)
    assert buckets[-1].labels["le"] == "+Inf"
    assert counts[-1] == 100
    up = next(one for one in samples if one.name == "up")
    assert (up.value, up.labels["pod"], up.labels["rollout_name"]) == (1, "m-a-0", "m")


def test_series_of_a_new_pod_begin_at_zero_and_a_known_one_keeps_its_counts() -> None:
    world = _world(_pod("a"), route=_route(a=100))
    assert set(_counts(world).values()) == {0}
    world.pods["ml", "m-a-0"].answer(_random(9))
    world.see("pods", _pod("a"), gone=False)
    assert sum(_counts(world).values()) == 1


def test_only_the_host_names_of_a_route_reach_it() -> None:
    world = _world(_pod("a"), route=_route(a=100))
    assert world.route("m.example") == ("ml", "m")
    assert world.route("other.example") is None


def test_paths_choose_the_rule() -> None:
    route = _route(a=100)
    route["spec"]["rules"][0]["matches"] = [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    world = _world(_pod("a"), route=route)
    assert world.backend(("ml", "m"), "/v2/models", _random(1)) is not None
    assert world.backend(("ml", "m"), "/other", _random(1)) is None


def test_the_route_is_told_that_its_newest_generation_is_in_force() -> None:
    parent = accepted(_route(a=100))["status"]["parents"][0]
    assert parent["parentRef"] == {"name": "public"}
    assert {one["type"]: (one["status"], one["observedGeneration"]) for one in parent["conditions"]} == {
        "Accepted": ("True", 3),
        "ResolvedRefs": ("True", 3),
    }
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["lastTransitionTime"]) for one in parent["conditions"]
    )
