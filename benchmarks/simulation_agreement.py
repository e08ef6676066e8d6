"""Simulated means, quantiles and shares beside exact ones; see ``simulation.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from chainopt.dispatch.comparison import RELAXATIONS, doubts
from chainopt.queueing import jffc
from chainopt.simulation.arrivals import Arrivals, Deterministic, Hyperexponential, MarkovModulated, Poisson
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.intervals import of_batches
from chainopt.simulation.records import Records
from chainopt.simulation.sizes import Constant, Exponential, Lognormal, Sizes
from chainopt.simulation.summary import Summary
from tests.oracles.queues import waiting_in_mmc

Floats = NDArray[np.float64]
CASES = 100
LEVEL = 0.99
BATCHES = 20
WARM_UP = 0.1
LEAST_JOBS = 400_000
SEEDS = 10
QUEUE_JOBS = 1_000_000
RARE = 10  # jobs that a batch should send to a chain if its share is to be compared


@dataclass(frozen=True)
class System:
    """Chains and a load."""

    rates: Floats
    capacities: NDArray[np.int64]
    load: float

    @property
    def total_rate(self) -> float:
        """ν."""
        return float(self.rates @ self.capacities)

    @property
    def arrival_rate(self) -> float:
        """λ."""
        return self.load * self.total_rate


class Shares:
    """Of the jobs that count in each batch, those that waited, and those of each chain."""

    def __init__(self, jobs: int, chains: int) -> None:
        self._waited, self._chain = np.empty(jobs, np.bool_), np.empty(jobs, np.int16)
        self._seen, self._chains = 0, chains

    def __call__(self, records: Records) -> None:
        """Take the records of a stretch."""
        here = slice(self._seen, self._seen + records.arrival.size)
        self._waited[here], self._chain[here] = records.start > records.arrival, records.chain
        self._seen = here.stop

    def batches(self) -> tuple[Floats, Floats]:
        """Shape (b,) and (b, K)."""
        first = int(WARM_UP * self._seen)
        waited = [float(np.mean(part)) for part in np.array_split(self._waited[first:], BATCHES)]
        chain = [
            np.bincount(part, minlength=self._chains) / part.size
            for part in np.array_split(self._chain[first:], BATCHES)
        ]
        return np.array(waited), np.array(chain)


def random_system(seed: int) -> System:
    draw = np.random.default_rng(seed)
    chains = int(draw.integers(1, 31))
    spread = 10 ** draw.uniform(0, 1)
    rates = spread ** -draw.random(chains)
    return System(rates, draw.integers(1, 11, chains), draw.uniform(0.2, 0.95))


def jobs_for(load: float, burstiness: float = 1.0, least: int = LEAST_JOBS) -> int:
    """As many as `doubts` asks for, with a tenth to spare."""
    rule = RELAXATIONS * burstiness * load / (1 - load) ** 2 * BATCHES / (1 - WARM_UP)
    return max(least, math.ceil(1.1 * rule))


def random_systems() -> list[str]:
    inside = dict.fromkeys(("mean response time", "waiting probability", "95 % quantile"), 0)
    compared = {**dict.fromkeys(inside, CASES), "shares of chains": 0}
    inside["shares of chains"] = 0
    misses, doubtful, jobs, widths, errors = [], 0, 0, [], []
    for seed in range(CASES):
        system = random_system(seed)
        count = jobs_for(system.load)
        traffic = Traffic(Poisson(system.arrival_rate), Exponential(), count, seed)
        shares = Shares(count, system.rates.size)
        run = run_of("jffc", system.rates, system.capacities, 1 / system.rates[:, None], count)
        summary = observe(run, traffic, warm_up=WARM_UP, batches=BATCHES, each=shares)
        exact = jffc(system.rates, system.capacities, system.arrival_rate)
        waited, chain = shares.batches()
        jobs += count
        doubtful += bool(doubts(summary, traffic, system.total_rate))
        mean = summary.response.interval(LEVEL)
        widths.append(mean.half_width / mean.mean)
        errors.append(mean.mean / exact.mean_response_time_s - 1)
        found = {
            "mean response time": (mean, exact.mean_response_time_s),
            "waiting probability": (of_batches(waited, LEVEL), exact.waiting_probability),
            "95 % quantile": (summary.response.quantile_interval(0.95, LEVEL), exact.p95_response_time_s),
        }
        if exact.waiting_probability * count * (1 - WARM_UP) / BATCHES < RARE:
            compared["waiting probability"] -= 1
            del found["waiting probability"]
        for what, (estimate, value) in found.items():
            if estimate.excludes(value):
                off = (estimate.mean - value) / estimate.half_width
                misses.append(
                    f"| {what} | {seed} | {system.rates.size} | {int(system.capacities.sum())} | {system.load:.3f} "
                    f"| {value:.6g} | {estimate.mean:.6g} | {estimate.half_width:.2g} | {off:+.2f} |"
                )
            else:
                inside[what] += 1
        for k in np.flatnonzero(exact.shares * count * (1 - WARM_UP) / BATCHES >= RARE):
            compared["shares of chains"] += 1
            inside["shares of chains"] += not of_batches(chain[:, k], LEVEL).excludes(float(exact.shares[k]))
    return [
        f"{CASES} systems, seeds 0 to {CASES - 1}: 1 to 30 chains of capacities 1 to 10, rates that differ by a factor "
        f"of up to 10, loads U(0.2, 0.95). Each has {LEAST_JOBS:,} jobs or as many as the rule for reliable intervals "
        f"asks for, {jobs:,} in all; {100 * WARM_UP:.0f} % are warm-up, the others make {BATCHES} batches. "
        f"{doubtful} of the runs are marked as doubtful all the same, as their batches look correlated (at 1 %).",
        "",
        "How many 99 % intervals contain the exact value; where a batch has fewer than "
        f"{RARE} expected jobs that wait, or that a chain serves, no interval is made.",
        "",
        "| what | inside | of | % |",
        "|---|--:|--:|--:|",
        *(f"| {what} | {inside[what]} | {n} | {100 * inside[what] / n:.1f} |" for what, n in compared.items()),
        "",
        f"The half width for the mean is {100 * np.median(widths):.2f} % of it in the median, "
        f"{100 * max(widths):.2f} % at most; the means are off by {100 * np.mean(errors):+.4f} % in the mean, "
        f"{100 * np.max(np.abs(errors)):.2f} % at most.",
        "",
        "The misses, but for shares; the last column is the error in half widths:",
        "",
        "| what | seed | K | C | load | exact | simulated | half width | error |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *misses,
    ]


def queue_of(servers: int, arrivals: Arrivals, sizes: Sizes, seed: int) -> tuple[Summary, Traffic]:
    """A run of one chain with unit rate."""
    burstiness = max(1.0, (arrivals.dispersion + sizes.scv) / 2)
    traffic = Traffic(arrivals, sizes, jobs_for(arrivals.rate / servers, burstiness, QUEUE_JOBS), seed)
    run = run_of("jffc", np.ones(1), np.array([servers]), np.ones((1, 1)), traffic.jobs)
    return observe(run, traffic, warm_up=WARM_UP, batches=BATCHES), traffic


def gi_m_1(transform: object, rate: float) -> float:
    """1 / (1 - σ), where σ < 1 is the root of σ = A*(1 - σ)."""
    assert callable(transform)
    root = brentq(lambda s: s - transform(1 - s), 0.0, 1 - 1e-6 * (1 - rate), xtol=1e-15)
    return 1 / (1 - root)


def map_m_c(silent: Floats, arrival: Floats, servers: int) -> float:
    """Mean response time of MAP/M/c with unit rate by matrix-geometric equations [Neuts 1981].

    Level n is π_n = π_{n-1} R_n with R_n = -D_1 (D_0 - min(n, c) I + R_{n+1} min(n + 1, c))⁻¹; from c on R_n = R.
    """
    unit = np.eye(len(silent))
    ratio, last = np.zeros_like(silent), np.full_like(silent, np.inf)
    while np.max(np.abs(ratio - last)) > 1e-15:
        last, ratio = ratio, -arrival @ np.linalg.inv(silent - servers * unit + servers * ratio)
    ratios = [ratio]
    for n in range(servers - 1, 0, -1):
        ratios.insert(0, -arrival @ np.linalg.inv(silent - n * unit + (n + 1) * ratios[0]))
    balance = silent + ratios[0]
    level = np.linalg.svd(balance.T)[2][-1]
    level = np.abs(level)
    mass = jobs = 0.0
    flow = 0.0
    for n in range(servers):
        mass, jobs, flow = mass + level.sum(), jobs + n * level.sum(), flow + float(level @ arrival.sum(axis=1))
        level = level @ ratios[n]
    beyond = np.linalg.inv(unit - ratio)
    mass += (level @ beyond).sum()
    jobs += float((level @ (servers * beyond + ratio @ beyond @ beyond)).sum())
    flow += float(level @ beyond @ arrival.sum(axis=1))
    return jobs / flow


def hyperexponential_map(law: Hyperexponential) -> tuple[Floats, Floats, Floats]:
    """Probabilities and rates with balanced means, D_0 and D_1."""
    often = (1 + math.sqrt((law.scv - 1) / (law.scv + 1))) / 2
    chances = np.array([often, 1 - often])
    rates = 2 * chances * law.rate
    return np.stack([chances, rates]), -np.diag(rates), np.outer(rates, chances)


def modulated_map(law: MarkovModulated) -> tuple[Floats, Floats]:
    leave = 1 / np.array(law.mean_lengths_s)
    arrival = np.diag(law.arrival_rates)
    switch = np.array([[-leave[0], leave[0]], [leave[1], -leave[1]]])
    return switch - arrival, arrival


def closed_forms() -> list[str]:
    cases: list[tuple[str, str, int, Arrivals, Sizes, float]] = []
    for servers, load in ((1, 0.9), (5, 0.8), (20, 0.8), (20, 0.95)):
        rate = load * servers
        exact = 1 + waiting_in_mmc(servers, 1.0, rate) / (servers - rate)
        cases.append((f"M/M/{servers}", "Erlang C", servers, Poisson(rate), Exponential(), exact))
    for load, sizes, name in (
        (0.8, Constant(), "M/D/1"),
        (0.95, Constant(), "M/D/1"),
        (0.8, Lognormal(4), "M/G/1, lognormal, scv 4"),
        (0.6, Lognormal(1.5), "M/G/1, lognormal, scv 1.5"),
    ):
        exact = 1 + load * (1 + sizes.scv) / (2 * (1 - load))
        cases.append((name, "Pollaczek-Khinchine", 1, Poisson(load), sizes, exact))
    for load in (0.5, 0.9):
        exact = gi_m_1(lambda s, a=load: math.exp(-s / a), load)
        cases.append(("D/M/1", "root σ", 1, Deterministic(load), Exponential(), exact))
    for scv in (4, 20):
        law = Hyperexponential(0.8, scv)
        (chances, rates), silent, arrival = hyperexponential_map(law)
        exact = gi_m_1(lambda s, p=chances, r=rates: float(np.sum(p * r / (r + s))), 0.8)
        assert abs(map_m_c(silent, arrival, 1) / exact - 1) < 1e-9
        cases.append((f"H2/M/1, scv {scv}", "root σ", 1, law, Exponential(), exact))
        law = Hyperexponential(8.0, scv)
        _, silent, arrival = hyperexponential_map(law)
        cases.append((f"H2/M/10, scv {scv}", "matrix-geometric", 10, law, Exponential(), map_m_c(silent, arrival, 10)))
    for servers, load, ratio, share, burst in (
        (1, 0.7, 10, 0.1, 20.0),
        (10, 0.7, 10, 0.1, 5.0),
        (10, 0.7, 4, 0.3, 2.0),
    ):
        process = MarkovModulated(load * servers, ratio, share, burst)
        exact = map_m_c(*modulated_map(process), servers)
        name = f"MMPP/M/{servers}, {ratio}:{share}:{burst:g}"
        cases.append((name, "matrix-geometric", servers, process, Exponential(), exact))
    lines = [
        "One chain of rate 1. The root σ = A*(1 - σ) gives 1 / (1 - σ) for GI/M/1; queues of Markovian arrivals and "
        "many servers are solved by levels [M. F. Neuts, Matrix-Geometric Solutions in Stochastic Models, 1981], which "
        "gives the same as Erlang C and the root where both apply. MMPP is given as ratio:share:burst. "
        f"{SEEDS} runs each, as long as the rule for reliable intervals asks, of {QUEUE_JOBS:,} jobs at least: the "
        "mean over the runs with its 99 % interval, and how many of their own 99 % intervals contain the exact one.",
        "",
        "| queue | load | witness | jobs a run | exact | mean of runs | 99 % half width | contains | runs inside |",
        "|---|--:|---|--:|--:|--:|--:|---|--:|",
    ]
    assert abs(map_m_c(np.array([[-4.0]]), np.array([[4.0]]), 5) / cases[1][-1] - 1) < 1e-9
    inside = 0
    for number, (name, witness, servers, arrivals, sizes, exact) in enumerate(cases):
        runs = [queue_of(servers, arrivals, sizes, SEEDS * number + seed) for seed in range(SEEDS)]
        own = [summary.response.interval(LEVEL) for summary, _ in runs]
        found = of_batches(np.array([estimate.mean for estimate in own]), LEVEL)
        good = sum(not estimate.excludes(exact) for estimate in own)
        inside += good
        lines.append(
            f"| {name} | {arrivals.rate / servers:.2f} | {witness} | {runs[0][1].jobs:,} | {exact:.5f} "
            f"| {found.mean:.5f} | {found.half_width:.5f} | {'no' if found.excludes(exact) else 'yes'} | {good} |"
        )
    total = SEEDS * len(cases)
    return [*lines, "", f"{inside} of {total} runs inside, {100 * inside / total:.1f} %."]
