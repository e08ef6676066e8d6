"""The joint problem, exactly: whether all ways agree, and how far each comes in a minute.

Run with ``python benchmarks/exact_joint.py``; it writes ``benchmarks/results/exact-joint.md``. It takes about twenty
minutes on two cores; ``--quick`` takes a minute and shows the same tables for fewer instances.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe
from chainopt.errors import InfeasibleError
from chainopt.exact.bounds import envelope_of
from chainopt.exact.joint import ENGINES, Joint, solve_joint
from chainopt.model import Instance, Objective, Server, Service, Status, Workload

LOADS = (0.2, 0.4, 0.6, 0.8)
LIMIT_S = 60.0
TRUTH_LIMIT_S = 15.0
WITNESS_LIMIT_S = 2.0
WORKERS = 2
RANDOM_INSTANCES = 500
RACES = [
    (Objective.JOB_SERVERS, "sizes", [4, 5, 6, 7, 8]),
    (Objective.RATE, "sizes", [4, 5, 6, 7, 8]),
    (Objective.RESPONSE_TIME, "sizes", [4, 5, 6, 7, 8]),
    (Objective.JOB_SERVERS, "job-slots", [4, 5, 6, 7]),
    (Objective.JOB_SERVERS, "chain-columns", [4, 5]),
    (Objective.RESPONSE_TIME, "enumeration", [4, 5, 6]),
]


def toy(servers: int, blocks: int, seed: int, load: float) -> Instance | None:
    """M ~ U(1.4, L/2 + 1), s_m = 1, s_c in {.1, .2, .3}; R is `load` of the relaxation's largest rate."""
    rng = random.Random(f"{servers}-{blocks}-{seed}")
    cache_gb = rng.choice([Decimal("0.1"), Decimal("0.2"), Decimal("0.3")])

    def draw(least: float, most: float, places: int) -> Decimal:
        return Decimal(str(round(rng.uniform(least, most), places)))

    instance = Instance(
        name=f"toy-{servers}-{blocks}-{seed}",
        service=Service(blocks=blocks, block_gb=1, cache_gb=cache_gb),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=draw(1.4, blocks / 2 + 1, 2),
                comm_s=draw(0.1, 2, 3),
                comp_s_per_block=draw(0.02, 0.5, 3),
            )
            for j in range(servers)
        ],
    )
    try:
        envelope = envelope_of(instance)
    except InfeasibleError:
        return None
    envelope.solve(envelope.most_jobs)
    rate = Decimal(str(round(0.7 * load * envelope.most, 6)))
    return instance.replace(workload=Workload(arrival_rate=rate, target_load=Decimal("0.7")))


def toys(servers: int, blocks: int, count: int) -> list[Instance]:
    """The first so many that have a composition, at the four loads in turn."""
    found: list[Instance] = []
    seed = 0
    while len(found) < count:
        instance = toy(servers, blocks, seed, LOADS[len(found) % len(LOADS)])
        seed += 1
        if instance is not None:
            found.append(instance)
    return found


def answer(joint: Joint) -> tuple[str, float | None] | None:
    """What is proven, None where nothing is."""
    if joint.status in (Status.FEASIBLE, Status.UNKNOWN):
        return None
    return joint.status.value, joint.value


