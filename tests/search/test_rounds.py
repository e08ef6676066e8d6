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
from chainopt.search.rounds import Rounds, allocate, rounds_for
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


def test_no_chain(worked_example: Instance) -> None:
    """Without a server at the end of the model there is no chain."""
    problem = problem_of(worked_example, Objective.RATE)
    ranges = ranges_of(problem, np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.int64))
    assert allocate(problem, ranges, rounds_for(problem)) == 0
