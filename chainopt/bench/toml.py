"""TOML with exact decimals, and where in the text a part of the document stands."""

from __future__ import annotations

import bisect
import re
import tomllib
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from chainopt.errors import FormatError
from chainopt.files.document import follow
from chainopt.files.text import line_and_column

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from chainopt.files.document import Path

_TOKEN = re.compile(
    r"""
    \"{3} (?: [^\\] | \\. )*? \"{3,5}    # texts of several lines may end with two more quotation marks
    | '{3} .*? '{3,5}
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [\[\]{}\n]
    """,
    re.VERBOSE | re.DOTALL,
)


def document(text: str, source: str) -> dict[str, Any]:
    """A TOML text as a document; `source` names it in errors.

    Raises
    ------
    FormatError
        If it is no TOML: file, line, column and what is wrong.
    """
    try:
        return tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(str(error), text, source) from None
    except ValueError:
        reason = "an integer has more digits than can be read"
    except RecursionError:
        reason = "it is nested too deeply"
    ends = list(_ends(text))
    n = bisect.bisect_left(ends, True, key=lambda end: not _readable(text[:end]))
    line, column = line_and_column(text, ends[n - 1] if n else 0)
    raise FormatError(f"not TOML: {reason}", source=source, line=line, column=column)


def _number(literal: str) -> Decimal | float:
    try:
        number = Decimal(literal)
    except InvalidOperation:  # an exponent of more than 18 digits
        return float(literal)
    return number if number.is_finite() else float(number)


def _readable(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _syntax(message: str, text: str, source: str) -> FormatError:
    """The message of tomllib, which ends with where it is."""
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    reason = message[: found.start()] if found else message
    line, column = line_and_column(text, len(text))
    if found and found.group(1):
        line, column = int(found.group(1)), int(found.group(2))
    return FormatError(f"not TOML: {reason[0].lower()}{reason[1:]}", source=source, line=line, column=column)


def locate(text: str, paths: Collection[Path]) -> tuple[Path, int, int]:
    """Which of some parts of a document comes first in its text, and line and column where it stands.

    A statement brings a part if the text up to its end has it, and the text up to its beginning does not. What is
    there once stays there, so that few beginnings of the text have to be read to find the first statement that brings
    one of the parts. What the document has not is where the last part that leads to it is.
    """
    whole = tomllib.loads(text)
    there = {path: follow(whole, path)[0] for path in paths}
    first = next((path for path, known in there.items() if not known), None)
    if first is not None:
        return first, 1, 1
    ends = list(_ends(text))
    n = bisect.bisect_left(ends, True, key=lambda end: bool(_brought(text[:end], there)))
    begin, end = ends[n - 1] if n else 0, ends[n]
    brought = _brought(text[:end], there)
    return min(
        ((path, *line_and_column(text, _key(text, there[path], begin, end))) for path in brought),
        key=lambda found: found[1:],
    )


def _brought(text: str, there: dict[Path, Path]) -> list[Path]:
    """Which parts the document of a text has, as far as the whole document has them."""
    data = tomllib.loads(text)
    return [path for path, known in there.items() if follow(data, known)[0] == known]


def _ends(text: str) -> Iterator[int]:
    """Where the statements of a TOML text end."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if token.group() == "\n" and depth == 0:
            yield token.end()
    if not text.endswith("\n"):
        yield len(text)


def _key(text: str, path: Path, begin: int, end: int) -> int:
    """Where the last key of a path stands in a statement, else where the statement begins."""
    key = next((step for step in reversed(path) if isinstance(step, str)), None)
    found = key and re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])").search(text, begin, end)
    return found.start() if found else begin
