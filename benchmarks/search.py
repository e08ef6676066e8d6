"""How much better the search is than the paper's pipeline, and how close to optima and bounds it comes.

Run with ``python benchmarks/search.py [PART...]``; the parts are ``tiny``, ``bloom``, ``hard``, ``drawn`` and
``scale``, all of them if none is named. Each part writes a page of its own, ``benchmarks/results/search-PART.md``.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe
from benchmarks.exact_joint import toy
from chainopt.exact.joint import solve_joint
from chainopt.generate import FAMILIES, RandomParameters
from chainopt.model import Instance, Status, Workload
from chainopt.search import search

LOADS = (0.15, 0.3, 0.45, 0.6)
TINY, TINY_S = 500, 0.5
LIMIT_S = 10.0
BOUND_S = 36.0
SCALE_S = 5.0
HARD_LOADS = (0.8, 0.9, 0.95)
DRAWN_BOUND_S = 20.0
DRAWN = [(10, 20), (16, 30), (24, 32), (40, 48), (60, 60)] * 4
"""Servers and blocks of instances drawn at random."""


def paper(instance: Instance) -> float | None:
    """Mean response time of the paper's pipeline: c by Theorem 4's lower bound, GBP-CR until the rate is met, GCA."""
    try:
        return chainopt.compose(instance, "gbp-cr+gca", criterion="lower", stop="rate").value
    except chainopt.ChainoptError:
        return None


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def tiny() -> list[str]:
    """Against the optimum over all placements and all allocations."""
    rng = random.Random(7)
    seed, drawn, unstable = 0, 0, 0
    gaps: dict[float, list[float]] = {load: [] for load in LOADS}
    missed, papers, paper_missed, longest = 0, [], 0, 0.0
    while drawn < TINY:
        load = LOADS[drawn % len(LOADS)]
        servers, blocks = rng.randint(3, 5), rng.randint(3, 5)
        instance = toy(servers, blocks, seed, load / 0.7)
        seed += 1
        if instance is None:
            continue
        drawn += 1
        truth = solve_joint(instance, "response-time", time_limit_s=60)
        if truth.value is None:
            unstable += 1
            continue
        assert truth.status is Status.OPTIMAL
        begin = time.perf_counter()
        found = search(instance, time_limit_s=TINY_S)
        longest = max(longest, time.perf_counter() - begin)
        value = paper(instance)
        if value is None:
            paper_missed += 1
        else:
            papers.append(value / truth.value - 1)
        if found.value is None:
            missed += 1
        else:
            gaps[load].append(found.value / truth.value - 1)
    everything = [gap for some in gaps.values() for gap in some]
    rows = [(f"{load:g}", gaps[load]) for load in LOADS] + [("all", everything), ("all, paper's pipeline", papers)]
    lines = ["| load | instances | mean gap % | median % | largest % | above 1 % | above 0.1 % |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for name, some in rows:
        lines.append(
            f"| {name} | {len(some)} | {100 * statistics.mean(some):.3f} | {100 * statistics.median(some):.3f} "
            f"| {percent(max(some))} | {sum(gap > 0.01 for gap in some)} | {sum(gap > 0.001 for gap in some)} |"
        )
    return [
        f"{TINY} instances of 3 to 5 servers and blocks, drawn as in `exact_joint.py`; λ is the load times the largest "
        f"total service rate of the relaxation. {unstable} have no stable composition, proven. {TINY_S:g} s each. "
        "The optimum is over all placements and all allocations.",
        "",
        *lines,
        "",
        f"No stable composition found although there is one: {missed} times by the search, {paper_missed} times by the "
        f"paper's pipeline. Longest run {longest:.2f} s.",
    ]


def bloom() -> list[str]:
    """Against the paper's pipeline and the proven bound."""
    paths = [p for p in sorted((ROOT / "instances" / "bloom").glob("*.json")) if ".sol." not in p.name]
    lines = [
        "| instance | J | paper s | found s | change % | bound s | gap % | improvements | states/s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows: list[tuple[int, float, float]] = []
    for path in paths:
        instance = chainopt.read_instance(path)
        before = paper(instance)
        found = search(instance, time_limit_s=LIMIT_S)
        assert found.composition is not None
        assert found.value is not None
        bound = chainopt.bound(instance, time_limit_s=BOUND_S)
        change, gap = (found.value / before - 1 if before else -math.inf), 1 - bound / found.value
        rows.append((len(instance.servers), change, gap))
        lines.append(
            f"| {instance.name} | {len(instance.servers)} | {before or math.nan:.3f} | {found.value:.3f} "
            f"| {percent(change)} | {bound:.3f} | {percent(gap)} | {len(found.history)} "
            f"| {found.evaluations / LIMIT_S:,.0f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    head = ["| J | instances | change %, mean | worst | best | gap to the bound %, mean |", "|--:|--:|--:|--:|--:|--:|"]
    for servers in sorted({row[0] for row in rows}):
        changes = [change for count, change, _ in rows if count == servers]
        gaps = [gap for count, _, gap in rows if count == servers]
        head.append(
            f"| {servers} | {len(changes)} | {percent(statistics.mean(changes))} | {percent(max(changes))} "
            f"| {percent(min(changes))} | {percent(statistics.mean(gaps))} |"
        )
    return [
        f"{LIMIT_S:g} s each; change is of the exact mean response time against the paper's pipeline (c by Theorem 4's "
        "lower bound, GBP-CR until the rate is met, GCA).",
        "",
        *head,
        "",
        *lines,
    ]


def hard() -> list[str]:
    """High loads, as shares of the proven largest total service rate."""
    paths = [p for p in sorted((ROOT / "instances" / "random").glob("*.json")) if ".sol." not in p.name]
    lines = ["| instance | J | λ / bound on the rate | paper | found s | load found |", "|---|--:|--:|--:|--:|--:|"]
    for path in [*paths, ROOT / "instances" / "tiny" / "tiny-gca-loses-stability.json"]:
        instance = chainopt.read_instance(path)
        most = chainopt.bound(instance, "rate", time_limit_s=60)
        given = float(instance.workload.arrival_rate) / most
        for share in (given, *HARD_LOADS) if path.parent.name == "random" else (given,):
            rate = Decimal(f"{share * most:.8g}") if share != given else instance.workload.arrival_rate
            heavy = instance.replace(workload=Workload(arrival_rate=rate))
            before = paper(heavy)
            found = search(heavy, time_limit_s=LIMIT_S)
            total = found.composition.total_service_rate if found.composition else math.nan
            shown = (f"{value:.3f}" if value else "unstable" for value in (before, found.value))
            lines.append(
                f"| {instance.name} | {len(instance.servers)} | {share:.3f} | {' | '.join(shown)} "
                f"| {float(rate) / total:.3f} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    return [f"{LIMIT_S:g} s each; the first line of an instance is its own arrival rate.", "", *lines]


def drawn() -> list[str]:
    """Instances that nothing was tuned for, at the largest of the high loads."""
    rng, share = random.Random(20261127), HARD_LOADS[-1]
    lines = ["| J | L | memory ratio | spreads of memory, τ^c, τ^p | s_c GB | bound | paper | found s | rate / bound |"]
    lines.append("|--:|--:|--:|---|--:|--:|--:|--:|--:|")
    stable, paper_stable = 0, 0
    for seed, (servers, blocks) in enumerate(sorted(DRAWN)):
        parameters = RandomParameters(
            servers=servers,
            blocks=blocks,
            memory_ratio=Decimal(rng.choice((4, 6, 10, 20))),
            memory_spread=Decimal(rng.choice((2, 4, 8))),
            comm_spread=Decimal(rng.choice((1, 4, 8))),
            comp_spread=Decimal(rng.choice((2, 4, 8))),
            cache_gb=Decimal(rng.choice(("0.05", "0.1", "0.2"))),
        )
        instance = FAMILIES["random"].instance(parameters, seed=seed)
        most = chainopt.bound(instance, "rate", time_limit_s=DRAWN_BOUND_S)
        heavy = instance.replace(workload=Workload(arrival_rate=Decimal(f"{share * most:.8g}")))
        found, before = search(heavy, time_limit_s=LIMIT_S), paper(heavy)
        stable += found.value is not None
        paper_stable += before is not None
        spreads = f"{parameters.memory_spread:g}, {parameters.comm_spread:g}, {parameters.comp_spread:g}"
        shown = (f"{value:.2f}" if value else "unstable" for value in (before, found.value))
        rate = found.composition.total_service_rate if found.composition else 0.0
        lines.append(
            f"| {servers} | {blocks} | {parameters.memory_ratio:g} | {spreads} | {parameters.cache_gb:g} | {most:.4g} "
            f"| {' | '.join(shown)} | {rate / most:.4f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return [
        f"{len(DRAWN)} instances of the family `random`, parameters drawn, λ = {share:g} of the bound on the total "
        f"service rate, jobs/s, that is proven in {DRAWN_BOUND_S:g} s; {LIMIT_S:g} s each. Stable: {stable} by the "
        f"search, {paper_stable} by the paper's pipeline. Last the total service rate of what is found.",
        "",
        *lines,
    ]


def scale() -> list[str]:
    """Evaluations a second, and what little time gives at a thousand servers."""
    names = [
        *(f"bloom/bloom-ripe-j{j}-eta20-s1-medium" for j in (10, 20, 40, 100, 200)),
        "random/random-j300-l80-tight",
        "random/random-j1000-l80-loose",
        "random/random-j1000-l80-tight",
    ]
    lines = [
        "| instance | J | L | states/s | first s | found s | change % |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in names:
        instance = chainopt.read_instance(ROOT / "instances" / f"{name}.json")
        found = search(instance, time_limit_s=SCALE_S)
        first = found.history[0].value if found.history else math.nan
        change = found.value / first - 1 if found.value else math.nan
        lines.append(
            f"| {instance.name} | {len(instance.servers)} | {instance.service.blocks} "
            f"| {found.evaluations / SCALE_S:,.0f} | {first:.3f} | {found.value or math.nan:.3f} | {percent(change)} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return [f"{SCALE_S:g} s each; first is the best of all placement rules, where the search starts.", "", *lines]


PARTS = {"tiny": tiny, "bloom": bloom, "hard": hard, "drawn": drawn, "scale": scale}


def main() -> None:
    """Measure and write the pages."""
    for servers in (10, 20, 100):  # each kind of plan, for that compiles what it uses
        name = f"bloom-ripe-j{servers}-eta20-s1-medium.json"
        search(chainopt.read_instance(ROOT / "instances" / "bloom" / name), iterations=2000)
    for part in sys.argv[1:] or PARTS:
        begin = time.monotonic()
        table = PARTS[part]()
        lines = [f"# Search: {part}", "", f"Made by `python benchmarks/search.py {part}`.", "", *describe()]
        lines += [f"- {time.monotonic() - begin:,.0f} s in all", "", *table]
        target = ROOT / "benchmarks" / "results" / f"search-{part}.md"
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(target, file=sys.stderr)


if __name__ == "__main__":
    main()
