"""Helix' layout after PETALS: half the memory for blocks, and every server where blocks are served least.

Helix starts its program from it, as it does from SWARM's and from homogeneous pipelines, and compares itself with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement.greedy import pinned_ranges
from chainopt.placement.pipelines import servers_without_pin
from chainopt.placement.rates import rate
from chainopt.placement.windows import scarcest_window
from chainopt.protocols import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.protocols import PlacementOptions

_UNITS = 2**30


def half_memory_sizes(instance: Instance) -> NDArray[np.int64]:
    """floor(M_j / 2 s_m) blocks, at most L, and at most as many as leave room for one job; shape (J,)."""
    memory = instance.memory
    half = [min(int(free) // (2 * memory.block), memory.blocks) for free in memory.free]
    return np.minimum(np.array(half, dtype=np.int64), memory.sizes(1))


def helix_petals(instance: Instance, sizes: NDArray[np.int64], seed: int = 0) -> Placement:
    """Each server in random order where the blocks are served least, and none moves afterwards.

    Windows are compared by the rate of their worst served block, then of the next worst, and so on, ties to the first.
    A server adds `rates.rate` to each of its blocks. Servers with a pin are there from the beginning.

    Rates are counted in 2^-30 of the largest one, so that sums and ties are exact.

    Parameters
    ----------
    sizes
        Blocks that each server hosts, such as `half_memory_sizes`, shape (J,).
    seed
        Of the order.

    Raises
    ------
    InfeasibleError
        If some block is on no server, or a server does not have the memory for its pin.

    References
    ----------
    Y. Mei et al., Helix, ASPLOS 2025, simulator/initial_layout/heterogeneous_layout/petals_layout.py.
    """
    start, stop = pinned_ranges(instance)
    load = np.zeros(instance.service.blocks, dtype=np.int64)
    free = [j for j in servers_without_pin(instance) if sizes[j]]
    pinned = np.flatnonzero(stop).tolist()
    rates = {j: rate(instance, j, int(sizes[j])) for j in free}
    rates |= {j: rate(instance, j, int(stop[j] - start[j])) for j in pinned}
    unit = max(rates.values(), default=0.0) / _UNITS
    units = {j: max(round(served / unit), 1) if unit else 1 for j, served in rates.items()}
    for j in pinned:
        load[start[j] : stop[j]] += units[j]
    for j in np.random.default_rng(seed).permutation(free).astype(np.int64).tolist():
        start[j] = scarcest_window(load, sizes[j])
        stop[j] = start[j] + sizes[j]
        load[start[j] : stop[j]] += units[j]
    missing = np.flatnonzero(load == 0)
    if missing.size:
        raise InfeasibleError(f"no server hosts block {missing[0]}: the servers do not have room for all blocks so")
    return Placement(start, stop)


def helix_petals_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The layout with half of the memory for blocks, or with room for c jobs at each; none if it is incomplete."""
    c = options.cache_reservation
    try:
        sizes = half_memory_sizes(instance) if c is None else instance.memory.sizes(c)
        yield Candidate(helix_petals(instance, sizes, options.seed), c)
    except InfeasibleError:
        return
