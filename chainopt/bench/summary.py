"""What a folder of results says: tables of all methods, overall and for each family, and figures."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from chainopt.bench.gaps import GapTo, references
from chainopt.bench.journal import RESULTS
from chainopt.bench.outcomes import Outcome, Run, objectives_of, read_results, runs_of
from chainopt.bench.standings import ratios, standings
from chainopt.bench.tables import Column, Sheet, csv_text, latex, markdown, rich_table
from chainopt.files.text import write_text
from chainopt.model.solution import Objective

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.table import Table

    from chainopt.bench.standings import Standing

UNITS = {Objective.RESPONSE_TIME: "s", Objective.JOB_SERVERS: "job servers", Objective.RATE: "jobs/s"}
_WIDTH = 200


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


_ALWAYS = (Outcome.SOLVED, Outcome.INFEASIBLE, Outcome.UNSTABLE, Outcome.ERROR, Outcome.UNVERIFIED)
_OBJECTIVE = Column("objective", "objective", number=False)
_FAMILY = Column("family", "family", number=False)
_METHOD = Column("method", "method", number=False)
_COUNTS = {outcome: Column(outcome.replace(" ", "_"), outcome.value) for outcome in Outcome}
_GAPS = Column("gaps", "gaps")
_MEANS = (
    Column("wins", "wins"),
    Column("compared", "compared"),
    Column("mean", "mean", "{:.4g}".format),
    Column("half_width", "±", "{:.2g}".format),
    Column("ratio", "ratio", "{:.4f}".format),
    _GAPS,
    Column("mean_gap", "mean gap %", _percent),
    Column("median_gap", "median gap %", _percent),
    Column("largest_gap", "largest gap %", _percent),
    Column("runtime_s", "runtime s", "{:.3g}".format),
)


def summary_table(records: Sequence[Mapping[str, Any]], labels: Mapping[str, str] | None = None) -> Table:
    """The table of all methods, for a console.

    Parameters
    ----------
    records
        Lines of results.jsonl.
    labels
        Of the runs that count, see `outcomes.runs_of`.

    Raises
    ------
    FormatError
        If a record lacks what every run has.
    """
    return rich_table(overall(runs_of(records, labels=labels), _left_out(records, labels)))


def write_summary(folder: Path, labels: Mapping[str, str] | None = None) -> list[Path]:
    """Write summary.txt, .md, .csv and .tex, and profile and gaps as .svg and .png, from the results in a folder.

    Without matplotlib the figures are left out, and the text says so.

    Parameters
    ----------
    labels
        Of the runs that count, see `outcomes.runs_of`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FormatError
        If results.jsonl cannot be read or is not what a benchmark writes, or a file cannot be written.
    """
    from chainopt.bench.figures import MISSING, available, write_figures

    records = read_results(folder / RESULTS)
    runs = runs_of(records, str(folder / RESULTS), labels)
    sheets = [overall(runs, _left_out(records, labels)), by_family(runs)]
    note = "" if available() else f"{MISSING}\n"
    texts = {
        "txt": "\n".join(text(sheet) for sheet in sheets) + note,
        "md": "\n".join(markdown(sheet) for sheet in sheets) + ("" if not note else f"\n{note}"),
        "csv": csv_text(everything(runs)),
        "tex": "% needs \\usepackage{booktabs}\n" + "\n".join(latex(sheet) for sheet in sheets),
    }
    written = []
    for suffix, content in texts.items():
        target = folder / f"summary.{suffix}"
        write_text(content, target)
        written.append(target)
    return written + (write_figures(runs, folder) if available() else [])


def _left_out(records: Iterable[Mapping[str, Any]], labels: Mapping[str, str] | None) -> int:
    return 0 if labels is None else sum(record.get("key") not in labels for record in records)


def text(sheet: Sheet) -> str:
    """A sheet as text of fixed width."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH, no_color=True, force_terminal=False).print(rich_table(sheet))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


Row = dict[str, Any]
"""What stands in a row of a table, by the keys of the columns."""


