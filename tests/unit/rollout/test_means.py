"""Objectives that compare means: what is asked for, what is kept, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.fields import parse_threshold
from seatrial.api.means import MAX_EDGES
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase, dump
from seatrial.api.trial import Trial
from seatrial.judge.types import Verdict
from seatrial.metrics.counting import counting
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from seatrial.rollout.counts import request_for
from seatrial.rollout.evidence import weigh
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import Refusal, Wish
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.trial import ObjectiveEvidence

EDGES = ("50ms", "100ms", "250ms", "500ms", "1s")
BEGAN = b.NOW - 100
TO_STABLE: dict[str, Any] = {"to": "stable", "margin": "5", "mean": {}}


def begun(compare: Mapping[str, Any] = TO_STABLE, **sli: str) -> Trial:
    declared = {"template": "http-latency", "threshold": "250ms", **sli}
    slo = {"objectives": [{"name": "latency", "target": "90", "sli": declared, "compare": compare}]}
    return Trial(b.B, b.NOW - 200, b.plan_of(b.SPEC, scorer=slo), weighted_at=BEGAN)


class Fleet:
    """Both versions' histograms, read as the metrics source would."""

    def __init__(self, **edges: tuple[str, ...]) -> None:
        self.edges = {b.B.hash: edges.get("candidate", EDGES), b.A.hash: edges.get("stable", EDGES)}
        self.slow: dict[str, list[tuple[str, int]]] = {b.A.hash: [], b.B.hash: []}

    def serve(self, version: str, **counts: int) -> None:
        """Count requests by the edge that their bucket ends at: ``e100ms=7``; ``more=3`` are beyond all edges."""
        self.slow[version] += [(edge.removeprefix("e") if edge != "more" else "999s", n) for edge, n in counts.items()]

    def look(self, trial: Trial, **problems: str) -> Trial:
        at_s = b.NOW
        asked = request_for("demo", "scorer", b.B.hash, b.A.hash, trial)
        readings = {}
        for version in asked.versions:
            total = sum(n for _, n in self.slow[version])
            for sli in asked.slis:
                assert asked.since[version, sli.name].total <= total
                bad = sum(n for edge, n in self.slow[version] if parse_threshold(edge) > (sli.threshold or 0))
                readings[version, sli.name] = Reading(
                    total, bad, at_s - 1, Checkpoint(at_s - 20, total, bad), problems.get(sli.name.partition("<=")[2]),
                    edges=self.edges[version] if sli.spread and total else (),
                )  # fmt: skip
        return replace(
            trial, evidence=weigh(trial, b.B.hash, b.A.hash, Measurements(at_s, None, readings, {}), fresh_s=10.0)
        )


def entry(trial: Trial) -> ObjectiveEvidence:
    return trial.evidence[0]


def test_the_edges_are_chosen_with_the_first_events_and_then_counted_one_by_one() -> None:
    fleet, trial = Fleet(stable=("25ms", *EDGES)), begun()
    (asked,) = request_for("demo", "scorer", b.B.hash, b.A.hash, trial).slis
    assert asked.spread
    trial = fleet.look(trial)
    assert entry(trial).mean is None
    fleet.serve(b.B.hash, e100ms=6, e250ms=2, more=2)
    fleet.serve(b.A.hash, e100ms=60, e1s=3)
    trial = fleet.look(trial)
    request = request_for("demo", "scorer", b.B.hash, b.A.hash, trial)
    assert [sli.name for sli in request.slis[1:]] == [f"scorer/latency<={edge}" for edge in EDGES]
    assert not any(sli.spread for sli in request.slis[1:])
    assert {request.since[b.B.hash, sli.name] for sli in request.slis[1:]} == {Checkpoint(BEGAN, 0, 0)}
    trial = fleet.look(trial)
    counted = entry(trial).mean
    assert counted is not None
    assert (counted.candidate.total, counted.candidate.above) == (10, (10, 4, 2, 2, 2))
    assert (counted.stable.total, counted.stable.above) == (63, (63, 3, 3, 3, 0))
    later = request_for("demo", "scorer", b.B.hash, b.A.hash, trial)
    assert later.since[b.B.hash, "scorer/latency<=100ms"] == Checkpoint(b.NOW - 20, 10, 4)
    status = ModelDeploymentStatus(phase=Phase.TRIAL, stable=b.A, candidate=b.B, trial=trial)
    assert DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, status)) == status


