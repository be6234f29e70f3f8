"""A kubectl that hangs is ended and told of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import KubectlError, kubectl

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_kubectl_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/number\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(KubectlError, match=r"kubectl delete namespace demo: no end within 1 s$"):
        await kubectl("delete", "namespace", "demo", timeout_s=1.0)
    number = (tmp_path / "number").read_text().strip()
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)
