"""The simulator beside SimPy, Ciw and its plain twin, on a queue that all of them know; see ``simulation.py``."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import ciw
import numpy as np
import simpy
from numpy.typing import NDArray

from chainopt.queueing import jffc
from chainopt.simulation import simulate
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.intervals import Estimate, of_batches
from chainopt.simulation.sizes import Exponential

Floats = NDArray[np.float64]
SERVERS, MM_RATE = 20, 16.0


def with_simpy(jobs: int, draw: np.random.Generator) -> Floats:
    """Response times of M/M/20."""
    environment = simpy.Environment()
    servers = simpy.Resource(environment, SERVERS)
    response = np.empty(jobs)
    gaps, sizes = (draw.standard_exponential(jobs) / MM_RATE).tolist(), draw.standard_exponential(jobs).tolist()

    def job(i: int):  # type: ignore[no-untyped-def]
        came = environment.now
        with servers.request() as request:
            yield request
            yield environment.timeout(sizes[i])
        response[i] = environment.now - came

    def source():  # type: ignore[no-untyped-def]
        for i, gap in enumerate(gaps):
            yield environment.timeout(gap)
            environment.process(job(i))

    environment.process(source())
    environment.run()
    return response


def with_ciw(jobs: int, draw: np.random.Generator) -> Floats:
    ciw.seed(int(draw.integers(2**31)))
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(MM_RATE)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[SERVERS],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(jobs, method="Finish")
    records = sorted(simulation.get_all_records(), key=lambda record: record.arrival_date)
    return np.array([record.exit_date - record.arrival_date for record in records])


def with_ours(jobs: int, draw: np.random.Generator, engine: str = "compiled") -> Floats:
    arrivals, sizes = np.cumsum(draw.standard_exponential(jobs) / MM_RATE), draw.standard_exponential(jobs)
    return simulate([1.0], [SERVERS], arrivals=arrivals, sizes=sizes, engine=engine).response  # type: ignore[arg-type]


def estimate(response: Floats) -> Estimate:
    """From 20 batches after a warm-up of 10 %."""
    return of_batches(np.array([np.mean(part) for part in np.array_split(response[response.size // 10 :], 20)]))


def other_simulators() -> list[str]:
    exact = jffc([1.0], [SERVERS], MM_RATE).mean_response_time_s

    def observed(jobs: int, draw: np.random.Generator) -> Estimate:
        traffic = Traffic(Poisson(MM_RATE), Exponential(), jobs, int(draw.integers(2**31)))
        return observe(run_of("jffc", [1.0], [SERVERS], np.ones((1, 1)), jobs), traffic).response.interval()

    ways: tuple[tuple[str, int, Callable[[int, np.random.Generator], Floats | Estimate]], ...] = (
        ("chainopt, `simulate`, with drawing", 5_000_000, with_ours),
        ("chainopt, `observe`, with quantiles", 5_000_000, observed),
        ("chainopt, plain Python engine", 200_000, lambda n, draw: with_ours(n, draw, "plain")),
        ("SimPy", 100_000, with_simpy),
        ("Ciw", 50_000, with_ciw),
    )
    rows = []
    for name, jobs, simulated in ways:
        simulated(1000, np.random.default_rng(0))
        best, last = np.inf, None
        for seed in range(3):
            gc.collect()
            begin = time.process_time()
            last = simulated(jobs, np.random.default_rng(seed))
            best = min(best, time.process_time() - begin)
        found = last if isinstance(last, Estimate) else estimate(np.asarray(last))
        rows.append((name, jobs, jobs / best, found))
    lines = [
        f"M/M/{SERVERS} at load {MM_RATE / SERVERS}: exactly {exact:.5f} s in the system in the mean (Erlang C). Every "
        f"one draws its own jobs; the best of 3 runs. SimPy {simpy.__version__}, Ciw {ciw.__version__}, with a "
        f"resource and a node of {SERVERS} servers, and without more statistics than records.",
        "",
        "| simulator | jobs | jobs/s | mean ± 95 % | exact inside | `simulate` is faster by | `observe` is faster by |",
        "|---|--:|--:|--:|---|--:|--:|",
    ]
    for name, jobs, speed, found in rows:
        inside = "no" if found.excludes(exact) else "yes"
        lines.append(
            f"| {name} | {jobs:,} | {speed:,.0f} | {found.mean:.4f} ± {found.half_width:.4f} | {inside} "
            f"| {rows[0][2] / speed:.1f} | {rows[1][2] / speed:.1f} |"
        )
    return lines