@pytest.mark.parametrize(
    ("mine", "verdict", "says"),
    [
        ({"e100ms": 500, "e250ms": 500}, Verdict.Burning, "mean 125 ms against 80 ms of stable: worse by more"),
        ({"e100ms": 9800, "e250ms": 200}, Verdict.Healthy, "mean 77 ms against 80 ms of stable: not worse by more"),
        ({"e100ms": 45, "e250ms": 5}, Verdict.Inconclusive, "mean 85 ms against 80 ms of stable: the evidence for"),
    ],
)
def test_the_candidate_is_compared_with_stable(mine: dict[str, int], verdict: Verdict, says: str) -> None:
    fleet, trial = Fleet(), begun()
    fleet.serve(b.B.hash, **mine)
    fleet.serve(b.A.hash, e100ms=9500, e250ms=500)
    trial = fleet.look(fleet.look(trial))
    assert entry(trial).sentence.startswith(says)
    assert entry(trial).verdict == verdict


def test_the_candidate_is_compared_with_a_mean_measured_offline() -> None:
    fleet, trial = Fleet(stable=()), begun({"to": "offline", "margin": "5", "mean": {"value": "90ms"}})
    fleet.serve(b.B.hash, e100ms=500, e250ms=500)
    trial = fleet.look(fleet.look(trial))
    assert entry(trial).sentence.startswith("mean 125 ms against 90 ms offline: worse by more than 5 %")
    assert entry(trial).verdict == Verdict.Burning


def test_values_above_the_ceiling_count_as_the_ceiling() -> None:
    fleet, trial = Fleet(), begun({**TO_STABLE, "mean": {"ceiling": "250ms"}})
    fleet.serve(b.B.hash, e100ms=90, more=10)
    fleet.serve(b.A.hash, e100ms=100)
    trial = fleet.look(fleet.look(trial))
    assert entry(trial).sentence.startswith("mean 92.5 ms against 75 ms of stable")


@pytest.mark.parametrize(
    ("edges", "mean", "offline", "says"),
    [
        ({"stable": ("60ms", "2s")}, {}, False, "the histograms of both versions share no edge"),
        (
            {},
            {"ceiling": "300ms"},
            False,
            "300ms is no edge that both histograms share; these are: 50ms, 100ms",
        ),
        ({}, {"value": "96ms", "ceiling": "100ms"}, True, "no mean could be more than 5 % above 96ms: raise"),
    ],
)
def test_histograms_that_cannot_be_compared(
    edges: dict[str, tuple[str, ...]], mean: dict[str, str], offline: bool, says: str
) -> None:
    fleet, trial = Fleet(**edges), begun({"to": "offline" if offline else "stable", "margin": "5", "mean": mean})
    fleet.serve(b.B.hash, e100ms=90)
    fleet.serve(b.A.hash, e100ms=100)
    trial = fleet.look(fleet.look(trial))
    assert entry(trial).verdict == Verdict.Unavailable
    assert says in entry(trial).sentence


def test_a_bucket_that_cannot_be_read_is_told_and_changes_no_count() -> None:
    fleet, trial = Fleet(), begun()
    fleet.serve(b.B.hash, e100ms=90)
    fleet.serve(b.A.hash, e100ms=100)
    trial = fleet.look(fleet.look(trial))
    before = entry(trial).mean
    fleet.serve(b.B.hash, more=5)
    trial = fleet.look(trial, **{"250ms": "a counter went mad"})
    assert entry(trial).verdict == Verdict.Unavailable
    assert "a counter went mad" in entry(trial).sentence
    assert entry(trial).mean == before
    assert entry(fleet.look(trial)).mean != before


def test_many_edges_are_thinned_out_below_the_last_one() -> None:
    many = tuple(f"{10 * k}ms" for k in range(1, 41))
    fleet, trial = Fleet(candidate=many, stable=many), begun()
    fleet.serve(b.B.hash, e100ms=9)
    fleet.serve(b.A.hash, e100ms=9)
    counted = entry(fleet.look(fleet.look(trial))).mean
    assert counted is not None
    assert len(counted.edges) <= MAX_EDGES
    assert counted.edges[-2:] == ("360ms", "400ms")


def test_a_server_without_a_histogram_is_refused_with_what_to_use_instead() -> None:
    sli = {"template": "http-latency", "server": "triton", "threshold": "250ms"}
    slo = {"objectives": [{"name": "latency", "target": "90", "sli": sli, "compare": TO_STABLE}]}
    refused = wish_of(b.SPEC, {"scorer": slo}, counting)
    assert isinstance(refused, Refusal)
    assert "Triton only has the sum of all times, which gives a mean and no share of fast requests" in refused.sentence
    assert "measure at the gateway" in refused.sentence
    slo["objectives"][0]["sli"] = {"template": "http-latency", "threshold": "250ms"}
    assert isinstance(wish_of(b.SPEC, {"scorer": slo}, counting), Wish)
