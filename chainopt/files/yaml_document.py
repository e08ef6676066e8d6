"""YAML documents as records, with exact decimals, and errors that say where in the file they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from chainopt.errors import FormatError
from chainopt.files.document import Path, decimal, follow, mistake, shown_path
from chainopt.files.text import printable, read_text, source_name
from chainopt.model.record import shown

if TYPE_CHECKING:
    import os

R = TypeVar("R", bound=BaseModel)

_MOST_DEPTH = 100
_ZERO_FIRST = re.compile("-?0[0-9]", re.ASCII)
"""Octal in YAML 1.1, decimal in YAML 1.2."""
_OPENING = (
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
)
_CLOSING = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken, yaml.BlockEndToken)
_NULL, _BOOLEAN, _INTEGER, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


def read_yaml(source: str | os.PathLike[str], record: type[R]) -> R:
    """Read a YAML file as a record; numbers mean exactly what is written.

    Aliases, tags and keys that are no text are refused: none is needed to describe anything here, and aliases can make
    a short file very large.

    Raises
    ------
    FormatError
        If the file is not such YAML or not such a record; the first mistake in the file is the one reported.
    """
    return parse_yaml(read_text(source), record, source_name(source))


def parse_yaml(text: str, record: type[R], source: str) -> R:
    """Read a YAML text as a record; `source` names it in errors."""
    places: dict[Path, yaml.Mark] = {}
    try:
        depth = 0
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken | yaml.TagToken):
                raise _error("expected no aliases and no tags", source, token.start_mark)
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > _MOST_DEPTH:  # of nested brackets, the scanner looks at all again for each token
                raise _error(f"nested more than {_MOST_DEPTH} deep", source, token.start_mark)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        problem = printable(error.problem or error.context or "it cannot be read")
        raise _error(f"not YAML: {problem}", source, error.problem_mark or error.context_mark) from None
    except yaml.reader.ReaderError as error:
        raise FormatError(f"not YAML: {printable(error.reason)}", source=source) from None
    except RecursionError:
        raise FormatError(f"nested more than {_MOST_DEPTH} deep", source=source) from None
    if node is None:
        raise FormatError("expected a document, got an empty file", source=source, line=1, column=1)
    data = _value(node, (), places, source)
    try:
        return record.model_validate(data)
    except ValidationError as error:
        raise _first(data, error, places, source) from None


def _value(node: yaml.Node, path: Path, places: dict[Path, yaml.Mark], source: str) -> Any:
    """The value of a node; where each part of it stands goes into `places`."""
    places.setdefault(path, node.start_mark)
    if len(path) > _MOST_DEPTH:
        raise _error(f"nested more than {_MOST_DEPTH} deep", source, node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), places, source) for i, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("expected a text as key", source, key.start_mark)
            if key.value in result:
                raise _error(f"the key {shown(key.value)} stands twice in one object", source, key.start_mark)
            places[(*path, key.value)] = key.start_mark
            result[key.value] = _value(item, (*path, key.value), places, source)
        return result
    assert isinstance(node, yaml.ScalarNode), "there is no other kind of node"
    return _scalar(node, source)


def _scalar(node: yaml.ScalarNode, source: str) -> Any:
    text = node.value
    if node.tag == _NULL:
        return None
    if node.tag == _BOOLEAN:
        return text.lower() in ("true", "yes", "on")
    if node.tag not in (_INTEGER, _FLOAT):
        return text
    number = text.replace("_", "").removeprefix("+")
    if node.tag == _INTEGER and _ZERO_FIRST.match(number):
        raise _error(f"expected a decimal number without zeros in front, got {shown(text)}", source, node.start_mark)
    try:
        return int(number, 10) if node.tag == _INTEGER and len(number) < _MOST_DEPTH else decimal(number)
    except ValueError:  # octal, base 60
        raise _error(f"expected a decimal number, got {shown(text)}", source, node.start_mark) from None


def _first(data: Any, error: ValidationError, places: dict[Path, yaml.Mark], source: str) -> FormatError:
    """The mistake that stands first in the file."""
    found = []
    for detail in error.errors(include_url=False):
        path, _ = follow(data, (*detail["loc"], *detail.get("ctx", {}).get("path", ())))
        if detail["type"] == "extra_forbidden":
            path = tuple(detail["loc"])
        mark = places[path]
        found.append((mark.index, len(path), mistake(detail), mark, path))
    _, _, message, mark, path = min(found, key=lambda entry: entry[:2])
    return _error(message, source, mark, shown_path(path))


def _error(message: str, source: str, mark: yaml.Mark | None, path: str | None = None) -> FormatError:
    if mark is None:
        return FormatError(message, source=source, path=path)
    return FormatError(message, source=source, line=mark.line + 1, column=mark.column + 1, path=path)
