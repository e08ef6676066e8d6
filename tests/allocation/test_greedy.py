"""GCA: the worked example, the oracle that looks at every path, and what must hold of any allocation."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.allocation.greedy import gca
from chainopt.model import Composition, Instance, Placement, Server, Service, Workload
from tests.oracles.chains import cache_slots, fastest_first
from tests.oracles.strategies import placed_instances


def small(servers: list[tuple[float, float, float]], blocks: int, cache_gb: float = 1) -> Instance:
    """Blocks of 1 GB, and servers given by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=cache_gb),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id=f"s{j}", memory_gb=memory, comm_s=comm, comp_s_per_block=comp)
            for j, (memory, comm, comp) in enumerate(servers)
        ],
    )


def chains(composition: Composition) -> list[tuple[tuple[int, ...], int]]:
    return [(chain.servers, chain.capacity) for chain in composition.chains]


def test_worked_example(worked_example: Instance) -> None:
    """The paper's example, section 3.1.4: three chains with five jobs each, to the last digit."""
    composition = gca(worked_example, Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3]))

    # servers 1 to 5 are 0 to 4 here; 10 slots each; 1 → 2 takes 2 slots a job at server 2
    assert [(chain.servers, chain.blocks, chain.capacity) for chain in composition.chains] == [
        ((0, 1), (1, 2), 5),
        ((0, 3, 4), (1, 1, 1), 5),
        ((2, 3, 4), (1, 1, 1), 5),
    ]
    tiny = Fraction(1, 100)
    times = [3 + 5 * tiny, 3 + 10 * tiny, 3 + 12 * tiny]
    assert composition.service_times_s.tolist() == [float(time) for time in times] == [3.05, 3.1, 3.12]
    assert composition.total_service_rate == pytest.approx(float(sum(5 / time for time in times)), rel=1e-15)
    assert composition.job_servers == 15


def test_of_equally_fast_chains_the_last_arc_leaves_the_least_boundary() -> None:
    """0 → 1 → 4, 0 → 2 → 4 and 0 → 3 → 4 take 4 s each; the first to be used is the one whose last arc is longest."""
    servers = [(10, 0, 1)] * 6
    composition = gca(small(servers, blocks=4), Placement([0, 2, 0, 0, 3, 1], [2, 4, 1, 3, 4, 4]))

    # 8, 8, 9, 7, 9, 7 slots. Last arcs from 1 (server 5 with 3 blocks, behind server 2): min(9/1, 7/3) = 2.
    # From 2: servers 1 and 5 can; server 5 has 7 - 6 = 1 slot left, server 1 has 8/2 = 4 behind 0 with 8/2 = 4.
    # From 3: server 1 has no slot left, server 4 has 9/1, behind server 3 with 7/3 = 2; then server 5, 1 slot of 1
    # left, but no server is left that stops at 3: server 3 has 7 - 6 = 1.
    assert chains(composition) == [((2, 5), 2), ((0, 1), 4), ((3, 4), 2)]


def test_of_equal_servers_the_first_is_used_first() -> None:
    """Three identical servers that host everything are used in the order of the instance."""
    composition = gca(small([(5, 1, 1)] * 3, blocks=2), Placement([0] * 3, [2] * 3))

    assert chains(composition) == [((0,), 1), ((1,), 1), ((2,), 1)]  # 3 slots, 2 for a job


def test_tie_that_floats_get_wrong() -> None:
    """0.1 + 0.2 s and 0.3 s are one time, so the chain with the longer last arc comes first."""
    servers = [(2, 0.1, 0), (2, 0.2, 0), (4, 0.3, 0)]
    composition = gca(small(servers, blocks=2), Placement([0, 1, 0], [1, 2, 2]))

    assert 0.1 + 0.2 > 0.3
    assert chains(composition) == [((2,), 1), ((0, 1), 1)]
    assert composition.service_times_s.tolist() == [0.3, 0.3]


def test_arcs_off_the_path_are_tested_too() -> None:
    """A server whose longest arc still fits after a round may have lost another arc, and the other way round."""
    # Server 0 hosts both blocks with 3 slots: alone 2 slots a job, behind server 1 one slot a job.
    composition = gca(small([(5, 1, 0), (2, 1, 0)], blocks=2), Placement([0, 0], [2, 1]))

    assert chains(composition) == [((0,), 1), ((1, 0), 1)]  # 3 - 2 = 1 slot left: no second job alone, one behind 1


