"""How fast the simulator is, beside others and against its own size; see ``simulation.py``."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import ROOT
from chainopt.dispatch import thresholds
from chainopt.simulation import POLICIES, simulate
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.central import Central, serve_centrally
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.sizes import Exponential

Floats = NDArray[np.float64]
LOAD = 0.8
SIZES = ((1, 20), (10, 40), (50, 200), (50, 1000))
JOBS = 2_000_000
MEMORY_JOBS = (10**6, 10**7, 10**8)


def system(chains: int, servers: int) -> tuple[Floats, NDArray[np.int64], float]:
    """Rates from 1 down to 1/4, equal capacities, and the arrival rate."""
    rates = np.linspace(1, 0.25, chains)
    capacities = np.full(chains, servers // chains)
    return rates, capacities, LOAD * float(rates @ capacities)


def given(rate: float, jobs: int) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(1)
    return np.cumsum(draw.standard_exponential(jobs) / rate), draw.standard_exponential(jobs)


def seconds(function: Callable[[], object], runs: int = 5) -> list[float]:
    """Of so many calls, ascending, after one that is not counted."""
    function()
    gc.disable()
    found = []
    for _ in range(runs):
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    gc.enable()
    return sorted(found)


def kernel_alone(rates: Floats, capacities: NDArray[np.int64], arrivals: Floats, sizes: Floats) -> Callable[[], None]:
    """The compiled loop, on arrays that are there."""
    chains, servers, jobs = rates.size, int(capacities.sum()), arrivals.size
    start, departure, chain = np.empty(jobs), np.empty(jobs), np.empty(jobs, dtype=np.int64)
    demands = sizes[:, None].copy()

    def call() -> None:
        state = Central(
            1 / rates[:, None],
            np.ones(chains, dtype=np.int64),
            capacities.copy(),
            np.arange(chains, dtype=np.float64),
            np.arange(chains),
            np.empty(servers),
            np.empty(servers, dtype=np.int64),
            np.array([0, chains]),
        )
        assert serve_centrally(state, arrivals, demands, 0, True, start, departure, chain) == jobs

    return call


def given_jobs() -> list[str]:
    rates, capacities, rate = system(50, 200)
    arrivals, sizes = given(rate, JOBS)
    ways: dict[str, Callable[[], object]] = {
        "the compiled loop alone": kernel_alone(rates, capacities, arrivals, sizes),
        "`simulate`, with its checks and records": lambda: simulate(rates, capacities, arrivals=arrivals, sizes=sizes),
        "`simulate`, jobs drawn anew": lambda: simulate(
            rates, capacities, **dict(zip(("arrivals", "sizes"), given(rate, JOBS), strict=True))
        ),
        "`observe`: draws, simulates, sums up with quantiles": lambda: observe(
            run_of("jffc", rates, capacities, 1 / rates[:, None], JOBS), Traffic(Poisson(rate), Exponential(), JOBS)
        ),
    }
    lines = [
        f"K = 50 chains, C = 200 job servers, rates from 1 down to 1/4, load {LOAD}, {JOBS:,} jobs; 7 calls each. "
        "Seconds on this page are of the processor, as others used the machine too, but for compilation.",
        "",
        "| what | M jobs/s, best | median | slowest |",
        "|---|--:|--:|--:|",
    ]
    for name, call in ways.items():
        found = seconds(call, 7)
        lines.append(
            f"| {name} | " + " | ".join(f"{JOBS / s / 1e6:.1f}" for s in (found[0], found[3], found[-1])) + " |"
        )
    return lines


def all_policies() -> list[str]:
    lines = [
        f"`simulate` on given jobs, M jobs/s, the best of 3 calls with {JOBS // 2:,} jobs; load {LOAD}.",
        "",
        "| policy | " + " | ".join(f"K = {k}, C = {c:,}" for k, c in SIZES) + " |",
        "|---|" + "--:|" * len(SIZES),
    ]
    for policy in POLICIES:
        cells = [f"{JOBS / 2 / call_s(policy, k, c, JOBS // 2) / 1e6:.1f}" for k, c in SIZES]
        lines.append(f"| {policy} | {' | '.join(cells)} |")
    return lines


def call_s(policy: str, chains: int, servers: int, jobs: int) -> float:
    rates, capacities, rate = system(chains, servers)
    arrivals, sizes = given(rate, jobs)
    needed = thresholds(rates, capacities, rate) if policy == "thresholds" else None
    return seconds(lambda: simulate(rates, capacities, policy, arrivals=arrivals, sizes=sizes, thresholds=needed), 3)[0]


def job_servers() -> list[str]:
    counts = [10**n for n in range(1, 6)]
    lines = [
        f"K = 10 chains, load {LOAD}, {JOBS // 2:,} jobs, ns a job, the best of 3. A heap of C events has log2 C "
        "levels, so a cost that grows by a constant for each factor of 10 is logarithmic; beyond the caches, "
        "a level costs more.",
        "",
        "| policy | " + " | ".join(f"C = {c:,}" for c in counts) + " | from C = 10 to 100,000 |",
        "|---|" + "--:|" * (len(counts) + 1),
    ]
    for policy in ("jffc", "sa-jsq", "sed", "random"):
        cost = [call_s(policy, 10, c, JOBS // 2) / (JOBS // 2) * 1e9 for c in counts]
        cells = " | ".join(f"{ns:.0f}" for ns in cost)
        lines.append(f"| {policy} | {cells} | x {cost[-1] / cost[0]:.1f} |")
    return lines


CHILD = """
import sys, time
begin = time.perf_counter()
import numpy as np
{body}
"""
OBSERVE = """
from chainopt.queueing import jffc
from benchmarks.simulation_speed import LOAD, Exponential, Poisson, Traffic, observe, run_of, system
rates, capacities, rate = system(50, 200)
jobs = int(sys.argv[1])
observe(run_of("jffc", rates, capacities, 1 / rates[:, None], 1000), Traffic(Poisson(rate), Exponential(), 1000))
begin = time.process_time()
run, traffic = run_of("jffc", rates, capacities, 1 / rates[:, None], jobs), Traffic(Poisson(rate), Exponential(), jobs)
summary = observe(run, traffic)
seconds = time.process_time() - begin
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
mean, exact = summary.response.interval(), jffc(rates, capacities, rate).mean_response_time_s
print([seconds, int(peak) / 1024, mean.mean, mean.half_width, exact])
"""
COMPILE = """
from chainopt.simulation import simulate
took = [time.perf_counter() - begin]
for policy in ("jffc", "jsq", "jffc"):
    begin = time.perf_counter()
    simulate([1.0, 0.5], [2, 2], policy, arrivals=np.arange(10.0), sizes=np.ones(10))
    took.append(time.perf_counter() - begin)
