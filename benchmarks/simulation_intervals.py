"""How far the simulator's intervals can be trusted, and how much common random numbers gain; see ``simulation.py``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainopt.dispatch import thresholds
from chainopt.dispatch.comparison import compare, doubts, exact_mean_s
from chainopt.queueing import jffc
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.policies import POLICIES
from chainopt.simulation.sizes import Exponential

RATES = np.geomspace(1, 0.2, 10)
CAPACITIES = np.full(10, 3)
TOTAL = float(RATES @ CAPACITIES)
PACE = 1 / RATES[:, None]
REPETITIONS = 200
LENGTHS = {0.7: (1_000, 50_000), 0.9: (10_000, 300_000), 0.97: (60_000, 3_000_000)}
VARIANCE_REPETITIONS = 100
VARIANCE_JOBS = 50_000
SYSTEM = "10 chains of capacity 3, rates geometric from 1 down to 1/5"


def coverage() -> list[str]:
    lines = [
        f"{SYSTEM}, JFFC. {REPETITIONS} runs for each row, 10 % warm-up, 20 batches, nominally 95 % intervals of the "
        "mean response time. A run is marked if `chainopt simulate` would warn: its batches last less than "
        "100/(ν(1-ρ)²), which is so for all runs of a row or for none, or their means look correlated. The standard "
        f"error of a coverage of 95 % over {REPETITIONS} runs is 1.5 %.",
        "",
        "| load | jobs | batch, in 1/(ν(1-ρ)²) | half width % | bias % | coverage % | too short | correlated "
        "| not marked | coverage of these % | marked | coverage of these % |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    pooled = np.zeros((2, 2), dtype=int)  # marked or not; runs and those covered
    for load, lengths in LENGTHS.items():
        rate = load * TOTAL
        exact = jffc(RATES, CAPACITIES, rate).mean_response_time_s
        for jobs in lengths:
            rows = []
            for seed in range(REPETITIONS):
                traffic = Traffic(Poisson(rate), Exponential(), jobs, 10_000 + seed)
                summary = observe(run_of("jffc", RATES, CAPACITIES, PACE, jobs), traffic)
                found = summary.response.interval()
                reasons = " ".join(doubts(summary, traffic, TOTAL))
                errors = found.mean / exact - 1, found.half_width / exact, not found.excludes(exact)
                rows.append((*errors, "batches last" in reasons, "depend" in reasons, summary.duration_s / 20))
            error, width, covered, short, correlated, lasts = (np.array(column) for column in zip(*rows, strict=True))
            marked = short | correlated
            for mark in (0, 1):
                pooled[mark] += [int(np.sum(marked == mark)), int(np.sum(covered[marked == mark]))]
            lines.append(
                f"| {load} | {jobs:,} | {np.mean(lasts) * TOTAL * (1 - load) ** 2:.0f} | {100 * np.mean(width):.2f} "
                f"| {100 * np.mean(error):+.2f} | {100 * np.mean(covered):.1f} | {np.sum(short)} "
                f"| {np.sum(correlated)} "
                f"| {np.sum(~marked)} | {percent(covered[~marked])} | {np.sum(marked)} | {percent(covered[marked])} |"
            )
    for mark, name in enumerate(("not marked", "marked")):
        runs, covered_runs = pooled[mark]
        share = f"{100 * covered_runs / max(runs, 1):.1f} %"
        lines += ["", f"All runs that are {name}: {covered_runs} of {runs} intervals contain the exact value, {share}."]
    return lines


def percent(covered: NDArray[np.bool_]) -> str:
    return f"{100 * np.mean(covered):.1f}" if covered.size else "-"


def variance_reduction() -> list[str]:
    lines = [
        f"{SYSTEM} (K = 10, C = 30), Poisson arrivals, exponential sizes; {VARIANCE_REPETITIONS} runs of "
        f"{VARIANCE_JOBS:,} jobs for each load. *Control* is the variance of a policy's mean response time over the "
        "runs, divided by that with JFFC's as control variate, as `compare` reports it. *Common* is the variance of "
        "the difference to JFFC on independent jobs, divided by that on the same jobs. *Interval* is how much narrower "
        "the reported interval is with the control variate, squared. Ratios of variances over "
        f"{VARIANCE_REPETITIONS} runs are good to some 20 to 40 %.",
        "",
        "| load | policy | mean s | control | common | interval |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    for load in (0.5, 0.7, 0.9):
        rate = load * TOTAL
        needed = thresholds(RATES, CAPACITIES, rate)
        found: dict[str, list[tuple[float, ...]]] = {policy: [] for policy in POLICIES}
        for seed in range(VARIANCE_REPETITIONS):
            traffic = Traffic(Poisson(rate), Exponential(), VARIANCE_JOBS, 1000 + seed)
            runs = {
                policy: run_of(
                    policy, RATES, CAPACITIES, PACE, VARIANCE_JOBS, needed if policy == "thresholds" else None
                )
                for policy in POLICIES
            }
            exact_s = exact_mean_s(RATES, CAPACITIES, traffic)
            outcomes = {o.policy: o for o in compare(runs, traffic, exact_s)}
            control = outcomes["jffc"].summary.response.mean
            for policy, outcome in outcomes.items():
                plain = outcome.summary.response
                found[policy].append(
                    (plain.mean, outcome.mean.mean, control, plain.interval().half_width, outcome.mean.half_width)
                )
        for policy, rows in found.items():
            if policy == "jffc":
                continue
            plain_s, controlled_s, jffc_s, wide, narrow = np.array(rows).T
            difference = float(np.var(plain_s - jffc_s))
            label = f"{policy} {tuple(needed.tolist())}" if policy == "thresholds" else policy
            lines.append(
                f"| {load} | {label} | {np.mean(controlled_s):.4f} | {ratio(np.var(plain_s), np.var(controlled_s))} "
                f"| {ratio(np.var(plain_s) + np.var(jffc_s), difference)} "
                f"| {ratio(np.mean(wide) ** 2, np.mean(narrow) ** 2)} |"
            )
    return lines


def ratio(before: float, after: float) -> str:
    return f"{before / after:.3g}" if after > 1e-20 else "same"
