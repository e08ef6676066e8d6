"""The core against its witnesses on large samples: what agrees, how often, and the worst difference.

Run with ``python benchmarks/agreement.py``; it writes ``benchmarks/results/agreement.md``, and its exit code is 1 if
anything disagrees. The witnesses stand in ``tests/oracles``: slow, in fractions where that is possible, and without an
algorithm of chainopt.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT, describe
from chainopt.allocation import gca
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.exact import bound
from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from chainopt.placement import gbp_cr
from chainopt.queueing import jffc, jffc_bounds
from chainopt.verification import response as independent
from tests.oracles.chains import fastest_first, greedy_strings, memory
from tests.oracles.queues import lattice, markov_chain, waiting_in_mmc

LOADS = (1e-6, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99, 1 - 1e-4, 1 - 1e-6)
System = tuple[list[float], list[int]]
"""Rates, fastest first, and capacities."""


@dataclass
class Tally:
    """Comparisons so far.

    Attributes
    ----------
    tolerance
        Relative difference up to which two numbers agree.
    cases
        Instances or systems.
    comparisons
        Numbers or whole results that were compared.
    worst
        Largest relative difference.
    disagreements
        How many were more than the tolerance apart.
    remark
        What the cases were like.
    """

    tolerance: float = 0.0
    cases: int = 0
    comparisons: int = 0
    worst: float = 0.0
    disagreements: int = 0
    remark: str = ""

    def same(self, found: object, expected: object) -> None:
        """Compare two results that should be equal."""
        self.comparisons += 1
        self.disagreements += found != expected

    def close(self, found: float, expected: float) -> None:
        """Compare two numbers."""
        self.at_most(abs(found - expected), 0.0, abs(expected))

    def at_most(self, less: float, more: float, scale: float) -> None:
        """Check that `less` is no more than `more`, relative to `scale`."""
        self.comparisons += 1
        excess = max(less - more, 0.0) / scale if scale else float(less > more)
        self.worst = max(self.worst, excess)
        self.disagreements += not excess <= self.tolerance


def random_instance(draw: random.Random, *, pins: bool = False) -> Instance:
    """Up to nine servers of at most three kinds, so that ties abound, and decimals that floats round."""
    blocks = draw.randint(1, 6)
    block, cache = draw.choice(["1", "1.32", "0.7"]), draw.choice(["0.1", "0.11", "0.3", "1"])
    kinds = [
        (Decimal(draw.randint(10, 80)).scaleb(-1), draw.choice(["0", "0", "0.3"]), *random_times(draw))
        for _ in range(draw.randint(1, 3))
    ]
    servers = []
    for j in range(draw.randint(2, 9)):
        memory_gb, reserve, comm, comp = draw.choice(kinds)
        room = min(floor((Fraction(memory_gb) - Fraction(reserve)) / Fraction(block)), blocks)
        pin = None
        if pins and room and draw.random() < 0.3:
            size = draw.randint(1, room)
            start = draw.randint(0, blocks - size)
            pin = BlockRange(start=start, stop=start + size)
        servers.append(
            Server(
                id=f"s{j}",
                memory_gb=memory_gb,
                reserve_gb=Decimal(reserve),
                comm_s=comm,
                comp_s_per_block=comp,
                pin=pin,
            )
        )
    return Instance(
        name="random",
        service=Service(blocks=blocks, block_gb=Decimal(block), cache_gb=Decimal(cache)),
        workload=Workload(
            arrival_rate=Decimal(draw.randint(1, 300)).scaleb(-2), target_load=Decimal(draw.randint(3, 9)).scaleb(-1)
        ),
        servers=servers,
    )


def random_times(draw: random.Random) -> tuple[Decimal, Decimal]:
    """τ^c and τ^p: whole numbers, where paths tie, or tenths and thousandths, where floats round."""
    comm, comp, places = draw.choice([(3, 2, 0), (30, 10, 1), (2000, 300, 3)])
    return Decimal(draw.randint(places > 0, comm)).scaleb(-places), Decimal(draw.randint(1, comp)).scaleb(-places)


def random_placement(draw: random.Random, instance: Instance) -> Placement:
    """Any placement that fits: empty servers, gaps, overlaps and all."""
    start, stop = [], []
    for j in range(len(instance.servers)):
        most = min(floor(memory(instance, j) / Fraction(instance.service.block_gb)), instance.service.blocks)
        size = draw.choice([most, draw.randint(0, most)])
        last = instance.service.blocks - size
        start.append(draw.choice([0, last, draw.randint(0, last)]))
        stop.append(start[-1] + size)
    return Placement(start, stop)


def random_system(draw: random.Random, most_chains: int, most_capacity: int) -> System:
    """Rates that differ by a factor of up to 1000."""
    chains = draw.randint(1, most_chains)
    ratio = 10 ** draw.uniform(0, 3)
    rates = sorted((ratio ** -draw.random() for _ in range(chains)), reverse=True)
    return rates, [draw.randint(1, most_capacity) for _ in rates]


def arrival_rate(system: System, load: float) -> float:
    """Arrival rate at a load."""
    return load * float(np.dot(*system))


def greedy_allocation(cases: int = 20_000) -> Tally:
    """GCA | all paths by time, the fastest that is left first, in fractions."""
    tally, draw = Tally(), random.Random(1)
    empty = tied = chains = 0
    for _ in range(cases):
        instance = random_instance(draw)
        placement = random_placement(draw, instance)
        expected = fastest_first(instance, placement)
        found = [(c.servers, c.blocks, c.capacity, c.service_time_s) for c in gca(instance, placement).chains]
        tally.same(found, [(path.servers, path.blocks, n, float(path.time)) for path, n in expected])
        empty += not expected
        tied += len({path.time for path, _ in expected}) < len(expected)
        chains += len(expected)
    tally.cases = cases
    tally.remark = f"{chains:,} chains, {tied:,} placements with ties, {empty:,} without a chain"
    return tally


def greedy_placement(cases: int = 15_000) -> Tally:
    """GBP-CR | Algorithm 1 word by word, in fractions."""
    tally, draw = Tally(), random.Random(2)
    pinned = infeasible = 0
    for case in range(cases):
        instance = random_instance(draw, pins=case % 3 == 0)
        pinned += any(server.pin for server in instance.servers)
        reservation = draw.randint(1, 5)
        for stop in ("rate", "never"):
            strings = greedy_strings(instance, reservation, until_rate_is_met=stop == "rate")
            ranges = [strings.hosted.get(j, (0, 0)) for j in range(len(instance.servers))]
            expected = Placement([a for a, _ in ranges], [e for _, e in ranges]) if strings.times else None
            try:
                found = gbp_cr(instance, reservation, stop)  # type: ignore[arg-type]
            except InfeasibleError:
                found = None
            infeasible += expected is None
            tally.same(found, expected)
    tally.cases = cases
    tally.remark = f"both stops; {pinned:,} instances with pins; {infeasible:,} runs without a chain"
    return tally


def exact_time(cases: int = 3000) -> Tally:
    """Exact mean response time, waiting probability, shares | balance equations of the Markov chain."""
    tally, mild, draw = Tally(1e-9), Tally(1e-9), random.Random(3)
    for _ in range(cases):
        rates, capacities = system = random_system(draw, 4, 3)
        for load in LOADS:
            rate = arrival_rate(system, load)
            found, expected = jffc(rates, capacities, rate), markov_chain(rates, capacities, rate)
            tally.close(found.mean_response_time_s * rate, expected.mean_jobs)
            tally.close(found.waiting_probability, expected.waiting)
            for a, b in zip(found.shares, expected.shares, strict=True):
                tally.close(float(a), b)
            if load <= 0.99:
                mild.close(found.mean_response_time_s * rate, expected.mean_jobs)
    tally.cases = cases
    tally.remark = (
        f"1 to 4 chains, 1 to 12 job servers, {len(LOADS)} loads from 1e-6 to 1 - 1e-6; up to a load of 0.99 the worst "
        f"difference of the mean is {mild.worst:.1e}, beyond it the rounding of λ in 1 - ρ shows"
    )
    return tally


def one_server(cases: int = 3000) -> Tally:
    """M/M/1: mean response time and quantiles | 1/(μ - λ) and -ln(1 - p)/(μ - λ)."""
    tally, draw = Tally(1e-9), random.Random(4)
    for _ in range(cases):
        mu = 10 ** draw.uniform(-3, 3)
        rate = mu * draw.choice([10 ** draw.uniform(-6, -0.01), 1 - 10 ** draw.uniform(-6, -0.5)])
        found = jffc([mu], [1], rate)
        tally.close(found.mean_response_time_s, 1 / (mu - rate))
        for p in (0.5, 0.95, 0.99):
            tally.close(found.quantile(p), -float(np.log1p(-p)) / (mu - rate))
    tally.cases = cases
    tally.remark = "loads from 1e-6 to 1 - 1e-6"
    return tally


def equal_servers(cases: int = 1000) -> Tally:
    """M/M/c: mean response time | Erlang's C."""
    tally, draw = Tally(1e-9), random.Random(5)
    for _ in range(cases):
        servers = round(10 ** draw.uniform(0.3, 3.6))
        mu, load = 10 ** draw.uniform(-2, 2), draw.choice([draw.uniform(0.01, 1), 1 - 10 ** draw.uniform(-5, -1)])
        rate = load * servers * mu
        first = draw.randint(1, servers - 1)
        found = jffc([mu, mu], [first, servers - first], rate)
        tally.close(found.mean_response_time_s, 1 / mu + waiting_in_mmc(servers, mu, rate) / (servers * mu - rate))
    tally.cases = cases
    tally.remark = "2 to 4,000 job servers in two chains"
    return tally


