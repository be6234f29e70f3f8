"""The scrape rules that we ship: a plain configuration and the Prometheus operator find and label the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

MONITORING = Path(__file__).parents[3] / "manifests" / "monitoring"
JOBS = {job["job_name"]: job for job in yaml.safe_load((MONITORING / "scrape-gateways.yaml").read_text())}
MONITORS = {
    monitor["metadata"]["name"].removeprefix("seatrial-"): monitor["spec"]
    for monitor in yaml.safe_load_all((MONITORING / "podmonitor-gateways.yaml").read_text())
}
FIELDS = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
PORT = "__meta_kubernetes_pod_container_port_name"


def plain(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write rules of a PodMonitor as Prometheus does."""
    return [{FIELDS.get(name, name): value for name, value in rule.items()} for rule in rules]


def selected(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Write as rules what a PodMonitor selects, and where it looks."""
    (endpoint,) = spec["podMetricsEndpoints"]
    meta = "__meta_kubernetes_pod_label_"
    rules = [
        {"source_labels": [meta + re.sub("[./-]", "_", name)], "regex": value, "action": "keep"}
        for name, value in spec["selector"].get("matchLabels", {}).items()
    ]
    if "port" in endpoint:
        rules.append({"source_labels": [PORT], "regex": endpoint["port"], "action": "keep"})
    if endpoint["path"] != "/metrics":
        rules.append({"target_label": "__metrics_path__", "replacement": endpoint["path"]})
    given = [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    return [*rules, *plain(endpoint.get("relabelings", [])), *given]


@pytest.mark.parametrize("job", JOBS)
def test_both_kinds_of_files_label_what_gateways_count_alike(job: str) -> None:
    assert plain(MONITORS[job]["podMetricsEndpoints"][0]["metricRelabelings"]) == JOBS[job]["metric_relabel_configs"]


@pytest.mark.parametrize("job", JOBS)
def test_both_kinds_of_files_find_the_same_gateways(job: str) -> None:
    found = selected(MONITORS[job])
    assert [rule for rule in JOBS[job]["relabel_configs"] if rule not in found] == []
    keeps = [rule for rule in found if rule.get("action") == "keep"]
    assert [rule for rule in keeps if rule not in JOBS[job]["relabel_configs"]] == []
    assert MONITORS[job]["namespaceSelector"] == {"any": True}


def test_there_is_a_monitor_for_every_gateway() -> None:
    assert list(MONITORS) == list(JOBS)


def test_the_controller_of_ingress_nginx_does_not_hide_the_namespace_of_an_ingress() -> None:
    """A target label wins over the label of a series, unless labels are honoured."""
    assert MONITORS["ingress-nginx"]["podMetricsEndpoints"][0]["honorLabels"]


@pytest.mark.parametrize(
    ("istio", "managed", "kept"),
    [
        ("ingressgateway", "", True),
        ("", "istio.io-gateway-controller", True),
        ("", "istio.io-mesh-controller", False),
        ("egressgateway", "", False),
        ("", "", False),
    ],
)
def test_gateways_of_istio_are_scraped_and_neither_waypoints_nor_sidecars(istio: str, managed: str, kept: bool) -> None:
    rule = JOBS["istio-gateway"]["relabel_configs"][0]
    assert (re.fullmatch(rule["regex"], f"{istio};{managed}") is not None) == kept


def test_joiners_are_scraped_although_they_carry_no_version_of_their_own() -> None:
    spec = yaml.safe_load((MONITORING / "podmonitor-joiner.yaml").read_text())["spec"]
    joiner = next(yaml.safe_load_all((MONITORING.parents[1] / "demo" / "manifests" / "joiner.yaml").read_text()))
    template = joiner["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    # The joiner names the version on its series, and the pod has none: a target label would hide what it wrote.
    assert "relabelings" not in endpoint
