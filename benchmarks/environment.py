"""Where a measurement was made: processor, versions, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("numpy", "scipy", "numba", "pydantic")


def describe() -> list[str]:
    """One line a fact, as Markdown list items."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "--", "chainopt"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    state = f"{commit.stdout.strip() or 'unknown'}{' (changed)' if dirty.stdout else ''}"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        f"- {datetime.now(UTC):%Y-%m-%d}, commit {state}",
        f"- {_processor()}, {os.cpu_count()} cores; one is used unless said otherwise",
        f"- {platform.system()}, Python {platform.python_version()}, {versions}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
