"""Rollback rules to compare on the same traffic.

Seatrial's own rule, and fixed thresholds in the manner of Flagger and Argo Rollouts. A rule says for each run at
which look it rolls the version back, or that it never does.

- Flagger checks the success ratio of the last interval; a check below the minimum, or without data, counts as failed,
  failed checks are never forgiven, and the rollback comes at the check after the threshold was reached (its
  ``threshold`` and ``interval``).
- Argo Rollouts measures at the beginning and after every interval; the analysis fails when more measurements than
  ``failureLimit`` failed; a measurement without data is an error of its own kind and not counted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seatrial.judge.dispersion import LARGEST_OWN, squared_step
from seatrial.judge.evalue import log_e_restart, log_e_value
from seatrial.judge.restart import MAX_RESTARTS, next_restart

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from seatrial.cli.traffic import Counted
    from seatrial.judge.types import Objective

    IntArray = NDArray[np.int64]

__all__ = ["NEVER", "Argo", "Flagger", "Rule", "Seatrial"]

NEVER = -1


class Rule(Protocol):
    """Anything that decides when to roll back."""

    @property
    def name(self) -> str:
        """What the rule is called in a table."""
        ...

    def rollback_looks(self, counted: Counted, tick: Callable[[], None]) -> IntArray:
        """Return the look (from 0) that rolls each run back, or ``NEVER``, shape (runs,); ``tick`` is for progress."""
        ...


@dataclass(frozen=True, slots=True)
class Seatrial:
    """The e-value test with its restart points, as the operator runs it.

    Parameters
    ----------
    objective
        The objective and its rollback parameters.
    objectives
        How many objectives share alpha.
    dispersion
        How clustered stable's errors usually are; the evidence is tempered by it.
    own
        Whether the evidence is also tempered by how clustered the version's own errors are. The operator always does;
        ``False`` shows what that is good for.
    """

    objective: Objective
    objectives: int = 1
    dispersion: float = 1.0
    own: bool = True

    @property
    def name(self) -> str:
        """What the rule is called in a table."""
        return "Seatrial"

    def rollback_looks(self, counted: Counted, tick: Callable[[], None]) -> IntArray:
        """Judge all runs look by look; see :class:`Rule`."""
        result = np.full(counted.runs, NEVER)
        totals, bads = counted.total.cumsum(axis=1), counted.bad.cumsum(axis=1)
        points = _RestartPoints(counted.runs)
        clustering = _Clusterings(counted.runs)
        for look in range(counted.looks):
            running = np.flatnonzero(result == NEVER)
            n, k = totals[running, look], bads[running, look]
            if self.own:
                clustering.then(counted.total[:, look], counted.bad[:, look])
            suspects = k >= self.objective.min_bad
            dispersion = np.maximum(clustering.dispersion[running[suspects]], self.dispersion)
            fired = running[suspects][self._fires(points, running[suspects], n[suspects], k[suspects], dispersion)]
            result[fired] = look
            points.open(running, n, k)
            tick()
        return result

    def _fires(
        self, points: _RestartPoints, runs: IntArray, n: IntArray, k: IntArray, dispersion: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        log_threshold = np.log(self.objectives / float(self.objective.alpha))
        owner, order, since_n, since_k = points.of(runs)
        bound = _log_likelihood_ratio(n[owner] - since_n, k[owner] - since_k, float(self.objective.p0))
        bound /= dispersion[owner]
        hopeful = np.zeros(len(runs), dtype=bool)
        hopeful[owner[bound >= log_threshold]] = True
        if not hopeful.any():
            return hopeful
        of_hopeful = hopeful[owner]
        owner, order, since_n, since_k = (x[of_hopeful] for x in (owner, order, since_n, since_k))
        log_e = log_e_value(n[owner] - since_n, k[owner] - since_k, float(self.objective.p0)) / dispersion[owner]
        first = np.searchsorted(owner, np.flatnonzero(hopeful))
        hopeful[hopeful] = log_e_restart(log_e, first, order) >= log_threshold
        return hopeful


@dataclass(frozen=True, slots=True)
class Flagger:
    """Flagger: so many failed checks of the success ratio of one interval."""

    min_success: float
    threshold: int = 5
    interval_s: float = 60.0

    @property
    def name(self) -> str:
        """What the rule is called in a table."""
        return f"Flagger-like, threshold {self.threshold}"

    def rollback_looks(self, counted: Counted, tick: Callable[[], None]) -> IntArray:
        """Count failed checks; see :class:`Rule`."""
        total, bad, check_looks = _per_interval(counted, self.interval_s)
        with np.errstate(invalid="ignore", divide="ignore"):
            failed = ~((total - bad) / total >= self.min_success)  # no data is not a number, and fails
        reached = failed.cumsum(axis=1) >= self.threshold
        one_later = np.concatenate((np.zeros_like(reached[:, :1]), reached[:, :-1]), axis=1)
        tick()
        return _first(one_later, check_looks)


@dataclass(frozen=True, slots=True)
class Argo:
    """Argo Rollouts: more failed measurements than a limit."""

    min_success: float
    failure_limit: int = 0
    interval_s: float = 60.0

    @property
    def name(self) -> str:
        """What the rule is called in a table."""
        return f"Argo-like, failureLimit {self.failure_limit}"

    def rollback_looks(self, counted: Counted, tick: Callable[[], None]) -> IntArray:
        """Count failed measurements; see :class:`Rule`."""
        total, bad, check_looks = _per_interval(counted, self.interval_s)
        failed = (total > 0) & (total - bad < self.min_success * total)
        tick()
        return _first(failed.cumsum(axis=1) > self.failure_limit, check_looks)


class _Clusterings:
    """How clustered the errors of many runs are, look by look: ``judge.dispersion.Clustering`` for arrays."""

    def __init__(self, runs: int) -> None:
        self._squares, self._expected, self._total, self._bad = (np.zeros(runs) for _ in range(4))

    @property
    def dispersion(self) -> NDArray[np.float64]:
        """What ``own_dispersion`` says of each run, shape (runs,)."""
        ratio = np.divide(self._squares, self._expected, out=np.ones_like(self._squares), where=self._expected > 0)
        clipped: NDArray[np.float64] = np.clip(ratio, 1.0, LARGEST_OWN)
        return clipped

    def then(self, total: IntArray, bad: IntArray) -> None:
        """Add the next interval of all runs."""
        seen = total > 0
        more, more_bad = total[seen].astype(np.float64), bad[seen].astype(np.float64)
        before = np.where(self._total[seen] > 0, self._total[seen], more)
        step, expected = squared_step(before, self._bad[seen], more, more_bad)
        self._squares[seen] += step
        self._expected[seen] += expected
        self._total[seen], self._bad[seen] = more, more_bad


class _RestartPoints:
    """Totals at the restart points of many runs; point 0 is the beginning."""

    def __init__(self, runs: int) -> None:
        self._n = np.zeros((runs, 1 + MAX_RESTARTS), dtype=np.int64)
        self._k = np.zeros_like(self._n)
        self._opened = np.zeros(runs, dtype=np.int64)

    def of(self, runs: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Return, for the points of these runs one after another: position in ``runs``, order, and both totals."""
        opened = self._opened[runs]
        slots = np.arange(1 + MAX_RESTARTS)
        there = slots <= np.minimum(opened, MAX_RESTARTS)[:, None]
        retired = np.maximum(opened - MAX_RESTARTS, 0)
        order = slots + np.where(slots > 0, retired[:, None], 0)
        owner = np.broadcast_to(np.arange(len(runs))[:, None], there.shape)
        return owner[there], order[there], self._n[runs][there], self._k[runs][there]

    def open(self, runs: IntArray, n: IntArray, k: IntArray) -> None:
        """Open a restart point where it is time."""
        newest = np.minimum(self._opened[runs], MAX_RESTARTS)
        due = np.array([next_restart(int(since)) for since in n - self._n[runs, newest]], dtype=bool)
        for run, total, bad in zip(runs[due], n[due], k[due], strict=True):
            if self._opened[run] >= MAX_RESTARTS:
                self._n[run, 1:-1], self._k[run, 1:-1] = self._n[run, 2:], self._k[run, 2:]
            self._opened[run] += 1
            slot = min(int(self._opened[run]), MAX_RESTARTS)
            self._n[run, slot], self._k[run, slot] = total, bad


def _log_likelihood_ratio(n: IntArray, k: IntArray, p0: float) -> NDArray[np.float64]:
    """Log likelihood at the observed share over that at the limit, 0 below it: no mixture can be above it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hits, misses = k * np.log(k / n / p0), (n - k) * np.log((n - k) / n / (1 - p0))
    return np.where(k > n * p0, np.nan_to_num(hits) + np.nan_to_num(misses), 0.0)


def _per_interval(counted: Counted, interval_s: float) -> tuple[IntArray, IntArray, IntArray]:
    """Sum looks up to check intervals; also the look at which each check is made."""
    each = max(1, round(interval_s / counted.look_s))
    starts = np.arange(0, counted.looks - each + 1, each)
    if not len(starts):
        empty = np.zeros((counted.runs, 1), dtype=np.int64)
        return empty, empty, np.zeros(1, dtype=np.int64)
    used = starts[-1] + each
    total, bad = (np.add.reduceat(x[:, :used], starts, axis=1) for x in (counted.total, counted.bad))
    return total, bad, starts + each - 1


def _first(reached: NDArray[np.bool_], check_looks: IntArray) -> IntArray:
    first: IntArray = np.where(reached.any(axis=1), check_looks[reached.argmax(axis=1)], NEVER)
    return first
