"""Start other programs; when one fails, say which and show its last words."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAIL_LINES = 20


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last `lines` non-empty lines of `text`."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def run(
    command: Sequence[object],
    what: str,
    *,
    hint: str = "",
    env: Mapping[str, str] | None = None,
    text_in: str | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run `command` (texts and paths) to its end and return its standard output.

    Raises
    ------
    ClusterError
        When the program is missing, fails or takes longer than `timeout_s`; carries its last lines.
    """
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments, env=env, input=text_in, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise ClusterError(f"{what}: the program {arguments[0]} is not there.", hint) from None
    except subprocess.TimeoutExpired as late:
        output = (late.stderr or b"").decode(errors="replace")  # bytes here, whatever `text` says
        raise ClusterError(f"{what}: no end within {timeout_s:.0f} s.\n{tail(output)}", hint) from None
    if done.returncode != 0:
        words = tail(done.stdout + done.stderr)
        raise ClusterError(f"{what}: `{shlex.join(arguments)}` ended with {done.returncode}:\n{words}", hint)
    return done.stdout
