"""Times all kernels, adds them to the history, and writes its page: ``python -m benchmarks.speed``.

Other arguments go to pyperf: ``--processes``, ``--values`` and ``--min-time`` trade time for certainty.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyperf

from benchmarks.environment import ROOT
from benchmarks.speed.history import append_history, page
from benchmarks.speed.kernels import REFERENCE
from chainopt.bench.environment import environment
from chainopt.files.text import write_text

SCRIPT = Path(__file__).with_name("kernels.py")
HISTORY = ROOT / "benchmarks" / "results" / "speed-history.csv"
PAGE = HISTORY.with_suffix(".md")
QUICK = ("--processes", "2", "--values", "5", "--warmups", "1", "--min-time", "0.05", "--copy-env")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        subprocess.run([sys.executable, str(SCRIPT), *QUICK, *sys.argv[1:], "-o", str(found)], check=True, cwd=ROOT)
        suite = pyperf.BenchmarkSuite.load(str(found))
    benchmarks = {benchmark.get_name(): benchmark for benchmark in suite.get_benchmarks()}
    references = [benchmarks.pop(f"{REFERENCE} {moment}") for moment in ("before", "after")]
    reference = min(value for benchmark in references for value in benchmark.get_values())
    where, now = environment(), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    rows = []
    for name, benchmark in benchmarks.items():
        kernel, servers = name.rsplit(" | ", 1)
        least = min(benchmark.get_values())
        rows.append(
            {
                "date": now,
                "commit": where["commit"] or "unknown",
                "kernel": kernel,
                "servers": servers,
                "least_s": f"{least:.6g}",
                "median_s": f"{benchmark.median():.6g}",
                "reference_s": f"{reference:.6g}",
                "relative": f"{least / reference:.6g}",
                "processor": where["processor"],
                "python": where["python"],
                "numba": where["packages"]["numba"],
            }
        )
    write_text(page(append_history(rows, HISTORY)), PAGE)
    print(HISTORY, PAGE, sep="\n")


if __name__ == "__main__":
    main()
