"""CG-BP: the worked example, the paper word by word in fractions, and what it guarantees."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainopt.errors import InfeasibleError
from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from chainopt.placement import PLACEMENTS, cg_bp
from chainopt.protocols import PlacementOptions
from tests.oracles.chains import all_paths, block_counts, cache_slots, memory
from tests.oracles.strategies import instances


def small(servers: list[tuple[float, float, float]], blocks: int) -> Instance:
    """Blocks of 1 GB, 0.1 GB of cache, servers by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id=f"s{j}", memory_gb=memory_gb, comm_s=comm, comp_s_per_block=comp)
            for j, (memory_gb, comm, comp) in enumerate(servers)
        ],
    )


def test_both_phases(worked_example: Instance) -> None:
    """The paper's cluster of five servers, for one session."""
    # m = 1, 2, 1, 1, 1 of L = 3 blocks, amortised times 1.01, 1.02, 1.03, 1.04, 1.05: servers come in this order.
    # Phase 1: s1 takes block 0, s2 blocks 1 and 2. They have room for (2 - 1)/0.1 = 10 and (3 - 2)/0.2 = 5 sessions.
    # Phase 2: C = 10, 5, 5: s3 takes block 1, C = 10, 15, 5: s4 block 2, C = 10, 15, 15: s5 block 0.
    assert cg_bp(worked_example, 1) == Placement([0, 1, 1, 2, 0], [1, 3, 2, 3, 1])


def test_last_window_of_the_first_phase_overlaps() -> None:
    """A window with all blocks that are left takes the longest, so the last one ends with the model."""
    # floor(3.3 / 1.1) = 3 blocks each of L = 4. s0 takes 0-2 and leaves block 3. Windows with it: 1-3 only.
    assert cg_bp(small([(3.3, 1, 1), (3.3, 1, 2)], blocks=4), 1) == Placement([0, 1], [3, 4])


def test_second_phase_compares_blocks_not_sums() -> None:
    """The window with the block that has the least room wins over the one with the least room in all."""
    # 11 GB have room for a block and 100 caches of 0.1 GB, 4 GB for a block and 30.
    instance = small([(11, 1, 1), (4, 1, 1), (11, 1, 1), (2.2, 9, 9)], blocks=3)
    pinned = instance.replace(
        servers=[
            instance.servers[0].replace(pin=BlockRange(start=0, stop=1)),  # 100 sessions
            instance.servers[1].replace(pin=BlockRange(start=1, stop=2)),  # 30 sessions
            instance.servers[2].replace(pin=BlockRange(start=2, stop=3)),  # 100 sessions
            instance.servers[3],  # 2 blocks: windows (30, 100) and (30, 100) tie, the first is taken
        ]
    )
    assert cg_bp(pinned, 1) == Placement([0, 1, 2, 0], [1, 2, 3, 2])


