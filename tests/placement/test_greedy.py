"""GBP-CR: the worked example, the oracle in fractions, both stops, pins, and Theorem 2."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.errors import InfeasibleError
from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from chainopt.placement.greedy import GreedyChains, gbp_cr
from tests.oracles.chains import Strings, block_counts, fewest_disjoint_chains, greedy_strings
from tests.oracles.strategies import instances

if TYPE_CHECKING:
    from collections.abc import Sequence


def hosts(instance: Instance, strings: Strings) -> Placement:
    ranges = [strings.hosted.get(j, (0, 0)) for j in range(len(instance.servers))]
    return Placement([start for start, _ in ranges], [stop for _, stop in ranges])


def small(
    servers: Sequence[tuple[float, float, float]],
    blocks: int,
    *,
    rate: float = 1,
    load: float = 0.5,
    pins: dict[int, tuple[int, int]] | None = None,
) -> Instance:
    """Blocks of 1 GB, 0.1 GB of cache, servers by memory, τ^c and τ^p, and pins by position of the server."""
    pins = pins or {}
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=rate, target_load=load),
        servers=[
            Server(
                id=f"s{j}",
                memory_gb=memory,
                comm_s=comm,
                comp_s_per_block=comp,
                pin=BlockRange(start=pins[j][0], stop=pins[j][1]) if j in pins else None,
            )
            for j, (memory, comm, comp) in enumerate(servers)
        ],
    )


def test_worked_example(worked_example: Instance) -> None:
    """The paper's example: m = 1, 2, 1, 1, 1, chains 1 → 2 and 3 → 4 → 5 with T = 3 + 5ε and 3 + 12ε, slots 10."""
    strings = GreedyChains.of(worked_example, 1)
    placement = gbp_cr(worked_example, 1)

    assert placement == Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3])
    tiny = Fraction(1, 100)
    assert strings.complete == 2
    assert strings.rates.tolist() == [1 / float(3 + 5 * tiny), 1 / float(3 + 12 * tiny)]
    assert worked_example.memory.slots(placement.sizes).tolist() == [10] * 5


@pytest.mark.parametrize(
    ("rate", "chains"),
    [
        pytest.param("0.32", 1, id="one chain is enough: 1/3.05 = 0.3278"),
        pytest.param("0.33", 2, id="one is not"),
        pytest.param("0.64", 2, id="two are: 1/3.05 + 1/3.12 = 0.6483"),
        pytest.param("0.65", 2, id="all that there are are not"),
    ],
)
def test_stop_when_the_rate_is_met(worked_example: Instance, rate: str, chains: int) -> None:
    """The servers after the chain with which c Σ 1/T_k reaches λ/ρ̄ stay empty; with too little all are placed."""
    load = Decimal("0.5")
    workload = Workload(arrival_rate=Decimal(rate) * load, target_load=load)
    placement = gbp_cr(worked_example.replace(workload=workload), 1, stop="rate")

    expected = {1: Placement([0, 1, 0, 0, 0], [1, 3, 0, 0, 0]), 2: Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3])}
    assert placement == expected[chains]


@pytest.mark.parametrize(("time", "chains"), [(10, 3), (49, 49), (7, 7), (1000, 30)])
def test_rate_that_is_met_exactly(time: int, chains: int) -> None:
    """K chains of T seconds serve λ/ρ̄ = K/T exactly; sums of floats miss it by the last digit."""
    rate = Decimal(chains) / time if time in (10, 1000) else chains // time
    instance = small([(2, time, 0)] * (chains + 1), blocks=1, rate=rate * Decimal("0.5"))
    placement = gbp_cr(instance, 1, stop="rate")

    assert placement.stop.tolist() == [1] * chains + [0]


def test_last_server_of_a_chain_overlaps_the_one_before() -> None:
    """A server hosts all it can: the last of a chain starts early enough, and counts with all its blocks."""
    instance = small([(3, 1, 1), (3, 1, 1.5)], blocks=3)  # floor(3 / 1.1) = 2 blocks each
    strings = GreedyChains.of(instance, 1)

    assert gbp_cr(instance, 1) == Placement([0, 1], [2, 3])
    assert strings.rates.tolist() == [1 / (3 + 4)]


