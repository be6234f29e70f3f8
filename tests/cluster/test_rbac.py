"""The operator's Role holds what it uses, and nothing else: compared with what the API server's audit log saw.

This module must run last (see conftest.py): a right counts as used when any test before it made the operator use it.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

MANIFEST = Path(__file__).parents[2] / "manifests" / "install" / "rbac.yaml"
OPERATOR = "system:serviceaccount:seatrial-system:seatrial"
CREATED = 201


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str


def roles() -> Iterator[dict[str, Any]]:
    for manifest in yaml.safe_load_all(MANIFEST.read_text()):
        if manifest["kind"] in {"ClusterRole", "Role"}:
            yield manifest


def granted() -> set[Right]:
    return {
        Right(group, resource, verb)
        for role in roles()
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def in_force_since() -> datetime:
    """Tell since when the cluster's roles are those of the manifest; calls before that say nothing about them."""
    since = []
    for role in roles():
        meta = role["metadata"]
        where = ["-n", meta["namespace"]] if "namespace" in meta else []
        answer = subprocess.run(
            ["kubectl", "get", role["kind"], meta["name"], *where, "-o", "json", "--show-managed-fields"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        live = json.loads(answer.stdout)
        assert live["rules"] == role["rules"], f"{role['kind']} {meta['name']} is not that of {MANIFEST}: make deploy"
        since += [datetime.fromisoformat(entry["time"]) for entry in live["metadata"]["managedFields"]]
    return max(since)


def used(events: Iterable[dict[str, Any]]) -> set[Right]:
    """Collect what was done; requests for no resource (discovery) are open to every account."""
    rights = set()
    for event in events:
        if not (target := event.get("objectRef")):
            continue
        resource = "/".join(part for part in (target["resource"], target.get("subresource")) if part)
        rights.add(Right(target.get("apiGroup", ""), resource, event["verb"]))
        if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == CREATED:
            # An apply that makes a new object needs both verbs; the log shows the first one only.
            rights.add(Right(target.get("apiGroup", ""), resource, "create"))
    return rights


@pytest.fixture(scope="module")
def calls() -> list[dict[str, Any]]:
    """Read what the operator asked of the API server since the cluster was made."""
    with Path(os.environ["SEATRIAL_AUDIT_LOG"]).open() as log:
        events = [json.loads(line) for line in log if OPERATOR in line]
    found = [event for event in events if event["user"]["username"] == OPERATOR]
    assert found, f"the audit log has no call of {OPERATOR}: is the operator running?"
    return found


def listed(rights: set[Right]) -> str:
    return "\n".join(f"  {right.verb} {right.resource}.{right.group or 'core'}" for right in sorted(rights))


def test_the_role_gives_every_right_that_the_operator_asks_for(calls: list[dict[str, Any]]) -> None:
    since = in_force_since()
    late = (call for call in calls if datetime.fromisoformat(call["requestReceivedTimestamp"]) >= since)
    missing = used(late) - granted()
    assert not missing, f"the operator asks for what its Role does not give:\n{listed(missing)}"


def test_the_role_gives_no_right_that_the_operator_never_used(calls: list[dict[str, Any]]) -> None:
    idle = granted() - used(calls)
    assert not idle, f"the Role gives what the operator never used:\n{listed(idle)}"
