"""What a real API server makes of our CRDs: templates kept, statuses kept, explanations and columns shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial.api import schema
from seatrial.api.fields import DURATION_PATTERN, PERCENT_PATTERN
from seatrial.api.status import dump
from tests.apiserver.samples import DEPLOYMENT, SLO, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.conftest import ApiServer

TEMPLATE = yaml.safe_load("""
metadata:
  labels: {app: scorer, team: risk}
  annotations: {note: "kept: as written"}
  creationTimestamp: null
spec:
  terminationGracePeriodSeconds: 45
  nodeSelector: {}
  containers:
  - name: server
    image: registry.example/scorer:7
    env:
    - {name: EMPTY, value: ""}
    - {name: NUMBER, value: "1.10"}
    resources:
      limits: {cpu: 0.5, memory: 256Mi}
      requests: {cpu: 1, memory: "268435456"}
    fieldOfTomorrow: {list: [3, 1, 2], flag: false}
  - name: sidecar
    image: registry.example/proxy
""")


@pytest.fixture
def applied(api_server: ApiServer) -> Iterator[ApiServer]:
    for manifest in (changed(DEPLOYMENT, spec__template=TEMPLATE), SLO):
        answer = api_server.kubectl("apply", "-f", "-", stdin=manifest)
        assert answer.returncode == 0, answer.stderr
    yield api_server
    api_server.kubectl("delete", "md,mslo", "--all")


def without_nulls(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_nulls(value) for key, value in node.items() if value is not None}
    return [without_nulls(item) for item in node] if isinstance(node, list) else node


def test_the_template_comes_back_as_it_was_written(applied: ApiServer) -> None:
    read = applied.get("md", "fraud-scorer")["spec"]["template"]
    assert without_nulls(read) == without_nulls(TEMPLATE)


def test_a_second_apply_changes_nothing(applied: ApiServer) -> None:
    before = applied.get("md", "fraud-scorer")["metadata"]
    applied.kubectl("apply", "-f", "-", stdin=changed(DEPLOYMENT, spec__template=TEMPLATE))
    after = applied.get("md", "fraud-scorer")["metadata"]
    assert (before["generation"], before["resourceVersion"]) == (after["generation"], after["resourceVersion"])


def example(node: dict[str, Any], name: str = "") -> Any:
    """Make a value that a schema allows, with every field there is."""
    if node["type"] == "object":
        parts = node.get("properties") or {"label": node["additionalProperties"]}
        return {field: example(part, field) for field, part in parts.items()}
    if node["type"] == "array":
        return [example(node["items"], name)]
    if "enum" in node:
        return node["enum"][0]
    if node.get("format") == "date-time":
        return "2026-01-02T03:04:05.678Z"
    if rules := node.get("x-kubernetes-validations"):
        return example_by(rules[0]["rule"])
    number = min(7, node.get("maximum", 7))
    return {"string": name.lower(), "integer": number, "number": 0.125, "boolean": True}[node["type"]]


def example_by(rule: str) -> str:
    if DURATION_PATTERN in rule:
        return "1m"
    return "99.9" if PERCENT_PATTERN in rule else "0.25"


@pytest.mark.parametrize("kind", schema.KINDS, ids=lambda kind: kind.kind)
def test_a_full_status_is_kept_to_the_last_field(applied: ApiServer, kind: schema.Kind) -> None:
    body = applied.get(kind.plural, "fraud-scorer")
    described = kind.status.json_schema(mode="serialization")
    full = example(schema.structural(described, described["$defs"]))
    status = dump(kind.status, kind.status.validate_python(full))
    assert status == full, "the model forgets or renames a field of its own schema"
    written = applied.kubectl("replace", "--subresource=status", "-f", "-", stdin={**body, "status": status})
    assert written.returncode == 0, written.stderr
    assert applied.get(kind.plural, "fraud-scorer")["status"] == status


def test_a_status_in_an_applied_manifest_is_ignored(applied: ApiServer) -> None:
    applied.kubectl("apply", "-f", "-", stdin={**changed(DEPLOYMENT, spec__paused=True), "status": {"phase": "Stable"}})
    assert applied.get("md", "fraud-scorer").get("status", {}).get("phase") != "Stable"


def test_columns(applied: ApiServer) -> None:
    def header(*arguments: str) -> list[str]:
        return applied.kubectl("get", *arguments).stdout.splitlines()[0].split()

    assert header("md") == ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANDIDATE", "VERDICT", "BUDGET", "AGE"]
    assert header("mslo") == ["NAME", "OBJECTIVES", "WORST", "BURN", "BUDGET-LEFT", "AGE"]
    assert header("md", "-o", "wide")[-3:] == ["STABLE-HASH", "CANDIDATE-HASH", "SUMMARY"]
    assert "modelslo.seatrial.dev/fraud-scorer" in applied.kubectl("get", "seatrial", "-o", "name").stdout


def test_explain_tells_what_a_step_is(api_server: ApiServer) -> None:
    deadline = time.monotonic() + 20  # the API server publishes the schema of a new CRD a few seconds later
    while not (text := api_server.kubectl("explain", "md.spec.strategy.steps").stdout):
        assert time.monotonic() < deadline, "no explanation of md after 20 s"
        time.sleep(0.5)
    assert "The steps, in order. After the last one the candidate gets all requests." in text
    assert "weight\t<integer>" in text
    assert "Percent of the requests that go to the candidate." in text
