"""Pages of 20, 200 and 1000 servers: how large they are, how long they take to make and to open in Chromium.

Run with ``python -m benchmarks.report``; it writes ``benchmarks/results/report.md``. It needs playwright and Chromium.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import chainopt
from benchmarks.environment import ROOT, describe
from chainopt.cli import main as chainopt_command
from chainopt.model import Instance, Solution
from chainopt.report import write_report
from tests.report.browser import launched, visited

REPEATS = 9
SLOWER = 4
"""How much slower a phone is taken to be."""

# after the click, the time until the frame that shows its outcome is drawn
CLICK = """() => new Promise((resolve) => {
    const begin = performance.now();
    document.querySelector("#chips li:last-child").click();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - begin)));
})"""
TIMES = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
        const [seen] = list.getEntriesByName("first-contentful-paint");
        if (seen) resolve([seen.startTime, performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd]);
    }).observe({ type: "paint", buffered: true });
})"""


def instances() -> list[Instance]:
    """Two of the library, and a thousand servers that differ, for 70 blocks."""
    names = ("bloom-ripe-j20-eta20-s1-paper", "bloom-ripe-j200-eta20-s1-heavy")
    found = [chainopt.read_instance(ROOT / "instances" / "bloom" / f"{name}.json") for name in names]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x.json"
        options = ("--servers", "1000", "--blocks", "70", "--memory-ratio", "20", "--seed", "1")
        made = CliRunner().invoke(chainopt_command, ["generate", "random", *options, "-o", str(target)])
        assert made.exit_code == 0, made.output
        return [*found, chainopt.read_instance(target)]


def made(instance: Instance, solution: Solution, target: Path) -> float:
    """Seconds to make the page, the median of three."""
    took = []
    for _ in range(3):
        begin = time.perf_counter()
        write_report(instance, solution, target)
        took.append(time.perf_counter() - begin)
    return statistics.median(took)


def opened(browser: Any, page: Path, slower: int) -> tuple[float, float, float]:
    """Milliseconds until something is seen, until the script has run, and from a click to what it shows; medians."""
    runs = []
    for _ in range(REPEATS):
        with visited(browser, page) as visit:
            visit.page.goto("about:blank")
            session = visit.page.context.new_cdp_session(visit.page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
            visit.page.goto(page.as_uri())
            visit.page.locator("#chips").scroll_into_view_if_needed()
            visit.page.wait_for_timeout(200)
            runs.append((*visit.page.evaluate(TIMES), visit.page.evaluate(CLICK)))
            assert visit.console == visit.errors == []
    return tuple(statistics.median(values) for values in zip(*runs, strict=True))  # type: ignore[return-value]


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        version = browser.version
        for instance in instances():
            solution = chainopt.compose(instance, method="paper")
            page = Path(folder) / f"{instance.name}.html"
            seconds = made(instance, solution, page)
            times = [f"{value:.0f}" for slower in (1, SLOWER) for value in opened(browser, page, slower)]
            cells = [len(instance.servers), len(solution.chains), f"{page.stat().st_size / 1000:.0f}", f"{seconds:.2f}"]
            rows.append(f"| {' | '.join(map(str, [*cells, *times]))} |")
            print(rows[-1], flush=True)
    lines = [
        "# Pages of `chainopt report`",
        "",
        "Made by `python -m benchmarks.report`.",
        "",
        *describe(),
        f"- Chromium {version} without a window",
        "",
        f"Medians of {REPEATS} visits, each in a new context, opened from disk. *Seen* is the first contentful paint,",
        "*ready* when the page's script has run and every interaction works, *click* from the choice of a chain to the",
        f"frame that shows it. On the right the processor is slowed down {SLOWER} times, as a phone would be.",
        "",
        "| J | chains | size kB | made in s | seen ms | ready ms | click ms | slow: seen ms | ready ms | click ms |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *rows,
        "",
    ]
    (ROOT / "benchmarks" / "results" / "report.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
