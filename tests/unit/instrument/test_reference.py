from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from seatrial_instrument import Categorical, Numeric, Profile

if TYPE_CHECKING:
    from pathlib import Path

AGE = Numeric("age", (20.5, 40.5), (1, 2, 3), 18, 90, 4)
REGION = Categorical("region", ("eu", "us"), (7, 2), 1)
PROFILE = Profile(10, ("age", "region", "unused"), (AGE, REGION), (Numeric("score", (0.5,), (5, 5), 0, 1),))


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    PROFILE.save(tmp_path / "profile.json")
    assert Profile.load(tmp_path / "profile.json") == PROFILE


def test_the_hash_depends_on_content_alone() -> None:
    respelled = json.dumps(json.loads(PROFILE.to_json()), indent=None, sort_keys=True)
    assert Profile.from_json(respelled).sha256 == PROFILE.sha256
    other = Profile(11, PROFILE.columns, PROFILE.features, PROFILE.outputs)
    assert other.sha256 != PROFILE.sha256
    assert other.schema_sha256 == PROFILE.schema_sha256
    assert Profile(10, PROFILE.columns, (REGION, AGE)).schema_sha256 != PROFILE.schema_sha256


def test_a_profile_is_never_overwritten(tmp_path: Path) -> None:
    PROFILE.save(tmp_path / "profile.json")
    with pytest.raises(FileExistsError):
        PROFILE.save(tmp_path / "profile.json")


def test_a_changed_profile_is_refused(tmp_path: Path) -> None:
    document = json.loads(PROFILE.to_json())
    document["profile"]["rows"] = 9
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"p\.json: the profile was changed after it was made"):
        Profile.load(tmp_path / "p.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"profile": {"format": "seatrial-profile/1"}}'])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no reference profile"):
        Profile.from_json(text)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 'seatrial-profile/9'"):
        Profile.from_json('{"profile": {"format": "seatrial-profile/9"}}')


def test_another_type_is_refused() -> None:
    document = json.loads(PROFILE.to_json())
    document["profile"]["features"][0]["type"] = "picture"
    with pytest.raises(ValueError, match="age: a feature is numeric or categorical, not 'picture'"):
        Profile.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("edges", "counts", "why"),
    [
        ((2.0, 1.0), (1, 1, 1), "edges must rise"),
        ((1.0, 1.0), (1, 1, 1), "edges must rise"),
        ((float("inf"),), (1, 1), "finite"),
        ((1.0,), (1,), "1 edges need 2 counts"),
        ((1.0,), (1, -1), "negative"),
    ],
)
def test_broken_histograms_are_refused(edges: tuple[float, ...], counts: tuple[int, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Numeric("age", edges, counts)


@pytest.mark.parametrize(("low", "high"), [(2.0, 1.0), (float("-inf"), 0.0), (0.0, float("nan"))])
def test_broken_ranges_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="age: a range goes from a lower to a higher number"):
        Numeric("age", (), (1,), low, high)


@pytest.mark.parametrize(
    ("categories", "counts", "why"),
    [(("a", "a"), (1, 1), "differ"), (("__other__",), (1,), "differ"), (("a",), (), "1 categories have 0 counts")],
)
def test_broken_categories_are_refused(categories: tuple[str, ...], counts: tuple[int, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Categorical("region", categories, counts)


def test_features_must_be_columns_of_the_model() -> None:
    with pytest.raises(ValueError, match=r"\['age'\] are no columns"):
        Profile(10, ("region",), (AGE,))
    with pytest.raises(ValueError, match="names must differ"):
        Profile(10, ("age", "age"), (AGE,))
