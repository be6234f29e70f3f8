"""Commands: what a person asks of a running rollout, through the object itself, and what came of it.

A command is an entry in ``spec.commands`` with an id of its own. It is executed once; its answer stands in status. An
admission policy (``manifests/install/policy.yaml``) lets nobody sign with another one's name, and asks for the verb
``approve`` on ModelDeployments for commands that overrule the judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from seatrial.api.fields import CONFIG, ApiModel, Time, rule


class Verb(StrEnum):
    """What can be asked."""

    PROMOTE = "promote"
    """Pass the gate or the step that the trial waits at. A version that burns is rolled back all the same."""
    PROMOTE_FULL = "promote-full"
    """Skip all steps that are left."""
    PAUSE = "pause"
    """Start no trial and take no step until resumed."""
    RESUME = "resume"
    """Take back a pause."""
    ABORT = "abort"
    """Roll the candidate back."""
    RETRY = "retry"
    """Try the wished version again, although it was rolled back."""
    ROLLBACK = "rollback"
    """Return to a former version."""
    FREEZE = "freeze"
    """Pause until a given time, whatever is applied meanwhile."""
    OVERRIDE = "override"
    """Let verdicts count as Healthy and a spent budget stop nothing, until a given time."""
    FALLBACK = "fallback"
    """Let spec.fallback answer all requests until restored."""
    RESTORE = "restore"
    """Let the versions answer again."""


PRIVILEGED = frozenset({Verb.PROMOTE, Verb.PROMOTE_FULL, Verb.OVERRIDE})
"""Verbs that overrule the judge or stand in for it: the policy asks for the RBAC verb ``approve``."""


class Command(ApiModel):
    """One thing that a person asks for."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "(self.verb in ['freeze', 'override']) == has(self.until)",
                    "freeze and override need `until`, the time at which they end; other commands have none",
                ),
                rule("self.verb != 'override' || has(self.reason)", "an override needs a reason"),
            ]
        },
    )

    id: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
    """An id that was never used before for this ModelDeployment; a command runs once."""
    verb: Verb
    """What is asked."""
    by: Annotated[str, Field(min_length=1, max_length=253)]
    """User name of who asks, as `kubectl auth whoami` tells it."""
    reason: Annotated[str | None, Field(min_length=3, max_length=512)] = None
    """Why, for those who come after."""
    gate: Annotated[str | None, Field(max_length=40)] = None
    """For promote: the gate that is meant, so that an approval never opens another one."""
    version: Annotated[str | None, Field(max_length=63)] = None
    """For rollback: hash or name of the version to return to; the one before when absent."""
    until: Time | None = None
    """For freeze and override: when they end by themselves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command."""

    __pydantic_config__ = CONFIG

    id: str
    """Id of the command."""
    verb: Verb
    """What was asked."""
    by: str
    """Who asked."""
    verified: bool
    """Whether the API server vouches for that name (an admission policy was in force)."""
    at: Time
    """When it was executed or refused."""
    outcome: Literal["Done", "Refused"]
    """Whether it was executed."""
    sentence: str
    """What was done, or why not."""
    reason: str | None = None
    """The reason that was given."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word that holds or overrules something, while it is in force."""

    __pydantic_config__ = CONFIG

    by: str
    """Who said it."""
    at: Time
    """When."""
    reason: str | None = None
    """Why."""
    until: Time | None = None
    """When it ends by itself."""
