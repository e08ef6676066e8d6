"""Table 1: LLaMA-2-7B on nine MIG slices, 1,000 requests of the Azure trace.

As the paper states: 3 slices 3g.40gb and 6 slices 2g.20gb of A100 cards at RIPE Atlas anchors, 1,000 requests at 2.57
a second, c = 35. A run is a draw of the anchors and the next 1,000 requests of the trace, stretched to that rate.
Sizes and speeds are the catalogue's in fp16 (``catalogue``); as these make service times shorter than the paper's, all
servers are then slowed down by one factor, until the mean service time of the proposed method with c = 35 is the
paper's 6.7 s (``slowed``). The size of a request is what its tokens take on the fastest chain, over what the mean
request (2,048 in, 28 out) takes there. What the paper measured in real software, such as its overheads, is not in this
model.

For what the authors' simulator has, see `testbed_authors`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper import drawing, testbed_authors
from benchmarks.paper.finding import Finding, above
from benchmarks.paper.records import Cell, Log, Record, Tell, gather, interval, select, shown
from benchmarks.paper.settings import at_rate
from benchmarks.paper.testbed_authors import poisson_s
from chainopt import compose
from chainopt.allocation import gca
from chainopt.baselines import SYSTEMS
from chainopt.generate import FAMILIES
from chainopt.model import Composition, Instance
from chainopt.placement import gbp_cr, whole_model
from chainopt.quantity import rounded
from chainopt.simulation import Records, simulate
from chainopt.simulation.intervals import Estimate
from chainopt.simulation.records import joined
from chainopt.simulation.tokens import token_pace
from chainopt.simulation.traces import Trace, azure_code_trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "table-1", "Table 1: LLaMA-2-7B and the Azure trace"
RATE, REQUESTS, RESERVATION = 2.57, 1000, 35
TOKENS_IN, TOKENS_OUT = 2048, 28
SERVICE_S = 6.7
SPEEDS = ("catalogue", "slowed")
ITERATIONS = 5000

STATISTICS: dict[str, tuple[str, Callable[[NDArray[np.float64]], float]]] = {
    f"{time} {name}": (time, function)
    for time, names in (
        ("response", ("mean", "median", "p95", "p99")),
        ("waiting", ("mean", "median", "p95", "max")),
        ("service", ("mean", "median", "p95", "min", "max")),
    )
    for name, function in (
        ("mean", np.mean),
        ("median", np.median),
        ("p95", functools.partial(np.quantile, q=0.95)),
        ("p99", functools.partial(np.quantile, q=0.99)),
        ("min", np.min),
        ("max", np.max),
    )
    if name in names
}
PAPER = {
    "PETALS": (31.4, 27.8, 68.5, 89.3, 24.2, 20.5, 61.3, 142.6, 7.2, 5.8, 18.9, 0.8, 52.3),
    "BPRR": (19.8, 16.9, 44.2, 61.7, 12.6, 9.7, 37.1, 98.4, 7.2, 5.9, 18.7, 0.9, 51.8),
    "JFFC only": (10.0, 8.5, 22.1, 29.6, 1.5, 0.1, 7.8, 25.1, 8.5, 7.2, 20.3, 1.1, 55.8),
    "proposed": (7.3, 6.5, 15.2, 21.4, 0.6, 0.1, 4.8, 24.3, 6.7, 5.7, 18.2, 0.8, 49.1),
}
"""The paper's table, in the order of the statistics, s."""
OF_PAPER = {
    "petals-faithful": "PETALS",
    "petals-tuned": "PETALS",
    "bprr-faithful": "BPRR",
    "bprr-tuned": "BPRR",
    "JFFC only": "JFFC only",
    "proposed, c = 35": "proposed",
    "proposed, c by the lower bound": "proposed",
    "our search": "proposed",
}


