"""Parallax: as many short pipelines as there are, each filled in proportion to the speed of its servers.

Its two allocators differ in how they choose the servers of the pipelines. Both fill every pipeline like water
(`water_filling`), and let the servers that are left over host what is hosted least.

References
----------
GradientHQ/parallax, src/scheduling/layer_allocation.py and src/scheduling/node.py. Embeddings and head, for which its
first and last servers keep room, have no size here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.placement.covers import best_covers
from chainopt.placement.pipelines import placed, servers_without_pin
from chainopt.placement.water_filling import water_fill
from chainopt.protocols import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import PlacementOptions

BLOCKS_SHARE = Fraction(65, 100)
"""Share of a server's memory for blocks, ``--param-mem-ratio`` as the command line has it."""

OTHER_SHARES = (Fraction(3, 10), Fraction(4, 10), Fraction(5, 10), Fraction(8, 10))
"""Shares that an operator may try instead; 1/2 is the default of the library."""

CACHE_SHARE = Fraction(25, 100)
"""Share for caches, ``--kvcache-mem-ratio``."""


def capacities(instance: Instance, share: Fraction = BLOCKS_SHARE) -> list[int]:
    """c_j = floor(r M_j / s_m), blocks that each server hosts at most, L if that is less.

    A server whose memory beside them would not do for one job hosts fewer, 0 if need be; Parallax would start it.
    """
    memory = instance.memory
    most = [min(int(share * int(free)) // memory.block, memory.blocks) for free in memory.free]
    return [min(c, with_job) for c, with_job in zip(most, memory.sizes(1).tolist(), strict=True)]


def parallax(instance: Instance, most_blocks: Sequence[int], *, greedy: bool = False) -> Placement:
    """Placement of Parallax.

    Parameters
    ----------
    most_blocks
        c_j, blocks that each server hosts at most, such as `capacities`.
    greedy
        Whether the pipelines are built one after another by decreasing capacity, each only as long as it takes;
        else k of them at once, of s servers together, for the largest k^2 / s.

    Raises
    ------
    InfeasibleError
        If the servers without a pin do not add up to one pipeline.
    """
    blocks = instance.service.blocks
    order = sorted((j for j in servers_without_pin(instance) if most_blocks[j]), key=lambda j: (-most_blocks[j], j))
    sizes = [int(most_blocks[j]) for j in order]
    chosen = _greedy_covers(sizes, blocks) if greedy else best_covers(sizes, blocks)
    if not chosen:
        raise InfeasibleError(
            f"the servers without a pin have room for {sum(sizes)} of {blocks} blocks, as Parallax divides their memory"
        )
    pipelines = [_filled(instance, [order[i] for i in cover], most_blocks) for cover in chosen]
    return _with_leftovers(instance, placed(instance, pipelines), order, most_blocks)


def parallax_greedy_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The greedy allocator for every share of memory that an operator may try, or for the c that is asked for."""
    yield from _candidates(instance, options, greedy=True)


def parallax_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The dynamic program for every share of memory that an operator may try, or for the c that is asked for."""
    yield from _candidates(instance, options, greedy=False)


def _candidates(instance: Instance, options: PlacementOptions, *, greedy: bool) -> Iterator[Candidate]:
    c = options.cache_reservation
    choices = (
        [instance.memory.sizes(c).tolist()]
        if c is not None
        else [capacities(instance, share) for share in (BLOCKS_SHARE, *OTHER_SHARES)]
    )
    tried: set[Placement] = set()
    for most_blocks in choices:
        try:
            placement = parallax(instance, most_blocks, greedy=greedy)
        except InfeasibleError:
            continue
        if placement not in tried:
            tried.add(placement)
            yield Candidate(placement, c)


def _greedy_covers(sizes: Sequence[int], blocks: int) -> list[list[int]]:
    """Pipelines by positions in `sizes`, which descend.

    Servers are taken from the front until they have room for all blocks. Only if one server suffices for that, and
    the others for a block more than another pipeline, it is the last such one.
    """
    pool = list(range(len(sizes)))
    covers: list[list[int]] = []
    while sum(sizes[i] for i in pool) >= blocks:
        room = sum(sizes[i] for i in pool)
        alone = [i for i in pool if sizes[i] >= blocks and room - sizes[i] >= blocks]
        cover = [alone[-1]] if alone and room - blocks >= blocks + 1 else []
        while sum(sizes[i] for i in cover) < blocks:
            cover.append(next(i for i in pool if i not in cover))
        covers.append(cover)
        pool = [i for i in pool if i not in cover]
    return covers


def _filled(instance: Instance, servers: Sequence[int], most_blocks: Sequence[int]) -> list[tuple[int, int]]:
    """A pipeline by decreasing capacity, filled like water; servers that get nothing are left over."""
    order = sorted(servers, key=lambda j: (-most_blocks[j], j))
    counts = water_fill(
        instance.service.blocks, [most_blocks[j] for j in order], [int(instance.time.comp[j]) for j in order]
    )
    return [(j, m) for j, m in zip(order, counts, strict=True) if m]


def _with_leftovers(
    instance: Instance, placement: Placement, order: Sequence[int], most_blocks: Sequence[int]
) -> Placement:
    """Let the servers that host nothing host what they can from the block on that has the least memory for caches.

    A server that hosts m blocks has 0.25 M_j / m for each. Ties go to the first block.
    """
    start, stop = placement.start.copy(), placement.stop.copy()
    blocks = instance.service.blocks
    caches = [Fraction(0)] * blocks
    hosts = np.flatnonzero(stop > start).tolist()
    for j in [*hosts, *(j for j in order if stop[j] == start[j])]:
        if stop[j] == start[j]:
            start[j] = caches.index(min(caches))
            stop[j] = min(int(start[j]) + most_blocks[j], blocks)
        for b in range(int(start[j]), int(stop[j])):
            caches[b] += CACHE_SHARE * int(instance.memory.free[j]) / int(stop[j] - start[j])
    return type(placement)(start, stop)
