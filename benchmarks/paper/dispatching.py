"""Figure 3: mean response time of JFFC and of other dispatch policies against load.

Chains are those of GCA on GBP-CR, all servers: c = 7 as the paper states, c = 2 as the authors' simulator has it.

Every record holds two measurements on the same chains at the same arrival rate. ``long``: 50,000 jobs, the same for
all policies, with the exact mean of JFFC as a control variate, beside that exact mean, Theorem 4, and the proven bound
over all placements and policies. ``short``: what the authors' simulator does. It stops at 500/ν (twice that from load
0.7 on, three times at 0.9), leaves out the arrivals of the first tenth, and drops the jobs that have not ended, which
are the long ones. Its curves of "Theorem 4" are 1/(ν - λ) and C (1 + cv)/(ν - λ), cv the dispersion of the chains'
rates.

The authors rebuild the chains for every run, but keep λ = ρ ν of one other draw, so that the true load differs from
run to run; so do we in their setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.paper import drawing
from benchmarks.paper.finding import Finding
from benchmarks.paper.records import Cell, Log, Record, Tell, gather, interval, select, shown
from benchmarks.paper.settings import RESERVATION, at_rate, bloom
from chainopt.allocation import gca
from chainopt.dispatch import thresholds
from chainopt.dispatch.comparison import compare
from chainopt.dispatch.operation import Operation
from chainopt.exact import bound
from chainopt.model import Composition
from chainopt.placement import gbp_cr
from chainopt.queueing import response_bounds, response_time
from chainopt.simulation import Records, simulate
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.sizes import Exponential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "figure-3", "Figure 3: dispatch policies against load"
LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
POLICIES = ("jffc", "jsq", "jiq", "sed", "sa-jsq")
OURS = "thresholds"
RESERVATIONS = {"paper": RESERVATION, "authors": 2}
JOBS = 50_000
REFERENCE = 42
TOLD_APART = 0.1
"""Per cent by which policies must differ to be said to."""


def cells(setting: str, runs: int) -> list[Cell]:
    return [{"setting": setting, "load": load, "run": run} for load in LOADS for run in range(1, runs + 1)]


def measure(cell: Cell) -> Record:
    setting, load = cell["setting"], cell["load"]
    instance = bloom(setting, cell["run"])
    composition = gca(instance, gbp_cr(instance, RESERVATIONS[setting]))
    total = composition.total_service_rate
    reference = total
    if setting == "authors":
        other = bloom(setting, REFERENCE)
        reference = gca(other, gbp_cr(other, RESERVATIONS[setting])).total_service_rate
    arrival_rate = load * reference
    record: Record = {"true_load": arrival_rate / total, "job_servers": composition.job_servers}
    record["short"] = short_run(composition, arrival_rate, horizon_s(load) / reference, cell["run"])
    record["plotted"] = plotted_bounds(composition.service_rates, composition.capacities, arrival_rate)
    if arrival_rate >= total:
        return {**record, "exact": None, "theorem": None, "bound": None, "long": None}
    record["exact"] = response_time(composition, arrival_rate).mean_response_time_s
    record["theorem"] = list(response_bounds(composition, arrival_rate))
    record["bound"] = bound(at_rate(instance, arrival_rate))
    operation = Operation(instance, composition, pace_by_size(instance))
    needed = thresholds(composition.service_rates, composition.capacities, arrival_rate)
    runs = {policy: operation.run(policy, JOBS, needed if policy == OURS else None) for policy in (*POLICIES, OURS)}
    traffic = Traffic(Poisson(arrival_rate), Exponential(), JOBS, seed=cell["run"])
    outcomes = compare(runs, traffic, record["exact"])
    record["long"] = {o.policy: [o.mean.mean, _number(o.mean.half_width)] for o in outcomes}
    return record


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def horizon_s(load: float) -> float:
    """How long the authors simulate, in units of 1/ν."""
    return 1500.0 if load >= 0.9 else 1000.0 if load >= 0.7 else 500.0


def plotted_bounds(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> list[float] | None:
    """What the authors plot as the bounds of Theorem 4, which it is not; None where λ >= ν.

    E[jobs] = ρ/(1-ρ), the number in an M/M/1 queue as fast as all chains together, and C ρ/(1-ρ) (1 + cv).
    """
    rates, capacities = np.asarray(rates, dtype=np.float64), np.asarray(capacities, dtype=np.float64)
    slack = float(np.sum(rates * capacities)) - arrival_rate
    if slack <= 0:
        return None
    dispersion = float(np.std(rates, ddof=1) / np.mean(rates)) if rates.size > 1 else 0.0
    return [1 / slack, float(np.sum(capacities)) * (1 + dispersion) / slack]


def short_run(
    composition: Composition, arrival_rate: float, until_s: float, seed: int
) -> dict[str, list[float | None]]:
    """For each policy, the mean response time of the jobs that the authors count, and of all after the warm-up."""
    arrivals, sizes = short_traffic(arrival_rate, until_s, seed)
    means: dict[str, list[float | None]] = {}
    for policy in POLICIES:
        records = simulate(
            composition.service_rates, composition.capacities, policy, arrivals=arrivals, sizes=sizes, seed=seed
        )
        means[policy] = counted_means(records, until_s)
    return means


def short_mean_s(composition: Composition, arrival_rate: float, until_s: float, seed: int) -> float | None:
    """Mean response time of JFFC as the authors count it; None where no job counts."""
    arrivals, sizes = short_traffic(arrival_rate, until_s, seed)
    records = simulate(composition.service_rates, composition.capacities, arrivals=arrivals, sizes=sizes)
    return counted_means(records, until_s)[0]


def short_traffic(arrival_rate: float, until_s: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Poisson arrivals up to a moment, and exponential sizes."""
    when, what = (np.random.default_rng(child) for child in np.random.SeedSequence([seed, 3]).spawn(2))
    count = int(arrival_rate * until_s + 10 * np.sqrt(arrival_rate * until_s) + 10)
    arrivals = np.cumsum(when.exponential(1 / arrival_rate, count))
    arrivals = arrivals[arrivals <= until_s]
    return arrivals, what.exponential(1.0, arrivals.size)


