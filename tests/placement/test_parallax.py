"""Parallax: water-filling, both allocators and what is left over, by hand and against the recursion of its program."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.errors import InfeasibleError
from chainopt.model import Placement
from chainopt.placement.covers import best_covers, fewest_servers
from chainopt.placement.parallax import _greedy_covers, capacities, parallax
from chainopt.placement.water_filling import water_fill
from tests.placement.examples import small


@pytest.mark.parametrize(
    ("blocks", "most", "times", "filled"),
    [
        pytest.param(10, [8, 8], [1, 3], [8, 2], id="speeds 1 and 1/3: 7.5 and 2.5, the tie to the first"),
        pytest.param(10, [5, 8], [1, 3], [5, 5], id="5 is all that the first can"),
        pytest.param(7, [7, 7, 7], [1, 1, 1], [3, 2, 2], id="thirds"),
        pytest.param(7, [9, 9], [6, 1], [1, 6], id="exactly 1 and 6"),
        pytest.param(10, [4, 8], [0, 2], [4, 6], id="one that takes no time is full"),
        pytest.param(5, [4, 9, 4], [0, 1, 0], [4, 0, 1], id="two that take no time suffice"),
        pytest.param(5, [3, 2], [1, 7], [3, 2], id="all are full"),
    ],
)
def test_water_filling_by_hand(blocks: int, most: list[int], times: list[int], filled: list[int]) -> None:
    """min(c_i, λ / τ_i), rounded."""
    assert water_fill(blocks, most, times) == filled


@given(
    servers=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=6).filter(
        lambda servers: any(most for most, _ in servers)
    ),
    share=st.floats(0, 1),
)
def test_water_filling_levels(servers: list[tuple[int, int]], share: float) -> None:
    """No block could move to a server with room that would then be done earlier than who has it was one block less."""
    most, times = [c for c, _ in servers], [t for _, t in servers]
    blocks = round(share * sum(most))
    filled = water_fill(blocks, most, times)

    assert sum(filled) == blocks
    assert all(0 <= x <= c for x, c in zip(filled, most, strict=True))
    latest = max((x - 1) * t for x, t in zip(filled, times, strict=True))
    assert all(latest <= (x + 1) * t for x, t, c in zip(filled, times, most, strict=True) if x < c)


def test_water_filling_without_room() -> None:
    """More blocks than room are refused."""
    with pytest.raises(ValueError, match="expected capacities for 10 blocks, got 9"):
        water_fill(10, [4, 5], [1, 1])


def test_the_programs_own_example() -> None:
    """Capacities 40, 40, 20, 20, 10, 10 for 70 blocks: two pipelines of 40 + 20 + 10, 4/6, beat one of 40 + 40, 1/2."""
    sizes = [40, 40, 20, 20, 10, 10]

    assert sorted(map(sorted, best_covers(sizes, 70))) in (
        [[0, 2, 4], [1, 3, 5]],
        [[0, 2, 5], [1, 3, 4]],
        [[0, 3, 4], [1, 2, 5]],
        [[0, 3, 5], [1, 2, 4]],
    )
    assert _greedy_covers(sizes, 70) == [[0, 1]]  # and 60 are left


def test_one_pipeline_where_two_would_be_long() -> None:
    """One pipeline of one server, 1/1; two of one and of four, 4/5."""
    assert best_covers([8, 2, 2, 2, 2], 8) == [[0]]


def recursion(sizes: list[int], blocks: int, k: int) -> float:
    """Fewest servers of k pipelines, by the recursion of Parallax: skip, put to an open pipeline, or open one."""

    @cache
    def fewest(i: int, lacking: tuple[int, ...], finished: int) -> float:
        if finished == k and not lacking:
            return 0
        if i == len(sizes):
            return math.inf
        options = [fewest(i + 1, lacking, finished)]
        to_put = [(lacks, (*lacking[:q], *lacking[q + 1 :])) for q, lacks in enumerate(lacking)]
        if finished + len(lacking) < k:
            to_put.append((blocks, lacking))
        for lacks, others in to_put:
            left = lacks - sizes[i]
            after = fewest(i + 1, others, finished + 1) if left <= 0 else fewest(i + 1, (*others, left), finished)
            options.append(1 + after)
        return min(options)

    return fewest(0, (), 0)


@settings(deadline=None, max_examples=150)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=7), blocks=st.integers(1, 10))
def test_covers_are_as_good_as_the_recursion(sizes: list[int], blocks: int) -> None:
    """The fewest servers for every k, and the k with the largest k²/s, the smallest of several."""
    sizes = sorted(sizes, reverse=True)
    scores = {}
    for k in range(1, len(sizes) + 1):
        servers = recursion(sizes, blocks, k)
        covers = fewest_servers(sizes, blocks, k, len(sizes))
        assert (sum(map(len, covers)) if covers else math.inf) == servers
        assert len(covers) == (k if covers else 0)
        assert all(sum(sizes[i] for i in cover) >= blocks for cover in covers)
        assert len({i for cover in covers for i in cover}) == sum(map(len, covers))
        if servers < math.inf:
            scores[k] = Fraction(k * k, int(servers))
    best = best_covers(sizes, blocks)
    assert len(best) == (max(scores, key=lambda k: (scores[k], -k)) if scores else 0)


@pytest.mark.parametrize(
    ("sizes", "blocks", "covers"),
    [
        # room 27, 20 without a pipeline, 8 or more: the last that does alone and leaves 7; and again; then one for 7
        pytest.param([9, 8, 7, 3], 7, [[2], [1], [0]], id="the smallest that does alone goes first"),
        pytest.param([7, 7], 7, [[0], [1]], id="no room for a block more than another pipeline: the largest"),
        pytest.param([5, 4, 3, 2, 1], 7, [[0, 1]], id="two at a time, and 6 do not do"),
        pytest.param([3, 2], 7, [], id="too little"),
    ],
)
def test_greedy_by_hand(sizes: list[int], blocks: int, covers: list[list[int]]) -> None:
    """Pipelines from the front, the first server looked ahead for."""
    assert _greedy_covers(sizes, blocks) == covers


def test_placement_by_hand() -> None:
    """Capacities 4, 3, 3, 1 for 4 blocks: pipelines 0 and 1 + 2, 4/3. The last one hosts what has least for caches."""
    instance = small([(10, 1, 1), (8, 1, 1), (8, 1, 3), (6, 1, 1)], blocks=4)

    # Speeds 1 and 1/3: 3 + 1. Caches for each block 10/16 + 8/12 for 0-2, 10/16 + 8/4 for 3: server 3 takes block 0.
    assert parallax(instance, [4, 3, 3, 1]) == Placement([0, 0, 3, 0], [4, 3, 4, 1])


def test_a_server_that_gets_nothing_is_left_over() -> None:
    """A pipeline of 3 + 2 for 4 blocks where the second is nine times as slow: 3 + 1 since the first is full."""
    instance = small([(10, 1, 1), (8, 1, 9)], blocks=4)
    assert parallax(instance, [3, 2]) == Placement([0, 3], [3, 4])

    # 5 + 5 for 6 blocks, no time and much: the first 5, and 1. With 6 + 5 the first alone is a pipeline.
    instance = small([(10, 1, 0), (8, 1, 9)], blocks=6)
    assert parallax(instance, [5, 5]) == Placement([0, 5], [5, 6])
    # 10/24 for each block, so the second hosts from block 0 on what it can
    assert parallax(instance, [6, 5]) == Placement([0, 0], [6, 5])


def test_capacities_by_hand() -> None:
    """0.65 of 10 GB are 6 blocks of 1 GB, of 1.9 GB one, of 1.05 GB none. 0.95 of 10.5 are 9, and 9 with a job."""
    instance = small([(10, 1, 1), (1.9, 1, 1), (1.05, 1, 1), (10.5, 1, 1)], blocks=20)

    assert capacities(instance) == [6, 1, 0, 6]
    assert capacities(instance, Fraction(95, 100)) == [9, 1, 0, 9]
    assert capacities(instance, Fraction(1)) == [9, 1, 0, 9]  # 10 and 10 would leave no room for a job


def test_not_one_pipeline() -> None:
    """Pinned servers do not count."""
    instance = small([(9, 1, 1), (9, 1, 1)], blocks=8, pins={1: (0, 8)})

    with pytest.raises(InfeasibleError, match="room for 5 of 8 blocks"):
        parallax(instance, capacities(instance))
