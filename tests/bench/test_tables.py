"""One table, four ways: names that look like syntax are shown letter by letter."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chainopt.bench.tables import Column, Sheet, csv_text, escape_latex, escape_markdown, latex, markdown, rich_table

HOSTILE = [
    "a|b",
    "*bold* _it_ ~~x~~ `code`",
    "<script>alert(1)</script>",
    "[link](http://x) ![i](y)",
    "\\newpage{}$x^2$ & 100 % #1 ~ _",
    '"quoted", with, commas',
    "two\nlines\r\tand a bell\a",
    "[red]not red[/red]",
    "=1+1",
    "--- ?` !` ''",
    "漢字 ±",
]
SHEET = Sheet(
    "A title & more",
    (Column("name", "name", number=False), Column("x", "x %", "{:.1f}".format)),
    [["plain", 1.25], ["none", None], *([name, 0.0] for name in HOSTILE)],
    notes=["A note_with_underscores."],
)


def test_markdown_by_hand() -> None:
    """Title, heading, alignment, rows, notes."""
    sheet = Sheet("T", (Column("m", "m", number=False), Column("v", "v")), [["a|b", 1], ["c", None]], ["N."])
    assert markdown(sheet) == "**T**\n\n| m | v |\n| --- | --: |\n| a\\|b | 1 |\n| c | – |\n\nN.\n"


def test_latex_by_hand() -> None:
    """A floating table with rules of booktabs."""
    sheet = Sheet("T", (Column("m", "m", number=False), Column("v", "v %")), [["a_b", 1], ["[c", None]])
    assert latex(sheet).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{T}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"{}m & v \% \\",
        r"\midrule",
        r"{}a\_b & 1 \\",
        r"{}[c & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_every_row_of_markdown_has_all_cells() -> None:
    """However hostile the names, a row is one line with as many bars that are not escaped as there have to be."""
    lines = [line for line in markdown(SHEET).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(SHEET.rows)
    for line in lines:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3, line


@given(st.text())
def test_escaped_markdown_reads_back(text: str) -> None:
    """Without the backslashes that escape, the text is there again, and nothing that marks up stands without one."""
    escaped = escape_markdown(text)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped) == "".join(c if c.isprintable() else "?" for c in text)
    assert not re.search(r"[`*_\[\]<>|~#&!$]", re.sub(r"\\.", "", escaped))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("100 %", r"100 \%"),
        ("a_b & c#d", r"a\_b \& c\#d"),
        ("{$x$}", r"\{\$x\$\}"),
        ("\\", r"\textbackslash{}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"),
        ("'\"`", r"\textquotesingle{}\symbol{34}\textasciigrave{}"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("?`", r"?{}\textasciigrave{}"),
        ("gbp-cr+gca", "gbp-cr+gca"),
        ("two\nlines", "two?lines"),
    ],
)
def test_latex_letter_by_letter(text: str, escaped: str) -> None:
    """Each special character of TeX is set as itself, and none of the ligatures comes up."""
    assert escape_latex(text) == escaped


@given(st.text())
def test_escaped_latex_has_no_bare_special_characters(text: str) -> None:
    """Once what escapes is gone, nothing is left that TeX treats in a special way."""
    rest = re.sub(r"\\(?:text\w+\{\}|symbol\{34\}|[{}$&#_%])|\$\\pm\$|\{\}", "", escape_latex(text))
    assert not re.search(r"[\\{}$&#^_~%<>|\"'`]", rest)


def test_csv_reads_back() -> None:
    """Every name comes back as it was, every number in full, and nothing where there is none."""
    header, *rows = csv.reader(io.StringIO(csv_text(SHEET), newline=""))
    assert header == ["name", "x"]
    assert rows == [[name, "" if x is None else repr(x)] for name, x in SHEET.rows]


def test_console_shows_what_looks_like_markup() -> None:
    """Square brackets are letters, and control characters never reach the terminal."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(rich_table(SHEET))
    text = console.export_text()
    assert "[red]not red[/red]" in text
    assert "\a" not in text
    assert "two?lines??and a bell?" in text
