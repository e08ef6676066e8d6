"""The page of the overall comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.paper.authors.comparison import METHODS, REFERENCE_S, SHARES, SIZES
from benchmarks.paper.records import Record, select

TITLES = {
    "authors": "In the settings of the authors' simulator",
    "paper": "In the settings of the paper",
}
NOTES = {
    "authors": "Orchestrator at the best connected anchor, fast servers nearest to it, no overhead of an exchange but "
    "50 ms for the prompt, 156 and 78 TFLOPS, s_c = 0.115835 GB, and 70 ms before a job runs, in every row.",
    "paper": "Orchestrator and fast servers drawn, 18 ms overhead an exchange, 120 and 80 TFLOPS, s_c = 0.11 GB, no "
    "initial delay.",
}
PROPOSED = "paper (c by lower bound)"
QUIRKS = (
    "PETALS: 20 GB servers host at most 4 blocks, though 11 fit; two sessions a server, the rest of its memory idles; "
    "a range goes where the sum of throughputs is least.",
    "BPRR: reserves cache for R = 2 or 3 jobs, from a guess of the service time; a server believed full costs its mean "
    "service time over its jobs, and the job then waits that long even where the memory is free.",
    "PETALS and BPRR: a job holds its memory from its arrival, also while it waits.",
    "Proposed: c by a heuristic, with an indexing error, not by a bound; in its JFFC a waiting job starts at the next "
    "arrival, and all that wait after the last arrival start at once.",
    "No warm-up: 300 jobs from an empty system. Runs that cannot be served are left out of its means.",
)


def report(records: Sequence[Record]) -> str:
    """Markdown: against the reference, the grid in both settings, the long run, and what is saved."""
    runs = _whole_runs(records)
    checks = [record for record in records if "draws" in record["cell"]]
    parts = _introduction(runs)
    if checks:
        parts += ["", *_against_reference(runs, checks)]
    for setting in TITLES:
        chosen = select(runs, setting=setting)
        if chosen:
            parts += ["", f"### {TITLES[setting]}", "", NOTES[setting], *_grid(chosen)]
            parts += ["", *_long_run(chosen), "", *_savings(chosen)]
    return "\n".join(parts)


def _whole_runs(records: Sequence[Record]) -> list[Record]:
    """The parts of each run in one record; rows that were not measured are missing."""
    runs: dict[tuple[Any, ...], Record] = {}
    for record in records:
        cell = {name: value for name, value in record["cell"].items() if name != "part"}
        if "run" in cell:
            whole = runs.setdefault(tuple(cell.values()), {"cell": cell, "rows": {}, "bound_s": None})
            whole["rows"].update(record["rows"])
            whole["bound_s"] = record.get("bound_s", whole["bound_s"])
    return list(runs.values())


def _introduction(runs: Sequence[Record]) -> list[str]:
    count = len({record["cell"]["run"] for record in runs})
    return [
        f"Mean response times in seconds over {count} runs, each a cluster of its own and 300 Poisson jobs (0.2 /s, "
        "exponential sizes) from an empty system; ± the standard error. All methods serve the same jobs.",
        "",
        "Rows that end in `-authors` are what the authors' simulator gives. It handicaps the methods compared with, "
        "and has some defects of its own:",
        "",
        *(f"- {quirk}" for quirk in QUIRKS),
        "",
        "All other rows are simulated as the systems work: a job starts when a job leaves. `-faithful` is what a "
        "system does by default, `-tuned` what an operator would set who tries it out by simulation. Those that take "
        "seconds to deploy run for η = 0.2 alone. A bracket tells of runs without a value.",
    ]


def _against_reference(runs: Sequence[Record], checks: Sequence[Record]) -> list[str]:
    lines = [
        "### Against the authors' simulator",
        "",
        "The reference is the mean of 20 runs. *Its draws* are the same 20 runs; *ours* are draws of the same laws, "
        "those of the tables below, and as many more as the last column says. *Off* is the distance of our runs from "
        "the reference in standard errors.",
        "",
        "| J | η | method | reference | its draws | ours | off | ours, many |",
        "|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for (servers, share), reference in REFERENCE_S.items():
        cell: dict[str, Any] = {"setting": "authors", "servers": servers, "fast_share": share}
        same = select(checks, **cell, draws="reference")[0]["rows"]
        many = select(checks, **cell, draws="ours")[0]
        for method, value in zip(METHODS, reference, strict=True):
            means = _means(select(runs, **cell), method)
            mean, error = _mean_and_error(means)
            off = abs(value - mean) / error if means else np.nan
            lines.append(
                f"| {servers} | {share} | {method} | {value} | {_row(same[method])} | {_pm(mean, error)} | {off:.1f} | "
                f"{_row(many['rows'][method])} ({many['cell']['runs']}) |"
            )
    return lines


def _grid(runs: Sequence[Record]) -> list[str]:
    lines = []
    for servers in SIZES:
        chosen = select(runs, servers=servers)
        if not chosen:
            continue
        methods = list(dict.fromkeys(method for record in chosen for method in record["rows"]))
        lines += ["", f"J = {servers}", "", "| method | " + " | ".join(f"η = {share}" for share in SHARES) + " |"]
        lines += ["|---|" + "--:|" * len(SHARES)]
        for method in methods:
            cells = (_entry(select(chosen, fast_share=share), method) for share in SHARES)
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _entry(runs: Sequence[Record], method: str) -> str:
    """Mean and error over the runs with a value, and how many were not measured, have none or are not stable."""
    rows = [record["rows"][method] for record in runs if method in record["rows"]]
    if not rows:
        return ""
    fewer = [f"{len(rows)} runs"] if len(rows) < len(runs) else []
    means = [row["mean_s"] for row in rows if row["mean_s"] is not None]
    notes = fewer + [
        f"{count} {status}"
        for status in ("infeasible", "unstable")
        if (count := sum(row["status"] == status for row in rows))
    ]
    note = f" ({', '.join(notes)})" if notes else ""
    return (_pm(*_mean_and_error(means)) if means else "–") + note


def _long_run(runs: Sequence[Record]) -> list[str]:
    """Exact mean response times, which are about no number of jobs, and the bound, where all of them exist."""
    methods = list(dict.fromkeys(m for record in runs for m, row in record["rows"].items() if "exact_s" in row))
    if not methods:
        return []
    lines = [
        "In the long run: exact mean response times of the compositions, without the initial delay, and the proven "
        "bound for any of them; means over the runs in which all are stable.",
        "",
        "| J | η | runs | " + " | ".join(methods) + " | bound | gap of auto |",
        "|--:|--:|--:|" + "--:|" * (len(methods) + 2),
    ]
    for servers in SIZES:
        for share in SHARES:
            chosen = [
                record
                for record in select(runs, servers=servers, fast_share=share)
                if record["bound_s"] is not None and all(record["rows"][m]["exact_s"] is not None for m in methods)
            ]
            if not chosen:
                continue
            values = [np.mean([record["rows"][m]["exact_s"] for record in chosen]) for m in methods]
            least = float(np.mean([record["bound_s"] for record in chosen]))
            gap = 100 * (values[methods.index("auto")] / least - 1)
            entries = " | ".join(f"{value:.2f}" for value in [*values, least])
            lines.append(f"| {servers} | {share} | {len(chosen)} | {entries} | {gap:.1f} % |")
    return lines


def _savings(runs: Sequence[Record]) -> list[str]:
    """How much less the proposed method takes, by the authors' rows and by the others."""
    systems = list(dict.fromkeys(m for record in runs for m, row in record["rows"].items() if "exact_s" not in row))
    pairs = [(METHODS[0], other) for other in METHODS[1:]]
    pairs += [(PROPOSED, other) for other in systems if other not in METHODS]
    pairs += [("auto", PROPOSED)]
    lines = [
        "How much less one takes than another, means of the cells, over the runs that both serve. The paper says that "
        "the proposed method takes 8 to 83 % less.",
        "",
        "| method | than | cells | least | most |",
        "|---|---|--:|--:|--:|",
    ]
    for method, other in pairs:
        shares = [
            saved
            for servers in SIZES
            for share in SHARES
            if (saved := _saved(select(runs, servers=servers, fast_share=share), method, other)) is not None
        ]
        if shares:
            lines.append(f"| {method} | {other} | {len(shares)} | {round(min(shares))} % | {round(max(shares))} % |")
    return lines


def _saved(runs: Sequence[Record], method: str, other: str) -> float | None:
    rows = [(record["rows"].get(method), record["rows"].get(other)) for record in runs]
    both = [(a["mean_s"], b["mean_s"]) for a, b in rows if a and b and None not in (a["mean_s"], b["mean_s"])]
    if not both:
        return None
    mean, baseline = np.mean(both, axis=0)
    return float(100 * (1 - mean / baseline))


def _means(runs: Iterable[Record], method: str) -> list[float]:
    rows = [record["rows"][method] for record in runs if method in record["rows"]]
    return [row["mean_s"] for row in rows if row["mean_s"] is not None]


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return np.nan, np.nan
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def _row(row: dict[str, Any]) -> str:
    if row["mean_s"] is None:
        return "–"
    return _pm(row["mean_s"], np.nan if row["error_s"] is None else row["error_s"])


def _pm(mean: float, error: float) -> str:
    return f"{mean:.2f}" if np.isnan(error) else f"{mean:.2f} ± {error:.2f}"
