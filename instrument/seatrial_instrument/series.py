"""Series and their places in the array of counts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

INFINITY: Final = float("inf")


class Place(NamedTuple):
    """A series and where its value is."""

    sample: str
    labels: Mapping[str, str]
    at: int


@dataclass(slots=True)
class Family:
    """All series of one metric."""

    name: str
    kind: str
    help: str
    places: list[Place] = field(default_factory=list)


class Layout:
    """The series that an instrument writes; their number is fixed once it has begun to count.

    Parameters
    ----------
    constant
        Labels of every series.
    """

    def __init__(self, constant: Mapping[str, str]) -> None:
        self._constant = dict(constant)
        self._families: dict[str, Family] = {}
        self.size = 0

    def counter(self, name: str, help_text: str, **labels: str) -> int:
        """Add a counter and return its place.

        Parameters
        ----------
        name
            Without `_total`.
        help_text
            What it counts.
        **labels
            Labels of this series; a label that is a keyword of Python ends with an underscore here.
        """
        return self._place(self._family(name, "counter", help_text), f"{name}_total", labels, self._more(1))

    def gauge(self, name: str, help_text: str, **labels: str) -> int:
        """Add a gauge and return its place."""
        return self._place(self._family(name, "gauge", help_text), name, labels, self._more(1))

    def histogram(self, name: str, help_text: str, edges: Sequence[float], *, with_sum: bool, **labels: str) -> slice:
        """Add a histogram.

        Parameters
        ----------
        name, help_text
            As of a counter.
        edges
            Finite upper edges, ascending.
        with_sum
            Whether the sum of the observations is kept, too.
        **labels
            Labels of this series.

        Returns
        -------
        slice
            Places of the cumulative counts: one for each edge, then all observations, then the sum if it is kept.
        """
        first = self._more(len(edges) + 1 + with_sum)
        places = [*range(first, first + len(edges) + 1)]
        self.histogram_at(name, help_text, edges, places, **labels)
        if with_sum:
            self._place(self._families[name], f"{name}_sum", labels, places[-1] + 1)
        return slice(first, self.size)

    def histogram_at(
        self, name: str, help_text: str, edges: Sequence[float], places: Sequence[int], **labels: str
    ) -> None:
        """Add a histogram whose cumulative counts have places already, the last one being that of all observations."""
        family = self._family(name, "histogram", help_text)
        for edge, at in zip((*edges, INFINITY), places, strict=True):
            self._place(family, f"{name}_bucket", {**labels, "le": _spelling(edge)}, at)
        self._place(family, f"{name}_count", labels, places[-1])

    def counter_at(self, name: str, help_text: str, at: int, **labels: str) -> None:
        """Add a counter that has a place already."""
        self._place(self._family(name, "counter", help_text), f"{name}_total", labels, at)

    def reserve(self, count: int) -> int:
        """Set places aside and return the first."""
        return self._more(count)

    @property
    def sha256(self) -> str:
        """SHA-256 of all names, labels and places: two processes with the same one count in the same places."""
        places = [(p.sample, sorted(p.labels.items()), p.at) for f in self._families.values() for p in f.places]
        return hashlib.sha256(json.dumps(places).encode()).hexdigest()

    def metrics(self, values: NDArray[np.float64] | None) -> Iterator[Metric]:
        """Write all series as of these values; without values, their names and types alone."""
        for family in self._families.values():
            metric = Metric(family.name, family.help, family.kind)
            if values is not None:
                for place in family.places:
                    metric.add_sample(place.sample, dict(place.labels), float(values[place.at]))
            yield metric

    def _family(self, name: str, kind: str, help_text: str) -> Family:
        return self._families.setdefault(name, Family(name, kind, help_text))

    def _more(self, count: int) -> int:
        self.size += count
        return self.size - count

    def _place(self, family: Family, sample: str, labels: Mapping[str, str], at: int) -> int:
        named = {name.rstrip("_"): value for name, value in labels.items()}
        family.places.append(Place(sample, {**self._constant, **named}, at))
        return at


def _spelling(edge: float) -> str:
    text: str = floatToGoString(edge)  # type: ignore[no-untyped-call] # prometheus_client leaves it without types
    return text
