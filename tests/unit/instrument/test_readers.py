from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # pyarrow has no types
import pytest
from pyarrow import parquet

from seatrial_instrument import Categorical, Numeric
from seatrial_instrument.profile import from_dataframe
from seatrial_instrument.readers import read

if TYPE_CHECKING:
    from pathlib import Path


def test_nulls_of_a_dictionary_column_are_missing(tmp_path: Path) -> None:
    words = pa.array(["b", None, "a", "a", None, "c"] * 50).dictionary_encode()
    numbers = pa.array([10, None, 20, 20, None, 30] * 50).dictionary_encode()
    parquet.write_table(pa.table({"w": words, "n": numbers}), tmp_path / "t.parquet")
    word, number = from_dataframe(read(tmp_path / "t.parquet")).features
    assert word == Categorical("w", ("a", "b", "c"), (100, 50, 50), 0, 100)
    assert isinstance(number, Numeric)
    assert (number.missing, sum(number.counts), number.low, number.high) == (100, 200, 10, 30)


def csv(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


def test_words_for_nothing_are_missing_numbers_and_text_as_any_other(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "n,country,odd\n1,NA,1_0\nNA,DE,2\nnull,,3\n"))
    np.testing.assert_array_equal(np.asarray(table["n"]), [1, np.nan, np.nan])
    assert table["country"] == ["NA", "DE", None]  # Namibia
    assert table["odd"] == ["1_0", "2", "3"]  # Python alone reads 10


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "the file is empty; its first line must name the columns"), ("a,b,a\n1,2,3\n", "has a more than once")],
)
def test_a_csv_file_that_cannot_be_told_apart_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(csv(tmp_path, text))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("stadt\nKöln\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"t\.csv: this is no text in UTF-8"):
        read(tmp_path / "t.csv")
