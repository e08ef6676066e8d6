"""JSON documents with exact decimals, and errors that say where in the file they are."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import simplejson
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from chainopt.errors import FormatError
from chainopt.files.text import line_and_column, printable, read_text, source_name
from chainopt.model.record import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator

    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
R = TypeVar("R", bound=BaseModel)

_MOST_CHARACTERS = 500
_MOST_DEPTH = 100
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"\w+|.|", re.DOTALL)
_SKIP = simplejson.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_WRITE = simplejson.JSONEncoder(use_decimal=True, ensure_ascii=False, allow_nan=False)
_EXPECTED = {
    "dict_type": "an object",
    "model_type": "an object",
    "tuple_type": "an array",
    "string_type": "a string",
    "string_unicode": "text without lone surrogates",
    "int_type": "an integer",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "too_short": "{min_length} or more elements",
    "too_long": "{max_length} or fewer elements",
}
"""What pydantic misses, by the type of its error."""


def read_record(source: str | os.PathLike[str], record: type[R]) -> R:
    """Read a JSON file as a record.

    Raises
    ------
    FormatError
        If the file is not JSON or not such a record; the first mistake in the file is the one reported.
    """
    return parse_record(read_text(source), record, source_name(source))


def parse_record(text: str, record: type[R], source: str) -> R:
    """Read a JSON text as a record; `source` names it in errors."""
    path: Path = ()
    try:
        data = _load(text)
        try:
            _check_format(data, record)
            return record.model_validate(data)
        except ValidationError as error:
            message, offset, path = _first_mistake(text, data, error)
    except simplejson.JSONDecodeError as error:
        message, offset = _syntax(text, error), error.pos
    except RecursionError:
        message, offset = f"brackets are nested more than {_MOST_DEPTH} deep", _too_deep(text)
    line, column = line_and_column(text, offset)
    raise FormatError(message, source=source, line=line, column=column, path=shown_path(path))


class _Unreadable:
    """Stands in the data for what no record takes, so that the error of the record leads to it."""

    def __init__(self, text: str, key: str | None = None) -> None:
        self.text = text
        self.key = key

    def __repr__(self) -> str:
        return self.text


def _load(text: str) -> Any:
    return simplejson.loads(
        text,
        parse_float=decimal,
        parse_int=_integer,
        parse_constant=_Unreadable,
        object_pairs_hook=_object,
    )


def decimal(literal: str) -> Decimal | _Unreadable:
    """The number that is written; what no record takes stays as it is, so that a record names it in its error."""
    if len(literal) > _MOST_CHARACTERS:
        return _Unreadable(f"a number of {len(literal)} characters")
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent of more than 18 digits
        return _Unreadable(literal)


def _integer(literal: str) -> int | Decimal | _Unreadable:
    return decimal(literal) if len(literal) > _MOST_CHARACTERS or literal == "-0" else int(literal)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Unreadable:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return _Unreadable(f"the key {shown(twice)} stands twice in one object", twice)
    return result


def _check_format(data: Any, record: type[BaseModel]) -> None:
    """The format before all else: nothing else means anything in a file of another kind or version."""
    known = record.model_fields["format"].default
    if isinstance(data, dict) and data.get("format") != known:
        kind = "literal_error" if "format" in data else "missing"
        error = InitErrorDetails(type=kind, loc=("format",), input=data.get("format"), ctx={"expected": repr(known)})
        raise ValidationError.from_exception_data(record.__name__, [error])


def _first_mistake(text: str, data: Any, error: ValidationError) -> tuple[str, int, Path]:
    """What is wrong, where in the text, and where in the document."""
    mistakes: dict[Path, tuple[ErrorDetails, Any]] = {}
    for detail in error.errors(include_url=False):
        path, value = follow(data, (*detail["loc"], *detail.get("ctx", {}).get("path", ())))
        mistakes.setdefault(path, (detail, value))
    path, key, start = _locate(text, mistakes)
    detail, value = mistakes[path]
    if isinstance(value, _Unreadable) and value.key is not None:
        places = [place for step, place, _ in _members(text, start) if step == value.key]
        return value.text, places[1], (*path, value.key)
    return mistake(detail), key if detail["type"] == "extra_forbidden" else start, path


def follow(data: Any, path: Path) -> tuple[Path, Any]:
    """As much of the path as leads somewhere in the data, and the value there."""
    for n, step in enumerate(path):
        if not (step in data if isinstance(data, dict) else isinstance(data, list) and step in range(len(data))):
            return path[:n], data
        data = data[step]
    return path, data


def _locate(text: str, paths: Collection[Path]) -> tuple[Path, int, int]:
    """The first of these paths in the text, and where its key and its value stand; inner ones before outer ones."""
    prefixes = {path[:n] for path in paths for n in range(len(path) + 1)}
    path: Path = ()
    key = start = _skip_space(text, 0)
    while inner := next((m for m in _members(text, start) if (*path, m[0]) in prefixes), None):
        path, key, start = (*path, inner[0]), inner[1], inner[2]
    return path, key, start


def _members(text: str, index: int) -> Iterator[tuple[str | int, int, int]]:
    """Key or position of each member of the array or object at `index`, and where its key and its value stand."""
    opening = text[index]
    if opening not in "[{":
        return
    index = _skip_space(text, index + 1)
    for position in count():
        if text[index] in "]}":
            return
        step, key = position, index
        if opening == "{":
            step, index = _SKIP.raw_decode(text, index)
            index = _skip_space(text, _skip_space(text, index) + 1)
        yield step, key, index
        index = _skip_space(text, _SKIP.raw_decode(text, index)[1])
        if text[index] == ",":
            index = _skip_space(text, index + 1)


def _skip_space(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    assert match is not None, "the pattern fits everywhere"
    return match.end()


def _too_deep(text: str) -> int:
    """Where brackets are nested too deeply."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match.group(), 0)
        if depth > _MOST_DEPTH:
            return match.start()
    return 0


def _syntax(text: str, error: simplejson.JSONDecodeError) -> str:
    """What the parser misses, and what stands there."""
    match = _WORD.match(text, error.pos)
    found = shown(match.group()) if match and match.group() else "the end of the file"
    problem = error.msg.replace("%r", found).removesuffix(" at").removesuffix(" starting")
    return f"not JSON: {problem[0].lower()}{problem[1:]}" + (f", got {found}" if "xpecting" in problem else "")


def mistake(detail: ErrorDetails) -> str:
    """One line of what is wrong, with the value."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "cross_reference":
        return str(context["message"])
    if kind == "missing":
        return f"the key {shown(detail['loc'][-1])} is missing"
    if kind == "extra_forbidden":
        return f"unknown key {shown(detail['loc'][-1])}"
    expected = _EXPECTED.get(kind)
    problem = printable(detail["msg"]) if expected is None else f"expected {expected.format(**context)}"
    return f"{problem}, got {shown(detail['input'])}"


def shown_path(path: Path) -> str | None:
    """A position in a document, as errors show it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return printable(text if len(text) <= 120 else text[:117] + "...") or None


def dump(document: dict[str, Any]) -> str:
    """A document as JSON text: one line for each entry, and for each element of the lists at the top."""
    entries = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n    " + ",\n    ".join(_WRITE.encode(item) for item in value) + "\n  ]"
        else:
            text = _WRITE.encode(value)
        entries.append(f"  {_WRITE.encode(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"
