"""The Gateway API router: one HTTPRoute per ModelDeployment, with a weighted backend for each version.

Source: Gateway API v1, HTTPRoute; a route is in force when each parent in ``status.parents`` has the conditions
``Accepted`` and ``ResolvedRefs``, with an ``observedGeneration`` that is not behind the route.

The lists ``parentRefs``, ``hostnames``, ``rules`` and ``backendRefs`` have no keys in the CRD, so server-side apply
takes each of them as one value with one owner: nobody can own a filter inside a rule whose weights are ours. To let
other people's rules, matches, filters and timeouts stay all the same, they are copied from the live route into what is
applied. An edit that lands between reading and applying is lost; to guard that with a resourceVersion would let every
status write of the gateway stop a rollback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from seatrial.kube.errors import Refused
from seatrial.kube.workloads import MODEL_LABEL, SERVICE_PORT, name_of, owned_metadata
from seatrial.rollout.target import ALL
from seatrial.rollout.versions import ALPHABET, LENGTH
from seatrial.rollout.world import RouteView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class HttpRouteRouter:
    """A :class:`~seatrial.traffic.router.Router` by the weights of an HTTPRoute's backends."""

    kind = "HTTPRoute"

    def build(
        self, owner: Mapping[str, Any], weights: Mapping[str, int], live: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Build the HTTPRoute; see :meth:`seatrial.traffic.router.Router.build`.

        Each live rule that leads to a version of ours gets the new backends and keeps all else; when there is none (a
        new route, or somebody removed it), one that matches every path is added behind the others.
        """
        if sum(weights.values()) != ALL or min(weights.values(), default=0) < 0:
            raise ValueError(f"weights {dict(weights)} are no division of all requests: they must sum to {ALL}")
        if live is not None:
            _refuse_foreign(owner, live)
        name = owner["metadata"]["name"]
        gateway = owner["spec"]["traffic"]["gateway"]
        rules, found = [], False
        for rule in _rules(live):
            ours = dict(_own_backends(name, rule))
            found = found or bool(ours)
            rules.append({**rule, "backendRefs": _backends(owner, weights, ours)} if ours else rule)
        if not found:
            rules.append({"backendRefs": _backends(owner, weights, {})})
        return {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": self.kind,
            "metadata": owned_metadata(owner, name, {MODEL_LABEL: name}),
            "spec": {**{key: gateway[key] for key in ("parentRefs", "hostnames") if key in gateway}, "rules": rules},
        }

    def read(self, owner: Mapping[str, Any], live: Mapping[str, Any]) -> RouteView:
        """Read an HTTPRoute; see :meth:`seatrial.traffic.router.Router.read`.

        When several rules lead to a version, the largest weight counts: a version without weight gets no request.
        """
        weights: dict[str, int] = {}
        for rule in _rules(live):
            for version, backend in _own_backends(live["metadata"]["name"], rule):
                weights[version] = max(weights.get(version, 0), backend.get("weight", 1))
        answers = [_answer(live, parent) for parent in live["spec"].get("parentRefs") or ()]
        return RouteView(
            weights=weights,
            accepted=bool(answers) and all(_is_true(answer, "Accepted") for answer in answers),
            resolved=bool(answers) and all(_is_true(answer, "ResolvedRefs") for answer in answers),
            problem=next((said for answer in answers for said in _complaints(answer)), None),
            attached=_attached(owner["spec"]["traffic"]["gateway"], live["spec"]),
        )


def _attached(wished: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Tell whether a route hangs where it should; the API server adds defaults to each reference, which don't count."""
    parents = spec.get("parentRefs") or []
    wanted = wished["parentRefs"]
    same = len(parents) == len(wanted) and all(w.items() <= p.items() for w, p in zip(wanted, parents, strict=True))
    return same and list(wished["hostnames"]) == list(spec.get("hostnames") or [])


def _rules(live: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return (live["spec"].get("rules") or []) if live else []


def _own_backends(model: str, rule: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the backends of a rule that are versions of the model, each with its hash."""
    own = re.compile(f"{re.escape(model)}-([{ALPHABET}]{{{LENGTH}}})")
    for backend in rule.get("backendRefs") or ():
        found = own.fullmatch(backend["name"])
        if found and backend.get("kind", "Service") == "Service":
            yield found[1], backend


def _backends(
    owner: Mapping[str, Any], weights: Mapping[str, int], live: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Name every version, in the order of the hashes; filters that somebody put on one of them stay."""
    return [
        {**live.get(version, {}), "name": name_of(owner, version), "port": SERVICE_PORT, "weight": weights[version]}
        for version in sorted(weights)
    ]


def _refuse_foreign(owner: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    """Never take over a route that this very ModelDeployment did not make: it may carry somebody's traffic."""
    owners = live["metadata"].get("ownerReferences") or ()
    if not any(reference["uid"] == owner["metadata"]["uid"] for reference in owners):
        where = f"{owner['metadata']['namespace']}/{owner['metadata']['name']}"
        raise Refused(
            f"HTTPRoute {where} exists and was not made for this ModelDeployment: delete it, or rename one of them."
        )


def _answer(live: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Collect what the gateway says of the route as it is now; conditions on an older generation do not count."""
    namespace = live["metadata"]["namespace"]
    generation = live["metadata"].get("generation", 0)
    for entry in (live.get("status") or {}).get("parents") or ():
        if _identity(entry["parentRef"], namespace) == _identity(parent, namespace):
            return {
                condition["type"]: condition
                for condition in entry.get("conditions") or ()
                if condition.get("observedGeneration", 0) >= generation
            }
    return {}


def _identity(parent: Mapping[str, Any], namespace: str) -> tuple[Any, ...]:
    return (parent.get("namespace", namespace), *(parent.get(key) for key in ("name", "sectionName", "port")))


def _is_true(answer: Mapping[str, Mapping[str, Any]], kind: str) -> bool:
    return answer.get(kind, {}).get("status") == "True"


def _complaints(answer: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for kind in ("Accepted", "ResolvedRefs"):
        if kind in answer and not _is_true(answer, kind):
            said = answer[kind]
            yield f"The gateway says {kind} is {said['status']} ({said['reason']}): {said.get('message', '')}".rstrip(
                ": "
            )
