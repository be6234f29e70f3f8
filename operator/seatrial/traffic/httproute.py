"""The Gateway API router: one HTTPRoute per ModelDeployment, with a weighted backend for each version.

Source: Gateway API v1, HTTPRoute.

The lists ``parentRefs``, ``hostnames``, ``rules`` and ``backendRefs`` have no keys in the CRD, so server-side apply
takes each of them as one value with one owner: nobody can own a filter inside a rule whose weights are ours. To let
other people's rules, matches, filters and timeouts stay all the same, they are copied from the live route into what is
applied. An edit that lands between reading and applying is lost; to guard that with a resourceVersion would let every
status write of the gateway stop a rollback.

A rollback is one write of this one object: weights, groups, cookies and copies all stand in it. Only the preview of a
candidate, which has host names of its own, is a route of its own.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from seatrial.api.status import Adopting
from seatrial.kube.errors import Refused
from seatrial.kube.workloads import MODEL_LABEL, owned_metadata
from seatrial.rollout.decision import Division, Fallback, Group, Mirror, Preview, Stickiness
from seatrial.rollout.target import ALL
from seatrial.rollout.world import RouteView
from seatrial.traffic import answers
from seatrial.traffic.router import ANNOTATION, Apply, Change, Remove, Seen, belongs_to, is_like
from seatrial.traffic.rules import added_rules, alone, base_rule, check_size, is_base, leads_to, own_backends, shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Raw = Mapping[str, Any]

KIND = "HTTPRoute"
WAITING = Adopting.WAITING.value
EXTRAS: dict[str, TypeAdapter[Any]] = {
    "mirror": TypeAdapter(Mirror),
    "group": TypeAdapter(Group),
    "sticky": TypeAdapter(Stickiness),
    "fallback": TypeAdapter(Fallback),
}


class HttpRouteRouter:
    """A :class:`~seatrial.traffic.router.Router` by the weights of an HTTPRoute's backends."""

    def changes(self, owner: Raw, division: Division, seen: Seen) -> tuple[Change, ...]:
        """Say what has to be written; see :meth:`seatrial.traffic.router.Router.changes`."""
        if not division.weights and not division.fallback:
            return ()
        name, preview = owner["metadata"]["name"], preview_name(owner)
        adopting = _adopts(owner, seen.routes.get(name))
        wanted = [(name, build(owner, division, seen.routes.get(name)))]
        if division.preview:
            wanted.append((preview, _preview(owner, division, division.preview, seen.routes.get(name))))
        found: list[Change] = []
        for of, manifest in wanted:
            live = seen.routes.get(of)
            if of != name or not adopting:
                _refuse_foreign(owner, of, live)
            if not live or not _carries(manifest, live):
                # One of that name which the cache doesn't know is somebody else's: without force it is left alone.
                found.append(Apply(manifest, force=live is not None))
        left = seen.routes.get(preview)
        if left and not division.preview and belongs_to(owner, left):
            found.append(Remove(KIND, left))
        return tuple(found)

    def read(self, owner: Raw, seen: Seen) -> RouteView | None:
        """Read the routes; see :meth:`seatrial.traffic.router.Router.read`.

        When several rules lead to a version, the largest weight counts: a version without weight gets no request.
        """
        live = seen.routes.get(owner["metadata"]["name"])
        if not live:
            return None
        weights, noted = _weights(owner, live), _noted(live)
        beside = seen.routes.get(preview_name(owner))
        preview = _read_preview(owner, noted, live, beside)
        routes = [live, beside] if preview and beside else [live]
        return RouteView(
            weights=weights,
            accepted=all(map(answers.accepted, routes)),
            resolved=all(map(answers.resolved, routes)),
            problem=next((said for route in routes if (said := answers.problem(route))), None),
            attached=_intact(owner, weights, noted, live),
            mirror=noted.mirror,
            group=noted.group,
            sticky=noted.sticky,
            preview=preview,
            fallback=noted.fallback,
            unable=_unable(noted, live),
        )

    def release(self, owner: Raw, seen: Seen) -> tuple[Change, ...]:
        """Take away what this router made; see :meth:`seatrial.traffic.router.Router.release`."""
        names = (owner["metadata"]["name"], preview_name(owner))
        return tuple(
            Remove(KIND, live) for name in names if (live := seen.routes.get(name)) and belongs_to(owner, live)
        )


