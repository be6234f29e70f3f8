"""The reference profile as series: the same names and edges as the live ones, with the counts of training rows."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from seatrial_instrument.reference import OTHER, Numeric
from seatrial_instrument.series import Layout

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from seatrial_instrument.reference import Distribution, Profile


def constants(profile: Profile, model_name: str) -> list[Metric]:
    """Write a profile as series that never change.

    Parameters
    ----------
    profile
        What to write.
    model_name
        The label `model_name` of every series.
    """
    layout = Layout({"model_name": model_name})
    values: list[float] = []
    for feature in profile.features:
        about = {"feature": feature.name}
        layout.gauge("ml_model_reference_feature_observations", "Training rows", **about)
        layout.gauge("ml_model_reference_feature_missing", "Training rows without a value", **about)
        values += [profile.rows, feature.missing]
        _distribution(feature, "ml_model_reference_feature", ("value", "category"), about, layout, values)
    for output in profile.outputs:
        _distribution(
            output, "ml_model_reference_prediction", ("value", "class"), {"output": output.name}, layout, values
        )
    hashes = {"profile_sha256": profile.sha256, "schema_sha256": profile.schema_sha256}
    layout.gauge("ml_model_profile_info", "Which reference profile this server counts by", **hashes)
    values.append(1)
    return list(layout.metrics(np.array(values, np.float64)))


def _distribution(
    item: Distribution,
    prefix: str,
    suffixes: tuple[str, str],
    about: dict[str, str],
    layout: Layout,
    values: list[float],
) -> None:
    if isinstance(item, Numeric):
        layout.histogram(f"{prefix}_{suffixes[0]}", "Training rows up to an edge", item.edges, with_sum=False, **about)
        values += accumulate(item.counts)
        return
    for name, rows in zip((*item.categories, OTHER), (*item.counts, item.other), strict=True):
        layout.gauge(f"{prefix}_{suffixes[1]}", "Training rows", **about, **{f"{suffixes[1]}_": name})
        values.append(rows)
