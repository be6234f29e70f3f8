"""Batches wait and are counted together: nothing is lost, counted twice, or changed on the way."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from seatrial_instrument import Categorical, ErrorType, Instrument, Kind, Numeric, Options, Profile

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = Profile(
    1,
    ("x", "c"),
    (Numeric("x", (0.5,), (0, 0), 0, 9), Categorical("c", ("1", "2"), (0, 0))),
    (Numeric("score", (0.5,), (0, 0), 0, 1),),
)
CLASSES = Profile(1, ("x",), (), (Categorical("y", ("a", "b"), (0, 0)),))
CONFIDENCE = st.sampled_from(
    [None, 0.5, [0.25], [[0.3, 0.7]], np.array([0.95]), np.array([[0.2, 0.1, 0.7]]), np.array([[0.5]]), np.array(0.5)]
)
FLAGS = st.sampled_from([None, True, False, [True], [[False, True]], np.array([False]), np.array([[False, True]])])
CALLS = st.fixed_dictionaries(
    {
        "features": st.sampled_from(
            [
                None,
                np.array([[1.0, 2.0]]),
                np.array([[7, 1]]),
                np.array([[None, "2"]], object),
                {"x": [0.1]},
                [{"c": 1}],
            ]
        ),
        "predictions": st.sampled_from(
            [None, [0.5], np.array([2.0]), np.array([[0.1]]), [None], np.array([1], np.int32)]
        ),
    },
    optional={
        "confidence": CONFIDENCE,
        "defaulted": FLAGS,
        "failed": FLAGS,
        "slices": st.sampled_from([None, {}, {"r": "eu"}, {"r": ["us"]}, {"r": np.array(["xx"]), "t": 1}]),
    },
)
REQUESTS = st.tuples(st.sampled_from([0.01, 0.3, 20.0]), st.sampled_from(ErrorType), st.sampled_from(Kind))


def made(profile: Profile = PROFILE, **options: Any) -> tuple[Instrument, CollectorRegistry]:
    registry = CollectorRegistry()
    slices = {"r": ["eu", "us"], "t": ["1"]}
    return Instrument(profile, "m", Options(slices=slices, **options), registry=registry), registry


def page(registry: CollectorRegistry) -> dict[Any, float]:
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {(s.name, tuple(sorted(s.labels.items()))): round(s.value, 9) for s in samples}


def read(registry: CollectorRegistry, sample: str, **labels: str) -> float | None:
    return registry.get_sample_value("ml_model_" + sample, {"model_name": "m", **labels})


@given(st.lists(CALLS | REQUESTS, max_size=12))
def test_together_counts_as_one_by_one(events: list[Any]) -> None:
    waiting, counted = made(), made(strict=True)
    for event in events:
        for instrument, _ in (waiting, counted):
            if isinstance(event, dict):
                instrument.observe(**event)
            else:
                instrument.request(*event)
    assert page(waiting[1]) == page(counted[1])


def test_what_a_server_changes_afterwards_is_not_counted() -> None:
    instrument, registry = made()
    matrix, answers, flags = np.array([[1.0, 2.0]]), np.array([0.9]), np.array([False])
    column, record, stated = [1.0], {"x": 1.0}, [0.9]
    instrument.observe(matrix, answers, defaulted=flags, confidence=stated)
    instrument.observe({"x": column}, [0.9])
    instrument.observe([record], {"score": answers})
    matrix[:], answers[:], flags[:], column[0], record["x"], stated[0] = np.nan, np.nan, True, np.nan, np.nan, 0.0
    assert read(registry, "feature_missing_total", feature="x", reason="nan") == 0
    assert read(registry, "feature_value_count", feature="x") == 3
    assert read(registry, "predictions_total", outcome="ok", reason="") == 3
    assert read(registry, "prediction_confidence_ratio_bucket", le="0.8") == 0


def test_a_batch_that_cannot_be_counted_spoils_no_other() -> None:
    instrument, registry = made()
    instrument.observe(np.array([[1.0, 1.0]]), [0.5])
    instrument.observe(np.array([[1.0]]), [0.5])  # not the model's columns
    instrument.observe({"x": [1.0, 2.0], "c": [1]}, [0.5])  # columns of different length
    instrument.observe(np.array([[1.0, 1.0]]), [0.5, 0.5], confidence=[0.1])
    instrument.observe(predictions=[0.5], slices={"unknown": "eu"})
    instrument.observe(np.array([[1.0, 1.0]]), [0.5], slices={"r": ["eu", "us"]})
    instrument.observe(np.array([[1.0, 1.0]]), [0.5])
    assert read(registry, "feature_value_count", feature="x") == 4
    assert read(registry, "predictions_total", outcome="ok", reason="") == 4
    assert read(registry, "instrument_errors_total") == 5


@pytest.mark.parametrize("form", [list, np.array])
def test_of_certainty_by_class_the_greatest_counts_and_of_flags_by_feature_any(form: Any) -> None:
    instrument, registry = made()
    instrument.observe(
        predictions=np.array([0.1, 0.2]),
        confidence=form([[0.25, 0.75], [0.95, 0.05]]),
        defaulted=form([[False, False], [False, True]]),
    )
    assert read(registry, "prediction_confidence_ratio_bucket", le="0.7") == 0
    assert read(registry, "prediction_confidence_ratio_bucket", le="0.8") == 1
    assert read(registry, "predictions_total", outcome="default", reason="imputed") == 1
    assert read(registry, "predictions_total", outcome="ok", reason="") == 1


@pytest.mark.parametrize("confidence", [np.zeros((3, 2)), np.zeros((2, 0)), np.zeros((2, 2, 2))])
def test_certainty_of_other_rows_is_refused(confidence: Any) -> None:
    instrument, registry = made()
    instrument.observe(predictions=np.array([0.1, 0.2]), confidence=confidence)
    assert read(registry, "instrument_errors_total") == 1


def test_threads_lose_nothing() -> None:
    instrument, registry = made()
    batch = np.array([[1.0, 1.0], [0.1, 2.0]])

    def serve() -> None:
        for _ in range(500):
            instrument.observe(batch, [0.1, 0.9])
            instrument.request(0.1)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = [read(registry, "requests_total", error_type="") or 0.0 for _ in range(20)]
    for thread in threads:
        thread.join()
    assert seen == sorted(seen)
    assert read(registry, "feature_value_count", feature="x") == 4000
    assert read(registry, "prediction_value_bucket", output="score", le="0.5") == 2000
    assert read(registry, "requests_total", error_type="") == 2000


def test_other_processes_see_what_waits_in_one_soon(tmp_path: Path) -> None:
    instrument, registry = made(folder=tmp_path)
    instrument.request(0.1)  # waits here; a child must not count it, too
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        instrument.observe(np.array([[1.0, 1.0]]), [0.5])
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    deadline_s = time.monotonic() + 10
    while read(registry, "feature_value_count", feature="x") != 1:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert read(registry, "requests_total", error_type="") == 1
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    assert read(registry, "requests_total", error_type="") == 1


def test_a_process_that_ends_counts_what_waits(tmp_path: Path) -> None:
    _, registry = made(folder=tmp_path)
    child = os.fork()
    if child == 0:
        import atexit  # noqa: PLC0415 # the child ends as an interpreter does, but without pytest's own end

        instrument, _ = made(folder=tmp_path)
        instrument.request(0.1)
        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
    assert read(registry, "requests_total", error_type="") == 1


def test_an_instrument_that_is_gone_leaves_no_thread(tmp_path: Path) -> None:
    def use() -> None:
        instrument = Instrument(PROFILE, "m", Options(folder=tmp_path), registry=None)
        instrument.request(0.1)

    before = threading.active_count()
    use()
    deadline_s = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.parametrize("answers", [["a", "b", "z"], np.array(["a", "b", "z"]), ("a", "b", "z")])
def test_classes_are_counted_together_whatever_holds_them(answers: Any) -> None:
    instrument, registry = made(CLASSES)
    for _ in range(3):
        instrument.observe(predictions=answers)
    assert read(registry, "prediction_class_total", output="y", **{"class": "a"}) == 3
    assert read(registry, "predictions_total", outcome="invalid", reason="unknown_class") == 3