def agreement(
    instances: list[Instance],
    objectives: Sequence[Objective] = tuple(Objective),
    witness_limit_s: float = WITNESS_LIMIT_S,
    truth_limit_s: float = TRUTH_LIMIT_S,
) -> list[str]:
    """How often each engine proves what enumeration proves."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    below: Counter[str] = Counter()
    for instance in instances:
        for objective in objectives:
            truth = solve_joint(instance, objective, engine="enumeration", time_limit_s=truth_limit_s)
            proven = answer(truth)
            for engine, (_, answers) in ENGINES.items():
                if engine == "enumeration" or objective not in answers or proven is None:
                    continue
                joint = solve_joint(
                    instance,
                    objective,
                    engine=engine,
                    time_limit_s=LIMIT_S if engine == "sizes" else witness_limit_s,
                    greedy=False,
                )
                count = counts.setdefault((objective.value, engine), Counter())
                count["refused"] += len(joint.refused)
                theirs = answer(joint)
                if theirs is None:
                    count["undecided"] += 1
                elif theirs[0] == proven[0] and math.isclose(theirs[1] or 0, proven[1] or 0, rel_tol=2e-9):
                    count["agrees"] += 1
                else:
                    count["DISAGREES"] += 1
                    print("DISAGREES", instance.name, objective, engine, theirs, proven, file=sys.stderr)
            if proven is None:
                below["enumeration undecided"] += 1
            elif truth.root_bound is not None and truth.value is not None:
                sign = -1 if objective is Objective.RATE else 1
                over = sign * (truth.root_bound - truth.value)
                below["bound beyond the optimum"] += over > 1e-9 * truth.value
                below["bounds compared"] += 1
    lines = [
        "| objective | engine | agrees | undecided | disagrees | solutions refused |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for (objective_name, engine), count in sorted(counts.items()):
        lines.append(
            f"| {objective_name} | {engine} | {count['agrees']} | {count['undecided']} | {count['DISAGREES']} "
            f"| {count['refused']} |"
        )
    compared, beyond, open_ = (
        below[key] for key in ("bounds compared", "bound beyond the optimum", "enumeration undecided")
    )
    return [
        *lines,
        "",
        f"The bound of the relaxation was compared with {compared} enumerated optima and was beyond {beyond} of them; "
        f"{open_} runs of the enumeration did not end in {truth_limit_s:g} s and are left out.",
    ]


def race(size: int, count: int, objective: Objective, engine: str) -> str:
    """One line: how many are proven, and how fast."""
    solve_joint(toys(3, 3, 1)[0], objective, engine=engine)  # compiles
    runs = [
        solve_joint(instance, objective, engine=engine, time_limit_s=LIMIT_S) for instance in toys(size, size, count)
    ]
    closed = Counter(run.closed_by or "open" for run in runs)
    times = sorted(run.runtime_s for run in runs)
    optimal = sum(run.status is Status.OPTIMAL for run in runs)
    impossible = sum(run.status in (Status.INFEASIBLE, Status.UNSTABLE) for run in runs)
    tight = sum(run.status is Status.OPTIMAL and run.value == run.root_bound for run in runs)
    line = (
        f"| {size}x{size} | {objective.value} | {engine} | {closed['root']} | {closed[engine]} | {optimal} "
        f"| {impossible} | {closed['open']} | {tight if objective is Objective.JOB_SERVERS else ''} "
        f"| {statistics.median(times):.2f} | {times[math.ceil(0.9 * len(times)) - 1]:.2f} | {times[-1]:.2f} |"
    )
    print(line, file=sys.stderr, flush=True)
    return line


def main() -> None:
    """Measure and write the page."""
    quick = "--quick" in sys.argv
    begin = time.monotonic()
    rng = random.Random(20)
    tiny = [chainopt.read_instance(path) for path in sorted((ROOT / "instances" / "tiny").glob("*.json"))]
    random_instances = [
        instance
        for seed in range(10_000)
        if (instance := toy(rng.randint(1, 5), rng.randint(1, 5), seed, rng.choice(LOADS))) is not None
    ][: 20 if quick else RANDOM_INSTANCES]
    count = 4 if quick else 16
    head = [
        "| size | objective | engine | closed at the root | closed by the engine | optimal | proven infeasible | open "
        "| optimum = ceil(bound) | median s | p90 s | max s |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    races = [
        (size, count, objective, engine)
        for objective, engine, sizes in RACES
        for size in (sizes[:2] if quick else sizes)
    ]
    with ProcessPoolExecutor(WORKERS) as pool:
        pages = [pool.submit(agreement, some) for some in (random_instances, tiny[:10] if quick else tiny)]
        raced = [pool.submit(race, *arguments) for arguments in races]
        tables = [future.result() for future in raced]
        agreed_random, agreed = (future.result() for future in pages)
    lines = [
        "# The joint problem, exactly",
        "",
        "Made by `python benchmarks/exact_joint.py`.",
        "",
        *describe(),
        f"- {WORKERS} processes at a time, one core each, on a machine that did other work too; "
        f"{time.monotonic() - begin:,.0f} s in all" + (", with `--quick`" if quick else ""),
        "",
        "## How far each comes in a minute",
        "",
        f"{count} instances a size, drawn: memories U(1.4, L/2 + 1) GB, blocks 1 GB, caches 0.1, 0.2 or 0.3 GB, "
        "τ^c U(0.1, 2) s, τ^p U(0.02, 0.5) s; R is 0.2, 0.4, 0.6 and 0.8 of the relaxation's largest rate in turn, and "
        f"λ = 0.7 R. {LIMIT_S:g} s each on one core; seconds have everything in them, the greedy start too.",
        "",
        *head,
        *tables,
        "",
        "## Whether they agree",
        "",
        "Every engine against the enumeration, which shares no search with the two models. Engines get no greedy start "
        f"here; the models have {WITNESS_LIMIT_S:g} s each. Values agree up to a relative 2e-9.",
        "",
        f"The {len(tiny[:10] if quick else tiny)} instances of `instances/tiny`:",
        "",
        *agreed,
        "",
        f"{len(random_instances)} instances drawn as above, with 1 to 5 servers and 1 to 5 blocks:",
        "",
        *agreed_random,
    ]
    target = ROOT / "benchmarks" / "results" / ("exact-joint-quick.md" if quick else "exact-joint.md")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"written": str(target)}))


if __name__ == "__main__":
    main()
