"""How a status looks in a terminal: pure functions from a status to tables and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seatrial.api.status import UNDERWAY, Phase
from seatrial.cli.plugin.evidence import evidence
from seatrial.cli.plugin.tables import plain_table, styled
from seatrial.cli.plugin.view import age, clock_time, row
from seatrial.rollout.retrain import waiting, waits
from seatrial.rollout.steps import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from seatrial.api.drift import DriftStatus
    from seatrial.api.trial import Trial
    from seatrial.cli.plugin.view import View

__all__ = ["details", "headline", "history", "listing", "steps", "versions"]


def listing(views: Sequence[View], now_s: float, *, everywhere: bool = False) -> RenderableType:
    """Make the table of ``get``: one line for each ModelDeployment."""
    names = ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANDIDATE", "VERDICT", "BUDGET", "AGE"]
    table = plain_table(*(["NAMESPACE", *names] if everywhere else names))
    for view in views:
        shown = row(view)
        cells: list[str | Text] = [shown["namespace"]] if everywhere else []
        cells += [shown["name"], styled(shown["phase"]), shown["step"], str(shown["weight"])]
        cells += [shown["stable"], shown["candidate"], styled(shown["verdict"]), shown["budget"]]
        table.add_row(*cells, age(now_s - view.created_s))
    return table


def headline(view: View) -> Text:
    """Say in one paragraph what goes on."""
    text = Text.assemble((f"{view.namespace}/{view.name}", "bold"), ": ", styled(view.status.phase.value))
    if not view.current:
        text.append(" (the operator has not seen the newest spec yet)", "yellow")
    text.append(f"\n{view.status.summary or 'nothing is known yet'}")
    if view.observing:
        text.append("\nmode observe: verdicts are told, nothing is held or rolled back", "yellow")
    return text


def versions(view: View) -> RenderableType:
    """Make the table of versions: who serves what, and how soon one could go back."""
    status = view.status
    table = Table.grid(padding=(0, 3, 0, 0))
    shares = {}
    if status.candidate and status.phase is not Phase.DEPLOYING:
        shares = {status.candidate.hash: status.weight}
    if status.stable:
        rest = 100 - sum(shares.values())
        table.add_row("stable", status.stable.label, status.stable.hash, f"{rest} % of the requests")
    if status.candidate:
        share = shares.get(status.candidate.hash, 0)
        table.add_row("candidate", status.candidate.label, status.candidate.hash, f"{share} % of the requests")
    for drained in status.draining:
        kept = "; then kept without pods" if drained.keep else ""
        table.add_row("draining", drained.label, drained.hash, f"answers what is in flight{kept}")
    for former in status.kept:
        since = f"without pods since {clock_time(former.since)}; a rollback to it has to start them first"
        if status.label_watch and status.label_watch.former.hash == former.hash:
            since += f"; kept for late labels until {clock_time(status.label_watch.until)}"
        table.add_row("kept", former.label, former.hash, since)
    for quarantined in status.quarantined:
        label = next((entry.label for entry in status.history if entry.hash == quarantined), "")
        table.add_row("quarantined", label, quarantined, "was rolled back; `retry` lets it be tried again")
    if status.way_back:
        table.add_row("way back", "", "", f"instant rollback: {status.way_back.sentence}")
    return table


def steps(view: View) -> RenderableType | None:
    """Make the list of the trial's steps, with a mark at the one where it stands; None without a trial."""
    status, trial = view.status, view.status.trial
    if not trial or trial.returning or status.phase not in UNDERWAY:
        return None  # a version that is returned to takes no steps
    at = {Phase.STARTING: -1, Phase.TRIAL: trial.step_index}.get(status.phase, len(trial.plan.steps))
    table = Table.grid(padding=(0, 2, 0, 0))
    for index in range(len(trial.plan.steps)):
        mark = "✓" if index < at else "▶" if index == at else "·"
        said = Text(described(trial.plan.steps, index))
        if index == at:
            said = Text.assemble(said, _progress(trial))
        table.add_row(mark, str(index + 1), said)
    if trial.plan.watch:
        mark = "▶" if status.phase is Phase.WATCHING else "·"
        since = _since(trial) if status.phase is Phase.WATCHING else ""
        late = f", then by labels until {age(trial.plan.watch.labels)}" if trial.plan.watch.labels else ""
        table.add_row(mark, "", f"is watched with all requests for {age(trial.plan.watch.for_)}{late}{since}")
    return table


def _since(trial: Trial) -> str:
    return f", since {clock_time(trial.step_since)}" if trial.step_since else ""


def _progress(trial: Trial) -> str:
    """Say what a step has come to."""
    said = [_since(trial)]
    if trial.approvals:
        said.append(f"; {', '.join(trial.approvals)} said promote")
    if trial.check:
        said.append(f"; {trial.check.state.lower()}: {trial.check.sentence}")
    if trial.experiment:
        said.append(f"; {trial.experiment.sentence}")
    return "".join(said)


