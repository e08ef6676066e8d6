"""How far JFFC and thresholds are from the optimal dispatch, what thresholds gain, and what they cost.

Run with ``python -m benchmarks.dispatch``; it writes ``benchmarks/results/dispatch.md``. Response times are exact, but
for larger systems, which are simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import ROOT, describe
from chainopt.dispatch import (
    light_traffic_thresholds,
    optimal_dispatch,
    pair_thresholds,
    threshold_response_time,
    thresholds,
)
from chainopt.dispatch.comparison import compare
from chainopt.dispatch.search import best_threshold
from chainopt.dispatch.two_sides import mean_jobs, steps
from chainopt.queueing import jffc
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic
from chainopt.simulation.intervals import Estimate
from chainopt.simulation.sizes import Exponential

LOADS = (0.3, 0.6, 0.8, 0.9, 0.95)
RATIOS = (2, 5, 10, 20)
SYSTEMS = 100
SEARCHES = 300
LARGER, JOBS = 200, 1_000_000

Rates = NDArray[np.float64]
Counts = NDArray[np.int64]
RULES: dict[str, Callable[[Rates, Counts, float], NDArray[np.int64]]] = {
    "JFFC": lambda rates, counts, _: np.ones(counts.size, dtype=np.int64),
    "light traffic": lambda rates, counts, _: light_traffic_thresholds(rates, counts),
    "pairs": pair_thresholds,
    "thresholds": thresholds,
}


def small_systems(count: int) -> list[tuple[Rates, Counts]]:
    """2 to 4 chains of up to 6 jobs, fastest to slowest U(2, 15), rates in between log-uniform."""
    draw = np.random.default_rng(1)
    systems = []
    for _ in range(count):
        chains = int(draw.integers(2, 5))
        ratio = draw.uniform(2, 15)
        between = np.exp(-draw.uniform(0, np.log(ratio), chains - 2))
        rates = np.sort(np.concatenate(([1.0, 1 / ratio], between)))[::-1]
        systems.append((rates, draw.integers(1, 7, chains)))
    return systems


def gaps() -> list[str]:
    systems = small_systems(SYSTEMS)
    lines = [
        f"Mean response time over the optimal policy's, in % above it: mean / 95 % of {SYSTEMS} systems / largest."
    ]
    lines += ["", f"| load | {' | '.join(RULES)} |", f"|--:|{'---|' * len(RULES)}"]
    for load in LOADS:
        rows = []
        for rates, counts in systems:
            arrival_rate = load * float(rates @ counts)
            best = optimal_dispatch(rates, counts, arrival_rate).mean_response_time_s
            rows.append(
                [
                    threshold_response_time(rates, counts, arrival_rate, rule(rates, counts, arrival_rate)) / best - 1
                    for rule in RULES.values()
                ]
            )
        table = 100 * np.array(rows)
        figures = zip(table.mean(axis=0), np.quantile(table, 0.95, axis=0), table.max(axis=0), strict=True)
        lines.append(f"| {load:g} | {' | '.join(f'{a:.3f} / {b:.3f} / {c:.2f}' for a, b, c in figures)} |")
    return lines


def structure() -> list[str]:
    """Whether the optimal policy prefers faster chains, and whether it is a rule of thresholds."""
    starts = odd = chains = varying = spread = 0
    for (rates, counts), load in product(small_systems(SYSTEMS), LOADS):
        table = optimal_dispatch(rates, counts, load * float(rates @ counts)).decisions
        busy = np.indices(table.shape)[1:]
        fastest_free = (busy < counts.reshape(-1, *(1 for _ in table.shape))).argmax(axis=0)
        starts += int(np.sum(table >= 0))
        odd += int(np.sum((table >= 0) & (table != fastest_free)))
        for k in range(1, rates.size):
            full = tuple(int(c) for c in counts[:k])
            begins = (table[(slice(None), *full, slice(0, counts[k]))] == k).argmax(axis=0)
            chains += 1
            varying += bool(np.ptp(begins) > 0)
            spread = max(spread, int(np.ptp(begins)))
    return [
        f"In the optimal policies of these {SYSTEMS} systems at all loads, {odd} of {starts} decisions to start a job",
        "take a chain other than the fastest free one. The number of waiting jobs from which on a chain starts one,",
        "with all faster chains full, depends on the jobs at that chain or slower ones for",
        f"{varying} of {chains} chains, by {spread} at most.",
    ]


def gains() -> list[str]:
    cases = list(product((2, 3, 4), (1, 2, 4, 6)))
    lines = [
        "JFFC's mean response time in % above that of the optimal policy, and of thresholds, mean (largest) over 2, 3",
        "and 4 chains of 1, 2, 4 and 6 jobs each, rates geometric from 1 to 1/h.",
        "",
        f"| h | {' | '.join(f'load {load:g}' for load in LOADS)} |",
        f"|--:|{'---|' * len(LOADS)}",
    ]
    for ratio in RATIOS:
        cells = []
        for load in LOADS:
            rows = []
            for chains, capacity in cases:
                rates, counts = np.geomspace(1, 1 / ratio, chains), np.full(chains, capacity)
                arrival_rate = load * float(rates @ counts)
                own = jffc(rates, counts, arrival_rate).mean_response_time_s
                best = optimal_dispatch(rates, counts, arrival_rate).mean_response_time_s
                found = threshold_response_time(rates, counts, arrival_rate, thresholds(rates, counts, arrival_rate))
                rows.append([own / best - 1, own / found - 1])
            mean, most = 100 * np.mean(rows, axis=0), 100 * np.max(rows, axis=0)
            cells.append(f"{mean[0]:.2f} ({most[0]:.1f}), {mean[1]:.2f} ({most[1]:.1f})")
        lines.append(f"| {ratio} | {' | '.join(cells)} |")
    return lines


def milliseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1000 * sorted(times)[2]


def costs() -> list[str]:
    lines = ["Milliseconds, median of five calls, rates geometric from 1 to 1/10.", ""]
    lines += ["| K | C | load | JFFC, exact | pairs | thresholds |", "|--:|--:|--:|--:|--:|--:|"]
    for (chains, servers), load in product(
        ((3, 12), (10, 30), (10, 100), (50, 200), (50, 1000), (20, 4000)), (0.5, 0.9)
    ):
        rates, counts = np.geomspace(1, 0.1, chains), np.full(chains, servers // chains)
        arrival_rate = load * float(rates @ counts)
        taken = [
            milliseconds(lambda rule=rule, a=arrival_rate, r=rates, c=counts: rule(r, c, a))
            for rule in (jffc, pair_thresholds, thresholds)
        ]
        lines.append(f"| {chains} | {servers} | {load:g} | {' | '.join(f'{ms:.2f}' for ms in taken)} |")
    lines += [
        "",
        "Optimal policy, seconds:",
        "",
        "| K | C | load | states | policies | s |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for (chains, capacity), load in product(((2, 6), (3, 6), (3, 16), (4, 6), (4, 8)), (0.5, 0.9)):
        rates, counts = np.geomspace(1, 0.1, chains), np.full(chains, capacity)
        begin = time.perf_counter()
        found = optimal_dispatch(rates, counts, load * float(rates @ counts))
        seconds = time.perf_counter() - begin
        lines.append(
            f"| {chains} | {chains * capacity} | {load:g} | {found.states} | {found.iterations} | {seconds:.2f} |"
        )
    return lines


def searches() -> list[str]:
    """Doubling and halving against every threshold up to the one without arrivals, and ten more."""
    draw = np.random.default_rng(2)
    loss, seconds = [], np.zeros(2)
    for _ in range(SEARCHES):
        fast = np.sort(draw.uniform(1, 3, draw.integers(1, 30)))[::-1]
        slow = np.full(draw.integers(1, 8), draw.uniform(0.05, 1))
        arrival_rate = draw.choice(LOADS) * float(fast.sum() + slow.sum())
        most = max(1, int(np.ceil((fast / slow[0] - 1).sum())))
        begin = time.perf_counter()
        found, _ = best_threshold(arrival_rate, fast.size, steps(fast), slow, np.zeros(0, np.int64), 1, most)
        seconds[0] += time.perf_counter() - begin
        begin = time.perf_counter()
        means = [mean_jobs(fast, slow, np.full(slow.size, t), arrival_rate) for t in range(1, most + 11)]
        seconds[1] += time.perf_counter() - begin
        loss.append(means[found - 1] / min(means) - 1)
    return [
        f"In {SEARCHES} random models with two sides the threshold found by doubling and halving is at most",
        f"{max(0.0, *loss):.0e} worse than the best of all up to ten above the one without arrivals. It took",
        f"{seconds[0]:.2f} s, trying all {seconds[1]:.1f} s.",
    ]


def larger_systems() -> list[str]:
    """Systems too large for the optimal policy, by simulation with JFFC as control variate."""
    draw = np.random.default_rng(7)
    groups: dict[str, list[Estimate]] = {}
    for number in range(LARGER):
        chains = int(draw.integers(5, 51))
        ratio = draw.uniform(2, 15)
        rates = np.sort(np.exp(-draw.uniform(0, np.log(ratio), chains)))[::-1].copy()
        counts = draw.integers(1, 11, chains)
        load = draw.uniform(0.3, 0.95)
        arrival_rate = load * float(np.sum(rates * counts))
        exact_s = jffc(rates, counts, arrival_rate).mean_response_time_s
        found = thresholds(rates, counts, arrival_rate)
        runs = {
            policy: run_of(policy, rates, counts, 1 / rates[:, None], JOBS, found) for policy in ("jffc", "thresholds")
        }
        traffic = Traffic(Poisson(arrival_rate), Exponential(), JOBS, number)
        mean = compare(runs, traffic, exact_s, confidence=0.99)[-1].mean
        relative = Estimate(100 * (1 - mean.mean / exact_s), 100 * mean.half_width / exact_s)
        groups.setdefault(f"{np.floor(load * 5) / 5:.1f} to {np.floor(load * 5) / 5 + 0.2:.1f}", []).append(relative)
    lines = [
        f"{LARGER} systems of 5 to 50 chains of up to 10 jobs, rates log-uniform, ratio U(2, 15), {JOBS:,} jobs each.",
        "Gain over JFFC in %; surely is beyond the half width of a 99 % interval.",
        "",
        "| load | systems | mean gain % | least | largest | surely worse | surely better | half width, mean |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found in sorted(groups.items()):
        gains = np.array([each.mean for each in found])
        halves = np.array([each.half_width for each in found])
        lines.append(
            f"| {name} | {gains.size} | {gains.mean():.2f} | {gains.min():.2f} | {gains.max():.2f} "
            f"| {np.sum(gains < -halves)} | {np.sum(gains > halves)} | {halves.mean():.2f} |"
        )
    return lines


def main() -> None:
    """Measure and write the page."""
    for rule in RULES.values():
        rule(np.array([1.0, 0.1]), np.array([2, 2]), 1.0)  # compiles
    lines = ["# Dispatch", "", "Made by `python -m benchmarks.dispatch`.", "", *describe()]
    for title, part in (
        ("Distance to the optimum", gaps),
        ("Structure of the optimum", structure),
        ("Gain over JFFC", gains),
        ("Cost", costs),
        ("Search", searches),
        ("Larger systems", larger_systems),
    ):
        found = part()
        if found:
            lines += ["", f"## {title}", "", *found]
    (ROOT / "benchmarks" / "results" / "dispatch.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
