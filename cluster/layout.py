"""Where everything of the cluster lives on disk: one cache folder outside every checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = CHECKOUT / "cluster"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below the cache folder.

    Parameters
    ----------
    cache
        Absolute path of the cache folder. ``state`` below it lives as long as the cluster, the rest outlives it.
    """

    cache: Path

    @property
    def bin(self) -> Path:
        """Built programs."""
        return self.cache / "bin"

    @property
    def images(self) -> Path:
        """Image archives of the cluster's own parts, and the base image."""
        return self.cache / "images"

    @property
    def buildah(self) -> Path:
        """Layer store of buildah."""
        return self.cache / "buildah"

    @property
    def lock(self) -> Path:
        """File that one `up`, `down` or `image` at a time holds."""
        return self.cache / "lock"

    @property
    def failed_logs(self) -> Path:
        """Logs of the last start, when it failed."""
        return self.cache / "failed-logs"

    @property
    def state(self) -> Path:
        """Everything of the running cluster; `down` removes it."""
        return self.cache / "cluster"

    @property
    def record(self) -> Path:
        """The record of the running cluster (see `cluster.record`)."""
        return self.state / "record.json"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """API server's audit log, one JSON event per line."""
        return self.state / "audit" / "audit.log"

    @property
    def logs(self) -> Path:
        """One log file per component."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """Certificates, keys and tokens."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Rendered configuration of the components."""
        return self.state / "config"

    @property
    def imported(self) -> Path:
        """One small file per image that the running cluster has: what it was made from."""
        return self.state / "imported"


def layout_from(environ: Mapping[str, str]) -> Layout:
    """Return the layout that the environment asks for: ``SEATRIAL_CACHE``, else ``~/.cache/seatrial``."""
    chosen = environ.get("SEATRIAL_CACHE") or str(Path.home() / ".cache" / "seatrial")
    return Layout(Path(chosen).expanduser().resolve())
