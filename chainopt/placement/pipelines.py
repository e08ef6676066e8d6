"""Pipelines: groups of servers that host all blocks once, one server after another.

What engines that know nothing but pipelines place. These know no pins: a server with a pin hosts it, and takes part in
no pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.placement import Placement
from chainopt.placement.greedy import pinned_ranges
from chainopt.protocols import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.protocols import PlacementOptions

    Split = Callable[[Instance, Sequence[int]], "list[int] | None"]
    """Blocks of each of these servers, all L together; None where the engine would refuse them."""


def servers_without_pin(instance: Instance) -> list[int]:
    """Positions of the servers that are free to host what they like."""
    return [j for j, server in enumerate(instance.servers) if server.pin is None]


def by_memory(instance: Instance, servers: Iterable[int]) -> list[int]:
    """These servers by decreasing memory, ties by position."""
    free = instance.memory.free
    return sorted(servers, key=lambda j: (-int(free[j]), j))


def placed(instance: Instance, pipelines: Iterable[Sequence[tuple[int, int]]]) -> Placement:
    """Placement of pipelines, each of (server, number of blocks) in order of processing; pins stay as pinned.

    Raises
    ------
    InfeasibleError
        If a server does not have the memory for its pin.
    """
    start, stop = pinned_ranges(instance)
    for pipeline in pipelines:
        block = 0
        for j, blocks in pipeline:
            start[j], stop[j] = block, block + blocks
            block += blocks
    return Placement(start, stop)


def capacity(instance: Instance, servers: Sequence[int], blocks: Sequence[int]) -> int:
    """Jobs that a pipeline can run at once, min_j floor((M_j - s_m m_j) / (s_c m_j)); negative where it does not fit.

    Servers without a block do not count.
    """
    sizes: NDArray[np.int64] = np.array(blocks, dtype=np.int64)
    at = np.array(servers, dtype=np.int64)[sizes > 0]
    sizes = sizes[sizes > 0]
    return int(np.min(instance.memory.slots(sizes, at) // sizes))


def replicas(
    instance: Instance, stages: int, split: Split, least_capacity: int = 1
) -> tuple[list[list[tuple[int, int]]], int]:
    """As many pipelines of so many servers as there are, like servers with like.

    Servers are taken by decreasing memory, `stages` at a time. A pipeline that cannot run `least_capacity` jobs is
    not started, and its servers stay empty; so do those that are left over.

    Returns
    -------
    tuple
        The pipelines, and how many jobs each of them can run at least.
    """
    order = by_memory(instance, servers_without_pin(instance))
    pipelines: list[list[tuple[int, int]]] = []
    capacities: list[int] = []
    for first in range(0, len(order) - stages + 1, stages):
        servers = order[first : first + stages]
        blocks = split(instance, servers)
        jobs = 0 if blocks is None else capacity(instance, servers, blocks)
        if blocks is not None and jobs >= least_capacity:
            pipelines.append([(j, m) for j, m in zip(servers, blocks, strict=True) if m])
            capacities.append(jobs)
    return pipelines, min(capacities, default=0)


def replicated_candidates(instance: Instance, options: PlacementOptions, *splits: Split) -> Iterator[Candidate]:
    """Pipelines of 1, 2, ... servers: what an operator chooses who tries every length; c is what each can run."""
    most = min(len(servers_without_pin(instance)), instance.service.blocks)
    tried: set[Placement] = set()
    for stages in range(1, most + 1):
        for split in splits:
            pipelines, jobs = replicas(instance, stages, split, options.cache_reservation or 1)
            if not pipelines:
                continue
            placement = placed(instance, pipelines)
            if placement not in tried:
                tried.add(placement)
                yield Candidate(placement, options.cache_reservation or jobs)
