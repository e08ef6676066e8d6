"""Random instances and placements for Hypothesis: few kinds of servers, so that ties abound, and awkward decimals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import strategies as st

from chainopt.model import BlockRange, Instance, Placement, Server, Service, Workload
from tests.oracles.chains import memory


def decimals(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals from low to high in units of the last place."""
    return st.integers(low, high).map(lambda units: Decimal(units).scaleb(-places))


def times() -> st.SearchStrategy[tuple[Decimal, Decimal]]:
    """τ^c and τ^p: small whole numbers, where paths tie, or tenths and thousandths, where floats round."""
    return st.one_of(
        st.tuples(decimals(0, 3, 0), decimals(1, 2, 0)),
        st.tuples(decimals(1, 30, 1), decimals(0, 10, 1)),
        st.tuples(decimals(1, 2000, 3), decimals(1, 300, 3)),
    )


@st.composite
def instances(
    draw: st.DrawFn,
    *,
    least_servers: int = 1,
    most_servers: int = 7,
    most_blocks: int = 6,
    most_kinds: int = 3,
    equal_memory: bool = False,
    pins: bool = False,
) -> Instance:
    """Instances of a few kinds of servers in random order."""
    blocks = draw(st.integers(1, most_blocks))
    block = draw(st.sampled_from([Decimal(1), Decimal("1.32"), Decimal("0.7")]))
    cache = draw(st.sampled_from([Decimal("0.1"), Decimal("0.11"), Decimal("0.3"), Decimal(1)]))
    one_memory = draw(decimals(10, 80, 1))
    kinds = [
        (
            one_memory if equal_memory else draw(decimals(10, 80, 1)),
            draw(st.sampled_from([Decimal(0), Decimal(0), Decimal("0.3")])),
            *draw(times()),
        )
        for _ in range(draw(st.integers(1, most_kinds)))
    ]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=least_servers, max_size=most_servers))
    servers = []
    for j, (memory_gb, reserve, comm, comp) in enumerate(chosen):
        pin = None
        room = min(floor((memory_gb - reserve) / block), blocks)
        if pins and room and draw(st.integers(0, 2)) == 0:
            size = draw(st.integers(1, room))
            start = draw(st.integers(0, blocks - size))
            pin = BlockRange(start=start, stop=start + size)
        servers.append(
            Server(id=f"s{j}", memory_gb=memory_gb, reserve_gb=reserve, comm_s=comm, comp_s_per_block=comp, pin=pin)
        )
    return Instance(
        name="random",
        service=Service(blocks=blocks, block_gb=block, cache_gb=cache),
        workload=Workload(arrival_rate=draw(decimals(1, 300, 2)), target_load=draw(decimals(3, 9, 1))),
        servers=servers,
    )


@st.composite
def placements(draw: st.DrawFn, /, instance: Instance) -> Placement:
    """Any placement that fits: empty servers, gaps, overlaps and all."""
    start, stop = [], []
    for j in range(len(instance.servers)):
        most = min(floor(memory(instance, j) / Fraction(instance.service.block_gb)), instance.service.blocks)
        size = draw(st.integers(0, most))
        last = instance.service.blocks - size
        start.append(draw(st.one_of(st.just(0), st.just(last), st.integers(0, last))))
        stop.append(start[-1] + size)
    return Placement(start, stop)


@st.composite
def placed_instances(draw: st.DrawFn, /, **limits: Any) -> tuple[Instance, Placement]:
    """An instance and a placement that fits it."""
    instance = draw(instances(**limits))
    return instance, draw(placements(instance))
