"""`seatrial sli`: which templates there are, what they count, and whether they find anything on a live Prometheus."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from seatrial.api.fields import parse_threshold
from seatrial.api.templates import MEANINGS
from seatrial.cli.formats import DURATION, output_option, print_json, prometheus_options, screen, seconds
from seatrial.cli.manifests import read_manifests
from seatrial.metrics.connection import ConnectionFolder, FixedConnection
from seatrial.metrics.errors import BadQuery, Unavailable
from seatrial.metrics.probe import Finding, Rollout, probe, recognise
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.templates import Histogram, server_of, servers
from seatrial.metrics.types import Sli

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.metrics.templates import Server

__all__ = ["sli_group"]

_NOTHING_WORKS = 1


@click.group("sli")
def sli_group() -> None:
    """SLI templates: list them, explain them, try them on a live Prometheus."""


@sli_group.command("list")
@output_option
def list_command(output: str) -> None:
    """List servers and gateways, and what their metrics can tell of one version."""
    if output == "json":
        print_json([_described(server) for server in servers().values()])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("SERVER", "READ FROM", "ERRORS", "LATENCY", "TEMPLATES", "CHECKED"):
        table.add_column(heading, overflow="fold")
    for name, server in servers().items():
        checked = "ran" if server.verified.startswith("ran") else "documents"
        table.add_row(name, server.source, server.errors, server.latency, ", ".join(server.offered) or "none", checked)
    screen().print(table)


@sli_group.command("show")
@click.argument("server")
@click.argument("template", required=False)
@output_option
def show_command(server: str, template: str | None, output: str) -> None:
    """Explain what the templates of SERVER count, or one TEMPLATE of it."""
    try:
        known = server_of(server)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if template and template not in known.templates and template not in known.instead:
        raise click.UsageError(f"{server} has no template {template}; it offers {', '.join(known.offered) or 'none'}")
    if output == "json":
        print_json(_described(known))
        return
    click.echo(f"{known.server}: {known.title}\nchecked: {known.verified}\nread from: {known.source}")
    if known.needs:
        click.echo(f"needs: {known.needs}")
    for kind, text in known.tokens.items():
        click.echo(f"{kind} tokens: {text}")
    for name in (template,) if template else (*known.offered, *known.instead):
        click.echo("\n" + "\n".join(_explained(known, name)))


@sli_group.command("check")
@prometheus_options
@click.option("-n", "--namespace", required=True, help="Namespace of the ModelDeployment.")
@click.option("--rollout", "name", required=True, help="Name of the ModelDeployment.")
@click.option("--server", help="Server or gateway; recognised by its metrics when absent.")
@click.option("--template", help="One template; all that the server offers when absent.")
@click.option("--threshold", help="Threshold of the template: 250ms, or a number.")
@click.option(
    "--where",
    multiple=True,
    metavar="LABEL=VALUE",
    callback=lambda _context, _parameter, texts: _labels(texts),
    help="Label that the series must have; may come again.",
)
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="ModelSLOs whose objectives to try, instead of templates.",
)
@click.option("--window", type=DURATION, default="5m", show_default=True, help="How far back to count.")
@output_option
def check_command(  # noqa: PLR0913 - one parameter for each option
    *,
    url: str | None,
    folder: Path | None,
    namespace: str,
    name: str,
    server: str | None,
    template: str | None,
    threshold: str | None,
    where: tuple[tuple[str, str], ...],
    files: tuple[Path, ...],
    window: float,
    output: str,
) -> None:
    """Try templates, or the objectives of a ModelSLO, on a live Prometheus.

    Exits 0 when all that was tried can be judged by, 1 when something can't, 2 when Prometheus can't be asked.
    """
    if url is None and folder is None:
        raise click.UsageError("say where Prometheus is: --prometheus http://host:9090, or --prometheus-dir")
    rollout = Rollout(namespace, name, window)
    try:
        declared = _of_manifests(files) if files else None
        limit = parse_threshold(threshold) if threshold else None
        connection = ConnectionFolder(folder, url) if folder else FixedConnection(url or "")
        asked = [Sli("", template, server, limit, where=where)]
        found = asyncio.run(_checked(Prometheus(connection), rollout, declared or asked))
    except (ValueError, Unavailable, BadQuery) as error:
        raise _CannotAsk(str(error)) from None
    if output == "json":
        print_json(found)
    else:
        _show(found, rollout)
    if not found or not all(finding.works for finding in found):
        raise click.exceptions.Exit(_NOTHING_WORKS)


def _labels(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    for text in texts:
        if text.find("=") < 1:
            raise click.BadParameter(f"{text!r} is no label with a value: write LABEL=VALUE, such as feature=amount")
    return tuple(sorted((label, value) for label, _, value in (text.partition("=") for text in texts)))


class _CannotAsk(click.ClickException):
    exit_code = 2


async def _checked(prometheus: Prometheus, rollout: Rollout, slis: Sequence[Sli]) -> list[Finding]:
    try:
        now_s = time.time()
        if slis[0].name:
            return await probe(prometheus, rollout, slis, now_s)
        found = await probe(prometheus, rollout, await _asked(prometheus, rollout, slis[0], now_s), now_s)
        # Servers share names of metrics: of those that were only guessed, the ones that find nothing are none.
        fits = {finding.sli.server for finding in found if finding.seen}
        return [finding for finding in found if slis[0].server or not fits or finding.sli.server in fits]
    finally:
        prometheus.close()


async def _asked(prometheus: Prometheus, rollout: Rollout, asked: Sli, now_s: float) -> list[Sli]:
    """Make the list of what to try: all templates of all servers that are recognised, unless some are named."""
    names = [asked.server] if asked.server else await recognise(prometheus, rollout, now_s)
    if not names:
        raise ValueError(
            f"Prometheus has no metrics of {rollout.namespace}/{rollout.name} that any template knows, with the label "
            f"rollout_version; name a --server to learn more"
        )
    found = []
    for name in names:
        server = server_of(name)
        # Of a server that offers nothing it is said what to use instead.
        for template in (asked.template,) if asked.template else server.offered or server.instead:
            timed = template in MEANINGS and MEANINGS[template].threshold is not None
            threshold = asked.threshold if timed else None
            found.append(Sli(f"{name}/{template}", template, name, threshold, where=asked.where))
    return found


def _of_manifests(files: tuple[Path, ...]) -> list[Sli]:
    slos = read_manifests(files).slos
    if not slos:
        raise ValueError("none of the files holds a ModelSLO")
    return [Sli.declared(f"{name}/{o.name}", o.sli) for (_, name), slo in slos.items() for o in slo.objectives]


def _show(found: Sequence[Finding], rollout: Rollout) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("SLI", "VERSION", "SERIES", f"EVENTS IN {seconds(rollout.window_s)}", "BAD", "GOOD"):
        table.add_column(heading, justify="left" if heading in {"SLI", "VERSION"} else "right")
    for finding in found:
        for seen in finding.seen:
            good = f"{1 - seen.bad / seen.total:.3%}" if seen.total and seen.bad is not None else "-"
            counts = ("-" if count is None else f"{count:,}" for count in (seen.total, seen.bad))
            table.add_row(finding.sli.name, seen.version, str(seen.series), *counts, good)
        if not finding.seen:
            table.add_row(finding.sli.name, "-", "0", "-", "-", "-")
    screen().print(table)
    for finding in found:
        problems = [finding.problem, *(f"version {s.version}: {s.problem}" for s in finding.seen if s.problem)]
        for problem in filter(None, problems):
            click.echo(f"\n{finding.sli.name}: {problem}")
        if finding.note:
            click.echo(f"\n{finding.sli.name}: {finding.note}")
        if finding.edges and not finding.problem:
            click.echo(f"\n{finding.sli.name}: thresholds can be {', '.join(finding.edges)}")


def _explained(server: Server, name: str) -> list[str]:
    if name in server.instead:
        return [f"{name}: not with {server.server}", f"  instead: {server.instead[name]}"]
    template, meaning = server.templates[name], MEANINGS[name]
    lines = [f"{name}: an event is good when {meaning.good}"]
    if isinstance(template, Histogram):
        unit = f" in {template.unit}" if template.unit != "1" else ""
        lines += [f"  all:  {template.buckets} with le=+Inf", f"  good: the same with le = the threshold{unit}"]
    else:
        lines += [f"  {'all' if number == 0 else 'and'}:  {text}" for number, text in enumerate(template.total)]
        lines += [f"  good: {template.good}" if template.good else f"  bad:  {template.bad}"]
    told = {"needs": template.needs, "note": template.note, "where": meaning.example}
    if template.source and template.source != server.source:
        told["read from"] = template.source
    return [*lines, *(f"  {word}: {text}" for word, text in told.items() if text)]


def _described(server: Server) -> dict[str, object]:
    return server.model_dump(mode="json", exclude_none=True)
