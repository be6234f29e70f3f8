from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # pyarrow has no types
import pytest
from pyarrow import parquet

from seatrial_instrument import Categorical, Numeric, Profile
from seatrial_instrument.profile_cli import main
from seatrial_instrument.readers import read

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "id,age,region,score\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    rows = [
        f"{number},{'' if number % 10 == 0 else age},{rng.choice(['eu', 'us'])},{rng.random():.3f}\n"
        for number, age in enumerate(rng.normal(40, 10, 200).round(1))
    ]
    path = tmp_path / "training.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def build(data: Path, output: Path, *more: str) -> int:
    return main(["build", str(data), "-o", str(output), "--ignore", "id", "--predictions", "score", *more])


def test_csv_and_parquet_give_the_same_profile(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = {name: column if isinstance(column, list) else np.asarray(column) for name, column in read(data).items()}
    parquet.write_table(pa.table(table), tmp_path / "training.parquet")
    assert build(data, tmp_path / "csv.json", "--bounds", "score=0:1", "--bounds", "age=0:") == 0
    assert (
        build(tmp_path / "training.parquet", tmp_path / "pq.json", "--bounds", "score=0:1", "--bounds", "age=0:") == 0
    )
    profile = Profile.load(tmp_path / "csv.json")
    assert profile == Profile.load(tmp_path / "pq.json")
    age, region = profile.features
    assert isinstance(age, Numeric)
    assert isinstance(region, Categorical)
    assert (age.missing, age.low, age.high) == (20, 0, None)
    assert set(region.categories) == {"eu", "us"}
    assert f"2 features of 200 rows, sha256 {profile.sha256}" in capsys.readouterr().out


def test_parquet_keeps_nulls_and_types(tmp_path: Path) -> None:
    table = pa.table({"n": pa.array([1, None, 3], pa.int32()), "s": pa.array(["a", None, "b"]), "f": [0.5, 1.5, 2.5]})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert main(["build", str(tmp_path / "t.parquet"), "-o", str(tmp_path / "p.json")]) == 0
    number, text, real = Profile.load(tmp_path / "p.json").features
    assert (number.missing, text.missing, real.missing) == (1, 1, 0)
    assert isinstance(number, Numeric)
    assert isinstance(text, Categorical)


def test_edges_are_kept_and_features_chosen(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(data, tmp_path / "old.json")
    data.write_text(HEADER + "".join(f"{n},{n},eu,0.5\n" for n in range(50)))
    assert build(data, tmp_path / "new.json", "--edges-from", str(tmp_path / "old.json"), "--features", "age") == 0
    old, new = Profile.load(tmp_path / "old.json"), Profile.load(tmp_path / "new.json")
    assert isinstance(old.features[0], Numeric)
    assert isinstance(new.features[0], Numeric)
    assert new.features[0].edges == old.features[0].edges
    assert "1 columns are not watched" in capsys.readouterr().out


def test_show_draws_the_bins(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(data, tmp_path / "p.json", "--features", "region")
    capsys.readouterr()
    assert main(["show", str(tmp_path / "p.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"sha256 {Profile.load(tmp_path / 'p.json').sha256}"
    assert "feature region, 0 missing" in lines
    assert any(line.endswith("#" * 40) for line in lines)
    assert any(line.split()[:2] == ["__other__", "0"] for line in lines)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.csv", "a,b\n1\n", "row 2 has 1 cells, the line of names has 2"),
        ("t.txt", "a\n1\n", "ends in '.txt' can't be read"),
        ("t.csv", "a\n2026-01-01\n", ""),
    ],
)
def test_what_cannot_be_read_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, why: str
) -> None:
    (tmp_path / name).write_text(content)
    code = main(["build", str(tmp_path / name), "-o", str(tmp_path / "p.json")])
    assert (code, bool(why)) in {(2, True), (0, False)}
    assert why in capsys.readouterr().err


def test_a_missing_file_and_an_old_profile_are_explained(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
    assert build(data, tmp_path / "p.json") == 0
    assert build(data, tmp_path / "p.json") == 2
    assert "p.json" in capsys.readouterr().err


@pytest.mark.parametrize("bounds", ["age", "age=5", "=1:2", "age=a:b"])
def test_a_wrong_range_is_explained(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bounds: str
) -> None:
    with pytest.raises(SystemExit):
        build(data, tmp_path / "p.json", "--bounds", bounds)
    assert "write COLUMN=LOW:HIGH" in capsys.readouterr().err


def test_parquet_without_its_reader_says_what_to_install(tmp_path: Path) -> None:
    """In a process that cannot import pyarrow, and that shows what the library itself imports."""
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from seatrial_instrument.profile_cli import main\n"
        "code = main(['build', 't.parquet', '-o', 'p.json'])\n"
        "assert 'pandas' not in sys.modules\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": ":".join(sys.path)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'seatrial-instrument[parquet]'" in done.stderr
