"""Reading traces: chunk by chunk, so that the text is never in memory as a whole, and bad lines by their numbers."""

from __future__ import annotations

import codecs
import contextlib
import csv
import os
import sys
from importlib.resources import files
from typing import IO, TYPE_CHECKING

import numpy as np

from chainopt.errors import FormatError
from chainopt.files.text import printable, source_name
from chainopt.model.record import shown
from chainopt.simulation.traces.cells import MOST_COUNT, counts
from chainopt.simulation.traces.formats import FORMATS, Format
from chainopt.simulation.traces.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

CHUNK = 2**20
MOST_LINE = 2**20


def read_trace(source: str | os.PathLike[str], format: str | None = None) -> Trace:  # noqa: A002
    """Read a CSV file of requests; ``-`` is standard input.

    Columns may stand in any order, among others. Requests must be in order of arrival; the first one comes at 0.

    Parameters
    ----------
    format
        One of `FORMATS`; by default, the one that has its columns in the file.

    Raises
    ------
    FormatError
        If it cannot be read, or is no such file; the error names the line and the column.
    """
    name = source_name(source)
    if format is not None and format not in FORMATS:
        raise FormatError(f"expected one of {', '.join(FORMATS)}, got {shown(format)}", path="format")
    try:
        with _opened(source) as file:
            return parse_trace(file, name, format)
    except OSError as error:
        raise FormatError(f"cannot be read: {printable(error.strerror or str(error))}", source=name) from error


def azure_code_trace() -> Trace:
    """An hour of requests to an Azure service for code, 16 November 2023; see ``data/SOURCES.md``."""
    name = "azure-code-2023.csv"
    with (files("chainopt.simulation") / "data" / name).open("rb") as file:
        return parse_trace(file, name, "azure")


def parse_trace(file: IO[bytes], source: str, format: str | None = None) -> Trace:  # noqa: A002
    """The trace in an open file; see `read_trace`.

    Parameters
    ----------
    source
        What to call it in errors.
    """
    chunks = _chunks(file, source)
    header = next(chunks, None)
    if header is None:
        raise FormatError("expected a header and requests, got an empty file", source=source)
    names = _rows(header, 1, source)[0]
    kind = _detected(names, source) if format is None else format
    layout = FORMATS[kind]
    places = [_place(column, names, source) for column in layout.columns]
    arrival_s: list[NDArray[np.float64]] = []
    tokens_in: list[NDArray[np.int32]] = []
    tokens_out: list[NDArray[np.int32]] = []
    line, origin, latest = 2, None, None
    for chunk in chunks:
        rows = _rows(chunk, line, source, len(names))
        times, inputs, outputs = _requests(layout, places, rows, line, latest, source)
        origin, latest = times[0] if origin is None else origin, times[-1]
        arrival_s.append((times - origin) / layout.units_per_s)
        tokens_in.append(inputs.astype(np.int32))  # which hold MOST_COUNT; parts and whole are in memory together
        tokens_out.append(outputs.astype(np.int32))
        line += len(rows)
    if not arrival_s:
        raise FormatError("expected at least one request after the header", source=source, line=2)
    inputs, outputs = np.concatenate(tokens_in, dtype=np.int64), np.concatenate(tokens_out, dtype=np.int64)
    return Trace(np.concatenate(arrival_s), inputs, outputs, source, kind)


@contextlib.contextmanager
def _opened(source: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    if os.fspath(source) == "-":
        if sys.stdin is None:
            raise OSError("it is closed")
        yield sys.stdin.buffer
        return
    try:
        file = open(source, "rb")  # noqa: SIM115
    except ValueError as error:  # a NUL in the name
        raise OSError(str(error)) from error
    with file:
        yield file


def _chunks(file: IO[bytes], source: str) -> Iterator[bytes]:
    """The first line, then as many whole lines as fit into a chunk."""
    header = file.readline(MOST_LINE).removeprefix(codecs.BOM_UTF8)  # Excel writes one
    if len(header) == MOST_LINE:
        raise FormatError(f"expected lines shorter than {MOST_LINE} bytes", source=source, line=1)
    if not header:
        return
    yield header
    line, rest = 2, b""
    while data := file.read(CHUNK):
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            yield whole + newline
            line += whole.count(b"\n") + 1
        if len(rest) > MOST_LINE:
            raise FormatError(f"expected lines shorter than {MOST_LINE} bytes", source=source, line=line)
    if rest:
        yield rest


def _rows(chunk: bytes, first_line: int, source: str, width: int | None = None) -> list[list[str]]:
    """The values of each line, `width` of them."""
    text = _text(chunk, first_line, source)
    lines = text.removesuffix("\n").split("\n")
    if '"' in text:  # a quote that is left open would swallow all that follows
        for number, line in enumerate(lines, first_line):
            if line.count('"') % 2:
                raise FormatError("expected quotes that are closed on the same line", source=source, line=number)
    reader = csv.reader(lines, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        number = first_line + reader.line_num - 1
        raise FormatError(f"not CSV: {error}", source=source, line=number) from None
    if width is not None and set(map(len, rows)) != {width}:
        bad = next(i for i, row in enumerate(rows) if len(row) != width)
        message = f"expected {width} values as in the header, got {len(rows[bad])}"
        raise FormatError(message, source=source, line=first_line + bad)
    return rows


def _text(chunk: bytes, first_line: int, source: str) -> str:
    if b"\0" in chunk:
        line = first_line + chunk.count(b"\n", 0, chunk.index(b"\0"))
        raise FormatError("expected text, got a NUL", source=source, line=line)
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + chunk.count(b"\n", 0, error.start)
        raise FormatError(
            f"expected UTF-8, got the byte 0x{chunk[error.start]:02x}", source=source, line=line
        ) from error


def _detected(names: Sequence[str], source: str) -> str:
    for kind, layout in FORMATS.items():
        if set(layout.columns) <= set(names):
            return kind
    known = "; ".join(f"{', '.join(layout.columns)} ({kind})" for kind, layout in FORMATS.items())
    message = f"expected the columns of a known format: {known}; got {shown(', '.join(names))}"
    raise FormatError(message, source=source, line=1)


def _place(column: str, names: Sequence[str], source: str) -> int:
    """Position of a column, which must be there once."""
    if names.count(column) != 1:
        found = f"{names.count(column)} of this name in {shown(', '.join(names))}"
        raise FormatError(f"expected one such column, got {found}", source=source, line=1, path=column)
    return names.index(column)


def _requests(
    layout: Format,
    places: Sequence[int],
    rows: Sequence[Sequence[str]],
    first_line: int,
    latest: float | None,
    source: str,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Times in the unit of the format, tokens in and tokens out of all rows."""
    time_cells, in_cells, out_cells = ([row[place] for row in rows] for place in places)

    def check(good: NDArray[np.bool_], column: str, cells: Sequence[str], expected: str) -> None:
        if not good.all():
            bad = int(np.argmin(good))
            message = f"expected {expected}, got {shown(cells[bad])}"
            raise FormatError(message, source=source, line=first_line + bad, path=column)

    times, good = layout.times(time_cells)
    check(good, layout.time, time_cells, layout.a_time)
    previous = np.concatenate([times[:1] if latest is None else [latest], times[:-1]])
    check(times >= previous, layout.time, time_cells, "requests in order of arrival")
    inputs, good = counts(in_cells)
    check(good & (inputs > 0), layout.tokens_in, in_cells, f"an integer from 1 to {MOST_COUNT}")
    outputs, good = counts(out_cells)
    check(good, layout.tokens_out, out_cells, f"an integer from 0 to {MOST_COUNT}")
    return times, inputs, outputs
