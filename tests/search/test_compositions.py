"""Placements with chains of their own: what is carried over, what a move leaves valid, and the energies told."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.exact.enumeration import value_of
from chainopt.model import BlockRange, Composition, Instance, Objective, Placement, Server, Service, Workload
from chainopt.placement import random_placement
from chainopt.search import search
from chainopt.search.annealing import anneal_compositions, look
from chainopt.search.compositions import Composed, carry_over, composed_of, recompose, store
from chainopt.search.energy import FALLS_SHORT, energy_of, objective_value
from chainopt.search.problem import Problem, problem_of
from chainopt.search.ranges import Ranges, copy_of, keep, ranges_of, take_back
from chainopt.search.rounds import Rounds, allocate, open_servers, rounds_for
from tests.strategies import instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOOM = Path(__file__).parents[2] / "instances" / "bloom" / "bloom-ripe-j20-eta20-s1-medium.json"


def chains_of(rounds: Rounds, count: int) -> list[tuple[tuple[int, ...], int]]:
    """Servers and capacity of the first so many chains."""
    first = rounds.chain_first
    return [(tuple(rounds.hops[first[k] : first[k + 1]].tolist()), int(rounds.capacities[k])) for k in range(count)]


def composition_of(instance: Instance, state: Composed) -> Composition:
    first, count = state.chain_first, int(state.chains[0])
    servers = [state.hops[first[k] : first[k + 1]].tolist() for k in range(count)]
    return Composition.of(instance, Placement(state.start, state.stop), servers, state.capacities[:count].tolist())


def carried(problem: Problem, ranges: Ranges, rounds: Rounds, state: Composed) -> list[tuple[tuple[int, ...], int]]:
    assert open_servers(problem, ranges, rounds)
    return chains_of(rounds, carry_over(problem, ranges, rounds, state))


def kept_back(instance: Instance) -> tuple[Problem, Ranges, Rounds, Composed]:
    """Servers 0 and 2 host block 0, 1 the others, 3 and 4 one of these each; chain (0, 1) runs 2 jobs where 5 fit."""
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    ranges = ranges_of(problem, np.array([0, 1, 0, 1, 2]), np.array([1, 3, 1, 2, 3]))
    rounds = rounds_for(problem)
    ranges.entry[1], ranges.quota[1] = 2, 2
    state = composed_of(ranges, rounds, allocate(problem, ranges, rounds))
    return problem, ranges_of(problem, state.start, state.stop), rounds, state


def test_chains_outlive_the_quota_that_they_were_made_with(worked_example: Instance) -> None:
    """GCA gives the fastest chain 5 jobs; carried over, it has 2."""
    problem, ranges, rounds, state = kept_back(worked_example)
    assert chains_of(rounds, allocate(problem, ranges, rounds))[0] == ((0, 1), 5)
    assert carried(problem, ranges, rounds, state) == [((0, 1), 2), ((0, 3, 4), 8), ((2, 3, 4), 2)]
    assert rounds.residual.tolist() == [0, 6, 8, 0, 0]  # of 10 slots: 2 + 8, 2 * 2, 2, 8 + 2, 8 + 2


def test_chains_end_with_the_servers_that_they_need(worked_example: Instance) -> None:
    """Without server 4, only (0, 1) is left; where server 3 begins at block 0, the chains through 0 and 2 go past it.

    Then (0, 3, 4) still is a chain, for server 3 hosts block 1 as before, but with 2 blocks it has no slots: 2 GB.
    """
    problem, ranges, rounds, state = kept_back(worked_example)
    ranges.start[4] = ranges.stop[4] = 0
    assert carried(problem, ranges, rounds, state) == [((0, 1), 2)]
    problem, ranges, rounds, state = kept_back(worked_example)
    ranges.start[3] = 0
    assert carried(problem, ranges, rounds, state) == [((0, 1), 2)]


@settings(max_examples=150, deadline=None)
@given(instances(most_servers=8, most_blocks=8), st.integers(0, 20), st.booleans())
def test_moves_leave_compositions_that_nothing_can_be_added_to(instance: Instance, seed: int, pin: bool) -> None:
    """Chains are chains of the placement, slots suffice, no job fits beside them, pins stay, nothing stays closed."""
    if pin and instance.memory.sizes(1)[0] > 0:
        first, *others = instance.servers
        instance = instance.replace(servers=[first.replace(pin=BlockRange(start=0, stop=1)), *others])
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    placement = random_placement(instance, 1, seed)
    ranges, rounds = ranges_of(problem, placement.start, placement.stop), rounds_for(problem)
    count = allocate(problem, ranges, rounds)
    if count == 0:
        return
    state = composed_of(ranges, rounds, count)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        before = ranges.start.tolist(), ranges.stop.tolist()
        count = recompose(problem, ranges, rounds, state, 0.0, rng)
        assert not ranges.entry.any()
        if count == 0 or rng.random() < 0.3:
            take_back(problem, ranges)
            assert (ranges.start.tolist(), ranges.stop.tolist()) == before
            continue
        keep(ranges)
        store(ranges, rounds, count, state)
        composition = composition_of(instance, state)
        assert composition.capacities.min() > 0
        assert len({chain.servers for chain in composition.chains}) == count
        check_slots(instance, composition)
        for j, server in enumerate(instance.servers):
            if server.pin is not None:
                assert (state.start[j], state.stop[j]) == (server.pin.start, server.pin.stop)


def check_slots(instance: Instance, composition: Composition) -> None:
    """Slots suffice, and what is left is too little for another job: GCA finds no chain on it."""
    left = check_slots_suffice(instance, composition)
    assert not reaches_the_end(composition.placement, left.tolist(), instance.service.blocks)


def check_slots_suffice(instance: Instance, composition: Composition) -> NDArray[np.int64]:
    """What is left of them."""
    left = instance.memory.slots(composition.placement.sizes)
    for chain in composition.chains:
        for server, blocks in zip(chain.servers, chain.blocks, strict=True):
            left[server] -= chain.capacity * blocks
    assert left.min() >= 0
    return left


def reaches_the_end(placement: Placement, left: Sequence[int], blocks: int, boundary: int = 0) -> bool:
    """Whether a path with a free slot for each of its blocks leads from here to the end, by trying all."""
    if boundary == blocks:
        return True
    hosts = zip(placement.start.tolist(), placement.stop.tolist(), left, strict=True)
    return any(
        reaches_the_end(placement, left, blocks, stop)
        for start, stop, free in hosts
        if start <= boundary < stop and free >= stop - boundary
    )


@settings(max_examples=60, deadline=None)
@given(instances(most_servers=7, most_blocks=6), st.integers(0, 20), st.sampled_from(list(Objective)))
def test_energies_are_those_of_the_compositions(instance: Instance, seed: int, objective: Objective) -> None:
    """Of the current state and of the best one; the best is no worse than GCA's chains, which it begins with."""
    problem = problem_of(instance, objective)
    placement = random_placement(instance, 1, seed)
    ranges, rounds = ranges_of(problem, placement.start, placement.stop), rounds_for(problem)
    first, _ = look(problem, ranges, rounds, math.inf, 0.0)
    count = allocate(problem, ranges, rounds)
    if count == 0:
        return
    state = composed_of(ranges, rounds, count)
    best, energies, rng = copy_of(state), np.array([first, first, 0.0]), np.random.default_rng(seed)
    anneal_compositions(problem, state, best, ranges, rounds, energies, rng, 0, 300, 1 / 300, 0.3, 0.01)
    assert energies[1] <= min(first, energies[0])
    for found, told in ((state, energies[0]), (best, energies[1])):
        composition = composition_of(instance, found)
        if told >= FALLS_SHORT:
            continue
        if objective is Objective.RATE:
            assert energy_of(problem, composition.total_service_rate, instance.time.places) == pytest.approx(told)
        elif objective is Objective.RESPONSE_TIME:  # with the best of its job servers, so no more than with all
            whole = value_of(instance, composition, objective)
            assert told <= energy_of(problem, whole, instance.time.places) + 1e-4


