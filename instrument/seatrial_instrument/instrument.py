"""The instrument of a model server: everything that it counts, and the collector that shows it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy import ndarray
from prometheus_client import REGISTRY

from seatrial_instrument import processes
from seatrial_instrument.cells import SharedCells, cells_for
from seatrial_instrument.complaints import Complaints, uncounted
from seatrial_instrument.constants import constants
from seatrial_instrument.features import Features
from seatrial_instrument.gathered import Gathered
from seatrial_instrument.options import Options
from seatrial_instrument.predictions import Predictions
from seatrial_instrument.request import ErrorType, Kind, Request, current
from seatrial_instrument.sampling import ALL, Sampler
from seatrial_instrument.series import Layout
from seatrial_instrument.traffic import Ages, Checks, Traffic
from seatrial_instrument.waiting import Told, copied, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from seatrial_instrument.prediction_log import PredictionLog
    from seatrial_instrument.reference import Profile
    from seatrial_instrument.waiting import Answered, Rows

_Item = TypeVar("_Item")
_NONE, _CLIENT, _WARM_UP = ErrorType.NONE, Kind.CLIENT, Kind.WARM_UP
_ENOUGH: Final = 1024
"""Rows and calls that are counted together: few enough that nobody notices the time it takes, a fraction of 1 ms."""

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
        self._strict, self._complaints = options.strict, Complaints(clock)
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
        self._cells = cells_for(options.folder, model_name, layout)
        self._is_shared = isinstance(self._cells, SharedCells)
        self._lock = threading.Lock()
        self._tables: deque[Rows] = deque()
        self._told: deque[Told] = deque()
        self._durations_s: deque[float] = deque()
        self._answered: deque[Answered] = deque()
        self._gathered = Gathered(self._features.width, self._predictions.plain_kinds)
        self._waiting = 0
        self._ticker: threading.Thread | None = None
        self._enough = 0  # the first that comes starts the ticker
        processes.know(self)
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
            What the model says of its certainty, 0..1, one for each row; or one for each class of each row, of which
            the greatest counts.
        defaulted
            One flag for each row, or one for all: the answer is a default, or rests on imputed features. Or one for
            each feature of each row, of which any counts.
        failed
            One flag for each row, or one for all: the answer is an error that is sent as a success.
        slices
            By name of the slice one value for each row, or one for all.
        """
        request = current.get()
        if request is not None and request.kind is _WARM_UP:
            return
        try:
            rows, pick = 0, ALL
            if features is not None:
                rows = len(features) if type(features) is ndarray else self._features.rows(features)
                pick = self._sampler.pick(rows, request)
                is_plain = pick is ALL and failed is None and slices is None and self._log is None
                if is_plain and self._gathered.put(features, predictions, confidence, defaulted):
                    self._waiting += rows
                    if self._waiting >= self._enough:
                        self._go_on()
                    return
            told = None if predictions is None else (predictions, confidence, defaulted, failed, slices or None)
            self._keep(features, rows, pick, told, request)
        except Exception as error:  # noqa: BLE001 # counting must never cost a client its answer
            with self._lock:
                self._complain(error)

    def _keep(
        self, features: Any, rows: int, pick: slice, told: tuple[Any, ...] | None, request: Request | None  # noqa: ANN401 # any table
    ) -> None:  # fmt: skip
        """Copy a batch of any form, and let it wait."""
        waiting = 1
        if told is not None:
            answers = Told(*map(copied, told))
            self._told.append(answers)
            waiting += len(answers.predictions)
            if self._log and request:
                self._log.tell(request, answers)
        if features is not None:
            kept = len(range(rows)[pick])
            self._tables.append((rows, kept, self._features.copy(features, pick) if kept else None))
            waiting += kept
        self._waiting += waiting
        if self._waiting >= self._enough:
            self._go_on()

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
        if error_type is _NONE and kind is _CLIENT:
            self._durations_s.append(duration_s)
        else:
            self._answered.append((duration_s, error_type, kind))
        self._waiting += 1
        if self._waiting >= self._enough:
            self._go_on()

    def flush(self) -> None:
        """Count what is waiting; the metrics page does this by itself."""
        with self._lock:
            self._waiting = 0
            for features, *told in self._gathered.take():
                self._tables.append((len(features), len(features), features))
                if told[0] is not None:
                    self._told.append(Told(*told))
            self._count(self._tables, self._count_rows)
            self._count(self._told, self._count_answers)
            self._count(self._durations_s, self._traffic.add_good)
            self._count(self._answered, self._traffic.add)
            if self._log:
                self._cells.values[self._errors] += self._log.untold()

    def close(self) -> None:
        """Count and tell what is waiting, at the end of a server; a process that ends calls this by itself."""
        self.flush()
        if self._log:
            self._log.close()

    def collect(self) -> Iterator[Metric]:
        """Write all series; the registry calls this."""
        self.flush()
        with self._lock:
            values = self._cells.total()
        yield from self._layout.metrics(values)
        yield from self._constants

    def describe(self) -> Iterator[Metric]:
        """Name all series; the registry calls this to find names that are taken."""
        yield from self._layout.metrics(None)
        yield from self._constants

    def _go_on(self) -> None:
        """Count what waits if it is enough; see to it that it is counted if it stays less."""
        if self._is_shared and self._ticker is None:
            self._ticker = processes.flush_steadily(self)
        self._enough = 0 if self._strict else _ENOUGH
        if self._waiting >= self._enough:
            self.flush()

    def _count(self, waiting: deque[_Item], count: Callable[[list[_Item], NDArray[np.float64]], None]) -> None:
        """Count what waits together, or one by one when something of it can't be counted."""
        items = [waiting.popleft() for _ in range(len(waiting))]
        if not items:
            return
        counts = np.zeros(self._layout.size)
        try:
            count(items, counts)
        except Exception as error:  # noqa: BLE001 # counting must never cost a client its answer
            if len(items) == 1:
                self._complain(error)
                return
            for item in items:
                self._count(deque([item]), count)
        else:
            self._cells.values += counts

    def _count_rows(self, batches: list[Rows], cells: NDArray[np.float64]) -> None:
        given, kept = sum(batch[0] for batch in batches), sum(batch[1] for batch in batches)
        cells[self._rows[True]] += kept
        cells[self._rows[False]] += given - kept
        self._features.count([batch[1:] for batch in batches if batch[1]], cells)

    def _count_answers(self, batches: list[Told], cells: NDArray[np.float64]) -> None:
        for batch in together(batches, self._predictions.plain_kinds):
            self._predictions.count(batch, cells)

    def _add(self, add: Callable[[NDArray[np.float64]], None]) -> None:
        with self._lock:
            try:
                add(self._cells.values)
            except Exception as error:  # noqa: BLE001 # counting must never cost a client its answer
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        if self._strict:
            raise error
        self._cells.values[self._errors] += 1
        self._complaints.tell(uncounted(self.model_name, error))

    def after_fork(self) -> None:
        """Begin anew in a child process."""
        self._lock = threading.Lock()
        for waiting in (self._tables, self._told, self._durations_s, self._answered):
            waiting.clear()  # the parent counts it
        self._gathered = Gathered(self._features.width, self._predictions.plain_kinds)
        self._ticker, self._enough = None, 0
        self._cells.after_fork()
