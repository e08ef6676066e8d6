"""Does a benchmark survive being killed? 2,000 small runs, SIGKILL at 20 random moments, resumed each time.

Run with ``python benchmarks/bench_kills.py [RUNS [KILLS]]``; the page is ``benchmarks/results/bench-kills.md``. After
all of it there must be exactly as many distinct, verified results as runs, each whole, none of them made twice, and
equal to those of the same suite that nobody disturbs.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.environment import ROOT, describe
from chainopt.bench.journal import RESULTS

RUNS, KILLS, WORKERS = 2_000, 20, 2
_METHODS = ("gbp-cr+gca", "random+gca")
_DIFFER = ("runtime_s", "finished", "environment")
_PATIENCE_S = 1800.0


def suite(runs: int) -> str:
    """A suite of small instances, half of the runs of each method."""
    methods = "".join(f'[[methods]]\nname = "{name}"\noptions = {{ cache_reservation = 1 }}\n' for name in _METHODS)
    generated = (
        f'[[generate]]\nfamily = "tiny"\nseeds = [{", ".join(map(str, range(runs // len(_METHODS))))}]\n'
        "parameters = { servers = 4, blocks = 4, bound_share = 0.2 }\n"
    )
    return f'name = "kills"\n{generated}{methods}'


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def command(folder: Path, target: Path) -> list[str]:
    arguments = ["bench", folder / "suite.toml", "--workers", WORKERS, "--resume", "-q", "-o", target]
    return [sys.executable, "-m", "chainopt", *map(str, arguments)]


def disturbed(folder: Path, runs: int, kills: int) -> tuple[list[int], float]:
    """Results that were there at each kill, and seconds in all."""
    rng = random.Random(1)
    target = folder / "killed"
    ends = sorted(rng.sample(range(1, runs), kills))
    seen = []
    begin = time.monotonic()
    for end in ends:
        with subprocess.Popen(command(folder, target), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            until = time.monotonic() + _PATIENCE_S
            while len(lines(target / RESULTS)) < end and time.monotonic() < until:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.05))  # not always between two runs
            process.send_signal(signal.SIGKILL)
        seen.append(len(lines(target / RESULTS)))
    subprocess.run(command(folder, target), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return seen, time.monotonic() - begin


def results(path: Path) -> dict[str, dict[str, object]]:
    """By key, without what differs from one time to the next; every line must be whole, every key there once."""
    records = [json.loads(line) for line in lines(path)]
    found = {record["key"]: record for record in records}
    assert len(found) == len(records), "a run was made twice"
    assert path.read_bytes().endswith(b"\n")
    return {key: {name: record[name] for name in record if name not in _DIFFER} for key, record in found.items()}


def main(runs: int, kills: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "suite.toml").write_text(suite(runs))
        seen, seconds = disturbed(folder, runs, kills)
        killed = results(folder / "killed" / RESULTS)
        begin = time.monotonic()
        subprocess.run(command(folder, folder / "calm"), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        calm_s = time.monotonic() - begin
        calm = results(folder / "calm" / RESULTS)
    verified = sum(bool(record["verified"]) for record in killed.values())
    assert len(killed) == verified == runs
    assert killed == calm
    page = [
        "# A benchmark that is killed",
        "",
        f"`python benchmarks/bench_kills.py`: {runs:,} runs ({' and '.join(_METHODS)} on generated instances of 4 "
        f"servers and 4 blocks, {WORKERS} processes), SIGKILL at {kills} random moments, each time resumed.",
        "",
        *describe(),
        "",
        "| | |",
        "|---|--:|",
        f"| kills | {len(seen)} |",
        f"| results on disk at the kills | {', '.join(map(str, seen))} |",
        f"| distinct results in the end | {len(killed):,} |",
        f"| verified | {verified:,} |",
        "| runs made twice | 0 |",
        "| records that differ from an undisturbed benchmark | 0 |",
        f"| seconds with kills, without | {seconds:.0f}, {calm_s:.0f} |",
    ]
    (ROOT / "benchmarks" / "results" / "bench-kills.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main(*(map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (RUNS, KILLS)))