def test_gives_a_fast_chain_up_for_two_slow_ones() -> None:
    """Server a hosts both blocks and has 2 slots; b and c host the first one and have a slot each.

    GCA lets a run 1 job alone, 0.2 + 2 * 0.4 = 1 s, and nothing is left for b and c: 1 job/s. Two chains of 1 job over
    b or c, then a, take 0.4 + 0.4 + 0.2 + 0.4 = 1.4 s: 2 / 1.4 = 1.43 jobs/s. With 1.2 jobs/s that is M/M/2,
    utilization 0.84: a job waits with probability 2 * 0.84^2 / 1.84 = 0.76696, and 1 / (1.42857 - 1.2) = 4.375 s then,
    so that E[T] = 1.4 + 3.3554 s.
    """

    def server(name: str, memory: str, comm: str, stop: int) -> Server:
        return Server(
            id=name,
            memory_gb=Decimal(memory),
            comm_s=Decimal(comm),
            comp_s_per_block=Decimal("0.4"),
            pin=BlockRange(start=0, stop=stop),
        )

    instance = Instance(
        name="shared",
        service=Service(blocks=2, block_gb=1, cache_gb=Decimal("0.5")),
        workload=Workload(arrival_rate=Decimal("1.2"), target_load=Decimal("0.7")),
        servers=[server("a", "3", "0.2", 2), server("b", "1.5", "0.4", 1), server("c", "1.5", "0.4", 1)],
    )
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    ranges, rounds = ranges_of(problem, np.zeros(3, dtype=np.int64), np.array([2, 1, 1])), rounds_for(problem)
    first, _ = look(problem, ranges, rounds, math.inf, 0.0)
    assert first >= FALLS_SHORT
    state = composed_of(ranges, rounds, allocate(problem, ranges, rounds))
    assert chains_of(rounds, 1) == [((0,), 1)]
    best, energies, rng = copy_of(state), np.array([first, first, 0.0]), np.random.default_rng(0)
    anneal_compositions(problem, state, best, ranges, rounds, energies, rng, 0, 300, 1 / 300, 0.05, 0.001)
    assert sorted(chain.servers for chain in composition_of(instance, best).chains) == [(1, 0), (2, 0)]
    assert objective_value(problem, float(energies[1]), instance.time.places) == pytest.approx(4.7554, rel=1e-4)


def test_keeps_to_the_limit_on_moved_blocks() -> None:
    """With 20 servers, so that compositions are annealed; blocks hosted where the reference has none are 15 at most."""
    instance = chainopt.read_instance(BLOOM)
    reference = chainopt.compose(instance, "gbp-cr+gca", stop="rate").composition.placement
    found = search(instance, iterations=20_000, reference=reference, max_moved_blocks=15).composition
    assert found is not None
    pairs = zip(found.placement.start, found.placement.stop, reference.start, reference.stop, strict=True)
    moved = sum(len({*range(a, b)} - {*range(c, d)}) for a, b, c, d in pairs)
    assert 0 < moved <= 15
    check_slots_suffice(instance, found)
