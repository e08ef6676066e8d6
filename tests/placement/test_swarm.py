"""SWARM's stages by hand."""

from __future__ import annotations

import pytest

from chainopt.errors import InfeasibleError
from chainopt.model import Placement
from chainopt.placement.rates import rate
from chainopt.placement.swarm import _rebalance, fewest_stages, swarm, swarm_candidates
from chainopt.protocols import PlacementOptions
from tests.placement.examples import small


def test_rate_by_hand() -> None:
    """3 GB less 2 blocks leave 10 slots, 5 jobs of 1 + 2 · 0.25 s; one slot is no job at two blocks."""
    instance = small([(3, 1, 0.25), (2.1, 1, 1), (1.9, 1, 1)], blocks=3)

    assert rate(instance, 0, 2) == 5 / 1.5
    assert rate(instance, 1, 2) == 0
    assert rate(instance, 2, 2) == 0


def test_stages_by_hand() -> None:
    """Rates 2, 4, 10, 5 with 2 of 4 blocks: 10 | 5, then 4 to the second, 10 | 9, then 2 too, 10 | 11."""
    # (4 - 2) / 0.1 = 20 slots, 10 jobs
    instance = small([(4, 5, 0), (4, 2.5, 0), (4, 1, 0), (4, 2, 0)], blocks=4)

    assert swarm(instance, 2) == Placement([2, 2, 0, 2], [4, 4, 2, 4])


def test_ties_go_to_the_later_server_and_the_earlier_stage() -> None:
    """Of three equal servers the last is taken first."""
    assert swarm(small([(4, 1, 0)] * 3, blocks=4), 2) == Placement([0, 2, 0], [2, 4, 2])


def test_a_block_more_on_the_last_stages() -> None:
    """5 blocks in two stages are 2 + 3, of which the second needs the memory; the third server hosts nothing."""
    instance = small([(4, 1, 0), (4, 2, 0), (2.5, 1, 0)], blocks=5)

    # with 3 blocks 10 slots, 3 jobs: rates 3 and 1.5
    assert swarm(instance, 2) == Placement([0, 2, 0], [2, 5, 0])


@pytest.mark.parametrize(
    ("blocks", "memory", "stages"),
    [
        pytest.param(12, [6, 9], 3, id="floor(6 / 1.1) = 5 blocks on the smallest: 12 / 3 = 4"),
        pytest.param(12, [6, 9, 1], 3, id="one without room for a block does not count"),
        pytest.param(7, [4, 4], 3, id="7 is prime: ceil(7 / 3)"),
        pytest.param(7, [9, 9], 1, id="everybody hosts everything"),
        pytest.param(3, [1.5], 3, id="one block each"),
        pytest.param(3, [1], None, id="nobody has room"),
    ],
)
def test_fewest_stages(blocks: int, memory: list[float], stages: int | None) -> None:
    """The least divisor of L with stages that fit everywhere."""
    assert fewest_stages(small([(m, 1, 1) for m in memory], blocks)) == stages


def test_servers_move_from_the_strongest_stage_to_the_weakest() -> None:
    """4 + 4 + 4 | 1: one moves, 8 | 5; another would leave 4 | 9, which is weaker than 5."""
    members = [[0, 1, 2], [3]]
    _rebalance(members, [1, 1], {(j, 1): 4.0 for j in range(3)} | {(3, 1): 1.0})

    assert members == [[1, 2], [3, 0]]


def test_the_server_that_moves_helps_most() -> None:
    """6 + 3 + 2 | 1: with 6 5 | 7, with 3 8 | 4, with 2 9 | 3, so the first; then 1 goes back, 6 | 6."""
    members = [[0, 1, 2], [3]]
    _rebalance(members, [1, 1], {(0, 1): 6.0, (1, 1): 3.0, (2, 1): 2.0, (3, 1): 1.0})

    assert members == [[1, 2, 3], [0]]


def test_no_stages() -> None:
    """Fewer servers than stages, and numbers of stages that make no sense."""
    instance = small([(4, 1, 1)] * 2, blocks=9)

    with pytest.raises(InfeasibleError, match="not all 3 stages have a server"):
        swarm(instance)
    with pytest.raises(ValueError, match="expected 1 to 9 stages, got 10"):
        swarm(instance, 10)
    assert not list(swarm_candidates(instance, PlacementOptions()))
    with pytest.raises(InfeasibleError, match="not all stages"):
        swarm(small([(1, 1, 1)], blocks=2))
