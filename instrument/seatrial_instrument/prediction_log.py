"""Tells a joiner what a model server answered, in the background."""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

from seatrial_instrument.complaints import Complaints
from seatrial_instrument.request import Kind
from seatrial_instrument.sampling import share_of
from seatrial_instrument.told_lines import lines_of

if TYPE_CHECKING:
    from seatrial_instrument.request import Request
    from seatrial_instrument.waiting import Told

    _Answer = tuple[Request, float, Told]

_LOG: Final = logging.getLogger("seatrial_instrument")
_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 5.0
_AT_A_TIME: Final = 1000
"""Lines that are sent at a time, or those of one answer if it has more."""
_REFUSED: Final = re.compile(rb"(\d+) of \d+ lines are refused")
_LONGEST: Final = 1000
_FINAL: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
"""What would be the answer to the same lines again."""


class PredictionLog:
    """Sends predictions to a joiner: request id, answer, stated confidence and slices, but no feature.

    A request waits for nothing: what is told is sent about a second later by a thread of its own, again and again until
    the joiner takes it, and once more when the process ends. When too much is waiting, the oldest is dropped.

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

    _process: int
    _thread: threading.Thread
    _ended: threading.Event

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
        self._url = url.rstrip("/")
        self._token = token or os.environ.get("SEATRIAL_JOINER_TOKEN", "")
        self._ratio = ratio
        self._waiting: deque[_Answer] = deque(maxlen=capacity)
        self._is_announced = False
        self._untold = self._untold_before = 0
        self._complaints = Complaints()
        self._start()

    def tell(self, request: Request, told: Told) -> None:
        """Hand over the answers of one request."""
        if share_of(request.id) >= self._ratio:
            return
        self._waiting.append((request, time.time(), told))
        if self._process != os.getpid():  # a thread does not outlive a fork
            self._start()

    def untold(self) -> int:
        """Return how many answers could not be told, or were refused, since this was called last."""
        untold = self._untold - self._untold_before
        self._untold_before += untold
        return untold

    def close(self, within_s: float = _TIMEOUT_S) -> None:
        """Send what is waiting, and stop; a process that ends calls this by itself.

        Parameters
        ----------
        within_s
            Seconds after which what is still waiting is given up.
        """
        atexit.unregister(self.close)
        if self._process != os.getpid():  # a child that has told nothing has only what its parent tells
            return
        self._process = 0
        self._ended.set()
        self._thread.join(within_s)
        if self._waiting:
            _LOG.warning("%d answers could not be told to %s in time, and are given up", len(self._waiting), self._url)

    def _start(self) -> None:
        self._process = os.getpid()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._ended,), daemon=True, name="prediction-log")
        self._thread.start()
        atexit.register(self.close)

    def _run(self, ended: threading.Event) -> None:
        is_last = False
        while not is_last:
            is_last = ended.wait(_EVERY_S)
            try:
                self._is_announced = self._is_announced or self._announce()
                if self._is_announced:
                    self._send_waiting()
            except Exception as error:  # noqa: BLE001 # nothing may end the thread
                self._complain(f"telling answers failed ({type(error).__name__})")

    def _announce(self) -> bool:
        """Let the series of this version exist before its first answer; an earlier joiner doesn't know how."""
        line = json.dumps({"rollout": self._rollout, "version": self._version})
        return self._post("/versions", [line]) is not None

    def _send_waiting(self) -> None:
        while self._waiting:
            batch, lines = self._next()
            refused = self._post("/predictions", lines) if lines else 0
            if refused is None:
                self._waiting.extendleft(reversed(batch[: (self._waiting.maxlen or 0) - len(self._waiting)]))
                return
            if refused:
                self._untold += refused
                self._complain(f"the joiner has refused {refused} of {len(lines)} answers")

    def _next(self) -> tuple[list[_Answer], list[str]]:
        """Take answers that are sent together, and write their lines; one that can't be written is left out."""
        batch: list[_Answer] = []
        lines: list[str] = []
        while self._waiting and len(lines) < _AT_A_TIME:
            request, at_s, told = answer = self._waiting.popleft()
            common = {
                "request_id": request.id, "rollout": self._rollout, "version": self._version, "at_s": at_s,
                "shadow": request.kind is Kind.SHADOW,
            }  # fmt: skip
            try:
                lines += lines_of(told, common)
            except Exception as error:  # noqa: BLE001 # one odd answer must not cost others, and its text may hold a value
                self._untold += 1
                self._complain(f"an answer could not be told ({type(error).__name__})")
            else:
                batch.append(answer)
        return batch, lines

    def _post(self, path: str, lines: list[str]) -> int | None:
        """Send lines; return how many were refused, or None when they are to be sent again."""
        headers = {"content-type": "application/x-ndjson"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        body = "\n".join(lines).encode()
        request = urllib.request.Request(self._url + path, body, headers)  # noqa: S310 # HTTP, as the constructor checks
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 # see above
                return 0
        except urllib.error.HTTPError as error:
            with error:
                refused = _REFUSED.match(error.read(_LONGEST))
            if error.code in _FINAL:
                return int(refused[1]) if refused else len(lines)
            self._complain(f"the joiner takes no answers (HTTP {error.code})")
            return None
        except (OSError, HTTPException, ValueError) as error:
            self._complain(f"the joiner can't be reached ({type(error).__name__})")
            return None

    def _complain(self, text: str) -> None:
        self._complaints.tell(f"{text}; {len(self._waiting)} answers wait for {self._url}")