def history(view: View) -> RenderableType:
    """Make the tables of ``history``: how versions fared, what was decided and what people asked for."""
    status = view.status
    fates = plain_table("ENDED", "VERSION", "HASH", "OUTCOME", "TOOK", "WHY")
    for entry in status.history:
        took = age(entry.ended_at - entry.started_at)
        fates.add_row(clock_time(entry.ended_at), entry.label, entry.hash, styled(entry.outcome), took, entry.sentence)
    parts: list[RenderableType] = [_titled("Versions", fates)]
    if status.decisions:
        parts.append(_titled("Decisions", decisions(view, len(status.decisions))))
    if status.answers:
        parts.append(_titled("Commands", commands(view)))
    return Group(*parts)


def decisions(view: View, most: int) -> Table:
    """Make the table of the last decisions."""
    table = plain_table("AT", "DECISION", "WEIGHT", "WHY")
    for entry in view.status.decisions[:most]:
        table.add_row(clock_time(entry.at), styled(entry.event), f"{entry.weight} %", entry.sentence)
    return table


def commands(view: View) -> Table:
    """Make the table of commands and what came of them."""
    table = plain_table("AT", "COMMAND", "BY", "OUTCOME", "WHAT CAME OF IT")
    for entry in view.status.answers:
        by = entry.by if entry.verified else f"{entry.by} (unverified)"
        said = entry.sentence + (f" ({entry.reason})" if entry.reason else "")
        table.add_row(clock_time(entry.at), entry.verb.value, by, styled(entry.outcome), said)
    return table


def _holds(view: View) -> RenderableType | None:
    said = []
    for what, hold in (
        ("paused", view.status.paused),
        ("overridden", view.status.override),
        ("switched to the fallback", view.status.fallback),
    ):
        if hold:
            until = f" until {clock_time(hold.until)}" if hold.until else ""
            why = f": {hold.reason}" if hold.reason else ""
            said.append(f"{what} by {hold.by} at {clock_time(hold.at)}{until}{why}")
    return Text("\n".join(said)) if said else None


def _drift(view: View) -> RenderableType | None:
    found = view.status.drift
    if not found:
        return None
    said = f"{found.sentence} (looked at {clock_time(found.at)})"
    features = Table.grid(padding=(0, 3, 0, 0))
    for feature in found.features:
        shapes = f"{feature.shape} against {feature.reference_shape}" if feature.shape else ""
        features.add_row(f"  {shapes}", feature.sentence)
    return Group(said, features, *(Text(line) for line in _retraining(found)))


def _retraining(found: DriftStatus) -> Iterator[str]:
    incident = found.incident
    if incident:
        until = f"closed at {clock_time(incident.closed_at)}" if incident.closed_at else "open"
        yield (
            f"incident {incident.cause}, began at {clock_time(incident.since)}, confirmed at "
            f"{clock_time(incident.confirmed_at)}, {until}"
        )
    if call := waiting(found):
        yield waits(call)
    elif found.retrained:
        newest = found.retrained[0]
        yield f"retraining {newest.state.lower()} at {clock_time(newest.at)}: {newest.sentence}"


def _labels(view: View) -> RenderableType | None:
    found = view.status.labels
    if not found:
        return None
    said = f"{found.sentence} (looked at {clock_time(found.at)})"
    return Group(said, *(Text(f"  {finding.name}: {finding.sentence}") for finding in found.findings))


def _conditions(view: View) -> RenderableType:
    table = plain_table("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE")
    for found in view.status.conditions:
        style = "" if found.status != "False" or found.type == "Progressing" else "red"
        status = Text(found.status, style=style)
        table.add_row(found.type, status, found.reason, clock_time(found.last_transition_time), found.message)
    return table


def _titled(title: str, what: RenderableType) -> RenderableType:
    return Group(Text(f"\n{title}", style="bold underline"), what)


def details(view: View) -> RenderableType:
    """Make all that ``describe`` shows."""
    status = view.status
    judged = evidence(status.trial) if status.trial and status.trial.evidence else None
    untaken = status.trial.would_have_rolled_back if status.trial else None
    sections: list[tuple[str, RenderableType | None]] = [
        ("Versions", versions(view)),
        ("Held by people", _holds(view)),
        ("Steps", steps(view)),
        ("Evidence" if status.candidate else "Evidence of the last trial", judged),
        ("Late labels", evidence(late.trial) if (late := status.label_watch) else None),
        ("Would have been rolled back", Text(untaken.sentence) if untaken else None),
        ("Drift", _drift(view)),
        ("Labels", _labels(view)),
        ("Last decisions", decisions(view, 5) if status.decisions else None),
        ("Commands", commands(view) if status.answers else None),
        ("Conditions", _conditions(view)),
    ]
    return Group(headline(view), *(_titled(title, what) for title, what in sections if what))
