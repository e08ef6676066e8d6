"""The history of speed: rows are only ever added, and the page compares the last two measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainopt.errors import FormatError

history = pytest.importorskip("benchmarks.speed.history", reason="a source distribution has no benchmarks")


def row(commit: str, relative: float, kernel: str = "gca", servers: str = "20") -> dict[str, str]:
    """A measurement on a machine whose reference takes 2 s."""
    return {
        "date": f"2026-01-0{commit[-1]}T00:00:00Z",
        "commit": commit,
        "kernel": kernel,
        "servers": servers,
        "least_s": str(2 * relative),
        "median_s": str(3 * relative),
        "reference_s": "2",
        "relative": str(relative),
        "processor": "a|processor",
        "python": "3.11.0",
        "numba": "0.61",
    }


def test_rows_are_added_and_read_back(tmp_path: Path) -> None:
    """What was there stays, in order."""
    path = tmp_path / "history.csv"
    history.append_history([row("c1", 0.5)], path)
    both = history.append_history([row("c2", 0.25), row("c2", 1.0, "gca", "100")], path)
    assert both == history.read_history(path) == [row("c1", 0.5), row("c2", 0.25), row("c2", 1.0, "gca", "100")]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """A file of another layout is not overwritten."""
    path = tmp_path / "history.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"history\.csv:1: expected the columns date,commit"):
        history.append_history([row("c1", 0.5)], path)
    assert path.read_text(encoding="utf-8") == "a,b\n1,2\n"


def test_page_by_hand() -> None:
    """From 0.5 to 0.25 of the reference is a change of -50 %; what was not measured before has none."""
    text = history.page([row("c1", 0.5), row("c2", 0.25), row("c2", 1.0, "gca", "100")])
    lines = text.splitlines()
    assert "| kernel | J | last, ms | change % | c1 (2026-01-01) | c2 (2026-01-02) |" in lines
    assert "| gca | 20 | 500 | -50 | 0.5 | 0.25 |" in lines
    assert "| gca | 100 | 2000 | – | – | 1 |" in lines
    assert "a\\|processor" in text


def test_page_shows_the_last_measurements() -> None:
    """Of eight measurements the first two are only in the file."""
    text = history.page([row(f"c{i}", 1.0) for i in range(1, 9)])
    assert "c2 (" not in text
    assert "c3 (" in text


def test_stored_page_is_made_from_the_stored_history() -> None:
    """The page of the repository is what its CSV says."""
    results = Path(__file__).parents[2] / "benchmarks" / "results"
    rows = history.read_history(results / "speed-history.csv")
    assert (results / "speed-history.md").read_text(encoding="utf-8") == history.page(rows)
