"""PETALS: how many blocks a server hosts, which ones, and when it moves to others.

What PETALS measures or reads from a model, and what stands for it in an instance:

==========================  ============================================================================================
hidden size h, groups G     of the catalogue's model with the name of the service: G query heads share a head of keys
                            and values, 2 h / G numbers are cached for each token and block
memory, size of a block     ``memory_gb`` less ``reserve_gb``, ``block_gb``
cache of a session          ``cache_gb``: 2 h / G numbers of two bytes for each of the most tokens of a job
throughput of the GPU       1 / τ^p_j, jobs that it could process at one block in a second
throughput of the network   unlimited: an instance has times of exchanges, no bandwidths. Where τ^p_j = 0, 1 / τ^c_j
==========================  ============================================================================================

References
----------
A. Borzunov et al., Distributed Inference and Fine-tuning of Large Language Models Over The Internet, NeurIPS 2023,
arXiv 2312.08361; bigscience-workshop/petals, src/petals/server: ``server.py`` (number of blocks), ``throughput.py``,
``block_selection.py`` (which blocks).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt import catalog
from chainopt.errors import FormatError, InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement.greedy import pinned_ranges
from chainopt.placement.windows import scarcest_window
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from chainopt.model.instance import Instance

CACHE_TOKENS, CACHE_TOKENS_GROUPED = 4096, 16384
"""Default of ``--attn_cache_tokens``, and where query heads share heads of keys and values."""
CACHE_BYTES = 2
RESERVE_GIB, RESERVE_HIDDEN_SIZE = 2, 14336
"""Memory kept for gradients: so many GiB for this hidden size, in proportion for others."""
UNKNOWN_MODEL_JOBS = 2
"""Jobs that a pool is for where the catalogue does not know the model: 4,096 tokens are two jobs of 2,048."""
_GROUPS_IGNORED = {"mixtral"}  # PETALS counts its caches as if all heads had keys and values of their own

MOST_SWEEPS = 100
"""After which everybody is taken to have settled; PETALS itself has no limit."""
_UNITS = 2**30
_PER_MILLE = 1000  # eps of PETALS is one of these


@dataclass(frozen=True)
class PetalsMemory:
    """What a PETALS server does with its memory: n = floor((M_j - reserve) / (s_m + pool)), at most L.

    Attributes
    ----------
    reserve_gb
        Kept for gradients, GB.
    pool_gb
        Cache for each hosted block, GB. All blocks of a server share one pool of n times this.
    """

    reserve_gb: Fraction
    pool_gb: Fraction

    @classmethod
    def of(cls, instance: Instance) -> Self:
        """The defaults of PETALS for a model that the catalogue knows; else no reserve, and the cache of two jobs."""
        try:
            model = catalog.model(instance.service.name or "")
        except FormatError:
            return cls(Fraction(0), UNKNOWN_MODEL_JOBS * Fraction(instance.service.cache_gb))
        block = model.blocks[0]
        hidden = block.score_width // 2  # a (d_k + d_v) = 2 h in all models that PETALS serves
        groups = 1 if model.family in _GROUPS_IGNORED else max(1, block.score_width // block.kv_elements)
        tokens = CACHE_TOKENS_GROUPED if groups > 1 else CACHE_TOKENS
        reserve = Fraction(RESERVE_GIB * 2**30 * hidden, RESERVE_HIDDEN_SIZE)
        return cls(reserve / 10**9, Fraction(2 * hidden * tokens // groups * CACHE_BYTES, 10**9))

    def for_jobs(self, instance: Instance, jobs: int) -> PetalsMemory:
        """The same with a pool for so many jobs at each block, which is what ``--attn_cache_tokens`` is for."""
        return PetalsMemory(self.reserve_gb, jobs * Fraction(instance.service.cache_gb))

    def sizes(self, instance: Instance) -> NDArray[np.int64]:
        """Blocks that each server hosts; a pin is hosted whatever the memory left for caches. Shape (J,)."""
        service = instance.service
        room = Fraction(service.block_gb) + self.pool_gb
        sizes = []
        for server in instance.servers:
            free = Fraction(server.memory_gb) - Fraction(server.reserve_gb) - self.reserve_gb
            most = min(max(free // room, 0), service.blocks)
            sizes.append(most if server.pin is None else server.pin.stop - server.pin.start)
        return np.array(sizes, dtype=np.int64)

    def slots(self, instance: Instance, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cache slots of each server's pool, shape (J,). What memory is left beside the pool stays unused."""
        jobs = self.pool_gb / Fraction(instance.service.cache_gb)
        pool = np.array([int(size * jobs) for size in sizes.tolist()], dtype=np.int64)
        left: NDArray[np.int64] = instance.memory.slots(sizes).clip(min=0)
        return np.minimum(pool, left)


