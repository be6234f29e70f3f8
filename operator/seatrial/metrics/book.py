"""All that is counted of one version: a ledger for each SLI, the health of its scrape targets, and what is wrong."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from seatrial.metrics import targets
from seatrial.metrics.counting import Counting, Weights, counting
from seatrial.metrics.ledger import Ledger
from seatrial.metrics.targets import Scraped, Target, Targets, pod_of, scraped
from seatrial.metrics.types import Checkpoint, Reading, Request, Sli

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Series = tuple[tuple[str, str], ...]

# How many handed-out checkpoints are remembered to recognise one that comes back; an older one only costs a new read.
_REMEMBERED: Final = 32
# For so long a server may have counted a good request that it hasn't counted at all, before the selectors are doubted.
_EXCESS_S: Final = 60.0


class Owner(NamedTuple):
    """Whose requests: the three labels that Prometheus puts on every series of a version's pods."""

    namespace: str
    rollout: str
    version: str


@dataclass(slots=True)
class Account:
    """One SLI of one version."""

    sli: Sli
    counting: Counting | None
    ledger: Ledger
    problem: str | None = None
    """Why it will never be counted."""
    passing: str | None = None
    """Why it can't be counted yet; the next look tries again."""
    note: str | None = None
    """Which edge counts instead of the threshold."""
    edges: tuple[str, ...] = ()
    """All edges of the histogram as thresholds, where they are wanted and once they are known."""
    has_part: bool = False
    sources: dict[str, dict[Scraped, float]] = field(default_factory=dict)
    handed_out: deque[Checkpoint] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


@dataclass(slots=True)
class _Route:
    """Where the samples of a series go: to the accounts that it counts for."""

    target: Target
    ways: tuple[tuple[Account, Weights], ...]
    newest_s: float = float("-inf")


