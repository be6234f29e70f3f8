from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from seatrial_instrument.joiner import Joiner, Label
from seatrial_instrument.scores import Truth
from tests.unit.instrument.joining import NUMBERS, Page, join, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def joiner(tmp_path: Path) -> Iterator[Joiner]:
    made = join(tmp_path / "j.db")
    yield made
    made.close()


def test_a_prediction_is_scored_once_when_it_is_mature(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "cat"), said("b", "dog"), said("c", "cat"), said("late", "cat", 50.0)])
    assert page("matured_predictions_total") == 0  # born at zero, before anything is known
    assert page("labeled_predictions_total", predicted="cat", actual="dog", result="wrong") == 0
    joiner.label([Label("a", "cat", 10.0), Label("b", "cat", 20.0)])
    joiner.tick(99.9)
    assert page("matured_predictions_total") == 0
    for _ in range(3):
        joiner.tick(100.0)
    assert page("matured_predictions_total") == 3
    assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 1
    assert page("labeled_predictions_total", predicted="dog", actual="cat", result="wrong") == 1
    assert page("label_delay_seconds_count") == 2
    assert page("label_delay_seconds_bucket", le="10.0") == 1
    assert page("label_delay_seconds_sum") == 30


def test_labels_may_come_before_their_prediction_and_be_corrected_until_it_is_scored(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.label([Label("a", "dog", 5.0)])
    joiner.tell([said("a", "cat")])
    joiner.label([Label("a", "cat", 8.0)])
    joiner.tick(100.0)
    joiner.label([Label("a", "dog", 120.0)])
    joiner.tick(200.0)
    assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 1
    assert page("labeled_predictions_total", predicted="cat", actual="dog", result="wrong") == 0
    assert page("late_labels_total") == 0


def test_labels_after_maturity_are_late_and_tell_their_delay_once(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "cat")])
    joiner.tick(100.0)
    joiner.label([Label("a", "cat", 250.0)])
    joiner.label([Label("a", "cat", 251.0)])
    joiner.tick(300.0)
    assert page("late_labels_total") == 1
    assert page("label_delay_seconds_sum") == 250
    assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 0


def test_predictions_told_twice_count_once(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "cat"), said("a", "cat")])
    joiner.tick(100.0)
    joiner.tell([said("a", "cat")])
    joiner.tick(200.0)
    assert page("matured_predictions_total") == 1


def test_rows_of_a_request_are_apart_and_versions_too(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "cat", row=0), said("a", "dog", row=1), said("b", "dog", version="v2")])
    joiner.label([Label("a", "dog", 1.0, row=1), Label("b", "dog", 1.0)])
    joiner.tick(100.0)
    assert (page("matured_predictions_total"), page("matured_predictions_total", "v2")) == (2, 1)
    assert page("labeled_predictions_total", predicted="dog", actual="dog", result="right") == 1
    assert page("labeled_predictions_total", "v2", predicted="dog", actual="dog", result="right") == 1


