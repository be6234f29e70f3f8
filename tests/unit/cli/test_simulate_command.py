"""``seatrial simulate`` and the rules it compares."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

from seatrial.cli.main import main
from seatrial.cli.rules import NEVER, Argo, Flagger, Seatrial
from seatrial.cli.simulation import wilson_interval
from seatrial.cli.traffic import Counted, Traffic, draw
from seatrial.judge.dispersion import NO_EVENTS, own_dispersion
from seatrial.judge.judge import judge
from seatrial.judge.restart import next_restart, retire
from seatrial.judge.types import Counts, Evidence, Objective, Verdict

if TYPE_CHECKING:
    from pathlib import Path

OBJECTIVE = Objective("availability", "shop", Decimal("99.9"))
SHORT = ["simulate", "--target", "99.9", "--runs", "50", "--duration", "5m"]


def counted(bad: list[int], total: int = 100) -> Counted:
    return Counted(np.full((1, len(bad)), total), np.array([bad]), look_s=60.0)


def nothing() -> None:
    pass


def test_seatrial_rule_is_the_operators_judge() -> None:
    """The vectorised rule must decide at the very look at which the operator's own evidence does."""
    rng = np.random.default_rng(2)
    trace = draw(Traffic(400, 0.004, healthy_s=900, healthy_ratio=0.001), runs=12, duration_s=1800, look_s=15, rng=rng)
    found = Seatrial(OBJECTIVE, objectives=2).rollback_looks(trace, nothing)
    other = Objective("other", "shop", Decimal(99))
    for run in range(trace.runs):
        since: tuple[Counts, ...] = ()
        retired, total, bad, fired, clustering = 0, 0, 0, NEVER, NO_EVENTS
        for look in range(trace.looks):
            more, more_bad = int(trace.total[run, look]), int(trace.bad[run, look])
            total, bad, clustering = total + more, bad + more_bad, clustering.then(more, more_bad)
            mine = Evidence(Counts(total, bad), since=since, retired=retired, dispersion=own_dispersion(clustering))
            evidence = [mine, Evidence(Counts(total, 0))]
            if judge([OBJECTIVE, other], evidence)[0].verdict is Verdict.Burning:
                fired = look
                break
            if next_restart(total - (since[-1].total if since else 0)):
                since, _, surplus = retire((*since, Counts(total, bad)), ())
                retired += surplus
        assert fired == found[run]
    assert (found != NEVER).any()
    assert trace.total.sum(axis=1).max() > 27 * 1500  # some runs had to retire restart points


def test_flagger_rolls_back_at_the_check_after_the_threshold_and_never_forgives() -> None:
    flagger = Flagger(0.99, threshold=2)
    assert flagger.rollback_looks(counted([5, 0, 5, 0, 0]), nothing) == [3]
    assert flagger.rollback_looks(counted([5, 0, 5]), nothing) == [NEVER]
    assert flagger.rollback_looks(counted([1, 1, 1, 1]), nothing) == [NEVER]


def test_flagger_counts_no_data_as_a_failed_check() -> None:
    assert Flagger(0.99, threshold=1).rollback_looks(counted([0, 0], total=0), nothing) == [1]


def test_argo_needs_more_failures_than_its_limit_and_passes_over_no_data() -> None:
    assert Argo(0.99, failure_limit=0).rollback_looks(counted([0, 2, 0]), nothing) == [1]
    assert Argo(0.99, failure_limit=3).rollback_looks(counted([2, 2, 2, 0, 2]), nothing) == [4]
    assert Argo(0.99, failure_limit=0).rollback_looks(counted([0, 0], total=0), nothing) == [NEVER]


def test_traffic_is_what_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    alone = draw(Traffic(100, 0.05), runs=50, duration_s=600, look_s=5, rng=rng)
    bursts = draw(Traffic(100, 0.05, burst=5), runs=50, duration_s=600, look_s=5, rng=rng)
    for trace in (alone, bursts):
        assert trace.total.sum() == pytest.approx(50 * 60_000, rel=0.01)
        assert trace.bad.sum() / trace.total.sum() == pytest.approx(0.05, rel=0.03)
    assert bursts.bad.var() / bursts.bad.mean() > 4
    late = draw(Traffic(100, 0.5, healthy_s=300), runs=10, duration_s=600, look_s=5, rng=rng)
    assert late.bad[:, :60].sum() == 0
    assert (late.bad[:, 60:] > 0).all()


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"), [(0, 1000, 0, 0.00383), (1000, 1000, 0.99617, 1), (5, 10, 0.2366, 0.7634)]
)
def test_wilson_interval(hits: int, runs: int, low: float, high: float) -> None:
    assert wilson_interval(hits, runs) == pytest.approx((low, high), abs=5e-5)


def test_same_seed_same_result() -> None:
    first, second, other = (
        CliRunner().invoke(main, [*SHORT, "--seed", seed, "-o", "json"]).stdout for seed in ("3", "3", "4")
    )
    assert first == second
    assert first != other
    rows = json.loads(first)
    assert [row["error_ratio"] for row in rows] == [0.0005, 0.002, 0.01, 0.05, 1.0]
    assert {outcome["rule"].split(",")[0] for outcome in rows[0]["outcomes"]} == {
        "Seatrial",
        "Flagger-like",
        "Argo-like",
    }
    assert rows[-1]["outcomes"][0]["rolled_back"] == 1


def test_table_and_picture(tmp_path: Path) -> None:
    picture = tmp_path / "rules.svg"
    result = CliRunner().invoke(main, [*SHORT, "--errors", "5", "--errors", "0.1", "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert "Flagger-like" in result.stdout
    root = ET.fromstring(picture.read_text())  # noqa: S314 - a picture that was just drawn
    assert len(root.findall("{http://www.w3.org/2000/svg}path")) == 2 * (1 + 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "100"], "no error budget"),
        (["--target", "99", "--errors", "101"], "between 0 and 100"),
        (["--target", "99", "--plot", "x.png"], "rsvg-convert"),
    ],
)
def test_impossible_simulations_are_refused(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, ["simulate", *arguments])
    assert result.exit_code == 2
    assert says in result.stderr
