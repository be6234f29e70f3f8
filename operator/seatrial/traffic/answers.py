"""What gateways say of a route. Pure.

Source: Gateway API v1, RouteParentStatus. A route is in force when each of its parents has the conditions ``Accepted``
and ``ResolvedRefs``, with an ``observedGeneration`` that is not behind the route; ``PartiallyInvalid`` tells that some
of its rules are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Raw = Mapping[str, Any]

NEEDED = ("Accepted", "ResolvedRefs")
PARTLY = "PartiallyInvalid"
COPY_ALL_OR_NONE = ("projectcontour.io/",)
"""Beginnings of the names of gateway controllers that ignore the percentage of a RequestMirror filter: they copy every
request (Contour 1.33). A gateway's own list of features can't be asked: Contour publishes none."""


def accepted(live: Raw) -> bool:
    """Tell whether every parent has taken all rules of the route as it is now."""
    answers = _answers(live)
    return bool(answers) and all(
        _status(one, "Accepted") == "True" and _status(one, PARTLY) != "True" for one in answers
    )


def resolved(live: Raw) -> bool:
    """Tell whether every parent has found all that the route leads to."""
    answers = _answers(live)
    return bool(answers) and all(_status(one, "ResolvedRefs") == "True" for one in answers)


def problem(live: Raw) -> str | None:
    """Say what a gateway complains of, in its words."""
    return next((said for answer in _answers(live) for said in _complaints(answer)), None)


def copies_all_or_none(live: Raw | None) -> str | None:
    """Name the gateway controller that can't copy a percentage of the requests, if one serves the route."""
    parents = ((live or {}).get("status") or {}).get("parents") or ()
    names = (str(parent.get("controllerName", "")) for parent in parents)
    return next((name for name in names if name.startswith(COPY_ALL_OR_NONE)), None)


def _answers(live: Raw) -> list[dict[str, Raw]]:
    return [_answer(live, parent) for parent in live["spec"].get("parentRefs") or ()]


def _answer(live: Raw, parent: Raw) -> dict[str, Raw]:
    """Collect what one parent says of the route as it is now; conditions on an older generation do not count."""
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


def _identity(parent: Raw, namespace: str) -> tuple[Any, ...]:
    return (parent.get("namespace", namespace), *(parent.get(key) for key in ("name", "sectionName", "port")))


def _status(answer: Mapping[str, Raw], kind: str) -> str:
    return str(answer.get(kind, {}).get("status", ""))


def _complaints(answer: Mapping[str, Raw]) -> Iterator[str]:
    faults = [kind for kind in NEEDED if kind in answer and _status(answer, kind) != "True"]
    faults += [PARTLY] if _status(answer, PARTLY) == "True" else []
    for kind in faults:
        said = answer[kind]
        yield f"The gateway says {kind} is {said['status']} ({said['reason']}): {said.get('message', '')}".rstrip(": ")
