"""JSON documents with exact decimals, and errors that say where in the file they are."""

from __future__ import annotations

import re
from decimal import Decimal
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, TypeVar

import simplejson
from pydantic import BaseModel, ValidationError

from chainopt.errors import FormatError
from chainopt.files.text import line_and_column, read_text
from chainopt.model.record import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator

Path = tuple[str | int, ...]
R = TypeVar("R", bound=BaseModel)

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MOST_DIGITS = 400
_MOST_DEPTH = 100
_EXPECTED = {
    "int_type": "an integer",
    "string_type": "a string",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "an array",
}


def read_record(source: str | os.PathLike[str], record: type[R]) -> R:
    """Read a JSON file as a record.

    Raises
    ------
    FormatError
        If the file is not JSON or not such a record; the first mistake in the file is the one reported.
    """
    name = str(source)
    return parse_record(read_text(source), record, "standard input" if name == "-" else name)


def parse_record(text: str, record: type[R], source: str) -> R:
    """Read a JSON text as a record; `source` names it in errors."""
    data = _load(text, source)
    try:
        return record.model_validate(data)
    except ValidationError as error:
        offsets = dict(_offsets(text))
        mistakes = [(dict(detail), _path(detail)) for detail in error.errors(include_url=False)]
        detail, path = min(mistakes, key=lambda mistake: _nearest(offsets, mistake[1]))
        line, column = line_and_column(text, _nearest(offsets, path))
        raise FormatError(
            _message(detail), source=source, line=line, column=column, path=_shown_path(path)
        ) from None


def _load(text: str, source: str) -> Any:
    try:
        return simplejson.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except simplejson.JSONDecodeError as error:
        message = f"not JSON: {error.msg}"
        raise FormatError(message, source=source, line=error.lineno, column=error.colno) from None
    except RecursionError:
        line, column = line_and_column(text, _too_deep(text))
        message = f"brackets are nested more than {_MOST_DEPTH} deep"
        raise FormatError(message, source=source, line=line, column=column) from None
    except _BadValueError as error:
        line, column = line_and_column(text, _find(text, error.value))
        raise FormatError(str(error), source=source, line=line, column=column) from None


class _BadValueError(Exception):
    def __init__(self, message: str, value: str) -> None:
        super().__init__(message)
        self.value = value


def _decimal(literal: str) -> Decimal:
    return Decimal(literal) if len(literal) <= _MOST_DIGITS else _too_long(literal)


def _integer(literal: str) -> int | Decimal:
    if len(literal) > _MOST_DIGITS:
        return _too_long(literal)
    return Decimal(literal) if literal == "-0" else int(literal)


def _too_long(literal: str) -> Decimal:
    raise _BadValueError(f"a number of {len(literal)} characters, expected at most {_MOST_DIGITS}", literal)


def _no_constant(literal: str) -> None:
    raise _BadValueError(f"expected a finite number, got {literal}", literal)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise _BadValueError(f"the key {shown(twice)} stands twice in one object", simplejson.dumps(twice))
    return result


def _find(text: str, literal: str) -> int:
    """Where a value that cannot be read stands: its first place outside strings.

    A duplicate key is sought from its second appearance on.
    """
    if literal.startswith('"'):
        places = [match.start() for match in _STRING.finditer(text) if match.group() == literal]
        return places[min(1, len(places) - 1)] if places else 0
    return max(_without_strings(text).find(literal), 0)


def _too_deep(text: str) -> int:
    """Where brackets are nested too deeply."""
    depth = 0
    for match in re.finditer(r"[\[\]{}]", _without_strings(text)):
        depth += 1 if match.group() in "[{" else -1
        if depth > _MOST_DEPTH:
            return match.start()
    return 0


def _without_strings(text: str) -> str:
    return _STRING.sub(lambda match: " " * len(match.group()), text)


def _offsets(text: str) -> Iterator[tuple[Path, int]]:
    """Where each value of a valid JSON text starts, by its path; only the way to an error message pays for this."""
    decoder = JSONDecoder()

    def skip(index: int) -> int:
        match = _SPACE.match(text, index)
        assert match is not None
        return match.end()

    def walk(path: Path, index: int) -> Generator[tuple[Path, int], None, int]:
        yield path, index
        opening = text[index]
        if opening not in "[{":
            end: int = decoder.raw_decode(text, index)[1]
            return end
        index, item = skip(index + 1), 0
        while text[index] not in "]}":
            step: str | int = item
            if opening == "{":
                step, index = scanstring(text, index + 1)
                index = skip(skip(index) + 1)
            index = skip((yield from walk((*path, step), index)))
            if text[index] == ",":
                index = skip(index + 1)
            item += 1
        return index + 1

    yield from walk((), skip(0))


def _nearest(offsets: dict[Path, int], path: Path) -> int:
    """Offset of the value at the path, or of the innermost value around it that is there."""
    while path not in offsets:
        path = path[:-1]
    return offsets[path]


def _path(detail: Any) -> Path:
    """Path in the document; the error of a cross-reference carries the rest of its own path."""
    return (*detail["loc"], *detail.get("ctx", {}).get("path", ()))


def _message(detail: dict[str, Any]) -> str:
    """One line of what is wrong, with the value."""
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "cross_reference":
        return str(context["message"])
    if kind == "missing":
        return f"the key {shown(detail['loc'][-1])} is missing"
    if kind == "extra_forbidden":
        return f"unknown key {shown(detail['loc'][-1])}"
    problem = detail["msg"].replace("Input should be", "expected")
    if kind in _EXPECTED:
        problem = f"expected {_EXPECTED[kind]}"
    return f"{problem[0].lower()}{problem[1:]}, got {_kind(value)}"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "null" if value is None else shown(value)


def _shown_path(path: Path) -> str | None:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    printable = "".join(c if c.isprintable() else "?" for c in text.removeprefix("."))
    return (printable if len(printable) <= 120 else printable[:117] + "...") or None


def dump(document: dict[str, Any]) -> str:
    """A document as JSON text: one line for each entry, and for each element of the lists at the top."""
    entries = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n    " + ",\n    ".join(_compact(item) for item in value) + "\n  ]"
        else:
            text = _compact(value)
        entries.append(f"  {_compact(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _compact(value: Any) -> str:
    text: str = simplejson.dumps(value, use_decimal=True, ensure_ascii=False, allow_nan=False)
    return text
