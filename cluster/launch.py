"""Start the supervisor of a level that consists of plain processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import config, pki
from cluster.errors import ClusterError
from cluster.layout import CHECKOUT
from cluster.record import identify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.components import Component, Ports
    from cluster.layout import Layout
    from cluster.record import Process, Record

_OURS = ("HOME", "LANG", "TMPDIR")  # all that components see of our environment: no proxies, no credentials
_STARTS_WITHIN_S = 10


def prepare(layout: Layout, ports: Ports) -> None:
    """Write what every such level needs: folders, certificates, kubeconfigs, the audit policy."""
    for folder in (layout.config, layout.logs, layout.audit_log.parent, layout.imported):
        folder.mkdir(parents=True)
    pki.create(layout, ports.host, ports.api)
    (layout.config / "audit-policy.yaml").write_text(config.audit_policy())


def launch(
    layout: Layout,
    record: Record,
    parts: Sequence[Component],
    *,
    namespaces: Sequence[str] = (),
    address: str = "",
) -> Record:
    """Start `parts` under a supervisor, and put that on record before it starts the first of them.

    Parameters
    ----------
    record
        What runs, without its process.
    namespaces
        Command that runs the supervisor as its only child, in namespaces of its own; empty: none.
    address
        Address that the supervisor gives to the new network namespace.

    Raises
    ------
    ClusterError
        When the supervisor does not come up.
    """
    specification = layout.config / "components.json"
    specification.write_text(
        json.dumps({
            "components": [part.to_dict() for part in parts],
            "logs": str(layout.logs),
            "namespace_address": address,
        })
    )  # fmt: skip
    environment = {name: os.environ[name] for name in _OURS if name in os.environ}
    environment["PATH"] = os.pathsep.join([str(layout.bin), os.environ["PATH"], "/usr/sbin:/sbin"])
    with (layout.logs / "supervisor.log").open("ab") as log:
        launched = subprocess.Popen(
            [*namespaces, sys.executable, "-m", "cluster.supervisor", str(specification)],
            cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    process = _child(launched) if namespaces else identify(launched.pid)
    if process is None:
        raise ClusterError("The cluster's first process ended at once.", f"See {layout.logs / 'supervisor.log'}.")
    known = replace(record, process=process)
    layout.record.write_text(known.to_json())
    if launched.stdin is not None:
        launched.stdin.write(b"go\n")
        launched.stdin.close()
    return known


def _child(launched: subprocess.Popen[bytes]) -> Process | None:
    children = Path(f"/proc/{launched.pid}/task/{launched.pid}/children")
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline and launched.poll() is None:
        found = children.read_text().split()
        process = identify(int(found[0])) if found else None
        if process is not None:
            return process
        time.sleep(0.01)
    return None
