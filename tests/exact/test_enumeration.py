"""Enumeration: against brute force in plain Python, by hand, and what its pruning rests on."""

from __future__ import annotations

import math
import random
import time
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import chainopt
from chainopt.exact.enumeration import Enumeration, enumerate_compositions, options_of, placements_of
from chainopt.exact.enumeration_kernels import best_lengths
from chainopt.model import BlockRange, Instance, Objective, Server, Service, Status, Workload
from chainopt.quantity import at_least
from chainopt.queueing import jffc, response_time

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = Path(__file__).parents[2] / "instances" / "tiny"
Chains = tuple[tuple[Fraction, int], ...]
"""Time and capacity of each chain, by increasing time: all that JFFC knows."""


def ranges(instance: Instance, j: int) -> list[tuple[int, int]]:
    """All that a server may host, whether it makes sense or not."""
    server, service = instance.servers[j], instance.service
    if server.pin is not None:
        return [(server.pin.start, server.pin.stop)]
    every = [(0, 0)] + [(a, b) for a in range(service.blocks) for b in range(a + 1, service.blocks + 1)]
    free = server.memory_gb - server.reserve_gb
    return [(a, b) for a, b in every if (b - a) * service.block_gb <= free]


def chains_of(
    instance: Instance, placement: tuple[tuple[int, int], ...], at: int = 0
) -> Iterator[tuple[dict[int, int], Fraction]]:
    """Blocks processed at each server, and time, of every way to go on from a boundary."""
    if at == instance.service.blocks:
        yield {}, Fraction(0)
    for j, (start, stop) in enumerate(placement):
        if start <= at < stop:
            server = instance.servers[j]
            time_s = Fraction(server.comm_s) + Fraction(server.comp_s_per_block) * (stop - at)
            for rest, left in chains_of(instance, placement, stop):
                yield {j: stop - at, **rest}, time_s + left


def allocations(chains: list[tuple[dict[int, int], Fraction]], free: list[int]) -> Iterator[Chains]:
    """Every choice of capacities that the slots allow, 0 included."""
    if not chains:
        yield ()
        return
    (blocks, time_s), *others = chains
    room = min(free[j] // n for j, n in blocks.items())
    for capacity in range(room + 1):
        left = [slots - capacity * blocks.get(j, 0) for j, slots in enumerate(free)]
        for rest in allocations(others, left):
            yield ((time_s, capacity), *rest) if capacity else rest


def everything(instance: Instance) -> set[Chains]:
    """What any placement and any allocation can offer."""
    service = instance.service
    found: set[Chains] = set()
    for placement in product(*(ranges(instance, j) for j in range(len(instance.servers)))):
        free = [
            math.floor(
                (Fraction(s.memory_gb) - Fraction(s.reserve_gb) - Fraction(service.block_gb) * (b - a))
                / Fraction(service.cache_gb)
            )
            for s, (a, b) in zip(instance.servers, placement, strict=True)
        ]
        if min(free) < 0:
            continue
        chains = sorted(chains_of(instance, placement), key=lambda chain: chain[1])
        for allocation in allocations(chains, free):
            merged: dict[Fraction, int] = {}
            for time_s, capacity in allocation:
                merged[time_s] = merged.get(time_s, 0) + capacity
            found.add(tuple(merged.items()))
    found.discard(())
    return found


def rate(chains: Chains) -> Fraction:
    return sum((capacity / time_s for time_s, capacity in chains), Fraction(0))


def brute_force(instance: Instance, objective: Objective) -> float | None:
    """Optimum over all that there is."""
    offers = everything(instance)
    if objective is Objective.RATE:
        return max((float(rate(chains)) for chains in offers), default=None)
    if objective is Objective.JOB_SERVERS:
        needed = float(Fraction(instance.workload.arrival_rate) / Fraction(instance.workload.target_load))
        enough = (chains for chains in offers if at_least(float(rate(chains)), needed))
        return min((float(sum(capacity for _, capacity in chains)) for chains in enough), default=None)
    arrival_rate = float(instance.workload.arrival_rate)
    stable = (chains for chains in offers if not at_least(arrival_rate, float(rate(chains))))
    return min((mean(chains, arrival_rate) for chains in stable), default=None)


def mean(chains: Chains, arrival_rate: float) -> float:
    answer = jffc([float(1 / time_s) for time_s, _ in chains], [capacity for _, capacity in chains], arrival_rate)
    return answer.mean_response_time_s


def drawn(seed: int, servers: int = 3, blocks: int = 3, most_slots: int = 4) -> Instance:
    """A random instance with few slots, times of few decimals, and any load."""
    random_ = random.Random(seed)
    servers, blocks = random_.randint(1, servers), random_.randint(1, blocks)
    draw = random_.randint
    instance = Instance(
        name=f"drawn-{seed}",
        service=Service(blocks=blocks, block_gb=1, cache_gb=Decimal("0.25")),
        workload=Workload(arrival_rate=Decimal(draw(1, 60)) / 50, target_load=Decimal("0.7")),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=Decimal(draw(1, blocks)) + Decimal(draw(1, most_slots)) / 4,
                comm_s=Decimal(draw(1, 20)) / 10,
                comp_s_per_block=Decimal(draw(0, 10)) / 10,
            )
            for j in range(servers)
        ],
    )
    if seed % 4 == 0:  # identical servers
        first = instance.servers[0]
        instance = instance.replace(servers=[first.replace(id=server.id) for server in instance.servers])
    if seed % 5 == 0:  # a pin, which need not fit
        start = draw(0, blocks - 1)
        pin = BlockRange(start=start, stop=draw(start + 1, blocks))
        instance = instance.replace(servers=[instance.servers[0].replace(pin=pin), *instance.servers[1:]])
    return instance


