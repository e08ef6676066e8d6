"""The simulator against exact results, its speed, and the Azure trace beside the paper's Table 1.

Run with ``python benchmarks/simulation.py [PART...]``, where a part is ``agreement``, ``speed`` or ``azure``; all of
them by default. Each writes a page of ``benchmarks/results``. The comparison of speeds needs SimPy and Ciw.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import (
    simulation_agreement,
    simulation_azure,
    simulation_intervals,
    simulation_rivals,
    simulation_speed,
)
from benchmarks.environment import ROOT, describe

Section = tuple[str, Callable[[], list[str]]]

PAGES: dict[str, tuple[str, str, list[Section]]] = {
    "agreement": (
        "simulation-agreement",
        "Agreement of the simulator with exact results",
        [
            ("Random systems under JFFC", simulation_agreement.random_systems),
            ("Closed forms", simulation_agreement.closed_forms),
            ("Coverage of the intervals", simulation_intervals.coverage),
            ("Variance reduction", simulation_intervals.variance_reduction),
        ],
    ),
    "speed": (
        "simulation-speed",
        "Speed of the simulator",
        [
            ("JFFC on given jobs", simulation_speed.given_jobs),
            ("All policies", simulation_speed.all_policies),
            ("Cost against the number of job servers", simulation_speed.job_servers),
            ("Beside other simulators", simulation_rivals.other_simulators),
            ("Long runs", simulation_speed.long_runs),
            ("Compilation", simulation_speed.compilation),
        ],
    ),
    "azure": (
        "azure",
        "The Azure trace beside the paper's Table 1",
        [
            ("What is compared", simulation_azure.setting),
            ("The instances as they are", simulation_azure.as_they_are),
            ("Service times as long as the paper's", simulation_azure.as_slow_as_the_paper),
            ("Waits as long as the paper's", simulation_azure.as_loaded_as_the_paper),
            ("All policies, and how long it takes", simulation_azure.all_policies),
        ],
    ),
}


def main() -> None:
    """Measure and write the pages."""
    for part in sys.argv[1:] or PAGES:
        name, title, sections = PAGES[part]
        lines = [
            f"# {title}",
            "",
            f"Made by `python benchmarks/simulation.py {part}` from fixed seeds.",
            "",
            *describe(),
        ]
        for heading, measure in sections:
            begin = time.perf_counter()
            lines += ["", f"## {heading}", "", *measure()]
            print(f"{part}: {heading}, {time.perf_counter() - begin:.0f} s", flush=True)
            (ROOT / "benchmarks" / "results" / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
