"""Random instances for property tests."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from chainopt.model import Instance, Server, Service, Workload


def decimals(least: float, most: float, places: int = 2) -> st.SearchStrategy[Decimal]:
    """Decimals on a grid of 10^-places."""
    scale = 10**places
    return st.integers(round(least * scale), round(most * scale)).map(lambda units: Decimal(units).scaleb(-places))


@st.composite
def instances(draw: st.DrawFn, most_servers: int = 6, most_blocks: int = 6) -> Instance:
    """Small instances with ties, decimals and any load."""
    blocks = draw(st.integers(1, most_blocks))
    memory = decimals(0.5, 2 * blocks + 1, draw(st.sampled_from([0, 1, 2])))
    servers = [
        Server(
            id=f"s{j}",
            memory_gb=max(draw(memory), Decimal("0.5")),
            comm_s=draw(decimals(0, 2, 1)),
            comp_s_per_block=draw(decimals(0.1, 1, 1)),
        )
        for j in range(draw(st.integers(1, most_servers)))
    ]
    return Instance(
        name="random",
        service=Service(
            blocks=blocks,
            block_gb=draw(decimals(0.5, 1.5, 1)),
            cache_gb=draw(st.sampled_from(["0.1", "0.3", "1"]).map(Decimal)),
        ),
        workload=Workload(arrival_rate=draw(decimals(0.05, 3)), target_load=Decimal("0.7")),
        servers=servers,
    )
