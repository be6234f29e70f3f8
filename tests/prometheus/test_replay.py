"""``seatrial replay`` on a range of a live Prometheus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from seatrial.cli.main import main
from tests.prometheus.test_budgets import NEW, NOW_S, OLD, data, server  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.prometheus.server import PrometheusServer

MANIFESTS = """
apiVersion: seatrial.dev/v1alpha1
kind: ModelDeployment
metadata: {name: m, namespace: ml}
spec:
  model: {name: m, version: "7"}
  template: {spec: {containers: [{name: model, image: m}]}}
  port: 8080
  traffic: {gateway: {parentRefs: [{name: public}], hostnames: [m.example.com]}}
  slos: [{name: m}]
  strategy: {steps: [{weight: 10, for: 1h}]}
---
apiVersion: seatrial.dev/v1alpha1
kind: ModelSLO
metadata: {name: m, namespace: ml}
spec:
  objectives:
  - {name: availability, target: "99", sli: {template: http-availability}}
  - {name: latency, target: "90", sli: {template: http-latency, threshold: 250ms}}
"""


def written(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def replay(tmp_path: Path, url: str, start_s: float, end_s: float) -> Any:
    (tmp_path / "model.yaml").write_text(MANIFESTS)
    asked = ["--prometheus", url, "--start", written(start_s), "--end", written(end_s), "--look", "1m", "--fresh", "2m"]
    return CliRunner().invoke(main, ["replay", "-f", str(tmp_path / "model.yaml"), *asked, "-o", "json"])


def test_a_live_range_is_replayed(server: PrometheusServer, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """The young version fails one of six requests a minute, from 20 minutes before the end."""
    result = replay(tmp_path, server.url, NOW_S - 3600, NOW_S)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["candidate"], found["stable"], found["ending"]) == (NEW, OLD, "RolledBack")
    assert 180 <= found["after_s"] <= 600
    condemned, latency = found["judgements"]
    assert (condemned["objective"], condemned["verdict"], condemned["bad"]) == (
        "availability", "Burning", round(found["after_s"] / 60) + 1,
    )  # fmt: skip
    assert (latency["objective"], latency["bad"]) == ("latency", 0)


def test_a_range_without_samples_is_said(server: PrometheusServer, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    result = replay(tmp_path, server.url, NOW_S - 30 * 86400, NOW_S - 30 * 86400 + 3600)
    assert result.exit_code == 2
    assert "no sample of ml/m in this range" in result.output


def test_a_prometheus_that_is_away_is_said(tmp_path: Path) -> None:
    result = replay(tmp_path, "http://127.0.0.1:9", NOW_S - 60, NOW_S)
    assert result.exit_code == 1
    assert "nothing listens there" in result.output
