"""What `kubectl apply` refuses, and the very sentence that the user reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.apiserver.samples import DEPLOYMENT, SLO, changed, objective, steps

if TYPE_CHECKING:
    from tests.apiserver.conftest import ApiServer

ROOT = Path(__file__).parents[2]
DURATION = "write a duration such as 500ms, 30s, 10m, 1h30m or 28d"
NO_TEMPLATE = "spec: Invalid value: template.spec.containers is missing: it is a pod template, as in a Deployment"
BAD_NAME = (
    "metadata.name must begin with a letter and hold only lower-case letters, digits and dashes: "
    "Services are named after it"
)
ONE_OF_TWO = "sli: Invalid value: name either a template, or your own counters good and total"
TIMED = "http-latency, time-to-first-token, inter-token-latency, time-per-output-token, feature-freshness"
SLICE_LENGTH = "slices.length is 10s to 5m and goes into an hour without a rest, such as 30s, 1m or 5m"
NOT_COMPARED = (
    "slices of time are good or bad by themselves and not compared: leave compare out; these templates always count "
    "slices: feature-freshness"
)
URL_WITH_USER = (
    "the url holds a user name or a password: requests are signed with the operator's key, check that instead"
)
BURN_RATE = "burnRate is a positive number, such as '2'"
ALPHA = "alpha is a probability above 0 and below 0.5, such as '0.01'"
NEVER_FIRES = (
    "spec: Invalid value: rollback.burnRate times the error budget of an objective reaches 100 percent: no version "
    "could ever be rolled back for it; lower burnRate or raise the target"
)
FULL_MARKS = "a target of 100 percent leaves no error budget: no version could ever pass; use for example '99.99'"
RATIO = "the target is a percentage of good events, not a ratio: write '99.9', not '0.999'"
HOST = "a host name is lower-case and has no scheme, port or path: scorer.example.com or *.example.com"
LABELS_OUTLAST = (
    "spec.strategy.watch: Invalid value: labels are watched for longer than `for`: "
    "both count from when the version has all requests"
)
OF_ONE_CLASS = "gaps of positive and of recall are about one class: name it in `class`; those of errors have none"
RISING = "spec.strategy.steps: Invalid value: weights must rise from step to step: for example 1, 10, 50"

ENDS = "freeze and override need `until`, the time at which they end; other commands have none"
KIND_TIME = "steps of weight, shadow and preview need `for`, such as 10m; the others end by themselves"
BY_SERVICE: dict[str, Any] = {"service": {}}
ADOPT: dict[str, Any] = {"deployment": "old", "backendRef": {"name": "old", "port": 8000}}
SOME_DAY = "2030-01-01T00:00:00Z"


def command(verb: str, **more: str) -> dict[str, str]:
    return {"id": "a1", "verb": verb, "by": "ann", **more}


BAD_DEPLOYMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "weights fall": ({"spec__strategy__steps": steps(10, 5)}, RISING),
    "weights stay": ({"spec__strategy__steps": steps(10, 10)}, RISING),
    "empty steps": (
        {"spec__strategy__steps": []},
        "spec.strategy.steps: Invalid value: a trial needs at least one step: for example {weight: 10, for: 10m}",
    ),
    "labels watched for as long": (
        {"spec__strategy__watch": {"for": "1h30m", "labels": "90m"}},
        LABELS_OUTLAST,
    ),
    "labels watched for less": (
        {"spec__strategy__watch": {"for": "2d", "labels": "47h59m59s999ms"}},
        LABELS_OUTLAST,
    ),
    "labels watched for no time": (
        {"spec__strategy__watch": {"for": "1h", "labels": "soon"}},
        f'spec.strategy.watch.labels: Invalid value: "soon": {DURATION}',
    ),
    "no steps": ({"spec__strategy__steps": None}, "spec.strategy.steps: Required value"),
    "weight 0": (
        {"spec__strategy__steps": steps(0, 10)},
        "steps[0].weight in body should be greater than or equal to 1",
    ),
    "weight 101": (
        {"spec__strategy__steps": steps(10, 101)},
        "steps[1].weight in body should be less than or equal to 100",
    ),
    "step without for": ({"spec__strategy__steps": [{"weight": 1}]}, KIND_TIME),
    "step for weeks": ({"spec__strategy__steps__0__for": "2w"}, f'steps[0].for: Invalid value: "2w": {DURATION}'),
    "warm-up in words": ({"spec__strategy__warmUp": "soon"}, f'strategy.warmUp: Invalid value: "soon": {DURATION}'),
    "drain as a number": ({"spec__strategy__drain": 30}, "spec.strategy.drain in body must be of type string"),
    "no time to get ready": (
        {"spec__strategy__readyDeadline": "0s"},
        'spec.strategy.readyDeadline: Invalid value: "0s": the duration must be longer than 0',
    ),
    "no template": ({"spec__template": None}, "spec.template: Required value"),
    "empty template": ({"spec__template": {}}, NO_TEMPLATE),
    "template without containers": ({"spec__template": {"spec": {"containers": []}}}, NO_TEMPLATE),
    "no ModelSLO": ({"spec__slos": []}, "spec.slos in body should have at least 1 items"),
    "one ModelSLO twice": (
        {"spec__slos": [{"name": "a"}, {"name": "a"}]},
        "spec.slos: Invalid value: the same ModelSLO is named twice",
    ),
    "host name with scheme": ({"spec__traffic__gateway__hostnames": ["http://a.example/"]}, HOST),
    "host name in capitals": ({"spec__traffic__gateway__hostnames": ["Scorer.example.com"]}, HOST),
    "no gateway": (
        {"spec__traffic__gateway__parentRefs": []},
        "gateway.parentRefs in body should have at least 1 items",
    ),
    "no router": ({"spec__traffic__gateway": None}, "traffic is by a gateway or by a service"),
    "two routers": ({"spec__traffic__service": {}}, "traffic is by a gateway or by a service"),
    "shadow by a Service": (
        {"spec__traffic": BY_SERVICE, "spec__strategy__steps": [{"shadow": {}, "for": "1m"}]},
        "a Service only divides by pods: steps of shadow, preview and experiment need traffic.gateway",
    ),
    "sticky users by a Service": (
        {"spec__traffic": BY_SERVICE, "spec__strategy__sticky": {}},
        "a Service only divides by pods: strategy.sticky needs traffic.gateway",
    ),
    "fallback of a Service": (
        {"spec__traffic": BY_SERVICE, "spec__fallback": {"backendRef": {"name": "rules", "port": 80}}},
        "a Service has no fallback: it needs traffic.gateway",
    ),
    "adoption by a Service": (
        {"spec__traffic": BY_SERVICE, "spec__adopt": ADOPT},
        "adopt takes over an HTTPRoute: it needs traffic.gateway",
    ),
    "adoption of nobody": ({"spec__adopt": {**ADOPT, "deployment": ""}}, "spec.adopt.deployment in body should be at"),
    "adoption without a Service": ({"spec__adopt": {"deployment": "old"}}, "spec.adopt.backendRef: Required value"),
    "adoption with another end": (
        {"spec__adopt": {**ADOPT, "onDelete": "Destroy"}},
        'spec.adopt.onDelete: Unsupported value: "Destroy"',
    ),
    "a fallback without a port": (
        {"spec__fallback": {"backendRef": {"name": "rules"}}},
        "spec.fallback.backendRef.port: Required value",
    ),
    "preview where everybody is": (
        {"spec__strategy__steps": [{"preview": {"hostnames": ["fraud-scorer.example.com"]}, "for": "1m"}]},
        "a preview's host names lead to the candidate alone: they can't be those of traffic.gateway",
    ),
    "a gate by the name of retraining's": (
        {"spec__strategy__steps": [{"gate": {"name": "retrain"}}, {"weight": 10, "for": "1m"}]},
        "the gate retrain is the one at which retraining waits (drift.retrain.approvals): take another name",
    ),
    "long name": (
        {"metadata__name": "a" * 46},
        "metadata.name is longer than 45 characters: Deployments and Services are named after it",
    ),
    "name with a dot": ({"metadata__name": "fraud.scorer"}, BAD_NAME),
    "name with a digit first": ({"metadata__name": "7scorer"}, BAD_NAME),
    "port 0": ({"spec__port": 0}, "spec.port in body should be greater than or equal to 1"),
    "port too high": ({"spec__port": 65536}, "spec.port in body should be less than or equal to 65535"),
    "replicas and an autoscaler": (
        {"spec__autoscaling": {"min": 1, "max": 3}},
        "spec: Invalid value: the number of pods is replicas or autoscaling",
    ),
    "autoscaler upside down": (
        {"spec__replicas": None, "spec__autoscaling": {"min": 3, "max": 1}},
        "spec.autoscaling: Invalid value: autoscaling.min is greater than max",
    ),
    "no surge with one pod": (
        {"spec__replicas": 1, "spec__strategy__maxSurge": 0},
        "strategy.maxSurge: 0 needs at least 2 replicas: one to try, and one to return to",
    ),
    "some surge": ({"spec__strategy__maxSurge": 1}, "strategy.maxSurge in body should be less than or equal to 0"),
    "readiness of nothing": (
        {"spec__readiness": {}},
        "spec.readiness: Invalid value: readiness is openInference or a path",
    ),
    "readiness with a query": (
        {"spec__readiness": {"path": "/ready?deep=1"}},
        "a path begins with / and has neither a query nor white space: /healthz",
    ),
    "warm-up to nowhere": (
        {"spec__readiness": {"path": "/ready", "warmUp": {"configMap": "calls"}}},
        "spec.readiness: Invalid value: warmUp needs the path of the model's predictions",
    ),
    "live configuration of another kind": (
        {"spec__liveConfig": [{"kind": "Pod", "name": "a"}]},
        'liveConfig[0].kind: Unsupported value: "Pod": supported values: "ConfigMap", "Secret"',
    ),
    "no replicas": ({"spec__replicas": 0}, "spec.replicas in body should be greater than or equal to 1"),
    "version as a number": ({"spec__model__version": 7}, "spec.model.version in body must be of type string"),
    "high risk without a gate": (
        {"spec__about": {"owner": "ann", "risk": "high"}},
        "a model of high risk needs a person's word: add a step such as {gate: {name: risk-review}}",
    ),
    "runbook that is no address": (
        {"spec__about": {"runbook": "the wiki"}},
        "write the whole address: https://wiki.example/runbooks/scorer",
    ),
    "unknown risk": (
        {"spec__about": {"risk": "none"}},
        'about.risk: Unsupported value: "none"',
    ),
    "unknown mode": ({"spec__mode": "dry-run"}, 'spec.mode: Unsupported value: "dry-run": supported values: "enforce"'),
    "unknown policy": (
        {"spec__strategy__undecided": {"noData": "wait"}},
        'undecided.noData: Unsupported value: "wait": supported values: "hold", "rollback", "promote"',
    ),
    "no time to decide": (
        {"spec__strategy__undecided": {"deadline": "0s"}},
        'undecided.deadline: Invalid value: "0s": the duration must be longer than 0',
    ),
    "override without an end": ({"spec__commands": [command("override", reason="load test")]}, ENDS),
    "pause with an end": ({"spec__commands": [command("pause", until=SOME_DAY)]}, ENDS),
    "override without a reason": (
        {"spec__commands": [command("override", until=SOME_DAY)]},
        "an override needs a reason",
    ),
    "override until some day": (
        {"spec__commands": [command("override", reason="load test", until="tomorrow")]},
        "spec.commands[0].until in body must be of type date-time",
    ),
    "unknown command": (
        {"spec__commands": [command("explode")]},
        'spec.commands[0].verb: Unsupported value: "explode"',
    ),
    "unsigned command": ({"spec__commands": [{"id": "a1", "verb": "pause"}]}, "spec.commands[0].by: Required value"),
    "one id twice": (
        {"spec__commands": [command("pause"), command("resume")]},
        'spec.commands[1]: Duplicate value: {"id":"a1"}',
    ),
    "a step of two kinds": (
        {"spec__strategy__steps": [{"weight": 10, "for": "1m", "shadow": {}}]},
        "a step is one of: weight, shadow, preview, gate, check, experiment",
    ),
    "a step of no kind": (
        {"spec__strategy__steps": [{"for": "1m"}]},
        "a step is one of: weight, shadow, preview, gate, check, experiment",
    ),
    "a gate with a time": ({"spec__strategy__steps": [{"gate": {"name": "review"}, "for": "1m"}]}, KIND_TIME),
    "a shadow without one": ({"spec__strategy__steps": [{"shadow": {"percent": 50}}]}, KIND_TIME),
    "a check of both kinds": (
        {"spec__strategy__steps": [{"check": {"name": "x", "job": "y", "webhook": {"url": "https://z.example"}}}]},
        "a check is a job or a webhook",
    ),
    "a webhook without scheme": (
        {"spec__strategy__steps": [{"check": {"name": "x", "webhook": {"url": "z.example"}}}]},
        "the url begins with http:// or https://",
    ),
    "check that posts nowhere": (
        {"spec__strategy__steps": [{"check": {"name": "x", "webhook": {}}}]},
        "webhook.url is missing: it is where the request is posted to",
    ),
    "check with a user name": (
        {"spec__strategy__steps": [{"check": {"name": "x", "webhook": {"url": "https://token@z.example?a"}}}]},
        URL_WITH_USER,
    ),
    "an experiment on both": (
        {
            "spec__strategy__steps": [
                {"experiment": {"match": {"header": "a", "cookie": "b", "value": "c"}, "objective": "x/y"}}
            ]
        },
        "match a header or a cookie",
    ),
    "a window of three fields": (
        {"spec__strategy__windows": [{"cron": "0 9 *", "for": "8h"}]},
        "cron has five fields, minute hour day month weekday: '0 9 * * 1-5'",
    ),
    "a cookie with a blank": (
        {"spec__strategy__sticky": {"cookie": "my cookie"}},
        "a cookie's name has letters, digits, - and _ only",
    ),
    "three approvals": (
        {"spec__strategy__steps": [{"gate": {"name": "review", "approvals": 3}}]},
        "gate.approvals in body should be less than or equal to 2",
    ),
    "misspelt field": ({"spec__strategy__step": []}, 'unknown field "spec.strategy.step"'),
}

BAD_SLOS: dict[str, tuple[dict[str, Any], str]] = {
    "target 100": ({"spec__objectives__0__target": "100"}, f'target: Invalid value: "100": {FULL_MARKS}'),
    "target 100.0": ({"spec__objectives__0__target": "100.0"}, f'target: Invalid value: "100.0": {FULL_MARKS}'),
    "target as a ratio": ({"spec__objectives__0__target": "0.999"}, f'target: Invalid value: "0.999": {RATIO}'),
    "target with a sign": (
        {"spec__objectives__0__target": "99.9%"},
        "target: Invalid value: \"99.9%\": write the target as a decimal string in percent: '99.9'",
    ),
    "target as a number": ({"spec__objectives__0__target": 99.9}, "target in body must be of type string"),
    "window in weeks": ({"spec__window": "4w"}, f'spec.window: Invalid value: "4w": {DURATION}'),
    "window of nothing": (
        {"spec__window": "0d"},
        'spec.window: Invalid value: "0d": the duration must be longer than 0',
    ),
    "template and counters": ({"spec__objectives__2__sli__template": "http-availability"}, ONE_OF_TWO),
    "template and good": (
        {"spec__objectives__2__sli": {"template": "http-availability", "good": "good_total{$selector}"}},
        ONE_OF_TWO,
    ),
    "neither template nor counters": ({"spec__objectives__0__sli": {}}, ONE_OF_TWO),
    "good without total": (
        {"spec__objectives__2__sli__total": None},
        "spec.objectives[2].sli: Invalid value: counters of your own come in pairs: good and total",
    ),
    "counter without selector": (
        {"spec__objectives__2__sli__total": "app_requests_total"},
        "write $selector where the labels of the version belong: app_requests_total{$selector}",
    ),
    "latency without threshold": (
        {"spec__objectives__1__sli__threshold": None},
        f"sli: Invalid value: these templates need a threshold that is a time, such as 250ms: {TIMED}",
    ),
    "threshold of nothing": (
        {"spec__objectives__1__sli__threshold": "0ms"},
        'threshold: Invalid value: "0ms": a threshold is a time such as 250ms, 1.5s or 24h, or a number such as',
    ),
    "availability with threshold": (
        {"spec__objectives__0__sli__threshold": "1s"},
        f"spec.objectives[0].sli: Invalid value: only these templates have a threshold: {TIMED}, label-absolute-error",
    ),
    "latency as a number": (
        {"spec__objectives__1__sli__threshold": "0.25"},
        f"these templates need a threshold that is a time, such as 250ms: {TIMED}",
    ),
    "absolute error as a time": (
        {"spec__objectives__1__sli__template": "label-absolute-error"},
        "this template needs a threshold that is a number, such as '0.5': label-absolute-error",
    ),
    "threshold in words": (
        {"spec__objectives__1__sli__threshold": "fast"},
        "a threshold is a time such as 250ms, 1.5s or 24h, or a number such as '0.5', above 0",
    ),
    "edge without a threshold": (
        {"spec__objectives__0__sli__edge": "below"},
        "edge says which neighbour of a threshold counts, so it needs a threshold",
    ),
    "edge in other words": (
        {"spec__objectives__1__sli__edge": "next"},
        'sli.edge: Unsupported value: "next": supported values: "exact", "below", "above"',
    ),
    "check of nothing": (
        {"spec__objectives__0__sli": {"template": "check", "where": {"model_name": "fraud"}}},
        "the template check needs to know which one: where: {check: its-name}",
    ),
    "where with counters": (
        {"spec__objectives__2__sli__where": {"code": "200"}},
        "where belongs to a template; write the labels into counters of your own",
    ),
    "where with an edge": (
        {"spec__objectives__1__sli__where": {"le": "0.1"}},
        "where names labels of the metric, such as {feature: amount}; le is the threshold's",
    ),
    "counters with server": (
        {"spec__objectives__2__sli__server": "mlserver"},
        "spec.objectives[2].sli: Invalid value: a server belongs to a template; counters of your own need none",
    ),
    "one objective twice": (
        {"spec__objectives": [objective(), objective()]},
        "spec: Invalid value: two objectives have the same name",
    ),
    "no objective": ({"spec__objectives": []}, "spec.objectives in body should have at least 1 items"),
    "objective name with a blank": (
        {"spec__objectives__0__name": "first one"},
        "spec.objectives[0].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
    ),
    "burn rate in words": ({"spec__rollback__burnRate": "fast"}, f'"fast": {BURN_RATE}'),
    "burn rate 0": ({"spec__rollback__burnRate": "0"}, f'"0": {BURN_RATE}'),
    "burn rate that no version can reach": ({"spec__objectives__1__target": "50"}, NEVER_FIRES),
    "burn rate of one objective that no version can reach": (
        {"spec__objectives__0__rollback": {"burnRate": "1000"}},
        NEVER_FIRES,
    ),
    "unknown action": (
        {"spec__rollback__action": "warn"},
        'spec.rollback.action: Unsupported value: "warn": supported values: "auto", "hold", "notify"',
    ),
    "allowance of nothing": (
        {"spec__rollback__allowance": "0"},
        "\"0\": allowance is a percentage above 0 and up to 100, such as '2'",
    ),
    "freeze at all of it": (
        {"spec__freezeAt": "100"},
        "freezeAt is a percentage of the budget from 0 to 99, such as '0' or '10'",
    ),
    "offline without value": (
        {"spec__objectives__0__compare": {"to": "offline", "margin": "5"}},
        "to: offline needs the value that was measured offline, in percent; to: stable has none",
    ),
    "stable with value": (
        {"spec__objectives__0__compare": {"to": "stable", "margin": "5", "value": "99"}},
        "to: offline needs the value that was measured offline, in percent; to: stable has none",
    ),
    "means of counters": (
        {"spec__objectives__0__compare": {"to": "stable", "margin": "5", "mean": {}}},
        (
            "a mean is read from a histogram, because a sum and a count don't tell how much values scatter; only these "
            f"templates have one: {TIMED}, label-absolute-error; leave compare.mean out to compare shares"
        ),
    ),
    "a mean offline without its value": (
        {"spec__objectives__1__compare": {"to": "offline", "margin": "5", "mean": {}}},
        "with mean, to: offline needs mean.value, the mean that was measured offline; to: stable has none",
    ),
    "a mean beside a share": (
        {"spec__objectives__1__compare": {"to": "offline", "margin": "5", "value": "99", "mean": {"value": "1s"}}},
        "with mean, to: offline needs mean.value, the mean that was measured offline; to: stable has none",
    ),
    "a mean time without a unit": (
        {"spec__objectives__1__compare": {"to": "offline", "margin": "5", "mean": {"value": "0.1"}}},
        (
            "compare.mean.value and ceiling are written like the template's threshold: a time such as 250ms, or for "
            "label-absolute-error a number such as '0.5'"
        ),
    ),
    "a ceiling without a unit": (
        {"spec__objectives__1__compare": {"to": "stable", "margin": "5", "mean": {"ceiling": "1"}}},
        "compare.mean.value and ceiling are written like the template's threshold",
    ),
    "margin of everything": (
        {"spec__objectives__0__compare": {"to": "stable", "margin": "100"}},
        "margin is a percentage from 0 to 99, such as '5': how much worse the version may be, relatively",
    ),
    "compared with a third thing": (
        {"spec__objectives__0__compare": {"to": "peers", "margin": "5"}},
        'compare.to: Unsupported value: "peers"',
    ),
    "more bad slices than slices": (
        {"spec__objectives__0__slices": {"bad": 6, "of": 5}},
        "slices.bad can't be more than slices.of: so many of the last slices, such as 3 of 5",
    ),
    "slices of seven minutes": ({"spec__objectives__0__slices": {"length": "7m"}}, SLICE_LENGTH),
    "slices of half an hour": ({"spec__objectives__0__slices": {"length": "30m"}}, SLICE_LENGTH),
    "slices of a second": ({"spec__objectives__0__slices": {"length": "1s"}}, SLICE_LENGTH),
    "slices compared": (
        {"spec__objectives__0__slices": {}, "spec__objectives__0__compare": {"to": "stable", "margin": "5"}},
        NOT_COMPARED,
    ),
    "freshness compared": (
        {
            "spec__objectives__0__sli": {"template": "feature-freshness", "threshold": "5m"},
            "spec__objectives__0__compare": {"to": "stable", "margin": "5"},
        },
        NOT_COMPARED,
    ),
    "cost of no objective": (
        {"spec__cost": {"objective": "speed", "perThousand": "0.40"}},
        "cost.objective names none of the objectives: it is the one whose events are the predictions",
    ),
    "cost by guessing": (
        {"spec__cost": {"objective": "availability", "perThousand": "0.40", "prices": "guess"}},
        'spec.cost.prices: Unsupported value: "guess": supported values: "annotation", "opencost"',
    ),
    "cost for nothing": (
        {"spec__cost": {"objective": "availability", "perThousand": "0"}},
        "perThousand is a positive price, such as '0.40'",
    ),
    "more dear slices than there are": (
        {"spec__cost": {"objective": "availability", "perThousand": "0.40", "bad": 6, "of": 5}},
        "cost.bad can't be more than cost.of: so many of the last slices, such as 4 of 5",
    ),
    "unknown alerts": ({"spec__alerts": "none"}, 'spec.alerts: Unsupported value: "none"'),
    "calendar of fortnights": (
        {"spec__calendar": {"period": "fortnight", "timeZone": "UTC"}},
        'spec.calendar.period: Unsupported value: "fortnight"',
    ),
    "time zone as an offset": (
        {"spec__calendar": {"period": "month", "timeZone": "+01:00"}},
        "write the time zone by its IANA name, such as Europe/Paris or UTC",
    ),
    "alpha of one half": ({"spec__rollback__alpha": "0.5"}, f'"0.5": {ALPHA}'),
    "alpha 0": ({"spec__rollback__alpha": "0.0"}, f'"0.0": {ALPHA}'),
    "alpha in percent": ({"spec__rollback__alpha": "1%"}, f'"1%": {ALPHA}'),
    "gap of a class in errors": (
        {"spec__labels": {"gaps": [{"slice": "region", "class": "fraud", "limit": "10"}]}},
        OF_ONE_CLASS,
    ),
    "gap of positives of no class": (
        {"spec__labels": {"gaps": [{"slice": "region", "of": "positive", "limit": "10"}]}},
        OF_ONE_CLASS,
    ),
    "gap of recall of no class": (
        {"spec__labels": {"gaps": [{"slice": "region", "of": "recall", "class": "", "limit": "10"}]}},
        OF_ONE_CLASS,
    ),
    "gap of something else": (
        {"spec__labels": {"gaps": [{"slice": "region", "of": "precision", "limit": "10"}]}},
        'spec.labels.gaps[0].of: Unsupported value: "precision"',
    ),
    "one gap twice": (
        {"spec__labels": {"gaps": [{"slice": "region", "limit": "10"}, {"slice": "region", "limit": "20"}]}},
        "spec.labels.gaps[1]: Duplicate value",
    ),
    "calibration in percent": (
        {"spec__labels": {"calibration": "5"}},
        "a limit of calibration or of the Brier score is a number above 0 and below 1, such as '0.05'",
    ),
    "gap of everything": (
        {"spec__labels": {"gaps": [{"slice": "region", "limit": "100"}]}},
        "the limit of a gap is in percentage points from 0 to 99, such as '10'",
    ),
    "coverage of all": (
        {"spec__labels": {"brier": "0.2", "coverage": "100"}},
        "coverage is a percentage from 0 to 99, such as '10': how many predictions must have a label",
    ),
    "drift of nothing": (
        {"spec__drift": {"window": "1h"}},
        "drift is judged of features or of predictions: name one of them, features: {} will do",
    ),
    "warn above act": (
        {"spec__drift": {"features": {"warn": "0.3", "act": "0.2"}}},
        "warn must not be above act: for example warn '0.1', act '0.2'",
    ),
    "level of drift 0": (
        {"spec__drift": {"predictions": {"warn": "0"}}},
        "a level of drift is a positive number below 100, such as '0.2'",
    ),
    "everything may be missing": (
        {"spec__drift": {"features": {"faulty": "100"}}},
        "faulty is a percentage from 0 to 99, such as '1': how much more may be missing or out of range",
    ),
    "no rise": (
        {"spec__drift": {"features": {}, "usual": {"rise": "-5"}}},
        "rise is a percentage above 0, such as '25'",
    ),
    "retraining that half a company has to approve": (
        {"spec__drift": {"features": {}, "retrain": {"url": "https://train.example/hook", "approvals": 3}}},
        "spec.drift.retrain.approvals in body should be less than or equal to 2",
    ),
    "retraining without a scheme": (
        {"spec__drift": {"features": {}, "retrain": {"url": "train.example/hook"}}},
        "the url begins with http:// or https://",
    ),
    "retraining without an address": (
        {"spec__drift": {"features": {}, "retrain": {"maxPerMonth": 2}}},
        "retrain.url is missing: it is where the request is posted to",
    ),
    "retraining with a password": (
        {"spec__drift": {"features": {}, "retrain": {"url": "https://ci:s3cret@train.example/hook"}}},
        URL_WITH_USER,
    ),
    "unknown statistic": (
        {"spec__drift": {"features": {"statistic": "feeling"}}},
        'statistic: Unsupported value: "feeling"',
    ),
    "minBad 0": ({"spec__rollback__minBad": 0}, "spec.rollback.minBad in body should be greater than or equal to 1"),
}

GOOD: dict[str, dict[str, Any]] = {
    "ModelDeployment": DEPLOYMENT,
    "by a Service": changed(DEPLOYMENT, spec__traffic={"service": {}}),
    "a fallback": changed(DEPLOYMENT, spec__fallback={"backendRef": {"name": "rules", "port": 80}, "afterPage": "10m"}),
    "one step, defaults": changed(DEPLOYMENT, spec__strategy={"steps": steps(100)}, spec__replicas=None),
    "32 steps": changed(DEPLOYMENT, spec__strategy__steps=steps(*range(1, 33))),
    "longest name": changed(DEPLOYMENT, metadata__name="a" * 45),
    "wildcard host": changed(DEPLOYMENT, spec__traffic__gateway__hostnames=["*.example.com", "localhost"]),
    "compound duration": changed(DEPLOYMENT, spec__strategy__steps__0__for="1h30m"),
    "autoscaled": changed(
        DEPLOYMENT,
        spec__replicas=None,
        spec__autoscaling={"min": 1, "max": 9, "metrics": [{"type": "Resource"}], "behavior": {"scaleUp": {}}},
    ),
    "asked": changed(
        DEPLOYMENT,
        spec__readiness={"openInference": {"model": "fraud_scorer.v2"}, "warmUp": {"configMap": "calls"}},
        spec__liveConfig=[{"kind": "ConfigMap", "name": "a"}, {"kind": "Secret", "name": "a"}],
        spec__strategy__maxSurge=0,
    ),
    "about": changed(
        DEPLOYMENT, spec__about={"owner": "ann", "team": "fraud", "runbook": "https://wiki.example/a", "risk": "medium"}
    ),
    "high risk with a gate": changed(
        DEPLOYMENT, spec__about={"risk": "high"}, spec__strategy__steps=[{"gate": {"name": "review"}}, *steps(10)]
    ),
    "observing": changed(DEPLOYMENT, spec__mode="observe"),
    "undecided": changed(DEPLOYMENT, spec__strategy__undecided={"deadline": "30m", "inconclusive": "rollback"}),
    "override": changed(DEPLOYMENT, spec__commands=[command("override", reason="load test", until=SOME_DAY)]),
    "steps of every kind": changed(
        DEPLOYMENT,
        spec__strategy__steps=[
            {"shadow": {}, "for": "5m"},
            {"preview": {"hostnames": ["next.example.com"]}, "for": "5m"},
            {"weight": 10, "for": "10m", "healthy": ["fraud-scorer/availability"]},
            {"check": {"name": "golden", "job": "golden-set"}},
            {"gate": {"name": "review", "approvals": 2}},
            {"experiment": {"match": {"cookie": "group", "value": "b"}, "objective": "fraud-scorer/availability"}},
            {"weight": 50, "for": "10m"},
        ],
        spec__strategy__watch={"for": "24h", "labels": "21d"},
        spec__strategy__windows=[{"cron": "0 9 * * 1-5", "for": "8h", "timeZone": "Europe/Berlin"}],
        spec__strategy__sticky={"cookie": "seatrial"},
        spec__strategy__keep={"versions": 1, "for": "7d"},
    ),
    "ModelSLO": SLO,
    "rollback of one objective": changed(SLO, spec__objectives__1__rollback={"burnRate": "4", "action": "hold"}),
    "low target with a burn rate of its own": changed(
        SLO, spec__objectives__1__target="50", spec__objectives__1__rollback={"burnRate": "1.5"}
    ),
    "calendar month": changed(SLO, spec__calendar={"period": "month", "timeZone": "Europe/Paris"}, spec__freezeAt="10"),
    "rollback by default": changed(SLO, spec__rollback=None),
    "part of rollback": changed(SLO, spec__rollback={"minBad": 5}),
    "burn rate just reachable": changed(SLO, spec__rollback__burnRate="19.9"),
    "slices of time": changed(
        SLO, spec__objectives__0__slices={"length": "30s", "good": "99.9", "minEvents": 100, "bad": 2, "of": 3}
    ),
    "compared with stable": changed(SLO, spec__objectives__0__compare={"to": "stable", "margin": "5"}),
    "compared with a value": changed(
        SLO, spec__objectives__0__compare={"to": "offline", "margin": "0", "value": "99.5"}
    ),
    "a cap of cost": changed(SLO, spec__cost={"objective": "availability", "perThousand": "0.40"}),
    "a check": changed(SLO, spec__objectives__0__sli={"template": "check", "where": {"check": "safety"}}),
    "threshold with decimals": changed(SLO, spec__objectives__1__sli__threshold="3570.47us"),
    "means beside stable": changed(
        SLO, spec__objectives__1__compare={"to": "stable", "margin": "5", "mean": {"ceiling": "1s"}}
    ),
    "means offline": changed(
        SLO, spec__objectives__1__compare={"to": "offline", "margin": "5", "mean": {"value": "112ms"}}
    ),
    "threshold beside an edge": changed(SLO, spec__objectives__1__sli__edge="below"),
    "threshold that is a number": changed(
        SLO, spec__objectives__1__sli={"template": "label-absolute-error", "threshold": "0.5"}
    ),
    "labels with all they have": changed(
        SLO,
        spec__labels={
            "calibration": "0.05",
            "brier": "0.2",
            "gaps": [
                {"slice": "region", "limit": "10", "reference": "north"},
                {"slice": "region", "of": "positive", "class": "fraud", "limit": "20"},
                {"slice": "region", "of": "recall", "class": "fraud", "limit": "5"},
            ],
            "coverage": "15",
            "action": "rollback",
        },
    ),
    "labels that are only to be enough": changed(SLO, spec__labels={"coverage": "20"}),
    "labels by default": changed(SLO, spec__labels={}),
    "a cap by OpenCost": changed(
        SLO, spec__cost={"objective": "availability", "perThousand": "0.40", "prices": "opencost"}
    ),
    "drift by default": changed(SLO, spec__drift={"features": {}}),
    "drift with all it has": changed(
        SLO,
        spec__drift={
            "features": {"statistic": "js", "warn": "0.1", "act": "0.15", "action": "hold", "names": ["age"]},
            "predictions": {"act": "0.5", "warn": "0.3", "action": "rollback"},
            "window": "24h",
            "usual": {"ago": "7d", "rise": "50"},
            "confirm": 3,
            "retrain": {
                "url": "https://train.example/hook?by=a@b",
                "cooldown": "7d",
                "maxPerMonth": 2,
                "approvals": 1,
            },
            "cooldown": "6h",
        },
    ),
    "server named": changed(SLO, spec__objectives__0__sli__server="mlserver"),
}


def refusal(api_server: ApiServer, manifest: dict[str, Any]) -> str:
    answer = api_server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)
    assert answer.returncode == 1, f"accepted: {answer.stdout}"
    return answer.stderr


@pytest.mark.parametrize(("changes", "sentence"), BAD_DEPLOYMENTS.values(), ids=BAD_DEPLOYMENTS)
def test_a_wrong_model_deployment_is_refused(api_server: ApiServer, changes: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(api_server, changed(DEPLOYMENT, **changes))


@pytest.mark.parametrize(("changes", "sentence"), BAD_SLOS.values(), ids=BAD_SLOS)
def test_a_wrong_model_slo_is_refused(api_server: ApiServer, changes: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(api_server, changed(SLO, **changes))


def test_a_ratio_is_called_a_ratio_and_nothing_else(api_server: ApiServer) -> None:
    assert NEVER_FIRES not in refusal(api_server, changed(SLO, spec__objectives__0__target="0.999"))


@pytest.mark.parametrize("manifest", GOOD.values(), ids=GOOD)
def test_what_is_in_order_is_accepted(api_server: ApiServer, manifest: dict[str, Any]) -> None:
    answer = api_server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)
    assert answer.returncode == 0, answer.stderr


SHIPPED = sorted([*ROOT.glob("demo/manifests/*.yaml"), *ROOT.glob("manifests/examples/*.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_this_repository_ships_is_accepted(api_server: ApiServer, path: Path) -> None:
    for manifest in yaml.safe_load_all(path.read_text()):
        if manifest["apiVersion"].startswith("seatrial.dev/"):
            manifest["metadata"]["namespace"] = "default"  # the only one that this server has
            answer = api_server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)
            assert answer.returncode == 0, answer.stderr


def test_every_rule_of_the_crds_has_a_manifest_that_breaks_it(api_server: ApiServer) -> None:
    sentences = [sentence for _, sentence in (*BAD_DEPLOYMENTS.values(), *BAD_SLOS.values())]
    for name in ("modeldeployments", "modelslos"):
        crd = api_server.get("crd", f"{name}.seatrial.dev")
        for message in messages(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
            assert any(message in sentence for sentence in sentences), f"no test for: {message}"


def messages(node: dict[str, Any]) -> set[str]:
    own = {rule["message"] for rule in node.get("x-kubernetes-validations", [])}
    parts = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    return own.union(*(messages(part) for part in parts))
