"""GCA without allocating memory is GCA."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.allocation import gca
from chainopt.model import Composition, Instance, Objective, Placement
from chainopt.placement import random_placement
from chainopt.search.problem import Problem, problem_of
from chainopt.search.ranges import Ranges, ranges_of
from chainopt.search.rounds import HOPELESS, Rounds, allocate, rounds_for
from tests.strategies import instances


def chains_of(problem: Problem, ranges: Ranges, rounds: Rounds) -> list[tuple[tuple[int, ...], int, int]]:
    """Servers, capacity and ticks of the chains."""
    chains = allocate(problem, ranges, rounds)
    first = rounds.chain_first
    return [
        (tuple(rounds.hops[first[k] : first[k + 1]].tolist()), int(rounds.capacities[k]), int(rounds.ticks[k]))
        for k in range(chains)
    ]


@settings(max_examples=150, deadline=None)
@given(instances(most_servers=8, most_blocks=8), st.integers(0, 20))
def test_chains_are_those_of_gca(instance: Instance, seed: int) -> None:
    """Chains, capacities and order are those of GCA, ties included."""
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    placement = random_placement(instance, 1, seed)
    ranges = ranges_of(problem, placement.start, placement.stop)
    composition = gca(instance, Placement(ranges.start, ranges.stop))
    found = chains_of(problem, ranges, rounds_for(problem))
    assert [chain[:2] for chain in found] == [(chain.servers, chain.capacity) for chain in composition.chains]
    assert np.allclose(instance.time.seconds(np.array([t for *_, t in found])), composition.service_times_s, rtol=1e-15)


@settings(max_examples=100, deadline=None)
@given(instances(), st.integers(0, 20), st.data())
def test_quotas_are_kept(instance: Instance, seed: int, data: st.DataObject) -> None:
    """No more jobs than the quota come with the blocks it is for, and slots suffice."""
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    placement = random_placement(instance, 1, seed)
    ranges = ranges_of(problem, placement.start, placement.stop)
    j = data.draw(st.integers(0, len(instance.servers) - 1))
    size = int(ranges.stop[j] - ranges.start[j])
    if size == 0:
        return
    ranges.entry[j], ranges.quota[j] = data.draw(st.integers(1, size)), data.draw(st.integers(0, 3))
    found = chains_of(problem, ranges, rounds_for(problem))
    composition = Composition.of(
        instance, Placement(ranges.start, ranges.stop), [chain for chain, *_ in found], [c for _, c, _ in found]
    )
    used = np.zeros(len(instance.servers), dtype=np.int64)
    entered = 0
    for chain in composition.chains:
        for server, blocks in zip(chain.servers, chain.blocks, strict=True):
            used[server] += chain.capacity * blocks
            entered += chain.capacity if server == j and blocks == ranges.entry[j] else 0
    assert entered <= ranges.quota[j]
    assert np.all(used <= instance.memory.slots(composition.placement.sizes))


def test_the_fastest_chain_may_be_kept_back(worked_example: Instance) -> None:
    """A quota of 2 for jobs that come to server 1 with 2 blocks left leaves the slots to the other chains."""
    problem = problem_of(worked_example, Objective.RESPONSE_TIME)
    ranges = ranges_of(problem, np.array([0, 1, 0, 1, 2]), np.array([1, 3, 1, 2, 3]))
    rounds = rounds_for(problem)
    assert chains_of(problem, ranges, rounds)[0][:2] == ((0, 1), 5)
    ranges.entry[1], ranges.quota[1] = 2, 2
    chains = chains_of(problem, ranges, rounds)
    assert [chain[:2] for chain in chains] == [((0, 1), 2), ((0, 3, 4), 8), ((2, 3, 4), 2)]


@settings(max_examples=150, deadline=None)
@given(instances(most_servers=8, most_blocks=8), st.integers(0, 20), st.floats(0.5, 1.5))
def test_allocations_are_given_up_only_where_they_fall_short(instance: Instance, seed: int, share: float) -> None:
    """What is given up has less than the rate that is needed; all else is as without it."""
    problem = problem_of(instance, Objective.RATE)
    placement = random_placement(instance, 1, seed)
    ranges = ranges_of(problem, placement.start, placement.stop)
    rounds = rounds_for(problem)
    count = allocate(problem, ranges, rounds)
    whole = [array[:count].copy() for array in (rounds.ticks, rounds.capacities)]
    rate = float(rounds.rates[:count] @ rounds.capacities[:count])
    found = allocate(problem, ranges, rounds, share * rate)
    assert found == count or (found == HOPELESS and share > 1)
    if found == count:
        assert all(np.array_equal(a, b[:count]) for a, b in zip(whole, (rounds.ticks, rounds.capacities), strict=True))


def test_an_allocation_is_given_up_early(worked_example: Instance) -> None:
    """Chains of 305, 310 and 312 ticks take 5 jobs each. 10 // 2 + 10 = 15 jobs pass block 1 at most.

    No more than 15/305 are known before there is a chain, then 5/305 + 10/310, and 5/305 + 5/310 + 5/312.
    """
    problem = problem_of(worked_example, Objective.RATE)
    ranges = ranges_of(problem, np.array([0, 1, 0, 1, 2]), np.array([1, 3, 1, 2, 3]))
    rounds = rounds_for(problem)
    for needed, taken in [(15.01 / 305, 0), (14.99 / 305, 1), (5 / 305 + 9.99 / 310, 2)]:
        rounds.capacities[:] = 0
        assert allocate(problem, ranges, rounds, needed) == HOPELESS
        assert rounds.capacities.sum() == 5 * taken
    assert allocate(problem, ranges, rounds, 5 / 305 + 5 / 310 + 4.99 / 312) == 3


def test_no_chain(worked_example: Instance) -> None:
    """Without a server at the end of the model there is no chain."""
    problem = problem_of(worked_example, Objective.RATE)
    ranges = ranges_of(problem, np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.int64))
    assert allocate(problem, ranges, rounds_for(problem)) == 0
