"""Disjoint chains: times by hand, moves that can be taken back, and placements that are theirs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.model import Instance, Objective, Placement
from chainopt.placement.greedy import GreedyChains
from chainopt.search.disjoint import (
    change,
    disjoint_of,
    hosted_ranges,
    order_chains,
    revert,
    settle,
    spare_chains,
)
from chainopt.search.problem import problem_of
from chainopt.topology import NEVER
from tests.strategies import instances


def test_worked_example(worked_example: Instance) -> None:
    """GBP-CR's chains: T = 3 + 5ε and 3 + 12ε, ε = 0.01 [section 3.1.4]."""
    problem = problem_of(worked_example, Objective.RESPONSE_TIME)
    strings = GreedyChains.of(worked_example, 1)
    state = disjoint_of(problem, strings.chain, np.ones(spare_chains(problem, strings.chain), dtype=np.int64))
    assert order_chains(state) == 2
    assert np.allclose(1 / state.rates[:2] / 10**worked_example.time.places, [3.05, 3.12])


@settings(max_examples=60, deadline=None)
@given(instances(most_servers=8, most_blocks=8), st.integers(0, 100))
def test_moves_can_be_taken_back_and_times_are_right(instance: Instance, seed: int) -> None:
    """After any moves, the chains have the times and room of a state made anew, and their placement hosts them."""
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    if problem.free.size == 0:
        return
    chain = np.full(len(instance.servers), -1)
    state = disjoint_of(problem, chain, np.full(spare_chains(problem, chain), 2))
    rng = np.random.default_rng(seed)
    for i in range(60):
        before = (state.chain.copy(), state.jobs.copy(), state.ticks.copy())
        change(problem, state, rng)
        if i % 3 == 0:
            revert(state)
            after = (state.chain, state.jobs, state.ticks)
            assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        else:
            settle(state)
    anew = disjoint_of(problem, state.chain, state.jobs)
    assert np.array_equal(anew.ticks, state.ticks)
    start, stop = np.zeros((2, len(instance.servers)), dtype=np.int64)
    hosted_ranges(problem, state, start, stop)
    placement = Placement(start, stop)
    slots = instance.memory.slots(placement.sizes)
    for k in np.flatnonzero(state.ticks < NEVER):
        members = [j for j in np.flatnonzero(state.chain == k) if stop[j] > 0]
        members.sort(key=lambda j: int(start[j]))
        assert [start[j] for j in members] == [0, *(stop[j] for j in members[:-1])]
        assert stop[members[-1]] == instance.service.blocks
        assert all(slots[j] >= state.jobs[k] * placement.sizes[j] for j in members)
        assert state.ticks[k] == sum(problem.comm[j] + problem.comp[j] * placement.sizes[j] for j in members)