def many_servers() -> Tally:
    """C = 4000 job servers of four speeds: mean response time, shares | Palm's recursion without interpolation."""
    tally = Tally(1e-9)
    rates, capacities = [4, 3, 2, 1], [1000] * 4
    for load in LOADS:
        rate = load * 10_000
        found, expected = jffc(rates, capacities, rate), lattice(rates, capacities, rate)
        tally.close(found.mean_response_time_s * rate, expected.mean_jobs)
        for a, b in zip(found.shares, expected.shares, strict=True):
            if b > 1e-290:
                tally.close(float(a), b)
        tally.cases += 1
    tally.remark = f"{len(LOADS)} loads from 1e-6 to 1 - 1e-6"
    return tally


def theorem_4(cases: int = 20_000) -> Tally:
    """Theorem 4's bounds | the exact mean response time lies between them."""
    tally, draw = Tally(1e-9), random.Random(6)
    widths = []
    for _ in range(cases):
        rates, capacities = system = random_system(draw, 12, 30)
        rate = arrival_rate(system, random_load(draw))
        lower, upper = jffc_bounds(rates, capacities, rate)
        mean = jffc(rates, capacities, rate).mean_response_time_s
        tally.at_most(lower, mean, mean)
        tally.at_most(mean, upper, mean)
        widths.append((upper - lower) / mean)
    tally.cases = cases
    tally.remark = (
        f"1 to 12 chains, up to 360 job servers; upper - lower is {100 * np.median(widths):.2g} % in the median"
    )
    return tally


