"""Settings of the operator: one frozen model, read from the environment, with every default in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "SEATRIAL_"


class Settings(BaseModel):
    """All settings. Each is read from the variable ``SEATRIAL_`` + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prometheus_url: str = "http://prometheus.monitoring:9090"
    """Prometheus, while the folder of the Secret names no other."""
    prometheus_dir: Path = Path("/etc/seatrial/prometheus")
    """Folder of the mounted Secret with url, ca.crt, token, username, password and headers; may be empty."""
    webhook_key: Path = Path("/etc/seatrial/webhook/key")
    """File with the key that webhooks are signed with, from a mounted Secret; without it none is sent."""
    look_s: float = Field(default=0.5, ge=0.05, le=60)
    """Seconds between two looks at a version that gets traffic."""
    fresh_s: float = Field(default=60.0, gt=0)
    """Seconds after which a version's newest sample no longer speaks for now; at least four scrape intervals."""
    status_s: float = Field(default=30.0, gt=0)
    """Seconds between two writes of a status in which only counts changed."""
    namespaces: str = ""
    """Namespaces to work in, separated by commas; all when empty."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of /metrics and /healthz."""
    lease_name: str = "seatrial"
    """Name of the Lease by which one of several operators leads."""
    config_s: float = Field(default=60.0, gt=0)
    """Seconds between two readings of the ConfigMaps and Secrets that templates name."""
    max_trials: int = Field(default=0, ge=0)
    """Trials at the same time, over all ModelDeployments; others wait in line. 0 sets no limit."""
    pod_namespace: str = "seatrial-system"
    """Namespace of the Lease."""
    pod_name: str = "seatrial"
    """Who holds the Lease."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; other variables, also those that Kubernetes makes for Services, are left alone.

    Raises
    ------
    pydantic.ValidationError
        If a variable has a wrong value.
    """
    own = {
        name: environment[PREFIX + name.upper()]
        for name in Settings.model_fields
        if PREFIX + name.upper() in environment
    }
    downward = {key.lower(): environment[key] for key in ("POD_NAMESPACE", "POD_NAME") if key in environment}
    return Settings.model_validate(downward | own)