def overall(runs: Sequence[Run], left_out: int = 0) -> Sheet:
    """One row a method and objective; the notes tell how many other results were left out."""
    rows = _rows(runs, families=False)
    notes = _notes(runs) + ([f"{left_out} results of other runs are in this folder, and left out."] if left_out else [])
    return Sheet(f"All methods, {_objectives(runs)}", *_columns(rows, families=False), notes=notes)


def by_family(runs: Sequence[Run]) -> Sheet:
    """One row a family, method and objective."""
    return Sheet(f"By family, {_objectives(runs)}", *_columns(_rows(runs, families=True), families=True))


def everything(runs: Sequence[Run]) -> Sheet:
    """All rows of both with all columns, for machines; the family is empty in rows over all families."""
    rows = _rows(runs, families=False) + _rows(runs, families=True)
    columns = [_OBJECTIVE, _FAMILY, _METHOD, *_COUNTS.values(), *_MEANS]
    return Sheet("", columns, [[row[column.key] for column in columns] for row in rows])


def _rows(runs: Sequence[Run], *, families: bool) -> list[Row]:
    groups: defaultdict[tuple[Objective, str], list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.family):
        groups[run.objective, run.family if families else ""].append(run)
    known = references(runs)
    return [
        _row(objective, family, standing)
        for objective in objectives_of(runs)
        for (its, family), group in groups.items()
        if its is objective
        for standing in standings(group, known)
    ]


def _row(objective: Objective, family: str, standing: Standing) -> Row:
    return {
        "objective": objective.value,
        "family": family,
        "method": standing.method,
        **{column.key: standing.counts[outcome] for outcome, column in _COUNTS.items()},
        **{column.key: getattr(standing, column.key) for column in _MEANS},
    }


def _columns(rows: list[Row], *, families: bool) -> tuple[list[Column], list[list[Any]]]:
    """The columns that say something, and the rows; failures that nobody has are left out if they are rare ones."""
    columns = [
        *([_OBJECTIVE] if len({row["objective"] for row in rows}) > 1 else []),
        *([_FAMILY] if families else []),
        _METHOD,
        *(column for outcome, column in _COUNTS.items() if outcome in _ALWAYS or any(row[column.key] for row in rows)),
        *(column for column in _MEANS if column.key not in ("half_width", "gaps") or _tells(column, rows)),
    ]
    return columns, [[row[column.key] for column in columns] for row in rows]


def _tells(column: Column, rows: list[Row]) -> bool:
    """Whether half widths exist, and whether the numbers of gaps are others than those of the compared problems."""
    if column is _GAPS:
        return any(row["gaps"] not in (0, row["compared"]) for row in rows)
    return any(row[column.key] is not None for row in rows)


def _objectives(runs: Sequence[Run]) -> str:
    return "; ".join(f"{objective.value} in {UNITS[objective]}" for objective in objectives_of(runs)) or "no runs"


def _notes(runs: Sequence[Run]) -> list[str]:
    known = references(runs)
    kinds = Counter(reference.kind for reference in known.of.values())
    to_best = ratios(runs)
    notes = [
        f"{len(runs)} runs on {len(to_best)} problems (an instance with a seed and an objective), "
        f"{sum(not solved for solved in to_best.values())} of which nobody solved.",
        "mean, ratio and gaps are over the compared problems: those that every method with any solution solved. "
        "ratio is the geometric mean of the value to the best of all methods. wins are over all problems, runtime "
        "over all runs.",
        "Gaps are from the optimum on "
        f"{kinds[GapTo.OPTIMUM]} instances, from the best proven bound on {kinds[GapTo.BOUND]}, from the best known "
        f"value on {kinds[GapTo.BEST_KNOWN]}, taken over all runs of an instance.",
    ]
    if any(run.half_width is not None for run in runs):
        notes.append("± is the mean half width of the 95 % intervals of simulated values.")
    if known.contradicted:
        notes.append(f"{known.contradicted} claimed bounds lie beyond a verified value; they are false, and left out.")
    return notes
