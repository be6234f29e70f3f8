"""``python -m cluster``: a local Kubernetes for the demo, the tests and the benchmarks."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from cluster import diagnose as diagnosis
from cluster import health, image_build, kubectl, levels, lifecycle
from cluster.errors import ClusterError
from cluster.layout import layout_from
from cluster.progress import console, say


@click.group(help=__doc__)
def main() -> None:
    """Collect the commands below."""


@main.command()
@click.option("--level", type=click.Choice(levels.LEVELS), help="Force a level; default: the most real one possible.")
def up(level: str | None) -> None:
    """Give a running cluster; does nothing when the right one runs already."""
    layout = layout_from(os.environ)
    found = levels.obstacles()
    chosen = levels.choose(found, level)
    for sentence in levels.explain(found, chosen):
        console.print(sentence)
    with lifecycle.locked(layout):
        record = lifecycle.up(layout, chosen)
    console.print(
        f"Gateway {record.gateway}, Prometheus {record.prometheus}; reach them by `python -m cluster run -- …`"
    )


@main.command()
def down() -> None:
    """End the cluster; only built programs and images stay in the cache."""
    layout = layout_from(os.environ)
    with lifecycle.locked(layout):
        say("the cluster is gone" if lifecycle.down(layout) else "no cluster was running")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run COMMAND where it can reach the cluster, with KUBECONFIG and SEATRIAL_* set."""
    layout = layout_from(os.environ)
    record = lifecycle.require_running(layout)
    words = [*kubectl.entrance(record), *command]
    try:
        os.execvpe(words[0], words, os.environ | kubectl.environment(layout, record))  # noqa: S606 - that is its purpose
    except FileNotFoundError:
        raise ClusterError(f"There is no program {words[0]}.") from None


@main.command()
@click.argument("tag")
@click.argument("context", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-f", "--file", "dockerfile", type=click.Path(path_type=Path, dir_okay=False), help="CONTEXT/Dockerfile")
def image(tag: str, context: Path, dockerfile: Path | None) -> None:
    """Build image TAG from CONTEXT and give it to the cluster; an unchanged one costs nothing."""
    layout = layout_from(os.environ)
    with lifecycle.locked(layout):
        record = lifecycle.require_running(layout)
        changed = image_build.build_image(layout, record, tag, dockerfile or context / "Dockerfile", context)
    say(f"{tag}: {'built and imported' if changed else 'the cluster has it'}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Say what runs; exit with 1 when nothing does, or not well."""
    layout = layout_from(os.environ)
    known = health.inspect(layout)
    if as_json:
        click.echo(json.dumps(known.to_dict(), indent=1))
    else:
        for line in known.sentences():
            click.echo(line)
    sys.exit(0 if known.healthy else 1)


@main.command()
def diagnose() -> None:
    """Print what one needs to understand a failure: pods, logs, Events, routes, Prometheus' targets."""
    layout = layout_from(os.environ)
    record = lifecycle.require_running(layout)
    for title, text in diagnosis.report(layout, record):
        click.echo(f"=== {title}\n{text.rstrip()}\n")


if __name__ == "__main__":
    try:
        main()
    except ClusterError as error:
        console.print(f"[red]✗[/] {error}", markup=True)
        sys.exit(1)
