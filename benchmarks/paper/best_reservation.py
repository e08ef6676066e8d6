"""Figure 6 of the technical report: the best c against the arrival rate.

As the paper states: λ from 10 to 90 % of the largest total service rate that any c gives; GBP-CR stops when λ/ρ̄ is
met. As the authors' simulator has it: nine fixed rates, drawn at 10, 20, ..., 90 % although they are other shares;
GBP-CR never stops; 5 simulations of 500/ν.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.paper import drawing
from benchmarks.paper.finding import Finding
from benchmarks.paper.records import Cell, Log, Record, Tell, gather, interval, select, shown
from benchmarks.paper.reservation import CRITERIA, ITERATIONS, chosen, curves, every_reservation
from benchmarks.paper.settings import TARGET_LOAD, at_rate, bloom
from chainopt import compose
from chainopt.exact import bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "figure-6-report", "Figure 6 of the technical report: best c against the arrival rate"
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
AUTHORS_RATES = (0.0452, 0.112, 0.140, 0.223, 0.457, 0.915, 1.37, 1.60, 1.83)
"""Jobs per second."""
STOPS = {"paper": "rate", "authors": "never"}


def cells(setting: str, runs: int) -> list[Cell]:
    return [
        {"setting": setting, "point": point, "run": run} for point in range(len(SHARES)) for run in range(1, runs + 1)
    ]


def measure(cell: Cell) -> Record:
    setting, point = cell["setting"], cell["point"]
    instance = bloom(setting, cell["run"])
    largest = max(each.composition.total_service_rate for each in every_reservation(setting, instance, "never", 0.0))
    arrival_rate = AUTHORS_RATES[point] if setting == "authors" else SHARES[point] * largest
    found = every_reservation(setting, instance, STOPS[setting], arrival_rate / TARGET_LOAD)
    values = curves(found, arrival_rate, 1.0, 500.0, cell["run"])
    record: Record = {"arrival_rate": arrival_rate, "share": arrival_rate / largest, "best": chosen(found, values)}
    posed = at_rate(instance, arrival_rate)
    if record["best"]["exact"][0] is None:
        return {**record, "search": None, "bound": None}
    record["search"] = compose(posed, iterations=ITERATIONS, seed=cell["run"]).value
    record["bound"] = bound(posed)
    return record


def run(setting: str, runs: int, workers: int, log: Log | None = None, tell: Tell | None = None) -> list[Record]:
    """All records of a setting."""
    return gather(NAME, cells(setting, runs), measure, workers, log, tell)


def draw(records: Sequence[Record], setting: str) -> Figure:
    """Best c of every criterion, and how far from the least exact response time it is, means over runs."""
    figure, (best, loss) = drawing.panels(["best c", "exact response time above that of the best c"])
    groups = [select(records, setting=setting, point=point) for point in range(len(SHARES))]
    shares = [interval(r["share"] for r in group).mean for group in groups]
    for number, name in enumerate(CRITERIA):
        mark = drawing.MARKERS[number]
        best.plot(
            shares,
            [interval(r["best"][name][0] for r in group).mean for group in groups],
            mark + "-",
            markersize=4,
            fillstyle="none",
            label=name,
        )
        loss.plot(
            shares,
            [interval(above(r, name) for r in group).mean for group in groups],
            mark + "-",
            markersize=4,
            fillstyle="none",
            label=name,
        )
    for axes in (best, loss):
        axes.set_xlabel("λ as a share of the largest ν over c")
        axes.legend(frameon=False, fontsize="small")
    best.set_ylabel("c")
    loss.set(ylabel="%", yscale="symlog")
    figure.suptitle(f"{TITLE}, {drawing.LABELS[setting]}")
    return figure


def above(record: Record, name: str) -> float | None:
    """Per cent by which the exact response time at a criterion's c exceeds the least over c."""
    value, least = record["best"][name][1], record["best"]["exact"][1]
    return None if value is None or least is None else 100 * (value / least - 1)


def report(records: Sequence[Record], setting: str) -> list[str]:
    lines = [
        "| λ, 1/s | share of ν | "
        + " | ".join(f"c, {name}" for name in CRITERIA)
        + " | "
        + " | ".join(f"above, {name} %" for name in CRITERIA[:-1])
        + " | exact, s | search, s | bound, s |",
        "|--:|--:|" + "--:|" * (2 * len(CRITERIA) + 2),
    ]
    for point in range(len(SHARES)):
        group = select(records, setting=setting, point=point)
        best = [shown(interval(r["best"][name][0] for r in group)) for name in CRITERIA]
        loss = [shown(interval(above(r, name) for r in group), 2) for name in CRITERIA[:-1]]
        times = [
            shown(interval(r["best"]["exact"][1] for r in group), 4),
            *(shown(interval(r[n] for r in group), 4) for n in ("search", "bound")),
        ]
        rate, share = (interval(r[name] for r in group).mean for name in ("arrival_rate", "share"))
        lines.append(f"| {rate:.3g} | {share:.3f} | {' | '.join([*best, *loss, *times])} |")
    return lines


def findings(records: Sequence[Record], setting: str) -> list[Finding]:
    """Whether the best c grows with the rate, and which criterion finds it."""
    groups = [select(records, setting=setting, point=point) for point in range(len(SHARES))]
    best = [interval(r["best"]["exact"][0] for r in group).mean for group in groups]
    steps = sum(b >= a for a, b in itertools.pairwise(best))
    shown_c = ", ".join(f"{c:.3g}" for c in best)
    lower = [interval(above(r, "lower") for r in group).mean for group in groups]
    shares = [interval(r["share"] for r in group).mean for group in groups]
    every = [
        Finding(
            "more traffic, larger best c",
            steps == len(best) - 1,
            f"best c by the exact value: {shown_c}; {steps} of {len(best) - 1} steps do not fall",
        ),
        Finding(
            "the lower bound finds a good c at every rate",
            max(lower) < 2,
            f"at most {max(lower):.2f} % slower than the best c, in the mean over runs",
        ),
    ]
    if setting == "authors":
        off = ", ".join(f"{100 * s:.0f}" for s in shares)
        every.append(Finding("rates are 10, 20, ..., 90 % of the total service rate", False, f"they are {off} %"))
    return every
