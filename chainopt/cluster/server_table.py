"""Servers from a CSV file: either groups of GPUs, or servers with their times already known."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from chainopt.cluster.description import Group
from chainopt.errors import FormatError
from chainopt.files.document import decimal, mistake
from chainopt.files.text import read_text, source_name
from chainopt.model.instance import Server
from chainopt.model.record import shown

if TYPE_CHECKING:
    import os

R = TypeVar("R", bound=BaseModel)

_WHOLE = ("count", "devices")
_WORDS = ("gpu", "name", "id")
GROUP_COLUMNS = tuple(Group.model_fields)
SERVER_COLUMNS = ("id", "memory_gb", "comm_s", "comp_s_per_block", "reserve_gb")


def read_servers(source: str | os.PathLike[str]) -> tuple[Group, ...] | tuple[Server, ...]:
    """Read a CSV file with a header; ``-`` is standard input.

    With a column ``gpu``, each row is a :class:`Group`, and columns are its fields: ``gpu``, and of ``count``,
    ``devices``, ``rtt_ms``, ``name``, ``memory_gb``, ``reserve_gib``, ``price_per_hour`` those that are needed. With a
    column ``id``, each row is a server of an instance: ``id``, ``memory_gb``, ``comm_s``, ``comp_s_per_block`` and
    perhaps ``reserve_gb``. Empty cells count as absent.

    Raises
    ------
    FormatError
        If it is none: file, line, the value and what was expected.
    """
    name = source_name(source)
    reader = csv.reader(io.StringIO(read_text(source), newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        kind: type[Group] | type[Server] = Group if "gpu" in header else Server
        columns = GROUP_COLUMNS if kind is Group else SERVER_COLUMNS
        _check_header(header, columns, name)
        rows = [_record(kind, header, row, name, reader.line_num) for row in reader if any(row)]
    except csv.Error as error:
        raise FormatError(f"not CSV: {error}", source=name, line=reader.line_num) from None
    if not rows:
        raise FormatError("expected at least one server after the header", source=name, line=2)
    return tuple(rows)  # type: ignore[return-value]


def _check_header(header: list[str], columns: tuple[str, ...], source: str) -> None:
    for column in header:
        if column not in columns or header.count(column) > 1:
            twice = "stands twice" if column in columns else "is unknown"
            message = f"the column {shown(column)} {twice}, expected some of {', '.join(columns)}"
            raise FormatError(message, source=source, line=1)
    if "gpu" not in header and not set(SERVER_COLUMNS[:4]) <= set(header):
        message = f"expected a column gpu, or the columns {', '.join(SERVER_COLUMNS[:4])}"
        raise FormatError(message, source=source, line=1)


def _record(kind: type[R], header: list[str], row: list[str], source: str, line: int) -> R:
    if len(row) != len(header):
        raise FormatError(f"expected {len(header)} values as in the header, got {len(row)}", source=source, line=line)
    values = {column: _value(column, cell.strip()) for column, cell in zip(header, row, strict=True) if cell.strip()}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = str(detail["loc"][0]) if detail["loc"] else None
        raise FormatError(mistake(detail), source=source, line=line, path=path) from None


def _value(column: str, cell: str) -> object:
    if column in _WORDS:
        return cell
    if column in _WHOLE:
        return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else cell
    return decimal(cell)
