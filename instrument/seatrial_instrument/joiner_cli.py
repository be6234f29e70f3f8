"""`seatrial-joiner`: a small server that is told predictions and labels, and shows how they fit together."""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
from dataclasses import fields
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from seatrial_instrument.joiner import Joiner, Label, Prediction
from seatrial_instrument.scores import Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN: Final = "SEATRIAL_JOINER_TOKEN"  # noqa: S105 # the name of the variable
_TICK_S: Final = 1.0
_LARGEST: Final = 16 * 2**20
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "request_id": (str,), "rollout": (str,), "version": (str,), "at_s": (int, float), "row": (int,), "slices": (dict,),
    "shadow": (bool,), "predicted": (str, int, float, type(None)), "actual": (str, int, float),
    "confidence": (int, float, type(None)),
}  # fmt: skip


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
                self._answer(HTTPStatus.NOT_FOUND, b"GET /metrics or /healthz, POST /predictions or /labels\n")

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
        try:
            match self.path:
                case "/predictions":
                    self.server.joiner.tell([Prediction(**_fields(line, Prediction)) for line in lines])
                case "/labels":
                    self.server.joiner.label([Label(**_fields(line, Label)) for line in lines])
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, b"POST /predictions or /labels\n")
                    return
        except ValueError as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{error}\n".encode())
            return
        self._answer(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 # new in 3.12
        """Say nothing: a line for each request would hold what came in it."""

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _fields(line: bytes, of: type[Prediction | Label]) -> dict[str, Any]:
    """Read one line of JSON; an error names the field that is wrong, and no value."""
    try:
        read = json.loads(line)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ValueError("every line must be a JSON object")  # noqa: TRY004 # what came is wrong, not our types
    given: dict[str, Any] = {"at_s": time.time(), **read}
    known = {field.name for field in fields(of)}
    needed = {"request_id", "rollout", "version", "predicted", "actual"} & known
    if wrong := (given.keys() - known) | (needed - given.keys()):
        raise ValueError(f"a {of.__name__.lower()} has the fields {sorted(known)}; wrong or missing: {sorted(wrong)}")
    for name, value in given.items():
        if not isinstance(value, _TYPES[name]) or (isinstance(value, float) and value != value):  # noqa: PLR0124 # NaN
            raise ValueError(f"the field {name} of a {of.__name__.lower()} has a wrong type")
    if not all(isinstance(value, str) for value in given.get("slices", {}).values()):
        raise ValueError("the field slices maps names to text")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or 2 when something is wrong with what was given."""
    options = _parser().parse_args(arguments)
    try:
        joiner = Joiner(
            options.data,
            options.model_name,
            Truth(options.classes, options.tolerance, options.error_edges, dict(options.slice)),
            maturity_s=options.maturity,
            keep_s=options.keep,
            pair_wait_s=options.pair_wait,
        )
    except ValueError as error:
        print(f"seatrial-joiner: {error}", file=sys.stderr)
        return 2
    host, _, port = options.listen.rpartition(":")
    server = JoinerServer((host, int(port)), joiner, os.environ.get(TOKEN, ""))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on {host}:{server.server_port}", flush=True)
    more = False
    while not ended.wait(0 if more else _TICK_S):
        more = joiner.tick(time.time())
    server.shutdown()
    server.server_close()
    joiner.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seatrial-joiner",
        description="Joins predictions with labels that come later, and mirrored answers with clients' answers.",
    )
    add = parser.add_argument
    add("--model-name", required=True, help="label model_name of every series")
    add("--data", type=Path, required=True, help="SQLite file, on a volume that outlives the process")
    add("--maturity", type=_seconds, required=True, help="age at which a prediction is scored, such as 10m or 21d")
    add("--keep", type=_seconds, default=30 * 86400.0, help="age at which it is forgotten (default: 30d)")
    add("--pair-wait", type=_seconds, default=30.0, help="how long a mirrored answer waits for its pair (default: 30s)")
    add("--classes", type=_names, default=[], help="classes to tell apart; without it, labels are numbers")
    add("--tolerance", type=float, default=0.0, help="distance up to which a predicted number is right")
    add("--error-edges", type=_numbers, default=[], help="edges of the histogram of that distance")
    add("--slice", type=_slice, action="append", default=[], metavar="NAME=A,B", help="slice and its values")
    add("--listen", default="0.0.0.0:9465", help="host:port (default: %(default)s)")
    return parser


def _seconds(text: str) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if parts is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write a number with s, m, h or d, such as 10m")
    return float(parts[1]) * _UNITS_S[parts[2]]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return sorted(float(name) for name in _names(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from error


def _slice(text: str) -> tuple[str, list[str]]:
    name, equals, values = text.partition("=")
    if not (name and equals and values):
        raise argparse.ArgumentTypeError(f"{text!r} is no slice; write NAME=A,B, such as region=eu,us")
    return name, _names(values)


if __name__ == "__main__":
    sys.exit(main())
