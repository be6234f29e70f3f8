"""The instrument of a model server: everything that it counts, and the collector that shows it."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import REGISTRY

from seatrial_instrument.cells import Cells, OwnCells, SharedCells
from seatrial_instrument.constants import constants
from seatrial_instrument.features import Features
from seatrial_instrument.predictions import Flaw, Predictions
from seatrial_instrument.request import ErrorType, Kind, current
from seatrial_instrument.sampling import ALL, Sampler
from seatrial_instrument.series import Layout
from seatrial_instrument.traffic import AGE_EDGES_S, LATENCY_EDGES_S, Ages, Checks, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from seatrial_instrument.prediction_log import PredictionLog
    from seatrial_instrument.reference import Profile

_LOG: Final = logging.getLogger("seatrial_instrument")
_COMPLAIN_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What an instrument counts, and how much of it; all series are made of this and the profile.

    Attributes
    ----------
    latency_edges_s
        Edges of the latency histogram in seconds; one of them is the objective's threshold.
    age_edges_s
        Edges of the feature age histogram in seconds.
    feature_groups
        Groups of features whose age is told.
    checks
        Results to count, by name of the check.
    slices
        Values to tell apart, by name of the slice (tenant, region, cohort).
    max_slices
        Cap on their number, over all names.
    sample_ratio
        Share of requests whose features are counted, 0..1; chosen by the request's id, so that two versions that get
        the same request choose alike.
    max_rows_per_s
        Rows per second of which features are counted, at most.
    folder
        Where processes share their counts; default: the variable PROMETHEUS_MULTIPROC_DIR, and without it one process.
    strict
        Raise errors in the caller instead of counting and logging them: for tests of a server, not for production.
    """

    latency_edges_s: Sequence[float] = LATENCY_EDGES_S
    age_edges_s: Sequence[float] = AGE_EDGES_S
    feature_groups: Sequence[str] = ()
    checks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_slices: int = 50
    sample_ratio: float = 1.0
    max_rows_per_s: float = 10_000
    folder: Path | str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        declared = sum(len(values) for values in self.slices.values())
        if declared > self.max_slices:
            raise ValueError(f"{declared} slices are declared, at most {self.max_slices} are allowed: merge small ones")


DEFAULTS: Final = Options()


