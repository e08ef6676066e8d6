"""Tables of results: outcomes, means over what all solved, gaps to one reference, files."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import chainopt.bench.figures
from chainopt.bench.gaps import GapTo, references
from chainopt.bench.outcomes import Outcome, read_results, runs_of
from chainopt.bench.standings import Standing, standings
from chainopt.bench.summary import summary_table, write_summary
from chainopt.errors import FormatError
from tests.bench.results import result, write_results

TEXTS = ["summary.txt", "summary.md", "summary.csv", "summary.tex"]
FIGURES = ["profile.svg", "profile.png", "gaps.svg", "gaps.png"]


def standing(records: list[dict[str, Any]], method: str) -> Standing:
    runs = runs_of(records)
    return next(s for s in standings(runs, references(runs)) if s.method == method)


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "summary.csv").read_text(encoding="utf-8"))))


# instance    a            b           bound
# p           2            4           1        ratios 1, 2    gaps 1/2, 3/4
# q           8            4           4        ratios 2, 1    gaps 1/2, 0
# r           unstable     3           -        not compared; b wins
# s           5            error       -        not compared; a wins
# t           -            -           -        infeasible, both
RECORDS = [
    result("p", "a", 2.0, bound=1.0, runtime_s=1.0),
    result("p", "b", 4.0, runtime_s=2.0),
    result("q", "a", 8.0, runtime_s=3.0),
    result("q", "b", 4.0, bound=4.0, status="optimal", runtime_s=4.0),
    result("r", "a", None, runtime_s=5.0),
    result("r", "b", 3.0, runtime_s=6.0),
    result("s", "a", 5.0, runtime_s=7.0),
    result("s", "b", None, status="error", verified=False, error="it fell over", runtime_s=None),
    result("t", "a", None, status="infeasible", runtime_s=8.0),
    result("t", "b", None, status="infeasible", runtime_s=9.0),
]


def test_means_are_over_what_both_solved() -> None:
    """By hand: means of p and q, wins over all problems, runtimes over all runs."""
    a, b = standing(RECORDS, "a"), standing(RECORDS, "b")
    assert (a.compared, b.compared) == (2, 2)
    assert (a.mean, b.mean) == (5.0, 4.0)
    assert a.ratio == pytest.approx(2**0.5)
    assert b.ratio == pytest.approx(2**0.5)
    assert (a.wins, b.wins) == (2, 2)
    assert a.runtime_s == pytest.approx((1 + 3 + 5 + 7 + 8) / 5)
    assert b.runtime_s == pytest.approx((2 + 4 + 6 + 9) / 4)


def test_failures_are_counted_beside_the_means() -> None:
    """Each run is in exactly one count, and the counts sum to the problems."""
    a, b = standing(RECORDS, "a"), standing(RECORDS, "b")
    assert a.counts == {Outcome.SOLVED: 3, Outcome.UNSTABLE: 1, Outcome.INFEASIBLE: 1}
    assert b.counts == {Outcome.SOLVED: 3, Outcome.ERROR: 1, Outcome.INFEASIBLE: 1}
    assert a.counts.total() == b.counts.total() == 5


def test_gaps_have_one_reference_for_all_methods() -> None:
    """Method b proves no bound on p, and a none on q: both are measured by what the other knows."""
    a, b = standing(RECORDS, "a"), standing(RECORDS, "b")
    assert (a.mean_gap, a.median_gap, a.largest_gap) == (0.5, 0.5, 0.5)
    assert (b.mean_gap, b.median_gap, b.largest_gap) == (0.375, 0.375, 0.75)
    kinds = {name: reference.kind for (_, name, _), reference in references(runs_of(RECORDS)).of.items()}
    assert kinds == {"p": GapTo.BOUND, "q": GapTo.OPTIMUM}


def test_a_bound_beyond_a_verified_value_is_false() -> None:
    """A claimed bound of 3 on a minimum is contradicted by the value 2, and nobody is measured by it."""
    runs = runs_of([result("p", "a", 2.0, bound=1.0), result("p", "b", 4.0, bound=3.0)])
    known = references(runs)
    assert known.contradicted == 1
    assert list(known.of.values()) == [(1.0, GapTo.BOUND)]


def test_gap_to_best_known_is_negative_where_it_is_beaten() -> None:
    """10 against 8 known is a gap of 0.2; 6 against 8 known is one of -0.25."""
    runs = runs_of([result("p", "a", 10.0, best_known=8.0), result("p", "b", 6.0, best_known=8.0)])
    known = references(runs)
    assert [known.gap(run) for run in runs] == [pytest.approx(0.2), pytest.approx(-0.25)]


def test_largest_rate_is_best() -> None:
    """Of rates, the larger wins, a bound is above, and gaps are positive below it."""
    runs = runs_of([result("p", m, v, objective="rate", bound=10.0) for m, v in (("low", 5.0), ("high", 8.0))])
    high, low = standings(runs, references(runs))
    assert (high.method, high.wins, high.ratio, high.mean_gap) == ("high", 1, 1.0, pytest.approx(0.2))
    assert (low.method, low.wins, low.ratio, low.mean_gap) == ("low", 0, pytest.approx(1.6), 0.5)


def test_simulated_value_of_other_traffic_has_no_gap() -> None:
    """Where the record has none, the bound on Poisson traffic says nothing of it."""
    records = [
        result("p", "exact", 4.0, bound=2.0),
        result("p", "bursts", 9.0, simulated={"policy": "jffc"}, half_width=0.5),
        result("p", "poisson", 5.0, simulated={"policy": "jffc"}, half_width=0.25, gap=0.1),
    ]
    known = references(runs_of(records))
    assert {run.method: known.gap(run) for run in runs_of(records)} == {"exact": 0.5, "bursts": None, "poisson": 0.6}
    assert standing(records, "bursts").half_width == 0.5
    assert standing(records, "exact").half_width is None


def test_method_that_solves_nothing_does_not_empty_the_comparison() -> None:
    """The others are compared as if it were not there; it has counts and no means."""
    records = [result(p, m, v) for p in "pq" for m, v in (("good", 1.0), ("bad", 2.0), ("useless", None))]
    assert standing(records, "good").compared == 2
    useless = standing(records, "useless")
    assert useless.counts == {Outcome.UNSTABLE: 2}
    assert (useless.compared, useless.mean, useless.ratio, useless.wins) == (0, None, None, 0)


def test_what_was_not_run_is_counted_and_not_compared() -> None:
    """Of a benchmark that was stopped in the middle, problems without some method are not compared."""
    records = [result("p", "a", 1.0), result("p", "b", 2.0), result("q", "a", 1.0)]
    assert standing(records, "a").compared == 1
    assert standing(records, "b").counts == {Outcome.SOLVED: 1, Outcome.NOT_RUN: 1}


def test_a_plan_says_what_counts_and_what_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of another configuration under the same label, though later in the file, are left out and counted."""
    monkeypatch.setattr(chainopt.bench.figures, "available", lambda: False)
    records = [result("p", "a", 1.0, key="planned"), result("p", "a", 9.0, key="other"), result("p", "b", 8.0, key="x")]
    write_results(records, tmp_path)
    write_summary(tmp_path, {"planned": "mine", "not made yet": "b"})
    assert [(row["method"], row["mean"]) for row in rows(tmp_path)] == [("mine", "1.0")] * 2
    assert "2 results of other runs" in (tmp_path / "summary.txt").read_text(encoding="utf-8")


