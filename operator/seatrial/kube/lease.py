"""Leadership among the operator's replicas, by a Lease of coordination.k8s.io.

Only the Lease's own change counts, timed by this process's monotonic clock: clocks of two machines are never compared,
and the times written into the Lease are for people. A standby takes over when the Lease has not changed for as long as
its holder promised to renew it; the holder stops earlier than that, counted from before its last successful renewal was
sent. Each write is a compare-and-set on the Lease, so two replicas never both win.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial.kube.errors import Conflict, Gone, KubeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from seatrial.kube.client import Kube

LOG = logging.getLogger(__name__)
_RELEASED_S = 1  # what the next one reads of a lease that was given up; the API server wants at least 1


@dataclass(frozen=True, slots=True)
class Lease:
    """Which Lease, who asks for it, and its times.

    Attributes
    ----------
    namespace, name
        The Lease object.
    identity
        Who holds it: one living process at a time. A pod's name fits: when its container is restarted, the former
        process has ended, and the new one goes on at once.
    duration_s
        Seconds without renewal after which others may take over.
    give_up_s
        Seconds without a renewal after which the holder stops by itself; well below ``duration_s``.
    retry_s
        Seconds between renewals, or between looks of a standby.
    """

    namespace: str
    name: str
    identity: str
    duration_s: int = 15
    give_up_s: float = 10.0
    retry_s: float = 2.0


@contextlib.asynccontextmanager
async def leadership(kube: Kube, lease: Lease) -> AsyncIterator[asyncio.Event]:
    """Wait until the lease is ours, keep it while the block runs, and release it when the block ends.

    Yields
    ------
    asyncio.Event
        Set when the lease is lost: the block must end at once, as somebody else may lead a few seconds later.

    Notes
    -----
    No API error comes out: a lease that can't be read or written is not held, which is all that matters here. The log
    tells of it.
    """
    lost = asyncio.Event()
    keeper = asyncio.create_task(_keep(kube, lease, *await _acquire(kube, lease), lost), name="lease")
    try:
        yield lost
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        if not lost.is_set():
            with _told():
                async with asyncio.timeout(lease.retry_s):
                    live = await kube.get("Lease", lease.namespace, lease.name)
                    if _holder(live) == lease.identity:
                        await _write(kube, lease, live, holder="")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Log what goes wrong with the Lease, and go on."""
    try:
        yield
    except KubeError as error:
        LOG.warning("%s", error.sentence)
    except TimeoutError:
        LOG.warning("The API server does not answer about the Lease in time.")


async def _acquire(kube: Kube, lease: Lease) -> tuple[dict[str, Any], float]:
    """Wait until the lease is ours; return it, with the monotonic time from which it counts."""
    seen_version, seen_at_s = "", 0.0
    while True:
        asked_s = time.monotonic()
        with _told(), contextlib.suppress(Conflict):  # somebody else was quicker
            async with asyncio.timeout(lease.give_up_s):
                live = await kube.get("Lease", lease.namespace, lease.name)
                if live and live["metadata"]["resourceVersion"] != seen_version:
                    seen_version, seen_at_s = live["metadata"]["resourceVersion"], time.monotonic()
                promised_s = live["spec"].get("leaseDurationSeconds", lease.duration_s) if live else 0
                if _holder(live) in {None, "", lease.identity} or asked_s - seen_at_s > promised_s:
                    return await _write(kube, lease, live, holder=lease.identity), asked_s
        await asyncio.sleep(lease.retry_s)


async def _keep(kube: Kube, lease: Lease, live: dict[str, Any] | None, held_at_s: float, lost: asyncio.Event) -> None:
    """Renew until somebody else has the lease, or until it could not be renewed for too long; then set ``lost``."""
    while _holder(live) == lease.identity and (left_s := held_at_s + lease.give_up_s - time.monotonic()) > 0:
        await asyncio.sleep(min(lease.retry_s, left_s))
        asked_s = time.monotonic()
        with _told():
            async with asyncio.timeout(held_at_s + lease.give_up_s - asked_s):
                try:
                    live, held_at_s = await _write(kube, lease, live, holder=lease.identity), asked_s
                except (Conflict, Gone):  # another holder, a person's edit, or our own write whose answer got lost
                    live = await kube.get("Lease", lease.namespace, lease.name)
    lost.set()


async def _write(kube: Kube, lease: Lease, live: dict[str, Any] | None, *, holder: str) -> dict[str, Any]:
    """Write the Lease if it is still the one that was read (or still absent); raise ``Conflict`` otherwise."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec: dict[str, Any] = dict(live["spec"]) if live else {"leaseTransitions": 0}
    if holder and holder != _holder(live):
        spec |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + (1 if live else 0)}
    duration_s = lease.duration_s if holder else _RELEASED_S
    spec |= {"holderIdentity": holder, "renewTime": now, "leaseDurationSeconds": duration_s}
    if live:
        return await kube.replace({**live, "spec": spec})
    metadata = {"namespace": lease.namespace, "name": lease.name}
    return await kube.create(
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    )


def _holder(live: dict[str, Any] | None) -> str | None:
    """Tell who holds a Lease; None when there is no Lease."""
    return str(live["spec"].get("holderIdentity") or "") if live else None
