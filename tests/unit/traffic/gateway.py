"""A played gateway: it keeps routes as an API server does, and says where a request would go."""

from __future__ import annotations

import copy
import re
from typing import Any

from seatrial.rollout.versions import ALPHABET, LENGTH
from seatrial.traffic.httproute import HttpRouteRouter
from seatrial.traffic.router import Apply, Remove, Seen

OLD, NEW, GOING = "bbbbbbbbbb", "cccccccccc", "dddddddddd"
OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1"},
    "spec": {
        "port": 8080,
        "traffic": {
            "gateway": {
                "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                "hostnames": ["fraud.example.com"],
            }
        },
    },
}
PARENT = OWNER["spec"]["traffic"]["gateway"]["parentRefs"][0]
HASH = re.compile(f"fraud-([{ALPHABET}]{{{LENGTH}}})")


def stored(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Give a manifest back as an API server does: with a generation and the CRD's defaults."""
    route = copy.deepcopy(manifest)
    route["metadata"] |= {"generation": 2, "resourceVersion": "7"}
    route["spec"]["parentRefs"] = [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent} for parent in route["spec"]["parentRefs"]
    ]
    for rule in route["spec"]["rules"]:
        rule.setdefault("matches", [{}])
        rule["matches"] = [{"path": {"type": "PathPrefix", "value": "/"}, **match} for match in rule["matches"]]
        rule["backendRefs"] = [
            {"group": "", "kind": "Service", "weight": 1, **backend} for backend in rule["backendRefs"]
        ]
    return {**route, **changes}


def answered(accepted: str = "True", resolved: str = "True", generation: int = 2, **parent: Any) -> dict[str, Any]:
    def condition(kind: str, status: str) -> dict[str, Any]:
        reason = kind if status == "True" else "Because"
        return {"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": generation}

    conditions = [condition("Accepted", accepted), condition("ResolvedRefs", resolved)]
    return {"parents": [{"parentRef": {**PARENT, **parent}, "controllerName": "c", "conditions": conditions}]}


class Gateway:
    """Keeps the routes of one ModelDeployment, and carries out what the router asks for."""

    def __init__(self, owner: dict[str, Any] = OWNER) -> None:
        self.owner = owner
        self.routes: dict[str, dict[str, Any]] = {}
        self.router = HttpRouteRouter()

    @property
    def seen(self) -> Seen:
        return Seen(routes=self.routes)

    def carry(self, division: Any) -> int:
        """Carry out a division; return how many writes that took."""
        changes = self.router.changes(self.owner, division, self.seen)
        for change in changes:
            if isinstance(change, Apply):
                name = change.manifest["metadata"]["name"]
                assert change.force == (name in self.routes)
                self.routes[name] = stored(dict(change.manifest), status=answered())
            else:
                assert isinstance(change, Remove)
                del self.routes[change.live["metadata"]["name"]]
        return len(changes)

    def edit(self, **spec: Any) -> None:
        """Change the main route by hand."""
        self.routes["fraud"]["spec"] |= copy.deepcopy(spec)

    @property
    def rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self.routes["fraud"]["spec"]["rules"]
        return rules

    def rule_for(self, host: str = "fraud.example.com", path: str = "/", **headers: str) -> dict[str, Any] | None:
        """Find the rule for a request as the Gateway API orders them: longest path, most headers, first of the list."""
        best: tuple[tuple[int, int], dict[str, Any]] | None = None
        for route in self.routes.values():
            if host not in route["spec"]["hostnames"]:
                continue
            for rule in route["spec"]["rules"]:
                for match in rule["matches"]:
                    where, wanted = match["path"]["value"], match.get("headers", [])
                    if path.startswith(where) and all(_holds(one, headers) for one in wanted):
                        rank = (len(where), len(wanted))
                        if best is None or rank > best[0]:
                            best = (rank, rule)
        return best[1] if best else None

    def leads(self, host: str = "fraud.example.com", path: str = "/", **headers: str) -> dict[str, int]:
        """Tell the shares that a request's rule gives to backends, by version (or name, of others)."""
        rule = self.rule_for(host, path, **headers)
        backends = rule["backendRefs"] if rule else []
        named = {(HASH.fullmatch(one["name"]) or ["", one["name"]])[1]: one["weight"] for one in backends}
        return {name: weight for name, weight in named.items() if weight}

    def cookie_of(self, version: str) -> str:
        """Tell the cookie that a version's answers set, as a browser gives it back; empty for none."""
        rule = self.rule_for()
        assert rule
        for backend in rule["backendRefs"]:
            if backend["name"] == f"fraud-{version}":
                for one in backend.get("filters", []):
                    for header in one.get("responseHeaderModifier", {}).get("add", []):
                        if header["name"] == "Set-Cookie":
                            return str(header["value"]).split(";")[0]
        return ""


def _holds(wanted: dict[str, str], headers: dict[str, str]) -> bool:
    value = {name.lower().replace("_", "-"): value for name, value in headers.items()}.get(wanted["name"].lower())
    if value is None:
        return False
    return value == wanted["value"] if wanted["type"] == "Exact" else bool(re.fullmatch(wanted["value"], value))
