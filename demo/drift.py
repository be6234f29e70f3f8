"""The demo of drift: a version with a broken feature pipeline is rolled back, one that the world surprises is not.

Run it in the network of the cluster: `python -m cluster run -- python -m demo.drift`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import click
from rich.console import Console

from demo.chapters import Chapter, WrongTurnError
from demo.kubectl import Follow, JsonObject, kubectl
from demo.load import Load, Sample, held_out_digits
from demo.stage import Stage
from demo.story import HOST, MANIFESTS, NAME, NAMESPACE, answering, apply, ending, perform, start_over

SERVING = Chapter("2", "logistic regression", "Deployed", deadline_s=180.0)
BROKEN = Chapter("5", "loses pixels on the way to the model", "RolledBack", "its feature path is broken", 240.0)
SOUND = Chapter("6", "in order, in a changed world", "Promoted", deadline_s=300.0)
BRIGHTEST = 16
BRIGHTER = 6
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


def drift_free(deployment: JsonObject) -> tuple[str, str]:
    """Read status and reason of the condition DriftFree."""
    conditions = deployment.get("status", {}).get("conditions", [])
    return next(((c["status"], c["reason"]) for c in conditions if c["type"] == "DriftFree"), ("", ""))


async def until(
    deployment: Follow, what: str, holds: Callable[[tuple[str, str]], bool], deadline_s: float
) -> JsonObject:
    """Wait for the condition DriftFree.

    Raises
    ------
    WrongTurnError
        It does not come in time.
    """
    try:
        state = await deployment.until(lambda seen: holds(drift_free(seen)), deadline_s)
    except TimeoutError:
        stands = drift_free(deployment.latest or {})
        raise WrongTurnError(f"{what} was to be seen within {deadline_s:.0f} s; DriftFree stands at {stands}") from None
    drift: JsonObject = (state.object or {}).get("status", {}).get("drift", {})
    return drift


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
    usual, bright = list(samples), brighter(samples)
    with Stage(console) as stage:
        await start_over(stage)
        await kubectl("apply", "-f", str(MANIFESTS / "slo-drift.yaml"))
        async with Follow("modeldeployments", NAMESPACE, NAME) as deployment:
            await apply(SERVING.version)
            await ending(deployment, SERVING)
            await answering(url, samples[0])
            stage.say(f"version 2 serves; {rate:.0f} requests per second from here on", "green")
            # The load sends what the list holds: changing it changes the world for all versions.
            async with Load(url, HOST, rate, samples, longest_s=MOST_S) as load:
                await until(deployment, "no drift", lambda seen: seen == ("True", "NoDrift"), 240.0)
                stage.say("what version 2 sees is what it was trained on", "green")
                await play(deployment, BROKEN, stage)
                samples[:] = bright
                stage.say("all scans are brighter from here on: the world has changed", "bold")
                drift = await until(deployment, "the change", lambda seen: seen == ("False", "WorldChanged"), 300.0)
                stage.say(drift["sentence"], "yellow")
                for feature in drift.get("features", [])[:3]:
                    shapes = f"{feature.get('shape', '')} against {feature.get('referenceShape', '')}"
                    stage.say(f"  {feature['name']}: {shapes}")
                await play(deployment, SOUND, stage)
                samples[:] = usual
                lost = load.window().lost
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


@click.command()
@click.option("--rate", default=100.0, show_default=True, help="Requests per second.")
@click.option("--url", envvar="SEATRIAL_GATEWAY", help="The gateway's HTTP listener.  [default: $SEATRIAL_GATEWAY]")
def main(rate: float, url: str | None) -> None:
    """Tell the story of drift in the running cluster."""
    if not url:
        raise click.ClickException("no gateway: run this with `python -m cluster run -- python -m demo.drift`")
    sys.exit(asyncio.run(perform(tell, url, rate)))


if __name__ == "__main__":
    main()
