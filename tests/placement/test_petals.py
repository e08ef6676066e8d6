"""PETALS' choice of blocks: check values, windows and moves solved by hand, and the algorithm word by word."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt import catalog
from chainopt.errors import InfeasibleError
from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from chainopt.placement import PLACEMENTS, petals
from chainopt.placement.petals import PetalsMemory
from chainopt.placement.windows import scarcest_window
from chainopt.protocols import PlacementOptions
from tests.oracles.strategies import instances

GIB = Decimal(2**30) / 10**9


def serving(model: str, weights: str, memories: list[Decimal], tokens: int) -> Instance:
    """A model of the catalogue on servers of these memories, GB, for jobs of so many tokens."""
    card = catalog.model(model)
    return Instance(
        name="memories",
        service=Service(
            name=model,
            blocks=len(card.blocks),
            block_gb=catalog.block_gb(card, weights),
            cache_gb=catalog.cache_gb(card, tokens),
        ),
        workload=Workload(arrival_rate=1),
        servers=[Server(id=f"s{j}", memory_gb=m, comm_s=1, comp_s_per_block=1) for j, m in enumerate(memories)],
    )


def small(comp: list[float], blocks: int, pins: dict[int, tuple[int, int]] | None = None, size: int = 1) -> Instance:
    """Servers of given τ^p that host `size` blocks each: a block takes 1 GB, the cache of a job 0.5 GB."""
    pins = pins or {}
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.5),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=2 * size,
                comm_s=1,
                comp_s_per_block=seconds,
                pin=BlockRange(start=pins[j][0], stop=pins[j][1]) if j in pins else None,
            )
            for j, seconds in enumerate(comp)
        ],
    )


def test_number_of_blocks_of_bloom() -> None:
    """BLOOM-176B in NF4: the numbers that PETALS and the BPRR paper print."""
    # Block 1.3233976672 GB, pool 2 · 14336 · 4096 · 2 B = 0.234881024 GB, reserve 2 GiB = 2.147483648 GB:
    # (79.13 - 2.147) / 1.558279 = 49.4, (8.2 - 2.147) / 1.558279 = 3.88, (20 - ..) = 11.46, (40 - ..) = 24.29;
    # in GiB: 79.13 is 84.965 GB: 53.1, 8.2 is 8.805: 4.27, 19.5 is 20.938: 12.06, 39.25 is 42.144: 25.67.
    gb = [Decimal("79.13"), Decimal("8.2"), Decimal(20), Decimal(40)]
    gib = [Decimal("79.13") * GIB, Decimal("8.2") * GIB, Decimal("19.5") * GIB, Decimal("39.25") * GIB]
    instance = serving("BLOOM-176B", "nf4", [*gb, *gib, Decimal(3), Decimal(200)], 2020)
    memory = PetalsMemory.of(instance)

    assert memory == PetalsMemory(Fraction(2**31, 10**9), Fraction(234881024, 10**9))
    sizes = memory.sizes(instance)
    assert sizes.tolist() == [49, 3, 11, 24, 53, 4, 12, 25, 0, 70]
    # Jobs of 2,020 tokens: the pool has 4096 / 2020 = 2.0277 of them at each block, floor(11 · 2.0277) = 22 slots.
    assert memory.slots(instance, sizes).tolist()[2:4] == [22, 48]


@pytest.mark.parametrize(
    ("model", "pool_bytes", "reserve_bytes"),
    [
        # 32 heads, all with keys and values: 2 · 4096 · 4096 tokens · 2 B. Reserve 2 GiB · 4096 / 14336.
        ("Llama-2-7B", 2 * 4096 * 4096 * 2, Fraction(2**31 * 4096, 14336)),
        # 64 heads share 8: 2 · 8192 / 8 · 16384 tokens · 2 B.
        ("Llama-3.1-70B", 2 * 8192 // 8 * 16384 * 2, Fraction(2**31 * 8192, 14336)),
        # 32 heads share 8, which PETALS does not count.
        ("Mixtral-8x7B", 2 * 4096 * 4096 * 2, Fraction(2**31 * 4096, 14336)),
    ],
)
def test_pools_of_other_models(model: str, pool_bytes: int, reserve_bytes: Fraction) -> None:
    """The pool is for 4,096 tokens, or for 16,384 where heads share keys and values."""
    memory = PetalsMemory.of(serving(model, "bf16", [Decimal(80)], 2048))

    assert memory == PetalsMemory(reserve_bytes / 10**9, Fraction(pool_bytes, 10**9))


def test_two_sessions_of_llama() -> None:
    """All 32 blocks of Llama-2-7B fit 20 GB, and the pool is for two jobs of 2,048 tokens all the same."""
    instance = serving("Llama-2-7B", "bf16", [Decimal(20)], 2048)
    memory = PetalsMemory.of(instance)

    assert memory.sizes(instance).tolist() == [32]
    assert memory.slots(instance, memory.sizes(instance)).tolist() == [2 * 32]
    # 20 - 0.614 - 32 · 0.404767 = 6.4 GB would do for 190 slots; with a pool for 5 jobs, 160 of them are used
    assert memory.for_jobs(instance, 5).slots(instance, memory.sizes(instance)).tolist() == [5 * 32]


def test_model_that_nobody_knows() -> None:
    """Nothing is reserved, and the pool is for two jobs."""
    assert PetalsMemory.of(small([1], blocks=1)) == PetalsMemory(Fraction(0), Fraction(1))


@pytest.mark.parametrize(
    ("amounts", "length", "start"),
    [
        ([5, 0, 9, 1, 1], 2, 0),  # (0, 5) < (0, 9) < (1, 1) < (1, 9), though 1 + 1 is the least sum
        ([3, 2, 3, 2, 3], 2, 0),  # all are (2, 3)
        ([3, 2, 2, 2, 3], 3, 1),
        ([4, 4, 1], 1, 2),
        ([7, 7], 2, 0),
    ],
)
def test_windows(amounts: list[int], length: int, start: int) -> None:
    """Windows are compared block by block, the worst served first, and the first of equal ones is taken."""
    assert scarcest_window(np.array(amounts), length) == start


def test_where_it_is_needed_most() -> None:
    """A server that comes late takes the window of the least throughput."""
    # Throughputs 1 / (τ^p (2 + 1) / 2): pinned 2/3 on blocks 0-1 and 1/3 on 2-3. Windows of the third:
    # (2/3, 2/3), (1/3, 2/3), (1/3, 1/3).
    instance = small([1, 2, 1], blocks=4, pins={0: (0, 2), 1: (2, 4)}, size=2)
    assert petals(instance) == Placement([0, 2, 2], [2, 4, 4])


def test_servers_move_where_that_is_worth_it() -> None:
    """Three slow servers and one that is three times as fast end up apart, whoever comes first."""
    # Throughputs 1/3 each and 1. If the fast one comes last it joins one slow server: 2/3 and 4/3. When that one thinks
    # again it would go over, and both blocks would have 1: 2/3 < 0.749.
    instance = small([3, 3, 3, 1], blocks=2)
    stayed = 0
    for seed in range(20):
        settled = petals(instance, seed=seed).start
        assert settled[:3].tolist() == [1 - settled[3]] * 3
        stayed += len(set(petals(instance, seed=seed, rebalance=False).start[:3].tolist())) > 1
    assert stayed  # without moves some orders leave the slow servers on both blocks


def test_servers_stay_where_little_is_gained() -> None:
    """A better place for a server is not enough: the worst served block has to gain more than a third."""
    # Slow servers have 1/4, the fast one 1/1.2 = 0.833. Four slow ones, the fast one last: 2/4 and 1.333. One goes
    # over: 3/4 and 1.083, 0.5 / 0.75 = 0.667 < 0.749. Of five, (0.75, 1.333) would become (1, 1.083): 0.75 > 0.749.
    few, many = small([4, 4, 4, 4, 1.2], blocks=2), small([4, 4, 4, 4, 4, 1.2], blocks=2)
    for instance, moves in ((few, True), (many, False)):
        changed = [petals(instance, seed=seed) != petals(instance, seed=seed, rebalance=False) for seed in range(20)]
        assert any(changed) == moves


def word_by_word(instance: Instance, seed: int, rebalance: bool) -> Placement | None:
    """The algorithm in whole numbers, on lists, for a pool of two jobs and no reserve."""
    blocks = instance.service.blocks
    room = Fraction(instance.service.block_gb) + 2 * Fraction(instance.service.cache_gb)
    sizes = [
        min(blocks, floor((Fraction(server.memory_gb) - Fraction(server.reserve_gb)) / room))
        for server in instance.servers
    ]
    rates = [
        2 / ((size + 1) * float(s.comp_s_per_block)) if s.comp_s_per_block else 1 / float(s.comm_s)
        for s, size in zip(instance.servers, sizes, strict=True)
    ]
    units = [1000 * max(1, round(rate / max(rates) * 2**30)) for rate in rates]
    hosting = [j for j, size in enumerate(sizes) if size]
    rng = np.random.default_rng(seed)
    where: dict[int, int] = {}

    def load(spans: dict[int, int], extra: tuple[int, int, int] | None = None) -> list[int]:
        """Throughput of each block; `extra` (start, length, units) more on some."""
        total = [sum(units[j] for j, i in spans.items() if i <= b < i + sizes[j]) for b in range(blocks)]
        if extra is not None:
            for b in range(extra[0], extra[0] + extra[1]):
                total[b] += extra[2]
        return total

    def best(amounts: list[int], size: int) -> int:
        return min(range(blocks - size + 1), key=lambda i: (sorted(amounts[i : i + size]), i))

    def without(spans: dict[int, int], j: int) -> list[int]:
        """As server j sees the others, who are worth a thousandth of itself less where it is."""
        others = {i: start for i, start in spans.items() if i != j}
        return load(others, (spans[j], sizes[j], -units[j] // 1000))

    def moves(j: int) -> bool:
        initial, total = min(load(where)), sum(load(where))
        if 1000 * initial * blocks >= 749 * total:
            return False
        seen = without(where, j)
        if initial > 0 and min(seen) <= 0:
            return False
        spans = {**where, j: best(seen, sizes[j])}
        if spans[j] == where[j]:
            return False
        for _ in range(100):
            before = dict(spans)
            for k in rng.permutation(hosting).tolist():
                spans[k] = best(without(spans, k), sizes[k])
            if spans == before:
                break
        final = min(load(spans))
        return final > 0 and final >= initial and Fraction(initial, final) < Fraction(749, 1000)

    for j in rng.permutation(hosting).tolist():
        where[j] = best(load(where), sizes[j])
    for _ in range(100 if rebalance else 0):
        before = dict(where)
        for j in rng.permutation(hosting).tolist():
            if moves(j):
                others = {i: start for i, start in where.items() if i != j}
                where[j] = best(load(others), sizes[j])
        if where == before:
            break
    if min(load(where)) == 0:
        return None
    start = [where.get(j, 0) for j in range(len(sizes))]
    return Placement(start, [s + size for s, size in zip(start, sizes, strict=True)])


@given(instance=instances(most_servers=9), seed=st.integers(0, 3), rebalance=st.booleans())
@settings(max_examples=100, deadline=None)
def test_as_word_by_word(instance: Instance, seed: int, rebalance: bool) -> None:
    """Placements are those of the algorithm on lists; without enough room there is none."""
    expected = word_by_word(instance, seed, rebalance)

    if expected is None:
        with pytest.raises(InfeasibleError, match="PETALS leaves"):
            petals(instance, seed=seed, rebalance=rebalance)
    else:
        assert petals(instance, seed=seed, rebalance=rebalance) == expected


@given(instance=instances(pins=True), seed=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_pins_stay(instance: Instance, seed: int) -> None:
    """Pinned servers host their pin, and no server more than its memory holds."""
    try:
        placement = petals(instance, seed=seed)
    except InfeasibleError:
        return
    for server, start, stop in zip(instance.servers, placement.start, placement.stop, strict=True):
        if server.pin is not None:
            assert (server.pin.start, server.pin.stop) == (start, stop)
    assert np.all(instance.memory.slots(placement.sizes) >= 0)


def test_candidates() -> None:
    """The rule has one placement, of the default cache or of the one that is asked for."""
    rule = PLACEMENTS["petals"].rule
    instance = small([1, 1, 1], blocks=4, size=2)  # 4 GB: 2 blocks with caches of two jobs, one with caches of four
    (default,) = rule(instance, PlacementOptions(seed=1))
    assert default.placement == petals(instance, seed=1)
    assert default.cache_reservation is None
    assert default.placement.sizes.tolist() == [2, 2, 2]
    (for_one,) = rule(instance, PlacementOptions(cache_reservation=1))
    assert for_one.placement.sizes.tolist() == [2, 2, 2]  # 4 / 1.5
    assert list(rule(instance, PlacementOptions(cache_reservation=4))) == []


def test_infeasible() -> None:
    """The error says what is left over, and why."""
    with pytest.raises(
        InfeasibleError,
        match="PETALS leaves 1 of 4 blocks without a server, block 3 first: with 1 GB of cache a block, and 0 GB kept "
        "for gradients, all servers together host 3 blocks",
    ):
        petals(small([1, 1, 1], blocks=4))
