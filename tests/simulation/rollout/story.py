"""Whole rollouts: a user applies versions, the operator tries them on the simulated cluster, and we count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.api.status import Phase
from seatrial.rollout.versions import version_hash
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import Wish
from tests.simulation.rollout.cluster import Cluster, Model
from tests.simulation.rollout.operator import Operator
from tests.simulation.rollout.prometheus import SCRAPE_S, Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S = 0.25
DRAIN_S = 5.0
AT_REST = {Phase.STABLE, Phase.ROLLED_BACK}
AVAILABILITY = {"name": "availability", "target": "99", "sli": {"template": "http-availability", "server": "mlserver"}}
LATENCY = {
    "name": "latency",
    "target": "95",
    "sli": {"template": "http-latency", "server": "mlserver", "threshold": "250ms"},
}


def spec_of(label: str, **changes: Any) -> dict[str, Any]:
    return {
        "model": {"name": "scorer", "version": label},
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "model", "image": f"example/scorer:{label}"}]}},
        "port": 8080,
        "traffic": {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": ["scorer.example.com"]}},
        "slos": [{"name": "scorer"}],
        "strategy": {
            "steps": [{"weight": 10, "for": "15s"}, {"weight": 50, "for": "15s", "minRequests": 500}],
            "warmUp": "2s",
            "readyDeadline": "1m",
            "drain": f"{DRAIN_S:g}s",
            "keep": {"versions": 0, "for": "1d"},
        },
    } | changes


@dataclass(slots=True)
class Story:
    """One simulated cluster with its operator, version 1 already stable."""

    models: dict[str, Model]
    cluster: Cluster
    prometheus: Prometheus
    operator: Operator
    slo: dict[str, Any]
    hashes: dict[str, str] = field(default_factory=dict)

    def apply(self, label: str, **changes: Any) -> str:
        """Apply a version and return its hash."""
        self.operator.apply(self.wish(label, **changes))
        return self.hashes[label]

    def wish(self, label: str, **changes: Any) -> Wish:
        spec = spec_of(label, **changes)
        wish = wish_of(spec, {"scorer": self.slo}, lambda _: None)
        assert isinstance(wish, Wish), wish
        self.hashes[label] = version_hash(spec)
        self.cluster.models = {self.hashes[name]: self.models[name] for name in self.hashes}
        return wish

    def run(self, for_s: float) -> None:
        """Let time go by."""
        for _ in range(round(for_s / STEP_S)):
            self.step()

    def step(self) -> None:
        self.cluster.step(STEP_S)
        self.prometheus.step()
        self.operator.step()
        weights = self.cluster.written
        assert not weights or sum(weights.values()) == 100

    def until(self, reached: Callable[[], bool], limit_s: float = 600.0) -> None:
        for _ in range(round(limit_s / STEP_S)):
            if reached():
                return
            self.step()
        raise AssertionError(f"not within {limit_s:g} s: {self.operator.status.summary}")

    def until_rest(self, limit_s: float = 600.0) -> None:
        """Wait until nothing is underway and what is no longer needed is gone."""
        self.until(self._at_rest, limit_s)

    def _at_rest(self) -> bool:
        status = self.operator.status
        seen = status.observed_generation == self.operator.generation
        return seen and status.phase in AT_REST and not status.draining and self.cluster.programmed

    def until_phase(self, phase: Phase, limit_s: float = 600.0) -> None:
        self.until(lambda: self.phase is phase, limit_s)

    @property
    def phase(self) -> Phase:
        return self.operator.status.phase

    @property
    def stable(self) -> str:
        """Label of the stable version."""
        stable = self.operator.status.stable
        return stable.label if stable else ""

    def weight(self, label: str) -> int:
        """Percent of the requests that the gateway really sends to a version now."""
        return self.cluster.in_force.get(self.hashes[label], 0)

    def seconds_to_weight_0(self, label: str) -> float:
        """Seconds from the first bad answer of a version to its last weight."""
        version = self.hashes[label]
        return self.cluster.last_weight_s[version] - self.cluster.first_bad_s[version]

    def outcomes(self) -> list[tuple[str, str]]:
        """List how versions fared, the oldest first."""
        return [(entry.label, entry.outcome.value) for entry in reversed(self.operator.status.history)]


def begin(
    seed: int,
    models: dict[str, Model] | None = None,
    *,
    rate_hz: float = 100.0,
    objectives: Any = (AVAILABILITY, LATENCY),
) -> Story:
    """Deploy version 1 and wait until it serves."""
    known = {"1": Model("1"), **(models or {})}
    random = np.random.default_rng(seed)
    cluster = Cluster(random, {}, rate_hz=rate_hz)
    prometheus = Prometheus(cluster, next_scrape_s=random.uniform(0, SCRAPE_S))
    slo = {"objectives": list(objectives), "rollback": {"burnRate": "1"}}
    operator = Operator(cluster, prometheus, None)  # type: ignore[arg-type] # the wish follows below, before any look
    story = Story(known, cluster, prometheus, operator, slo)
    operator.wish = story.wish("1")
    story.until_phase(Phase.STABLE)
    story.run(5.0)
    cluster.lost = 0
    return story