class Book:
    """The accounts of one version.

    Parameters
    ----------
    owner
        Whose requests.
    slis, since
        What to count, and from where, by name of the SLI.
    fresh_s
        Age in seconds at which a scrape target counts as gone.
    """

    def __init__(self, owner: Owner, slis: Iterable[Sli], since: Mapping[str, Checkpoint], fresh_s: float) -> None:
        self.owner = owner
        self.joined = False
        """Whether everything since the checkpoints has been read, so that only news are missing."""
        self.answered = False
        """Whether a look has been made for it."""
        self.readings: Mapping[str, Reading] = {}
        """By name of the SLI, as of the last publication."""
        self._fresh_s = fresh_s
        self._targets = Targets(fresh_s)
        self._accounts = {sli.name: _open(sli, since[sli.name]) for sli in slis}
        self._routes: dict[Series, _Route] = {}
        self._scrapes: set[float] = set()
        self.publish()
        self.answered = False

    @classmethod
    def of(cls, request: Request, version: str, fresh_s: float) -> Book:
        """Open the book that a request asks for."""
        owner = Owner(request.namespace, request.rollout, version)
        return cls(owner, request.slis, {sli.name: request.since[version, sli.name] for sli in request.slis}, fresh_s)

    def answers(self, request: Request) -> bool:
        """Tell whether this book counts what is asked for: the same SLIs, from checkpoints that it knows."""
        if tuple(account.sli for account in self._accounts.values()) != request.slis:
            return False
        return all(
            request.since[self.owner.version, name] in account.handed_out for name, account in self._accounts.items()
        )

    @property
    def countings(self) -> Iterator[Counting]:
        """What must be read for this book."""
        return (a.counting for a in self._accounts.values() if a.counting is not None and a.problem is None)

    @property
    def origin_s(self) -> float | None:
        """Unix time from which this book must be read; None when there is nothing to count."""
        return min((a.ledger.checkpoint.at_s for a in self._accounts.values()), default=None)

    def feed(self, labels: Mapping[str, str], samples: Sequence[tuple[float, str]], *, born_at_zero: bool) -> None:
        """Take the samples of one series of this version, oldest first; known ones may come again.

        Of a range, ``up`` and the start of the process come first: they tell when counters began again.
        """
        match labels["__name__"]:
            case targets.UP:
                self._scrapes.update(self._targets.add(labels, samples))
            case targets.START:
                self._targets.add_starts(labels, samples)
            case _:
                self._count(labels, samples, born_at_zero=born_at_zero)

    def _count(self, labels: Mapping[str, str], samples: Sequence[tuple[float, str]], *, born_at_zero: bool) -> None:
        series: Series = tuple(labels.items())
        route = self._routes.get(series)
        if route is None:
            route = self._routes[series] = _Route(self._targets.of(labels), tuple(self._ways(labels)))
        # Most series of a look have nothing new: a look is more frequent than a scrape and reaches further back.
        if samples[-1][0] <= route.newest_s:
            return
        route.newest_s = samples[-1][0]
        for account, weights in route.ways:
            account.ledger.add(series, weights, samples, reborn=route.target.reborn, born_at_zero=born_at_zero)
            if account.counting and account.counting.elsewhere:  # these go on when the version's pods are gone
                self._scrapes.update(at_s for at_s, _ in samples)
            account.sources.setdefault(pod_of(labels), {})[scraped(labels)] = route.newest_s

    def without_edge(self) -> Iterator[tuple[Account, Counting]]:
        """Accounts that count requests while the bucket they compare with is nowhere to be seen, and how they count."""
        for account in self._accounts.values():
            how = account.counting
            news = account.ledger.total > account.ledger.checkpoint.total
            if how is not None and how.part.edge is not None and news and not account.has_part:
                yield account, how

    def refuse(self, account: Account, problem: str) -> None:
        """Stop counting an SLI; its counts fall back to the last settled ones."""
        account.problem = problem
        account.ledger = Ledger(account.ledger.checkpoint)
        self._routes.clear()

    def refuse_metric(self, metric: str, problem: str) -> None:
        """Stop counting whatever is counted by a metric."""
        for account in self._accounts.values():
            if account.counting and metric in account.counting.metrics:
                self.refuse(account, problem)

    def without_spread(self) -> Iterator[tuple[Account, Counting]]:
        """Accounts that have events and want to know the edges of their histogram, and how they count."""
        for account in self._accounts.values():
            if account.counting and account.counting.spread and account.ledger.total and not account.edges:
                yield account, account.counting

    def recount(self, account: Account, how: Counting, note: str | None) -> None:
        """Count an SLI at another edge, and read again what isn't settled of it."""
        account.counting, account.note = how, note
        self.reread(account)

    def reread(self, account: Account, passing: str | None = None) -> None:
        """Forget what isn't settled of an SLI, so that the next look reads it again."""
        account.ledger = Ledger(account.ledger.checkpoint)
        account.passing = passing
        account.has_part = False
        self._routes.clear()
        self.joined = False

    def try_again(self) -> None:
        """Give SLIs that could not be counted yet another chance."""
        for account in self._accounts.values():
            account.passing = None

    def rewind(self) -> None:
        """Forget everything that isn't settled, so that the next look reads it again."""
        self._targets = Targets(self._fresh_s)
        for account in self._accounts.values():
            self.reread(account)

    def settle(self, up_to_s: float) -> None:
        """Move the checkpoints to the newest scrape that is not after ``up_to_s``, by when every scrape is visible.

        To a scrape and no further, so that each series has a sample close before its checkpoint to start from again.
        """
        settled = {at_s for at_s in self._scrapes if at_s <= up_to_s}
        self._targets.trim()
        if settled:
            self._scrapes -= settled
            for account in self._accounts.values():
                if not account.problem and not account.passing:
                    account.ledger.settle(max(settled))

    def publish(self) -> None:
        """Make the counts so far what callers get."""
        self.answered = True
        self.readings = {name: self._reading(account) for name, account in self._accounts.items()}

    def targets_up(self, now_s: float) -> int:
        """Count the pods that Prometheus scrapes successfully right now."""
        return self._targets.up(now_s)

    def _ways(self, labels: Mapping[str, str]) -> Iterator[tuple[Account, Weights]]:
        for account in self._accounts.values():
            weights = account.counting.weights(labels) if account.counting and account.problem is None else None
            if account.counting and weights:
                account.has_part = account.has_part or account.counting.part.accepts(labels)
                yield account, weights

    def _reading(self, account: Account) -> Reading:
        ledger = account.ledger
        if not account.handed_out or account.handed_out[-1] != ledger.checkpoint:
            account.handed_out.append(ledger.checkpoint)
        problem = account.problem or account.passing or ledger.fault or self._twice(account) or self._excess(account)
        return Reading(
            total=ledger.total,
            bad=ledger.bad,
            last_sample_s=self._newest_s(account),
            checkpoint=ledger.checkpoint,
            problem=problem,
            clustering=ledger.clustering,
            edge=account.counting.part.edge if account.counting and account.has_part else None,
            note=account.note,
            edges=account.edges,
        )

    def _newest_s(self, account: Account) -> float | None:
        """Say how fresh the counts are: as fresh as the scrapes of whoever exposes them."""
        if account.counting is None or not account.counting.elsewhere:
            return self._targets.last_healthy_s
        # No ``up`` of a gateway names the version, and its series are there at every scrape once they are born.
        return max((at_s for places in account.sources.values() for at_s in places.values()), default=None)

    def _twice(self, account: Account) -> str | None:
        newest = self._targets.last_healthy_s or 0.0
        for pod, sources in account.sources.items():
            if len(sources) > 1:
                alive = sorted(source for source, at_s in sources.items() if newest - at_s < self._fresh_s)
                if len(alive) > 1:
                    places = " and ".join(f"{source.instance} (job {source.job})" for source in alive)
                    return f"pod {pod} is scraped twice, at {places}: each of its requests would count twice"
        return None

    def _excess(self, account: Account) -> str | None:
        ledger = account.ledger
        behind_s = (self._targets.last_healthy_s or 0.0) - ledger.checkpoint.at_s
        if ledger.excess == 0 or behind_s < _EXCESS_S:
            return None
        return (
            f"more requests are good than there are: by {ledger.excess} of {ledger.total}; "
            f"what the selector good counts must be a part of what total counts"
        )


def owner_of(labels: Mapping[str, str]) -> Owner:
    """Say whose requests a series counts."""
    return Owner(labels.get("namespace", ""), labels.get("rollout_name", ""), labels.get("rollout_version", ""))


def _open(sli: Sli, checkpoint: Checkpoint) -> Account:
    try:
        how, problem = counting(sli), None
    except ValueError as error:
        how, problem = None, str(error)
    return Account(sli, how, Ledger(checkpoint), problem)
