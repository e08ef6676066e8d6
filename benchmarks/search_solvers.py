"""The search beside general-purpose solvers on the joint model, in the same time.

Run with ``python benchmarks/search_solvers.py``; it writes ``benchmarks/results/search-solvers.md``. CP-SAT solves the
model of job slots, HiGHS that of chain columns; both start from the paper's algorithms and the bound of the relaxation,
as ``--method exact --engine`` runs them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe
from benchmarks.exact_joint import toys
from chainopt.errors import ChainoptError
from chainopt.exact import ExactOptions
from chainopt.exact.joint import solve_joint
from chainopt.model import Instance, Objective
from chainopt.search import search
from chainopt.warm_up import warm_up

LIMIT_S = 10.0
OBJECTIVES = (Objective.JOB_SERVERS, Objective.RATE)


def instances() -> list[Instance]:
    """Small ones from which the solvers can profit, and two of BLOOM-176B."""
    small = [instance for size in (5, 6, 8, 10) for instance in toys(size, size, 4)[2:]]
    names = ("bloom-ripe-j10-eta20-s1-medium", "bloom-ripe-j20-eta20-s1-medium")
    return small + [chainopt.read_instance(ROOT / "instances" / "bloom" / f"{name}.json") for name in names]


def by_solver(instance: Instance, objective: Objective, engine: str) -> str:
    """Value, with a star if it is proven, and the time it took."""
    started = time.perf_counter()
    try:
        found = solve_joint(instance, objective, time_limit_s=LIMIT_S, options=ExactOptions(engine=engine))
    except ChainoptError as error:
        return f"{type(error).__name__}"
    took = time.perf_counter() - started
    value = "none" if found.value is None else f"{found.value:.5g}"
    return f"{value}{'*' if found.status == 'optimal' else ''} ({took:.1f} s)"


def main() -> None:
    """Measure and write the page."""
    lines = [
        "# The search beside general-purpose solvers",
        "",
        "Made by `python benchmarks/search_solvers.py`.",
        "",
        *describe(),
        "",
        f"{LIMIT_S:g} s each on one core; in brackets the time until a solver ended by itself, * is proven optimal.",
        "The search stops at its limit only. Job servers are to be few, rates (jobs/s) large; none is that nothing was",
        "found that serves the design rate.",
        "",
        "| instance | J | L | objective | paper's algorithms | search | CP-SAT, job slots | HiGHS, chain columns |",
        "|---|--:|--:|---|--:|--:|--:|--:|",
    ]
    for objective in OBJECTIVES:
        warm_up(objective, enumerates=True)
        for instance in instances():
            try:
                paper = chainopt.compose(instance, "paper", objective)
                greedy = "none" if paper.status == "unknown" else f"{paper.value:.5g}"
            except ChainoptError:
                greedy = "none"
            found = search(instance, objective, time_limit_s=LIMIT_S)
            value = "none" if found.value is None else f"{found.value:.5g}"
            solvers = " | ".join(by_solver(instance, objective, engine) for engine in ("job-slots", "chain-columns"))
            size = f"{len(instance.servers)} | {instance.service.blocks}"
            lines.append(f"| {instance.name} | {size} | {objective} | {greedy} | {value} | {solvers} |")
            print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "results" / "search-solvers.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
