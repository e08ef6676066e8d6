"""What all types that stand in files have in common: frozen, strict, validated when built."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from chainopt.quantity import exact

LEAST, MOST = Decimal("1e-9"), Decimal("1e9")
MOST_PLACES = 30
MOST_BLOCKS = 10**5
MOST_SERVERS = 10**6
MOST_SLOTS = 10**12
MOST_NAME = 200
MOST_TAG_DEPTH = 16
MOST_TAG_DIGITS = 400

_RANGE = f"from {LEAST:e} to {MOST:e}".replace("+", "")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHA256 = re.compile("[0-9a-f]{64}")


class Record(BaseModel):
    """A frozen record: unknown keys are errors, and :meth:`replace` validates again."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, ser_json_inf_nan="null")

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated like a new one."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **changes})


def cross_reference(message: str, *path: str | int) -> PydanticCustomError:
    """Error of a record whose parts, each valid, do not fit each other; `path` leads to the part to blame."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    text = f"{place}: {message}" if place else message
    return PydanticCustomError("cross_reference", "{text}", {"text": text, "message": message, "path": path})


def shown(value: object) -> str:
    """A value in the words of a file and on one short line, for messages."""
    if value is None or isinstance(value, bool):
        text = "null" if value is None else str(value).lower()
    elif isinstance(value, dict):
        text = "an object"
    elif isinstance(value, list | tuple):
        text = f"an array of {len(value)}"
    elif isinstance(value, int | float | Decimal):
        text = str(Decimal(value) if isinstance(value, int) else value)  # str(int) refuses very long ones
    else:
        text = repr(value) if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _unexpected(expected: str, value: object) -> ValueError:
    return ValueError(f"expected {expected}, got {shown(value)}")


def _quantity(value: object, *, zero: bool) -> Decimal:
    try:
        number = exact(value)
    except TypeError:
        number = Decimal("NaN")
    if zero and number.is_zero() and not number.is_signed():
        return Decimal(0)
    # adjusted() first: comparing 1e-999999999 with a bound would be slow, not wrong
    if not number.is_finite() or not -10 <= number.adjusted() <= 10 or not LEAST <= number <= MOST:
        raise _unexpected(f"a number {'that is 0 or ' if zero else ''}{_RANGE}", value)
    if len(f"{number:f}".partition(".")[2].rstrip("0")) > MOST_PLACES:
        raise _unexpected(f"at most {MOST_PLACES} decimal places", value)
    return number


def _size(value: object) -> Decimal:
    return _quantity(value, zero=False)


def _amount(value: object) -> Decimal:
    return _quantity(value, zero=True)


def _share(value: object) -> Decimal:
    number = _quantity(value, zero=False)
    if number >= 1:
        raise _unexpected("a number between 0 and 1, both excluded", value)
    return number


def _integer(value: object) -> object:
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _unexpected("an integer from -2^63 to 2^63 - 1", value)
    return value


def _real(value: object) -> float:
    try:
        number = exact(value)
    except TypeError:
        raise _unexpected("a number", value) from None
    if not number.is_finite() or math.isinf(float(number)):
        raise _unexpected("a finite number", value)
    return float(number)


def _name(value: object) -> object:
    if isinstance(value, str) and not (0 < len(value) <= MOST_NAME and value.isprintable()):
        raise _unexpected(f"1 to {MOST_NAME} printable characters", value)
    return value


def _text(value: object) -> object:
    if isinstance(value, str) and _SURROGATE.search(value):
        raise _unexpected("text without lone surrogates", value)
    return value


def _sha256(value: object) -> object:
    if isinstance(value, str) and not _SHA256.fullmatch(value):
        raise _unexpected("64 hexadecimal digits in lower case", value)
    return value


def _tags(value: object) -> object:
    return _json(value, ()) if isinstance(value, dict) else value


def _json(value: object, path: tuple[str | int, ...]) -> Any:
    """A copy in plain types; errors carry the path to the part to blame."""
    if len(path) > MOST_TAG_DEPTH:
        raise cross_reference(f"nested more than {MOST_TAG_DEPTH} deep", *path)
    if isinstance(value, dict):
        return {_key(key, path): _json(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, (*path, i)) for i, item in enumerate(value)]
    try:
        return value if value is None or isinstance(value, bool) else _plain(value)
    except ValueError as error:
        raise cross_reference(str(error), *path) from None


def _key(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str) or _SURROGATE.search(key):
        raise cross_reference(f"expected keys that are text without lone surrogates, got {shown(key)}", *path)
    return str.__str__(key)


def _plain(value: object) -> str | int | float | Decimal:
    """A text; or a number as an int, as a float if that is exactly what is meant, else as a Decimal."""
    if isinstance(value, str):
        _text(value)
        return str.__str__(value)
    try:
        number = exact(value)
    except TypeError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _unexpected("a JSON value", value)
    if len(str(number)) > MOST_TAG_DIGITS:
        raise _unexpected(f"a number of at most {MOST_TAG_DIGITS} characters", value)
    if isinstance(value, int | np.integer):
        return int(value)
    nearest = float(number)
    return nearest if exact(nearest) == number else number


_POSITIVE = {"type": "number", "minimum": float(LEAST), "maximum": float(MOST)}

Size = Annotated[Decimal, BeforeValidator(_size), WithJsonSchema(_POSITIVE)]
"""A positive number."""
Amount = Annotated[Decimal, BeforeValidator(_amount), WithJsonSchema({"anyOf": [{"const": 0}, _POSITIVE]})]
"""A positive number or zero."""
Share = Annotated[
    Decimal,
    BeforeValidator(_share),
    WithJsonSchema({"type": "number", "minimum": float(LEAST), "exclusiveMaximum": 1}),
]
"""A number in the open interval (0, 1)."""
Integer = Annotated[int, Strict(), BeforeValidator(_integer)]
"""A signed integer of 64 bits."""
Real = Annotated[float, BeforeValidator(_real)]
"""A finite result, rounded to the nearest float."""
Name = Annotated[
    str,
    Strict(),
    BeforeValidator(_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MOST_NAME}),
]
"""One printable line."""
Text = Annotated[str, Strict(), BeforeValidator(_text)]
"""Free text."""
Digest = Annotated[
    str, Strict(), BeforeValidator(_sha256), WithJsonSchema({"type": "string", "pattern": f"^{_SHA256.pattern}$"})
]
"""SHA-256 in hexadecimal."""
Tags = Annotated[dict[str, Any], BeforeValidator(_tags)]
"""Free JSON, copied."""
