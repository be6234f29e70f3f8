"""Joins predictions with what becomes known of them later: labels, and the answers of a mirrored version.

Everything is kept in one SQLite file, counts too, and every step is one transaction: a joiner that is killed goes on
where it was, and counts nothing twice. Of a request only a hash of its id is kept.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from seatrial_instrument.events import Announcement, Label, Prediction
from seatrial_instrument.joiner_file import opened
from seatrial_instrument.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

    from seatrial_instrument.scores import Scalar, Truth

__all__ = ["Announcement", "Joiner", "Label", "Prediction"]

_AT_A_TIME: Final = 5000
_MOST_VERSIONS: Final = 100
_ERRORS: Final = ("refused", "unscored")
# A retry may be answered by another version after the first attempt failed: then what the client got is the answer.
_TELL: Final = """
INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
ON CONFLICT DO UPDATE SET
    version = excluded.version, at_s = excluded.at_s, predicted = excluded.predicted, confidence = excluded.confidence,
    slices = excluded.slices
WHERE done = 0 AND predicted = 'null'
"""
_HEAR: Final = "INSERT INTO version VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at_s = max(at_s, excluded.at_s)"


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
        if not keep_s > maturity_s:
            raise ValueError(f"predictions mature after {maturity_s:g} s but are kept for {keep_s:g} s only")
        self._model_name, self._truth = model_name, truth
        self._maturity_s, self._keep_s, self._pair_wait_s = maturity_s, keep_s, pair_wait_s
        self._lock = threading.Lock()
        self._errors = dict.fromkeys(_ERRORS, 0)
        self._database = opened(path)
        self._scores: dict[tuple[str, str], Scores] = {}
        for rollout, version in self._database.execute("SELECT rollout, version FROM version").fetchall():
            self._of(rollout, version)
        for rollout, version, layout, cells in self._database.execute("SELECT * FROM counts").fetchall():
            scores = self._of(rollout, version)
            if scores.sha256 == layout:  # otherwise other classes or slices were declared, and counts begin anew
                scores.cells[:] = np.frombuffer(cells)

    def tell(self, predictions: Iterable[Prediction]) -> None:
        """Remember predictions; one that was told already is passed over, unless it was an error.

        A request id and row are one answer to a client in each rollout, and one of each version that was mirrored.

        Raises
        ------
        ValueError
            There are too many versions; nothing is remembered then.
        """
        rows = [
            (
                _key(p.request_id, p.row), p.rollout, p.version if p.shadow else "", p.version, p.at_s,
                _text(p.predicted), p.confidence, json.dumps(dict(p.slices)),
            )
            for p in predictions
        ]  # fmt: skip
        with self._lock, self._database:
            self._database.executemany(_TELL, rows)
            self._hear([(row[1], row[3], row[4]) for row in rows])

    def announce(self, versions: Iterable[Announcement]) -> None:
        """Let the series of versions exist, at 0, before their first prediction.

        Raises
        ------
        ValueError
            There are too many versions.
        """
        with self._lock, self._database:
            self._hear([(version.rollout, version.version, version.at_s) for version in versions])

    def refuse(self, lines: int) -> None:
        """Count lines that could not be read."""
        with self._lock:
            self._errors["refused"] += lines

    def label(self, labels: Iterable[Label]) -> None:
        """Remember labels; until a prediction is scored, a newer label replaces an older one."""
        with self._lock, self._database:
            for label in labels:
                key = _key(label.request_id, label.row)
                scored = self._database.execute(
                    "SELECT rollout, version, at_s FROM prediction "
                    "WHERE key = ? AND mirror = '' AND done = 1 AND predicted != 'null'",
                    (key,),
                ).fetchall()
                known = self._database.execute("SELECT 1 FROM label WHERE key = ?", (key,)).fetchone()
                for rollout, version, at_s in () if known else scored:
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
        yield from self._own()
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
        yield from self._own()
        yield from Scores(self._truth, {}).metrics()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _hear(self, of: Iterable[tuple[str, str, float]]) -> None:
        last: dict[tuple[str, str], float] = {}
        for rollout, version, at_s in of:
            last[rollout, version] = max(at_s, last.get((rollout, version), at_s))
        self._database.executemany(_HEAR, [(*whose, at_s) for whose, at_s in last.items()])
        for whose in last:
            self._of(*whose)

    def _own(self) -> Iterator[Metric]:
        about = "Age at which the joiner scores a prediction"
        maturity = GaugeMetricFamily("ml_model_label_maturity_seconds", about, labels=["model_name"])
        maturity.add_metric([self._model_name], self._maturity_s)
        about = "Lines that the joiner could not read, and rows that it could not score"
        errors = CounterMetricFamily("ml_model_joiner_errors", about, labels=["model_name", "reason"])
        for reason, count in self._errors.items():
            errors.add_metric([self._model_name, reason], count)
        yield from (maturity, errors)

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
            "LEFT JOIN label l USING (key) WHERE done = 0 AND mirror = '' AND p.at_s <= ? ORDER BY p.at_s LIMIT ?",
            (until_s, _AT_A_TIME),
        ).fetchall()
        for row in rows:
            self._try(self._score_row, row[1:])
        done = [row[:2] for row in rows]
        self._database.executemany("UPDATE prediction SET done = 1 WHERE key = ? AND rollout = ? AND mirror = ''", done)
        return len(rows)

    def _score_row(self, rollout: str, version: str, at_s: float, predicted: str, *more: Any) -> None:  # noqa: ANN401 # columns
        confidence, slices, actual, label_at_s = more
        answer = json.loads(predicted)
        if answer is None:
            return  # an error is no prediction
        scores = self._of(rollout, version)
        scores.mature()
        if actual is not None:
            scores.score(answer, json.loads(actual), confidence, json.loads(slices).items())
            scores.delayed(label_at_s - at_s, late=False)

    def _compare(self, until_s: float) -> int:
        rows = self._database.execute(
            "SELECT s.key, s.rollout, s.mirror, s.predicted, p.predicted FROM prediction s "
            "LEFT JOIN prediction p ON p.key = s.key AND p.rollout = s.rollout AND p.mirror = '' "
            "WHERE s.done = 0 AND s.mirror != '' AND (p.key IS NOT NULL OR s.at_s <= ?) LIMIT ?",
            (until_s, _AT_A_TIME),
        ).fetchall()
        for row in rows:
            self._try(self._compare_row, row[1:])
        done = [row[:3] for row in rows]
        self._database.executemany("UPDATE prediction SET done = 1 WHERE key = ? AND rollout = ? AND mirror = ?", done)
        return len(rows)

    def _compare_row(self, rollout: str, version: str, mirrored: str, answered: str | None) -> None:
        pair = (json.loads(mirrored), json.loads(answered) if answered is not None else None)
        self._of(rollout, version).compare(*pair, paired=answered is not None)

    def _try(self, count: Callable[..., None], row: Sequence[Any]) -> None:
        """Count a row; one that can't be counted must not keep all others from it, now and after each restart."""
        try:
            count(*row)
        except Exception:  # noqa: BLE001 # see above
            self._errors["unscored"] += 1

    def _forget(self, until_s: float) -> None:
        for old in ("prediction WHERE done = 1 AND at_s <= ?", "label WHERE at_s <= ?"):
            self._database.execute(f"DELETE FROM {old}", (until_s,))  # noqa: S608 # constants
        gone = "DELETE FROM version WHERE at_s <= ? RETURNING rollout, version"
        for whose in self._database.execute(gone, (until_s,)).fetchall():
            self._scores.pop(whose, None)
            self._database.execute("DELETE FROM counts WHERE rollout = ? AND version = ?", whose)

    def _save(self) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?)",
            [(*whose, scores.sha256, scores.cells.tobytes()) for whose, scores in self._scores.items()],
        )


def _key(request_id: str, row: int) -> bytes:
    return hashlib.blake2b(f"{row} {request_id}".encode(errors="surrogatepass"), digest_size=16).digest()


def _text(value: Scalar | None) -> str:
    return json.dumps(value)