def word_by_word(instance: Instance, sessions: int, dummy: Fraction) -> Placement | None:
    """The algorithm in fractions, for any time of sessions without room."""
    blocks, sizes = instance.service.blocks, block_counts(instance, sessions)
    block_gb, cache_gb = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    slots = [floor((memory(instance, j) - block_gb * size) / cache_gb) for j, size in enumerate(sizes)]
    hosting = [j for j, size in enumerate(sizes) if size]
    times = {j: amortised(instance, j, sizes[j]) for j in hosting}
    room = [0] * blocks
    total = [sessions * dummy] * blocks
    start = [0] * len(sizes)
    for j in sorted(hosting, key=lambda j: times[j]):
        windows = range(blocks - sizes[j] + 1)
        lacking = [i for i in windows if any(room[b] < sessions for b in range(i, i + sizes[j]))]
        if lacking:
            start[j] = max(lacking, key=lambda i: (sum(total[i : i + sizes[j]]), -i))
        else:
            start[j] = min(windows, key=lambda i: (sorted(room[i : i + sizes[j]]), i))
        for b in range(start[j], start[j] + sizes[j]):
            total[b] -= (dummy - times[j]) * min(max(sessions - room[b], 0), slots[j] // sizes[j])
            room[b] += slots[j] // sizes[j]
    if min(room) == 0:
        return None
    return Placement(start, [s + size for s, size in zip(start, sizes, strict=True)])


def amortised(instance: Instance, j: int, size: int) -> Fraction:
    """τ^p_j + τ^c_j / m_j."""
    server = instance.servers[j]
    return Fraction(server.comp_s_per_block) + Fraction(server.comm_s) / size


def longest(instance: Instance, sessions: int) -> Fraction:
    """The largest amortised time."""
    sizes = block_counts(instance, sessions)
    return max((amortised(instance, j, size) for j, size in enumerate(sizes) if size), default=Fraction(0))


@given(instance=instances(), sessions=st.integers(1, 6), more=st.sampled_from(["1/1000", "1", "50"]))
@settings(max_examples=100, deadline=None)
def test_as_word_by_word(instance: Instance, sessions: int, more: str) -> None:
    """Placements are those of the paper's lines, whatever longer time a session without room is said to take."""
    expected = word_by_word(instance, sessions, longest(instance, sessions) + Fraction(more))

    if expected is None:
        assert sum(block_counts(instance, sessions)) < instance.service.blocks  # Corollary 1
        with pytest.raises(InfeasibleError, match=r"blocks without a server|no server has room"):
            cg_bp(instance, sessions)
    else:
        assert cg_bp(instance, sessions) == expected


@given(instance=instances(most_servers=5), sessions=st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_guarantees(instance: Instance, sessions: int) -> None:
    """The fastest route is within Theorem 2's bound, every server has room for the sessions, eq. 19 is enough."""
    blocks, servers = instance.service.blocks, len(instance.servers)
    block_gb, cache_gb = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    total = sum(memory(instance, j) for j in range(servers))
    enough = sessions <= (total - block_gb * (blocks + servers)) / (cache_gb * (blocks + servers))
    feasible = sum(block_counts(instance, sessions)) >= blocks
    assert feasible or not enough
    assume(feasible)

    placement = cg_bp(instance, sessions)
    sizes = placement.sizes.tolist()
    assert all(slots >= sessions * size for slots, size in zip(cache_slots(instance, placement), sizes, strict=True))
    bound, hosted = Fraction(0), 0
    for j in sorted(filter(sizes.__getitem__, range(servers)), key=lambda j: amortised(instance, j, sizes[j])):
        if hosted < blocks:
            hosted += sizes[j]
            bound += amortised(instance, j, sizes[j]) * sizes[j]
            last = Fraction(instance.servers[j].comp_s_per_block)
    assert min(path.time for path in all_paths(instance, placement)) <= bound - last * (hosted - blocks)


def test_candidates_are_all_different(worked_example: Instance) -> None:
    """One placement for each vector of numbers of blocks, the least number of sessions with it."""
    # M = 2 and 3 of s_m = 1, s_c = 0.1: (1, 2, 1, 1, 1) up to floor(1/0.2) = 5 sessions, (1, 1, 1, 1, 1) up to 10,
    # (0, 1, 0, 0, 0) after that, which is too little.
    found = list(PLACEMENTS["cg-bp"].rule(worked_example, PlacementOptions()))
    assert [candidate.cache_reservation for candidate in found] == [1, 6]
    assert found[1].placement.sizes.tolist() == [1, 1, 1, 1, 1]

    (only,) = PLACEMENTS["cg-bp"].rule(worked_example, PlacementOptions(cache_reservation=7))
    assert only.placement == found[1].placement
    assert list(PLACEMENTS["cg-bp"].rule(worked_example, PlacementOptions(cache_reservation=11))) == []


def test_pins_come_first() -> None:
    """A pinned server is part of the first phase: the others take what it leaves."""
    instance = small([(3.3, 1, 1), (1.1, 9, 9)], blocks=4)  # 3 blocks and 1
    last = instance.replace(servers=[instance.servers[0], instance.servers[1].replace(pin=BlockRange(start=0, stop=1))])
    assert cg_bp(last, 1) == Placement([1, 0], [4, 1])


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        (1, "CG-BP for 1 sessions leaves 1 of 4 blocks without a server, block 3 first: all servers together host 3"),
        (90, "no server has room for a block with the caches of 90 sessions"),
    ],
)
def test_infeasible(sessions: int, message: str) -> None:
    """The error says which block is left over."""
    with pytest.raises(InfeasibleError, match=message):
        cg_bp(small([(3.3, 1, 1)], blocks=4), sessions)


def test_no_sessions() -> None:
    """Nobody places blocks for no session."""
    with pytest.raises(ValueError, match="at least 1 session, got 0"):
        cg_bp(small([(3.3, 1, 1)], blocks=3), 0)
