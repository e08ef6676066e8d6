"""JSON Schema of the files, generated from the types and kept beside this module."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from chainopt.model.instance import Instance
from chainopt.model.solution import Solution

if TYPE_CHECKING:
    from pydantic import BaseModel

RECORDS: dict[str, type[BaseModel]] = {"chainopt-instance-1": Instance, "chainopt-solution-1": Solution}


_KEYWORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}


class _Generator(GenerateJsonSchema):
    """Pydantic's, with numbers as defaults, without titles, and with the limits that stand outside our validators."""

    def encode_default(self, dft: Any) -> Any:
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def generate_inner(self, schema: Any) -> dict[str, Any]:
        return {_KEYWORDS.get(key, key): value for key, value in super().generate_inner(schema).items()}


def schema_text(name: str) -> str:
    """The schema of a kind of file, generated anew."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RECORDS[name].model_json_schema(schema_generator=_Generator),
    }
    schema["required"] = ["format", *(key for key in schema["required"] if key != "format")]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stored_schema(name: str) -> str:
    """The schema of a kind of file as it is kept in the package."""
    return (resources.files("chainopt.files") / "schemas" / f"{name}.json").read_text(encoding="utf-8")


if __name__ == "__main__":
    from pathlib import Path

    for name in RECORDS:
        (Path(__file__).parent / "schemas" / f"{name}.json").write_text(schema_text(name), encoding="utf-8")
