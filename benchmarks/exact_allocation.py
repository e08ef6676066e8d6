"""Exact cache allocation for a given placement, and exact disjoint chains: time, proofs, and what greed loses.

Run with ``python benchmarks/exact_allocation.py``; it writes ``benchmarks/results/exact-allocation.md``. Each number of
servers is solved for several seeds and rates, in one process, kernels compiled beforehand, one thread.
"""

from __future__ import annotations

import importlib.metadata
import json
import random
import sys
import time
from decimal import Decimal
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.environment import ROOT, describe
from chainopt.allocation import fewest_job_servers, gca
from chainopt.exact.cache_allocation import allocate_fewest, allocate_most
from chainopt.exact.disjoint_chains import fewest_disjoint_chains
from chainopt.exact.paths import arcs_of
from chainopt.generate.bloom import BLOOM, BloomParameters
from chainopt.model import Instance, Placement, Server, Service, Status, Workload
from chainopt.placement import gbp_cr
from chainopt.placement.greedy import GreedyChains

SEEDS = (1, 2, 3, 4)
SHARES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
RESERVATION = 7
LIMIT_S = 10.0


def bloom(servers: int, seed: int) -> Instance:
    """The paper's simulations."""
    return BLOOM.instance(BloomParameters(servers=servers), seed=seed)


def mixed(servers: int, seed: int) -> Instance:
    """BLOOM-176B on servers of any size from 8 to 60 GB."""
    draw = random.Random(seed)
    return Instance(
        name=f"mixed-{servers}",
        service=Service(blocks=70, block_gb=1.32, cache_gb=0.11),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=draw.randint(8, 60),
                comm_s=Decimal(draw.randint(500, 1200)).scaleb(-3),
                comp_s_per_block=Decimal(draw.randint(100, 200)).scaleb(-3),
            )
            for j in range(servers)
        ],
    )


def chains_of(instance: Instance, placement: Placement) -> int:
    """Number of chains of a placement."""
    arcs = arcs_of(instance, placement, instance.memory.slots(placement.sizes))
    ways = [1] + [0] * arcs.end
    for source, target in zip(arcs.source.tolist(), arcs.target.tolist(), strict=True):
        ways[target] += ways[source]
    return ways[-1]