def preview_name(owner: Raw) -> str:
    """Name the route of a candidate's own host names."""
    return f"{owner['metadata']['name']}-preview"


def build(owner: Raw, division: Division, live: Raw | None) -> dict[str, Any]:
    """Build the HTTPRoute for a division.

    Each live rule that leads to a version of ours gets the new backends and keeps all else; when there is none (a new
    route, or somebody removed it), one that matches every path is added behind the others. What is added for groups and
    cookies stands in front of the first of them.

    Raises
    ------
    Refused
        If the division can't be expressed in a route.
    """
    name, gateway = owner["metadata"]["name"], owner["spec"]["traffic"]["gateway"]
    writable = _writable(division, live)
    theirs, base, place = _sorted(owner, writable, live)
    rules = [*theirs[:place], *added_rules(owner, base, writable), *base, *theirs[place:]]
    check_size(rules)
    metadata = owned_metadata(owner, name, {MODEL_LABEL: name})
    if _adopted(owner):  # it was there before, and stays when the ModelDeployment goes
        del metadata["ownerReferences"]
    if not division.weights:  # it is given back; by the label that is left, the watch goes on seeing it
        metadata["labels"] = {MODEL_LABEL: name}
    elif note := _note(division):
        metadata["annotations"] = {ANNOTATION: note}
    return _route(metadata, gateway["parentRefs"], gateway["hostnames"], rules)


def _adopted(owner: Raw) -> Raw | None:
    """Give the Service that the ModelDeployment relieves, if there is one."""
    service: Raw | None = (owner["spec"].get("adopt") or {}).get("backendRef")
    return service


def _adopts(owner: Raw, live: Raw | None) -> bool:
    """Tell whether a route that somebody else made is to be taken over.

    Raises
    ------
    Refused
        If it is, and can't be without sending some requests elsewhere.
    """
    service, name = _adopted(owner), owner["metadata"]["name"]
    if not service or (live and belongs_to(owner, live)):
        return False
    begun = (((owner.get("status") or {}).get("adoption")) or {}).get("state", WAITING) != WAITING
    if live is None and begun:
        return False
    where = f"HTTPRoute {owner['metadata']['namespace']}/{name}"
    if live is None or not any(leads_to(service, rule) for rule in _rules(live)):
        raise Refused(
            f"spec.adopt: there must be an {where} with a rule that leads to Service {service['name']}, port "
            f"{service['port']}, and nowhere else: name the ModelDeployment as that HTTPRoute."
        )
    if any(shares(service, rule) for rule in _rules(live)):
        raise Refused(
            f"spec.adopt: a rule of {where} leads to Service {service['name']} and elsewhere: split it first."
        )
    gateway = owner["spec"]["traffic"]["gateway"]
    if not all(is_like(gateway[key], live["spec"].get(key) or []) for key in ("parentRefs", "hostnames")):
        raise Refused(
            f"spec.adopt: spec.traffic.gateway must name the parentRefs and hostnames of {where}, in the same order: "
            "to take it over must not change who reaches it."
        )
    return True


def _preview(owner: Raw, division: Division, preview: Preview, live: Raw | None) -> dict[str, Any]:
    """Build the candidate's own route: the rules of the main one that lead to the model, to the candidate alone."""
    metadata = owned_metadata(owner, preview_name(owner), {MODEL_LABEL: owner["metadata"]["name"]})
    base = _sorted(owner, dataclasses.replace(division, mirror=None), live)[1]
    rules = [alone(owner, rule, preview.version, division) for rule in base]
    return _route(metadata, owner["spec"]["traffic"]["gateway"]["parentRefs"], preview.hostnames, rules)


