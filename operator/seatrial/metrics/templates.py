"""SLI templates: what the metrics of known model servers mean, read from ``templates/*.yaml``."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from seatrial.metrics.selector import EDGE, PLACEHOLDER, Selector, parse

DEFAULT_SERVER: Final = "ml-model"

_UNITS_PER_SECOND: Final = {"s": 1, "ms": 1000, "us": 1_000_000}


def _selector(text: str) -> str:
    parse(text)
    return text


def _buckets(text: str) -> str:
    parse(_bucket(text, "+Inf"))
    return text


def _bucket(text: str, edge: str) -> str:
    return text.replace(PLACEHOLDER, f'{EDGE}="{edge}",{PLACEHOLDER}')


SelectorText = Annotated[str, AfterValidator(_selector)]
BucketsText = Annotated[str, AfterValidator(_buckets)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Availability(_Data):
    """Selectors of all requests and of the bad ones among them."""

    total: SelectorText
    bad: SelectorText

    def counters(self) -> tuple[Selector, Selector]:
        """Return the selectors of all and of the bad requests."""
        return parse(self.total), parse(self.bad)


class Latency(_Data):
    """A histogram of latencies: the selector of its buckets without their edge, and its unit."""

    unit: Literal["s", "ms", "us"]
    buckets: BucketsText

    def counters(self, threshold_s: float) -> tuple[Selector, Selector]:
        """Return the selectors of all requests and of those that took at most ``threshold_s`` seconds."""
        # Through the shortest decimal, so that 0.57 s is the edge 570 of a histogram in milliseconds and not 569.99…
        edge = Decimal(repr(threshold_s)) * _UNITS_PER_SECOND[self.unit]
        return parse(_bucket(self.buckets, "+Inf")), parse(_bucket(self.buckets, str(edge)))


class Templates(_Data):
    """What a server can be judged by. A template that it can't serve is left out."""

    http_availability: Annotated[Availability | None, Field(alias="http-availability")] = None
    http_latency: Annotated[Latency | None, Field(alias="http-latency")] = None


class Server(_Data):
    """The templates of one model server, and which release of it they were checked against."""

    server: str
    verified: str
    templates: Templates

    @property
    def offered(self) -> tuple[str, ...]:
        """Names of the templates that this server offers."""
        return tuple(self.templates.model_dump(by_alias=True, exclude_none=True))


@cache
def servers() -> dict[str, Server]:
    """Read all template files that ship with the operator, by the name of the server."""
    folder = files("seatrial.metrics") / "templates"
    texts = [entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    known = [Server.model_validate(yaml.safe_load(text)) for text in texts]
    return {server.server: server for server in sorted(known, key=lambda server: server.server)}


def find(template: str, server: str | None) -> Availability | Latency:
    """Find a template of a server; of Seatrial's own contract when no server is named.

    Raises
    ------
    ValueError
        With one sentence that lists what is known when the server or its template isn't.
    """
    known = servers().get(server or DEFAULT_SERVER)
    if known is None:
        raise ValueError(f"no server named {server!r} is known; the known ones are {_listed(servers())}")
    match template:
        case "http-availability" if known.templates.http_availability:
            return known.templates.http_availability
        case "http-latency" if known.templates.http_latency:
            return known.templates.http_latency
        case _:
            raise ValueError(f"{known.server} has no template {template!r}; it offers {_listed(known.offered)}")


def _listed(names: dict[str, Server] | tuple[str, ...]) -> str:
    return ", ".join(names)
