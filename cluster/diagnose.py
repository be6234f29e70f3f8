"""What one needs to see to understand why something on the cluster failed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from cluster.errors import ClusterError
from cluster.kubectl import entrance, environment, kubectl
from cluster.shell import tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.layout import Layout
    from cluster.record import Record

_LOG_LINES = 40
_COMPONENT_LOG_LINES = 15
_EVENTS = 60
_OPERATOR = "seatrial-system"
_TABLES = (
    ("Nodes", ["get", "nodes", "-o", "wide"]),
    ("Rollouts", ["get", "modeldeployments.seatrial.dev,modelslos.seatrial.dev", "-A", "-o", "wide"]),
    ("Deployments", ["get", "deployments", "-A", "-o", "wide"]),
    ("Services", ["get", "services,endpointslices", "-A"]),
)


def report(layout: Layout, record: Record) -> Iterator[tuple[str, str]]:
    """Yield (title, text) pairs, one after another as they are found; never raises for a part that can't be had."""
    for title, arguments in _TABLES:
        yield title, _kubectl(layout, record, arguments)
    yield "Pods", _kubectl(layout, record, ["get", "pods", "-A", "-o", "wide"])
    yield from _sick_pods(layout, record)
    yield "Events", tail(_kubectl(layout, record, ["get", "events", "-A", "--sort-by=.lastTimestamp"]), _EVENTS)
    pods = ["logs", "-n", _OPERATOR, "-l", "app.kubernetes.io/name=seatrial", "--prefix", f"--tail={_LOG_LINES * 3}"]
    yield "Operator's log", _kubectl(layout, record, pods)
    yield "Routes", _routes(_kubectl(layout, record, ["get", "httproutes", "-A", "-o", "json"]))
    yield "Prometheus: targets", _targets(_prometheus(layout, record, "targets?state=active"))
    yield "Prometheus: rules", _prometheus(layout, record, "rules")
    for log in sorted(layout.logs.glob("*.log")):
        yield f"Component {log.stem}", tail(log.read_text(errors="replace"), _COMPONENT_LOG_LINES)


def sick(pod: dict[str, Any]) -> list[str]:
    """Return why a pod (as the API gives it) is not well, one line for each container; empty when it is."""
    reasons = []
    status = pod.get("status", {})
    for state in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        now = state.get("state", {})
        waiting, ended = now.get("waiting"), now.get("terminated")
        if ended and ended.get("reason") == "Completed":
            continue
        if waiting or ended or not state.get("ready") or state.get("restartCount"):
            why = waiting or ended or state.get("lastState", {}).get("terminated") or {"reason": "not ready"}
            words = f"{why.get('reason', '')} {why.get('message', '')}".strip()
            reasons.append(f"{state['name']}: {words}, {state.get('restartCount', 0)} restarts")
    if status.get("phase") == "Pending" and not reasons:
        unmet = [each for each in status.get("conditions", []) if each.get("status") == "False"]
        reasons += [f"{each['type']}: {each.get('message', each.get('reason', ''))}" for each in unmet]
    return reasons


def _sick_pods(layout: Layout, record: Record) -> Iterator[tuple[str, str]]:
    listed = _kubectl(layout, record, ["get", "pods", "-A", "-o", "json"])
    try:
        pods = json.loads(listed)["items"]
    except ValueError:
        return
    for pod in pods:
        reasons = sick(pod)
        if not reasons:
            continue
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        words = ["logs", "-n", namespace, name, "--all-containers", "--prefix", f"--tail={_LOG_LINES}"]
        logs = [_kubectl(layout, record, words)]
        if any(state.get("restartCount") for state in pod["status"].get("containerStatuses", [])):
            logs.append("before its restart:\n" + _kubectl(layout, record, [*words, "--previous"]))
        yield f"Pod {namespace}/{name}", "\n".join([*reasons, *logs])


def _routes(listed: str) -> str:
    """Return one line for each backend of each route, and one for each condition that is not True."""
    try:
        routes = json.loads(listed)["items"]
    except ValueError:
        return listed
    lines = []
    for route in routes:
        name = f"{route['metadata']['namespace']}/{route['metadata']['name']}"
        for rule in route["spec"].get("rules", []):
            backends = [f"{each['name']}={each.get('weight', 1)}" for each in rule.get("backendRefs", [])]
            lines.append(f"{name} {','.join(route['spec'].get('hostnames', []))}: {' '.join(backends)}")
        for parent in route.get("status", {}).get("parents", []):
            lines += [
                f"{name} {each['type']}={each['status']}: {each.get('message', '')}"
                for each in parent.get("conditions", [])
                if each["status"] != "True"
            ]
    return "\n".join(lines) or "none"


def _targets(answer: str) -> str:
    try:
        targets = json.loads(answer)["data"]["activeTargets"]
    except (ValueError, KeyError):
        return answer
    return "\n".join(
        f"{each['health']} {each['scrapeUrl']} {each['labels']} {each.get('lastError', '')}" for each in targets
    )


def _prometheus(layout: Layout, record: Record, path: str) -> str:
    url = f"{record.prometheus}/api/v1/{path}"
    fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
    done = subprocess.run(
        [*entrance(record), "python3", "-c", fetch, url],
        env=os.environ | environment(layout, record), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else f"no answer from {url}: {tail(done.stderr, 1)}"


def _kubectl(layout: Layout, record: Record, arguments: list[str]) -> str:
    try:
        return kubectl(layout, record, [*arguments, "--request-timeout=10s"], "asking", timeout_s=30)
    except ClusterError as error:
        return error.what