def check(instance: Instance, found: Enumeration, objective: Objective) -> None:
    """The value is that of the composition, and the composition fits into the memories."""
    composition = found.composition
    assert composition is not None
    slots = instance.memory.slots(composition.placement.sizes).tolist()
    for chain in composition.chains:
        for j, blocks in zip(chain.servers, chain.blocks, strict=True):
            slots[j] -= chain.capacity * blocks
    assert min(slots) >= 0
    value = {
        Objective.JOB_SERVERS: lambda: composition.job_servers,
        Objective.RATE: lambda: composition.total_service_rate,
        Objective.RESPONSE_TIME: lambda: (
            response_time(composition, float(instance.workload.arrival_rate)).mean_response_time_s
        ),
    }[objective]()
    assert found.value == pytest.approx(value, rel=1e-12)
    if objective is Objective.JOB_SERVERS:
        assert at_least(composition.total_service_rate, instance.design_rate)


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("seed", range(40))
def test_finds_what_brute_force_finds(seed: int, objective: Objective) -> None:
    """Trying all placements, chains and capacities in plain Python gives the same optimum."""
    instance = drawn(seed)
    found = enumerate_compositions(instance, objective)
    truth = brute_force(instance, objective)
    if truth is None:
        assert found.status in (Status.INFEASIBLE, Status.UNSTABLE)
        assert found.composition is None
        assert (found.status is Status.UNSTABLE) == (
            objective is Objective.RESPONSE_TIME and brute_force(instance, Objective.RATE) is not None
        )
    else:
        assert found.status is Status.OPTIMAL
        assert found.value == pytest.approx(truth, rel=1e-9)
        check(instance, found, objective)


def one_block(*servers: tuple[str, str], arrival_rate: str = "0.5") -> Instance:
    """L = 1, s_m = s_c = 1: memory and time of each server; a server of m GB runs m - 1 jobs."""
    return Instance(
        name="one-block",
        service=Service(blocks=1, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=Decimal(arrival_rate), target_load=Decimal("0.5")),
        servers=[
            Server(id=f"s{j}", memory_gb=Decimal(memory), comm_s=Decimal(time_s), comp_s_per_block=0)
            for j, (memory, time_s) in enumerate(servers)
        ],
    )


def test_one_server_by_hand() -> None:
    """Two jobs at once of 1 s each: R = 1 takes one of them, both serve 2 jobs/s; M/M/2 at ρ = 1/4 takes 16/15 s."""
    instance = one_block(("3", "1"))
    assert enumerate_compositions(instance, "job-servers").value == 1
    assert enumerate_compositions(instance, "rate").value == pytest.approx(2)
    # M/M/2: T = (1/μ) / (1 - ρ^2)
    assert enumerate_compositions(instance, "response-time").value == pytest.approx(16 / 15, rel=1e-12)


def test_slow_servers_stay_idle_where_they_only_hurt() -> None:
    """Beside a job server of 1 s at λ = 0.5, one of 100 s makes the mean longer than the 2 s of M/M/1."""
    instance = one_block(("2", "1"), ("2", "100"))
    found = enumerate_compositions(instance, "response-time")
    assert found.value == pytest.approx(2, rel=1e-12)
    assert found.composition is not None
    assert found.composition.job_servers == 1
    assert mean(((Fraction(1), 1), (Fraction(100), 1)), 0.5) > 2
    # and it is not left out where it helps: at λ = 0.99 M/M/1 takes 100 s
    busy = one_block(("2", "1"), ("2", "20"), arrival_rate="0.99")
    better = enumerate_compositions(busy, "response-time")
    assert better.composition is not None
    assert better.composition.job_servers == 2


def test_finds_what_greedy_cache_allocation_misses() -> None:
    """The fastest chain runs through the bottlenecks of two others, which together serve more."""
    instance = chainopt.read_instance(TINY / "tiny-gca-loses-throughput.json")
    found = enumerate_compositions(instance, "rate")
    greedy = chainopt.compose(instance, "paper", "rate").value
    assert found.value is not None
    assert greedy is not None
    assert found.value > 1.2 * greedy