def test_greed_can_lose_service_rate() -> None:
    """The fastest chain may use up the slots of two; GCA is optimal for its placement only as JFFC would use it."""
    # Server 0 hosts both blocks, 2 slots, 1 s. Behind server 1, 0.1 s, it needs one slot a job, so two jobs fit.
    instance = small([(4, 1, 0), (3, 0.1, 0)], blocks=2)
    placement = Placement([0, 0], [2, 1])

    assert chains(gca(instance, placement)) == [((0,), 1)]
    assert Composition.of(instance, placement, [[1, 0]], [2]).total_service_rate == pytest.approx(2 / 1.1)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        pytest.param([0, 0], [0, 0], id="nothing hosted"),
        pytest.param([0, 0], [1, 1], id="last block missing"),
        pytest.param([1, 2], [3, 3], id="first block missing"),
        pytest.param([0, 2], [1, 3], id="gap"),
        pytest.param([0, 1], [2, 3], id="second server without slots"),
    ],
)
def test_no_chain(start: list[int], stop: list[int]) -> None:
    """Where no path leads from the first block to the last the composition is empty, and its arrays fit together."""
    composition = gca(small([(4, 1, 1), (2, 1, 1)], blocks=3), Placement(start, stop))

    assert composition.chains == ()
    assert composition.first.tolist() == [0]
    assert composition.hops.size == composition.hop_blocks.size == composition.capacities.size == 0
    assert composition.total_service_rate == 0
    assert composition.job_servers == 0


def test_placement_that_does_not_fit() -> None:
    """The first server with more blocks than memory is named."""
    instance = small([(3, 1, 1), (2.9, 1, 1)], blocks=3)

    with pytest.raises(ValueError, match="server 1 does not have the memory"):
        gca(instance, Placement([0, 0], [3, 3]))


def test_memory_that_just_fits() -> None:
    """Three blocks of 0.1 GB fit into 0.3 GB, which floats deny, with no slot to spare."""
    instance = small([(0.3, 1, 1)], blocks=3).replace(service=Service(blocks=3, block_gb=0.1, cache_gb=0.1))

    assert 3 * 0.1 > 0.3
    assert gca(instance, Placement([0], [3])).chains == ()


@settings(deadline=None, max_examples=300)
@given(placed_instances(least_servers=3))
def test_equals_the_search_over_all_paths(case: tuple[Instance, Placement]) -> None:
    """Chains, blocks, capacities and times are those of the oracle, ties included."""
    instance, placement = case

    found = [(c.servers, c.blocks, c.capacity, c.service_time_s) for c in gca(instance, placement).chains]

    expected = fastest_first(instance, placement)
    assert found == [(path.servers, path.blocks, n, float(path.time)) for path, n in expected]


@settings(deadline=None, max_examples=100)
@given(placed_instances(least_servers=4, most_servers=12, most_blocks=3, most_kinds=1))
def test_equals_the_search_where_everything_ties(case: tuple[Instance, Placement]) -> None:
    """The same with servers of one kind only."""
    instance, placement = case

    found = [(c.servers, c.capacity) for c in gca(instance, placement).chains]

    assert found == [(path.servers, n) for path, n in fastest_first(instance, placement)]


def random_case(seed: int, servers: int, blocks: int) -> tuple[Instance, Placement]:
    draw = random.Random(seed)
    kinds = [(draw.randint(4, blocks), draw.randint(1, 50) / 10, draw.randint(1, 9) / 100) for _ in range(6)]
    instance = small([draw.choice(kinds) for _ in range(servers)], blocks, cache_gb=0.07)
    sizes = [draw.randint(0, 4) for _ in instance.servers]
    start = [draw.randint(0, blocks - size) for size in sizes]
    return instance, Placement(start, [a + size for a, size in zip(start, sizes, strict=True)])


@pytest.mark.parametrize("seed", range(20))
def test_large_placements(seed: int) -> None:
    """With thousands of paths: slots suffice, times ascend, nothing more fits, and no chain comes twice."""
    instance, placement = random_case(seed, servers=60, blocks=12)
    composition = gca(instance, placement)

    free = cache_slots(instance, placement)
    for chain in composition.chains:
        assert chain.capacity >= 1
        assert sum(chain.blocks) == instance.service.blocks
        for j, blocks in zip(chain.servers, chain.blocks, strict=True):
            free[j] -= chain.capacity * blocks
    assert min(free) >= 0
    assert len(composition.chains) >= 5
    assert np.all(np.diff(composition.service_times_s) >= 0)
    assert len({chain.servers for chain in composition.chains}) == len(composition.chains)
    reached = {0}
    for b in range(instance.service.blocks):
        if b in reached:
            reached |= {
                e
                for a, e, room in zip(placement.start.tolist(), placement.stop.tolist(), free, strict=True)
                if a <= b < e and room >= e - b
            }
    assert instance.service.blocks not in reached


@settings(deadline=None, max_examples=30)
@given(case=placed_instances(), data=st.data())
def test_result_is_a_composition(case: tuple[Instance, Placement], data: st.DataObject) -> None:
    """Rebuilt from its chains alone, the composition is the same; so is any selection of its chains."""
    instance, placement = case
    composition = gca(instance, placement)

    again = Composition.of(
        instance, placement, [chain.servers for chain in composition.chains], composition.capacities.tolist()
    )

    assert again.chains == composition.chains
    some = data.draw(st.lists(st.sampled_from(range(len(again.chains))))) if again.chains else []
    chosen = composition.select(some, composition.capacities[some])
    assert chosen.chains == tuple(composition.chains[k] for k in some)
