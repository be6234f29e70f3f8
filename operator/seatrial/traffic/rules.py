"""Rules of an HTTPRoute: which are ours, and how a division of traffic is written into them. Pure.

Three sorts of rules stand in a route:

* *base* rules lead to versions of the model by weight; whatever else is in them (matches, filters, timeouts) is kept;
* *added* rules are copies of base rules with one header match more, and lead to one version alone: a group of an
  experiment, or users who stay with their version by a cookie. They are known by the annotation on the route, which
  says what the route was last built for, and they are made anew at each build;
* all others are somebody else's and are never touched.

Source: Gateway API v1, HTTPRouteRule (among rules of one path, the one with more header matches wins; then the first).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from seatrial.kube.errors import Refused
from seatrial.kube.workloads import SERVICE_PORT, name_of
from seatrial.rollout.versions import ALPHABET, LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from seatrial.rollout.decision import Division, Mirror

    Raw = Mapping[str, Any]

RULES_MAX = 16
"""Rules that a route may have (Gateway API v1, HTTPRouteSpec.rules)."""
MATCHES_MAX = 128
"""Matches that all rules of a route may have together (the same)."""
EVERYTHING = {"path": {"type": "PathPrefix", "value": "/"}}
MIRROR, RESPONSE_HEADERS = "RequestMirror", "ResponseHeaderModifier"
HASH = f"[{ALPHABET}]{{{LENGTH}}}"


def own_backends(model: str, rule: Raw) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the backends of a rule that are versions of the model, each with its hash."""
    own = re.compile(f"{re.escape(model)}-({HASH})")
    for backend in rule.get("backendRefs") or ():
        found = own.fullmatch(backend["name"])
        if found and backend.get("kind", "Service") == "Service":
            yield found[1], backend


def leads_to(service: Raw, rule: Raw) -> bool:
    """Tell whether a rule leads to a Service (its name and port), and nowhere else."""
    backends = rule.get("backendRefs") or []
    return len(backends) == 1 and _names(service, backends[0])


def shares(service: Raw, rule: Raw) -> bool:
    """Tell whether a rule leads to a Service and elsewhere."""
    return not leads_to(service, rule) and any(_names(service, one) for one in rule.get("backendRefs") or ())


def _names(service: Raw, backend: Raw) -> bool:
    same = all(backend.get(key) == service[key] for key in ("name", "port"))
    return same and backend.get("kind", "Service") == "Service"


def is_base(model: str, rule: Raw, before: Division, versions: Iterable[str]) -> bool:
    """Tell whether a rule leads to versions of the model and was not added by us.

    Parameters
    ----------
    model
        Name of the ModelDeployment.
    rule
        The rule.
    before
        What the route was last built for.
    versions
        All versions that the route names: a cookie may lead to any of them.
    """
    if not any(own_backends(model, rule)):
        return False
    added = [_key(header) for version in versions for header in _headers(before, version)]
    matches = rule.get("matches") or [{}]
    return not all(any(_key(header) in added for header in match.get("headers") or ()) for match in matches)


def base_rule(owner: Raw, rule: Raw, division: Division) -> dict[str, Any]:
    """Write a division into a base rule and keep all else."""
    model = owner["metadata"]["name"]
    live = dict(own_backends(model, rule))
    written = without_mirror(model, {"matches": [EVERYTHING], **rule})
    if division.mirror and not idle(division):
        written["filters"] = [*(written.get("filters") or ()), _mirror(owner, division.mirror)]
    return {**written, "backendRefs": list(_backends(owner, live, division))}


def without_mirror(model: str, rule: Raw) -> dict[str, Any]:
    """Take the filter out of a rule that copies requests to a version of the model."""
    filters = [one for one in rule.get("filters") or () if not _mirrors(model, one)]
    rest = {key: value for key, value in rule.items() if key != "filters"}
    return {**rest, "filters": filters} if filters else rest


def alone(owner: Raw, rule: Raw, version: str, division: Division) -> dict[str, Any]:
    """Let a base rule lead to one version alone; copies of requests don't go where the requests go themselves."""
    if division.mirror and division.mirror.version == version:
        rule = without_mirror(owner["metadata"]["name"], rule)
    backend = {"group": "", "kind": "Service", "name": name_of(owner, version), "port": SERVICE_PORT, "weight": 1}
    return {**rule, "backendRefs": [backend]}


def added_rules(owner: Raw, base: list[dict[str, Any]], division: Division) -> list[dict[str, Any]]:
    """Make the rules that lead some requests of the base rules to one version alone.

    A match that looks at the same header already is left as it is: a rule may look at a header only once.
    """
    if idle(division):
        return []
    versions = [division.group.version] if division.group else []
    versions += [version for version in _dealt(division) if version not in versions]
    added = []
    for header, version in ((h, v) for v in versions for h in _headers(division, v)):
        for rule in base:
            matches = [
                {**match, "headers": [*(match.get("headers") or ()), header]}
                for match in rule["matches"]
                if not any(one["name"].lower() == header["name"].lower() for one in match.get("headers") or ())
            ]
            if matches:
                added.append({**alone(owner, rule, version, division), "matches": matches})
    return added


