"""`seatrial sli check` on real Prometheus servers: of pods, with labels and without, and of gateways by our rules."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from typing_extensions import override

from seatrial.cli.main import main
from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import PrometheusSource
from seatrial.metrics.types import Request
from tests.prometheus.server import PrometheusServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.prometheus.pods import Pod, Pods

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "tests" / "unit" / "metrics" / "pages"
GATEWAYS = {
    "contour": "envoy",
    "istio-gateway": "istio-gateway",
    "ingress-nginx": "ingress-nginx",
    "traefik": "traefik",
}
# A Prometheus that is younger than the window does not know what was before, and counts from what it saw first.
WINDOW_S = 4
OLD, NEW, DEAD = "bbbbbbbbbb", "cccccccccc", "dddddddddd"


def check(server: PrometheusServer, *arguments: str) -> tuple[int, str]:
    options = ["sli", "check", "--prometheus", server.url, "-n", "ml", *arguments]
    answer = CliRunner().invoke(main, options)
    return answer.exit_code, answer.output


def found(server: PrometheusServer, *arguments: str) -> dict[str, Any]:
    code, output = check(server, *arguments, "-o", "json")
    assert code in {0, 1}, output
    return {finding["sli"]["name"]: finding for finding in json.loads(output)}


def counts(finding: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {seen["version"]: (seen["total"], seen["bad"]) for seen in finding["seen"]}


def test_templates_that_work_are_recognised_and_counted(server: PrometheusServer, pods: Pods, one: Pod) -> None:
    time.sleep(WINDOW_S)
    one.serve(8, bad=2, slow=1)
    pods.scraped(one)
    arguments = ("--rollout", "model", "--window", f"{WINDOW_S}s", "--threshold", "250ms")
    told = found(server, *arguments)
    assert counts(told["ml-model/http-availability"]) == {"aaaaaaaaaa": (11, 2)}
    assert counts(told["ml-model/http-latency"]) == {"aaaaaaaaaa": (11, 1)}
    assert told["ml-model/http-latency"]["edges"] == ["100ms", "250ms", "1s"]
    one_template = ("--server", "ml-model", "--template", "http-latency")
    assert check(server, *arguments, *one_template)[0] == 0


def test_a_check_says_what_is_wrong(server: PrometheusServer, pods: Pods, one: Pod) -> None:
    one.serve(8, bad=2)
    pods.scraped(one)
    code, output = check(server, "--rollout", "model", "--server", "ml-model", "--template", "http-latency")
    assert code == 1
    assert "choose a threshold among 100ms, 250ms, 1s" in output
    _, output = check(
        server, "--rollout", "model", "--server", "ml-model", "--template", "http-latency", "--threshold", "300ms"
    )
    assert "no bucket of ml_model_request_duration_seconds_bucket ends at 0.3" in output
    _, output = check(server, "--rollout", "model", "--server", "triton", "--template", "http-latency")
    assert "gives a mean and no share of fast requests; measure at the gateway" in output
    _, output = check(server, "--rollout", "model", "--server", "vllm", "--template", "generation-errors")
    assert "the pods of model are scraped, but none shows vllm:request_success_total" in output
    arguments = ("--server", "ml-model", "--template", "http-availability")
    _, output = check(server, "--rollout", "model", *arguments, "--where", "model_name=other")
    assert "none has the labels that are counted" in output
    _, output = check(server, "--rollout", "nobody", *arguments)
    assert "knows neither ml_model_requests_total nor any scraped pod of ml/nobody" in output


def test_objectives_of_a_manifest_are_tried(server: PrometheusServer, pods: Pods, one: Pod, tmp_path: Path) -> None:
    time.sleep(WINDOW_S)
    one.serve(5, bad=1)
    pods.scraped(one)
    slo = {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "ModelSLO",
        "metadata": {"name": "slo", "namespace": "ml"},
        "spec": {
            "objectives": [
                {
                    "name": "own",
                    "target": "99",
                    "sli": {
                        "good": 'ml_model_requests_total{error_type="",$selector}',
                        "total": "ml_model_requests_total{$selector}",
                    },
                },
                {"name": "latency", "target": "99", "sli": {"template": "http-latency", "threshold": "1s"}},
            ]
        },
    }
    manifest = tmp_path / "slo.yaml"
    manifest.write_text(yaml.safe_dump(slo))
    told = found(server, "--rollout", "model", "-f", str(manifest), "--window", f"{WINDOW_S}s")
    assert counts(told["slo/own"]) == {"aaaaaaaaaa": (6, 1)}
    assert counts(told["slo/latency"]) == {"aaaaaaaaaa": (6, 0)}


class Golden(BaseHTTPRequestHandler):
    """Serves the golden pages."""

    def do_GET(self) -> None:
        text = (PAGES / f"{self.path.rsplit('/', 1)[-1]}.txt").read_text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    @override
    def log_message(self, *_: object) -> None:
        """Keep the test's output readable."""


