"""Exact increases of one ledger: resets, births, gaps, duplicates, late samples, and what is no counter."""

from __future__ import annotations

import pytest

from seatrial.metrics.counting import Weights
from seatrial.metrics.ledger import Ledger
from seatrial.metrics.types import Checkpoint

EVERY = Weights(1, 0)
BAD = Weights(1, 1)
GOOD = Weights(0, -1)


def at(*values: float | str | None, start: float = 101.0) -> list[tuple[float, str]]:
    """One sample per second; None is a second without a sample."""
    return [(start + i, f"{value}") for i, value in enumerate(values) if value is not None]


def counts(ledger: Ledger) -> tuple[float, int, int]:
    return ledger.checkpoint.at_s, ledger.checkpoint.total, ledger.checkpoint.bad


@pytest.mark.parametrize(
    ("before", "values", "increase"),
    [
        # The cases of Prometheus's own tests of increase(), with the true result instead of the extrapolated one.
        pytest.param(0, (0, 1, 2, 3, 2, 3, 4), 7, id="reset"),
        pytest.param(None, (1, 2, 3, 4, 5, 9, 10, 11, 12, 13), 13, id="born at one"),
        pytest.param(1, (2, 3, 4, 5, 9), 8, id="jump"),
        pytest.param(None, (7,), 7, id="a single sample of a new pod"),
        pytest.param(7, (7, 7, 7), 0, id="nothing happens"),
        pytest.param(100, (0, 0, 1), 1, id="reset to zero"),
        pytest.param(100, (3, 2, 1), 3 + 2 + 1, id="reset at every scrape"),
        pytest.param(5, (None, None, 6, None, 8), 3, id="gaps"),
        pytest.param(5, ("NaN", 6, "NaN", 7, "+Inf", 9), 4, id="values that are no counts"),
        pytest.param(5, (), 0, id="vanished"),
        pytest.param(5, ("1e+06",), 999_995, id="exponent"),
    ],
)
def test_increase_is_exact(before: int | None, values: tuple[float | str | None, ...], increase: int) -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("s", EVERY, ([(100.0, str(before))] if before is not None else []) + at(*values))
    assert ledger.total == increase


def test_the_baseline_is_the_last_sample_at_or_before_the_checkpoint() -> None:
    ledger = Ledger(Checkpoint(100.0, 50, 5))
    ledger.add("s", BAD, [(98.0, "10"), (99.0, "3"), (100.0, "4"), (101.0, "6")])
    assert (ledger.total, ledger.bad) == (52, 7)


def test_samples_may_come_again_and_in_pieces() -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    samples = at(1, 2, 3, 1, 5)
    for end in range(len(samples) + 1):
        ledger.add("s", EVERY, samples[max(0, end - 3) : end])
        ledger.add("s", EVERY, samples[:end])
    assert ledger.total == 3 + 1 + 4


def test_a_scrape_that_becomes_visible_after_a_later_one_of_another_pod_counts() -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("fast pod", EVERY, [(101.0, "1"), (110.0, "2")])
    ledger.settle(105.0)
    ledger.add("slow pod", EVERY, [(106.0, "5")])
    ledger.settle(110.0)
    assert ledger.total == 7
    assert counts(ledger) == (110.0, 7, 0)


def test_checkpoints_hold_what_was_scraped_up_to_them_and_counting_goes_on_from_there() -> None:
    samples = at(1, 2, 0, 4, 4, 9)
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("s", BAD, samples)
    ledger.settle(103.0)
    assert counts(ledger) == (103.0, 2, 2)
    resumed = Ledger(ledger.checkpoint)
    resumed.add("s", BAD, samples)
    assert (resumed.total, resumed.bad) == (ledger.total, ledger.bad) == (11, 11)


def test_a_checkpoint_never_goes_back() -> None:
    ledger = Ledger(Checkpoint(100.0, 1, 0))
    ledger.settle(99.0)
    assert counts(ledger) == (100.0, 1, 0)


def test_good_requests_counted_before_they_are_counted_at_all_stay_inside_the_total() -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    total = Weights(1, 1)
    ledger.add("total", total, [(101.0, "5"), (102.0, "5"), (103.0, "7")])
    ledger.add("good", GOOD, [(101.0, "5"), (102.0, "6"), (103.0, "6")])
    assert (ledger.total, ledger.bad) == (7, 1)
    ledger.settle(102.0)
    # At 102 six of five requests were good: that cut can't be gone on from.
    assert counts(ledger) == (101.0, 5, 0)
    ledger.settle(103.0)
    assert counts(ledger) == (103.0, 7, 1)


def test_an_excess_of_good_requests_is_clamped_and_told() -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("good", GOOD, at(9))
    assert (ledger.total, ledger.bad, ledger.excess) == (0, 0, 9)
    ledger.settle(200.0)
    assert ledger.checkpoint == Checkpoint(100.0, 0, 0)


@pytest.mark.parametrize("value", ["1.5", "-1"])
def test_what_is_no_counter_of_requests_is_told_until_it_is_one(value: str) -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    told = []
    for series, samples in (
        ("s", at(1, 2)),
        ("s", at(value, start=103.0)),
        ("other", at(1, start=104.0)),
        ("s", at(3, start=104.0)),
    ):
        ledger.add(series, EVERY, samples)
        told.append((ledger.total, ledger.fault))
    fault = f"a counter of requests can't have the value {float(value):g}; its values must be whole and not negative"
    assert told == [(2, None), (2, fault), (3, fault), (4, None)]


def test_without_memory_of_the_time_before_the_first_sample_is_the_baseline() -> None:
    ledger = Ledger(Checkpoint(100.0, 10, 1))
    ledger.add("s", BAD, at(5000, 5001), born_at_zero=False)
    assert (ledger.total, ledger.bad) == (11, 2)


def test_a_series_that_was_reborn_counts_in_full_whatever_its_value_says() -> None:
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("s", BAD, at(3, None, 3, 4), reborn=lambda seen_s, again_s: seen_s < 102.0 < again_s)
    assert ledger.total == 3 + 3 + 1


def test_bursts_are_told_from_errors_that_come_alone_and_settling_changes_nothing() -> None:
    good, bad = [(101.0 + i, f"{10 * (i + 1)}") for i in range(9)], at(0, 0, 5, 5, 5, 10, 10, 10, 10)
    ledger = Ledger(Checkpoint(100.0, 0, 0))
    ledger.add("good", EVERY, good)
    ledger.add("bad", BAD, bad)
    whole = ledger.clustering
    assert whole.bad_intervals == 2
    assert whole.dispersion == pytest.approx(4.2, abs=0.1)
    for settled_s in (101.0, 103.0, 106.0, 109.0):
        ledger.settle(settled_s)
        assert ledger.clustering == whole
        resumed = Ledger(ledger.checkpoint)
        resumed.add("good", EVERY, good)
        resumed.add("bad", BAD, bad)
        assert resumed.clustering == whole
