"""What is known about a model goes with warnings and into one series of information."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from seatrial.controller.about import ModelInfo, with_about
from seatrial.controller.cache import Cache

ABOUT = {
    "owner": "ann@example.com",
    "team": "fraud",
    "runbook": "https://wiki.example/scorer",
    "risk": "high",
    "card": f"https://wiki.example/{'c' * 600}",
}


def model(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "ml", "name": name, "uid": name, "resourceVersion": "1"}, "spec": spec}


def test_a_warning_ends_with_whom_to_call_and_where_to_read_on() -> None:
    told = with_about("it burns", model("scorer", about=ABOUT))
    assert told == "it burns (owner ann@example.com, team fraud, runbook https://wiki.example/scorer)"
    assert with_about("it burns", model("scorer")) == "it burns"
    assert with_about("it burns", model("scorer", about={"risk": "low"})) == "it burns"


def test_each_model_that_says_about_has_one_series() -> None:
    cache, registry = Cache(), CollectorRegistry()
    cache.put("ModelDeployment", model("scorer", about=ABOUT))
    cache.put("ModelDeployment", model("silent"))
    info = ModelInfo(cache)
    registry.register(info)
    series = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    expected = (
        f'seatrial_model_info{{card="{ABOUT["card"][:512]}",model_deployment="scorer",model_namespace="ml",'
        'owner="ann@example.com",risk="high",runbook="https://wiki.example/scorer",team="fraud"} 1.0'
    )
    assert series == [expected]
    registry.unregister(info)
