"""Even split, shares of memory and homogeneous pipelines, by hand and by their definitions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.errors import InfeasibleError
from chainopt.model import Placement
from chainopt.placement.even_split import even_split, even_split_candidates, split_at_last, split_before_last
from chainopt.placement.homogeneous import homogeneous, homogeneous_candidates
from chainopt.placement.pipelines import capacity
from chainopt.placement.proportional import by_upper_bounds, largest_remainders, memory_proportional
from chainopt.protocols import PlacementOptions
from tests.placement.examples import small


@pytest.mark.parametrize(
    ("blocks", "stages", "spared", "last"),
    [
        pytest.param(7, 3, [2, 3, 2], [2, 2, 3], id="7 = 3 · 2 + 1"),
        pytest.param(8, 3, [3, 3, 2], [2, 3, 3], id="8 = 3 · 2 + 2"),
        pytest.param(9, 3, [3, 3, 3], [3, 3, 3], id="nothing is left"),
        pytest.param(5, 1, [5], [5], id="one stage"),
        pytest.param(3, 2, [2, 1], [1, 2], id="the last of two is spared"),
    ],
)
def test_where_the_remainder_goes(blocks: int, stages: int, spared: list[int], last: list[int]) -> None:
    """By vLLM to the stages before the last, from the back; by SGLang to the last ones."""
    assert split_before_last(blocks, stages) == spared
    assert split_at_last(blocks, stages) == last


def test_even_split_by_hand() -> None:
    """By memory 1, 3, 0, 2: two pipelines of 2 + 2 blocks; the small ones have (2.5 - 2) / 0.1 = 5 slots, 2 jobs."""
    instance = small([(2.5, 1, 1), (5, 1, 1), (2.5, 1, 1), (5, 1, 1)], blocks=4)

    assert even_split(instance, 2) == Placement([0, 0, 2, 2], [2, 2, 4, 4])
    assert even_split(instance, 2, cache_reservation=3) == Placement([0, 0, 0, 2], [0, 2, 0, 4])
    # 1 + 2 + 1 blocks on 1, 3 and 0; server 2 is left over
    assert even_split(instance, 3) == Placement([3, 0, 0, 1], [4, 1, 0, 3])
    assert even_split(instance, 3, spare_last=False, cache_reservation=2) == Placement([2, 0, 0, 1], [4, 1, 0, 2])
    # 4 blocks: floor(10 / 4) jobs; 2 + 2: floor(5 / 2); 1 + 2 + 1: 15; 1 + 1 + 2: floor(5 / 2); 1 + 1 + 1 + 1: 15
    assert [c.cache_reservation for c in even_split_candidates(instance, PlacementOptions())] == [2, 2, 15, 2, 15]


def test_even_split_leaves_pins_alone() -> None:
    """A pinned server is in no pipeline, however much memory it has."""
    instance = small([(9, 1, 1), (3, 1, 1), (3, 1, 1)], blocks=4, pins={0: (1, 3)})

    assert even_split(instance, 2) == Placement([1, 0, 2], [3, 2, 4])


def test_no_even_split() -> None:
    """An error says how long the pipelines would be, and a number of stages that makes no sense is refused."""
    instance = small([(2.5, 1, 1)] * 3, blocks=5)

    with pytest.raises(InfeasibleError, match="no 2 servers without a pin"):
        even_split(instance, 2)
    with pytest.raises(ValueError, match="expected 1 to 5 stages, got 6"):
        even_split(instance, 6)


@pytest.mark.parametrize(
    ("blocks", "memory", "exo", "llama"),
    [
        # shares 5.56, 3.33, 1.11; places of 11 up to 6.11, 9.78, 11: blocks 0-6, 7-9
        pytest.param(10, [5, 3, 1], [6, 3, 1], [7, 3, 0], id="uneven"),
        pytest.param(3, [1, 1], [2, 1], [2, 1], id="tie"),
        # 3.92, 0.04, 0.04: 4, 0, 0, then one each from the largest; places of 5 up to 4.9
        pytest.param(4, [100, 1, 1], [2, 1, 1], [4, 0, 0], id="at least one"),
        # places of 5 up to 2.5, 4.17, 5
        pytest.param(4, [3, 2, 1], [2, 1, 1], [3, 1, 0], id="output layer"),
    ],
)
def test_shares_of_memory(blocks: int, memory: list[int], exo: list[int], llama: list[int]) -> None:
    """Exo rounds by largest remainders, llama.cpp by upper bounds of positions, of which one is the output layer's."""
    assert largest_remainders(blocks, memory) == exo
    assert by_upper_bounds(blocks, memory) == llama


