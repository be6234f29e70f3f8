"""What an instrument is told once, when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial_instrument.declared import check_edges, check_names
from seatrial_instrument.traffic import AGE_EDGES_S, LATENCY_EDGES_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What an instrument counts, and how much of it; all series are made of this and the profile.

    Attributes
    ----------
    latency_edges_s
        Edges of the latency histogram in seconds; one of them is the objective's threshold.
    age_edges_s
        Edges of the feature age histogram in seconds.
    feature_groups
        Groups of features whose age is told.
    checks
        Results to count, by name of the check.
    slices
        Values to tell apart, by name of the slice (tenant, region, cohort).
    max_slices
        Cap on their number, over all names.
    sample_ratio
        Share of requests whose features are counted, 0..1; chosen by the request's id, so that two versions that get
        the same request choose alike.
    max_rows_per_s
        Rows per second of which features are counted, at most.
    folder
        Where processes share their counts; default: the variable PROMETHEUS_MULTIPROC_DIR, and without it one process.
    strict
        Raise errors in the caller instead of counting and logging them: for tests of a server, not for production.

    Raises
    ------
    ValueError
        A number is out of range, edges don't rise, or names would count as one.
    """

    latency_edges_s: Sequence[float] = LATENCY_EDGES_S
    age_edges_s: Sequence[float] = AGE_EDGES_S
    feature_groups: Sequence[str] = ()
    checks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_slices: int = 50
    sample_ratio: float = 1.0
    max_rows_per_s: float = 10_000
    folder: Path | str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        check_edges("latency_edges_s", self.latency_edges_s)
        check_edges("age_edges_s", self.age_edges_s)
        check_names("feature_groups", self.feature_groups)
        for kind, declarations in (("check", self.checks), ("slice", self.slices)):
            for name, values in declarations.items():
                check_names(f"{kind} {name}", values)
        if not 0 <= self.sample_ratio <= 1:
            raise ValueError(f"sample_ratio is {self.sample_ratio}; give a share between 0 and 1")
        if not self.max_rows_per_s >= 1:  # NaN is not, either
            raise ValueError(f"max_rows_per_s is {self.max_rows_per_s}; give at least 1")
        declared = sum(len(values) for values in self.slices.values())
        if declared > self.max_slices:
            raise ValueError(f"{declared} slices are declared, at most {self.max_slices} are allowed: merge small ones")
