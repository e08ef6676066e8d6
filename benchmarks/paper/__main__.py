"""The paper's figures and its Table 1, redone: all of them with one command.

Usage: ``python -m benchmarks.paper [--quick] [--runs N] [--workers N] [-o DIR] [--only NAME ...]``.

Writes every figure as SVG and PNG, ``README.md`` with all tables and what agrees with the paper, and ``records.jsonl``,
from which a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmarks.environment import ROOT, describe
from benchmarks.paper import (
    best_reservation,
    dispatching,
    drawing,
    job_servers,
    placement_quality,
    reservation,
    settings,
    testbed,
)
from benchmarks.paper.finding import REASONS, rows
from benchmarks.paper.records import Cell, Log, Tell
from chainopt.files.text import write_text

if TYPE_CHECKING:
    from benchmarks.paper.records import Record

FIGURES: tuple[ModuleType, ...] = (
    placement_quality,
    job_servers,
    dispatching,
    reservation,
    best_reservation,
    testbed,
)
OVERALL = "figure-6"
RUNS = {"figure-1": 20, "figure-2": 20, "figure-3": 20, "figure-5": 20, "figure-6-report": 10, "table-1": 8}
QUICK_RUNS = 1
QUICK_CELLS: list[Cell] = [{"setting": "paper", "servers": 10, "fast_share": "0.4"}]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, draw, and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__.partition("\n")[0])
    names = [*(figure.NAME for figure in FIGURES), OVERALL]
    parser.add_argument("--quick", action="store_true", help="one run of each figure, to see that all of it works")
    parser.add_argument("--runs", type=int, help="runs of each figure but the sixth, in place of its own")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("-o", "--output", type=Path, help="folder (default benchmarks/results/paper, or paper-quick)")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args(arguments)
    folder = chosen.output or ROOT / "benchmarks" / "results" / ("paper-quick" if chosen.quick else "paper")
    log = Log(folder / "records.jsonl")
    if log.dropped:
        print(f"{log.dropped} results of other code are measured again", file=sys.stderr)
    findings: list[str] = []
    sections: list[str] = []
    for figure in FIGURES:
        if figure.NAME not in chosen.only:
            continue
        runs = chosen.runs or (QUICK_RUNS if chosen.quick else RUNS[figure.NAME])
        sections += ["", f"## {figure.TITLE}", "", *described(figure)]
        for setting in settings.SETTINGS:
            begin = time.monotonic()
            records = figure.run(setting, runs, chosen.workers, log, progress(figure.NAME, setting))
            files = drawing.keep(figure.draw(records, setting), folder, f"{figure.NAME}-{setting}")
            sections += [
                "",
                f"### {figure.NAME}, {drawing.LABELS[setting]}, {runs} runs",
                "",
                f"![{figure.NAME}]({files[0]})",
                "",
            ]
            sections += figure.report(records, setting)
            findings += rows(figure.NAME, setting, figure.findings(records, setting))
            print(f"{figure.NAME} {setting}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    if OVERALL in chosen.only:
        sections += ["", "## Figure 6: the overall comparison", "", overall(chosen.quick, chosen.workers, log)]
    why = ["", "## Why", "", REASONS]
    write_text("\n".join([*head(chosen.quick), *findings, *why, *sections, ""]), folder / "README.md")
    print(folder / "README.md")


def overall(quick: bool, workers: int, log: Log) -> str:
    """The overall comparison, which has its own settings and baselines."""
    from benchmarks.paper import overall as comparison

    begin = time.monotonic()
    tell = progress(OVERALL, "both settings")
    records: list[Record] = (
        comparison.run(QUICK_CELLS, QUICK_RUNS, workers, log=log, tell=tell)
        if quick
        else comparison.run(None, comparison.RUNS, workers, log=log, tell=tell)
    )
    print(f"{OVERALL}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return comparison.report(records)


def progress(figure: str, setting: str) -> Tell:
    """Say how far a figure is, at most once a second."""
    begin = last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == total or now - last >= 1:
            last = now
            left = (now - begin) / done * (total - done)
            print(
                f"\r{figure} {setting}: {done}/{total}, {left:.0f} s left  ",
                end="\n" if done == total else "",
                file=sys.stderr,
            )

    return tell


def head(quick: bool) -> list[str]:
    """Title, settings, and the head of the table of findings."""
    differences = str(settings.__doc__).split("\n\n")
    return [
        "# The paper, redone",
        "",
        f"Made by `python -m benchmarks.paper{' --quick' if quick else ''}` from fixed seeds.",
        "",
        *describe(),
        "",
        "The paper: Sun, He, Hou, Serving Chain-structured Jobs with Large Memory Footprints with Application to Large "
        "Foundation Model Serving, arXiv 2604.14993. Every figure is made in two settings:",
        "",
        differences[2],
        "",
        differences[3],
        "",
        "± is the half width of a 95 % interval over runs. Where a figure shows a simulation, the exact value stands "
        "beside it.",
        "",
        "## What agrees with the paper, and what does not",
        "",
        "| figure | setting | claim | | measured |",
        "|---|---|---|---|---|",
    ]


def described(figure: ModuleType) -> list[str]:
    """The text of a figure's module, after its title."""
    return str(figure.__doc__).split("\n\n", 1)[1].strip().splitlines() if "\n\n" in str(figure.__doc__) else []


if __name__ == "__main__":
    main()
