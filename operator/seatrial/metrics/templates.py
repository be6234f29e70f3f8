"""SLI templates: what the metrics of known servers and gateways mean, read from ``templates/*.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seatrial.api.templates import MEANINGS
from seatrial.metrics.selector import EDGE, PLACEHOLDER, Selector, parse
from seatrial.metrics.shipped import Data, shipped

if TYPE_CHECKING:
    from decimal import Decimal

DEFAULT_SERVER: Final = "ml-model"

_PER_UNIT: Final = {"s": 1, "ms": 1000, "us": 1_000_000, "1": 1}


def _selector(text: str) -> str:
    parse(text)
    return text


def _buckets(text: str) -> str:
    parse(_bucket(text, "+Inf"))
    return text


def _bucket(text: str, edge: str) -> str:
    return text.replace(PLACEHOLDER, f'{EDGE}="{edge}",{PLACEHOLDER}')


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


SelectorText = Annotated[str, AfterValidator(_selector)]
BucketsText = Annotated[str, AfterValidator(_buckets)]
Source = Literal["pod", "gateway", "joiner"]


class _Template(Data):
    source: Source | None = None
    """Whose metrics they are, when it isn't what the whole file is about."""
    needs: str | None = None
    """What has to be switched on in the server."""
    note: str | None = None
    """What a reader would not expect."""


class Ratio(_Template):
    """Counters of all events, and of the good or the bad ones among them."""

    total: Annotated[tuple[SelectorText, ...], BeforeValidator(_listed), Field(min_length=1)]
    """Several counters add up."""
    bad: SelectorText | None = None
    good: SelectorText | None = None

    @model_validator(mode="after")
    def _one_part(self) -> Self:
        if (self.bad is None) == (self.good is None):
            raise ValueError("give either bad or good")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The selectors as they are written."""
        return (*self.total, *(text for text in (self.good, self.bad) if text))


class Histogram(_Template):
    """A histogram: the selector of its buckets without their edge, and its unit; ``"1"`` is no unit at all."""

    unit: Literal["s", "ms", "us", "1"]
    buckets: BucketsText

    @property
    def texts(self) -> tuple[str, ...]:
        """The selectors as they are written."""
        return (self.buckets,)

    def counters(self, threshold: Decimal) -> tuple[Selector, Selector]:
        """Return the selectors of all events and of those up to the threshold, which is in seconds if it is a time."""
        edge = (threshold * _PER_UNIT[self.unit]).normalize()
        return parse(_bucket(self.buckets, "+Inf")), parse(_bucket(self.buckets, f"{edge:f}"))

    def threshold(self, edge: float) -> str:
        """Write an edge of the histogram as a threshold of a ModelSLO."""
        if self.unit == "1":
            return f"{edge:.12g}"
        time_s = edge / _PER_UNIT[self.unit]
        unit = next((unit for unit in ("s", "ms") if time_s * _PER_UNIT[unit] >= 1), "us")
        return f"{time_s * _PER_UNIT[unit]:.12g}{unit}"


class Server(Data):
    """What is known of one model server or gateway.

    ``errors`` and ``latency`` say what its metrics can tell of one version: errors as a ratio or not at all, latency as
    a ratio of requests up to a threshold, or only as quantiles or a mean, which can't be counted.
    """

    server: str
    title: str
    verified: str
    """What the names were checked against: a release that really ran, or documents."""
    source: Source = "pod"
    needs: str | None = None
    errors: Literal["ratio", "none"]
    latency: Literal["ratio", "quantile", "mean", "none"]
    tokens: Mapping[Literal["prompt", "generated"], SelectorText] = {}
    """Counters of tokens, of servers that generate text."""
    templates: Mapping[str, Ratio | Histogram]
    instead: Mapping[str, str] = {}
    """What to do about a template that the server can't serve."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in (*self.templates, *self.instead):
            if name not in MEANINGS:
                raise ValueError(f"there is no template {name}; the templates are {', '.join(MEANINGS)}")
        for name, template in self.templates.items():
            if isinstance(template, Histogram) != (MEANINGS[name].threshold is not None):
                raise ValueError(f"{name} has a threshold if and only if it is read from a histogram")
        for name, able in (("http-availability", self.errors == "ratio"), ("http-latency", self.latency == "ratio")):
            if able != (name in self.templates):
                raise ValueError(f"what errors and latency say of {name} is not what the templates offer")
            if not able and name not in self.instead:
                raise ValueError(f"say under instead what to do about {name}")
        return self

    @property
    def offered(self) -> tuple[str, ...]:
        """Names of the templates that this server offers."""
        return tuple(self.templates)

    def source_of(self, template: str) -> Source:
        """Say whose metrics a template reads."""
        return self.templates[template].source or self.source


@cache
def servers() -> dict[str, Server]:
    """Read all template files that ship with the operator, by the name of the server."""
    known = shipped("templates", Server)
    return {server.server: server for server in sorted(known, key=lambda server: server.server)}


def server_of(name: str | None) -> Server:
    """Find a server; Seatrial's own contract when none is named.

    Raises
    ------
    ValueError
        With one sentence that lists the known ones.
    """
    known = servers().get(name or DEFAULT_SERVER)
    if known is None:
        raise ValueError(f"no server named {name!r} is known; the known ones are {', '.join(servers())}")
    return known


def find(template: str, server: str | None) -> Ratio | Histogram:
    """Find a template of a server; of Seatrial's own contract when no server is named.

    Raises
    ------
    ValueError
        With one sentence that says what to use instead when the server or its template isn't there.
    """
    known = server_of(server)
    if template in known.templates:
        return known.templates[template]
    offered = f"{known.server} has no template {template!r}"
    if template in known.instead:
        raise ValueError(f"{offered}: {known.instead[template]}")
    others = offering(template)
    elsewhere = f"; {template} is offered by {', '.join(others)}" if others else ""
    raise ValueError(f"{offered}; it offers {', '.join(known.offered)}{elsewhere}")


def offering(template: str) -> Iterable[str]:
    """List the servers that offer a template."""
    return [name for name, server in servers().items() if template in server.templates]