def requests_of(run: int) -> Trace:
    """The 1,000 requests of a run, one stretch of the trace after another, at the paper's rate."""
    trace = azure_code_trace()
    begin = (run - 1) % (trace.requests // REQUESTS) * REQUESTS
    part = slice(begin, begin + REQUESTS)
    arrival_s = trace.arrival_s[part] - trace.arrival_s[begin]
    return Trace(arrival_s, trace.tokens_in[part], trace.tokens_out[part], trace.source, trace.format).scaled(RATE)


def sizes_of(instance: Instance, composition: Composition, trace: Trace) -> NDArray[np.float64]:
    """Work of each request: what it takes on the fastest chain, over what the mean request takes there."""
    pace = token_pace(instance, TOKENS_IN, TOKENS_OUT).along(composition)[int(np.argmax(composition.service_rates))]
    steps = np.maximum(trace.tokens_out, 1) - 1
    taken = np.stack([np.ones(steps.size), trace.tokens_in, steps], axis=1) @ pace
    return np.asarray(taken / float(np.dot((1.0, TOKENS_IN, TOKENS_OUT - 1.0), pace)))


def slowed(instance: Instance, factor: float) -> Instance:
    """All servers slower by a factor, to a nanosecond."""
    servers = [
        server.replace(
            comm_s=rounded(float(server.comm_s) * factor, 9),
            comp_s_per_block=rounded(float(server.comp_s_per_block) * factor, 9),
        )
        for server in instance.servers
    ]
    return instance.replace(servers=servers)


def jffc(composition: Composition, arrivals: NDArray[np.float64], sizes: NDArray[np.float64]) -> Records:
    return simulate(composition.service_rates, composition.capacities, arrivals=arrivals, sizes=sizes)


def slowdown(composition: Composition, arrivals: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """How much slower servers must be for the mean service time to be the paper's, by bisection.

    Servers that are f times slower are the same servers with arrivals f times as fast, in other units of time.
    """
    low, high = 1.0, 64.0
    for _ in range(30):
        middle = (low * high) ** 0.5
        mean_s = middle * float(np.mean(jffc(composition, arrivals / middle, sizes).service))
        low, high = (middle, high) if mean_s < SERVICE_S else (low, middle)
    return low


def cells(setting: str, runs: int) -> list[Cell]:
    kinds = (
        [("speed", speed) for speed in SPEEDS]
        if setting == "paper"
        else [("rate", rate) for rate in testbed_authors.RATES]
    )
    return [{"setting": setting, name: value, "run": run} for name, value in kinds for run in range(1, runs + 1)]


def measure(cell: Cell) -> Record:
    return testbed_authors.measure(cell) if cell["setting"] == "authors" else measure_paper(cell)


def measure_paper(cell: Cell) -> Record:
    """All methods on the same requests."""
    instance = at_rate(FAMILIES["llama"].instance(seed=cell["run"]), RATE)
    trace = requests_of(cell["run"])
    fixed = gca(instance, gbp_cr(instance, RESERVATION))
    sizes = sizes_of(instance, fixed, trace)
    factor = slowdown(fixed, trace.arrival_s, sizes) if cell["speed"] == "slowed" else 1.0
    if factor > 1:
        instance = slowed(instance, factor)
    tuned = compose(instance, "paper", criterion="lower", stop="rate")
    compositions = {
        "JFFC only": gca(instance, whole_model(instance)),
        "proposed, c = 35": gca(instance, gbp_cr(instance, RESERVATION)),
        "proposed, c by the lower bound": tuned.composition,
        "our search": compose(instance, iterations=ITERATIONS, seed=cell["run"]).composition,
    }
    rows = {}
    for name, composition in compositions.items():
        rows[name] = {
            **statistics(jffc(composition, trace.arrival_s, sizes)),
            "job_servers": composition.job_servers,
            "load": RATE / composition.total_service_rate,
            "poisson_s": poisson_s(composition, RATE),
        }
    for name, system in SYSTEMS.items():
        deployed = system.rule(instance, seed=cell["run"]).run(trace.requests)
        luck = np.random.default_rng(cell["run"]).random(trace.requests)
        served = [deployed.serve(trace.arrival_s, sizes[:, None], luck), deployed.drain()]
        rows[name] = statistics(joined(served))
    return {"factor": factor, "tuned_c": tuned.parameters["cache_reservation"], "rows": rows}


def statistics(records: Records) -> dict[str, Any]:
    """What Table 1 says of the times, s."""
    return {name: float(function(getattr(records, time))) for name, (time, function) in STATISTICS.items()}


def run(setting: str, runs: int, workers: int, log: Log | None = None, tell: Tell | None = None) -> list[Record]:
    """All records of a setting."""
    return gather(NAME, cells(setting, runs), measure, workers, log, tell)


def draw(records: Sequence[Record], setting: str) -> Figure:
    """Mean response times; under the paper's setting beside the paper's."""
    if setting == "authors":
        return testbed_authors.draw(records, f"{TITLE}, {drawing.LABELS[setting]}")
    figure, row = drawing.panels([f"speeds: {speed}" for speed in SPEEDS], width=6.5)
    for axes, speed in zip(row, SPEEDS, strict=True):
        group = select(records, setting=setting, speed=speed)
        names = [name for name in OF_PAPER if name in group[0]["rows"]]
        points = [interval(r["rows"][name]["response mean"] for r in group) for name in names]
        means, halves = ([getattr(p, field) for p in points] for field in ("mean", "half_width"))
        axes.errorbar(means, names, xerr=halves, fmt="o", color="black", capsize=2, label="simulated")
        axes.plot([PAPER[OF_PAPER[name]][0] for name in names], names, "x", color="tab:red", label="the paper's")
        axes.invert_yaxis()
        axes.set(xlabel="mean response time, s", xscale="log")
        axes.legend(frameon=False, fontsize="small")
    figure.suptitle(f"{TITLE}, {drawing.LABELS[setting]}")
    return figure


def report(records: Sequence[Record], setting: str) -> list[str]:
    return testbed_authors.report(records) if setting == "authors" else _report_paper(records)


def figure(statistic: str, estimate: Estimate) -> str:
    """A mean over runs; with its half width if it is one of means."""
    return shown(estimate) if statistic.endswith("mean") else f"{estimate.mean:.3g}"


def _report_paper(records: Sequence[Record]) -> list[str]:
    head = "| method | " + " | ".join(STATISTICS) + " | job servers | load % |"
    lines = []
    for speed in SPEEDS:
        group = select(records, setting="paper", speed=speed)
        factor = shown(interval(r["factor"] for r in group))
        tuned = ", ".join(str(r["tuned_c"]) for r in group)
        lines += ["", f"Speeds: {speed}, slower by {factor}; c by the lower bound, each run: {tuned}.", ""]
        lines += [head, "|---|" + "--:|" * (len(STATISTICS) + 2)]
        lines += [
            f"| *paper: {name}* | " + " | ".join(f"{v:g}" for v in values) + " | | |" for name, values in PAPER.items()
        ]
        for name in [name for name in OF_PAPER if name in group[0]["rows"]]:
            rows = [r["rows"][name] for r in group]
            figures = [figure(statistic, interval(row[statistic] for row in rows)) for statistic in STATISTICS]
            size = [shown(interval(row.get("job_servers") for row in rows))]
            size.append(shown(interval(None if "load" not in row else 100 * row["load"] for row in rows)))
            lines.append(f"| {name} | {' | '.join([*figures, *size])} |")
    return lines[1:]


def findings(records: Sequence[Record], setting: str) -> list[Finding]:
    """The paper's ratios between methods beside ours."""
    if setting == "authors":
        return testbed_authors.findings(records)
    every = []
    for speed in SPEEDS:
        group = select(records, setting=setting, speed=speed)

        def faster(name: str, other: str, group: Sequence[Record] = group) -> Estimate:
            return interval(
                100 * (1 - r["rows"][name]["response mean"] / r["rows"][other]["response mean"]) for r in group
            )

        own = "proposed, c = 35"
        for other in [name for name in OF_PAPER if OF_PAPER[name] != "proposed" and name in group[0]["rows"]]:
            stated = 100 * (1 - PAPER["proposed"][0] / PAPER[OF_PAPER[other]][0])
            found = faster(own, other)
            measured = f"{speed}: {own} is {found.mean:.0f} ± {found.half_width:.0f} % faster than {other}"
            near = not found.excludes(stated) and np.isfinite(found.half_width)
            holds = True if near else None if above(found, 0) is not False else False
            every.append(Finding(f"proposed is {stated:.0f} % faster than {OF_PAPER[other]}", holds, measured))
        tuned = [r["tuned_c"] for r in group]
        gain = faster("our search", "JFFC only")
        every += [
            Finding(
                "the lower bound chooses c = 35",
                RESERVATION in tuned,
                f"{speed}: it chooses {', '.join(map(str, sorted(set(tuned))))}",
            ),
            Finding(
                "splitting the model over slices pays",
                False if gain.mean < 1 else None,
                f"{speed}: our search is {gain.mean:.1f} ± {gain.half_width:.1f} % faster than JFFC only, which has "
                "the whole model on every slice",
            ),
        ]
    return every
