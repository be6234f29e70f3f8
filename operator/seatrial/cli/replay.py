"""``seatrial replay``: an SLO and a strategy run against recorded Prometheus data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from seatrial.cli.formats import DURATION, output_option, print_json, screen, seconds
from seatrial.cli.manifests import Deployment, Manifests, objectives_of, read_manifests
from seatrial.cli.recording import Recording, Tally, read_recording, versions
from seatrial.judge.judge import judge, overall
from seatrial.judge.restart import next_restart, retire
from seatrial.judge.sentences import significant
from seatrial.judge.types import Counts, Evidence, Judgement, Objective, Verdict
from seatrial.metrics.types import Sli

if TYPE_CHECKING:
    from seatrial.api.strategy import Step

__all__ = ["Ending", "Replay", "replay", "replay_command"]


class Ending(StrEnum):
    """How the replayed trial ended."""

    RolledBack = "RolledBack"
    Promoted = "Promoted"
    Undecided = "Undecided"
    """The recording ended first."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What would have happened.

    ``at_s`` is the Unix time of the end and ``after_s`` the seconds since the candidate's first sample; ``passed``
    are the Unix times at which steps were passed; ``judgements`` the last ones.
    """

    candidate: str
    stable: str | None
    ending: Ending
    at_s: float
    after_s: float
    passed: tuple[float, ...]
    judgements: tuple[Judgement, ...]


class _Side:
    """The counts of one objective on both sides, and its restart points."""

    def __init__(self, candidate: Tally, stable: Tally | None) -> None:
        self._candidate, self._stable = candidate, stable
        self._since: tuple[Counts, ...] = ()
        self._stable_since: tuple[Counts, ...] = ()
        self._retired = 0
        self.total = 0

    def look(self, now_s: float, fresh_s: float) -> Evidence:
        mine = self._candidate.at(now_s)
        theirs = self._stable.at(now_s) if self._stable else None
        self.total = mine.total
        newest_s = self._candidate.newest_s
        return Evidence(
            candidate=mine,
            since=self._since,
            stable=theirs,
            stable_since=self._stable_since,
            fresh=newest_s is not None and now_s - newest_s <= fresh_s,
            retired=self._retired,
        )

    def restart(self, evidence: Evidence, *, step: bool) -> None:
        """Set a restart point, if a step begins or it is time for one."""
        last = self._since[-1].total if self._since else 0
        if not step and not next_restart(evidence.candidate.total - last):
            return
        stable_since = (*self._stable_since, evidence.stable) if evidence.stable else ()
        self._since, self._stable_since, surplus = retire((*self._since, evidence.candidate), stable_since)
        self._retired += surplus


@click.command("replay")
@click.option(
    "-f",
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    multiple=True,
    help="File with the ModelDeployment and its ModelSLO; may be given several times.",
)
@click.option(
    "--samples",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Raw samples: the JSON that Prometheus answers to a range selector, such as my_requests_total[1h].",
)
@click.option("--candidate", help="Hash of the version on trial; the youngest one in the samples by default.")
@click.option("--stable", help="Hash of the stable version; the one before it by default.")
@click.option("--look", type=DURATION, default="5s", show_default=True, help="Interval between looks.")
@click.option("--fresh", type=DURATION, default="30s", show_default=True, help="Age at which a sample is too old.")
@output_option
def replay_command(  # noqa: PLR0913 - one parameter for each option
    *,
    files: tuple[Path, ...],
    samples: Path,
    candidate: str | None,
    stable: str | None,
    look: float,
    fresh: float,
    output: str,
) -> None:
    """Tell when a recorded version would have been rolled back or promoted.

    The requests are those of the recording, whatever weights the route had then; steps take their duration and
    minRequests from the strategy.
    """
    try:
        manifests = read_manifests(files)
        deployment = _only(manifests)
        recording = read_recording(samples)
        mine, theirs = _sides(recording, candidate, stable)
        found = replay(deployment, manifests, recording, mine, theirs, look_s=look, fresh_s=fresh)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if output == "json":
        print_json(found)
    else:
        _show(found)


def replay(  # noqa: PLR0913 - each is a fact of the recording
    deployment: Deployment,
    manifests: Manifests,
    recording: Recording,
    candidate: str,
    stable: str | None,
    *,
    look_s: float,
    fresh_s: float,
) -> Replay:
    """Walk through a recording as the operator would have.

    Parameters
    ----------
    deployment, manifests
        The strategy and the objectives.
    recording
        Raw samples.
    candidate, stable
        Hashes of both versions; ``stable`` may be ``None``.
    look_s
        Seconds between looks.
    fresh_s
        Age in seconds at which a sample no longer speaks for now.

    Raises
    ------
    ValueError
        When an objective cannot be judged or has no series in the recording.
    """
    objectives = [objective for objective, _ in objectives_of(deployment, manifests)]
    begin_s = versions(recording)[candidate]
    end_s = max(series.samples[-1][0] for series in recording)
    sides = [
        _Side(
            Tally(sli, candidate, recording, begin_s - look_s),
            Tally(sli, stable, recording, begin_s - look_s) if stable else None,
        )
        for sli in _slis(deployment, manifests)
    ]
    steps = deployment.spec.strategy.steps
    passed: list[float] = []
    step_total, step_s, now_s = [0] * len(sides), begin_s, begin_s
    judgements: tuple[Judgement, ...] = ()
    while now_s <= end_s:
        evidence = [side.look(now_s, fresh_s) for side in sides]
        judgements = _judge(objectives, evidence, steps[len(passed)], sides, step_total)
        worst = overall(judgements).verdict
        over = worst is Verdict.Healthy and now_s - step_s >= steps[len(passed)].lasts_s
        if over:
            passed.append(now_s)
            step_total, step_s = [side.total for side in sides], now_s
        if worst is Verdict.Burning or len(passed) == len(steps):
            ending = Ending.RolledBack if worst is Verdict.Burning else Ending.Promoted
            return Replay(candidate, stable, ending, now_s, now_s - begin_s, tuple(passed), judgements)
        for side, seen in zip(sides, evidence, strict=True):
            side.restart(seen, step=over)
        now_s += look_s
    return Replay(candidate, stable, Ending.Undecided, end_s, end_s - begin_s, tuple(passed), judgements)


def _judge(
    objectives: list[Objective], evidence: list[Evidence], step: Step, sides: list[_Side], step_total: list[int]
) -> tuple[Judgement, ...]:
    in_step = [side.total - before for side, before in zip(sides, step_total, strict=True)]
    return judge(objectives, evidence, min_requests=step.min_requests, step_total=in_step)


def _only(manifests: Manifests) -> Deployment:
    if len(manifests.deployments) != 1:
        raise ValueError(f"give the file of one ModelDeployment, not of {len(manifests.deployments)}")
    return manifests.deployments[0]


def _slis(deployment: Deployment, manifests: Manifests) -> list[Sli]:
    return [
        Sli.declared(o.name, o.sli)
        for reference in deployment.spec.slos
        for o in manifests.slos[deployment.namespace, reference.name].objectives
    ]


def _sides(recording: Recording, candidate: str | None, stable: str | None) -> tuple[str, str | None]:
    known = versions(recording)
    for version in (candidate, stable):
        if version and version not in known:
            raise ValueError(f"the samples have no version {version}; they have {', '.join(known) or 'none'}")
    if not known:
        raise ValueError("the samples carry no label rollout_version, so nobody can tell whose they are")
    mine = candidate or list(known)[-1]
    before = [version for version in known if version != mine and known[version] <= known[mine]]
    return mine, stable or (before[-1] if before else None)


def _show(found: Replay) -> None:
    beside = f" beside {found.stable}" if found.stable else ""
    table = Table(title=f"Version {found.candidate}{beside}")
    for heading in ("objective", "verdict", "requests", "bad", "e-value", "of", "why"):
        table.add_column(heading)
    for j in found.judgements:
        row = (f"{j.total:,}", f"{j.bad:,}", significant(j.e_value), significant(j.threshold), j.sentence)
        table.add_row(f"{j.slo}/{j.objective}", j.verdict.value, *row)
    console = screen()
    for number, at_s in enumerate(found.passed, start=1):
        console.print(f"{_clock(at_s)}  step {number} passed")
    says = {
        Ending.RolledBack: "would have been rolled back",
        Ending.Promoted: "would have been promoted",
        Ending.Undecided: "was neither rolled back nor promoted when the samples ended",
    }
    console.print(f"{_clock(found.at_s)}  {says[found.ending]}, {seconds(found.after_s)} after its first sample")
    console.print(table)


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
