"""Cost of the core: GCA, the choice among all c, exact response times, and whole processes.

Run with ``python benchmarks/core.py``; it writes ``benchmarks/results/core.md``. Times are the least of several runs
in one process, except those of whole processes. The reference is Algorithm 2 as the paper states it: the graph of
servers, and a run of Dijkstra's algorithm a round.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe
from chainopt.allocation import gca
from chainopt.model import Instance, Placement, Server, Service, Workload
from chainopt.placement import gbp_cr
from chainopt.queueing import jffc, jffc_bounds

SIZES = (10, 20, 40, 80, 160, 320, 1000, 3000, 10_000)
REFERENCE_SIZES = (20, 40, 80, 160)


def bloom(servers: int, rate_per_server: float = 0.01) -> Instance:
    """BLOOM-176B with the paper's sizes, times drawn uniformly: one server in five is fast."""
    draw = random.Random(servers).random
    fast = [draw() < 0.2 for _ in range(servers)]
    return Instance(
        name=f"bloom-{servers}",
        service=Service(blocks=70, block_gb=1.32, cache_gb=0.11),
        workload=Workload(arrival_rate=round(rate_per_server * servers, 4)),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=40 if fast[j] else 20,
                comm_s=round(0.5 + 0.7 * draw(), 3),
                comp_s_per_block=0.109 if fast[j] else 0.175,
            )
            for j in range(servers)
        ],
    )


def least(function: Callable[[], object], seconds: float = 1.0) -> float:
    """Least time of a call, s, of those that fit into about so many seconds."""
    function()
    gc.disable()
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < seconds:
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    gc.enable()
    return best


