"""Recorded Prometheus data, and what an operator would have counted of it at any instant."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.cli.formats import progress_bar
from seatrial.metrics.counting import counting
from seatrial.metrics.edges import bracketed, thresholds, used_instead
from seatrial.metrics.ledger import Ledger
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.recall import everything_of, recall
from seatrial.metrics.selector import EDGE, edge_value
from seatrial.metrics.types import Checkpoint, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from seatrial.metrics.connection import Connections
    from seatrial.metrics.counting import Counting, Weights
    from seatrial.metrics.types import Sli

__all__ = ["Recording", "Series", "Tally", "read_live", "read_recording", "versions"]

VERSION_LABEL = "rollout_version"
"""Target label that says whose series it is."""


@dataclass(frozen=True, slots=True)
class Series:
    """Raw samples of one series: (Unix time in seconds, value as Prometheus writes it), oldest first."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, str], ...]


Recording = tuple[Series, ...]


def read_recording(path: Path) -> Recording:
    """Read the answer of ``/api/v1/query`` to one or more range selectors (``metric{...}[1h]``).

    The file holds such an answer, a list of them, or a list of series. Series without samples are left out.

    Raises
    ------
    ValueError
        With a sentence for the user, when the file holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    answers = document if isinstance(document, list) else [document]
    found: list[Series] = []
    try:
        for answer in answers:
            for entry in answer["data"]["result"] if "data" in answer else [answer]:
                samples = tuple(sorted((float(at_s), str(value)) for at_s, value in entry["values"]))
                labels = dict(entry["metric"])
                if samples and labels["__name__"]:
                    found.append(Series(labels, samples))
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} holds no raw samples: it must be the answer of /api/v1/query to a range selector, such as "
            'my_requests_total{rollout_name="scorer"}[1h]'
        ) from None
    if not found:
        raise ValueError(f"{path} holds no sample")
    return tuple(found)


def read_live(
    countings: Sequence[Counting],
    rollout: tuple[str, str],
    connections: Connections,
    span_s: tuple[float, float],
    *,
    shown: bool,
) -> Recording:
    """Read a recording from a live Prometheus.

    Parameters
    ----------
    countings
        What has to be read.
    rollout
        Namespace and name of the ModelDeployment.
    connections
        Where Prometheus is.
    span_s
        Begin and end in Unix seconds.
    shown
        Whether a progress bar is shown.

    Raises
    ------
    ValueError
        When there is nothing to read.
    Unavailable, BadQuery
        When Prometheus can't be read, or refuses the query.
    """
    start_s, end_s = span_s
    if end_s <= start_s:
        raise ValueError("--end must come after --start")
    client = Prometheus(connections)
    try:
        with progress_bar(shown=shown) as progress:
            task = progress.add_task("reading Prometheus", total=end_s - start_s)
            selector = everything_of(countings, *rollout)
            found = asyncio.run(recall(client, selector, start_s, end_s, lambda read_s: progress.advance(task, read_s)))
    finally:
        client.close()
    recording = tuple(Series(labels, tuple(samples)) for labels, samples in found if samples)
    if not recording:
        raise ValueError(
            f"Prometheus has no sample of {'/'.join(rollout)} in this range that its objectives are counted from"
        )
    return recording


def versions(recording: Recording) -> dict[str, float]:
    """Return the versions in a recording, each with the Unix time of its first sample, oldest first."""
    first: dict[str, float] = {}
    for series in recording:
        if version := series.labels.get(VERSION_LABEL):
            first[version] = min(series.samples[0][0], first.get(version, series.samples[0][0]))
    return dict(sorted(first.items(), key=lambda item: item[1]))


class Tally:
    """Counts of one SLI of one version, moving forward in time.

    Parameters
    ----------
    sli
        What to count.
    version
        Of which version.
    recording
        From what. A series that is there from the recording's first instant on may be older, so it is counted from its
        first sample; any other was born during the recording and is counted from zero.
    since_s
        Unix time from which to count.
    """

    def __init__(self, sli: Sli, version: str, recording: Recording, since_s: float) -> None:
        rule, self._note, self._edges = _counted_as(sli, version, recording)
        begin_s = min(series.samples[0][0] for series in recording)
        self._ledger = Ledger(Checkpoint(since_s, 0, 0))
        self._series: list[tuple[Series, Weights, bool]] = []
        self._read: dict[int, int] = {}
        self.newest_s: float | None = None
        """Unix time of the newest sample so far."""
        for series in recording:
            weights = rule.weights(series.labels)
            if weights is not None and series.labels.get(VERSION_LABEL) == version:
                self._series.append((series, weights, series.samples[0][0] > begin_s))
        if not self._series:
            raise ValueError(f"objective {sli.name}: the recording has no series of version {version} for it")

    def at(self, now_s: float) -> Reading:
        """Count up to this instant, as the operator's source would have; instants must not go back."""
        for index, (series, weights, born) in enumerate(self._series):
            begin = self._read.get(index, 0)
            end = begin
            while end < len(series.samples) and series.samples[end][0] <= now_s:
                end += 1
            if end > begin:
                self._ledger.add(index, weights, series.samples[begin:end], born_at_zero=born)
                self._read[index] = end
                self.newest_s = max(series.samples[end - 1][0], self.newest_s or 0.0)
        ledger = self._ledger
        return Reading(
            total=ledger.total,
            bad=ledger.bad,
            last_sample_s=self.newest_s,
            checkpoint=ledger.checkpoint,
            clustering=ledger.clustering,
            note=self._note,
            edges=self._edges,
        )


def _counted_as(sli: Sli, version: str, recording: Recording) -> tuple[Counting, str | None, tuple[str, ...]]:
    """Find out how an SLI is counted in a recording, which edge counts instead of its threshold, and all edges."""
    how = counting(sli)
    labels = [series.labels for series in recording if series.labels.get(VERSION_LABEL) == version]
    texts = {one[EDGE] for one in labels if one["__name__"] == how.part.metric and EDGE in one}
    if how.part.edge is None or not texts:
        return how, None, ()
    used = bracketed(how, map(edge_value, texts))
    return used, used_instead(how, used), thresholds(sli, texts) if sli.spread else ()
