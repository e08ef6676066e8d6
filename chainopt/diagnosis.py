"""Why nothing fits: how many blocks or GB are short, and which c or cache size would do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.record import LEAST
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from chainopt.model.grid import MemoryGrid
    from chainopt.model.instance import Instance


@dataclass(frozen=True)
class Shortfall:
    """What an instance lacks for one chain with `cache_reservation` jobs.

    Attributes
    ----------
    cache_reservation
        c.
    blocks
        L - Σ_j m_j(c), blocks that no server has room for.
    extra_gb
        Least memory to add, spread over the servers as suits best, so that all blocks fit.
    block_room_gb
        s_m + s_c c, memory that a block takes with its cache.
    largest_reservation
        Largest c for which all blocks fit, 0 if there is none.
    largest_cache_gb, largest_block_gb
        Largest s_c, or else largest s_m, with which all blocks fit with the cache of one job, rounded down; None where
        the other alone is too large.
    pinned
        Whether there are pins; then more memory is not all that could be missing, and what would do is not said.
    """

    cache_reservation: int
    blocks: int
    extra_gb: Fraction
    block_room_gb: Fraction
    largest_reservation: int
    largest_cache_gb: float | None
    largest_block_gb: float | None
    pinned: bool

    def __str__(self) -> str:
        jobs = "one job" if self.cache_reservation == 1 else f"{self.cache_reservation} jobs"
        clauses = [f"the servers have room for all but {self.blocks} of the blocks with the cache of {jobs} each"]
        if self.pinned:
            return f"{clauses[0]}, pins considered"
        clauses.append(
            f"{_gb(self.extra_gb)} GB of memory are short, spread over the servers as suits best, "
            f"or {_gb(self.blocks * self.block_room_gb)} GB on one more server"
        )
        if self.largest_reservation:
            clauses.append(f"c = {self.largest_reservation} is the largest that fits")
        else:
            sizes = {"cache_gb": self.largest_cache_gb, "block_gb": self.largest_block_gb}
            fitting = [f"{name} at most {size:g}" for name, size in sizes.items() if size is not None]
            if fitting:
                clauses.append(f"it would fit with {' or '.join(fitting)}")
        return "; ".join(clauses)


def infeasibility(instance: Instance) -> str | None:
    """Why no composition can exist, None where nothing speaks against one.

    Without pins, None means that a composition exists.
    """
    for server in instance.servers:
        if server.pin is not None:
            size = server.pin.stop - server.pin.start
            missing = size * instance.service.block_gb + server.reserve_gb - server.memory_gb
            if missing > 0:
                return f"server {server.id!r} is {missing} GB short of the {size} blocks it is pinned to"
    missing_room = shortfall(instance)
    return None if missing_room is None else str(missing_room)


def shortfall(instance: Instance, cache_reservation: int = 1) -> Shortfall | None:
    """What is missing for one chain with so many jobs; None if all blocks have room.

    Without pins and for c = 1, None means that a composition exists, and anything else that none does: a chain needs
    n_j <= m_j(1) blocks at each server, and any servers with Σ m_j(1) >= L can be strung into one.
    """
    memory = instance.memory
    unit = memory.block + memory.cache * cache_reservation
    pins = [memory.blocks if s.pin is None else s.pin.stop - s.pin.start for s in instance.servers]
    missing = memory.blocks - int(np.minimum(memory.sizes(cache_reservation), pins).sum())
    if missing <= 0:
        return None
    to_next = np.sort(unit - memory.free % unit)  # what each server lacks for one block more
    filled = min(missing, to_next.size)
    extra = sum(to_next[:filled].tolist()) + (missing - filled) * unit
    gb = Fraction(1, 10**memory.places)
    fitting = [c for c in memory.reservations().tolist() if memory.sizes(c).sum() >= memory.blocks]
    return Shortfall(
        cache_reservation,
        missing,
        extra * gb,
        unit * gb,
        max(fitting, default=0),
        _gb_less(memory, memory.block),
        _gb_less(memory, memory.cache),
        any(server.pin is not None for server in instance.servers),
    )


def _gb_less(memory: MemoryGrid, other: int) -> float | None:
    """What the largest room for a block with which all blocks fit leaves beside `other`, GB rounded down to 4 digits.

    The largest x with Σ_j min(floor(M_j / x), L) >= L is some M_j / k; bisection finds where, the numbers k say which.
    """
    free = [Fraction(int(value)) for value in memory.free]
    low, high = Fraction(0), max(free) + 1
    for _ in range(80):
        room = (low + high) / 2
        fits = sum(min(value // room, memory.blocks) for value in free) >= memory.blocks
        low, high = (room, high) if fits else (low, room)
    largest = min(value / (value // low) for value in free if value >= low)
    left = (largest - other) / 10**memory.places
    if left < Fraction(LEAST):
        return None
    places = 3 - math.floor(math.log10(left))
    return float(Fraction(math.floor(left * Fraction(10) ** places)) / Fraction(10) ** places)


def _gb(amount: Fraction) -> str:
    return format(rounded(amount, 6), "f")
