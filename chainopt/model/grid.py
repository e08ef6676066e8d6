"""Memory and time as integers: exact floors, exact comparisons, no rounding after the file is read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from chainopt.quantity import decimal_places, exact_argsort, integers, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

_HEADROOM = 2**60


@dataclass(frozen=True, eq=False)
class MemoryGrid:
    """Memory in units of 10^-places GB.

    Attributes
    ----------
    free
        Memory of each server less its reserve, shape (J,). Integers of int64, or Python's own where those overflow.
    block, cache
        s_m and s_c.
    blocks
        L.
    """

    free: NDArray[Any]
    block: int
    cache: int
    blocks: int
    places: int

    @classmethod
    def of(cls, memory: Sequence[Decimal], block: Decimal, cache: Decimal, blocks: int) -> MemoryGrid:
        """Grid fine enough for all of these decimals."""
        places = decimal_places([*memory, block, cache])
        units = scaled(memory, places)
        (block_units, cache_units) = scaled([block, cache], places)
        fits = max(*units, block_units * blocks, cache_units * blocks) < _HEADROOM
        free = integers(units) if fits else np.array(units, dtype=object)
        free.setflags(write=False)
        return cls(free, block_units, cache_units, blocks, places)

    def sizes(self, reservation: int) -> NDArray[np.int64]:
        """Most blocks that each server can host with room for `reservation` jobs at each: m_j(c) [eq. 6]."""
        room = self.block + self.cache * reservation
        if room > max(self.free):
            return np.zeros(self.free.size, dtype=np.int64)
        sizes: NDArray[np.int64] = (self.free // room).clip(max=self.blocks).astype(np.int64)
        return sizes

    def slots(self, sizes: NDArray[np.int64], servers: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.int64]:
        """Cache slots left beside so many blocks, 0 where nothing is hosted, negative where they do not fit [eq. 3].

        Parameters
        ----------
        sizes
            m, one for each of the `servers`; these are all of them unless said otherwise.
        """
        left = (self.free[servers] - self.block * sizes.astype(self.free.dtype)) // self.cache
        return np.where(sizes > 0, left, 0).astype(np.int64)

    def largest_reservation(self) -> int:
        """c_max = floor((max_j M_j - s_m) / s_c), negative where no server can host a block."""
        return (int(max(self.free)) - self.block) // self.cache

    def reservations(self) -> NDArray[np.int64]:
        """Every c >= 1 at which the vector m_j(c) changes after c: the ends of the intervals where it is constant.

        m_j(c) >= m holds exactly for c <= floor((M_j - s_m m) / (s_c m)). Ascending; empty where c = 1 is too much.
        """
        sizes = np.arange(1, self.blocks + 1)
        ends = [
            (int(free) - self.block * sizes.astype(self.free.dtype)) // (self.cache * sizes.astype(self.free.dtype))
            for free in np.unique(self.free)
        ]
        distinct = np.unique(np.concatenate(ends).astype(np.int64))
        return distinct[distinct >= 1]


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """Times in ticks of 10^-places s, so that the fastest of several paths is found exactly.

    Attributes
    ----------
    comm, comp
        τ^c_j and τ^p_j in ticks, int64, shape (J,).
    places
        Decimal places of a second: all that the file has, unless the longest possible chain would overflow int64. Then
        times are rounded to ticks of at most 10^-17 of that chain's time.
    exact
        The times as they were given, τ^c and τ^p, where they are rounded; else None.
    """

    comm: NDArray[np.int64]
    comp: NDArray[np.int64]
    places: int
    exact: tuple[Sequence[Decimal], Sequence[Decimal]] | None = None

    @classmethod
    def of(cls, comm: Sequence[Decimal], comp: Sequence[Decimal], blocks: int) -> TimeGrid:
        """Grid fine enough for all of these decimals, or as fine as int64 allows."""
        longest = min(len(comm), blocks) * max(comm) + blocks * max(comp)
        places = needed = decimal_places([*comm, *comp])
        while places > 0 and longest.scaleb(places) >= _HEADROOM:
            places -= 1
        exact = None if places == needed else (comm, comp)
        return cls(integers(scaled(comm, places)), integers(scaled(comp, places)), places, exact)

    def rounded(self) -> tuple[int, str] | None:
        """Server and field of a time that rounding to ticks changes by more than 10^-9, None if there is none."""
        if self.exact is None:
            return None
        for field, values, ticks in zip(
            ("comm_s", "comp_s_per_block"), self.exact, (self.comm, self.comp), strict=True
        ):
            for j, (value, units) in enumerate(zip(values, ticks.tolist(), strict=True)):
                if abs(Fraction(units, 10**self.places) - Fraction(value)) > Fraction(value) / 10**9:
                    return j, field
        return None

    def seconds(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Ticks as seconds, rounded once."""
        return ticks / float(10**self.places)

    def by_amortised_time(self, servers: NDArray[np.intp], sizes: NDArray[np.int64]) -> NDArray[np.intp]:
        """These servers by increasing (τ^c_j + τ^p_j m_j) / m_j [eq. 8], exactly, ties in the order given.

        Parameters
        ----------
        servers
            Positions of servers that host at least one block.
        sizes
            m_j of all servers, shape (J,).
        """
        comm, comp, blocks = self.comm[servers], self.comp[servers], sizes[servers]

        def amortised(i: int) -> Fraction:
            return Fraction(int(comm[i]), int(blocks[i])) + int(comp[i])

        return servers[exact_argsort(comm / blocks + comp, amortised)]
