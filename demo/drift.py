"""The demo of drift and labels: broken feature pipelines are rolled back, a version that the world surprises is not.

Labels that come some seconds later say that it is right all the same.

Run it in the network of the cluster: `python -m cluster run -- python -m demo.drift`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from demo.chapters import Chapter, WrongTurnError
from demo.kubectl import Follow, JsonObject, kubectl
from demo.labels import DELAY_S, LateLabels
from demo.load import Load, Sample, Window, held_out_digits
from demo.stage import Stage
from demo.story import HOST, MANIFESTS, NAME, NAMESPACE, answering, apply, ending, perform, start_over

SERVING = Chapter("5", "logistic regression", "Deployed", deadline_s=180.0)
BROKEN = Chapter("6", "loses pixels on the way to the model", "RolledBack", "its feature path is broken", 240.0)
SHIFTED = Chapter("7", "sees brighter pixels than there are", "RolledBack", "sees other features than stable", 240.0)
SOUND = Chapter("8", "in order, in a changed world", "Promoted", deadline_s=300.0)
BRIGHTEST = 16
BRIGHTER = 4
APART = 0.05
"""How far the shares of right answers told by labels and by clients may be apart: they are not of the same instants."""
MOST_S = 1200.0


def brighter(samples: list[Sample]) -> list[Sample]:
    """Scan the same digits with another scanner: every pixel is brighter."""
    changed = []
    for sample in samples:
        body = json.loads(sample.body)
        tensor = body["inputs"][0]
        tensor["data"] = [min(BRIGHTEST, pixel + BRIGHTER) for pixel in tensor["data"]]
        changed.append(Sample(json.dumps(body).encode(), sample.digit))
    return changed


def condition(deployment: JsonObject, name: str) -> tuple[str, str]:
    """Read status and reason of a condition."""
    conditions = deployment.get("status", {}).get("conditions", [])
    return next(((c["status"], c["reason"]) for c in conditions if c["type"] == name), ("", ""))


async def until(deployment: Follow, name: str, wish: tuple[str, str], deadline_s: float) -> JsonObject:
    """Wait for the status and reason of a condition, and return the whole status.

    Raises
    ------
    WrongTurnError
        They do not come in time.
    """
    try:
        state = await deployment.until(lambda seen: condition(seen, name) == wish, deadline_s)
    except TimeoutError:
        stands = condition(deployment.latest or {}, name)
        raise WrongTurnError(f"{name} was to be {wish} within {deadline_s:.0f} s; it stands at {stands}") from None
    status: JsonObject = (state.object or {})["status"]
    return status


def on_labels(deployment: JsonObject) -> JsonObject:
    """Read the evidence on late labels of the last trial; empty when there is none."""
    trial = deployment.get("status", {}).get("trial") or {}
    return next((entry for entry in trial.get("evidence", []) if entry["objective"] == "accuracy"), {})


def agree(evidence: JsonObject, labels: LateLabels, window: Window) -> None:
    """Compare what the joiner counted with what the clients know.

    Raises
    ------
    WrongTurnError
        There are no labels, or they tell another accuracy.
    """
    if not evidence.get("total"):
        raise WrongTurnError(f"no label was counted; {labels.told} were told. {labels.problem}")
    told, seen = 1 - evidence["bad"] / evidence["total"], window.versions()[SOUND.version].accuracy
    if abs(told - seen) > APART:
        raise WrongTurnError(f"{told:.1%} of the answers were right by their labels, clients counted {seen:.1%}")


async def tell(url: str, rate: float, console: Console) -> None:
    """Tell the story.

    Raises
    ------
    WrongTurnError
        It went differently.
    KubectlError
        The cluster refused something.
    """
    samples = held_out_digits()
    bright = brighter(samples)
    began_s = time.monotonic()
    with Stage(console) as stage:
        await start_over(stage)
        await kubectl("apply", "-f", str(MANIFESTS / "slo-drift.yaml"), "-f", str(MANIFESTS / "joiner.yaml"))
        async with Follow("modeldeployments", NAMESPACE, NAME) as deployment:
            await apply(SERVING.version)
            await ending(deployment, SERVING)
            await answering(url, samples[0])
            said = f"version {SERVING.version} serves; {rate:.0f} requests per second from here on"
            stage.say(f"{said}, their true digits {DELAY_S:.0f} s later", "green")
            # The load sends what the list holds: changing it changes the world for all versions.
            async with (
                LateLabels(url) as labels,
                Load(url, HOST, rate, samples, longest_s=MOST_S, learn=labels.learn) as load,
            ):
                await until(deployment, "DriftFree", ("True", "NoDrift"), 240.0)
                stage.say(f"what version {SERVING.version} sees is what it was trained on", "green")
                await play(deployment, BROKEN, stage)
                await play(deployment, SHIFTED, stage)
                samples[:] = bright
                stage.say("all scans are brighter from here on: the world has changed", "bold")
                drift = (await until(deployment, "DriftFree", ("False", "WorldChanged"), 300.0))["drift"]
                stage.say(drift["sentence"], "yellow")
                for feature in drift.get("features", [])[:3]:
                    shapes = f"{feature.get('shape', '')} against {feature.get('referenceShape', '')}"
                    stage.say(f"  {feature['name']}: {shapes}")
                known = (await until(deployment, "LabelsGood", ("True", "LimitsKept"), 120.0))["labels"]
                stage.say(f"version {SERVING.version} by its late labels: {known['findings'][0]['sentence']}", "green")
                await play(deployment, SOUND, stage)
                agree(on_labels(deployment.latest or {}), labels, load.window())
                lost = load.window().lost
                described = await kubectl("seatrial", "describe", NAME, "--namespace", NAMESPACE)
    console.print(f"\n$ kubectl seatrial describe {NAME} --namespace {NAMESPACE}", style="bold", highlight=False)
    console.out(described, end="", highlight=False)
    console.print(f"\nThe story took {time.monotonic() - began_s:.0f} s.", highlight=False)
    if lost:
        raise WrongTurnError(f"{len(lost)} requests were lost; none may be")


async def play(deployment: Follow, chapter: Chapter, stage: Stage) -> None:
    """Apply a version and wait for its end."""
    began_s = time.time()
    stage.say(f"kubectl apply -f demo/manifests/v{chapter.version}.yaml   ({chapter.title})", "bold")
    await apply(chapter.version)
    entry = await ending(deployment, chapter)
    style = "green" if chapter.outcome == "Promoted" else "red"
    took = f"after {time.time() - began_s:.0f} s"
    stage.say(f"version {chapter.version} {chapter.outcome} {took}: {entry['sentence']}", style)
    if sentence := on_labels(deployment.latest or {}).get("sentence"):
        stage.say(f"  on labels that came {DELAY_S:.0f} s later: {sentence}", style)


@click.command()
@click.option("--rate", default=100.0, show_default=True, help="Requests per second.")
@click.option("--url", envvar="SEATRIAL_GATEWAY", help="The gateway's HTTP listener.  [default: $SEATRIAL_GATEWAY]")
def main(rate: float, url: str | None) -> None:
    """Tell the story of drift in the running cluster."""
    if not url:
        raise click.ClickException("no gateway: run this with `python -m cluster run -- python -m demo.drift`")
    # kubectl finds our plugin where this program's other commands are.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sys.exit(asyncio.run(perform(tell, url, rate)))


if __name__ == "__main__":
    main()
