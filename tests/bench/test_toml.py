"""Where a part of a TOML document stands, and what cannot be read."""

from __future__ import annotations

import tomllib

import pytest

from chainopt.bench.toml import document, locate
from chainopt.errors import FormatError
from chainopt.files.document import Path, follow

TEXT = r'''# [comment
a = "# [not a comment" # { really
b = [
  1,  # ]
  [2, "]"], ]
c = """
[[lines]]
with "quotes" and \""" in them"""""
d = QQQ [[ QQQ
e.f = { g = "}", h = '{' }

[[table]]
x = 1
[[table]]
y.z = [3, 4]
x = 2
[table.inner]
k = 1'''.replace("Q", "'")


def parts(data: object, path: Path = ()) -> list[Path]:
    """All paths into a document but the empty one."""
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [p for step, value in steps for p in ((*path, step), *parts(value, (*path, step)))]


def line_by_line(text: str, path: Path) -> range:
    """The lines of the statement that brings a part, found by reading one line more at a time."""
    lines, before = text.split("\n"), 0
    for count in range(1, len(lines) + 1):
        try:
            data = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if follow(data, path)[0] == path:
            return range(before + 1, count + 1)
        before = count
    raise AssertionError("the text has no such part")


def test_a_part_is_in_the_statement_that_brings_it() -> None:
    """Of every part of a document with brackets and quotation marks everywhere, as reading line by line finds it."""
    found = parts(tomllib.loads(TEXT))
    assert len(found) > 15
    for path in found:
        assert locate(TEXT, [path])[1] in line_by_line(TEXT, path), path


def test_the_first_of_many_parts() -> None:
    """Whatever the order in which they are given; what is not there is where the last part that leads to it is."""
    a, b, gone = ("table", 0, "x"), ("table", 1, "y", "z", 1), ("table", 1, "w")
    assert locate(TEXT, [b, a]) == (a, 13, 1)
    assert locate(TEXT, [b]) == (b, 15, 3)
    assert locate(TEXT, [gone, b]) == (gone, 14, 3)
    assert locate(TEXT, [a, ("nothing",)]) == (("nothing",), 1, 1)


def test_a_long_document_is_read_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2,000 statements, half of them with a mistake, a dozen beginnings are read, not 2,000."""
    text = "".join(f"[[t]]\nx = {n}\n" for n in range(1000))
    calls = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: calls.append(text) or loads(text))
    assert locate(text, [("t", n, "x") for n in range(500, 1000)]) == (("t", 500, "x"), 1002, 1)
    assert len(calls) < 20


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1" * 5000, "x:3:1: not TOML: an integer has more digits than can be read"),
        ("[" * 5000 + "]" * 5000, "x:3:1: not TOML: it is nested too deeply"),
        ("[" * 5000, "x:3:1: not TOML: it is nested too deeply"),
    ],
    ids=["long", "deep", "open"],
)
def test_what_cannot_be_read_is_told(value: str, told: str) -> None:
    """An integer of thousands of digits, or thousands of arrays, is an error with its line like every other."""
    with pytest.raises(FormatError, match=told):
        document(f"a = 1\n# a comment\nb = {value}\nc = 2\n", "x")


def test_numbers_are_exact() -> None:
    """Decimals stay what is written; what has no value as one is infinite."""
    read = document("a = 0.1\nb = 1_0.5e3\nc = 1e9999999999999999999\nd = nan\n", "x")
    assert str(read["a"]) == "0.1"
    assert (read["b"], read["c"]) == (10500, float("inf"))
    assert str(read["d"]) == "nan"