def _route(metadata: Raw, parents: Sequence[Raw], hosts: Sequence[str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"parentRefs": list(parents), "hostnames": list(hosts), "rules": rules}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": KIND, "metadata": metadata, "spec": spec}


def _sorted(owner: Raw, division: Division, live: Raw | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Sort a route's rules: other people's, ours with the division written into them, and where ours stand."""
    name, before, versions = owner["metadata"]["name"], _noted(live), _named(owner, live)
    service = _adopted(owner)
    theirs: list[dict[str, Any]] = []
    base: list[dict[str, Any]] = []
    place = None
    for rule in _rules(live):
        if is_base(name, rule, before, versions) or (service and leads_to(service, rule)):
            place = len(theirs) if place is None else place
            base.append(base_rule(owner, rule, division))
        elif not any(own_backends(name, rule)):
            theirs.append(rule)
    return theirs, base or [base_rule(owner, {}, division)], len(theirs) if place is None else place


def _rules(live: Raw | None) -> list[dict[str, Any]]:
    return (live["spec"].get("rules") or []) if live else []


def _named(owner: Raw, live: Raw | None) -> set[str]:
    """Name all versions that a route leads to."""
    return {version for rule in _rules(live) for version, _ in own_backends(owner["metadata"]["name"], rule)}


def _weights(owner: Raw, live: Raw) -> dict[str, int]:
    """Read the weights from the base rules."""
    name, before, versions = owner["metadata"]["name"], _noted(live), _named(owner, live)
    weights: dict[str, int] = {}
    for rule in _rules(live):
        if is_base(name, rule, before, versions):
            for version, backend in own_backends(name, rule):
                weights[version] = max(weights.get(version, 0), backend.get("weight", 1))
    return weights


def _intact(owner: Raw, weights: Mapping[str, int], noted: Division, live: Raw) -> bool:
    """Tell whether a route is just what would be built for the division that it claims to carry."""
    if noted.fallback and noted.fallback.active and weights and not any(weights.values()):
        weights = {version: ALL * (version == min(weights)) for version in weights}  # who had them is not written down
    if sum(weights.values()) != ALL:
        return False
    try:
        return _carries(build(owner, dataclasses.replace(noted, weights=weights), live), live)
    except Refused:
        return False


def _carries(manifest: Raw, live: Raw) -> bool:
    notes = [(one["metadata"].get("annotations") or {}).get(ANNOTATION) for one in (manifest, live)]
    return notes[0] == notes[1] and is_like(manifest["spec"], live["spec"])


def _read_preview(owner: Raw, noted: Division, main: Raw, route: Raw | None) -> Preview | None:
    """Read the candidate's own route back; None when it isn't just what it should be."""
    versions = _named(owner, route)
    if not route or not belongs_to(owner, route) or len(versions) != 1:
        return None
    preview = Preview(versions.pop(), tuple(route["spec"].get("hostnames") or ()))
    return preview if _carries(_preview(owner, noted, preview, main), route) else None


def _note(division: Division) -> str:
    """Write down what a route is built for besides weights; empty when that is nothing."""
    parts = {key: part for key in EXTRAS if (part := getattr(division, key))}
    written = {key: {k: v for k, v in dataclasses.asdict(part).items() if v is not None} for key, part in parts.items()}
    return json.dumps(written, sort_keys=True) if written else ""


def _noted(live: Raw | None) -> Division:
    """Read what a route was last built for, besides weights; a note that somebody has spoilt counts for nothing."""
    note = ((live or {"metadata": {}})["metadata"].get("annotations") or {}).get(ANNOTATION, "{}")
    try:
        return Division({}, **{key: EXTRAS[key].validate_python(part) for key, part in json.loads(note).items()})
    except (ValueError, KeyError, AttributeError):
        return Division({})


def _writable(division: Division, live: Raw | None) -> Division:
    """Leave out what the gateway would do in a way that nobody asked for."""
    return dataclasses.replace(division, mirror=None) if _unable(division, live) else division


def _unable(division: Division, live: Raw | None) -> str | None:
    """Say what the gateway that serves a route can't do of a division."""
    controller = answers.copies_all_or_none(live)
    if not controller or not division.mirror or division.mirror.percent == ALL:
        return None
    return (
        f"{controller} copies all requests or none, not {division.mirror.percent} %: nothing is copied. "
        "Write `shadow: {percent: 100}`, or use another gateway"
    )


def _refuse_foreign(owner: Raw, name: str, live: Raw | None) -> None:
    """Never take over a route that this very ModelDeployment did not make: it may carry somebody's traffic."""
    if live is not None and not belongs_to(owner, live):
        where = f"{owner['metadata']['namespace']}/{name}"
        raise Refused(
            f"HTTPRoute {where} exists and was not made for this ModelDeployment: delete it, or rename one of them."
        )