def petals(
    instance: Instance,
    memory: PetalsMemory | None = None,
    *,
    seed: int = 0,
    rebalance: bool = True,
    max_sweeps: int = MOST_SWEEPS,
) -> Placement:
    """Blocks as PETALS servers choose them, coming one after another in random order.

    Every server that comes takes the window of blocks with the least throughput: windows are compared by the throughput
    of their worst served block, then of the next worst, and so on; ties go to the first. When all are there each server
    in turn, in random order, imagines that it moves to where it is needed most and that then everybody else does so
    too until nobody wants to; if that lifts the worst served block enough, it moves. This is repeated until nobody
    does. Pinned servers are there from the beginning and stay [``--block_indices``].

    Throughputs are counted in 2^-30 of the largest one, so that sums and ties are exact.

    Parameters
    ----------
    memory
        What servers do with their memory; the defaults of PETALS unless given.
    seed
        Of the order in which servers come and think again.
    rebalance
        Whether servers move at all.
    max_sweeps
        Limit on the rounds in which servers move, and on those in which they imagine it.

    Raises
    ------
    InfeasibleError
        If some block is on no server, or a server does not have the memory for its pin.
    """
    start, stop = pinned_ranges(instance)
    pinned = stop > 0
    memory = PetalsMemory.of(instance) if memory is None else memory
    sizes = memory.sizes(instance)
    rng = np.random.default_rng(seed)
    swarm = _Swarm(start, sizes, _throughputs(instance, sizes), instance.service.blocks)
    for j in np.flatnonzero(pinned).tolist():
        swarm.add(j, start[j])
    free = np.flatnonzero(~pinned & (sizes > 0))
    for j in rng.permutation(free).tolist():
        swarm.add(j, scarcest_window(swarm.load, sizes[j]))
    if rebalance:
        for _ in range(max_sweeps):
            moved = [swarm.reconsider(j, rng, max_sweeps) for j in rng.permutation(free).tolist()]
            if not any(moved):
                break
    missing = np.flatnonzero(swarm.load == 0)
    if missing.size:
        blocks, hosted = instance.service.blocks, int(sizes.sum())
        raise InfeasibleError(
            f"PETALS leaves {missing.size} of {blocks} blocks without a server, block {missing[0]} first: with "
            f"{_gb(memory.pool_gb)} GB of cache a block, and {_gb(memory.reserve_gb)} GB kept for gradients, all "
            f"servers together host {hosted} blocks"
        )
    return Placement(np.where(sizes > 0, swarm.start, 0), np.where(sizes > 0, swarm.start + sizes, 0))


def _throughputs(instance: Instance, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Throughput that each server reports for each of its blocks, in multiples of 1,000, shape (J,).

    The average request runs (m_j + 1) / 2 of a server's m_j blocks: it enters anywhere and stays to the end.
    """
    comp = np.array([float(server.comp_s_per_block) for server in instance.servers])
    comm = np.array([float(server.comm_s) for server in instance.servers])
    jobs_per_s = 1 / np.where(comp > 0, comp * (sizes + 1) / 2, comm)
    units = np.rint(jobs_per_s / jobs_per_s.max() * _UNITS).astype(np.int64)
    return np.where(sizes > 0, np.maximum(units, 1) * _PER_MILLE, 0)


class _Swarm:
    """Servers in place, and the throughput of each block."""

    def __init__(
        self, start: NDArray[np.int64], sizes: NDArray[np.int64], throughput: NDArray[np.int64], blocks: int
    ) -> None:
        self.start, self.sizes, self.throughput = start.copy(), sizes, throughput
        self.load = np.zeros(blocks, dtype=np.int64)

    def add(self, j: int, start: int) -> None:
        """Put a server in place."""
        self.start[j] = start
        self.load[start : start + self.sizes[j]] += self.throughput[j]

    def reconsider(self, j: int, rng: np.random.Generator, max_sweeps: int) -> bool:
        """Let a server move if that is worth it, and say whether it did."""
        if not self._is_worth_moving(j, rng, max_sweeps):
            return False
        self.load[self.start[j] : self.start[j] + self.sizes[j]] -= self.throughput[j]
        self.add(j, scarcest_window(self.load, self.sizes[j]))
        return True

    def _is_worth_moving(self, j: int, rng: np.random.Generator, max_sweeps: int) -> bool:
        """Whether the worst served block would have more than 1 / 0.749 of what it has, if everybody moved.

        0.75 is PETALS' balance quality, and 0.001 what it allows for rounding.
        """
        initial = int(self.load.min())
        if 1000 * initial * self.load.size >= 749 * int(self.load.sum()):
            return False  # the worst served block never has more than the mean, which moves leave as it is
        imagined = _Swarm(self.start, self.sizes, self.throughput, self.load.size)
        imagined.load = self.load.copy()
        if not imagined.move(j, connected=initial > 0):
            return False
        hosting = np.flatnonzero(self.sizes)
        for _ in range(max_sweeps):
            moved = [imagined.move(k) for k in rng.permutation(hosting).tolist()]
            if not any(moved):
                break
        final = int(imagined.load.min())
        return final > 0 and final >= initial and 1000 * initial < 749 * final

    def move(self, j: int, *, connected: bool = False) -> bool:
        """Move a server to where it is needed most, and say whether that is elsewhere.

        A thousandth more than its own throughput is taken off where it is, which keeps it in place when other places
        are hardly better.

        Parameters
        ----------
        connected
            Whether it stays where it is if nobody else hosts some block.
        """
        begin, size, own = int(self.start[j]), int(self.sizes[j]), self.throughput[j]
        here = self.load[begin : begin + size]
        here -= own + own // _PER_MILLE
        needed = connected and self.load.min() <= 0
        best = begin if needed else scarcest_window(self.load, size)
        here += own // _PER_MILLE
        self.add(j, best)
        return best != begin


def _gb(amount: Fraction) -> str:
    return format(rounded(amount, 6).normalize(), "f")
