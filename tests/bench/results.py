"""Results as the benchmark writes them, made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def result(instance: str, method: str, value: float | None, **fields: Any) -> dict[str, Any]:
    """A line of results.jsonl: solved and verified where there is a value, else unstable."""
    return {
        "key": f"{instance} {method} {fields}",
        "suite": "made-up",
        "instance": instance,
        "sha256": "0" * 64,
        "source": f"instances/easy/{instance}.json",
        "method": method,
        "options": {},
        "seed": 0,
        "objective": "response-time",
        "status": "unstable" if value is None else "feasible",
        "error": None,
        "value": value,
        "half_width": None,
        "simulated": None,
        "bound": None,
        "best_known": None,
        "gap": None,
        "gap_to": None,
        "runtime_s": 1.0,
        "verified": True,
        "violations": [],
        "version": "0",
        "environment": {},
        "finished": "2026-01-01T00:00:00Z",
        "solution": None,
        **fields,
    }


def write_results(records: list[dict[str, Any]], folder: Path, rest: str = "") -> None:
    """Write results.jsonl, and what a killed writer left after it."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "results.jsonl").write_text(text + rest, encoding="utf-8")
