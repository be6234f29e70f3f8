"""What runs, and whether it is well."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cluster import lifecycle
from cluster.errors import ClusterError
from cluster.kubectl import environment, kubectl, ready
from cluster.record import read_record

if TYPE_CHECKING:
    from cluster.layout import Layout
    from cluster.record import Record

_FIELDS = (".metadata.namespace", ".metadata.name", ".status.readyReplicas", ".spec.replicas")
_COLUMNS = "custom-columns=" + ",".join(f"{number}:{field}" for number, field in enumerate(_FIELDS))
_OWN = ("kube-system", "gateway-system", "monitoring")


@dataclass(frozen=True, slots=True)
class Health:
    """State of the cluster.

    Parameters
    ----------
    level
        Its level; empty: none runs.
    current
        Whether this checkout's `up` would keep it.
    api
        Whether the API server is ready.
    waiting
        The cluster's own Deployments that lack pods, as namespace/name.
    checkout
        The checkout that started it.
    environment
        Variables by which programs find it.
    problem
        Why there is none, in one sentence.
    """

    level: str = ""
    current: bool = False
    api: bool = False
    waiting: tuple[str, ...] = ()
    checkout: str = ""
    environment: dict[str, str] | None = None
    problem: str = ""

    @property
    def healthy(self) -> bool:
        """Whether it can be used."""
        return self.api and not self.waiting

    def to_dict(self) -> dict[str, object]:
        """Return the form for programs."""
        return asdict(self) | {"healthy": self.healthy}

    def sentences(self) -> list[str]:
        """Return the form for people."""
        if not self.level:
            return [self.problem]
        lines = [f"Level {self.level}, started from {self.checkout}."]
        if not self.current:
            lines.append("It was started from other contents of cluster/: the next `make cluster` replaces it.")
        if not self.api:
            lines.append("The API server does not answer; `python -m cluster diagnose` shows its log.")
        lines += [f"Deployment {name} lacks pods." for name in self.waiting]
        if self.healthy:
            lines.append("Everything is ready.")
        return lines + [f"  {name}={value}" for name, value in (self.environment or {}).items() if name != "PATH"]


def inspect(layout: Layout) -> Health:
    """Return the state of the cluster as it is now."""
    record = lifecycle.running(layout)
    if record is None:
        left = read_record(layout.record) is not None
        return Health(problem="The cluster's processes are gone: `make cluster`." if left else "No cluster is running.")
    api = ready(layout, record)
    return Health(
        record.level,
        record.key == lifecycle.content_key(record.level),
        api,
        _waiting(layout, record) if api else (),
        record.checkout,
        environment(layout, record),
    )


def _waiting(layout: Layout, record: Record) -> tuple[str, ...]:
    try:
        rows = kubectl(layout, record, ["get", "deployments", "-A", "--no-headers", "-o", _COLUMNS], "asking")
    except ClusterError as error:
        return (error.what,)
    cells = [row.split() for row in rows.splitlines()]
    return tuple(f"{one}/{name}" for one, name, got, wanted in cells if one in _OWN and got != wanted)