def counted_means(records: Records, until_s: float) -> list[float | None]:
    """Mean response time of the jobs that came after a tenth of the time and ended in it, and of all of the former."""
    after = records.arrival >= 0.1 * until_s
    return [_mean(records.response[after & (records.departure <= until_s)]), _mean(records.response[after])]


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(np.mean(values)) if values.size else None


def run(setting: str, runs: int, workers: int, log: Log | None = None, tell: Tell | None = None) -> list[Record]:
    """All records of a setting."""
    return gather(NAME, cells(setting, runs), measure, workers, log, tell)


def draw(records: Sequence[Record], setting: str) -> Figure:
    """Left the figure as it is drawn there, right the same chains measured long enough, with the true bounds."""
    figure, (short, long) = drawing.panels(
        ["as the authors measure and draw it", "exact, true bounds, 50,000 jobs a point"]
    )
    groups = [select(records, setting=setting, load=load) for load in LOADS]
    for number, policy in enumerate((*POLICIES, OURS)):
        mark = drawing.MARKERS[number]
        if policy != OURS:
            points = [interval(r["short"][policy][0] for r in group) for group in groups]
            short.errorbar(
                LOADS, [p.mean for p in points], [p.half_width for p in points], fmt=mark + "-", capsize=2, label=policy
            )
        points = [interval(r["long"] and r["long"][policy][0] for r in group) for group in groups]
        long.plot(LOADS, [p.mean for p in points], mark, fillstyle="none", label=policy)
    for place in (0, 1):
        plotted = [interval(r["plotted"] and r["plotted"][place] for r in group).mean for group in groups]
        theorem = [interval(r["theorem"] and r["theorem"][place] for r in group).mean for group in groups]
        short.plot(
            LOADS, plotted, "--:"[2 * place :][:2], color="0.4", label=("lower", "upper")[place] + ' "bound" as drawn'
        )
        long.plot(
            LOADS, theorem, "--:"[2 * place :][:2], color="0.4", label=("lower", "upper")[place] + " bound, Theorem 4"
        )
    long.plot(LOADS, [interval(r["exact"] for r in group).mean for group in groups], color="black", label="JFFC, exact")
    long.plot(
        LOADS,
        [interval(r["bound"] for r in group).mean for group in groups],
        "-.",
        color="tab:red",
        label="proven, all placements and policies",
    )
    for axes in (short, long):
        axes.set(xlabel="load ρ = λ/ν", ylabel="mean response time, s", yscale="log")
        axes.legend(frameon=False, fontsize="x-small")
    figure.suptitle(f"{TITLE}, {drawing.LABELS[setting]}, c = {RESERVATIONS[setting]}")
    return figure


