"""Small instances for the placements of other systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.model import BlockRange, Instance, Server, Service, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence


def small(
    servers: Sequence[tuple[float, float, float]], blocks: int, *, pins: dict[int, tuple[int, int]] | None = None
) -> Instance:
    """Blocks of 1 GB, 0.1 GB of cache, servers by memory, τ^c and τ^p, and pins by position of the server."""
    pins = pins or {}
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
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
