"""Servers with equal memories, the case that greedy placement solves [Theorem 2]."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt.generate.family import MOST_BLOCKS, MOST_SERVERS, Draft, Family, Traffic
from chainopt.generate.heterogeneous import TIME_PLACES
from chainopt.generate.options import BLOCK_GB, CACHE_GB, COMM_S, COMM_SPREAD, COMP_S, COMP_SPREAD, count, quantity
from chainopt.model.instance import Server, Service

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws


@dataclass(frozen=True, kw_only=True)
class HomogeneousParameters(Traffic):
    """Parameters of the family homogeneous; the defaults are the paper's slow servers at equal distances."""

    servers: int = field(default=20, metadata=count("Number of servers J", most=MOST_SERVERS))
    blocks: int = field(default=70, metadata=count("Number of blocks L", most=MOST_BLOCKS))
    block_gb: Decimal = field(default=Decimal("1.32"), metadata=BLOCK_GB)
    cache_gb: Decimal = field(default=Decimal("0.11"), metadata=CACHE_GB)
    memory_gb: Decimal = field(
        default=Decimal("20"), metadata=quantity("Memory of each server, GB", least="0.001", most="1000000")
    )
    comm_s: Decimal = field(default=Decimal("0.76"), metadata=COMM_S)
    comm_spread: Decimal = field(
        default=Decimal("1"),
        metadata=COMM_SPREAD,
    )
    comp_s: Decimal = field(default=Decimal("0.175176"), metadata=COMP_S)
    comp_spread: Decimal = field(
        default=Decimal("1"),
        metadata=COMP_SPREAD,
    )


def build(parameters: HomogeneousParameters, draws: Draws) -> Draft:
    """Draw each server's τ^c and τ^p; with spreads of 1 all servers are identical."""
    width = len(str(parameters.servers))
    alike = parameters.comm_spread == parameters.comp_spread == 1
    servers = []
    for j in range(1, parameters.servers + 1):
        comm_s = draws.spread(parameters.comm_s, parameters.comm_spread, TIME_PLACES)
        comp_s = draws.spread(parameters.comp_s, parameters.comp_spread, TIME_PLACES)
        servers.append(
            Server(id=f"s{j:0{width}d}", memory_gb=parameters.memory_gb, comm_s=comm_s, comp_s_per_block=comp_s)
        )
    return Draft(
        name=f"homogeneous-j{parameters.servers}-l{parameters.blocks}" + ("" if alike else f"-s{draws.seed}"),
        note="identical servers" if alike else "servers with equal memories, other times",
        service=Service(blocks=parameters.blocks, block_gb=parameters.block_gb, cache_gb=parameters.cache_gb),
        servers=tuple(servers),
    )


HOMOGENEOUS = Family(
    "homogeneous",
    "Servers with equal memories, identical unless asked otherwise",
    "the paper's slow servers, arXiv 2604.14993, section 4.1, at equal distances",
    HomogeneousParameters,
    build,
)
