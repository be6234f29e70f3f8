"""The operator in this process, on a real API server; kubelet and gateway are played (played.py), load too (meter.py).

Nothing between the operator and the API server is replaced: tests only listen to its calls, and can break one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase
from seatrial.controller.operate import operate
from seatrial.controller.telemetry import Telemetry
from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict
from seatrial.kube.workloads import MODEL_LABEL, VERSION_LABEL
from seatrial.rollout.versions import version_hash
from seatrial.settings import Settings
from tests.apiserver.controller.meter import Meter
from tests.apiserver.samples import changed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from seatrial.metrics.drift_types import DriftSource
    from seatrial.metrics.types import BudgetSource

Raw = dict[str, Any]
LOOK_S = 0.1
WITHIN_S = 30.0

SLO: Raw = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelSLO",
    "metadata": {"name": "slo"},
    "spec": {
        "objectives": [{"name": "availability", "target": "90", "sli": {"template": "http-availability"}}],
        "rollback": {"burnRate": "2", "alpha": "0.01", "minBad": 3},
    },
}
MODEL: Raw = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "scorer"},
    "spec": {
        "model": {"name": "scorer", "version": "1"},
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "server", "image": "scorer:1"}]}},
        "port": 8080,
        "traffic": {
            "gateway": {
                "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                "hostnames": ["scorer.example.com"],
            }
        },
        "slos": [{"name": "slo"}],
        "strategy": {
            "steps": [{"weight": 10, "for": "1s", "minRequests": 20}, {"weight": 50, "for": "1s"}],
            "warmUp": "0s",
            "drain": "1s",
            "keep": {"versions": 0, "for": "1h"},
        },
    },
}


@dataclass(frozen=True)
class Call:
    """One call of the operator to the API server."""

    method: str
    path: str
    body: Raw

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def resource(self) -> str:
        """Plural, with its subresource: ``modeldeployments/status``."""
        parts = self.path.split("/namespaces/")[-1].split("/")[1:]
        return "/".join(parts[:1] + parts[2:])

    @property
    def name(self) -> str:
        """Name of the object; of an Event, of the object that it is about."""
        parts = self.path.split("/namespaces/")[-1].split("/")
        return parts[2] if len(parts) > 2 else str(self.body.get("involvedObject", {}).get("name", ""))

    @property
    def weights(self) -> dict[str, int] | None:
        """Weights by version, when this writes the rules that divide requests; a preview's have no weights."""
        divides = self.resource == "httproutes" and "spec" in self.body and not self.name.endswith("-preview")
        if self.method != "PATCH" or not divides:
            return None
        backends = self.body["spec"]["rules"][-1]["backendRefs"]
        alone = len(backends) == 1  # it has everything, whatever its weight
        return {backend["name"].rsplit("-", 1)[1]: 100 if alone else backend["weight"] for backend in backends}


