"""From measurements to judged evidence: what is asked for, what is counted on, and what is never unlearnt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.api.counts import Restart, Totals
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase, dump
from seatrial.api.trial import Trial
from seatrial.judge.dispersion import Clustering
from seatrial.judge.restart import MAX_RESTARTS, RESTART_REQUESTS
from seatrial.judge.types import Verdict
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from seatrial.rollout.counts import open_step, request_for
from seatrial.rollout.evidence import Service, weigh
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.strategy import Step
    from seatrial.api.trial import ObjectiveEvidence

KEY = "scorer/availability"
FRESH_S = 6.0
BEGAN = b.NOW - 100
BEGUN = Trial(b.B, b.NOW - 200, b.PLAN, weighted_at=BEGAN)


def reading(total: int, bad: int = 0, *, age_s: float = 1.0, problem: str | None = None) -> Reading:
    settled = Checkpoint(b.NOW - 20, total * 9 // 10, bad * 9 // 10)
    return Reading(total, bad, b.NOW - age_s, settled, problem)


def measured(mine: Reading | None, theirs: Reading | None = None, unavailable: str | None = None) -> Measurements:
    pairs = {(b.B.hash, KEY): mine, (b.A.hash, KEY): theirs or reading(9000)}
    known = {pair: value for pair, value in pairs.items() if value}
    return Measurements(b.NOW, unavailable, known, {b.B.hash: b.PODS})


def look(trial: Trial, measurements: Measurements) -> ObjectiveEvidence:
    return weigh(trial, b.B.hash, b.A.hash, measurements, fresh_s=FRESH_S)[0]


def after(trial: Trial, mine: Reading, theirs: Reading | None = None) -> Trial:
    return replace(trial, evidence=(look(trial, measured(mine, theirs)),))


def test_first_request_counts_from_the_first_weight() -> None:
    asked = request_for("demo", "scorer", b.B.hash, b.A.hash, BEGUN)
    assert asked.versions == (b.B.hash, b.A.hash)
    assert set(asked.since.values()) == {Checkpoint(BEGAN, 0, 0)}
    assert (asked.slis[0].name, asked.slis[0].template, asked.slis[0].server) == (KEY, "http-availability", "mlserver")


def test_the_sentence_names_the_edge_that_counts_instead_of_the_threshold() -> None:
    note = "no bucket of seconds_bucket ends at 0.3, so 0.25 counts, the edge below it: what lies between counts as bad"
    mine, theirs = (replace(reading(total), edge=0.25, note=note) for total in (1000, 9000))
    entry = look(BEGUN, measured(mine, theirs))
    assert entry.edge == note
    assert entry.sentence.endswith(f" Here {note}.")
    away = look(replace(BEGUN, evidence=(entry,)), measured(None, unavailable=b.OUTAGE))
    assert away.edge == note
    assert look(BEGUN, measured(reading(1000))).edge == ""


def test_versions_that_are_counted_at_different_edges_are_not_compared() -> None:
    mine, theirs = replace(reading(1000), edge=0.25), replace(reading(9000), edge=0.2)
    entry = look(BEGUN, measured(mine, theirs))
    assert entry.verdict == Verdict.Unavailable
    assert "0.25 counts for the candidate and 0.2 for stable; choose an edge that both have" in entry.sentence


def test_later_request_counts_from_what_is_settled() -> None:
    trial = after(BEGUN, reading(1000, 10), reading(9000))
    asked = request_for("demo", "scorer", b.B.hash, b.A.hash, trial)
    assert asked.since[b.B.hash, KEY] == Checkpoint(b.NOW - 20, 900, 9)
    assert asked.since[b.A.hash, KEY] == Checkpoint(b.NOW - 20, 8100, 0)


def test_counts_of_both_sides_are_taken() -> None:
    entry = look(BEGUN, measured(reading(1000, 1), reading(9000, 9)))
    assert (entry.total, entry.bad, entry.stable) == (1000, 1, Totals(9000, 9))
    assert entry.verdict == "Healthy"
    assert entry.threshold == 100


@pytest.mark.parametrize(
    ("measurements", "verdict", "sentence"),
    [
        (measured(reading(0)), Verdict.NoData, "No request of this version was counted yet"),
        (measured(reading(1000, age_s=FRESH_S + 0.1)), Verdict.NoData, "No recent sample"),
        (measured(None), Verdict.NoData, "No recent sample"),
        (measured(reading(1000), unavailable=b.OUTAGE), Verdict.Unavailable, b.OUTAGE),
        (measured(reading(1000, problem="two series")), Verdict.Unavailable, "two series"),
        (measured(reading(3)), Verdict.Inconclusive, "0 of 3 requests were bad"),
        (measured(reading(100, 40)), Verdict.Burning, "40 of 100 requests were bad"),
        (measured(reading(100, 40), unavailable=b.OUTAGE), Verdict.Burning, "40 of 100 requests were bad"),
    ],
)
def test_verdicts(measurements: Measurements, verdict: Verdict, sentence: str) -> None:
    entry = look(BEGUN, measurements)
    assert entry.verdict == verdict
    assert sentence in entry.sentence


def test_step_asks_for_its_own_requests() -> None:
    first = after(BEGUN, reading(1000))
    entries = tuple(open_step(entry) for entry in first.evidence)
    second = replace(first, step_index=1, evidence=entries)
    short = look(second, measured(reading(1499)))
    assert (short.verdict, short.step_total) == ("Inconclusive", 1000)
    assert "499 of the 500 requests that this step asks for" in short.sentence
    assert look(second, measured(reading(1500))).verdict == "Healthy"


@pytest.mark.parametrize("mine", [reading(900, 5), reading(1100, 4), reading(1001, 7)], ids=["total", "bad", "both"])
def test_counts_that_do_not_follow_are_older_or_wrong_and_left_out(mine: Reading) -> None:
    """The third adds two bad requests and one request: no scrape could have shown that."""
    known = after(BEGUN, reading(1000, 5))
    entry = look(known, measured(mine))
    assert (entry.total, entry.bad) == (1000, 5)
    assert entry.candidate_settled == known.evidence[0].candidate_settled


def test_stable_counts_that_do_not_follow_are_left_out() -> None:
    known = after(BEGUN, reading(1000), reading(9000, 9))
    assert look(known, measured(reading(1100), reading(9001, 11))).stable == Totals(9000, 9)


def test_restart_points_follow_the_requests() -> None:
    trial = BEGUN
    for number in range(1, 5):
        trial = after(trial, reading(number * RESTART_REQUESTS), reading(number * 9000))
    marks = [restart.candidate.total for restart in trial.evidence[0].restarts]
    assert marks == [number * RESTART_REQUESTS for number in range(1, 5)]
    assert trial.evidence[0].restarts[0].stable == Totals(9000, 0)


def test_late_breakage_after_ten_thousand_healthy_requests() -> None:
    trial = BEGUN
    for total in range(500, 10_001, 500):
        trial = after(trial, reading(total))
    broken = look(trial, measured(reading(10_100, 70)))
    assert broken.verdict == "Burning"
    assert "of the last" in broken.sentence
    without = replace(trial, evidence=(replace(trial.evidence[0], restarts=()),))
    assert look(without, measured(reading(10_100, 70))).verdict == "Healthy"


def test_restart_points_are_bounded_and_those_given_up_are_counted() -> None:
    trial = BEGUN
    for number in range(1, MAX_RESTARTS + 6):
        trial = after(trial, reading(number * RESTART_REQUESTS))
    entry = trial.evidence[0]
    assert len(entry.restarts) == MAX_RESTARTS
    assert entry.retired == 5
    assert entry.restarts[-1].candidate.total == (MAX_RESTARTS + 5) * RESTART_REQUESTS


def test_step_opens_a_restart_point() -> None:
    entry = open_step(after(BEGUN, reading(700, 2), reading(6300, 6)).evidence[0])
    assert entry.restarts == (Restart(Totals(700, 2), Totals(6300, 6)),)
    assert entry.step_total == 700


@pytest.mark.parametrize(("step", "verdict"), [(b.STEPS[0], "Inconclusive"), (b.GATE, "Healthy")])
def test_a_step_with_traffic_of_its_own_must_have_had_some(step: Step, verdict: str) -> None:
    """A gate changes no traffic: what was seen before it still counts."""
    entries = tuple(open_step(entry) for entry in after(BEGUN, reading(1000)).evidence)
    trial = replace(BEGUN, plan=replace(b.PLAN, steps=(step,)), evidence=entries)
    assert look(trial, measured(reading(1000))).verdict == verdict
    assert look(trial, measured(reading(1001))).verdict == "Healthy"


increments = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 900)).map(lambda pair: (max(pair), min(pair))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(increments, st.sets(st.integers(0, 11)))
def test_restarted_operator_knows_the_same(steps: list[tuple[int, int]], restarts: set[int]) -> None:
    """Status is all that is remembered: writing and reading it between two looks changes no evidence."""
    kept = fresh = BEGUN
    total = bad = 0
    for index, (more, more_bad) in enumerate(steps):
        total, bad = total + more, bad + more_bad
        kept, fresh = after(kept, reading(total, bad)), after(fresh, reading(total, bad))
        if index in restarts:
            status = ModelDeploymentStatus(phase=Phase.TRIAL, stable=b.A, candidate=b.B, trial=fresh)
            read = DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, status)).trial
            assert read
            fresh = read
    assert fresh == kept


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5000), st.data())
def test_monotone_in_bad_requests(total: int, data: st.DataObject) -> None:
    """More bad requests never give a milder verdict, nor less evidence."""
    some = data.draw(st.integers(0, total))
    more = data.draw(st.integers(some, total))
    mild, harsh = (look(BEGUN, measured(reading(total, bad))) for bad in (some, more))
    if mild.verdict == "Burning":
        assert harsh.verdict == "Burning"
    if harsh.verdict == "Healthy":
        assert mild.verdict == "Healthy"


def comparing() -> Trial:
    compared = {"name": "availability", "target": "99", "sli": b.SLI, "compare": {"to": "stable", "margin": "5"}}
    plan = b.plan_of(b.SPEC, scorer={"objectives": [compared]})
    return replace(BEGUN, plan=plan)


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        (reading(2000, 40), reading(20_000, 400), Verdict.Healthy),  # over its budget, but no worse than stable
        (reading(2000, 400), reading(20_000, 20), Verdict.Burning),
        (reading(3, 0), reading(30, 0), Verdict.Inconclusive),
        (reading(0), reading(1000), Verdict.NoData),
    ],
)
def test_objective_may_ask_only_to_be_no_worse_than_stable(mine: Reading, theirs: Reading, verdict: Verdict) -> None:
    assert look(comparing(), measured(mine, theirs)).verdict == verdict


def test_comparison_waits_for_the_step_s_requests() -> None:
    trial = comparing()
    trial = replace(trial, step_index=1, evidence=(look(trial, measured(reading(1, 0), reading(9, 0))),))
    asked = trial.plan.steps[1].min_requests
    assert look(trial, measured(reading(asked - 1, 0), reading(20_000, 0))).verdict == "Inconclusive"


def test_blame_waits_for_the_next_scrape_of_stable_and_not_for_the_one_after() -> None:
    """Stable is scraped just before the candidate each time: its newest sample is always the older one."""
    condemned = after(BEGUN, reading(50, 40, age_s=2.0), reading(450, age_s=2.1))
    assert condemned.evidence[0].verdict == "Inconclusive"
    assert condemned.evidence[0].condemned_at == b.NOW - 2.0
    assert "waits for stable" in condemned.evidence[0].sentence
    entry = look(condemned, measured(reading(70, 56, age_s=0.0), reading(630, age_s=0.1)))
    assert entry.verdict == "Burning"
    assert entry.condemned_at is None


def test_outage_that_stable_shows_one_scrape_later_blames_nobody() -> None:
    condemned = after(BEGUN, reading(50, 12, age_s=2.0), reading(450, age_s=2.1))
    assert condemned.evidence[0].condemned_at
    entry = look(condemned, measured(reading(70, 17, age_s=0.0), reading(630, 150, age_s=0.1)))
    assert entry.verdict == "Environment"


def test_blame_does_not_wait_for_a_stable_that_is_not_scraped() -> None:
    condemned = after(BEGUN, reading(50, 40, age_s=25.0), reading(450, age_s=40.0))
    assert condemned.evidence[0].verdict == "Burning"


BURSTS = Clustering(squares=250.0, expected=50.0, bad_intervals=5, total=100, bad=0)


def test_bursts_of_the_candidate_or_of_stable_are_less_evidence() -> None:
    alone = look(BEGUN, measured(reading(1000, 45)))
    own = look(BEGUN, measured(replace(reading(1000, 45), clustering=BURSTS)))
    usual = weigh(
        BEGUN, b.B.hash, b.A.hash, measured(reading(1000, 45)), fresh_s=FRESH_S, service={KEY: Service(dispersion=8.0)}
    )[0]
    assert (alone.dispersion, own.dispersion, usual.dispersion) == (1, 5, 8)
    assert alone.e_value > own.e_value > usual.e_value
    assert "bursts of about 5" in own.sentence


def test_how_errors_fell_on_scrapes_is_settled_with_the_counts() -> None:
    settled = replace(reading(1000, 45).checkpoint, clustering=BURSTS)
    trial = after(BEGUN, replace(reading(1000, 45), checkpoint=settled))
    assert request_for("demo", "scorer", b.B.hash, b.A.hash, trial).since[b.B.hash, KEY] == settled


def test_too_little_traffic_is_said_with_what_it_would_take() -> None:
    few = look(BEGUN, measured(reading(100)))
    assert few.resolution == (
        "100 requests at 99 % grant 1 bad ones: too few to tell a version within the budget from one a little beyond; "
        "that takes 300."
    )
    assert look(BEGUN, measured(reading(300))).resolution == ""
