"""One table, written four ways: for terminals, as Markdown, as CSV and as LaTeX."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from chainopt.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOTHING = "–"
"""Stands where there is no number."""


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Attributes
    ----------
    key
        Name in the CSV, where values stand as they are.
    heading
        For people.
    show
        A value as people read it; None is shown as `NOTHING`.
    number
        Whether it is aligned to the right.
    """

    key: str
    heading: str
    show: Callable[[Any], str] = str
    number: bool = True


@dataclass(frozen=True)
class Sheet:
    """A table as data.

    Attributes
    ----------
    title
        One line.
    columns, rows
        Each row has a value, or None, for each column.
    notes
        What has to be known to read it, a sentence or two each.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()

    def shown(self) -> list[list[str]]:
        """The rows as people read them, without what cannot be printed."""
        return [
            [
                NOTHING if value is None else printable(column.show(value))
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]


def rich_table(sheet: Sheet) -> Table:
    """A table for a console; nothing in it is taken for markup."""
    caption = Text("\n".join(sheet.notes)) if sheet.notes else None
    table = Table(title=Text(sheet.title), caption=caption, caption_justify="left", title_justify="left")
    for column in sheet.columns:
        table.add_column(Text(column.heading), justify="right" if column.number else "left", overflow="fold")
    for row in sheet.shown():
        table.add_row(*(Text(cell) for cell in row))
    return table


def markdown(sheet: Sheet) -> str:
    """A table in GitHub's Markdown, with title and notes."""
    lines = [
        f"**{escape_markdown(sheet.title)}**",
        "",
        _markdown_row([escape_markdown(column.heading) for column in sheet.columns]),
        _markdown_row(["--:" if column.number else "---" for column in sheet.columns]),
        *(_markdown_row([escape_markdown(cell) for cell in row]) for row in sheet.shown()),
        *(line for note in sheet.notes for line in ("", escape_markdown(note))),
    ]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#&!$])")


def escape_markdown(text: str) -> str:
    """A text that Markdown shows letter by letter."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


def latex(sheet: Sheet) -> str:
    """A table for LaTeX with the package booktabs, with title and notes."""
    alignment = "".join("r" if column.number else "l" for column in sheet.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(sheet.title)}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _latex_row([column.heading for column in sheet.columns]),
        r"\midrule",
        *(_latex_row(row) for row in sheet.shown()),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\footnotesize {escape_latex(note)}" for note in sheet.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Sequence[str]) -> str:
    # a row may not begin with a bracket: after \\ it would be taken for a length
    return "{}" + " & ".join(escape_latex(cell) for cell in cells) + r" \\"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': r"\symbol{34}",
    "–": "--",
    "±": r"$\pm$",
    **{character: f"\\{character}" for character in "{}$&#_%"},
}
_LIGATURE = re.compile(r"-(?=-)|[?!](?=`)")


def escape_latex(text: str) -> str:
    """A text that LaTeX sets letter by letter."""
    apart = _LIGATURE.sub(lambda match: match.group() + "\0", printable(text))
    return "".join("{}" if character == "\0" else _LATEX.get(character, character) for character in apart)


def csv_text(sheet: Sheet) -> str:
    """The values as they are, by the keys of the columns, as RFC 4180 has it; empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in sheet.columns])
    writer.writerows(["" if value is None else value for value in row] for row in sheet.rows)
    return text.getvalue()