def fewest_table() -> list[str]:
    lines = [
        "| J | chains | cases | proven | median s | max s | columns median | GCA needs more in | by at most |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for servers in (10, 20, 40):
        times, columns, excess, proven, counts = [], [], [], 0, []
        for seed in SEEDS:
            instance = bloom(servers, seed)
            placement = gbp_cr(instance, RESERVATION)
            greedy = gca(instance, placement)
            counts.append(chains_of(instance, placement))
            for share in SHARES:
                rate = share * greedy.total_service_rate
                found = allocate_fewest(instance, placement, rate, deadline=time.monotonic() + LIMIT_S)
                by_greedy = fewest_job_servers(greedy, rate)
                assert by_greedy is not None
                assert found.value is not None
                assert not found.refused
                times.append(found.runtime_s)
                columns.append(found.generated)
                excess.append(by_greedy.job_servers - int(found.value))
                proven += found.status is Status.OPTIMAL
        lines.append(
            f"| {servers} | {min(counts):,} to {max(counts):,} | {len(times)} | {proven} | {median(times):.3f} "
            f"| {max(times):.3f} | {median(columns):.0f} | {sum(e > 0 for e in excess)} | {max(excess)} |"
        )
    return lines


def most_table() -> list[str]:
    lines = [
        "| J | cases | proven | median s | max s | gain over GCA mean % | max % | gap left max % |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for servers in (10, 20, 40):
        times, gains, gaps, proven = [], [], [], 0
        for seed in SEEDS:
            instance = bloom(servers, seed)
            placement = gbp_cr(instance, RESERVATION)
            found = allocate_most(instance, placement, deadline=time.monotonic() + LIMIT_S)
            assert found.value is not None
            assert found.bound is not None
            assert not found.refused
            times.append(found.runtime_s)
            gains.append(100 * (found.value / gca(instance, placement).total_service_rate - 1))
            gaps.append(100 * (found.bound / found.value - 1))
            proven += found.status is Status.OPTIMAL
        lines.append(
            f"| {servers} | {len(times)} | {proven} | {median(times):.2f} | {max(times):.2f} | {mean(gains):.2f} "
            f"| {max(gains):.2f} | {max(gaps):.3f} |"
        )
    return lines


def random_table() -> list[str]:
    lines = [
        "| J | objective | cases | proven | median s | max s | above GCA mean % | max % |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for servers in (10, 20):
        times, losses, proven = [], [], 0
        for seed in range(8):
            instance = mixed(servers, seed)
            draw = random.Random(seed)
            sizes = instance.memory.sizes(2).tolist()
            start = [draw.choice((0, draw.randint(0, 70 - m), 70 - m)) for m in sizes]
            placement = Placement(start, [a + m for a, m in zip(start, sizes, strict=True)])
            greedy = gca(instance, placement).total_service_rate
            found = allocate_most(instance, placement, deadline=time.monotonic() + LIMIT_S)
            if found.value is None:
                continue
            times.append(found.runtime_s)
            losses.append(100 * (found.value / greedy - 1))
            proven += found.status is Status.OPTIMAL
        lines.append(
            f"| {servers} | largest rate | {len(times)} | {proven} | {median(times):.2f} | {max(times):.2f} "
            f"| {mean(losses):.1f} | {max(losses):.1f} |"
        )
    return lines


def disjoint_table() -> list[str]:
    lines = [
        "| servers | J | cases | proven | median s | max s | GBP-CR needs more in | mean | max |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, family in (("BLOOM", bloom), ("8 to 60 GB", mixed)):
        for servers in (20, 40, 100):
            times, excess, proven = [], [], 0
            for seed in SEEDS:
                instance = family(servers, seed)
                greedy = GreedyChains.of(instance, RESERVATION)
                for share in SHARES:
                    rate = share * RESERVATION * float(greedy.served[-1])
                    found = fewest_disjoint_chains(instance, RESERVATION, rate, deadline=time.monotonic() + LIMIT_S)
                    assert found.value is not None
                    assert not found.refused
                    times.append(found.runtime_s)
                    excess.append((greedy.prefix(rate, RESERVATION) or 0) - found.value)
                    proven += found.status is Status.OPTIMAL
            lines.append(
                f"| {name} | {servers} | {len(times)} | {proven} | {median(times):.3f} | {max(times):.3f} "
                f"| {sum(e > 0 for e in excess)} | {mean(excess):.2f} | {max(excess)} |"
            )
    return lines


def main() -> None:
    """Measure and write the page."""
    warm = bloom(20, 1)
    placement = gbp_cr(warm, RESERVATION)
    rate = 0.9 * gca(warm, placement).total_service_rate
    allocate_fewest(warm, placement, rate)
    allocate_most(warm, placement, deadline=time.monotonic() + LIMIT_S)
    enumerates = mixed(40, 3)
    served = RESERVATION * float(GreedyChains.of(enumerates, RESERVATION).served[-1])
    fewest_disjoint_chains(enumerates, RESERVATION, served, deadline=time.monotonic() + LIMIT_S)
    sections = {
        "Fewest job servers": (
            "BLOOM-176B, 70 blocks, GBP-CR with c = 7, all servers placed; the rate is 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, "
            "0.95 or all of GCA's total service rate, 4 seeds. GCA is used fastest chain first.",
            fewest_table(),
        ),
        "Largest rate": (f"The same placements, {LIMIT_S:.0f} s at most.", most_table()),
        "Largest rate, bad placements": (
            "Servers of 8 to 60 GB, room for two jobs at each block, ranges at the beginning, at the end or anywhere; "
            "those without a chain are left out.",
            random_table(),
        ),
        "Disjoint chains": (
            "Problem [eq. 7] with c = 7; the rate is the same shares of what GBP-CR serves with all servers.",
            disjoint_table(),
        ),
    }
    solver = f"- HiGHS {importlib.metadata.version('highspy')}"
    lines = ["# Exact allocation", "", "Made by `python benchmarks/exact_allocation.py`.", "", *describe(), solver]
    for title, (text, table) in sections.items():
        lines += ["", f"## {title}", "", text, "", *table]
    target = ROOT / "benchmarks" / "results" / "exact-allocation.md"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"written": str(target)}))


if __name__ == "__main__":
    main()
