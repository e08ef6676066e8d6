"""How close the proven bound on the mean response time is to the best composition known.

Run with ``python benchmarks/bounds.py [FOLDER...]``; it writes ``benchmarks/results/bounds.md``. The gap is split with
Theorem 4's lower bound of the same composition, in which jobs move to the fastest chains for free: what lies between
the exact time and it is what the bound loses because it lets jobs move, and the rest is lost by the composition, or by
the bound's forgetting of positions and of whole numbers.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe

LIMIT_S = 30.0
SPLIT = """\
Moving is what lies between the exact time and Theorem 4's lower bound of the same composition, where jobs move to the
fastest chains for free; the rest is lost by the composition, or by the bound's forgetting of positions."""


def row(path: Path) -> tuple[str, list[float]] | None:
    instance = chainopt.read_instance(path)
    known = path.with_suffix(".sol.json")
    try:
        solution = chainopt.read_solution(known) if known.exists() else chainopt.compose(instance)
    except chainopt.ChainoptError:
        return None
    begin = time.perf_counter()
    bound = chainopt.bound(instance, time_limit_s=LIMIT_S)
    seconds = time.perf_counter() - begin
    found = solution.evaluation
    assert found is not None
    assert found.mean_response_time_s is not None
    assert found.lower_bound_s is not None
    exact, free = found.mean_response_time_s, found.lower_bound_s
    gap, moving = 1 - bound / exact, 1 - free / exact
    text = (
        f"| {instance.name} | {len(instance.servers)} | {found.load:.2f} | {exact:.3f} | {bound:.3f} | {100 * gap:.1f} "
        f"| {100 * moving:.1f} | {100 * (gap - moving):.1f} | {seconds:.2f} |"
    )
    return text, [len(instance.servers), gap, moving, seconds]


def main() -> None:
    """Measure and write the page."""
    folders = sys.argv[1:] or ["bloom"]
    paths = [p for f in folders for p in sorted((ROOT / "instances" / f).glob("*.json")) if ".sol." not in p.name]
    chainopt.bound(chainopt.read_instance(paths[0]))  # compiles
    rows = [found for path in paths if (found := row(path)) is not None]
    lines = ["# Proven bound on the mean response time", "", "Made by `python benchmarks/bounds.py`.", "", *describe()]
    lines += ["", "By number of servers: means over instances, and the longest time.", ""]
    lines += ["| J | instances | gap % | of it moving % | rest % | time s, longest |", "|--:|--:|--:|--:|--:|--:|"]
    for servers in sorted({int(figures[0]) for _, figures in rows}):
        group = [figures for _, figures in rows if figures[0] == servers]
        gap, moving = (100 * statistics.mean(figures[i] for figures in group) for i in (1, 2))
        longest = max(figures[3] for figures in group)
        lines.append(f"| {servers} | {len(group)} | {gap:.1f} | {moving:.1f} | {gap - moving:.1f} | {longest:.2f} |")
    lines += ["", SPLIT, "", "Each instance:", ""]
    lines += [
        "| instance | J | load | exact s | bound s | gap % | moving % | rest % | time s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(text for text, _ in rows),
    ]
    (ROOT / "benchmarks" / "results" / "bounds.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