class Instrument:
    """Counts requests, features and predictions of one model in one server.

    It never fails a request: what it cannot count it counts as an error of its own, and says so in the log once a
    minute, without any value.

    Parameters
    ----------
    profile
        The version's reference profile.
    model_name
        The label `model_name` of every series.
    options
        What to count.
    registry
        Where the metrics page is made; None: nowhere, call `collect` yourself.
    log
        Tells a joiner what was answered (of several outputs the first), so that labels and mirrored answers can be
        compared with it.
    clock
        Monotonic seconds.

    Raises
    ------
    ValueError
        Options are out of range, or the registry has these series already.
    """

    def __init__(
        self,
        profile: Profile,
        model_name: str,
        options: Options = DEFAULTS,
        *,
        registry: CollectorRegistry | None = REGISTRY,
        log: PredictionLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.profile, self.model_name, self._log = profile, model_name, log
        self._strict, self._clock, self._complained_s = options.strict, clock, float("-inf")
        layout = Layout({"model_name": model_name})
        self._traffic = Traffic(options.latency_edges_s, layout)
        self._ages = Ages(options.feature_groups, options.age_edges_s, layout)
        self._checks = Checks(options.checks, layout)
        self._features = Features(profile, layout)
        self._predictions = Predictions(profile, options.slices, layout)
        rows = "ml_model_rows", "Rows given to the library"
        self._rows = {kept: layout.counter(*rows, sampled="yes" if kept else "no") for kept in (True, False)}
        self._errors = layout.counter("ml_model_instrument_errors", "Batches that the library could not count")
        self._sampler = Sampler(options.sample_ratio, options.max_rows_per_s, clock)
        self._layout = layout
        self._constants = constants(profile, model_name)
        self._cells = _cells(options.folder, model_name, layout)
        self._lock = threading.Lock()
        _INSTRUMENTS.add(self)
        if registry is not None:
            registry.register(self)

    def observe(
        self,
        features: Any = None,  # noqa: ANN401 # any table
        predictions: Any = None,  # noqa: ANN401 # any column or columns
        *,
        confidence: ArrayLike | None = None,
        defaulted: ArrayLike | None = None,
        failed: ArrayLike | None = None,
        slices: Mapping[str, Any] | None = None,
    ) -> None:
        """Count a batch; call it with the features as they arrived, before anything is imputed.

        Parameters
        ----------
        features
            Matrix of shape (rows, columns of the model), or a mapping, structured array or data frame with named
            columns, or a list of records.
        predictions
            The model's answers, one for each row; with several outputs a mapping of output to answers.
        confidence
            What the model says of its certainty, 0..1, one for each row.
        defaulted
            One flag for each row, or one for all: the answer is a default, or rests on imputed features.
        failed
            One flag for each row, or one for all: the answer is an error that is sent as a success.
        slices
            By name of the slice one value for each row, or one for all.
        """
        request = current.get()
        if request is not None and request.kind is Kind.WARM_UP:
            return
        try:
            if features is not None:
                self._observe_features(features, request.id if request else None)
            if predictions is not None:
                with self._lock:
                    cells = self._cells.values
                    flaws = self._predictions.count(predictions, defaulted, failed, cells)
                    if confidence is not None:
                        self._predictions.count_confidence(confidence, cells)
                    if slices:
                        worst = [Flaw.NONE] * _rows(predictions) if flaws is None else flaws.tolist()
                        self._predictions.count_slices(slices, worst, cells)
                if self._log and request:
                    first = next(iter(predictions.values())) if isinstance(predictions, Mapping) else predictions
                    self._log.tell(request, first, confidence=confidence, failed=failed, slices=slices)
        except Exception as error:  # noqa: BLE001 # counting must never cost a client its answer
            self._complain(error)

    def outcome(self, check: str, result: str, count: int = 1) -> None:
        """Count the result of a declared check, such as a safety filter or a user's feedback."""
        self._add(lambda cells: self._checks.add(check, result, count, cells))

    def feature_age(self, group: str, ages_s: ArrayLike) -> None:
        """Count how old the features of a declared group were when they were used, in seconds."""
        self._add(lambda cells: self._ages.add(group, ages_s, cells))

    def request(self, duration_s: float, error_type: ErrorType = ErrorType.NONE, kind: Kind = Kind.CLIENT) -> None:
        """Count an answered request; the middleware calls this.

        Parameters
        ----------
        duration_s
            Seconds from the request to the last byte of the answer.
        error_type
            Why the answer is not good.
        kind
            What the request was for.
        """
        self._add(lambda cells: self._traffic.add(duration_s, error_type, kind, cells))

    def collect(self) -> Iterator[Metric]:
        """Write all series; the registry calls this."""
        yield from self._layout.metrics(self._cells.total())
        yield from self._constants

    def describe(self) -> Iterator[Metric]:
        """Name all series; the registry calls this to find names that are taken."""
        yield from self._layout.metrics(None)
        yield from self._constants

    def _observe_features(self, features: Any, request_id: str | None) -> None:  # noqa: ANN401 # any table
        rows = self._features.rows(features)
        pick = self._sampler.pick(rows, request_id)
        kept = rows if pick == ALL else len(range(rows)[pick])
        counted = self._features.count(features, pick) if kept else None
        with self._lock:
            cells = self._cells.values
            if counted:
                cells[self._rows[True]] += kept
                self._features.add(cells, counted)
            if kept < rows:
                cells[self._rows[False]] += rows - kept

    def _add(self, add: Callable[[NDArray[np.float64]], None]) -> None:
        try:
            with self._lock:
                add(self._cells.values)
        except Exception as error:  # noqa: BLE001 # counting must never cost a client its answer
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if self._strict:
            raise error
        with self._lock:
            self._cells.values[self._errors] += 1
        if self._clock() - self._complained_s >= _COMPLAIN_EVERY_S:
            self._complained_s = self._clock()
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
            # The text of an error may hold a value of somebody's, so only its kind and place are told.
            _LOG.warning(
                "model %s: a batch could not be counted (%s at %s); Options(strict=True) shows why, in a test",
                self.model_name, type(error).__name__, place,
            )  # fmt: skip

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._cells.after_fork()


def _rows(predictions: Any) -> int:  # noqa: ANN401 # any column or columns
    return len(next(iter(predictions.values())) if isinstance(predictions, Mapping) else predictions)


def _cells(folder: Path | str | None, model_name: str, layout: Layout) -> Cells:
    folder = folder or os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return OwnCells(layout.size)
    name = re.sub(r"[^\w-]", "_", model_name, flags=re.ASCII)
    return SharedCells(Path(folder), f"ml_model.{name}.{layout.sha256[:16]}", layout.size)


_INSTRUMENTS: Final[weakref.WeakSet[Instrument]] = weakref.WeakSet()


def _after_fork() -> None:
    for instrument in _INSTRUMENTS:
        instrument._after_fork()  # noqa: SLF001 # this is a part of the class


os.register_at_fork(after_in_child=_after_fork)
