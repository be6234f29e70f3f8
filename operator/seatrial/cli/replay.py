"""``seatrial replay``: an SLO and a strategy run against recorded Prometheus data, by the operator's own judgement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from seatrial.api.trial import Plan, Trial, VersionRef
from seatrial.cli.formats import DURATION, MOMENT, output_option, print_json, prometheus_options, screen, seconds
from seatrial.cli.manifests import Deployment, Manifests, planned_of, read_manifests
from seatrial.cli.recording import Recording, Tally, read_live, read_recording, versions
from seatrial.judge.judge import SEVERITY
from seatrial.judge.sentences import significant
from seatrial.judge.types import Verdict
from seatrial.metrics.connection import ConnectionFolder, FixedConnection, Misconfigured
from seatrial.metrics.counting import counting
from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.types import Measurements
from seatrial.rollout.counts import open_step, request_for
from seatrial.rollout.evidence import weigh
from seatrial.rollout.planned import sli_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective
    from seatrial.metrics.connection import Connections

__all__ = ["Ending", "Judged", "Replay", "replay", "replay_command"]


class Ending(StrEnum):
    """How the replayed trial ended."""

    RolledBack = "RolledBack"
    Promoted = "Promoted"
    Undecided = "Undecided"
    """The recording ended first."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The last word on an objective, as the status of a ModelDeployment has it."""

    slo: str
    objective: str
    verdict: str
    sentence: str
    total: int
    bad: int
    e_value: float
    threshold: float
    dispersion: float

    @classmethod
    def of(cls, entry: ObjectiveEvidence) -> Judged:
        """Take what matters of an entry of the status."""
        return cls(**{name: getattr(entry, name) for name in cls.__slots__})


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
    judgements: tuple[Judged, ...]


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
    help="Raw samples: the JSON that Prometheus answers to a range selector, such as my_requests_total[1h].",
)
@prometheus_options
@click.option("--start", type=MOMENT, help="With Prometheus: from when, 2026-03-01T12:00:00Z, or 2h ago.")
@click.option("--end", type=MOMENT, default="0s", help="With Prometheus: until when; until now by default.")
@click.option("--candidate", help="Hash of the version on trial; the youngest one in the samples by default.")
@click.option("--stable", help="Hash of the stable version; the one before it by default.")
@click.option("--look", type=DURATION, default="5s", show_default=True, help="Interval between looks.")
@click.option("--fresh", type=DURATION, default="30s", show_default=True, help="Age at which a sample is too old.")
@output_option
def replay_command(  # noqa: PLR0913 - one parameter for each option
    *,
    files: tuple[Path, ...],
    samples: Path | None,
    url: str | None,
    folder: Path | None,
    start: float | None,
    end: float,
    candidate: str | None,
    stable: str | None,
    look: float,
    fresh: float,
    output: str,
) -> None:
    """Tell when a recorded version would have been rolled back or promoted.

    The requests are those of the recording, whatever weights the route had then; steps of weight take their duration
    and minRequests from the strategy, steps of other kinds are passed over.
    """
    try:
        manifests = read_manifests(files)
        deployment = _only(manifests)
        planned = [one for one, _ in planned_of(deployment, manifests)]
        if samples is not None:
            recording = read_recording(samples)
        elif (url or folder) and start is not None:
            recording = read_live(
                [counting(sli_of(one)) for one in planned],
                (deployment.namespace, deployment.name),
                _connections(url, folder),
                (start, end),
                shown=output == "text",
            )
        else:
            raise click.UsageError("give --samples with a file, or --prometheus and --start")
        mine, theirs = _sides(recording, candidate, stable)
        found = replay(deployment, planned, recording, mine, theirs, look_s=look, fresh_s=fresh)
    except (Unavailable, BadQuery) as error:
        raise click.ClickException(str(error)) from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if output == "json":
        print_json(found)
    else:
        _show(found)


def _connections(url: str | None, folder: Path | None) -> Connections:
    try:
        return ConnectionFolder(folder, url) if folder else FixedConnection(str(url))
    except Misconfigured as error:
        raise ValueError(str(error)) from None


def replay(  # noqa: PLR0913 - each is a fact of the recording
    deployment: Deployment,
    planned: Sequence[PlannedObjective],
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
    deployment, planned
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
        When an objective cannot be judged or has no series in the recording, or no step has weight.
    """
    begin_s = versions(recording)[candidate]
    end_s = max(series.samples[-1][0] for series in recording)
    sides = [version for version in (candidate, stable) if version]
    tallies: dict[tuple[str, str], Tally] = {}
    trial = _trial(deployment, planned, candidate, begin_s - look_s)
    passed: list[float] = []
    step_s, now_s = begin_s, begin_s
    while now_s <= end_s:
        # What means are counted from is known only once the edges are: everything is counted from the beginning.
        for sli in request_for(deployment.namespace, deployment.name, candidate, stable or "", trial).slis:
            for version in sides:
                if (version, sli.name) not in tallies:
                    tallies[version, sli.name] = Tally(sli, version, recording, begin_s - look_s)
        readings = {key: tally.at(now_s) for key, tally in tallies.items()}
        seen = Measurements(now_s, None, readings, {})
        trial = replace(trial, evidence=weigh(trial, candidate, stable or "", seen, fresh_s=fresh_s))
        worst = min((Verdict(entry.verdict) for entry in trial.evidence), key=SEVERITY.index)
        if worst is Verdict.Burning:
            return _ended(trial, stable, Ending.RolledBack, now_s, begin_s, passed)
        if worst is Verdict.Healthy and now_s - step_s >= trial.plan.steps[len(passed)].lasts_s:
            passed.append(now_s)
            if len(passed) == len(trial.plan.steps):
                return _ended(trial, stable, Ending.Promoted, now_s, begin_s, passed)
            step_s, opened = now_s, tuple(open_step(entry, now_s) for entry in trial.evidence)
            trial = replace(trial, step_index=len(passed), evidence=opened)
        now_s += look_s
    return _ended(trial, stable, Ending.Undecided, end_s, begin_s, passed)


def _ended(
    trial: Trial, stable: str | None, ending: Ending, at_s: float, begin_s: float, passed: list[float]
) -> Replay:
    judged = tuple(Judged.of(entry) for entry in trial.evidence)
    return Replay(trial.version.hash, stable, ending, at_s, at_s - begin_s, tuple(passed), judged)


def _trial(deployment: Deployment, planned: Sequence[PlannedObjective], candidate: str, since_s: float) -> Trial:
    """Make the trial as it stood when the candidate got its first weight."""
    strategy = deployment.spec.strategy
    steps = tuple(step for step in strategy.steps if step.weight is not None)
    if not steps:
        raise ValueError("no step of the strategy gives the candidate weight, so there is nothing to replay")
    plan = Plan(steps, strategy.warm_up, strategy.ready_deadline, strategy.drain, tuple(planned), strategy.strict)
    return Trial(VersionRef(candidate, deployment.spec.model.version), since_s, plan, weighted_at=since_s)


def _only(manifests: Manifests) -> Deployment:
    if len(manifests.deployments) != 1:
        raise ValueError(f"give the file of one ModelDeployment, not of {len(manifests.deployments)}")
    return manifests.deployments[0]


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
        table.add_row(f"{j.slo}/{j.objective}", j.verdict, *row)
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