def test_incomplete_chain_stays() -> None:
    """What is left after the last complete chain is placed from block 0 on."""
    instance = small([(4, 1, 1), (2, 5, 1), (2, 5, 1)], blocks=3)

    assert gbp_cr(instance, 1) == Placement([0, 0, 1], [3, 1, 2])


def test_amortised_times_that_floats_cannot_tell_apart() -> None:
    """(1 + 3τ)/3 with τ = 0.1 and (1.3 + 0)/3 tie exactly, so the first of the file comes first."""
    # floor(4 / 1.1) = 3 blocks
    instance = small([(4, 1.3, 0), (4, 1, 0.1)], blocks=4)
    other = small([(4, 1, 0.1), (4, 1.3, 0)], blocks=4)

    assert gbp_cr(instance, 1) == gbp_cr(other, 1) == Placement([0, 1], [3, 4])


@settings(deadline=None, max_examples=300)
@given(instance=instances(least_servers=2), reservation=st.integers(1, 5), stop=st.sampled_from(["rate", "never"]))
def test_equals_the_oracle(instance: Instance, reservation: int, stop: Literal["rate", "never"]) -> None:
    """Ranges of all servers are those of Algorithm 1 in fractions, ties included; so are the chains' times."""
    expected = greedy_strings(instance, reservation, until_rate_is_met=stop == "rate")

    if not expected.times:
        with pytest.raises(InfeasibleError):
            gbp_cr(instance, reservation, stop)
        return
    assert gbp_cr(instance, reservation, stop) == hosts(instance, expected)
    rates = GreedyChains.of(instance, reservation).rates[: len(expected.times)]
    assert rates.tolist() == pytest.approx([1 / float(time) for time in expected.times], rel=1e-15)


@settings(deadline=None, max_examples=200)
@given(
    instance=instances(least_servers=2, pins=True),
    reservation=st.integers(1, 3),
    stop=st.sampled_from(["rate", "never"]),
)
def test_equals_the_oracle_with_pins(instance: Instance, reservation: int, stop: Literal["rate", "never"]) -> None:
    """The same where some servers are pinned."""
    expected = greedy_strings(instance, reservation, until_rate_is_met=stop == "rate")

    if not expected.times:
        with pytest.raises(InfeasibleError):
            gbp_cr(instance, reservation, stop)
        return
    assert gbp_cr(instance, reservation, stop) == hosts(instance, expected)
    rates = GreedyChains.of(instance, reservation).rates[: len(expected.times)]
    assert rates.tolist() == pytest.approx([1 / float(time) for time in expected.times], rel=1e-15)


def test_of_pins_that_go_equally_far_the_first_is_taken() -> None:
    """Two servers pinned to the same blocks make two chains, in the order of the instance, not of their speed."""
    instance = small([(3, 9, 0), (3, 1, 0)], blocks=2, pins={0: (0, 2), 1: (0, 2)})

    assert GreedyChains.of(instance, 1).rates.tolist() == [1 / 9, 1]


def test_pins_by_hand() -> None:
    """A pin joins the chain that comes to one of its blocks, however slow; of two the one that goes farther."""
    # Without pins 2 blocks each (floor(3 / 1.1)). Servers 0 and 1 by their speed, 2 and 3 are pinned and slow.
    servers = [(3, 1, 0), (3, 2, 0), (3, 50, 1), (5, 40, 1)]
    instance = small(servers, blocks=5, pins={2: (1, 3), 3: (2, 5)})
    strings = GreedyChains.of(instance, 1)

    # block 0: no pin is there, server 0 takes 0 and 1. Block 2: both pins host it; server 3 goes to 5.
    assert gbp_cr(instance, 1) == Placement([0, 0, 1, 2], [2, 2, 3, 5])
    assert strings.rates.tolist() == [1 / (1 + 40 + 3)]  # then server 1 to block 2, server 2 to block 3, and no more