def random_load(draw: random.Random) -> float:
    """Anywhere, or near 0, or near 1."""
    return draw.choice([draw.uniform(0.05, 0.95), 10 ** draw.uniform(-6, -1), 1 - 10 ** draw.uniform(-6, -1)])


def independent_formulas(cases: int = 3000) -> Tally:
    """Exact times and Theorem 4 | the formulas of `chainopt check` (Takács, logarithms)."""
    tally, draw = Tally(1e-6), random.Random(7)
    for _ in range(cases):
        rates, capacities = system = random_system(draw, 8, 20)
        rate = arrival_rate(system, draw.uniform(0.01, 0.99))
        found = jffc(rates, capacities, rate)
        expected = independent.response(np.array(rates), np.array(capacities), rate)
        tally.close(found.mean_response_time_s, expected.mean_service + expected.mean_waiting)
        tally.close(found.waiting_probability, expected.waiting_probability)
        for a, b in zip(
            jffc_bounds(rates, capacities, rate),
            independent.bounds(np.array(rates), np.array(capacities), rate),
            strict=True,
        ):
            tally.close(a, b)
    tally.cases = cases
    tally.remark = "1 to 8 chains, up to 160 job servers, loads from 0.01 to 0.99"
    return tally


def stored_instances(most_servers: int) -> Iterator[Instance]:
    """Those in the repository with at most so many servers."""
    for path in sorted((ROOT / "instances").rglob("*.json")):
        if not path.name.endswith(".sol.json"):
            instance = chainopt.read_instance(path)
            if len(instance.servers) <= most_servers:
                yield instance


