"""Edges that once were wrong: saturation, overflow, placements of other instances, pins."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

import chainopt
from chainopt.allocation.greedy import gca
from chainopt.errors import UnstableError
from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from chainopt.model.grid import MemoryGrid
from chainopt.placement.greedy import GreedyChains, gbp_cr, reservations
from chainopt.quantity import decimal_places, exact, rounded, significant
from chainopt.queueing import jffc, jffc_bounds
from tests.oracles.queues import birth_death_jobs_by_logarithms


def one() -> Instance:
    """One server, three blocks."""
    return Instance(
        name="x",
        service=Service(blocks=3, block_gb=1, cache_gb=Decimal("0.1")),
        workload=Workload(arrival_rate=1),
        servers=[Server(id="a", memory_gb=10, comm_s=1, comp_s_per_block=1)],
    )


def test_rate_met_exactly_is_unstable() -> None:
    """Three servers of rate 0.1 are saturated by 0.3 jobs/s, whatever the rounding."""
    with pytest.raises(UnstableError):
        jffc([0.1, 0.1, 0.1], [1, 1, 1], 0.3)


def test_bounds_close_to_saturation() -> None:
    """The largest load below 1 has bounds, and positive ones, or is called unstable."""
    r, c = [1 / 3], [4000]
    with pytest.raises(UnstableError):
        jffc_bounds(r, c, float(np.nextafter(r[0] * c[0], 0)))
    assert min(jffc_bounds(r, c, r[0] * c[0] * (1 - 1e-11))) > 0


@pytest.mark.parametrize("load", [1 - 1e-6, 1 - 1e-9])
def test_bounds_accuracy(load: float) -> None:
    """Close to saturation the bounds are as accurate as 1 - load is."""
    r, c = [1 / 3], [4000]
    lam = load * r[0] * c[0]
    assert jffc_bounds(r, c, lam)[0] == pytest.approx(
        birth_death_jobs_by_logarithms(r, c, lam) / lam, rel=1e-15 / (1 - load) * 2
    )
    m = jffc(r, c, lam).mean_response_time_s
    assert jffc_bounds(r, c, lam)[0] <= m * (1 + 1e-15 / (1 - load))


def test_placement_beyond_the_last_block() -> None:
    """There is no block 4 of 3."""
    with pytest.raises(ValueError, match="hosts blocks up to 5 of 3"):
        gca(one(), Placement([0], [5]))


def test_placement_of_other_servers() -> None:
    """A placement of three servers is not one of an instance with one."""
    with pytest.raises(ValueError, match="the instance has 1"):
        gca(one(), Placement([0] * 3, [3] * 3))


def test_reserve_is_exact() -> None:
    """A server that is 10^-30 GB short does not host the block."""
    i = Instance(
        name="x",
        service=Service(blocks=1, block_gb=Decimal("2.7"), cache_gb=Decimal("0.1")),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(
                id="a",
                memory_gb=3,
                reserve_gb=Decimal("0.300000000000000000000000000001"),
                comm_s=1,
                comp_s_per_block=1,
            )
        ],
    )
    assert i.memory.slots(np.array([1]))[0] < 0


def test_places() -> None:
    """More digits than the context of Python has."""
    assert decimal_places([Decimal("100000000.000000000000000000000000000001")]) == 30


def test_reservations_overflow() -> None:
    """A cache whose product with the number of blocks overflows int64."""
    g = MemoryGrid.of([Decimal(10)], Decimal("0.01"), Decimal("5.76460752303423488"), 100)
    assert g.reservations().tolist() == [1]


def test_reservation_beyond_int64() -> None:
    """Room for 10^18 jobs leaves room for no block."""
    assert MemoryGrid.of([Decimal(10)], Decimal("0.01"), Decimal("0.1"), 100).sizes(10**18).tolist() == [0]


def test_times_of_very_different_size() -> None:
    """A time that integers cannot tell from others beside the longest ones is refused, not rounded."""
    with pytest.raises(ValueError, match=r"servers\[1\]\.comp_s_per_block: 1E-9 is too short"):
        Instance(
            name="x",
            service=Service(blocks=10**5, block_gb=1, cache_gb=1),
            workload=Workload(arrival_rate=1),
            servers=[
                Server(id="a", memory_gb=1e9, comm_s=1e9, comp_s_per_block=1e9),
                Server(id="b", memory_gb=1e9, comm_s=0, comp_s_per_block=1e-9),
            ],
        )


def test_more_slots_than_can_be_counted() -> None:
    """A cache of a byte beside a memory of 10^9 GB is refused."""
    with pytest.raises(ValueError, match=r"service\.cache_gb: expected at least 10\^-12 of the largest memory"):
        Instance(
            name="x",
            service=Service(blocks=1, block_gb=1, cache_gb=1e-9),
            workload=Workload(arrival_rate=1),
            servers=[Server(id="a", memory_gb=1e9, comm_s=1, comp_s_per_block=1)],
        )


def test_many_job_servers() -> None:
    """Hundreds of millions of job servers of which a few are ever busy are no more work than those few."""
    instance = Instance(
        name="x",
        service=Service(blocks=2, block_gb=1, cache_gb=1e-7),
        workload=Workload(arrival_rate=0.5),
        servers=[Server(id="a", memory_gb=80, comm_s=1, comp_s_per_block=1)],
    )
    solution = chainopt.compose(instance, bound=True)
    assert solution.evaluation is not None
    assert solution.evaluation.job_servers == 390_000_000
    assert solution.value == pytest.approx(3)
    assert chainopt.verify(instance, solution) == []


def test_quantile_of_tiny_probability() -> None:
    """A probability that 1 - p cannot tell from 0."""
    assert jffc([1, 0.5], [2, 3], 1.2).quantile(1e-17) >= 0


def test_prefix_of_many_equal_chains() -> None:
    """A rate met exactly by many chains is met, whatever the rounding of their sum."""
    n = 175392 // 9 * 9
    g = GreedyChains(np.zeros(n), np.ones(n), np.arange(n), np.full(n, 1 / 9))
    assert g.prefix(n / 9, 1) == n


def test_reservations_with_pins() -> None:
    """Between its ends of intervals GBP-CR does not change, with pins either."""
    i = Instance(
        name="x",
        service=Service(blocks=2, block_gb=1, cache_gb=Decimal("0.1")),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id="a", memory_gb=2.5, comm_s=1, comp_s_per_block=0, pin=BlockRange(start=0, stop=2)),
            Server(id="b", memory_gb=2, comm_s=1, comp_s_per_block=0),
            Server(id="c", memory_gb=2, comm_s=1, comp_s_per_block=0),
        ],
    )
    ends = reservations(i)
    for c in range(1, 10):
        if c not in ends:
            assert gbp_cr(i, c) == gbp_cr(i, c + 1), c


def test_significant() -> None:
    """Sixteen nines are not rounded to a thousand."""
    assert significant(999.9999999999999, 16) == Decimal("999.9999999999999")


def test_rounded() -> None:
    """Large numbers have no decimal places to round."""
    assert rounded(1e30, 0) == 10**30


def test_float32() -> None:
    """The shortest decimal of a float32 is that of a float32."""
    assert exact(np.float32(0.1)) == Decimal("0.1")


def test_tail_before_arrival() -> None:
    """Every job takes longer than a negative time."""
    assert jffc([1.0], [1], 0.5).tail(-1) == 1


def test_huge_capacity() -> None:
    """A capacity that is no int64 is refused."""
    with pytest.raises(ValueError, match="whole capacities"):
        jffc([1.0], [1e300], 1.0)