def test_pin_joins_where_it_has_slots_for_the_reservation() -> None:
    """A server that cannot process its whole pin for c jobs may do so for the end of it, and hosts it in any case."""
    servers = [(2.5, 1, 0), (2, 1, 0), (2, 1, 0)]  # a pin of 2 blocks with 5 slots, and two servers for 1 block
    instance = small(servers, blocks=2, pins={0: (0, 2)})

    # c = 2: the pin takes 4 slots for a chain of its own, then servers 1 and 2
    assert GreedyChains.of(instance, 2).rates.tolist() == [1, 1 / 2]
    assert gbp_cr(instance, 2) == Placement([0, 0, 1], [2, 1, 2])
    # c = 3: both blocks would take 6 slots; server 1, then the pin with 3; server 2 begins a chain and ends none
    assert GreedyChains.of(instance, 3).rates.tolist() == [1 / 2]
    assert gbp_cr(instance, 3) == Placement([0, 0, 0], [2, 1, 1])
    # c = 6: no block of the pin can be used; 1 + 0.6 GB a block elsewhere
    assert GreedyChains.of(instance, 6).rates.tolist() == [1 / 2]
    assert gbp_cr(instance, 6) == Placement([0, 0, 1], [2, 1, 2])


def test_pin_that_does_not_fit() -> None:
    """A pin that is larger than the memory is an error that says by how much."""
    instance = small([(4, 1, 1), (2.9, 1, 1)], blocks=3, pins={1: (0, 3)})

    with pytest.raises(InfeasibleError, match=r"server 's1' is 0\.1 GB short of the 3 blocks"):
        gbp_cr(instance, 1)


def test_no_chain_can_be_completed() -> None:
    """Too little memory, or too much of it reserved for caches, is an error that names the reservation."""
    instance = small([(3, 1, 1)] * 2, blocks=4)

    assert gbp_cr(instance, 5) == Placement([0, 2], [2, 4])  # 2 (1 + 0.5) = 3
    with pytest.raises(InfeasibleError, match="room for 6 jobs"):
        gbp_cr(instance, 6)


@pytest.mark.parametrize("reservation", [0, -1])
def test_reservation_of_no_job(reservation: int) -> None:
    """A chain that may run no job is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        gbp_cr(small([(9, 1, 1)], blocks=3), reservation)


@settings(deadline=None, max_examples=150)
@given(
    instance=instances(most_servers=6, most_blocks=4, most_kinds=6, equal_memory=True), reservation=st.integers(1, 3)
)
def test_fewest_chains_where_all_memories_are_equal(instance: Instance, reservation: int) -> None:
    """Theorem 2: no choice of disjoint chains meets the rate with fewer of them, and if any meets it GBP-CR does."""
    instance = instance.replace(servers=[server.replace(reserve_gb=0) for server in instance.servers])
    counts = block_counts(instance, reservation)
    times = [
        Fraction(server.comm_s) + Fraction(server.comp_s_per_block) * m
        for server, m in zip(instance.servers, counts, strict=True)
    ]
    target = Fraction(instance.workload.arrival_rate) / Fraction(instance.workload.target_load) / reservation
    fewest = fewest_disjoint_chains(counts, times, instance.service.blocks, target) if counts[0] else None

    strings = GreedyChains.of(instance, reservation)
    assert strings.prefix(instance.design_rate, reservation) == fewest
    if counts[0]:
        assert strings.complete == len(counts) // ceil(instance.service.blocks / counts[0])


def test_more_chains_than_needed_where_memories_differ() -> None:
    """GBP-CR is a heuristic in general: small servers that are fast go first, where one large one would be enough."""
    # L = 4, c = 1, per block 1.1 GB: 3, 3 and 4 blocks, amortised (3 + 0)/3 = 1 and 4.4/4 = 1.1 s.
    # GBP-CR: the two small servers, T = 6; then the large one, T = 4.4. A rate of 0.2 needs both, or the large alone.
    instance = small([(4, 3, 0), (4, 3, 0), (5, 4.4, 0)], blocks=4, rate=0.1, load=0.5)
    times = [Fraction(3), Fraction(3), Fraction(44, 10)]

    assert GreedyChains.of(instance, 1).prefix(instance.design_rate, 1) == 2
    assert fewest_disjoint_chains([3, 3, 4], times, 4, Fraction(1, 5)) == 1
