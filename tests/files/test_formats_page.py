"""The page on file formats: its examples are good files, its lists are complete, its errors are real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chainopt.errors import FormatError
from chainopt.files import canonical_form, digest, read_instance
from chainopt.files.document import parse_record
from chainopt.files.schema import RECORDS, stored_schema
from chainopt.model import Instance, Objective, Solution, Status
from chainopt.model.solution import relative_gap

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
INSTANCE, SOLUTION = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
CANONICAL, ERRORS = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_examples() -> None:
    """The examples are good files, and belong to each other."""
    instance = parse_record(INSTANCE, Instance, "page")
    solution = parse_record(SOLUTION, Solution, "page")

    assert canonical_form(instance) == CANONICAL.replace("\n", "")
    assert solution.instance.sha256 == digest(instance)
    assert solution.bind(instance).composition.job_servers == 14
    assert solution.value is not None
    assert solution.bound is not None
    assert solution.gap == pytest.approx(relative_gap(solution.value, solution.bound), abs=1e-3)


@pytest.mark.parametrize("name", RECORDS)
def test_every_key_is_explained(name: str) -> None:
    """Every key of a file has a row in a table, and stands in an example."""
    schema = json.loads(stored_schema(name))
    keys = {key for part in [schema, *schema["$defs"].values()] for key in part.get("properties", {})}

    explained = set(re.findall(r"(?<=[`.\]])(\w+)`", "\n".join(line for line in PAGE.split("\n") if line[:1] == "|")))
    assert keys <= explained
    assert all(f'"{key}":' in INSTANCE + SOLUTION for key in keys)


def test_every_word_is_explained() -> None:
    """Every status and every objective has a row in a table."""
    for word in [*Status, *Objective]:
        assert f"| `{word}` |" in PAGE


@pytest.mark.parametrize("line", ERRORS.splitlines())
def test_errors(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, damaged in the way that an error line speaks of, gives this line."""
    damages: dict[str, Any] = {
        "memory_gb": ('"memory_gb": 40', '"memory_gb": "40 GB"'),
        "unknown": ('"id": "s01"', '"ident": "s01"'),
        "missing": ('"comm_s": 0,', ""),
        "too": ("été", "s01"),
        "not JSON": (INSTANCE, ""),
    }
    monkeypatch.chdir(tmp_path)
    for word, (old, new) in damages.items():
        if word in line:
            Path("x.json").write_text(INSTANCE.replace(old, new), encoding="utf-8")

    with pytest.raises(FormatError) as caught:
        read_instance("x.json")
    assert str(caught.value) == line
