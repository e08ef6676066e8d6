"""Fewest job servers: two formulations with their own solvers, the search, and the enumeration, with time to decide.

Run with ``python benchmarks/exact_agreement.py``; it writes ``benchmarks/results/exact-agreement.md``. It asks what
``exact_joint.py`` asks, for [eq. 5] only, but gives the models and the enumeration long enough to answer.
"""

from __future__ import annotations

import random
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks import exact_joint
from benchmarks.environment import ROOT, describe
from chainopt.model import Objective

WITNESS_LIMIT_S = 30.0
TRUTH_LIMIT_S = 120.0


def main() -> None:
    """Measure and write the page."""
    rng = random.Random(20)  # the same instances as there
    drawn = (
        exact_joint.toy(rng.randint(1, 5), rng.randint(1, 5), s, rng.choice(exact_joint.LOADS)) for s in range(10_000)
    )
    instances = [instance for instance in drawn if instance is not None][: exact_joint.RANDOM_INSTANCES]
    tiny = [chainopt.read_instance(path) for path in sorted((ROOT / "instances" / "tiny").glob("*.json"))]
    limits = (WITNESS_LIMIT_S, TRUTH_LIMIT_S)
    with ProcessPoolExecutor(2) as pool:
        pages = [
            pool.submit(exact_joint.agreement, some, [Objective.JOB_SERVERS], *limits) for some in (tiny, instances)
        ]
        agreed, agreed_random = (page.result() for page in pages)
    lines = [
        "# Whether all ways to the fewest job servers agree",
        "",
        "Made by `python benchmarks/exact_agreement.py`.",
        "",
        *describe(),
        "",
        f"Job slots is a model for CP-SAT, chain columns one for HiGHS; both have {WITNESS_LIMIT_S:g} s, the "
        f"enumeration has {TRUTH_LIMIT_S:g} s. None has a greedy start.",
        "",
        f"The {len(tiny)} instances of `instances/tiny`:",
        "",
        *agreed,
        "",
        f"{len(instances)} random instances with 1 to 5 servers and 1 to 5 blocks:",
        "",
        *agreed_random,
    ]
    (ROOT / "benchmarks" / "results" / "exact-agreement.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
