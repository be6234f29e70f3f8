"""Joins predictions with what becomes known of them later: labels, and the answers of a mirrored version.

Everything is kept in one SQLite file, counts too, and every step is one transaction: a joiner that is killed goes on
where it was, and counts nothing twice. Of a request only a hash of its id is kept.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial_instrument.scores import Scalar, Scores, Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

_AT_A_TIME: Final = 5000
_MOST_VERSIONS: Final = 100
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS prediction (
    key BLOB, shadow INTEGER, rollout TEXT, version TEXT, at_s REAL, predicted TEXT, confidence REAL, slices TEXT,
    done INTEGER DEFAULT 0, PRIMARY KEY (key, shadow)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_age ON prediction (done, shadow, at_s);
CREATE INDEX IF NOT EXISTS by_version ON prediction (rollout, version);
CREATE TABLE IF NOT EXISTS label (key BLOB PRIMARY KEY, actual TEXT, at_s REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS label_by_age ON label (at_s);
CREATE TABLE IF NOT EXISTS counts (rollout TEXT, version TEXT, layout TEXT, cells BLOB, PRIMARY KEY (rollout, version));
"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row that a version answered.

    Attributes
    ----------
    request_id, row
        Which row of which request.
    rollout, version
        ModelDeployment and hash of the version that answered.
    at_s
        Unix time of the answer in seconds.
    predicted
        Class or number; None when the answer was an error.
    confidence
        What the model said of its certainty, 0..1.
    slices
        Values of slices by name.
    shadow
        Whether the answer was thrown away because the request was mirrored.
    """

    request_id: str
    rollout: str
    version: str
    at_s: float
    predicted: Scalar | None
    row: int = 0
    confidence: float | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one row, known at a Unix time in seconds."""

    request_id: str
    actual: Scalar
    at_s: float
    row: int = 0


class Joiner:
    """Predictions and labels of one model.

    Parameters
    ----------
    path
        SQLite file; ":memory:" forgets everything at the end.
    model_name
        The label `model_name` of every series.
    truth
        What labels look like.
    maturity_s
        Age in seconds at which a prediction is scored.
    keep_s
        Age in seconds at which predictions and labels are forgotten, and with its last prediction a version.
    pair_wait_s
        Seconds that a mirrored answer waits for its counterpart.

    Raises
    ------
    ValueError
        Predictions would be forgotten before they are scored.
    """

    def __init__(
        self,
        path: Path | str,
        model_name: str,
        truth: Truth,
        *,
        maturity_s: float,
        keep_s: float,
        pair_wait_s: float = 30.0,
    ) -> None:
        if keep_s <= maturity_s:
            raise ValueError(f"predictions mature after {maturity_s:g} s but are kept for {keep_s:g} s only")
        self._model_name, self._truth = model_name, truth
        self._maturity_s, self._keep_s, self._pair_wait_s = maturity_s, keep_s, pair_wait_s
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._scores: dict[tuple[str, str], Scores] = {}
        for rollout, version in self._database.execute("SELECT DISTINCT rollout, version FROM prediction").fetchall():
            self._of(rollout, version)
        for rollout, version, layout, cells in self._database.execute("SELECT * FROM counts").fetchall():
            scores = self._of(rollout, version)
            if scores.sha256 == layout:  # otherwise other classes or slices were declared, and counts begin anew
                scores.cells[:] = np.frombuffer(cells)

    def tell(self, predictions: Iterable[Prediction]) -> None:
        """Remember predictions; one that was told already is passed over.

        Raises
        ------
        ValueError
            There are too many versions; nothing is remembered then.
        """
        rows = [
            (
                _key(p.request_id, p.row), p.shadow, p.rollout, p.version, p.at_s, _text(p.predicted), p.confidence,
                json.dumps(dict(p.slices)),
            )
            for p in predictions
        ]  # fmt: skip
        with self._lock, self._database:
            self._database.executemany("INSERT OR IGNORE INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", rows)
            for rollout, version in {(row[2], row[3]) for row in rows}:
                self._of(rollout, version)

    def label(self, labels: Iterable[Label]) -> None:
        """Remember labels; until a prediction is scored, a newer label replaces an older one."""
        with self._lock, self._database:
            for label in labels:
                key = _key(label.request_id, label.row)
                scored = self._database.execute(
                    "SELECT rollout, version, at_s FROM prediction WHERE key = ? AND shadow = 0 AND done = 1", (key,)
                ).fetchone()
                known = self._database.execute("SELECT 1 FROM label WHERE key = ?", (key,)).fetchone()
                if scored and not known:
                    rollout, version, at_s = scored
                    self._of(rollout, version).delayed(label.at_s - at_s, late=True)
                if not (scored and known):
                    row = (key, _text(label.actual), label.at_s)
                    self._database.execute("INSERT OR REPLACE INTO label VALUES (?, ?, ?)", row)
            self._save()

    def tick(self, now_s: float) -> bool:
        """Score what has matured, compare what has been paired, and forget what is old.

        Parameters
        ----------
        now_s
            Unix time in seconds.

        Returns
        -------
        bool
            Whether more is waiting, so that another tick should follow at once.
        """
        with self._lock, self._database:
            scored = self._score(now_s - self._maturity_s)
            compared = self._compare(now_s - self._pair_wait_s)
            self._forget(now_s - self._keep_s)
            if scored or compared:
                self._save()
        return max(scored, compared) == _AT_A_TIME

    def collect(self) -> Iterator[Metric]:
        """Write the series of all versions; a registry calls this."""
        families: dict[str, Metric] = {}
        with self._lock:
            for scores in self._scores.values():
                for metric in scores.metrics():
                    families.setdefault(metric.name, metric)
                    if families[metric.name] is not metric:
                        families[metric.name].samples += metric.samples
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        """Name all series; a registry calls this."""
        return Scores(self._truth, {}).metrics()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _of(self, rollout: str, version: str) -> Scores:
        scores = self._scores.get((rollout, version))
        if scores is None:
            if len(self._scores) >= _MOST_VERSIONS:
                raise ValueError(f"{_MOST_VERSIONS} versions are known already; an old one is forgotten after --keep")
            labels = {"model_name": self._model_name, "rollout_name": rollout, "rollout_version": version}
            scores = self._scores[rollout, version] = Scores(self._truth, labels)
        return scores

    def _score(self, until_s: float) -> int:
        rows = self._database.execute(
            "SELECT key, rollout, version, p.at_s, predicted, confidence, slices, actual, l.at_s FROM prediction p "
            "LEFT JOIN label l USING (key) WHERE done = 0 AND shadow = 0 AND p.at_s <= ? ORDER BY p.at_s LIMIT ?",
            (until_s, _AT_A_TIME),
        ).fetchall()
        for _, rollout, version, at_s, predicted, confidence, slices, actual, label_at_s in rows:
            answer = json.loads(predicted)
            if answer is None:
                continue  # an error is no prediction
            scores = self._of(rollout, version)
            scores.mature()
            if actual is not None:
                scores.score(answer, json.loads(actual), confidence, json.loads(slices).items())
                scores.delayed(label_at_s - at_s, late=False)
        done = [(row[0],) for row in rows]
        self._database.executemany("UPDATE prediction SET done = 1 WHERE key = ? AND shadow = 0", done)
        return len(rows)

    def _compare(self, until_s: float) -> int:
        rows = self._database.execute(
            "SELECT s.key, s.rollout, s.version, s.predicted, p.predicted FROM prediction s "
            "LEFT JOIN prediction p ON p.key = s.key AND p.shadow = 0 "
            "WHERE s.done = 0 AND s.shadow = 1 AND (p.key IS NOT NULL OR s.at_s <= ?) LIMIT ?",
            (until_s, _AT_A_TIME),
        ).fetchall()
        for _, rollout, version, mirrored, answered in rows:
            pair = (json.loads(mirrored), json.loads(answered) if answered is not None else None)
            self._of(rollout, version).compare(*pair, paired=answered is not None)
        done = [(row[0],) for row in rows]
        self._database.executemany("UPDATE prediction SET done = 1 WHERE key = ? AND shadow = 1", done)
        return len(rows)

    def _forget(self, until_s: float) -> None:
        old = "done = 1 AND shadow IN (0, 1) AND at_s <= ?"
        if not self._database.execute(f"DELETE FROM prediction WHERE {old}", (until_s,)).rowcount:  # noqa: S608 # constant
            return
        self._database.execute("DELETE FROM label WHERE at_s <= ?", (until_s,))
        for whose in list(self._scores):
            of_version = "WHERE rollout = ? AND version = ?"
            left = self._database.execute(f"SELECT 1 FROM prediction {of_version} LIMIT 1", whose)  # noqa: S608 # constant
            if not left.fetchone():
                del self._scores[whose]
                self._database.execute(f"DELETE FROM counts {of_version}", whose)  # noqa: S608 # constant

    def _save(self) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?)",
            [(*whose, scores.sha256, scores.cells.tobytes()) for whose, scores in self._scores.items()],
        )


def _key(request_id: str, row: int) -> bytes:
    return hashlib.blake2b(f"{row} {request_id}".encode(), digest_size=16).digest()


def _text(value: Scalar | None) -> str:
    return json.dumps(value)