def solutions(most_servers: int = 200) -> Tally:
    """Solutions of the instances in the repository, all three objectives | `verify` has nothing to say."""
    tally = Tally()
    negative = 0
    for instance in stored_instances(most_servers):
        tally.cases += 1
        for objective in ("response-time", "job-servers", "rate"):
            try:
                solution = chainopt.compose(instance, objective=objective)
            except (InfeasibleError, UnstableError) as error:
                negative += 1
                if error.solution is None:
                    continue
                solution = error.solution
            tally.same(chainopt.verify(instance, solution), [])
    tally.remark = f"up to {most_servers} servers; {negative} answers are infeasible or unstable"
    return tally


def proven_bounds(cases: int = 3000) -> Tally:
    """Mean response time, job servers, rate of what is found | the proven bound on each is no worse."""
    tally, draw = Tally(1e-9), random.Random(8)
    gaps = []
    for _ in range(cases):
        instance = random_instance(draw)
        for objective in ("response-time", "job-servers", "rate"):
            try:
                value = value_of(chainopt.compose(instance, objective=objective), objective)
            except ChainoptError:
                continue
            if value is None:
                continue
            limit = bound(instance, objective)
            less, more = (value, limit) if objective == "rate" else (limit, value)
            tally.at_most(less, more, value)
            gaps.append(abs(limit - value) / value)
        tally.cases += 1
    tally.remark = f"gap 0 in {100 * np.mean(np.array(gaps) < 1e-3):.0f} %, {100 * np.mean(gaps):.1f} % in the mean"
    return tally


def value_of(solution: chainopt.model.Solution, objective: str) -> float | None:
    """Value of a solution, None where it does not do what is asked."""
    if solution.status not in ("feasible", "optimal") or solution.evaluation is None:
        return None
    evaluation = solution.evaluation
    return {
        "response-time": evaluation.mean_response_time_s,
        "job-servers": evaluation.job_servers,
        "rate": evaluation.total_service_rate,
    }[objective]


CHECKS: tuple[Callable[[], Tally], ...] = (
    greedy_allocation,
    greedy_placement,
    exact_time,
    one_server,
    equal_servers,
    many_servers,
    theorem_4,
    independent_formulas,
    solutions,
    proven_bounds,
)


def main() -> int:
    """Compare and write the page."""
    lines = [
        "# Agreement of the core with its witnesses",
        "",
        "Made by `python benchmarks/agreement.py` from fixed seeds. A difference is relative; results without one have",
        "to be equal in every detail. Bounds and inequalities show by how much they are violated at most. Witnesses",
        "stand in `tests/oracles`.",
        "",
        *describe(),
        "",
        "| what | witness | cases | comparisons | worst difference | allowed | disagreements | s | remarks |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    disagreements = 0
    for check in CHECKS:
        begin = time.perf_counter()
        tally = check()
        what, witness = (check.__doc__ or "").rstrip(".").split(" | ")
        worst, allowed = (f"{tally.worst:.1e}", f"{tally.tolerance:.0e}") if tally.tolerance else ("-", "-")
        seconds = time.perf_counter() - begin
        lines.append(
            f"| {what} | {witness} | {tally.cases:,} | {tally.comparisons:,} | {worst} | {allowed} "
            f"| {tally.disagreements} | {seconds:.0f} | {tally.remark} |"
        )
        print(f"{check.__name__}: {tally.disagreements} of {tally.comparisons:,} disagree, {seconds:.0f} s", flush=True)
        disagreements += tally.disagreements
    target = ROOT / "benchmarks" / "results" / "agreement.md"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