@given(memory=st.lists(st.integers(1, 50), min_size=1, max_size=6), more=st.integers(0, 20))
def test_shares_are_as_they_are_defined(memory: list[int], more: int) -> None:
    """All blocks are shared out; exo is within one of the share where nobody had none, llama.cpp is the definition."""
    blocks = len(memory) + more
    shares = [Fraction(blocks * m, sum(memory)) for m in memory]

    exo = largest_remainders(blocks, memory)
    assert sum(exo) == blocks
    assert min(exo) >= 1
    if min(shares) >= 1:
        assert all(abs(count - share) < 1 for count, share in zip(exo, shares, strict=True))

    def device(b: int) -> int:
        ends = [Fraction(sum(memory[: i + 1]), sum(memory)) for i in range(len(memory))]
        return next(i for i, end in enumerate(ends) if end > Fraction(b, blocks + 1))

    devices = [device(b) for b in range(blocks)]
    assert by_upper_bounds(blocks, memory) == [devices.count(i) for i in range(len(memory))]


def test_memory_proportional_by_hand() -> None:
    """Memories 6 and 3 share 6 blocks 4 : 2; with the output layer 7 places up to 4.67, so 5 : 1."""
    instance = small([(3, 1, 1), (6, 1, 1)], blocks=6)

    assert memory_proportional(instance, 2) == Placement([4, 0], [6, 4])
    assert memory_proportional(instance, 2, output_layer=True) == Placement([5, 0], [6, 5])
    # 10 slots for 5 blocks, 20 for one
    assert capacity(instance, [1, 0], [5, 1]) == 2
    with pytest.raises(InfeasibleError, match="no 2 servers"):
        memory_proportional(instance, 2, output_layer=True, cache_reservation=3)


def test_homogeneous_by_hand() -> None:
    """Kind A: 2 blocks, 5 jobs in 1 s, 10 blocks/s. Kind B: 3 blocks, 3 jobs in 4 s, 2.25 blocks/s; so A is first."""
    a, b = (3, 1, 0), (4, 1, 1)
    instance = small([a, b, a, a, b], blocks=5)

    # A: 2 + 2 + 1 on 0, 2, 3; B: 3 + 2 on 1, 4
    assert homogeneous(instance, 1) == Placement([0, 0, 2, 4, 3], [2, 3, 4, 5, 5])


def test_gaps_of_homogeneous_pipelines() -> None:
    """Two of kind A do not do for 5 blocks: they stay empty, or one of kind B joins them."""
    a, b = (3, 1, 0), (4, 1, 1)
    instance = small([a, a, b, b], blocks=5)

    assert homogeneous(instance, 1) == Placement([0, 0, 0, 3], [0, 0, 3, 5])
    # 2 + 2 + 1, and the second B begins a pipeline and ends none
    assert homogeneous(instance, 1, fill_gaps=True) == Placement([0, 2, 4, 0], [2, 4, 5, 0])
    assert len(list(homogeneous_candidates(instance, PlacementOptions(cache_reservation=1)))) == 2


def test_communication_times_do_not_make_kinds() -> None:
    """Two servers alike but for their distance make a pipeline."""
    assert homogeneous(small([(3, 1, 1), (3, 9, 1)], blocks=4), 1) == Placement([0, 2], [2, 4])


def test_no_homogeneous_pipeline() -> None:
    """One of each kind, and neither hosts everything."""
    instance = small([(3, 1, 1), (4, 1, 1)], blocks=4)

    with pytest.raises(InfeasibleError, match="no pipeline of servers of one kind has room for 1 jobs"):
        homogeneous(instance, 1)
    assert homogeneous(instance, 1, fill_gaps=True).sizes.tolist() in ([2, 2], [1, 3])
