"""The JSON Schemas: kept, valid, and no stricter than the readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chainopt.files.schema import RECORDS, schema_text, stored_schema

EXAMPLES = {
    f"chainopt-{kind}-1": Path(__file__).parent / "examples" / f"{kind}.json" for kind in ("instance", "solution")
}


@pytest.mark.parametrize("name", RECORDS)
def test_stored_is_generated(name: str) -> None:
    """The stored schema is what the types say; ``python -m chainopt.files.schema`` renews it."""
    assert stored_schema(name) == schema_text(name)


@pytest.mark.parametrize("name", RECORDS)
def test_schema_is_valid(name: str) -> None:
    """A schema uses the words of JSON Schema only, and every default fits."""
    schema = json.loads(stored_schema(name))
    Draft202012Validator.check_schema(schema)
    parts = [schema, *schema["$defs"].values()]

    known = {"$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "exclusiveMaximum"}
    known |= {"exclusiveMinimum", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum"}
    known |= {"pattern", "type"}
    for part in parts:
        for rule in part.get("properties", {}).values():
            assert set(rule) <= known
            if "default" in rule:
                Draft202012Validator({**rule, "$defs": schema["$defs"]}).validate(rule["default"])


@pytest.mark.parametrize("name", RECORDS)
def test_example_fits(name: str) -> None:
    """The example fits its schema."""
    Draft202012Validator(json.loads(stored_schema(name))).validate(json.loads(EXAMPLES[name].read_text("utf-8")))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("chainopt-instance-1", ["format"], "chainopt-instance/2"),
        ("chainopt-instance-1", ["nmae"], "x"),
        ("chainopt-instance-1", ["name"], ""),
        ("chainopt-instance-1", ["service", "blocks"], 0),
        ("chainopt-instance-1", ["service", "block_gb"], 0),
        ("chainopt-instance-1", ["workload", "target_load"], 1),
        ("chainopt-instance-1", ["servers"], []),
        ("chainopt-instance-1", ["servers", 0, "comm_s"], -1),
        ("chainopt-instance-1", ["servers", 0, "memory_gb"], "40"),
        ("chainopt-instance-1", ["servers", 1, "pin", "start"], -1),
        ("chainopt-solution-1", ["status"], "good"),
        ("chainopt-solution-1", ["instance", "sha256"], "0"),
        ("chainopt-solution-1", ["chains", 0, "capacity"], 0),
        ("chainopt-solution-1", ["chains", 0, "service_time_s"], 0),
        ("chainopt-solution-1", ["evaluation", "waiting_probability"], 2),
        ("chainopt-solution-1", ["gap"], -1),
    ],
)
def test_schema_rejects(name: str, path: list[Any], value: Any) -> None:
    """An editor that knows the schema sees the common mistakes."""
    document = part = json.loads(EXAMPLES[name].read_text("utf-8"))
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value

    assert not Draft202012Validator(json.loads(stored_schema(name))).is_valid(document)
