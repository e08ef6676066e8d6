"""Moves keep to memories, pins and the limit on moved blocks, and can be taken back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.model import BlockRange, Instance, Objective, Placement
from chainopt.placement import random_placement
from chainopt.search import moves
from chainopt.search.annealing import Standing, anneal, look
from chainopt.search.problem import Problem, problem_of
from chainopt.search.ranges import Ranges, keep, ranges_of, take_back
from chainopt.search.rounds import rounds_for
from tests.strategies import instances

MOVES = [
    moves.reposition,
    moves.exchange,
    moves.copy,
    moves.shift_boundary,
    moves.resize,
    moves.slide,
    moves.reorder,
    moves.empty,
    moves.restrain,
    moves.move,
]


def pinned(instance: Instance) -> Instance:
    """The first server, if it has room for a block, is pinned to the first block."""
    if instance.memory.sizes(1)[0] == 0:
        return instance
    first, *others = instance.servers
    return instance.replace(servers=[first.replace(pin=BlockRange(start=0, stop=1)), *others])


def moved_blocks(reference: Placement, ranges: Ranges) -> int:
    """Pairs of a server and a block that it hosts now and not in the reference."""
    return sum(
        len({*range(a, b)} - {*range(c, d)})
        for a, b, c, d in zip(ranges.start, ranges.stop, reference.start, reference.stop, strict=True)
    )


def check(instance: Instance, problem: Problem, ranges: Ranges, reference: Placement, most: int) -> None:
    """Everything that a state must keep to."""
    assert np.all(ranges.start >= 0)
    assert np.all(ranges.stop <= instance.service.blocks)
    assert np.all((ranges.start < ranges.stop) | ((ranges.start == 0) & (ranges.stop == 0)))
    assert np.all(instance.memory.slots(ranges.stop - ranges.start) >= 0)
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            assert (ranges.start[j], ranges.stop[j]) == (server.pin.start, server.pin.stop)
    assert ranges.counts[1] == moved_blocks(reference, ranges) <= most


@pytest.mark.parametrize("kind", MOVES, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(instances().map(pinned), st.integers(0, 1000), st.integers(0, 4))
def test_moves_keep_the_rules(kind: object, instance: Instance, seed: int, most: int) -> None:
    """Every move gives a valid state within the limit, and taking it back restores the state."""
    assert callable(kind)
    base = problem_of(instance, Objective.RESPONSE_TIME)
    if base.free.size == 0 and kind not in (moves.restrain, moves.move):
        return
    placement = random_placement(instance, 1, seed)
    trimmed = ranges_of(base, placement.start, placement.stop)
    reference = Placement(trimmed.start, trimmed.stop)
    problem = problem_of(instance, Objective.RESPONSE_TIME, reference, most)
    ranges = ranges_of(problem, reference.start, reference.stop)
    rng = np.random.default_rng(seed)
    for i in range(12):
        before = [array.copy() for array in ranges[:4]]
        moved = int(ranges.counts[1])
        changed = kind(problem, ranges, rng)
        check(instance, problem, ranges, reference, most)
        if i % 2 or not changed:
            take_back(problem, ranges)
            assert all(np.array_equal(a, b) for a, b in zip(before, ranges[:4], strict=True))
            assert ranges.counts[1] == moved
        keep(ranges)


def test_servers_in_a_row_change_their_order(worked_example: Instance) -> None:
    """Servers 0, 3 and 4 host [0, 1), [1, 2) and [2, 3): whatever order comes out, no other server moves."""
    problem = problem_of(worked_example, Objective.RESPONSE_TIME)
    start, stop = np.array([0, 0, 0, 1, 2]), np.array([1, 0, 0, 2, 3])
    rng = np.random.default_rng(0)
    orders = set()
    for _ in range(200):
        ranges = ranges_of(problem, start, stop)
        if moves.reorder(problem, ranges, rng):
            assert np.array_equal(ranges.stop - ranges.start, stop - start)
            orders.add(tuple(sorted((0, 3, 4), key=ranges.start.__getitem__)))
            assert sorted(ranges.start[[0, 3, 4]].tolist()) == [0, 1, 2]
    # of 0, 3, 4: both ends exchanged, the first last, the last first; of 0, 3 and of 3, 4 alone: exchanged
    assert orders == {(4, 3, 0), (3, 4, 0), (4, 0, 3), (3, 0, 4), (0, 4, 3)}


def test_servers_between_those_that_change_places_slide(worked_example: Instance) -> None:
    """Server 1 hosts [0, 2), server 4 [2, 3): in the other order [0, 1) and [1, 3)."""
    problem = problem_of(worked_example, Objective.RESPONSE_TIME)
    ranges = ranges_of(problem, np.array([0, 0, 0, 0, 2]), np.array([0, 2, 0, 0, 3]))
    rng = np.random.default_rng(0)
    while not moves.reorder(problem, ranges, rng):
        keep(ranges)
    assert (ranges.start[[1, 4]].tolist(), ranges.stop[[1, 4]].tolist()) == ([1, 0], [3, 1])


@pytest.mark.parametrize("objective", Objective)
@settings(max_examples=60, deadline=None)
@given(instances(), st.integers(0, 100), st.floats(-1.0, 1.0))
def test_what_is_known_early_is_true(objective: Objective, instance: Instance, seed: int, above: float) -> None:
    """With a ceiling the energy is what it is without, or both are no less than the ceiling."""
    problem = problem_of(instance, objective)
    rounds = rounds_for(problem)
    placement = random_placement(instance, 1, seed)
    ranges = ranges_of(problem, placement.start, placement.stop)
    value, _ = look(problem, ranges, rounds, np.inf, 0.0)
    ceiling = value + above
    told, _ = look(problem, ranges, rounds, ceiling, 0.0)
    if value < ceiling - 1e-3:  # the exact mean has errors of 1e-4 at most
        assert told == value
    elif value >= ceiling:
        assert told >= ceiling


@settings(max_examples=40, deadline=None)
@given(instances(), st.integers(0, 100))
def test_annealing_knows_its_energies(instance: Instance, seed: int) -> None:
    """After many moves the energies of the current and of the best state are those of a state looked at anew."""
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    rounds = rounds_for(problem)
    placement = random_placement(instance, 1, seed)
    ranges = ranges_of(problem, placement.start, placement.stop)
    first, _ = look(problem, ranges, rounds, np.inf, 0.0)
    standing = Standing(np.array([first, first, 0.0]), *(array.copy() for array in ranges[:4]))
    anneal(problem, ranges, rounds, standing, np.random.default_rng(seed), 0, 200, 1 / 200, 0.1, 0.01)
    assert standing.energies[0] == look(problem, ranges, rounds_for(problem), np.inf, 0.0)[0]
    best = ranges_of(problem, standing.start, standing.stop)
    assert np.array_equal(best.start, standing.start)
    best.entry[:], best.quota[:] = standing.entry, standing.quota
    assert standing.energies[1] == look(problem, best, rounds, np.inf, 0.0)[0] <= first