print(took)
"""


def child(body: str, *arguments: str, cache: str | None = None) -> list[float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, "-c", CHILD.format(body=body), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, env=environment)
    return [float(figure) for figure in json.loads(done.stdout)]


def long_runs() -> list[str]:
    lines = [
        f"`observe`, JFFC, K = 50, C = 200, load {LOAD}, 20 batches, in a process of its own; its peak is that of all "
        "of the process, libraries and compiler included.",
        "",
        "| jobs | s | M jobs/s | peak MB | mean ± 95 % | exact |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for jobs in MEMORY_JOBS:
        took, peak, mean, half, exact = child(OBSERVE, str(jobs))
        lines.append(
            f"| {jobs:,} | {took:.1f} | {jobs / took / 1e6:.1f} | {peak:.0f} | {mean:.6f} ± {half:.6f} | {exact:.6f} |"
        )
    return lines


def compilation() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        rows = {"an empty cache": child(COMPILE, cache=folder), "the cache on disk": child(COMPILE, cache=folder)}
    return [
        "Seconds in a new process; ten jobs a call.",
        "",
        "| with | import | first call, JFFC | first call, JSQ (compiles all that dispatch) | JFFC again |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {name} | " + " | ".join(f"{s:.4f}" if s < 0.01 else f"{s:.2f}" for s in took) + " |"
            for name, took in rows.items()
        ),
    ]
