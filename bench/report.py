"""Benchmark figures as Markdown, with the machine that they were taken on."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median


def spread(figures: Sequence[float], digits: int = 1) -> str:
    """Write min / median / max; a dash when there are no figures."""
    if not figures:
        return "-"
    return " / ".join(f"{figure:.{digits}f}" for figure in (min(figures), median(figures), max(figures)))


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Build a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """Describe this machine in one line: processor, cores, memory, kernel."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in lines}
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = facts.get("model name", platform.machine())
    return f"{os.cpu_count()} cores of {model}, {memory_gib:.0f} GiB, Linux {platform.release()}"
