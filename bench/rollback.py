"""How fast a bad version loses its traffic in the running cluster, and what it costs the clients.

Run it in the cluster's network: `python -m cluster run -- python -m bench.rollback` (part of `make bench`).
One ModelDeployment in a namespace of its own is loaded at a fixed rate; candidates that fail a known share of their
requests get one step of constant weight. The limit is 1 % of bad answers (target 99.5, burn rate 2), so a good version
fails 0.5 %.
"""

import asyncio
import copy
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from bench import operator_cost
from bench.prometheus import Prometheus
from bench.replay import availability, deciding_sample
from bench.report import machine, markdown, spread
from demo.chapters import newest
from demo.kubectl import Follow, JsonObject, KubectlError, kubectl
from demo.load import Load, held_out_digits
from demo.stage import backends
from demo.story import answering
from demo.timeline import BAD, RollbackFigures, rollback_figures, weight_left_s

NAMESPACE = "bench-rollback"
HOST = "digits.bench-rollback.example"
BASE = Path(__file__).parents[1] / "demo" / "manifests" / "v2.yaml"
OBJECTIVE = availability("99.5", "2", "0.01", 3)
SETTLE_S = 3.0
LONGEST_S = 6 * 3600.0
MOST_LOST = 0.001  # share of requests, above which the machine and not the version is measured
MOST_LAG_S = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes
    ----------
    weight
        Percent of requests that a candidate gets.
    deadline_s
        Seconds after which a bad candidate that still has weight counts as missed.
    good_s
        Seconds for which a good candidate is tried.
    """

    rate: float
    weight: int
    deadline_s: float
    good_s: float


@dataclass(frozen=True, slots=True)
class Rollback:
    """One bad candidate: what it cost, and how long after the scrapes that decide it weight 0 came.

    Attributes
    ----------
    lag_s
        Seconds from the candidate's scrape that condemns it; None when no single scrape does.
    complete_lag_s
        Seconds from the newest scrape that the decision needs: stable's, of the same time or later, which rules out
        that both suffer from one cause.
    """

    figures: RollbackFigures
    lag_s: float | None
    complete_lag_s: float | None


@dataclass(frozen=True, slots=True)
class Rig:
    """The loaded ModelDeployment."""

    plan: Plan
    deployment: Follow
    route: Follow
    load: Load
    prometheus: Prometheus


def slo() -> JsonObject:
    """Build the ModelSLO that candidates are judged by."""
    rollback = {
        "burnRate": str(OBJECTIVE.burn_rate),
        "alpha": str(OBJECTIVE.alpha),
        "minBad": OBJECTIVE.min_bad,
    }
    sli = {"template": "http-availability", "server": "mlserver"}
    objective = {"name": OBJECTIVE.name, "target": str(OBJECTIVE.target), "sli": sli}
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "ModelSLO",
        "metadata": {"name": OBJECTIVE.slo, "namespace": NAMESPACE},
        "spec": {"window": "28d", "objectives": [objective], "rollback": rollback},
    }


def model(base: JsonObject, version: str, error_ratio: float, weight: int, step_s: float) -> JsonObject:
    """Build a version of the demo's model with one pod and one step of constant weight."""
    manifest = copy.deepcopy(base)
    manifest["metadata"]["namespace"] = NAMESPACE
    spec = manifest["spec"]
    spec["model"]["version"] = version
    spec["replicas"] = 1
    spec["traffic"]["gateway"]["hostnames"] = [HOST]
    spec["strategy"] = {"steps": [{"weight": weight, "for": f"{step_s:.0f}s"}], "warmUp": "5s", "drain": "5s"}
    environment = {"MODEL_VERSION": version, "MODEL_QUALITY": "v2", "FAULT_ERROR_RATIO": f"{error_ratio:g}"}
    container = spec["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    return manifest


async def apply(*manifests: JsonObject) -> None:
    """Apply manifests."""
    await kubectl("apply", "-f", "-", stdin="\n".join(f"---\n{json.dumps(manifest)}" for manifest in manifests))


async def ended(rig: Rig, version: str, deadline_s: float) -> JsonObject | None:
    """Wait for a version's entry in the history; None when there is none in time."""
    try:
        state = await rig.deployment.until(lambda seen: newest(seen).get("label") == version, deadline_s)
    except TimeoutError:
        return None
    return newest(state.object or {})


async def roll_back_once(rig: Rig, base: JsonObject, error_ratio: float, version: str) -> Rollback | None:
    """Try a bad candidate until it is rolled back; None when it is not by the deadline."""
    plan, started_s = rig.plan, time.time()
    await apply(model(base, version, error_ratio, plan.weight, step_s=3 * plan.deadline_s))
    entry = await ended(rig, version, plan.deadline_s)
    await asyncio.sleep(SETTLE_S)
    if entry is None or entry["outcome"] != "RolledBack":
        await apply(model(base, "stable", 0.0, plan.weight, step_s=60))
        await rig.deployment.until(lambda seen: "candidate" not in seen["status"], 120)
        return None
    weight_0_s = weight_left_s(rig.route.states, backends(rig.deployment.latest)[version])
    figures = weight_0_s and rollback_figures(rig.load.window(started_s), version, weight_0_s, BAD[OBJECTIVE.name])
    if not weight_0_s or not figures:
        return None
    stable = (rig.deployment.latest or {})["status"]["stable"]["hash"]
    samples, others = [
        await rig.prometheus.requests(NAMESPACE, version_hash, time.time(), time.time() - started_s)
        for version_hash in (entry["hash"], stable)
    ]
    decided = deciding_sample(samples, OBJECTIVE)
    if decided is None:
        return Rollback(figures, None, None)
    complete_s = next((other.at_s for other in others if other.at_s >= decided.at_s), decided.at_s)
    return Rollback(figures, weight_0_s - decided.at_s, weight_0_s - complete_s)


async def try_good(rig: Rig, base: JsonObject, version: str) -> str:
    """Try a version that fails half of what is tolerated; return how its trial ended."""
    half = float(OBJECTIVE.p0) / 2
    await apply(model(base, version, half, rig.plan.weight, rig.plan.good_s))
    entry = await ended(rig, version, rig.plan.good_s + 120)
    return entry["outcome"] if entry else "not finished"


def row(ratio: float, runs: Sequence[Rollback | None]) -> list[str]:
    """Build the table's row for one share of errors."""
    done = [run for run in runs if run]
    return [
        f"{ratio:g} %",
        f"{len(done)} of {len(runs)}",
        spread([run.figures.seconds_to_weight_0 for run in done]),
        spread([run.figures.seconds_to_last_bad for run in done]),
        spread([run.figures.bad_answers for run in done], 0),
        spread([run.figures.answers for run in done], 0),
        spread([run.lag_s for run in done if run.lag_s is not None], 2),
        spread([run.complete_lag_s for run in done if run.complete_lag_s is not None], 2),
    ]


HEADINGS = (
    "errors",
    "rolled back",
    "s from first bad answer to weight 0 (min / median / max)",
    "s to last bad answer",
    "bad answers seen by clients",
    "answers of the candidate",
    "s from the candidate's deciding scrape",
    "s from stable's scrape that completes the decision",
)


async def measure(url: str, prometheus_url: str, plan: Plan, ratios: Sequence[float], runs: int, good: int) -> None:
    """Run all trials and print the tables."""
    base: JsonObject = yaml.safe_load(BASE.read_text())
    started = time.monotonic()
    prometheus = Prometheus(prometheus_url)
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=120.0)
    await apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    await apply(slo(), model(base, "stable", 0.0, plan.weight, step_s=60))
    samples = held_out_digits()
    async with (
        Follow("modeldeployments", NAMESPACE, "digits") as deployment,
        Follow("httproutes", NAMESPACE, "digits") as route,
    ):
        await deployment.until(lambda seen: newest(seen).get("label") == "stable", 120)
        await answering(url, samples[0], host=HOST)
        async with Load(url, HOST, plan.rate, samples, longest_s=LONGEST_S) as load:
            rig = Rig(plan, deployment, route, load, prometheus)
            rows = []
            for ratio in ratios:
                found: list[Rollback | None] = []
                for number in range(runs):
                    found.append(await roll_back_once(rig, base, ratio / 100, f"{ratio:g}-{number}"))
                    click.echo(f"{time.monotonic() - started:6.0f} s  {row(ratio, found[-1:])}", err=True)
                rows.append(row(ratio, found))
            outcomes = []
            for number in range(good):
                outcomes.append(await try_good(rig, base, f"good-{number}"))
                click.echo(f"{time.monotonic() - started:6.0f} s  good version: {outcomes[-1]}", err=True)
            everything = load.window()
    lost = everything.lost
    late_ms = load.worst_lag_s * 1000
    print(f"\nOn {machine()}; {plan.rate:g} requests per second, {plan.weight} % to the candidate, limit 1 % errors.\n")
    print(markdown(HEADINGS, rows))
    print(f"\nRequests lost: {len(lost)} of {len(everything.answers)}. Generator at most {late_ms:.0f} ms late.")
    for problem, count in Counter(answer.problem for answer in lost).most_common(5):
        print(f"- {count}: {problem}")
    if len(lost) > MOST_LOST * len(everything.answers) or load.worst_lag_s > MOST_LAG_S:
        print("\n**These figures are not valid: this machine was too busy with other work. Run it again.**")
    if good:
        share = f"{outcomes.count('RolledBack')} of {good} rolled back"
        print(f"\nGood versions (0.5 % errors, {plan.good_s:.0f} s each): {share}.")
    print()
    print(markdown(operator_cost.HEADINGS, await operator_cost.rows(prometheus, time.monotonic() - started)))
    await kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@click.command()
