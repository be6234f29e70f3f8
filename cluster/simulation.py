"""The traffic of the control-plane level, played: who gets which request, and what its metrics page says then (pure).

The pods of that level run nothing. What a version's pods would do stands in the environment variables of its container,
the same that the demo's model server reads: ``MODEL_VERSION``, ``FAULT_ERROR_RATIO`` (0 to 1) and ``FAULT_DELAY_MS``;
``SIMULATED_REQUESTS_PER_S`` asks for requests without anybody sending them (the highest of a route's versions counts).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

GOOD, FAILED, NO_BACKEND = 200, 500, 503
_MEDIAN_LATENCY_S = 0.003
_LATENCY_SPREAD = 0.4  # standard deviation of the latency's logarithm
_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)  # MLServer's
_PATH = "/v2/models/{model_name}/infer"
_MODEL_LABEL, _VERSION_LABEL = "seatrial.dev/model", "seatrial.dev/version"
_COUNTER, _HISTOGRAM = "rest_server_requests_total", "rest_server_request_duration_seconds"

Name = tuple[str, str]  # namespace, name


class Pod:
    """One pod that kwok plays: what it does with requests, and what it counted."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"]
        self.name: Name = (metadata["namespace"], metadata["name"])
        self.labels: dict[str, str] = metadata.get("labels", {})
        env = {one["name"]: one.get("value", "") for one in body["spec"]["containers"][0].get("env", [])}
        self.version = env.get("MODEL_VERSION", "0")
        self.error_ratio = float(env.get("FAULT_ERROR_RATIO") or 0)
        self.delay_s = float(env.get("FAULT_DELAY_MS") or 0) / 1000
        self.rate = float(env.get("SIMULATED_REQUESTS_PER_S") or 0)
        self.ready = is_ready(body)
        self._buckets = {status: [0] * len(_EDGES_S) for status in (GOOD, FAILED)}
        self._sums_s = {GOOD: 0.0, FAILED: 0.0}
        self._heads = list(_heads(self.name, self.labels))
        self._page = ""

    def answer(self, random: Random) -> tuple[int, float]:
        """Draw what one request gets, (status, latency in seconds), and count it."""
        status = FAILED if random.random() < self.error_ratio else GOOD
        latency_s = _MEDIAN_LATENCY_S * math.exp(_LATENCY_SPREAD * random.gauss(0, 1)) + self.delay_s
        self._buckets[status][bisect_left(_EDGES_S, latency_s)] += 1
        self._sums_s[status] += latency_s
        self._page = ""
        return status, latency_s

    def page(self) -> str:
        """Return its series in Prometheus' text format, as MLServer would name them, and its ``up``."""
        if not self._page:
            values: list[float] = [1]
            for status in (GOOD, FAILED):
                running, counts = 0, []
                for count in self._buckets[status]:
                    running += count
                    counts.append(running)
                values += [running, *counts, running, self._sums_s[status]]
            self._page = "".join(f"{head} {value}\n" for head, value in zip(self._heads, values, strict=True))
        return self._page


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a route: path prefixes that it serves (empty: all), and (service, weight) pairs."""

    prefixes: tuple[str, ...]
    backends: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Route:
    """One HTTPRoute, and the share of a request that its own traffic still owes."""

    hosts: tuple[str, ...]
    rules: tuple[Rule, ...]
    owed: float = 0.0


@dataclass(slots=True)
class World:
    """Pods of versions, Services and routes as the API server last told."""

    pods: dict[Name, Pod] = field(default_factory=dict)
    selectors: dict[Name, dict[str, str]] = field(default_factory=dict)
    routes: dict[Name, Route] = field(default_factory=dict)
    _of_version: dict[tuple[str, str], dict[Name, Pod]] = field(default_factory=dict)  # by namespace and version
    _behind: dict[Name, list[Pod]] = field(default_factory=dict)  # ready pods by Service, as far as asked

    def see(self, kind: str, body: Mapping[str, Any], *, gone: bool) -> None:
        """Take in one object of kind ``pods``, ``services`` or ``httproutes`` that came, changed or went."""
        name = (body["metadata"]["namespace"], body["metadata"]["name"])
        match kind:
            case "pods":
                self._see_pod(name, body, gone=gone or body["status"].get("phase") in ("Failed", "Succeeded"))
                self._behind.clear()
            case "services":
                self.selectors[name] = {} if gone else body["spec"].get("selector") or {}
                self._behind.clear()
            case _ if gone:
                self.routes.pop(name, None)
            case _:
                owed = self.routes[name].owed if name in self.routes else 0.0
                self.routes[name] = Route(tuple(body["spec"].get("hostnames", ())), tuple(_rules(body)), owed)

    def route(self, host: str) -> Name | None:
        """Return the route of this host name."""
        return next((name for name, route in self.routes.items() if not route.hosts or host in route.hosts), None)

    def backend(self, name: Name, path: str, random: Random) -> Pod | None:
        """Draw the pod that gets one request of this route; None: no rule fits, or the drawn Service has no pod."""
        for rule in self.routes[name].rules:
            if rule.prefixes and not path.startswith(rule.prefixes):
                continue
            sum_of_weights = sum(weight for _, weight in rule.backends)
            point = random.random() * sum_of_weights
            for service, weight in rule.backends:
                point -= weight
                if point < 0:
                    pods = self._ready_behind((name[0], service))
                    return random.choice(pods) if pods else None
        return None

    def play(self, elapsed_s: float, random: Random) -> int:
        """Play the requests that nobody sends, those of the last `elapsed_s`; return how many there were."""
        played = 0
        for name, route in self.routes.items():
            services = [service for rule in route.rules for service, _ in rule.backends]
            pods = [pod for service in services for pod in self._ready_behind((name[0], service))]
            rate = max((pod.rate for pod in pods), default=0.0)
            route.owed += rate * elapsed_s
            whole = int(route.owed)
            route.owed -= whole
            for _ in range(whole):
                pod = self.backend(name, _PATH, random)
                if pod is not None:
                    pod.answer(random)
            played += whole
        return played

    def page(self) -> str:
        """Return the metrics of all ready pods."""
        types = f"# TYPE up gauge\n# TYPE {_COUNTER} counter\n# TYPE {_HISTOGRAM} histogram\n"
        return types + "".join(pod.page() for pod in self.pods.values() if pod.ready)

    def _see_pod(self, name: Name, body: Mapping[str, Any], *, gone: bool) -> None:
        version = (name[0], body["metadata"].get("labels", {}).get(_VERSION_LABEL, ""))
        siblings = self._of_version.setdefault(version, {})
        if gone:
            self.pods.pop(name, None)
            siblings.pop(name, None)
        elif name in self.pods:
            self.pods[name].ready = is_ready(body)
        else:
            self.pods[name] = siblings[name] = Pod(body)

    def _ready_behind(self, service: Name) -> list[Pod]:
        """Return the ready pods of a Service; looked up once after each change of pods or Services."""
        if service not in self._behind:
            selector = self.selectors.get(service, {})
            version = selector.get(_VERSION_LABEL, "")
            self._behind[service] = [
                pod
                for pod in self._of_version.get((service[0], version), {}).values()
                if pod.ready and selector.items() <= pod.labels.items()
            ]
        return self._behind[service]


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod, as the API gives it, takes requests."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _rules(route: Mapping[str, Any]) -> Iterator[Rule]:
    for rule in route["spec"].get("rules", []):
        paths = [match["path"]["value"] for match in rule.get("matches", []) if "path" in match]
        backends = [(one["name"], one.get("weight", 1)) for one in rule.get("backendRefs", [])]
        yield Rule(tuple(paths), tuple(backends))


def _heads(name: Name, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield the series of a pod's page in order: name and labels, without the value."""
    target = {
        "namespace": name[0],
        "pod": name[1],
        "rollout_name": labels.get(_MODEL_LABEL, ""),
        "rollout_version": labels.get(_VERSION_LABEL, ""),
    }
    common = ",".join(f'{label}="{value}"' for label, value in target.items())
    yield f"up{{{common}}}"
    for status in (GOOD, FAILED):
        own = f'{common},app_name="mlserver",method="POST",path="{_PATH}",status_code="{status}"'
        yield f"{_COUNTER}{{{own}}}"
        for edge in _EDGES_S:
            yield f'{_HISTOGRAM}_bucket{{{own},le="{"+Inf" if math.isinf(edge) else edge}"}}'
        yield f"{_HISTOGRAM}_count{{{own}}}"
        yield f"{_HISTOGRAM}_sum{{{own}}}"