def test_proves_that_nothing_fits_or_is_stable() -> None:
    """The tiny instances made for it are infeasible for every objective, or unstable for the response time."""
    for path in sorted(set(TINY.glob("tiny-infeasible-*.json")) - set(TINY.glob("*.sol.json"))):
        for objective in Objective:
            assert enumerate_compositions(chainopt.read_instance(path), objective).status is Status.INFEASIBLE, path
    for name in ("tiny-unstable", "tiny-unstable-exactly"):
        instance = chainopt.read_instance(TINY / f"{name}.json")
        assert enumerate_compositions(instance, "response-time").status is Status.UNSTABLE
        assert enumerate_compositions(instance, "rate").status is Status.OPTIMAL


def test_rate_met_exactly() -> None:
    """49 jobs of 49 s serve 1 job/s, although 49 · (1/49) in floats is less."""
    instance = chainopt.read_instance(TINY / "tiny-ties-rate-met-exactly.json")
    assert enumerate_compositions(instance, "job-servers").value == 49


def test_placements_that_let_enough_jobs_pass() -> None:
    """Two servers of 3 GB with s_m = 1 and s_c = 0.5 for two blocks: four slots beside one block, two beside both.

    Nobody stops at block 1 if one hosts both blocks and the other the last one, so that is not tight.
    """
    server = Server(id="a", memory_gb=3, comm_s=0, comp_s_per_block=1)
    instance = Instance(
        name="pair",
        service=Service(blocks=2, block_gb=1, cache_gb=Decimal("0.5")),
        workload=Workload(arrival_rate=1),
        servers=[server, server.replace(id="b", comm_s=1)],
    )
    options = options_of(instance)
    assert options is not None

    def ranges_for(jobs: int) -> set[tuple[tuple[int, int], ...]]:
        placements = np.concatenate(list(placements_of(options, 2, jobs)))
        return {tuple(zip(options.start[p].tolist(), options.stop[p].tolist(), strict=True)) for p in placements}

    both, first, last, none = (0, 2), (0, 1), (1, 2), (0, 0)
    split = {(first, last), (last, first)}
    # with both blocks at a server, two slots: one job passes block 0 there, two pass block 1
    assert ranges_for(1) == {(both, none), (none, both), (both, both), (both, first), (first, both), *split}
    assert ranges_for(2) == {(both, both), (both, first), (first, both), *split}
    assert ranges_for(3) == ranges_for(4) == split
    assert ranges_for(5) == set()


@pytest.mark.parametrize("seed", range(5))
def test_means_of_all_lengths(seed: int) -> None:
    """Palm's recursion stopped after each job server gives what `jffc` gives for so many of them."""
    random_ = random.Random(seed)
    rates = np.array(sorted((random_.uniform(0.1, 2) for _ in range(4)), reverse=True))
    counts = np.array([random_.randint(0, 3) for _ in rates]) + np.array([1, 0, 0, 1])
    arrival_rate = random_.uniform(0.1, 0.9) * float(rates @ counts)
    servers = np.repeat(rates, counts)
    means = []
    for length in range(1, servers.size + 1):
        stable = servers[:length].sum() > arrival_rate
        means.append(jffc(servers[:length], np.ones(length), arrival_rate).mean_response_time_s if stable else math.inf)
    for length in range(servers.size + 1):
        here, later = best_lengths(rates, counts, length, arrival_rate)
        assert here == pytest.approx(means[length - 1] if length else math.inf, rel=1e-10)
        assert later == pytest.approx(min(means[length:], default=math.inf), rel=1e-10)


def test_faster_job_servers_never_hurt() -> None:
    """As many job servers, none of them slower, have a mean that is no longer: what dominance rests on."""
    random_ = random.Random(1)
    for _ in range(200):
        times = sorted(random_.uniform(0.5, 5) for _ in range(random_.randint(1, 5)))
        slower = [t * random_.choice([1, 1.01, 3]) for t in times]
        arrival_rate = random_.uniform(0.05, 0.95) * sum(1 / t for t in slower)
        fast, slow = (
            jffc([1 / t for t in ts], [1] * len(ts), arrival_rate).mean_response_time_s for ts in (times, slower)
        )
        assert fast <= slow * (1 + 1e-12)


def test_time_limit_keeps_the_best_so_far() -> None:
    """With no time left there is no proof, and what was found until then is valid."""
    instance = drawn(7, servers=3, blocks=3)
    found = enumerate_compositions(instance, "rate", deadline=time.monotonic() - 1)
    assert found.status in (Status.FEASIBLE, Status.UNKNOWN)
    assert found.bound is None
    if found.composition is not None:
        check(instance, found, Objective.RATE)


def test_larger_instances_are_refused() -> None:
    """Seventeen servers are too many."""
    with pytest.raises(ValueError, match="17 servers"):
        enumerate_compositions(one_block(*[("2", "1")] * 17), "rate")
