"""The tick of the operator around the real decide and weigh: it may be killed anywhere, and look at an old world."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase, dump
from seatrial.metrics.label_types import LabelCounts, LabelReadings
from seatrial.metrics.types import Request
from seatrial.rollout.aftermath import late_request, weigh_late
from seatrial.rollout.counts import request_for
from seatrial.rollout.evidence import weigh
from seatrial.rollout.label_objectives import covered
from seatrial.rollout.labels import assess_labels, frozen_plan
from seatrial.rollout.machine import decide
from seatrial.rollout.world import Wish, World

if TYPE_CHECKING:
    from seatrial.api.commands import Command
    from seatrial.api.labels import LabelStatus
    from seatrial.api.trial import ObjectiveEvidence
    from seatrial.metrics.types import Measurements
    from seatrial.rollout.decision import Decision
    from seatrial.rollout.world import Refusal
    from tests.simulation.rollout.cluster import Cluster
    from tests.simulation.rollout.prometheus import Prometheus

    Point = Literal["before record", "before act", "in act"]

FRESH_S = 7.0
RESTARTS_IN_S = 3.0
MOST_LOOKS = 10
"""At one instant: each move makes one more look due."""


@dataclass(slots=True)
class Operator:
    """One ModelDeployment's loop.

    Attributes
    ----------
    stored
        The status as the API server keeps it; the only memory.
    stale_s
        How old the world is that it sees; the status is never stale, since writing it compares and sets.
    kill
        Dies at this look, at that point; a new one begins from the stored status.
    told
        (time, reason, note) of every Event.
    """

    cluster: Cluster
    prometheus: Prometheus
    wish: Wish | Refusal
    generation: int = 1
    look_s: float = 1.0
    stored: dict[str, Any] = field(default_factory=dict)
    next_look_s: float | None = 0.0
    stale_s: float = 0.0
    kill: dict[int, Point] = field(default_factory=dict)
    looks: int = 0
    told: list[tuple[float, str, str]] = field(default_factory=list)
    seen: deque[World] = field(default_factory=deque)
    _delay_s: float | None = None
    _read: ModelDeploymentStatus | None = None
    commands: tuple[Command, ...] = ()

    @property
    def status(self) -> ModelDeploymentStatus:
        """Read the stored status, as a restarted operator does."""
        if self._read is None:
            self._read = DEPLOYMENT_STATUS.validate_python(self.stored)
        return self._read

    def apply(self, wish: Wish | Refusal) -> None:
        """Edit the spec; the watch wakes the loop."""
        self.wish, self.generation, self.next_look_s = wish, self.generation + 1, self.cluster.now_s

    def command(self, command: Command) -> None:
        """Let a person ask for something."""
        self.commands, self.next_look_s = (*self.commands, command), self.cluster.now_s

    def step(self) -> None:
        """Look when it is time to, or when something in the cluster has changed."""
        now_s = self.cluster.now_s
        self._watch()
        for _ in range(MOST_LOOKS):
            if self.next_look_s is None or self.next_look_s > now_s:
                return
            self.looks += 1
            point = self.kill.get(self.looks)
            delay_s = RESTARTS_IN_S if self._tick(point) else self._delay_s
            self.next_look_s = None if delay_s is None else now_s + delay_s
        raise AssertionError(f"the operator looks without end: {self.status.summary}")

    def _watch(self) -> None:
        """Remember what the watches deliver, and wake up when it is something new."""
        now = World(self.cluster.now_s, self.generation, self.wish, self.cluster.workloads(), self.cluster.route())
        if not self.seen or (self.seen[-1].workloads, self.seen[-1].route) != (now.workloads, now.route):
            wake_s = now.now_s + self.stale_s
            self.next_look_s = wake_s if self.next_look_s is None else min(wake_s, self.next_look_s)
        self.seen.append(now)
        while len(self.seen) > 1 and self.seen[1].now_s <= now.now_s - self.stale_s:
            self.seen.popleft()

    def _tick(self, point: Point | None) -> bool:
        """Observe, judge, decide, record, act, report; True when it was killed on the way."""
        status = self.status
        world = self._world(status)
        decision = decide(status, world, look_s=self.look_s)
        if point == "before record":
            return True
        if decision.status != status:
            self.stored, self._read = dump(DEPLOYMENT_STATUS, decision.status), None
        if point == "before act":
            return True
        self.cluster.write_route(decision.target.division)
        if point == "in act":
            return True
        self._act(decision, world)
        self.told += [(self.cluster.now_s, notice.reason, notice.note) for notice in decision.notices]
        self._delay_s = decision.look_again_s
        return False

    def _world(self, status: ModelDeploymentStatus) -> World:
        world, trial = self.seen[0], status.trial
        measured = self._measure(status)
        labels = self._labels(status) or status.labels
        evidence: tuple[ObjectiveEvidence, ...] = ()
        if measured and trial and trial.weighted_at is not None and status.candidate and status.stable:
            evidence = weigh(trial, status.candidate.hash, status.stable.hash, measured, fresh_s=FRESH_S)
            evidence = covered(evidence, trial.plan, status.candidate.hash, labels)
        return replace(
            world,
            now_s=self.cluster.now_s,
            generation=self.generation,
            wish=self.wish,
            evidence=evidence,
            late=self._late(status, labels),
            labels=labels,
            targets_up=measured.targets_up if measured else {},
            metrics_down=measured.unavailable if measured else None,
            commands=self.commands,
        )

    def _labels(self, status: ModelDeploymentStatus) -> LabelStatus | None:
        """Look at labels, where a ModelSLO asks for it; the joiner scores predictions when their labels come."""
        plan = frozen_plan(status) or (self.wish.plan if isinstance(self.wish, Wish) else None)
        if not plan or not plan.labels:
            return None
        now_s, late_s = self.cluster.now_s, self.cluster.labels_in_s or 0.0
        counts = {
            ("demo", "scorer", version): LabelCounts(
                known.matured, known.total, ((late_s, known.total), (math.inf, known.total)), maturity_s=late_s
            )
            for version, known in self.cluster.labels.items()
        }
        away = "it is away" if self.prometheus.away else None
        return assess_labels(plan.labels, "demo", "scorer", status, LabelReadings(now_s, away, {} if away else counts))

    def _late(self, status: ModelDeploymentStatus, labels: LabelStatus | None) -> tuple[ObjectiveEvidence, ...]:
        watch = status.label_watch
        if not watch or status.candidate:
            return ()
        measured = self.prometheus.measure(late_request("demo", "scorer", watch))
        late = weigh_late(watch, measured, fresh_s=FRESH_S, service={})
        return covered(late, watch.trial.plan, watch.trial.version.hash, labels)

    def _measure(self, status: ModelDeploymentStatus) -> Measurements | None:
        trial, candidate, stable = status.trial, status.candidate, status.stable
        if not trial or not candidate or not stable:
            return None
        if status.phase is Phase.STARTING:
            return self.prometheus.measure(Request("demo", "scorer", (candidate.hash,), (), {}))
        return self.prometheus.measure(request_for("demo", "scorer", candidate.hash, stable.hash, trial))

    def _act(self, decision: Decision, world: World) -> None:
        """Do what the actor does: a template is known of the wished version and of what is there, and of nothing else.

        What the route that was seen names is never removed.
        """
        target, cluster = decision.target, self.cluster
        wished = world.wish.version if isinstance(world.wish, Wish) else None
        for version, replicas in target.replicas.items():
            there = cluster.pods.get(version)
            if (there and there.desired != replicas) or (not there and version == wished):
                cluster.scale(version, replicas)
        kept = set(target.replicas) | set(target.weights) | set(world.route.weights if world.route else ())
        for version in set(cluster.pods) - kept:
            cluster.remove(version)
