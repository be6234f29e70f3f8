"""The demo: four versions of a model under real load, and what Seatrial does about each of them.

Run it in the network of the cluster: `python -m cluster run -- python -m demo.story`. `make demo` does all it needs.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from demo.chapters import FIRST, REST, TITLES, Chapter, WrongTurnError, check, newest
from demo.kubectl import Follow, JsonObject, KubectlError, kubectl
from demo.load import MODEL_PATH, OK, Load, Sample, held_out_digits
from demo.stage import RECENT_S, Stage, backends, version_table
from demo.timeline import BAD, RollbackFigures, rollback_figures, weight_left_s

MANIFESTS = Path(__file__).with_name("manifests")
NAMESPACE = "demo"
NAME = "digits"
HOST = "digits.demo.example"
SETTLE_S = 3.0  # answers that are under way at weight 0 arrive within this time
MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class Cast:
    """All that a chapter needs: the object, its route, the load and the stage."""

    deployment: Follow
    route: Follow
    load: Load
    stage: Stage


async def apply(version: str) -> None:
    """Apply a version's manifest, as a user would."""
    await kubectl("apply", "-f", str(MANIFESTS / f"v{version}.yaml"))


async def ending(deployment: Follow, chapter: Chapter) -> JsonObject:
    """Wait for the end of a version's trial and return its entry in the history.

    Raises
    ------
    WrongTurnError
        It ended differently, or not in time.
    """
    try:
        state = await deployment.until(lambda seen: newest(seen).get("label") == chapter.version, chapter.deadline_s)
    except TimeoutError:
        summary = (deployment.latest or {}).get("status", {}).get("summary", "no status at all")
        wish = f"version {chapter.version} was to be {chapter.outcome} within {chapter.deadline_s:.0f} s"
        raise WrongTurnError(f"{wish}; it stands at: {summary}") from None
    entry = newest(state.object or {})
    check(chapter, entry)
    return entry


async def start_over(stage: Stage) -> None:
    """Remove what an earlier run left, and wait for the operator."""
    stage.say("clearing the namespace, waiting for the operator")
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=120.0)
    available = ("wait", "deployment", "--all", "--for=condition=Available", "--timeout=120s")
    await kubectl("--namespace=seatrial-system", *available, timeout_s=130.0)
    await kubectl("apply", "-f", str(MANIFESTS / "namespace.yaml"))
    await kubectl("apply", "-f", str(MANIFESTS / "slo.yaml"))


async def answering(url: str, sample: Sample, *, host: str = HOST, deadline_s: float = 30.0) -> None:
    """Wait until the gateway leads to a model server.

    Raises
    ------
    WrongTurnError
        It does not within `deadline_s` seconds.
    """
    headers = {"Host": host, "Content-Type": "application/json"}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.post(url.rstrip("/") + MODEL_PATH, data=sample.body, headers=headers) as answer:
                        if answer.status == OK:
                            return
                await asyncio.sleep(0.2)
    raise WrongTurnError(f"no model server answers at {url} for host {host} after {deadline_s:.0f} s")


@contextlib.asynccontextmanager
async def shown(cast: Cast) -> AsyncIterator[None]:
    """Keep lines and table up to date from `async with` to its end."""

    async def refresh() -> None:
        for tick in range(int(MOST_S * 5)):
            cast.stage.follow(cast.deployment.latest)
            if tick % 5 == 0:
                cast.stage.show(table(cast))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def table(cast: Cast) -> Table:
    """Build the table of versions as of now."""
    recent = cast.load.window(time.time() - RECENT_S)
    return version_table(TITLES, cast.load.window(), recent, cast.deployment.latest, cast.route.latest)


async def play(cast: Cast, chapter: Chapter) -> RollbackFigures | None:
    """Apply a version, wait for its end, and measure it if it was rolled back.

    Raises
    ------
    WrongTurnError
        It ended differently, or was rolled back though no client got a bad answer.
    """
    started_s = time.time()
    cast.stage.say(f"kubectl apply -f demo/manifests/v{chapter.version}.yaml   ({chapter.title})", "bold")
    await apply(chapter.version)
    entry = await ending(cast.deployment, chapter)
    good = chapter.outcome == "Promoted"
    cast.stage.say(f"version {chapter.version} {chapter.outcome}: {entry['sentence']}", "green" if good else "red")
    await asyncio.sleep(SETTLE_S)
    if good:
        return None
    weight_0_s = weight_left_s(cast.route.states, backends(cast.deployment.latest)[chapter.version])
    if weight_0_s is None:
        raise WrongTurnError(f"version {chapter.version} is rolled back, but its weight was never taken from the route")
    figures = rollback_figures(cast.load.window(started_s), chapter.version, weight_0_s, BAD[chapter.objective])
    if figures is None:
        raise WrongTurnError(f"version {chapter.version} was rolled back, but no client got a bad answer from it")
    return figures


