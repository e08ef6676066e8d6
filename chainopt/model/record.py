"""What all types that stand in files have in common: frozen, strict, validated when built."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from chainopt.quantity import decimal_places, exact

LEAST, MOST = Decimal("1e-9"), Decimal("1e9")
MOST_PLACES = 30
MOST_BLOCKS = 10**5
MOST_SERVERS = 10**6
MOST_TAG_DEPTH = 16


class Record(BaseModel):
    """A frozen record: unknown keys are errors, and :meth:`replace` validates again."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, ser_json_inf_nan="null"
    )

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated like a new one."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **changes})


def cross_reference(message: str, *path: str | int) -> PydanticCustomError:
    """Error of a record whose parts, each valid, do not fit each other; `path` leads to the part to blame."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return PydanticCustomError(
        "cross_reference", "{place}: {message}", {"place": place, "message": message, "path": path}
    )


def _quantity(value: object, *, zero: bool) -> Decimal:
    expected = f"a number {'that is 0 or ' if zero else ''}from {LEAST:e} to {MOST:e}"
    try:
        number = exact(value)
    except TypeError:
        raise ValueError(f"expected {expected}, got {shown(value)}") from None
    if not number.is_finite():
        raise ValueError(f"expected {expected}, got {shown(value)}")
    if number.is_zero():
        if zero and not number.is_signed():
            return Decimal(0)
        raise ValueError(f"expected {expected}, got {shown(value)}")
    # adjusted() first: comparing 1e-999999999 with a bound would be slow, not wrong
    if not -10 <= number.adjusted() <= 10 or not LEAST <= number <= MOST:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    if decimal_places([number]) > MOST_PLACES:
        raise ValueError(f"expected at most {MOST_PLACES} decimal places, got {shown(value)}")
    return number


def _size(value: object) -> Decimal:
    return _quantity(value, zero=False)


def _amount(value: object) -> Decimal:
    return _quantity(value, zero=True)


def _share(value: object) -> Decimal:
    number = _quantity(value, zero=False)
    if number >= 1:
        raise ValueError(f"expected a number between 0 and 1, both excluded, got {shown(value)}")
    return number


def shown(value: object) -> str:
    """A value as one short line, for messages."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _name(value: object) -> object:
    if isinstance(value, str) and not value.isprintable():
        raise ValueError(f"expected printable characters only, got {shown(value)}")
    return value


def _text(value: object) -> object:
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"expected text without lone surrogates, got {shown(value)}")
    return value


def _tags(value: object, depth: int = 0) -> object:
    if depth > MOST_TAG_DEPTH:
        raise ValueError(f"tags are nested more than {MOST_TAG_DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _text(key)
            _tags(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _tags(item, depth + 1)
    elif not isinstance(value, str | int | float | Decimal | bool | None):
        raise ValueError(f"expected a JSON value, got {shown(value)}")
    else:
        _text(value)
    return value


_POSITIVE = {"type": "number", "minimum": float(LEAST), "maximum": float(MOST)}

Size = Annotated[Decimal, BeforeValidator(_size), WithJsonSchema(_POSITIVE)]
"""A positive number."""
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"anyOf": [{"const": 0}, _POSITIVE]}),
]
"""A positive number or zero."""
Share = Annotated[
    Decimal,
    BeforeValidator(_share),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
"""A number in the open interval (0, 1)."""
Integer = Annotated[int, Strict()]
Name = Annotated[str, Strict(), BeforeValidator(_name), Field(min_length=1, max_length=200)]
"""One printable line."""
Text = Annotated[str, Strict(), BeforeValidator(_text)]
"""Free text."""
Tags = Annotated[dict[str, Any], BeforeValidator(_tags)]
"""Free JSON."""