def check_size(rules: list[dict[str, Any]]) -> None:
    """Refuse what the Gateway API would refuse, in words that help.

    Raises
    ------
    Refused
        If there are more rules or matches than a route may have.
    """
    matches = sum(len(rule.get("matches") or ()) for rule in rules)
    if len(rules) > RULES_MAX or matches > MATCHES_MAX:
        raise Refused(
            f"The HTTPRoute would need {len(rules)} rules with {matches} matches, and may have {RULES_MAX} with "
            f"{MATCHES_MAX}: each rule that leads to the model is copied for each group and each sticky version. Move "
            "rules to a route of their own."
        )


def idle(division: Division) -> bool:
    """Tell whether no version gets requests: the fallback answers."""
    return division.fallback is not None and division.fallback.active


def _dealt(division: Division) -> list[str]:
    """Name the versions among which users are dealt; a version without weight gives its users back at once."""
    serving = sorted(version for version, weight in division.weights.items() if weight)
    return serving if division.sticky and len(serving) > 1 else []


def _headers(division: Division, version: str) -> Iterator[dict[str, str]]:
    """Give the header matches that lead to a version alone, the group's first."""
    group, sticky = division.group, division.sticky
    if group and group.version == version:
        if group.header:
            yield {"type": "Exact", "name": group.header, "value": group.value}
        else:
            yield _cookie(group.cookie or "", re.escape(group.value))
    if sticky:
        yield _cookie(sticky.cookie, f"{version}-{re.escape(sticky.epoch)}")


def _cookie(name: str, value: str) -> dict[str, str]:
    """Match one cookie of all in the header; the expression has to fit the whole header."""
    return {"type": "RegularExpression", "name": "Cookie", "value": rf"(?:.*;\s*)?{re.escape(name)}={value}(?:\s*;.*)?"}


def _key(header: Raw) -> tuple[str, str, str]:
    return header.get("type", "Exact"), header["name"].lower(), header["value"]


def _mirrors(model: str, one: Raw) -> bool:
    """Tell whether a filter copies requests to a version of the model."""
    target = (one.get("requestMirror") or {}).get("backendRef")
    return one["type"] == MIRROR and bool(target) and any(own_backends(model, {"backendRefs": [target]}))


def _mirror(owner: Raw, mirror: Mirror) -> dict[str, Any]:
    name = name_of(owner, mirror.version)
    copies: dict[str, Any] = {"backendRef": {"group": "", "kind": "Service", "name": name, "port": SERVICE_PORT}}
    if mirror.percent < 100:  # noqa: PLR2004 - all of them, which is the default and known to more gateways
        copies["percent"] = mirror.percent
    return {"type": MIRROR, "requestMirror": copies}


def _backends(owner: Raw, live: Mapping[str, Raw], division: Division) -> Iterator[dict[str, Any]]:
    """Name every version, in the order of the hashes, then the fallback; filters that somebody put on one stay."""
    dealt = _dealt(division)
    for version in sorted(division.weights):
        known = live.get(version, {"group": "", "kind": "Service"})
        weight = 0 if idle(division) else division.weights[version]
        filters = _without_cookie(known.get("filters") or (), version)
        if division.sticky and version in dealt and weight:
            value = f"{division.sticky.cookie}={version}-{division.sticky.epoch}; "
            value += f"Path=/; Max-Age={division.sticky.max_age_s:.0f}; HttpOnly; SameSite=Lax"
            filters = _with_cookie(filters, value)
        backend = {key: value for key, value in known.items() if key != "filters"}
        backend |= {"name": name_of(owner, version), "port": SERVICE_PORT, "weight": weight}
        yield {**backend, "filters": filters} if filters else backend
    if division.fallback:
        backend = {"group": "", "kind": "Service", "name": division.fallback.name, "port": division.fallback.port}
        # Alone, it stands there as people write it: 1 is the weight of a backend that has none.
        yield {**backend, "weight": (100 if division.weights else 1) if division.fallback.active else 0}


def _without_cookie(filters: Iterable[Raw], version: str) -> list[dict[str, Any]]:
    """Take our cookie out of the filters of a backend; it is known by the version in its value."""
    ours = re.compile(rf"[A-Za-z0-9_-]+={version}-[^;]*; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax")
    left = []
    for one in filters:
        change = dict(one.get("responseHeaderModifier") or {})
        add = [header for header in change.get("add") or () if not ours.fullmatch(header["value"])]
        if one["type"] != RESPONSE_HEADERS or len(add) == len(change.get("add") or ()):
            left.append(dict(one))
        elif change := {key: value for key, value in {**change, "add": add}.items() if value}:
            left.append({**one, "responseHeaderModifier": change})
    return left


def _with_cookie(filters: list[dict[str, Any]], value: str) -> list[dict[str, Any]]:
    """Let a backend's answers set a cookie; a backend may have only one filter that changes their headers."""
    index = next((i for i, one in enumerate(filters) if one["type"] == RESPONSE_HEADERS), None)
    if index is None:
        change: dict[str, Any] = {}
        filters, index = [*filters, {"type": RESPONSE_HEADERS}], len(filters)
    else:
        change = dict(filters[index].get("responseHeaderModifier") or {})
    add = list(change.get("add") or ())
    if any(header["name"].lower() == "set-cookie" for header in add):
        raise Refused(
            "Users can't be kept with one version: somebody's filter on the HTTPRoute's backend sets a cookie already, "
            "and a filter can set only one. Remove that filter, or strategy.sticky."
        )
    change["add"] = [*add, {"name": "Set-Cookie", "value": value}]
    return [*filters[:index], {**filters[index], "responseHeaderModifier": change}, *filters[index + 1 :]]
