"""Serves a joiner over HTTP: what it is told comes as JSON, one object a line."""

from __future__ import annotations

import hmac
import json
import math
import time
from dataclasses import fields
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from seatrial_instrument.events import Announcement, Label, Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seatrial_instrument.joiner import Joiner

TOKEN: Final = "SEATRIAL_JOINER_TOKEN"  # noqa: S105 # the name of the variable
_LARGEST: Final = 16 * 2**20
_LATEST_S: Final = 86400.0
_LONGEST: Final = 253
_TYPES: Final[dict[str, Any]] = {
    "request_id": (str,), "rollout": (str,), "version": (str,), "at_s": (int, float), "row": (int,), "slices": (dict,),
    "shadow": (bool,), "predicted": (str, int, float, type(None)), "actual": (str, int, float),
    "confidence": (int, float, type(None)),
}  # fmt: skip
_PATHS: Final = "POST /predictions, /labels or /versions"


class JoinerServer(ThreadingHTTPServer):
    """Serves a joiner over HTTP.

    Parameters
    ----------
    address
        Host and port.
    joiner
        Who joins.
    token
        What POST requests must carry as bearer token; empty: nothing.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], joiner: Joiner, token: str = "") -> None:
        self.joiner, self.token = joiner, token
        self.registry = CollectorRegistry()
        self.registry.register(joiner)
        ProcessCollector(registry=self.registry)
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: JoinerServer
    timeout = 30

    def do_GET(self) -> None:
        match self.path:
            case "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
            case "/healthz":
                self._answer(HTTPStatus.OK, b"ok\n")
            case _:
                self._answer(HTTPStatus.NOT_FOUND, f"GET /metrics or /healthz, {_PATHS}\n".encode())

    def do_POST(self) -> None:
        given = self.headers.get("authorization", "")
        if self.server.token and not hmac.compare_digest(given.encode(), f"Bearer {self.server.token}".encode()):
            self._answer(HTTPStatus.UNAUTHORIZED, f"send the token of {TOKEN} as bearer token\n".encode())
            return
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self._answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send up to {_LARGEST} bytes, and their number\n".encode()
            )
            return
        lines = self.rfile.read(int(length)).splitlines()
        match self.path:
            case "/predictions":
                self._take(lines, Prediction, self.server.joiner.tell)
            case "/labels":
                self._take(lines, Label, self.server.joiner.label)
            case "/versions":
                self._take(lines, Announcement, self.server.joiner.announce)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, f"{_PATHS}\n".encode())

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 # new in 3.12
        """Say nothing: a line for each request would hold what came in it."""

    def _take(self, lines: Sequence[bytes], of: type[Any], take: Callable[[list[Any]], None]) -> None:
        """Take the lines that are right; say how many are not, and what is wrong with the first of them."""
        good, problems = [], []
        for line in lines:
            try:
                good.append(of(**_fields(line, of)))
            except ValueError as error:
                problems.append(str(error))
        try:
            take(good)
        except ValueError as error:
            problems = [str(error)] * len(lines)
        self.server.joiner.refuse(len(problems))
        if not problems:
            self._answer(HTTPStatus.NO_CONTENT)
            return
        told = f"{len(problems)} of {len(lines)} lines are refused, and the others taken: {problems[0]}\n"
        self._answer(HTTPStatus.BAD_REQUEST, told.encode(errors="replace"))

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _fields(line: bytes, of: type[Any]) -> dict[str, Any]:
    """Read one line of JSON; an error names the field that is wrong, and no value."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise ValueError("every line must be a JSON object")  # noqa: TRY004 # what came is wrong, not our types
    now_s = time.time()
    given: dict[str, Any] = {"at_s": now_s, **read}
    known = {field.name for field in fields(of)}
    needed = {"request_id", "rollout", "version", "predicted", "actual"} & known
    name = of.__name__.lower()
    if wrong := (given.keys() - known) | (needed - given.keys()):
        raise ValueError(f"a {name} has the fields {sorted(known)}; wrong or missing: {sorted(wrong)}")
    for field, value in given.items():
        if problem := _problem(field, value, now_s):
            raise ValueError(f"the field {field} of a {name} {problem}")
    return {**given, "at_s": float(given["at_s"])}


def _problem(field: str, value: Any, now_s: float) -> str | None:  # noqa: ANN401 # anything that JSON can say
    if not isinstance(value, _TYPES[field]):
        return "has a wrong type"
    if isinstance(value, (int, float)) and not _is_finite(value):
        return "is no number that can be counted: it is too large, or not finite"
    match field:
        case "at_s" if value > now_s + _LATEST_S:
            return "is more than a day in the future; give Unix time in seconds"
        case "rollout" | "version" if not (0 < len(value) <= _LONGEST and value.isprintable()):
            return f"must be 1 to {_LONGEST} printable characters"
        case "slices" if not all(isinstance(of_row, str) for of_row in value.values()):
            return "must map names to text"
        case _:
            return None


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond what a float holds
        return False
