"""Time limits are kept, and killing a solve leaves no broken file.

Run with ``python benchmarks/limits.py``; it writes ``benchmarks/results/limits.md``. Fifty instances that are too large
to be proven are solved with a limit, as whole calls in one process; and whole processes that write a file are killed at
random moments.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe

LIMITS_S = (1.0, 3.0)
HARD = 50
KILLS = 60


def hard_instances() -> list[Path]:
    """The largest instances first, of every family."""
    paths = [p for p in (ROOT / "instances").glob("*/*.json") if ".sol." not in p.name]
    sizes = {
        p: len(chainopt.read_instance(p).servers) for p in paths if p.parent.name not in ("tiny", "worked-example")
    }
    return sorted(sizes, key=lambda p: (-sizes[p], p.name))[:HARD]


def overshoots(limit_s: float) -> list[tuple[float, str]]:
    found = []
    for i, path in enumerate(hard_instances()):
        instance = chainopt.read_instance(path)
        objective = ("response-time", "job-servers", "rate")[i % 3]
        begin = time.perf_counter()
        with contextlib.suppress(chainopt.ChainoptError):  # infeasible and unstable are answers too
            chainopt.compose(instance, "exact", objective, time_limit_s=limit_s)
        found.append((time.perf_counter() - begin - limit_s, f"{instance.name}, {objective}"))
    return sorted(found, reverse=True)


def kills() -> tuple[int, int, int]:
    """Runs that were killed before and after the file was there, and broken files."""
    draw = random.Random(1).random
    before = after = broken = 0
    instance = ROOT / "instances" / "bloom" / "bloom-ripe-j20-eta20-s1-medium.json"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x.sol.json"
        command = [sys.executable, "-m", "chainopt", "solve", str(instance), "-o", str(target)]
        begin = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        usual = time.perf_counter() - begin
        for _ in range(KILLS):
            target.unlink(missing_ok=True)
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
            time.sleep(usual * (0.5 + 0.6 * draw()))
            child.send_signal(signal.SIGKILL)
            child.wait()
            if not target.exists():
                before += 1
                continue
            after += 1
            try:
                solution = chainopt.read_solution(target)
                broken += bool(chainopt.verify(chainopt.read_instance(instance), solution))
            except chainopt.FormatError:
                broken += 1
    return before, after, broken


def main() -> None:
    """Measure and write the page."""
    lines = ["# Limits", "", "Made by `python benchmarks/limits.py`.", "", *describe(), "", "## Time limits", ""]
    lines += [f"The {HARD} instances with the most servers, `--method exact`, objectives in turn.", ""]
    lines += ["| limit s | over it, median s | over it, longest s | which |", "|--:|--:|--:|---|"]
    chainopt.compose(chainopt.read_instance(hard_instances()[-1]), "exact", time_limit_s=1)  # compiles
    for limit_s in LIMITS_S:
        over = overshoots(limit_s)
        lines.append(f"| {limit_s:g} | {over[len(over) // 2][0]:.2f} | {over[0][0]:.2f} | {over[0][1]} |")
    before, after, broken = kills()
    lines += [
        "",
        "## Kills",
        "",
        f"{KILLS} runs of `chainopt solve -o` killed with SIGKILL around the moment they write: ",
    ]
    lines[-1] += f"{before} left no file, {after} a whole one, {broken} a broken one."
    (ROOT / "benchmarks" / "results" / "limits.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
