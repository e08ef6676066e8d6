"""Instances small enough to be solved by trying everything, and hand-made ones with a trap each."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.errors import FormatError
from chainopt.generate.family import Draft, Family, Traffic
from chainopt.generate.options import count, word
from chainopt.generate.traps import traps
from chainopt.model.instance import Server, Service
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws

LEAST, MOST = 3, 8
BLOCK_GB = (Decimal("0.5"), Decimal(1), Decimal("1.32"))
CACHE_GB = (Decimal("0.1"), Decimal("0.11"), Decimal("0.25"), Decimal("0.5"))
MOST_SLOTS = 8
_TRAPS = f"A hand-made instance instead, with its own traffic: {', '.join(traps())}"


@dataclass(frozen=True, kw_only=True)
class TinyParameters(Traffic):
    """Parameters of the family tiny."""

    servers: int | None = field(
        default=None, metadata=count(f"Servers J; drawn from {LEAST} to {MOST} unless given", most=MOST)
    )
    blocks: int | None = field(
        default=None, metadata=count(f"Blocks L; drawn from {LEAST} to {MOST} unless given", most=MOST)
    )
    trap: str | None = field(
        default=None,
        metadata=word(_TRAPS, tuple(traps())),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trap is not None and (self.servers is not None or self.blocks is not None):
            raise FormatError("a trap has its own servers and blocks; give either it or their numbers", path="trap")


def build(parameters: TinyParameters, draws: Draws) -> Draft:
    """Draw sizes, and for each server how many blocks and caches it has room for, and round times.

    Rooms are about half of the blocks, so that most instances can be served; times have few decimals, so that ties
    come up.
    """
    if parameters.trap is not None:
        trap = traps()[parameters.trap]
        return Draft(
            f"tiny-{parameters.trap}", trap.note, trap.service, trap.servers, trap.arrival_rate, trap.target_load
        )
    servers = draws.integer(LEAST, MOST) if parameters.servers is None else parameters.servers
    blocks = draws.integer(LEAST, MOST) if parameters.blocks is None else parameters.blocks
    block_gb, cache_gb = draws.choice(BLOCK_GB), draws.choice(CACHE_GB)
    most = max(2, (blocks + 1) // 2 + 1)
    drawn = tuple(
        Server(
            id=f"s{j}",
            memory_gb=rounded(draws.integer(1, most) * block_gb + draws.integer(1, MOST_SLOTS) * cache_gb, 2),
            comm_s=rounded(Fraction(draws.integer(1, 20), 10), 1),
            comp_s_per_block=rounded(Fraction(draws.integer(1, 10), 20), 2),
        )
        for j in range(1, servers + 1)
    )
    return Draft(
        name=f"tiny-j{servers}-l{blocks}-s{draws.seed}",
        note="drawn, with times of few decimals",
        service=Service(blocks=blocks, block_gb=block_gb, cache_gb=cache_gb),
        servers=drawn,
    )


TINY = Family(
    "tiny",
    "Up to 8 servers and 8 blocks, drawn, or hand-made ones with a trap each",
    "drawn; traps made by hand",
    TinyParameters,
    build,
)