def figures_table(figures: dict[str, RollbackFigures]) -> Table:
    """Build the table of rollbacks."""
    result = Table(title="from the first bad answer", title_justify="left")
    result.add_column("version")
    for heading in ("s to weight 0", "s to last bad answer", "requests to weight 0", "bad answers seen by clients"):
        result.add_column(heading, justify="right")
    for version, found in figures.items():
        result.add_row(
            f"{version}  {TITLES[version]}",
            f"{found.seconds_to_weight_0:.1f}",
            f"{found.seconds_to_last_bad:.1f}",
            str(found.requests_to_weight_0),
            f"{found.bad_answers} of its {found.answers}",
        )
    return result


async def tell(url: str, rate: float, console: Console) -> None:
    """Tell the whole story.

    Raises
    ------
    WrongTurnError
        It went differently.
    KubectlError
        The cluster refused something.
    """
    started = time.monotonic()
    samples = held_out_digits()
    with Stage(console) as stage:
        await start_over(stage)
        async with (
            Follow("modeldeployments", NAMESPACE, NAME) as deployment,
            Follow("httproutes", NAMESPACE, NAME) as route,
        ):
            stage.say(f"kubectl apply -f demo/manifests/v1.yaml   ({FIRST.title})", "bold")
            await apply(FIRST.version)
            await ending(deployment, FIRST)
            await answering(url, samples[0])
            stage.say(f"version 1 serves; {rate:.0f} requests per second from here on", "green")
            async with Load(url, HOST, rate, samples, longest_s=MOST_S) as load:
                cast = Cast(deployment, route, load, stage)
                async with shown(cast):
                    promotion_s = time.time()
                    await play(cast, REST[0])
                    promoted_s = time.time()
                    figures = {chapter.version: found for chapter in REST[1:] if (found := await play(cast, chapter))}
                everything, promotion = load.window(), load.window(promotion_s, promoted_s)
                final = table(cast)
    console.print(final)
    console.print(figures_table(figures))
    answered = sum(counts.total for counts in everything.versions().values())
    client_errors = sum(counts.failed for counts in everything.versions().values())
    console.print(
        f"client errors seen: {client_errors} of {answered}; requests lost at the promotion: {len(promotion.lost)} of "
        f"{len(promotion.answers)}; lost in all: {len(everything.lost)}; "
        f"the generator was at most {load.worst_lag_s * 1000:.0f} ms late",
        highlight=False,
    )
    for problem, count in Counter(lost.problem for lost in everything.lost).most_common(5):
        console.print(f"lost {count}: {problem}", style="red", markup=False)
    for kind in ("modeldeployments", "modelslos"):
        console.print(f"\n$ kubectl get {kind} --namespace {NAMESPACE}", style="bold", highlight=False)
        console.out(await kubectl("get", kind, "--namespace", NAMESPACE), end="", highlight=False)
    console.print(f"\nThe story took {time.monotonic() - started:.0f} s.", highlight=False)
    if everything.lost:
        raise WrongTurnError(f"{len(everything.lost)} of {len(everything.answers)} requests were lost; none may be")


async def explain(console: Console) -> None:
    """Print what helps to understand why the story went differently."""
    for arguments in (
        ("describe", "modeldeployments", "--namespace", NAMESPACE),
        ("get", "pods", "--namespace", NAMESPACE, "--output", "wide"),
        (
            "logs",
            "--namespace",
            "seatrial-system",
            "--selector",
            "app.kubernetes.io/component=operator",
            "--tail",
            "40",
        ),
    ):
        console.print(f"\n$ kubectl {' '.join(arguments)}", style="bold", highlight=False)
        with contextlib.suppress(KubectlError):
            console.out(await kubectl(*arguments), end="", highlight=False)


async def perform(telling: Callable[[str, float, Console], Awaitable[None]], url: str, rate: float) -> int:
    """Tell a story and return the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        await telling(url, rate, console)
    except (WrongTurnError, KubectlError) as error:
        await explain(console)
        console.print(f"\nThe story went differently: {error}", style="bold red", markup=False, highlight=False)
        return 1
    return 0


@click.command()
@click.option("--rate", default=100.0, show_default=True, help="Requests per second.")
@click.option("--url", envvar="SEATRIAL_GATEWAY", help="The gateway's HTTP listener.  [default: $SEATRIAL_GATEWAY]")
def main(rate: float, url: str | None) -> None:
    """Tell the demo's story in the running cluster."""
    if os.environ.get("SEATRIAL_CLUSTER_LEVEL") == "control-plane":
        raise click.ClickException(
            "the demo needs real pods behind a real gateway; this cluster is a control plane only. "
            "`python -m cluster status` says what the next level needs."
        )
    if not url:
        raise click.ClickException("no gateway: run this with `python -m cluster run -- python -m demo.story`")
    sys.exit(asyncio.run(perform(tell, url, rate)))


if __name__ == "__main__":
    main()
