"""A model under test in a namespace of its own: its versions, its load, and what is seen of it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import yaml

from demo.kubectl import Follow, kubectl
from demo.load import MODEL_PATH, TIMEOUT_S, Load, held_out_digits
from demo.story import answering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    from demo.load import Sample, Window

MANIFESTS = Path(__file__).parents[2] / "demo" / "manifests"
NAME = "digits"
QUICK = [{"weight": 20, "for": "6s", "minRequests": 30}, {"weight": 50, "for": "4s", "minRequests": 60}]
START_S = 120.0
Raw = dict[str, Any]


class Ship:
    """A ModelDeployment that a test changes as a user would, followed from its first moment."""

    def __init__(self, namespace: str, gateway: str) -> None:
        self.namespace = namespace
        self.host = f"{NAME}.{namespace}.example"
        self.gateway = gateway
        self._stack = contextlib.AsyncExitStack()
        self.md = Follow("modeldeployments", namespace, NAME)
        self.route = Follow("httproutes", namespace, NAME)

    async def __aenter__(self) -> Self:
        await kubectl("create", "namespace", self.namespace)
        slo = yaml.safe_load((MANIFESTS / "slo.yaml").read_text())
        slo["metadata"]["namespace"] = self.namespace
        await self.apply(slo)
        await self._stack.enter_async_context(self.md)
        await self._stack.enter_async_context(self.route)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        # First what the operator looks after, then the rest: so no Event is posted into a namespace that goes.
        await kubectl("delete", "modeldeployments", "--all", "--namespace", self.namespace, "--wait=true")
        await kubectl("delete", "namespace", self.namespace, "--wait=false")

    async def apply(self, manifest: Raw) -> None:
        """Apply a manifest as a user does."""
        await kubectl("apply", "--filename", "-", stdin=json.dumps(manifest))

    def manifest(
        self,
        label: str,
        *,
        errors: float = 0.0,
        errors_after: int = 0,
        delay_ms: int = 0,
        steps: list[Raw] | None = None,
        **strategy: Any,
    ) -> Raw:
        """Write a version of the demo's model that fails, or dawdles, as told."""
        made: Raw = copy.deepcopy(yaml.safe_load((MANIFESTS / "v2.yaml").read_text()))
        made["metadata"]["namespace"] = self.namespace
        spec = made["spec"]
        spec["model"]["version"] = label
        spec["replicas"] = 1
        spec["traffic"]["gateway"]["hostnames"] = [self.host]
        keep = {"versions": 0, "for": "1h"}
        spec["strategy"] = {"steps": steps or QUICK, "warmUp": "2s", "drain": "3s", "keep": keep, **strategy}
        spec["template"]["spec"]["containers"][0]["env"] = [
            {"name": "MODEL_VERSION", "value": label},
            {"name": "MODEL_QUALITY", "value": "v2"},
            {"name": "FAULT_ERROR_RATIO", "value": str(errors)},
            {"name": "FAULT_ERRORS_AFTER", "value": str(errors_after)},
            {"name": "FAULT_DELAY_MS", "value": str(delay_ms)},
        ]
        return made

    async def serve(self, label: str = "1") -> None:
        """Deploy the first version and wait until clients get answers."""
        await self.apply(self.manifest(label))
        await self.serving()

    async def serving(self) -> Raw:
        """Wait until the first version is stable and clients get answers; return the status.

        In a new cluster the gateway opens its port some moments after it has taken its first route.
        """
        status = await self.until(lambda s: s.get("phase") == "Stable" and condition(s, "Ready")["status"] == "True")
        await answering(self.gateway, held_out_digits()[0], host=self.host)
        return status

    async def until(self, holds: Callable[[Raw], bool], deadline_s: float = START_S) -> Raw:
        """Wait until the status is so; return it."""
        try:
            state = await self.md.until(lambda md: "status" in md and holds(md["status"]), deadline_s)
        except TimeoutError:
            latest = (self.md.latest or {}).get("status", {})
            shown = {key: latest.get(key) for key in ("phase", "step", "weight", "verdict", "summary")}
            raise AssertionError(f"did not come about in {deadline_s:g} s; the status is {shown}") from None
        assert state.object
        status: Raw = state.object["status"]
        return status

    @property
    def status(self) -> Raw:
        """The status as last seen."""
        status: Raw = (self.md.latest or {}).get("status", {})
        return status

    def weights_seen(self) -> list[dict[str, int]]:
        """All divisions of traffic that the route has had, by name of the backend."""
        routes = [state.object for state in self.route.states if state.object]
        return [
            {b["name"]: b["weight"] for rule in route["spec"]["rules"] for b in rule["backendRefs"]} for route in routes
        ]

    async def events(self) -> list[str]:
        """The reasons of all Events about the ModelDeployment, in their order."""
        listed = json.loads(await kubectl("get", "events", "--namespace", self.namespace, "--output", "json"))
        about = [item for item in listed["items"] if item["involvedObject"]["kind"] == "ModelDeployment"]
        return [item["reason"] for item in sorted(about, key=lambda item: item["metadata"]["creationTimestamp"])]

    @contextlib.asynccontextmanager
    async def load(
        self,
        rate: float = 40.0,
        *,
        learn: Callable[[str, Sample], None] = lambda _id, _sample: None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Load]:
        """Send requests through the gateway while the block runs; they are answered before it goes on."""
        digits = held_out_digits()
        async with Load(self.gateway, self.host, rate, digits, longest_s=300, learn=learn, headers=headers) as load:
            await asyncio.sleep(1)
            yield load

    async def ask(self, **headers: str) -> tuple[str, str]:
        """Ask once through the gateway; return the version that answered and the cookie that came with it."""
        sent = {"Host": self.host, "Content-Type": "application/json", **headers}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.post(self.gateway + MODEL_PATH, data=held_out_digits()[0].body, headers=sent) as answer,
        ):
            await answer.read()
            return answer.headers.get("x-model-version", str(answer.status)), answer.headers.get("Set-Cookie", "")

    async def lost(self, load: Load) -> list[str]:
        """Say what became of the requests that no version answered; wait for those under way first."""
        window = await self.settled(load)
        return [f"{answer.scheduled_s:.1f}: {answer.problem}" for answer in window.lost]

    async def settled(self, load: Load) -> Window:
        """Return everything that was asked up to now, answered."""
        window = load.window()
        for _ in range(100):
            if not window.outstanding:
                break
            await asyncio.sleep(0.1)
            window = load.window(until_s=window.answers[-1].scheduled_s if window.answers else 0.0)
        return window


def condition(status: Raw, kind: str) -> Raw:
    """Find a condition of a status."""
    found = (c for c in status.get("conditions", []) if c["type"] == kind)
    return next(found, {"status": "", "reason": "", "message": ""})