def test_names_that_are_no_text_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file name that is not UTF-8 has half of a surrogate pair in Python; tables show a question mark."""
    monkeypatch.setattr(chainopt.bench.figures, "available", lambda: False)
    write_results([result("p", "caf\udce9.py:f", 1.0, source="caf\udce9/p.json")], tmp_path)
    write_summary(tmp_path)
    assert [(row["family"], row["method"]) for row in rows(tmp_path)] == [("", "caf?.py:f"), ("caf?", "caf?.py:f")]


def test_a_simulation_without_an_interval_is_not_exact() -> None:
    """One simulated job has a mean and no finite half width: that of the means is unknown then, not 0."""
    simulated = {"policy": "jffc", "steady": True}
    records = [
        result("p", "a", 1.0, simulated=simulated, half_width=0.5),
        result("q", "a", 1.0, simulated=simulated, half_width=None),
    ]
    assert standing(records[:1], "a").half_width == 0.5
    assert standing(records, "a").half_width is None


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"status": "optimal"}, Outcome.SOLVED),
        ({"verified": False}, Outcome.UNVERIFIED),
        ({"verified": None}, Outcome.UNVERIFIED),
        ({"value": None}, Outcome.UNKNOWN),
        ({"status": "unknown", "value": None}, Outcome.UNKNOWN),
        ({"status": "infeasible", "verified": False}, Outcome.UNVERIFIED),
        ({"status": "error", "verified": False}, Outcome.ERROR),
    ],
)
def test_outcome_of_a_run(fields: dict[str, Any], outcome: Outcome) -> None:
    """What counts as solved is what `verify` has passed, with a value."""
    assert runs_of([{**result("p", "a", 1.0), **fields}])[0].outcome is outcome


@pytest.mark.parametrize(
    ("source", "family"),
    [
        ("instances/bloom/x.json", "instances/bloom"),
        ("x.json", "."),
        ("bloom --servers 20 --seed 1", "bloom"),
        (None, "."),
    ],
)
def test_family_of_a_run(source: str | None, family: str) -> None:
    """The folder of a file as the suite gives it, or the family that generated it; empty is the overall row only."""
    assert runs_of([result("p", "a", 1.0, source=source)])[0].family == family


def test_all_files_are_written(tmp_path: Path) -> None:
    """Four texts and two figures in two formats, and nothing else."""
    pytest.importorskip("matplotlib")
    write_results(RECORDS, tmp_path)
    written = write_summary(tmp_path)
    assert [path.name for path in written] == TEXTS + FIGURES
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", *TEXTS, *FIGURES}
    assert "error" in (tmp_path / "summary.txt").read_text(encoding="utf-8")


def test_csv_has_all_rows_and_full_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for all families and one for each family, with numbers as they are."""
    monkeypatch.setattr(chainopt.bench.figures, "available", lambda: False)
    others = [{**record, "source": f"instances/hard/{record['instance']}.json"} for record in RECORDS[:2]]
    write_results(RECORDS[2:] + others, tmp_path)
    write_summary(tmp_path)
    found = rows(tmp_path)
    assert [(row["family"], row["method"]) for row in found] == [
        *(("", m) for m in "ab"),
        *(("instances/easy", m) for m in "ba"),
        *(("instances/hard", m) for m in "ab"),
    ]
    assert float(found[0]["ratio"]) == pytest.approx(2**0.5, rel=1e-15)
    assert (found[0]["solved"], found[0]["infeasible"], found[0]["unverified"], found[0]["half_width"]) == (
        "3",
        "1",
        "0",
        "",
    )
    assert [row["compared"] for row in found] == ["2", "2", "1", "1", "1", "1"]


