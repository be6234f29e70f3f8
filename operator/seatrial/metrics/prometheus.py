"""The only file that talks to Prometheus, through prometheus-api-client.

The library is synchronous, so queries run in a few threads. It retries in silence, has no deadline and no limit of
size, puts a POST's query into the URL, drops Prometheus's warnings and turns every status into one text that may quote
anything: the session that it is given takes care of all of that.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from seatrial.metrics.connection import Misconfigured
from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.session import Session, late, strange, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from seatrial.metrics.connection import Connection, Connections

MAX_BYTES: Final = 16 << 20
"""Size of the largest answer that is read, in bytes."""

_NO_RETRY: Final = Retry(total=0, redirect=False)


class RawSeries(TypedDict, total=False):
    """One series of an answer: ``values`` of a range selector, ``value`` of an instant vector."""

    metric: Mapping[str, str]
    values: Sequence[tuple[float, str]]
    value: tuple[float, str]


class Prometheus:
    """A Prometheus, or anything that answers like one.

    Parameters
    ----------
    connections
        Where it is; asked before each query, so that rotated credentials are used at once.
    timeout_s
        How long a query may take in all, in seconds.
    workers
        How many queries may run at a time.
    max_bytes
        Size of the largest answer that is read, in bytes.
    """

    def __init__(
        self, connections: Connections, *, timeout_s: float = 8.0, workers: int = 4, max_bytes: int = MAX_BYTES
    ) -> None:
        self._connections = connections
        self._timeout_s = timeout_s
        self._workers = workers
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="prometheus")
        self._free = asyncio.Semaphore(workers)
        self._client: tuple[Connection, PrometheusConnect] | None = None

    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        """Evaluate an instant query.

        Parameters
        ----------
        promql
            The query.
        at_s
            Unix time of the evaluation in seconds, counted to the millisecond.

        Raises
        ------
        Unavailable
            When no answer can be had: ``TooLarge`` when there is too much of it.
        BadQuery
            When Prometheus understands the request and refuses it.
        """
        params = {"time": f"{at_s:.3f}"}
        return await self._ask(lambda client: client.custom_query(promql, params=params))

    async def query_range(self, promql: str, start_s: int, end_s: int, step_s: int) -> list[RawSeries]:
        """Evaluate a query at ``start_s``, ``start_s + step_s``, … up to ``end_s``: Unix times in whole seconds.

        Raises
        ------
        Unavailable, BadQuery
            As ``query`` does.
        """
        start, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (start_s, end_s))
        return await self._ask(lambda client: client.custom_query_range(promql, start, end, str(step_s)))

    async def _ask(self, ask: Callable[[PrometheusConnect], Any]) -> list[RawSeries]:
        try:
            connection, client = self._current()
        except Misconfigured as error:
            raise Unavailable(f"Prometheus can't be reached: {error}") from None
        async with self._free:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, _asked, connection.place, ask, client)
            try:
                # A thread can't be stopped; it ends by its own deadline, and this is the net below it.
                async with asyncio.timeout(2 * self._timeout_s):
                    return await asked
            except TimeoutError:
                raise Unavailable(late(connection.place, self._timeout_s)) from None

    def close(self) -> None:
        """Drop connections and threads; a query that still runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client:
            self._client[1].close()

    def _current(self) -> tuple[Connection, PrometheusConnect]:
        connection = self._connections.current()
        if self._client is None or self._client[0] is not connection:
            session = Session(connection, self._timeout_s, self._max_bytes)
            client = PrometheusConnect(
                connection.url.rstrip("/"), retry=_NO_RETRY, session=session, timeout=self._timeout_s, method="POST"
            )
            # After the client, which mounts an adapter of its own over the session's.
            session.mount(connection.url.rstrip("/"), HTTPAdapter(pool_maxsize=self._workers, max_retries=_NO_RETRY))
            self._client = connection, client
        return self._client


def _asked(place: str, ask: Callable[[PrometheusConnect], Any], client: PrometheusConnect) -> list[RawSeries]:
    try:
        answer: list[RawSeries] = ask(client)
    except (Unavailable, BadQuery):
        raise
    except (requests.exceptions.RequestException, HTTPError, OSError) as error:
        raise Unavailable(told(place, error)) from None
    except (ValueError, KeyError, TypeError):
        raise Unavailable(strange(place)) from None
    return answer