def gain_of(records: Sequence[Record], policy: str) -> str:
    """By how many per cent a policy is above JFFC's exact value, and its half width over runs."""
    gain = interval(100 * (r["long"][policy][0] / r["exact"] - 1) for r in records)
    return f"{gain.mean:+.1f} ± {gain.half_width:.1f} %"


def report(records: Sequence[Record], setting: str) -> list[str]:
    lines = [
        "| load | true load | exact | Theorem 4 | drawn as bounds | proven, all | "
        + " | ".join((*POLICIES[1:], OURS))
        + " | JFFC, short | of all its jobs |",
        "|--:|--:|--:|--:|--:|--:|" + "--:|" * (len(POLICIES) + 2),
    ]
    for load in LOADS:
        group = select(records, setting=setting, load=load)
        stable = [r for r in group if r["long"]]
        loads = [r["true_load"] for r in group]
        pairs = [
            " – ".join(f"{interval(r[name][i] for r in stable).mean:.3g}" for i in (0, 1))
            for name in ("theorem", "plotted")
        ]
        ratios = [gain_of(stable, p) for p in (*POLICIES[1:], OURS)]
        short = [shown(interval(r["short"]["jffc"][i] for r in group)) for i in (0, 1)]
        note = "" if len(stable) == len(group) else f" ({len(group) - len(stable)} unstable)"
        exact, proven = (interval(r[name] for r in stable) for name in ("exact", "bound"))
        columns = [shown(exact), *pairs, f"{proven.mean:.3g}", *ratios, *short]
        lines.append(f"| {load} | {min(loads):.2f}–{max(loads):.2f}{note} | {' | '.join(columns)} |")
    return lines


def findings(records: Sequence[Record], setting: str) -> list[Finding]:
    """JFFC against the other policies, Theorem 4, and what is drawn as its bounds."""
    stable = [r for r in records if r["long"]]
    best, ties, beaten = 0, 0, []
    for load in LOADS:
        group = select(stable, setting=setting, load=load)
        for policy in POLICIES[1:]:
            gain = interval(100 * (r["long"][policy][0] / r["exact"] - 1) for r in group)
            if gain.mean - gain.half_width > TOLD_APART:
                best += 1
            elif gain.mean + gain.half_width < -TOLD_APART:
                beaten.append(f"{policy} at {load} by {-gain.mean:.1f} %")
            else:
                ties += 1
    inside = sum(
        r["theorem"][0] <= r["exact"] * (1 + 1e-9) and r["exact"] <= r["theorem"][1] * (1 + 1e-9) for r in stable
    )
    drawn = interval(r["exact"] / r["plotted"][0] for r in stable)
    above = interval(r["plotted"][1] / r["exact"] for r in stable)
    high = select(stable, setting=setting, load=LOADS[-1])
    bias = interval(100 * (r["short"]["jffc"][0] / r["exact"] - 1) for r in high)
    gap = interval(100 * (r["exact"] / r["bound"] - 1) for r in stable if r["cell"]["load"] == 0.7)
    return [
        Finding(
            "JFFC has the least mean response time",
            not beaten,
            f"of {best + ties + len(beaten)} comparisons better in {best}, not to be told apart in {ties}"
            + (f", worse than {'; '.join(beaten)}" if beaten else ""),
        ),
        Finding(
            "JFFC lies between the bounds of Theorem 4",
            inside == len(stable),
            f"{inside} of {len(stable)} exact values do",
        ),
        Finding(
            "the curves drawn as bounds are those of Theorem 4",
            False,
            f"they are 1/(ν - λ) and C (1 + cv)/(ν - λ): the exact value is {drawn.mean:.1f} times the lower one and "
            f"the upper one {above.mean:.1f} times the exact value, in the mean over loads",
        ),
        Finding(
            "the simulation is in steady state",
            None,
            f"at load 0.9, JFFC as counted there is off the exact value by {bias.mean:+.0f} ± {bias.half_width:.0f} %",
        ),
        Finding(
            "the composition leaves little to gain",
            None,
            f"at load 0.7 the exact value is {gap.mean:.0f} % above the bound proven for all placements and policies",
        ),
    ]
