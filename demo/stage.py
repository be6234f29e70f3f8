"""What the demo shows in the terminal: a line for each turn of the story, and a table that stays below them."""

import math
import time
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.kubectl import JsonObject
from demo.load import VersionCounts, Window
from demo.timeline import weights

RECENT_S = 5.0
ENDS = ("Stable", "RolledBack")  # the story says these itself, with the reason


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a ModelDeployment stands; a new line is printed when one of these changes."""

    phase: str
    step: str
    weight: int
    verdict: str


def turn(deployment: JsonObject | None) -> Turn:
    """Read the columns of `kubectl get modeldeployments` that tell the story."""
    status = (deployment or {}).get("status", {})
    return Turn(status.get("phase", ""), status.get("step", ""), status.get("weight", 0), status.get("verdict", ""))


def backends(deployment: JsonObject | None) -> dict[str, str]:
    """Map the user's version names to the names of their backends, for all versions that the status remembers."""
    if deployment is None:
        return {}
    status = deployment.get("status", {})
    known = [*status.get("history", []), *filter(None, (status.get("stable"), status.get("candidate")))]
    return {version["label"]: f"{deployment['metadata']['name']}-{version['hash']}" for version in known}


def outcomes(deployment: JsonObject | None) -> dict[str, str]:
    """Read how each version ended that has ended, by the user's version name."""
    history = (deployment or {}).get("status", {}).get("history", [])
    return {entry["label"]: entry["outcome"] for entry in reversed(history)}


def share(part: float) -> str:
    """Write a share as a percentage; nothing when there is none."""
    return "" if math.isnan(part) else f"{part:.0%}"


def version_table(
    titles: dict[str, str], everything: Window, recent: Window, deployment: JsonObject | None, route: JsonObject | None
) -> Table:
    """Build the table: a row for each version of the story, with what clients have got from it so far."""
    table = Table(title="what the clients see", title_justify="left")
    table.add_column("version")
    for heading in ("weight", "req/s", "answers", "failed", "slow", "right"):
        table.add_column(heading, justify="right")
    table.add_column("outcome")
    counts, recently = everything.versions(), recent.versions()
    weight_of, backend_of, ended = weights(route), backends(deployment), outcomes(deployment)
    for version, title in titles.items():
        backend = backend_of.get(version, "")
        weight = weight_of.get(backend)
        rate = recently[version].total / RECENT_S if version in recently else 0.0
        table.add_row(
            f"{version}  {title}",
            "" if weight is None else f"{weight} %",
            f"{rate:.0f}" if rate else "",
            *_cells(counts.get(version)),
            ended.get(version, ""),
        )
    return table


def _cells(counts: VersionCounts | None) -> tuple[str, ...]:
    if counts is None:
        return ("", "", "", "")
    return (str(counts.total), str(counts.failed), str(counts.slow), share(counts.accuracy))


class Stage:
    """Prints lines, and in a terminal keeps the table alive below them; without one it prints the table when asked.

    Parameters
    ----------
    console
        Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._last_turn: Turn | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str, style: str = "") -> None:
        """Print a line of the story with the seconds since its beginning."""
        elapsed_s = time.monotonic() - self._started_s
        line = Text.assemble((f"{elapsed_s:5.0f} s  ", "dim"), (text, style))
        self._console.print(line, highlight=False, soft_wrap=True)

    def follow(self, deployment: JsonObject | None) -> None:
        """Print where the rollout stands when that has changed."""
        now = turn(deployment)
        if now == self._last_turn or not now.phase:
            return
        self._last_turn = now
        if now.phase in ENDS:
            return
        summary = (deployment or {}).get("status", {}).get("summary", "")
        parts = [now.phase, f"step {now.step}" if now.step else "", f"weight {now.weight} %", now.verdict]
        self.say(f"{', '.join(filter(None, parts))}: {summary}", "dim")

    def show(self, table: Table) -> None:
        """Refresh the table below the lines."""
        if self._live:
            self._live.update(table, refresh=True)
