"""What is timed, as a pyperf script: ``python benchmarks/speed/kernels.py -o FILE.json``.

pyperf and not pytest-benchmark: it runs each kernel in processes of its own, so that where things happen to lie in the
memory of one process does not decide; and it is no pytest plugin, which would warn in every run of the tests on several
cores, where warnings are errors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyperf

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.core import bloom
from chainopt.allocation import gca
from chainopt.model import Instance, Placement
from chainopt.placement import gbp_cr
from chainopt.queueing import response_time
from chainopt.search import search
from chainopt.simulation import simulate
from chainopt.topology import NEVER, boundary_graph, extend_fastest_paths

Call = Callable[[], object]

REFERENCE = "reference"
CACHE_RESERVATION = 7
JOBS, LOAD = 100_000, 0.7
ITERATIONS = 500
STEPS = 100_000


@cache
def instance_of(servers: int) -> Instance:
    """BLOOM-176B on so many servers, as in ``core.py``."""
    return bloom(servers)


@cache
def placement_of(servers: int) -> Placement:
    return gbp_cr(instance_of(servers), CACHE_RESERVATION)


def time_reference(_: int) -> Call:
    """A loop in plain Python, which nothing in chainopt makes faster or slower."""

    def loop() -> int:
        state = 1
        for _ in range(STEPS):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return state

    return loop


def time_gca(servers: int) -> Call:
    instance, placement = instance_of(servers), placement_of(servers)
    return lambda: gca(instance, placement)


def time_gbp_cr(servers: int) -> Call:
    instance = instance_of(servers)
    return lambda: gbp_cr(instance, CACHE_RESERVATION)


def time_response_time(servers: int) -> Call:
    composition = gca(instance_of(servers), placement_of(servers))
    return lambda: response_time(composition, LOAD * composition.total_service_rate)


def time_simulation(servers: int) -> Call:
    """JFFC with `JOBS` jobs that are given as arrays."""
    composition = gca(instance_of(servers), placement_of(servers))
    rates, capacities, draw = composition.service_rates, composition.capacities, np.random.default_rng(1)
    arrivals = np.cumsum(draw.standard_exponential(JOBS) / (LOAD * composition.total_service_rate))
    sizes = draw.standard_exponential(JOBS)
    return lambda: simulate(rates, capacities, policy="jffc", arrivals=arrivals, sizes=sizes)


def time_search(servers: int) -> Call:
    """`ITERATIONS` moves, with all that belongs to a search of that length."""
    instance = instance_of(servers)
    return lambda: search(instance, iterations=ITERATIONS)


def time_shortest_path(servers: int) -> Call:
    """The boundary graph of a placement, and the fastest path through it, as long as no slot is taken."""
    instance, placement = instance_of(servers), placement_of(servers)
    blocks, time = instance.service.blocks, instance.time
    graph = boundary_graph(placement.start, placement.stop, blocks)
    arc_time = np.full(graph.group[-1], NEVER)
    for j in np.flatnonzero(placement.sizes):
        e = graph.target[j]
        for b in range(graph.source[j], e):
            g = graph.group[e] + b - graph.lowest[e]
            processed = graph.boundaries[e] - graph.boundaries[b]
            arc_time[g] = min(arc_time[g], time.comm[j] + time.comp[j] * processed)

    def path() -> int:
        known = boundary_graph(placement.start, placement.stop, blocks)
        fastest, previous = np.zeros((2, known.boundaries.size), dtype=np.int64)
        extend_fastest_paths(known, arc_time, 1, fastest, previous)
        return int(fastest[-1])

    return path


KERNELS: dict[str, tuple[Callable[[int], Call], tuple[int, ...]]] = {
    "gbp_cr": (time_gbp_cr, (20, 100, 1000)),
    "gca": (time_gca, (20, 100, 1000)),
    "shortest path": (time_shortest_path, (20, 100, 1000)),
    "response_time": (time_response_time, (20, 100, 1000)),
    f"simulate, {JOBS:,} jobs": (time_simulation, (20, 100)),
    f"search, {ITERATIONS} moves": (time_search, (20, 100)),
}
"""By name: what makes the call that is timed, and for how many servers."""


@cache
def warm(make: Callable[[int], Call], servers: int) -> Call:
    """A call that was made once: what it needs is compiled, or loaded."""
    call = make(servers)
    call()
    return call


def elapsed(loops: int, make: Callable[[int], Call], servers: int) -> float:
    """Processor time, s, of so many calls: others on the machine lengthen it less than the time on the wall."""
    call = warm(make, servers)
    begin = time.process_time()
    for _ in range(loops):
        call()
    return time.process_time() - begin


def main() -> None:
    runner = pyperf.Runner()
    runner.bench_time_func(f"{REFERENCE} before", elapsed, time_reference, 0)
    for name, (make, sizes) in KERNELS.items():
        for servers in sizes:
            runner.bench_time_func(f"{name} | {servers}", elapsed, make, servers)
    runner.bench_time_func(f"{REFERENCE} after", elapsed, time_reference, 0)


if __name__ == "__main__":
    main()
