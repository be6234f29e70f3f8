"""What the benchmark of the instrument library and the server that it asks say to each other."""

from __future__ import annotations

from typing import Final, NamedTuple

SIDE_HEADER: Final = "x-bench-library"
SIDES: Final = ("off", "on")
TIMES_PATH: Final = "/bench/times"
PAGE_PATH: Final = "/bench/page"


class Sides(NamedTuple):
    """Nanoseconds of the server's processor, without the library and with it, in the order of the requests."""

    off: list[int]
    on: list[int]


class Times(NamedTuple):
    """What a server took for answering requests, and for writing the metrics page."""

    requests: Sides
    pages: Sides