class HeardKube(Kube):
    """The operator's own client; each call is told to the listeners before it leaves and after its answer.

    A listener that raises breaks the call: before, nothing was written; after, the answer is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[Call], Awaitable[None]]] = []
        self.after: list[Callable[[Call], Awaitable[None]]] = []
        self.calls: list[Call] = []

    @override
    async def _call(self, method: str, path: str, doing: str, **how: Any) -> Raw:
        call = Call(method, path, dict(how.get("body") or {}))
        for listener in self.before:
            await listener(call)
        self.calls.append(call)
        answer = await super()._call(method, path, doing, **how)
        for listener in self.after:
            await listener(call)
        return answer


@dataclass
class Stage:
    """One namespace with an operator over it."""

    namespace: str
    user: Kube
    meter: Meter = field(default_factory=Meter)
    budgets: BudgetSource | None = None
    drift: DriftSource | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)
    violations: list[str] = field(default_factory=list)
    weights: list[tuple[float, str, dict[str, int]]] = field(default_factory=list)
    unready: set[str] = field(default_factory=set)
    """Deployments that the played kubelet leaves without ready pods."""
    quiet: bool = False
    """Whether the kubelet and the gateway keep still."""

    @contextlib.asynccontextmanager
    async def operator(self, kube: HeardKube | None = None, **settings: Any) -> AsyncIterator[HeardKube]:
        """Run an operator for the length of a block."""
        stop = asyncio.Event()
        chosen = Settings.model_validate({"namespaces": self.namespace, "look_s": LOOK_S, **settings})
        async with kube or HeardKube() as heard:
            heard.before.append(self._watch_over)
            parts = (chosen, heard, self.meter, self.telemetry, stop)
            running = asyncio.create_task(operate(*parts, budgets=self.budgets, drift=self.drift))
            try:
                yield heard
            finally:
                stop.set()
                await running

    async def _watch_over(self, call: Call) -> None:
        """Check what must hold in every state, at each write that could break it."""
        if call.weights is not None:
            self.weights.append((time.time(), call.name, call.weights))
            if sum(call.weights.values()) != 100:
                self.violations.append(f"weights of {call.name} don't sum to 100: {call.weights}")
            for version, weight in call.weights.items():
                workload = await self.user.get("Deployment", self.namespace, f"{call.name}-{version}")
                if weight and not (workload or {}).get("status", {}).get("readyReplicas"):
                    self.violations.append(f"{weight} % of {call.name} lead to {version}, which has no ready pod")
        if call.method == "DELETE" or (call.resource == "deployments/scale" and not call.body["spec"]["replicas"]):
            model, version = call.name.rsplit("-", 1)
            if version in await self.routed(model):
                self.violations.append(f"{call.method} {call.path}, though the route still names it")

    async def routed(self, model: str = "scorer") -> dict[str, int]:
        """Read the weights from the route."""
        route = await self.user.get("HTTPRoute", self.namespace, model)
        backends = route["spec"]["rules"][-1]["backendRefs"] if route else []
        return {backend["name"].rsplit("-", 1)[1]: backend["weight"] for backend in backends}

    async def apply(self, manifest: Raw, **changes: Any) -> str:
        """Apply a manifest as a person would; return the version that it asks for."""
        manifest = changed(manifest, **{"metadata__namespace": self.namespace, **changes})
        name = manifest["metadata"]["name"]
        if await self.user.get(manifest["kind"], self.namespace, name) is None:
            await self.user.create(manifest)
        else:
            await self.edit(manifest["kind"], name, lambda live: live.update(spec=manifest["spec"]))
        return version_hash(manifest["spec"]) if manifest["kind"] == "ModelDeployment" else ""

    async def deploy(self, label: str, name: str = "scorer", **changes: Any) -> str:
        """Apply version ``label`` of a model; return its hash."""
        return await self.apply(MODEL, metadata__name=name, spec__model__version=label, **changes)

    async def status(self, name: str = "scorer") -> ModelDeploymentStatus:
        live = await self.user.get("ModelDeployment", self.namespace, name)
        assert live is not None, f"ModelDeployment {name} is gone"
        return DEPLOYMENT_STATUS.validate_python(live.get("status") or {})

    async def until(
        self, holds: Callable[[ModelDeploymentStatus], bool], name: str = "scorer", within_s: float = WITHIN_S
    ) -> ModelDeploymentStatus:
        """Wait until a status is as asked for; say what it was when it never is."""
        deadline_s = time.monotonic() + within_s
        while not holds(status := await self.status(name)):
            assert time.monotonic() < deadline_s, f"not within {within_s} s; {name} is {status.phase}: {status}"
            await asyncio.sleep(0.05)
        return status

    async def weight(self, version: str) -> int | None:
        """Read the weight of a version from the route; None when the route doesn't name it."""
        return (await self.routed()).get(version)

    async def events(self, name: str = "scorer") -> list[str]:
        """List the reasons of the Events about a model, in their order."""
        found = await self.user.list("Event", self.namespace)
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [event["reason"] for event in found if event["involvedObject"]["name"] == name]

    async def edit(self, kind: str, name: str, change: Callable[[Raw], None]) -> None:
        """Edit an object as a person would, and try again when somebody else was faster."""
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            live = await self.user.get(kind, self.namespace, name)
            assert live is not None, f"{kind} {name} is gone"
            change(live)
            with contextlib.suppress(Conflict):
                await self.user.replace(live)
                return
        raise AssertionError(f"{kind} {name} is written too often for a person to edit it")

    async def remove(self, kind: str, name: str) -> None:
        live = await self.user.get(kind, self.namespace, name)
        assert live is not None, f"{kind} {name} is gone already"
        await self.user.delete(kind, self.namespace, name, uid=live["metadata"]["uid"])

    async def versions(self, kind: str = "Deployment", name: str = "scorer") -> set[str]:
        found = await self.user.list(kind, self.namespace, f"{MODEL_LABEL}={name}")
        return {
            item["metadata"]["labels"][VERSION_LABEL] for item in found if "deletionTimestamp" not in item["metadata"]
        }


async def eventually(ask: Callable[[], Awaitable[object]], wanted: object, within_s: float = WITHIN_S) -> None:
    """Ask again and again until the answer is what is wanted."""
    deadline_s = time.monotonic() + within_s
    while (found := await ask()) != wanted:
        assert time.monotonic() < deadline_s, f"not within {within_s} s: {found} instead of {wanted}"
        await asyncio.sleep(0.05)


def rests_on(version: str, phase: Phase = Phase.STABLE) -> Callable[[ModelDeploymentStatus], bool]:
    """Make the question whether a version is stable and serves, and nothing is underway nor drains."""

    def holds(status: ModelDeploymentStatus) -> bool:
        serves = any(c.type == "TrafficInSync" and c.status == "True" for c in status.conditions)
        return serves and (status.phase, status.stable and status.stable.hash, status.draining) == (phase, version, ())

    return holds


def on_trial(version: str, weight: int = 10) -> Callable[[ModelDeploymentStatus], bool]:
    """Make the question whether the route was seen to carry a version's weight, and its requests are judged."""

    def holds(status: ModelDeploymentStatus) -> bool:
        trial = status.trial
        seen = status.phase is Phase.TRIAL and trial is not None and trial.version.hash == version
        return seen and status.weight == weight and trial is not None and trial.step_since is not None

    return holds
