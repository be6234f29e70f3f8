"""`seatrial-joiner`: a small server that is told predictions and labels, and shows how they fit together."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seatrial_instrument.joiner import Joiner
from seatrial_instrument.joiner_server import TOKEN, JoinerServer
from seatrial_instrument.scores import Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICK_S: Final = 1.0
_HIGHEST_PORT: Final = 65535
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
        server = JoinerServer(options.listen, joiner, os.environ.get(TOKEN, ""))
    except sqlite3.Error as error:
        print(f"seatrial-joiner: {options.data} can't be used as the joiner's file: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"seatrial-joiner: {error}", file=sys.stderr)
        return 2
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on {options.listen[0]}:{server.server_port}", flush=True)
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
    add("--listen", type=_address, default="0.0.0.0:9465", help="host:port (default: %(default)s)")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write HOST:PORT, such as 0.0.0.0:9465")
    return host, int(port)


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
