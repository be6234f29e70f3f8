"""Raw samples from Prometheus, for benchmarks that check afterwards what could have been known when."""

from dataclasses import dataclass
from typing import Any

import aiohttp

INFER = 'path="/v2/models/{model_name}/infer"'
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Sample:
    """A version's requests as one scrape saw them: since the pod's birth, summed over its status codes."""

    at_s: float
    total: int
    bad: int


class Prometheus:
    """A Prometheus server.

    Parameters
    ----------
    url
        Such as `http://10.244.0.7:9090`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/api/v1/query"

    async def query(self, promql: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """Run an instant query and return its result's series.

        Raises
        ------
        RuntimeError
            Prometheus refused the query.
        """
        form = {"query": promql} | ({"time": f"{at_s:.3f}"} if at_s else {})
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.post(self._url, data=form) as response:
            answer = await response.json()
        if answer["status"] != "success":
            raise RuntimeError(f"Prometheus refused {promql}: {answer.get('error')}")
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series

    async def requests(self, namespace: str, version_hash: str, until_s: float, window_s: float) -> list[Sample]:
        """Read every scrape of a version that has one pod, oldest first."""
        labels = f'namespace="{namespace}",rollout_version="{version_hash}",{INFER}'
        series = await self.query(f"rest_server_requests_total{{{labels}}}[{window_s:.0f}s]", until_s)
        scrapes: dict[float, dict[str, int]] = {}
        for one in series:
            for at_s, value in one["values"]:
                scrapes.setdefault(float(at_s), {})[one["metric"]["status_code"]] = int(float(value))
        return [
            Sample(at_s, sum(codes.values()), sum(count for code, count in codes.items() if code.startswith("5")))
            for at_s, codes in sorted(scrapes.items())
        ]