@click.option("--url", envvar="SEATRIAL_GATEWAY", required=True, help="The gateway's HTTP listener.")
@click.option("--prometheus", envvar="SEATRIAL_PROMETHEUS", required=True, help="Address of Prometheus.")
@click.option("--errors", default="100,20,5,2", show_default=True, help="Percent of requests that candidates fail.")
@click.option("--runs", default=3, show_default=True, help="Candidates for each of them.")
@click.option("--good", default=0, show_default=True, help="Good candidates (0.5 % errors) to try besides.")
@click.option("--good-for", default=120.0, show_default=True, help="Seconds for which each of them is tried.")
@click.option("--rate", default=100.0, show_default=True, help="Requests per second.")
@click.option("--weight", default=10, show_default=True, help="Percent of the requests that a candidate gets.")
@click.option(
    "--deadline", default=600.0, show_default=True, help="Seconds after which a bad candidate counts as missed."
)
def main(  # noqa: PLR0913, PLR0917 # click hands each option over by name
    url: str,
    prometheus: str,
    errors: str,
    runs: int,
    good: int,
    good_for: float,
    rate: float,
    weight: int,
    deadline: float,
) -> None:
    """Measure rollbacks in the running cluster and print Markdown tables."""
    ratios = [float(ratio) for ratio in errors.split(",") if ratio]
    try:
        asyncio.run(measure(url, prometheus, Plan(rate, weight, deadline, good_for), ratios, runs, good))
    except KubectlError as error:
        sys.exit(f"the benchmark could not be run: {error}")


if __name__ == "__main__":
    main()
