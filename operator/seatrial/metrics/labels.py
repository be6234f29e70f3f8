"""Counts of labels for all versions together, in one query.

The joiner keeps its counts over restarts, so that what its series say now is what it has counted since a version's
first prediction: nothing has to be added up over time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from seatrial.judge.labels import Bin
from seatrial.metrics.book import Owner, owner_of
from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.label_types import LabelCounts, LabelReadings, SliceCounts
from seatrial.metrics.queries import OWNER, any_of
from seatrial.metrics.selector import EDGE, edge_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from seatrial.metrics.drift import Client

_IDENTITY: Final = f"{OWNER}, model_name, predicted, actual, result, bin, le, slice_name, slice"
"""All by which the joiner itself tells series apart: what differs besides is only who scraped it, and how often."""
_FAMILIES: Final = (
    ("matured", "ml_model_matured_predictions_total", ""),
    ("labelled", "ml_model_labeled_predictions_total", ""),
    ("delay", "ml_model_label_delay_seconds_bucket", ", le"),
    ("bin", "ml_model_calibration_predictions_total", ", bin, result"),
    ("confidence", "ml_model_calibration_confidence_total", ", bin"),
    ("squared", "ml_model_calibration_squared_error_total", ""),
    ("slice", "ml_model_slice_labeled_predictions_total", ", slice_name, slice, actual, result"),
    ("predicted", "ml_model_slice_labeled_predictions_total", ", slice_name, slice, predicted"),
)
"""Name, metric, and the labels by which its series are told apart.

Slices are asked for by actual class and by predicted class: by both at once there would be ten times the series.
"""
_MATURITY: Final = (
    "max by ({owner}) (0 * ml_model_matured_predictions_total{ours} + on (namespace, model_name) group_left () "
    "max by (namespace, model_name) (ml_model_label_maturity_seconds))"
)
"""The joiner tells its maturity once for all versions of a model: it is asked for by the series that name both."""
_FAMILY: Final = "seatrial_family"


class PrometheusLabels:
    """Counts of labels, read from Prometheus.

    Parameters
    ----------
    client
        Whom to ask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read_labels(self, versions: Collection[str], now_s: float) -> LabelReadings:
        """Count for all versions, by hash, up to ``now_s``, Unix time in seconds."""
        try:
            answer = await self._client.query(counted(sorted(versions)), now_s) if versions else []
        except (Unavailable, BadQuery) as error:
            return LabelReadings(now_s, str(error))
        rows: dict[Owner, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
        for series in answer:
            count = float(series["value"][1])
            # What one joiner tells wrongly must not keep all other models from being judged.
            if math.isfinite(count) and _told_whole(series["metric"]):
                rows[owner_of(series["metric"])].append((series["metric"], count))
        return LabelReadings(now_s, None, {owner: _counts(found) for owner, found in rows.items()})


def counted(versions: Iterable[str]) -> str:
    """Ask for all that the joiner has counted of some versions."""
    ours = f'{{rollout_version=~"{any_of(versions)}"}}'
    once = f"max by ({_IDENTITY})"
    asked = {name: f"sum by ({OWNER}{labels}) ({once} ({metric}{ours}))" for name, metric, labels in _FAMILIES}
    asked["maturity"] = _MATURITY.format(owner=OWNER, ours=ours)
    return " or ".join(f'label_replace({what}, "{_FAMILY}", "{name}", "", "")' for name, what in asked.items())


def _told_whole(labels: Mapping[str, str]) -> bool:
    """Tell whether a series has the labels of its family, and numbers where they are due.

    Labels of classes are empty where labels are numbers, and Prometheus leaves out what is empty.
    """
    wanted = next((names for name, _, names in _FAMILIES if name == labels[_FAMILY]), "")
    numbers = (labels[name] for name in (EDGE, "bin") if name in labels)
    known = (edge_value(number) for number in numbers)
    return all(name in labels for name in wanted.split(", ") if name not in {"", "actual", "predicted"}) and all(
        number is not None and not math.isnan(number) for number in known
    )


def _counts(rows: Iterable[tuple[Mapping[str, str], float]]) -> LabelCounts:
    sums: dict[str, float] = defaultdict(float)
    delays: dict[float, float] = defaultdict(float)
    bins: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    slices: dict[str, dict[str, dict[str, dict[str, int]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(dict))
    )
    for labels, count in rows:
        match labels[_FAMILY]:
            case "delay":
                delays[edge_value(labels[EDGE]) or 0.0] += count
            case "bin":
                bins[labels["bin"]][labels["result"]] += count
            case "confidence":
                bins[labels["bin"]]["confidence"] += count
            case "slice":
                slices[labels["slice_name"]][labels["slice"]][labels["result"]][labels.get("actual", "")] = round(count)
            case "predicted":
                slices[labels["slice_name"]][labels["slice"]]["predicted"][labels.get("predicted", "")] = round(count)
            case family:
                sums[family] += count
    return LabelCounts(
        matured=round(sums["matured"]),
        labelled=round(sums["labelled"]),
        delays=tuple(sorted(delays.items())) if math.inf in delays else (),
        bins=tuple(_bin(found) for _, found in sorted(bins.items(), key=lambda item: float(item[0]))),
        squared_errors=sums["squared"],
        slices={
            name: {group: SliceCounts(one["right"], one["wrong"], one["predicted"]) for group, one in found.items()}
            for name, found in slices.items()
        },
        maturity_s=sums["maturity"],
    )


def _bin(found: Mapping[str, float]) -> Bin:
    right, wrong = round(found.get("right", 0.0)), round(found.get("wrong", 0.0))
    # Series of one scrape can't be torn apart, but a sum of confidence is rounded more coarsely than a count.
    return Bin(right + wrong, right, min(found.get("confidence", 0.0), float(right + wrong)))
