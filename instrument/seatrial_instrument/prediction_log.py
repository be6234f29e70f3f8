"""Tells a joiner what a model server answered, in the background."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument import columns
from seatrial_instrument.request import Kind
from seatrial_instrument.sampling import share_of
from seatrial_instrument.waiting import answers

if TYPE_CHECKING:
    from seatrial_instrument.request import Request
    from seatrial_instrument.waiting import Told

_LOG: Final = logging.getLogger("seatrial_instrument")
_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 5.0
_COMPLAIN_EVERY_S: Final = 60.0
_AT_A_TIME: Final = 1000


class PredictionLog:
    """Sends predictions to a joiner: request id, answer, stated confidence and slices, but no feature.

    A request waits for nothing: what is told is sent about a second later by a thread of its own, again and again until
    the joiner takes it. When too much is waiting, the oldest is dropped.

    Parameters
    ----------
    url
        Address of the joiner, such as `http://joiner:9465`.
    rollout, version
        ModelDeployment and hash of the version that answers; default: the variables SEATRIAL_MODEL and
        SEATRIAL_VERSION, which a pod gets from its labels.
    token
        Bearer token of the joiner; default: the variable SEATRIAL_JOINER_TOKEN.
    ratio
        Share of requests that are told, 0..1, chosen by the request's id; the joiner pairs what mirror and client got,
        so both versions must use the same share.
    capacity
        Answers that may wait.

    Raises
    ------
    ValueError
        The address is no HTTP address, or nothing says which version this is.
    """

    def __init__(
        self,
        url: str,
        rollout: str = "",
        version: str = "",
        *,
        token: str = "",
        ratio: float = 1.0,
        capacity: int = 10_000,
    ) -> None:
        self._rollout = rollout or os.environ.get("SEATRIAL_MODEL", "")
        self._version = version or os.environ.get("SEATRIAL_VERSION", "")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no address of a joiner; give http://host:port")
        if not (self._rollout and self._version):
            raise ValueError(
                "nothing says which version this is: set SEATRIAL_MODEL and SEATRIAL_VERSION from the pod's labels "
                "seatrial.dev/model and seatrial.dev/version"
            )
        self._url = url.rstrip("/") + "/predictions"
        self._token = token or os.environ.get("SEATRIAL_JOINER_TOKEN", "")
        self._ratio = ratio
        self._waiting: deque[tuple[Request, float, Told]] = deque(maxlen=capacity)
        self._process = 0
        self._complained_s = float("-inf")
        self._ended = threading.Event()

    def tell(self, request: Request, told: Told) -> None:
        """Hand over the answers of one request."""
        if share_of(request.id) >= self._ratio:
            return
        self._waiting.append((request, time.time(), told))
        if self._process != os.getpid():  # a thread does not outlive a fork
            self._process = os.getpid()
            self._ended = threading.Event()
            threading.Thread(target=self._run, args=(self._ended,), daemon=True, name="prediction-log").start()

    def close(self) -> None:
        """Send what is waiting, once, and stop."""
        self._ended.set()
        self._process = 0
        self._send_waiting()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(_EVERY_S):
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_AT_A_TIME, len(self._waiting)))]
            try:
                self._post("\n".join(line for answer in batch for line in self._lines(*answer)))
            except urllib.error.HTTPError as error:
                with error:
                    self._complain(f"the joiner refuses predictions: HTTP {error.code}")
            except (OSError, ValueError) as error:
                self._complain(f"the joiner can't be reached ({type(error).__name__})")
                if isinstance(error, OSError):
                    self._waiting.extendleft(reversed(batch[: (self._waiting.maxlen or 0) - len(self._waiting)]))
                return

    def _post(self, lines: str) -> None:
        headers = {"content-type": "application/x-ndjson"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url, lines.encode(), headers)  # noqa: S310 # HTTP, as the constructor checks
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 # see above
            pass

    def _lines(self, request: Request, at_s: float, told: Told) -> list[str]:
        batch = answers(told)
        first = batch.predictions
        if isinstance(first, Mapping):
            first = next(iter(first.values()))
        common = {
            "request_id": request.id, "rollout": self._rollout, "version": self._version, "at_s": at_s,
            "shadow": request.kind is Kind.SHADOW,
        }  # fmt: skip
        lines = []
        for row, value in enumerate(columns.values_of(first)):
            failed = value != value or (batch.failed is not None and batch.failed[row])  # noqa: PLR0124 # NaN
            line = {
                **common,
                "row": row,
                "predicted": None if failed else value,
                "confidence": None if batch.confidence is None else float(batch.confidence[row]),
                "slices": {name: str(columns.category(given[row])) for name, given in batch.slices.items()},
            }
            lines.append(json.dumps(line, default=_plain))
        return lines

    def _complain(self, text: str) -> None:
        if time.monotonic() - self._complained_s >= _COMPLAIN_EVERY_S:
            self._complained_s = time.monotonic()
            _LOG.warning("%s; %d answers wait at %s", text, len(self._waiting), self._url)


def _plain(value: object) -> object:
    """Turn one of numpy's scalars into Python's own."""
    return value.item() if isinstance(value, np.generic) else str(value)