@pytest.fixture
def gateways(program: Path, tmp_path: Path) -> Iterator[PrometheusServer]:
    """Let a Prometheus scrape the gateways' pages by the rules that we ship, and a pod that has no labels."""
    shipped = yaml.safe_load((ROOT / "manifests" / "monitoring" / "scrape-gateways.yaml").read_text())
    rules = {job["job_name"]: job["metric_relabel_configs"] for job in shipped}
    pages = ThreadingHTTPServer(("127.0.0.1", 0), Golden)
    threading.Thread(target=pages.serve_forever, args=(0.05,), daemon=True).start()
    address = f"127.0.0.1:{pages.server_address[1]}"
    jobs = [
        {
            "job_name": job,
            "metrics_path": f"/{page}",
            "static_configs": [{"targets": [address], "labels": {"pod": f"{job}-1"}}],
            "metric_relabel_configs": rules[job],
        }
        for job, page in GATEWAYS.items()
    ]
    jobs.append(
        {
            "job_name": "forgotten",
            "metrics_path": "/mlserver",
            "static_configs": [{"targets": [address], "labels": {"namespace": "ml", "pod": "scorer-bbbbbbbbbb-x"}}],
        }
    )
    (tmp_path / "targets.json").write_text("[]")
    with PrometheusServer(program, tmp_path, jobs=yaml.safe_dump(jobs)) as running:
        deadline_s = time.monotonic() + 20
        while len(scraped(running)) < len(jobs):
            assert time.monotonic() < deadline_s, scraped(running)
            time.sleep(0.1)
        yield running
    pages.shutdown()
    pages.server_close()


def scraped(server: PrometheusServer) -> set[str]:
    promql = urllib.parse.quote('up{job!="self"} == 1')
    with urllib.request.urlopen(f"{server.url}/api/v1/query?query={promql}", timeout=5) as answer:  # noqa: S310 (http)
        return {series["metric"]["job"] for series in json.load(answer)["data"]["result"]}


def test_gateways_tell_versions_apart_by_the_scrape_rules_that_we_ship(gateways: PrometheusServer) -> None:
    expected = {
        "envoy": ("250ms", {OLD, NEW, DEAD}, {OLD, NEW}),
        "istio-gateway": ("250ms", {OLD, DEAD}, {OLD}),
        "ingress-nginx": ("250ms", {OLD, NEW}, {OLD, NEW}),
        "traefik": ("300ms", {OLD, NEW}, {OLD, NEW}),
    }
    for name, (threshold, availability, latency) in expected.items():
        told = found(gateways, "--rollout", "scorer", "--server", name, "--threshold", threshold)
        assert {seen["version"] for seen in told[f"{name}/http-availability"]["seen"]} == availability, told
        assert {seen["version"] for seen in told[f"{name}/http-latency"]["seen"]} == latency, told
        assert all(seen["problem"] is None for finding in told.values() for seen in finding["seen"]), told


def test_series_without_a_version_are_named(gateways: PrometheusServer) -> None:
    arguments = ("--rollout", "scorer", "--server", "mlserver", "--template", "http-availability")
    code, output = check(gateways, *arguments)
    assert code == 1
    assert "rest_server_requests_total come without the label rollout_version, from scorer-bbbbbbbbbb-x" in output


async def test_the_operator_sees_that_pods_come_without_a_version(gateways: PrometheusServer) -> None:
    late_s = 0.0
    client = Prometheus(FixedConnection(gateways.url))
    source = PrometheusSource(client, look_s=0.0, clock=lambda: time.time() + late_s)
    request = Request("ml", "scorer", (OLD, NEW), (), {})
    assert (await source.measure(request)).unlabelled == {}
    late_s = 16.0
    assert (await source.measure(request)).unlabelled == {OLD: ("scorer-bbbbbbbbbb-x",)}
    client.close()


def test_without_a_prometheus_the_check_says_so() -> None:
    code = CliRunner().invoke(
        main, ["sli", "check", "--prometheus", "http://127.0.0.1:1", "-n", "ml", "--rollout", "model"]
    )
    assert code.exit_code == 2
    assert "nothing listens there" in code.output


def test_every_shipped_rule_puts_the_same_labels() -> None:
    monitoring = ROOT / "manifests" / "monitoring"
    (plain,) = yaml.safe_load((monitoring / "scrape-models.yaml").read_text())
    wanted = [
        (rule["source_labels"], rule["target_label"])
        for rule in plain["relabel_configs"]
        if rule.get("target_label", "").startswith("rollout_")
    ]
    assert len(wanted) == 2
    for name, endpoints in (("podmonitor", "podMetricsEndpoints"), ("servicemonitor", "endpoints")):
        (endpoint,) = yaml.safe_load((monitoring / f"{name}.yaml").read_text())["spec"][endpoints]
        assert [(rule["sourceLabels"], rule["targetLabel"]) for rule in endpoint["relabelings"]] == wanted
    cluster = list(yaml.safe_load_all((ROOT / "cluster" / "manifests" / "prometheus.yaml").read_text()))
    (text,) = [part["data"]["prometheus.yml"] for part in cluster if part["kind"] == "ConfigMap"]
    rules = yaml.safe_load(text)["scrape_configs"][0]["relabel_configs"]
    assert [(r["source_labels"], r["target_label"]) for r in rules[-2:]] == wanted
