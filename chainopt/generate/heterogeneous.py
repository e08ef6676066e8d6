"""Servers that differ in memory, speed and distance, as much as asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt.generate.draws import positive
from chainopt.generate.family import MOST_BLOCKS, MOST_SERVERS, Draft, Family, Traffic
from chainopt.generate.options import (
    BLOCK_GB,
    CACHE_GB,
    COMM_S,
    COMM_SPREAD,
    COMP_S,
    COMP_SPREAD,
    MEMORY_SPREAD,
    count,
    quantity,
)
from chainopt.model.instance import Server, Service

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws

MEMORY_PLACES = 2
TIME_PLACES = 6


@dataclass(frozen=True, kw_only=True)
class RandomParameters(Traffic):
    """Parameters of the family random."""

    servers: int = field(default=10, metadata=count("Number of servers J", most=MOST_SERVERS))
    blocks: int = field(default=20, metadata=count("Number of blocks L", most=MOST_BLOCKS))
    block_gb: Decimal = field(default=Decimal("1"), metadata=BLOCK_GB)
    cache_gb: Decimal = field(default=Decimal("0.1"), metadata=CACHE_GB)
    memory_ratio: Decimal = field(
        default=Decimal("5"),
        metadata=quantity(
            "Tightness: memory of all servers over that of all blocks with one job each, J M / (L (s_m + s_c))",
            least="0.001",
            most="1000000",
        ),
    )
    memory_spread: Decimal = field(default=Decimal("4"), metadata=MEMORY_SPREAD)
    comm_s: Decimal = field(default=Decimal("0.5"), metadata=COMM_S)
    comm_spread: Decimal = field(default=Decimal("4"), metadata=COMM_SPREAD)
    comp_s: Decimal = field(default=Decimal("0.1"), metadata=COMP_S)
    comp_spread: Decimal = field(default=Decimal("4"), metadata=COMP_SPREAD)


def build(parameters: RandomParameters, draws: Draws) -> Draft:
    """Draw each server's memory, τ^c and τ^p, all independent; then scale the memories to their total."""
    blocks, block_gb, cache_gb = parameters.blocks, parameters.block_gb, parameters.cache_gb
    drawn = [
        (
            draws.spread(Decimal(1), parameters.memory_spread, TIME_PLACES),
            draws.spread(parameters.comm_s, parameters.comm_spread, TIME_PLACES),
            draws.spread(parameters.comp_s, parameters.comp_spread, TIME_PLACES),
        )
        for _ in range(parameters.servers)
    ]
    total_gb = parameters.memory_ratio * blocks * (block_gb + cache_gb)
    weights = sum(weight for weight, _, _ in drawn)
    width = len(str(parameters.servers))
    return Draft(
        name=f"random-j{parameters.servers}-l{blocks}-s{draws.seed}",
        note=f"servers with independent memories, τ^c and τ^p, {parameters.memory_ratio:f} times the memory of all "
        "blocks with one job each",
        service=Service(blocks=blocks, block_gb=block_gb, cache_gb=cache_gb),
        servers=tuple(
            Server(
                id=f"s{j:0{width}d}",
                memory_gb=positive(total_gb * weight / weights, MEMORY_PLACES),
                comm_s=comm_s,
                comp_s_per_block=comp_s,
            )
            for j, (weight, comm_s, comp_s) in enumerate(drawn, 1)
        ),
    )


RANDOM = Family(
    "random",
    "Servers that differ in memory, speed and distance, as much as asked for",
    "drawn: logarithms uniform, independent of each other",
    RandomParameters,
    build,
)