def test_without_matplotlib_tables_are_written_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the text tells what is missing and how to get it."""
    monkeypatch.setattr(chainopt.bench.figures, "find_spec", lambda name: None)
    write_results(RECORDS, tmp_path)
    assert [path.name for path in write_summary(tmp_path)] == TEXTS
    for name in TEXTS[:2]:
        assert (tmp_path / name).read_text(encoding="utf-8").splitlines()[-1] == chainopt.bench.figures.MISSING


def test_order_of_lines_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers finish in any order; the tables are the same."""
    monkeypatch.setattr(chainopt.bench.figures, "available", lambda: False)
    texts = []
    for records in (RECORDS, RECORDS[::-1]):
        write_results(records, tmp_path)
        write_summary(tmp_path)
        texts.append([(tmp_path / name).read_text(encoding="utf-8") for name in TEXTS])
    assert texts[0] == texts[1]


def test_line_that_a_kill_has_cut_is_left_out(tmp_path: Path) -> None:
    """What follows the last newline is no result yet."""
    write_results(RECORDS[:3], tmp_path, rest='{"key": "x", "inst')
    assert len(read_results(tmp_path / "results.jsonl")) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"results.jsonl:2: not JSON"),
        ("[1]", r"results.jsonl:2: expected an object, got an array of 1"),
        ('{"instance": "p"}', r"results.jsonl:2: method: Field required"),
        ('{"instance": "p", "method": "m", "seed": 0, "objective": "rate", "value": NaN, "status": "error"}', "value"),
        (
            '{"instance": "p", "method": "m", "seed": 0, "objective": "rate", "value": 1, "status": "ok"}',
            "status: .*'ok'",
        ),
    ],
)
def test_damaged_line_is_one_error(line: str, message: str, tmp_path: Path) -> None:
    """File, line and what is wrong; and nothing is written."""
    write_results(RECORDS[:1], tmp_path, rest=line + "\n")
    with pytest.raises(FormatError, match=message):
        write_summary(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_no_results_is_an_error(tmp_path: Path) -> None:
    """A folder without results.jsonl is not one of a benchmark."""
    with pytest.raises(FormatError, match=r"results\.jsonl: cannot be read"):
        write_summary(tmp_path)


def test_empty_results_give_empty_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that was stopped before its first result has a summary all the same."""
    monkeypatch.setattr(chainopt.bench.figures, "available", lambda: False)
    write_results([], tmp_path)
    write_summary(tmp_path)
    assert "0 runs on 0 problems" in (tmp_path / "summary.txt").read_text(encoding="utf-8")


def test_table_for_consoles_names_every_method() -> None:
    """What is not ASCII, or looks like markup, stands there as it is."""
    console = Console(width=220, record=True, file=io.StringIO())
    console.print(summary_table([result("p", "[red]mine[/red]", 1.0), result("p", "a", 2.0)]))
    text = console.export_text()
    assert "[red]mine[/red]" in text
    assert "1 problems" in text


def test_objectives_are_told_apart() -> None:
    """Seconds and rates are never averaged: a row for each objective."""
    console = Console(width=220, record=True, file=io.StringIO())
    console.print(summary_table([result("p", "a", 1.0), result("p", "a", 7.0, objective="rate")]))
    text = console.export_text()
    assert "response-time in s" in text
    assert "rate in jobs/s" in text
