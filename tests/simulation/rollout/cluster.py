"""A cluster on a virtual clock: pods that take their time, a gateway that lags, and requests that fall by weight."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.rollout.decision import Division
from seatrial.rollout.world import RouteView, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    Chance = Callable[[float, int], float]
    """Share of requests that go wrong, from the time and from how many the version has served."""

PROGRAMS_IN_S = 0.5
"""How long the gateway takes to put a route into force."""


def always(share: float) -> Chance:
    """Make the same share of requests go wrong for ever."""
    return lambda _now_s, _served: share


GOOD = always(0.001)


@dataclass(slots=True)
class Model:
    """How a version behaves."""

    label: str
    errors: Chance = GOOD
    slow: Chance = GOOD
    wrong: Chance = GOOD
    starts_in_s: float = 3.0


@dataclass(slots=True)
class Counters:
    """What the pods of a version have counted, kept by Prometheus when they go."""

    total: int = 0
    errors: int = 0
    slow: int = 0


@dataclass(slots=True)
class Labelled:
    """What the joiner has counted of a version: predictions with a label, those that turned out wrong, and all."""

    total: int = 0
    wrong: int = 0
    matured: int = 0


@dataclass(slots=True)
class Pods:
    """The pods of a version: since when each of them is ready, or when it will be."""

    desired: int
    ready_s: list[float]

    def ready(self, now_s: float, for_s: float = 0.0) -> int:
        return sum(at_s + for_s <= now_s for at_s in self.ready_s)


@dataclass(slots=True)
class Cluster:
    """Everything outside the operator but Prometheus.

    Attributes
    ----------
    models
        How each version behaves, by hash; versions that were never applied may be missing.
    rate_hz
        Requests per second, Poisson.
    warm_up_s
        How long a pod must be ready to count as available.
    labels_in_s
        How long after a prediction its label comes; None when none ever does.
    labelled
        Share of the predictions that ever get a label.
    lost
        Requests that found no ready pod behind their backend.
    first_bad_s, last_weight_s
        By version: when a client first got a bad answer, and until when the gateway sent it requests.
    gone
        By version: how many seconds after its last weight its pods were removed.
    """

    random: np.random.Generator
    models: Mapping[str, Model]
    rate_hz: float = 100.0
    warm_up_s: float = 2.0
    now_s: float = 0.0
    pods: dict[str, Pods] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    division: Division = field(default_factory=lambda: Division({}))
    written_s: float = 0.0
    in_force: dict[str, int] = field(default_factory=dict)
    gateway_stuck_until_s: float = 0.0
    counters: dict[str, Counters] = field(default_factory=dict)
    labels_in_s: float | None = None
    labelled: float = 1.0
    labels: dict[str, Labelled] = field(default_factory=dict)
    _ripening: deque[tuple[float, str, Labelled]] = field(default_factory=deque)
    lost: int = 0
    first_bad_s: dict[str, float] = field(default_factory=dict)
    last_weight_s: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)

    def step(self, for_s: float) -> None:
        """Let time go by."""
        self.now_s += for_s
        if self.programmed:
            self.in_force = dict(self.written)
        while self._ripening and self._ripening[0][0] <= self.now_s:
            _, version, more = self._ripening.popleft()
            known = self.labels.setdefault(version, Labelled())
            known.total, known.wrong = known.total + more.total, known.wrong + more.wrong
            known.matured += more.matured
        requests = int(self.random.poisson(self.rate_hz * for_s))
        left = 100
        for version, weight in self.in_force.items():
            if weight and left:
                mine = int(self.random.binomial(requests, weight / left))
                requests, left = requests - mine, left - weight
                self._serve(version, mine)

    def _serve(self, version: str, requests: int) -> None:
        self.last_weight_s[version] = self.now_s
        pods = self.pods.get(version)
        if not pods or not pods.ready(self.now_s):
            self.lost += requests
            return
        known, model = self.counters.setdefault(version, Counters()), self.models[version]
        errors = int(self.random.binomial(requests, model.errors(self.now_s, known.total)))
        slow = int(self.random.binomial(requests, model.slow(self.now_s, known.total)))
        known.total, known.errors, known.slow = known.total + requests, known.errors + errors, known.slow + slow
        if self.labels_in_s is not None:
            told = requests if self.labelled == 1 else int(self.random.binomial(requests, self.labelled))
            wrong = int(self.random.binomial(told, model.wrong(self.now_s, known.total)))
            self._ripening.append((self.now_s + self.labels_in_s, version, Labelled(told, wrong, requests)))
        if errors or slow:
            self.first_bad_s.setdefault(version, self.now_s)

    @property
    def programmed(self) -> bool:
        return self.now_s >= max(self.written_s + PROGRAMS_IN_S, self.gateway_stuck_until_s)

    def route(self) -> RouteView | None:
        """Read the route as the API server has it."""
        if not self.written:
            return None
        extras = {part: getattr(self.division, part) for part in ("mirror", "group", "sticky", "preview", "fallback")}
        return RouteView(dict(self.written), accepted=self.programmed, resolved=self.programmed, **extras)

    def workloads(self) -> dict[str, Workload]:
        return {version: self._workload(version, pods) for version, pods in self.pods.items()}

    def _workload(self, version: str, pods: Pods) -> Workload:
        ready, available = pods.ready(self.now_s), pods.ready(self.now_s, self.warm_up_s)
        return Workload(version, pods.desired, ready, available)

    def write_route(self, division: Division) -> None:
        if division.weights and division != self.division:
            self.written, self.division, self.written_s = dict(division.weights), division, self.now_s

    def scale(self, version: str, replicas: int) -> None:
        pods = self.pods.setdefault(version, Pods(replicas, []))
        pods.desired = replicas
        starts_in_s = self.models[version].starts_in_s
        more = replicas - len(pods.ready_s)
        pods.ready_s = [*pods.ready_s, *[self.now_s + starts_in_s] * more][:replicas]

    def remove(self, version: str) -> None:
        """Delete a version's Deployment and all its pods at once."""
        if self.pods.pop(version, None) and version in self.last_weight_s:
            self.gone[version] = self.now_s - self.last_weight_s[version]

    def lose_pods(self, version: str, back_in_s: float) -> None:
        """Let all pods of a version die; they are ready again after a while."""
        pods = self.pods[version]
        pods.ready_s = [self.now_s + back_in_s] * pods.desired
