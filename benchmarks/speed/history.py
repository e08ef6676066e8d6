"""The history of speed: a CSV with a row for each kernel and measurement, and a page made of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chainopt.bench.tables import Column, Sheet, escape_markdown, markdown
from chainopt.errors import FormatError
from chainopt.files.text import read_text, write_text

COLUMNS = (
    "date",
    "commit",
    "kernel",
    "servers",
    "least_s",
    "median_s",
    "reference_s",
    "relative",
    "processor",
    "python",
    "numba",
)
SHOWN = 6
"""Measurements on the page, the last ones."""

Row = dict[str, str]


def read_history(path: Path) -> list[Row]:
    """All rows; none where there is no file yet.

    Raises
    ------
    FormatError
        If the columns are others.
    """
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise FormatError(f"expected the columns {','.join(COLUMNS)}", source=str(path), line=1)
    return list(reader)


def append_history(rows: Iterable[dict[str, Any]], path: Path) -> list[Row]:
    """Add rows at the end, all of them or none, and return all that there are."""
    everything = read_history(path) + [{key: str(row[key]) for key in COLUMNS} for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(everything)
    write_text(text.getvalue(), path)
    return everything


def page(rows: Sequence[Row]) -> str:
    """The page: a line for each kernel, a column for each of the last measurements."""
    measurements = list(dict.fromkeys((row["date"], row["commit"]) for row in rows))
    by_cell = {(row["kernel"], row["servers"], row["date"], row["commit"]): row for row in rows}
    last, before = measurements[-SHOWN:], measurements[-2:-1]
    heads = [Column("", f"{commit} ({date[:10]})") for date, commit in last]
    kernels = dict.fromkeys((row["kernel"], row["servers"]) for row in rows)
    table = [
        [
            kernel,
            servers,
            _milliseconds(by_cell.get((kernel, servers, *measurements[-1]))),
            _change(*(by_cell.get((kernel, servers, *moment)) for moment in (*before, measurements[-1]))),
            *(_relative(by_cell.get((kernel, servers, *moment))) for moment in last),
        ]
        for kernel, servers in kernels
    ]
    columns = (Column("", "kernel", number=False), Column("", "J"), Column("", "last, ms"), Column("", "change %"))
    newest = rows[-1]
    where = f"Last: {newest['processor']}, Python {newest['python']}, numba {newest['numba']}."
    notes = ["change is of the last time against the one before, each divided by its reference."] if before else []
    return "\n".join(
        [
            "# Speed, from commit to commit",
            "",
            "Processor times of the kernels on BLOOM-176B with J servers. Under each commit stands the least time of",
            "a call, divided by that of a loop in plain Python, timed before and after, so that fast and slow machines",
            "can be compared as far as that goes. A commit with a plus sign had been changed. All measurements are in",
            "[speed-history.csv](speed-history.csv); `python -m benchmarks.speed` adds one, and writes this page.",
            "",
            escape_markdown(where),
            "",
            markdown(Sheet("Least times by commit", (*columns, *heads), table, notes)),
        ]
    )


def _milliseconds(row: Row | None) -> str | None:
    return None if row is None else f"{1000 * float(row['least_s']):.4g}"


def _relative(row: Row | None) -> str | None:
    return None if row is None else f"{float(row['relative']):.4g}"


def _change(*rows: Row | None) -> str | None:
    """Of the second row against the first, None where one is missing."""
    if len(rows) < 2 or rows[0] is None or rows[1] is None:
        return None
    return f"{100 * (float(rows[1]['relative']) / float(rows[0]['relative']) - 1):+.0f}"
