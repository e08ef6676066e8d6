"""Table 1 in the authors' simulator: LLaMA-2-7B, the whole model on every server against the proposed method.

Of their script for LLaMA: s_m = 0.4375 GB, s_c = 0.0336 GB, computing times of BLOOM's
blocks, 9 servers of which floor(0.33 · 9) = 2 are fast, 300 Poisson jobs of exponential sizes at 20.57 a second where
the paper states 2.57. Both rates are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper import drawing
from benchmarks.paper.finding import Finding, above
from benchmarks.paper.records import Cell, Record, interval, select, shown
from benchmarks.paper.settings import TARGET_LOAD, at_rate
from chainopt.allocation import gca
from chainopt.errors import UnstableError
from chainopt.generate import FAMILIES, BloomParameters
from chainopt.model import Composition, Instance, Service
from chainopt.placement import gbp_cr, whole_model
from chainopt.queueing import response_time
from chainopt.simulation import simulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES, JOBS = (2.57, 20.57), 300
RESERVATION, MOST_RESERVATION = 35, 50
TOKENS_IN, TOKENS_OUT = 2048, 28
SERVICE = Service(name="Llama-2-7B", blocks=32, block_gb=Decimal("0.4375"), cache_gb=Decimal("0.0336"))
BY_SCORE = "proposed, c by the authors' score"


def measure(cell: Cell) -> Record:
    """The whole-model baseline and the proposed method, under the authors' queue and under JFFC."""
    bloom = FAMILIES["bloom"].instance(
        BloomParameters(
            servers=9, fast_share=Decimal("0.33"), authors=True, tokens_in=TOKENS_IN, tokens_out=TOKENS_OUT
        ),
        seed=cell["run"],
    )
    instance = at_rate(bloom.replace(service=SERVICE), cell["rate"])
    generator = np.random.default_rng([cell["run"], JOBS])
    gaps = generator.exponential(1 / cell["rate"], JOBS)
    gaps[0] = 0.0
    arrivals, sizes = np.cumsum(gaps), generator.exponential(1.0, JOBS)
    c = scored_reservation(instance, cell["rate"])
    rows = {}
    for name, composition in (
        ("JFFC only", gca(instance, whole_model(instance))),
        (BY_SCORE, gca(instance, gbp_cr(instance, c))),
        ("proposed, c = 35", gca(instance, gbp_cr(instance, RESERVATION))),
    ):
        rows[name] = {
            "authors_s": float(np.mean(queued_responses(composition, arrivals, sizes))),
            "jffc_s": float(
                np.mean(
                    simulate(composition.service_rates, composition.capacities, arrivals=arrivals, sizes=sizes).response
                )
            ),
            "steady_s": poisson_s(composition, cell["rate"]),
            "job_servers": composition.job_servers,
            "load": cell["rate"] / composition.total_service_rate,
        }
    return {"c": c, "rows": rows}


def scored_reservation(instance: Instance, rate: float) -> int:
    """The c up to 50 with ν >= λ/0.7 and the least mean service time of job servers over ν; 1 if there is none."""
    best, least = 1, np.inf
    for c in range(1, MOST_RESERVATION + 1):
        composition = gca(instance, gbp_cr(instance, c))
        total = composition.total_service_rate
        mean_s = float(np.dot(composition.capacities, composition.service_times_s)) / composition.job_servers
        if total >= rate / TARGET_LOAD and mean_s / total < least:
            best, least = c, mean_s / total
    return best


def queued_responses(
    composition: Composition, arrivals: NDArray[np.float64], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Response times under the authors' queue: a job that finds all job servers busy starts when the first job ends.

    The chain with the earliest end is taken, and nothing else is changed by it: the next such job may start at the same
    end, so that many jobs share one job server.
    """
    order = np.argsort(-composition.service_rates, kind="stable").tolist()
    capacities, times_s = composition.capacities.tolist(), composition.service_times_s.tolist()
    ends: list[list[float]] = [[] for _ in order]
    responses = np.empty(arrivals.size)
    for job, (now, size) in enumerate(zip(arrivals.tolist(), sizes.tolist(), strict=True)):
        for k in order:
            ends[k] = [end for end in ends[k] if end > now]
        free = [k for k in order if len(ends[k]) < capacities[k]]
        k = free[0] if free else min(range(len(ends)), key=lambda chain: min(ends[chain]))
        begin = now if free else min(ends[k])
        ends[k].append(begin + times_s[k] * size)
        responses[job] = ends[k][-1] - now
    return responses


def poisson_s(composition: Composition, rate: float) -> float | None:
    """Exact mean response time, were it Poisson arrivals and exponential sizes; None where unstable."""
    try:
        return response_time(composition, rate).mean_response_time_s
    except UnstableError:
        return None


def draw(records: Sequence[Record], title: str) -> Figure:
    """Mean response times at both rates."""
    figure, row = drawing.panels([f"{rate} jobs/s" for rate in RATES])
    groups = [select(records, rate=rate) for rate in RATES]
    bars = {
        "authors_s": "the authors' queue",
        "jffc_s": "JFFC, the same 300 jobs",
        "steady_s": "JFFC, steady state, exact",
    }
    for axes, group in zip(row, groups, strict=True):
        names = list(group[0]["rows"])
        for i, (field, label) in enumerate(bars.items()):
            points = [interval(r["rows"][name][field] for r in group) for name in names]
            places = np.arange(len(names)) + 0.25 * (i - 1)
            axes.bar(places, [p.mean for p in points], 0.25, yerr=[p.half_width for p in points], label=label)
        axes.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names], fontsize="x-small")
        axes.set_ylabel("mean response time, s")
        axes.legend(frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure


def report(records: Sequence[Record]) -> list[str]:
    lines = [
        "| λ, 1/s | method | the authors' queue, s | JFFC, the same 300 jobs, s | JFFC, steady state, s | job servers "
        "| load % |",
        "|--:|---|--:|--:|--:|--:|--:|",
    ]
    for rate in RATES:
        group = select(records, rate=rate)
        for name in group[0]["rows"]:
            rows = [r["rows"][name] for r in group]
            stable = [row["steady_s"] for row in rows if row["steady_s"] is not None]
            steady = (
                f"{len(rows) - len(stable)} of {len(rows)} unstable"
                if len(stable) < len(rows)
                else shown(interval(stable))
            )
            figures = [shown(interval(row[field] for row in rows)) for field in ("authors_s", "jffc_s")]
            size = [
                shown(interval(row["job_servers"] for row in rows)),
                shown(interval(100 * row["load"] for row in rows)),
            ]
            lines.append(f"| {rate} | {name} | {' | '.join([*figures, steady, *size])} |")
    every = ", ".join(str(r["c"]) for r in select(records, rate=RATES[0]))
    return [*lines, "", f"c by the authors' score at {RATES[0]} jobs/s, each run: {every}."]


def findings(records: Sequence[Record]) -> list[Finding]:
    every = []
    for rate in RATES:
        rows = [r["rows"] for r in select(records, rate=rate)]
        gain = interval(100 * (1 - row[BY_SCORE]["authors_s"] / row["JFFC only"]["authors_s"]) for row in rows)
        unstable = sum(row["JFFC only"]["steady_s"] is None for row in rows)
        measured = f"{rate} jobs/s: {gain.mean:.1f} ± {gain.half_width:.1f} % by the authors' score and queue"
        if unstable:
            measured += (
                f"; JFFC only is overloaded in {unstable} of {len(rows)} draws: its mean grows with the jobs sent"
            )
        every.append(Finding("proposed is faster than JFFC only", above(gain, 0), measured))
    return every