def test_unknown_classes_share_a_name_but_not_the_result(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "fox"), said("b", "fox")])
    joiner.label([Label("a", "fox", 1.0), Label("b", "owl", 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="__other__", actual="__other__", result="right") == 1
    assert page("labeled_predictions_total", predicted="__other__", actual="__other__", result="wrong") == 1


def test_numbers_are_right_within_the_tolerance() -> None:
    joiner = join(":memory:", NUMBERS)
    page = Page(joiner)
    for name, predicted, actual in (("a", 10.0, 10.5), ("b", 10, 10.6), ("c", 1.0, 9.0), ("d", 1.0, "what")):
        joiner.tell([said(name, predicted)])
        joiner.label([Label(name, actual, 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="", actual="", result="right") == 1
    assert page("labeled_predictions_total", predicted="", actual="", result="wrong") == 3
    assert [page("label_absolute_error_bucket", le=le) for le in ("0.5", "1.0", "5.0", "+Inf")] == [1, 2, 2, 4]
    assert page("label_absolute_error_sum") == pytest.approx(9.1)


def test_confidence_gives_calibration(joiner: Joiner) -> None:
    page = Page(joiner)
    for name, predicted, confidence in (
        ("a", "cat", 0.9),
        ("b", "cat", 0.85),
        ("c", "dog", 0.3),
        ("d", "dog", None),
        ("e", "cat", 0.0),
    ):
        joiner.tell([said(name, predicted, confidence=confidence)])
        joiner.label([Label(name, "cat", 1.0)])
    joiner.tick(100.0)
    assert page("calibration_predictions_total", bin="0.9", result="right") == 2
    assert page("calibration_predictions_total", bin="0.3", result="wrong") == 1
    assert page("calibration_predictions_total", bin="0.1", result="right") == 1
    assert page("calibration_confidence_total", bin="0.9") == pytest.approx(1.75)
    assert page("calibration_squared_error_total") == pytest.approx(0.1**2 + 0.15**2 + 0.3**2 + 1)


def test_slices_are_those_declared(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell(
        [said("a", "cat", slices={"region": "eu", "age": "41"}), said("b", "cat", slices={"region": "Ms Miller"})]
    )
    joiner.label([Label("a", "cat", 1.0), Label("b", "dog", 1.0)])
    joiner.tick(100.0)
    name = "slice_labeled_predictions_total"
    assert page(name, slice_name="region", slice="eu", predicted="cat", actual="cat", result="right") == 1
    assert page(name, slice_name="region", slice="__other__", predicted="cat", actual="dog", result="wrong") == 1
    assert "Miller" not in generate_latest(page.registry).decode()


@pytest.mark.parametrize(
    ("mirrored", "answered", "result"),
    [
        (1.0, 1, "equal"),
        (1.0, 1.4, "within_tolerance"),
        (1.0, 1.6, "different"),
        (None, 1.0, "error"),
        (1.0, None, "error"),
        (None, None, "error"),
    ],
)
@pytest.mark.parametrize("mirror_first", [True, False])
def test_mirrored_answers_are_compared_with_what_clients_got(
    mirrored: Any, answered: Any, result: str, mirror_first: bool
) -> None:
    joiner = join(":memory:", NUMBERS)
    page = Page(joiner)
    told = [said("a", mirrored, version="v2", shadow=True), said("a", answered)]
    for prediction in told if mirror_first else told[::-1]:
        joiner.tell([prediction])
        joiner.tick(1.0)
    joiner.tick(500.0)
    found = {
        name: page("shadow_comparisons_total", "v2", result=name)
        for name in ("equal", "within_tolerance", "different", "error", "unpaired")
    }
    assert found == {name: float(name == result) for name in found}
    assert page("shadow_comparisons_total", result=result) == 0  # it is the mirror's
    assert page("matured_predictions_total", "v2") == 0  # nobody acted on a mirrored answer


def test_a_mirrored_answer_waits_for_its_pair_so_long_and_no_longer(joiner: Joiner) -> None:
    page = Page(joiner)
    joiner.tell([said("a", "cat", shadow=True)])
    joiner.tick(29.0)
    assert page("shadow_comparisons_total", result="unpaired") == 0
    joiner.tick(30.0)
    joiner.tell([said("a", "cat")])
    joiner.tick(31.0)
    assert page("shadow_comparisons_total", result="unpaired") == 1
    assert page("shadow_comparisons_total", result="equal") == 0


def test_a_joiner_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    first = join(tmp_path / "j.db")
    first.tell([said("a", "cat"), said("b", "dog", 60.0)])
    first.label([Label("a", "cat", 1.0)])
    first.tick(100.0)
    second = join(tmp_path / "j.db")  # the first was never closed
    page = Page(second)
    assert page("matured_predictions_total") == 1
    second.label([Label("b", "dog", 61.0)])
    second.tick(160.0)
    assert page("matured_predictions_total") == 2
    assert page("labeled_predictions_total", predicted="dog", actual="dog", result="right") == 1
    third = join(tmp_path / "j.db", NUMBERS)  # declared anew: counted anew
    assert Page(third)("matured_predictions_total") == 0


def test_what_is_old_is_forgotten_and_with_it_the_version(tmp_path: Path) -> None:
    joiner = join(tmp_path / "j.db")
    page = Page(joiner)
    joiner.tell([said("a", "cat"), said("b", "cat", 900.0, "v2")])
    joiner.label([Label("a", "cat", 1.0)])
    joiner.tick(100.0)
    assert page("matured_predictions_total") == 1
    joiner.tick(1000.0)
    assert page("matured_predictions_total") is None
    assert page("matured_predictions_total", "v2") == 1
    assert Page(join(tmp_path / "j.db"))("matured_predictions_total") is None


def test_nothing_of_a_request_but_a_hash_is_stored(tmp_path: Path) -> None:
    joiner = join(tmp_path / "j.db")
    joiner.tell([said("miller-4711", "cat")])
    joiner.label([Label("miller-4711", "cat", 1.0)])
    joiner.tick(100.0)
    joiner.close()
    assert b"miller" not in (tmp_path / "j.db").read_bytes()


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 300), st.sampled_from(["cat", "dog", "fox"])),
        max_size=30,
    )
)
def test_whatever_the_order_each_prediction_is_scored_at_most_once(events: list[tuple[str, bool, int, str]]) -> None:
    joiner = join(":memory:")
    told: set[str] = set()
    for at_s, (name, is_label, after_s, value) in enumerate(events):
        if is_label:
            joiner.label([Label(name, value, float(at_s))])
        else:
            joiner.tell([said(name, value, float(at_s))])
            told.add(name)
        joiner.tick(float(at_s + after_s))
    joiner.tick(500.0)
    samples = [sample for metric in joiner.collect() for sample in metric.samples]
    assert sum(s.value for s in samples if s.name == "ml_model_matured_predictions_total") == len(told)
    assert sum(s.value for s in samples if s.name == "ml_model_labeled_predictions_total") <= len(told)
    joiner.close()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"classes": tuple("abcdefghijk")}, "11 classes are declared, at most 10"),
        ({"classes": ("a",), "tolerance": 1.0}, "classes have no distance"),
        ({"slices": {"x": tuple(map(str, range(51)))}}, "51 slices"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"classes": ("a", "a")}, "classes: a, a would count as one; declare every name once"),
        ({"classes": ("True", "0", "1")}, "classes: True, 1 would count as one"),
        ({"classes": ("__other__",)}, "classes: __other__ is the name of all that is not declared"),
        ({"classes": "cat"}, "classes: give a list of names"),
        ({"classes": (1, 2)}, "classes: give a list of names"),
        ({"slices": {"region": ("eu", "eu")}}, "slice region: eu, eu would count as one"),
        ({"error_edges": (1.0, 1.0)}, "error edges: edges must be finite and rise, got 1.0, 1.0"),
        ({"error_edges": (1.0, float("inf"))}, "error edges: edges must be finite"),
        (
            {"classes": tuple("abcdefghij"), "slices": {"x": tuple(map(str, range(50)))}},
            "50 slices with 10 classes make 6222 series of each version, at most 2000",
        ),
    ],
)
def test_impossible_truths_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Truth(**options)


def test_versions_are_capped() -> None:
    joiner = join(":memory:")
    joiner.tell([said("a", "cat", version=f"v{number}") for number in range(100)])
    with pytest.raises(ValueError, match="100 versions are known already"):
        joiner.tell([said("b", "cat", version="v100")])
    joiner.tell([said("b", "cat", version="v99")])
    joiner.tick(100.0)
    page = Page(joiner)
    assert page("matured_predictions_total", "v99") == 1
    assert page("matured_predictions_total", "v100") is None


def test_predictions_must_not_be_forgotten_before_they_mature() -> None:
    with pytest.raises(ValueError, match="mature after 100 s but are kept for 50 s only"):
        join(":memory:", keep_s=50.0)