def reference_gca(instance: Instance, placement: Placement) -> float:
    """Total service rate of Algorithm 2 on the graph of servers, with networkx."""
    blocks = instance.service.blocks
    residual = instance.memory.slots(placement.sizes).tolist()
    servers = [
        (j, int(a), int(e)) for j, (a, e) in enumerate(zip(placement.start, placement.stop, strict=True)) if e > a
    ]
    nodes = [("in", 0, 0), *servers]
    total = 0.0
    while True:
        graph: nx.DiGraph = nx.DiGraph()
        for i, _, reached in nodes:
            for j, start, stop in servers:
                if start <= reached < stop and residual[j] >= stop - reached:
                    server = instance.servers[j]
                    time_s = float(server.comm_s) + float(server.comp_s_per_block) * (stop - reached)
                    graph.add_edge(i, j, weight=time_s, blocks=stop - reached)
        for j, _, stop in servers:
            if stop == blocks:
                graph.add_edge(j, "out", weight=0.0)
        try:
            time_s, path = nx.single_source_dijkstra(graph, "in", "out")
        except (nx.NetworkXNoPath, nx.NodeNotFound):
            return total
        hops = [(j, graph[i][j]["blocks"]) for i, j in pairwise(path[:-1])]
        capacity = min(residual[j] // n for j, n in hops)
        for j, n in hops:
            residual[j] -= capacity * n
        total += capacity / time_s


def process(*arguments: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds and peak MB of a whole process."""
    code = (
        "import resource, subprocess, sys, time\n"
        "begin = time.perf_counter()\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "chainopt", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, env=environment)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def allocation_table() -> list[str]:
    lines = [
        "| J | arcs | chains | GBP-CR ms | GCA ms | as the paper states it ms | ratio |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for servers in SIZES:
        instance = bloom(servers)
        placement = gbp_cr(instance, 7)
        composition = gca(instance, placement)
        boundaries = np.unique(np.append(placement.stop, 0))
        arcs = int(np.sum(np.searchsorted(boundaries, placement.stop) - np.searchsorted(boundaries, placement.start)))
        ours = least(lambda instance=instance, placement=placement: gca(instance, placement))  # type: ignore[misc]
        place = least(lambda instance=instance: gbp_cr(instance, 7))  # type: ignore[misc]
        theirs, ratio = "", ""
        if servers in REFERENCE_SIZES:
            begin = time.perf_counter()
            rate = reference_gca(instance, placement)
            seconds = time.perf_counter() - begin
            assert abs(rate / composition.total_service_rate - 1) < 0.02, "ties may be broken otherwise, no more"
            theirs, ratio = f"{1e3 * seconds:,.0f}", f"{seconds / ours:,.0f}"
        lines.append(
            f"| {servers:,} | {arcs:,} | {len(composition.capacities):,} | {1e3 * place:.3f} | {1e3 * ours:.3f} "
            f"| {theirs} | {ratio} |"
        )
    return lines


def sweep_table() -> list[str]:
    lines = [
        "| J | arrival rate | c | total job servers | all c and both stops, exact, s | peak memory so far MB |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for servers in (20, 40, 100, 200, 320, 1000, 3000):
        for share in (0.01, 0.03):
            instance = bloom(servers, share)
            begin = time.perf_counter()
            solution = chainopt.compose(instance)
            seconds = time.perf_counter() - begin
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            assert solution.evaluation is not None
            lines.append(
                f"| {servers:,} | {instance.workload.arrival_rate} | {solution.parameters['cache_reservation']} "
                f"| {solution.evaluation.job_servers:,} | {seconds:.3f} | {memory:.0f} |"
            )
    return lines


def queueing_table() -> list[str]:
    lines = ["| chains | job servers | load | exact ms | Theorem 4 ms |", "|--:|--:|--:|--:|--:|"]
    for chains, servers in ((3, 12), (10, 100), (50, 1000), (200, 4000)):
        rates = np.linspace(1, 0.25, chains)
        capacities = np.full(chains, servers // chains)
        for load in (0.3, 0.8, 0.99):
            rate = load * float(np.sum(rates * capacities))
            exact = least(lambda r=rates, c=capacities, a=rate: jffc(r, c, a), 0.5)  # type: ignore[misc]
            bounds = least(lambda r=rates, c=capacities, a=rate: jffc_bounds(r, c, a), 0.5)  # type: ignore[misc]
            lines.append(f"| {chains} | {servers:,} | {load} | {1e3 * exact:.3f} | {1e3 * bounds:.3f} |")
    return lines


def process_table() -> list[str]:
    lines = ["| process | s | peak MB |", "|---|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "j20.json", Path(folder) / "j1000.json"
        chainopt.write_instance(bloom(20), small)
        chainopt.write_instance(bloom(1000), large)
        cold = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        runs = {
            "`chainopt --help`": [process("--help") for _ in range(5)],
            "`chainopt solve` J = 20, first run ever (compiles)": [process("solve", str(small), environment=cold)],
            "`chainopt solve` J = 20": [process("solve", str(small), environment=cold) for _ in range(5)],
            "`chainopt solve` J = 1000": [process("solve", str(large), environment=cold) for _ in range(3)],
        }
    for name, measured in runs.items():
        lines.append(f"| {name} | {min(s for s, _ in measured):.2f} | {max(m for _, m in measured):.0f} |")
    return lines


def main() -> None:
    """Measure and write the page."""
    sections = {
        "Placement and allocation": (
            "BLOOM-176B, 70 blocks, c = 7, all servers placed. Rounds grow with J, the groups of arcs (at most 70²/2) "
            "do not, so a round costs the same at any J.",
            allocation_table(),
        ),
        "The choice among all c": (
            "GBP-CR, GCA, bounds, and exact times where the lower bound leaves a chance.",
            sweep_table(),
        ),
        "Response times": ("Rates from 1 down to 1/4, equal capacities.", queueing_table()),
        "Whole processes": ("Interpreter start, imports, reading, solving, printing.", process_table()),
    }
    lines = ["# Cost of the core", "", "Made by `python benchmarks/core.py`.", "", *describe()]
    for title, (text, table) in sections.items():
        lines += ["", f"## {title}", "", text, "", *table]
    target = ROOT / "benchmarks" / "results" / "core.md"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"written": str(target)}))


if __name__ == "__main__":
    main()
