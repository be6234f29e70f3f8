"""What must neither stop the joiner nor make it count wrongly."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from seatrial_instrument.joiner import Announcement, Label, Prediction
from seatrial_instrument.scores import Truth
from tests.unit.instrument.joining import CLASSES, NUMBERS, Page, join, said

if TYPE_CHECKING:
    from pathlib import Path

TRUTHS = Truth(classes=("0", "1"), slices={"new": ("True",)})
FIRST_FORMAT = """
CREATE TABLE prediction (
    key BLOB, shadow INTEGER, rollout TEXT, version TEXT, at_s REAL, predicted TEXT, confidence REAL, slices TEXT,
    done INTEGER DEFAULT 0, PRIMARY KEY (key, shadow)
) WITHOUT ROWID;
CREATE INDEX by_age ON prediction (done, shadow, at_s);
CREATE INDEX by_version ON prediction (rollout, version);
CREATE TABLE label (key BLOB PRIMARY KEY, actual TEXT, at_s REAL) WITHOUT ROWID;
CREATE INDEX label_by_age ON label (at_s);
CREATE TABLE counts (rollout TEXT, version TEXT, layout TEXT, cells BLOB, PRIMARY KEY (rollout, version));
"""


def test_a_label_that_no_float_holds_is_wrong_and_stops_nothing() -> None:
    joiner = join(":memory:", NUMBERS)
    page = Page(joiner)
    joiner.tell([said("a", 1.0), said("b", 1.0)])
    joiner.label([Label("a", 10**400, 1.0), Label("b", 1.0, 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="", actual="", result="wrong") == 1
    assert page("labeled_predictions_total", predicted="", actual="", result="right") == 1


@pytest.mark.parametrize("column", ["predicted", "slices"])
def test_a_row_that_cannot_be_scored_is_counted_and_done(column: str, tmp_path: Path) -> None:
    joiner = join(tmp_path / "j.db")
    page = Page(joiner)
    joiner.tell([said("a", "cat"), said("b", "cat", 1.0)])
    joiner.label([Label("a", "cat", 1.0), Label("b", "cat", 1.0)])
    joiner._database.execute(f"UPDATE prediction SET {column} = '{{' WHERE at_s = 0")  # noqa: S608 # of this test
    joiner._database.commit()
    assert not joiner.tick(200.0)
    joiner.tick(201.0)
    assert (
        page.registry.get_sample_value("ml_model_joiner_errors_total", {"model_name": "m", "reason": "unscored"}) == 1
    )
    assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 1


def test_a_mirrored_row_that_cannot_be_compared_is_counted_and_done() -> None:
    joiner = join(":memory:")
    page = Page(joiner)
    joiner.tell([said("a", "cat", shadow=True), said("a", "cat"), said("b", "cat", shadow=True), said("b", "cat")])
    broken = joiner._database.execute("SELECT min(key) FROM prediction").fetchone()
    joiner._database.execute("UPDATE prediction SET predicted = '{' WHERE mirror != '' AND key = ?", broken)
    joiner.tick(1.0)
    joiner.tick(2.0)
    assert (
        page.registry.get_sample_value("ml_model_joiner_errors_total", {"model_name": "m", "reason": "unscored"}) == 1
    )
    assert page("shadow_comparisons_total", result="equal") == 1


def test_booleans_are_0_and_1_for_classes_labels_slices_and_mirrors() -> None:
    joiner = join(":memory:", TRUTHS)
    page = Page(joiner)
    yes, no = True, False
    joiner.tell([said("a", yes, slices={"new": "1"}), said("b", "False"), said("c", 1, version="v2", shadow=True)])
    joiner.tell([said("c", yes)])
    joiner.label([Label("a", 1, 1.0), Label("b", no, 1.0), Label("c", "True", 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="1", actual="1", result="right") == 2
    assert page("labeled_predictions_total", predicted="0", actual="0", result="right") == 1
    name = "slice_labeled_predictions_total"
    assert page(name, slice_name="new", slice="True", predicted="1", actual="1", result="right") == 1
    assert page("shadow_comparisons_total", "v2", result="equal") == 1


def test_classes_that_are_declared_as_booleans_keep_their_names() -> None:
    joiner = join(":memory:", Truth(classes=("True", "False")))
    page = Page(joiner)
    joiner.tell([said("a", predicted=True)])
    joiner.label([Label("a", 0, 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="True", actual="False", result="wrong") == 1


def test_a_confidence_may_miss_one_by_as_much_as_32_bits_lose() -> None:
    joiner = join(":memory:")
    page = Page(joiner)
    joiner.tell([said("a", "cat", confidence=1.0000001), said("b", "cat", confidence=1.1)])
    joiner.label([Label("a", "cat", 1.0), Label("b", "cat", 1.0)])
    joiner.tick(100.0)
    assert page("calibration_predictions_total", bin="1.0", result="right") == 1
    assert page("calibration_confidence_total", bin="1.0") == 1


def test_an_answer_takes_the_place_of_an_error_until_it_is_scored() -> None:
    joiner = join(":memory:")
    page = Page(joiner)
    joiner.tell([said("a", None), said("b", "cat")])
    joiner.tell([said("a", "cat", 1.0, "v2"), said("b", None, 1.0, "v2")])
    joiner.tell([said("a", "dog", 2.0, "v3")])  # an answer stays
    joiner.label([Label("a", "cat", 2.0), Label("b", "cat", 2.0)])
    joiner.tick(200.0)
    assert page("labeled_predictions_total", "v2", predicted="cat", actual="cat", result="right") == 1
    assert page("matured_predictions_total") == 1
    assert page("matured_predictions_total", "v3") == 0


def test_rollouts_and_mirrors_may_share_ids() -> None:
    joiner = join(":memory:")
    page = Page(joiner)
    other = {"model_name": "m", "rollout_name": "other", "rollout_version": "v1"}
    joiner.tell(
        [said("a", "cat"), Prediction("a", "other", "v1", 0.0, "dog"), said("a", "cat", version="v2", shadow=True)]
    )
    joiner.tell([said("a", "dog", version="v3", shadow=True)])
    joiner.label([Label("a", "cat", 1.0)])
    joiner.tick(100.0)
    assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 1
    assert page.registry.get_sample_value("ml_model_matured_predictions_total", other) == 1
    assert page("shadow_comparisons_total", "v2", result="equal") == 1
    assert page("shadow_comparisons_total", "v3", result="different") == 1


def test_no_label_of_an_error_is_late() -> None:
    joiner = join(":memory:")
    joiner.tell([said("a", None)])
    joiner.tick(100.0)
    joiner.label([Label("a", "cat", 200.0)])
    assert Page(joiner)("late_labels_total") == 0


def test_labels_are_forgotten_without_any_prediction() -> None:
    joiner = join(":memory:")
    joiner.label([Label("a", "cat", 1.0), Label("b", "cat", 1500.0)])
    joiner.tick(2000.0)
    assert joiner._database.execute("SELECT count(*) FROM label").fetchone() == (1,)


def test_a_version_that_is_announced_lives_as_long_as_predictions_do(tmp_path: Path) -> None:
    joiner = join(tmp_path / "j.db")
    joiner.announce([Announcement("shop", "v1", 0.0), Announcement("shop", "v2", 0.0)])
    joiner.tell([said("a", "cat", 500.0)])
    joiner.tick(600.0)
    joiner.close()
    again = join(tmp_path / "j.db")
    page = Page(again)
    assert page("matured_predictions_total", "v2") == 0
    again.tick(1000.0)
    assert page("matured_predictions_total", "v2") is None
    assert page("matured_predictions_total") == 1


def test_a_file_of_the_first_format_goes_on(tmp_path: Path) -> None:
    made = join(tmp_path / "new.db")
    made.tell([said("a", "cat"), said("b", "cat", 50.0)])
    made.label([Label("a", "cat", 1.0)])
    made.tick(100.0)
    made.tell([said("c", "cat", 60.0, "v2", shadow=True)])
    rows = made._database.execute("SELECT key, mirror != '', rollout, version, at_s, predicted, confidence, slices, done FROM prediction").fetchall()  # fmt: skip # noqa: E501
    old = sqlite3.connect(tmp_path / "j.db")
    old.executescript(FIRST_FORMAT)
    milliseconds = (b"ms", 0, "shop", "v1", 1.7e12, json.dumps("cat"), None, "{}", 0)
    old.executemany("INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [*rows, milliseconds])
    for table, width in (("label", 3), ("counts", 4)):
        told = made._database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 # of this test
        old.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", told)  # noqa: S608 # see above
    old.commit()
    old.close()
    for _ in range(2):
        joiner = join(tmp_path / "j.db")
        page = Page(joiner)
        assert page("matured_predictions_total") == 1
        assert page("labeled_predictions_total", predicted="cat", actual="cat", result="right") == 1
        assert joiner._database.execute("SELECT count(*) FROM prediction").fetchone() == (3,)
        joiner.close()
    joiner = join(tmp_path / "j.db")
    joiner.tell([said("a", "cat"), said("c", "cat", 60.0)])
    joiner.tick(160.0)
    page = Page(joiner)
    assert page("matured_predictions_total") == 3
    assert page("shadow_comparisons_total", "v2", result="equal") == 1


def test_a_file_of_a_newer_joiner_is_left_alone(tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "j.db")
    newer.execute("PRAGMA user_version = 7")
    newer.close()
    with pytest.raises(ValueError, match="has format 7, of a newer joiner"):
        join(tmp_path / "j.db")


@pytest.mark.parametrize("truth", [CLASSES, NUMBERS])
def test_whatever_is_told_is_counted_or_refused(truth: Truth) -> None:
    odd: list[Any] = ["", "nan", "1e999", True, 0, -1, 10**300, 1e308, -1e308, 5e-324]
    joiner = join(":memory:", truth)
    for number, predicted in enumerate(odd):
        for row, actual in enumerate(odd):
            joiner.tell([said(str(number), predicted, row=row, confidence=0.5, slices={"region": ""})])
            joiner.label([Label(str(number), actual, 1.0, row=row)])
    joiner.tick(100.0)
    samples = [sample for metric in joiner.collect() for sample in metric.samples]
    assert sum(s.value for s in samples if s.name == "ml_model_labeled_predictions_total") == len(odd) ** 2
    assert sum(s.value for s in samples if s.name == "ml_model_joiner_errors_total") == 0
