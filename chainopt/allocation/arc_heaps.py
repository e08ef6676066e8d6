"""One heap of arcs for each group of the boundary graph, the fastest on top.

Slots are only ever taken away, so an arc that has become too large never comes back: it is thrown out when it reaches
the top. All rounds of an allocation together cost O(A log A) for A arcs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.topology import NEVER, BoundaryGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ArcHeaps(NamedTuple):
    """Heaps in one array: that of group g is `servers[first[g] : first[g] + size[g]]`."""

    first: NDArray[np.int64]
    size: NDArray[np.int64]
    servers: NDArray[np.int64]


@kernel
def arc_heaps(
    graph: BoundaryGraph, slots: NDArray[np.int64], comm: NDArray[np.int64], comp: NDArray[np.int64]
) -> ArcHeaps:
    """Heaps of all arcs for which their server has the slots to take a job."""
    groups = graph.group[graph.boundaries.size]
    size = np.zeros(groups, dtype=np.int64)
    for j in range(graph.target.size):
        e = graph.target[j]
        for b in range(graph.source[j], e):
            if slots[j] >= graph.boundaries[e] - graph.boundaries[b]:
                size[graph.group[e] + b - graph.lowest[e]] += 1
    first = np.zeros(groups + 1, dtype=np.int64)
    for g in range(groups):
        first[g + 1] = first[g] + size[g]
        size[g] = 0
    servers = np.empty(first[groups], dtype=np.int64)
    for j in range(graph.target.size):
        e = graph.target[j]
        for b in range(graph.source[j], e):
            if slots[j] >= graph.boundaries[e] - graph.boundaries[b]:
                g = graph.group[e] + b - graph.lowest[e]
                servers[first[g] + size[g]] = j
                size[g] += 1
    heaps = ArcHeaps(first, size, servers)
    for e in range(1, graph.boundaries.size):
        for b in range(graph.lowest[e], e):
            g = graph.group[e] + b - graph.lowest[e]
            blocks = graph.boundaries[e] - graph.boundaries[b]
            for root in range(size[g] // 2 - 1, -1, -1):
                _sift_down(heaps, g, root, blocks, comm, comp)
    return heaps


@kernel
def _sift_down(
    heaps: ArcHeaps, g: int, root: int, blocks: int, comm: NDArray[np.int64], comp: NDArray[np.int64]
) -> None:
    """Let the arc at `root` of group g sink until no faster one is below it; ties by position of the server."""
    first, size = heaps.first[g], heaps.size[g]
    servers = heaps.servers
    j = servers[first + root]
    time = comm[j] + comp[j] * blocks
    while True:
        child = 2 * root + 1
        if child >= size:
            break
        i = servers[first + child]
        child_time = comm[i] + comp[i] * blocks
        if child + 1 < size:
            other = servers[first + child + 1]
            other_time = comm[other] + comp[other] * blocks
            if other_time < child_time or (other_time == child_time and other < i):
                child, i, child_time = child + 1, other, other_time
        if time < child_time or (time == child_time and j < i):
            break
        servers[first + root] = i
        root = child
    servers[first + root] = j


@kernel
def drop_saturated(
    heaps: ArcHeaps,
    g: int,
    blocks: int,
    slots: NDArray[np.int64],
    comm: NDArray[np.int64],
    comp: NDArray[np.int64],
) -> None:
    """Throw arcs off the top of group g while their server lacks the slots for `blocks` blocks."""
    first = heaps.first[g]
    while heaps.size[g] > 0 and slots[heaps.servers[first]] < blocks:
        heaps.size[g] -= 1
        if heaps.size[g] > 0:
            heaps.servers[first] = heaps.servers[first + heaps.size[g]]
            _sift_down(heaps, g, 0, blocks, comm, comp)


@kernel
def fastest_arc_time(heaps: ArcHeaps, g: int, blocks: int, comm: NDArray[np.int64], comp: NDArray[np.int64]) -> int:
    """Time of the fastest arc of group g, `NEVER` where none is left."""
    if heaps.size[g] == 0:
        return NEVER
    j = heaps.servers[heaps.first[g]]
    time: int = comm[j] + comp[j] * blocks
    return time
