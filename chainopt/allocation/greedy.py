"""GCA, greedy cache allocation [Algorithm 2]: always the fastest chain, as often as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.allocation.arc_heaps import ArcHeaps, arc_heaps, drop_saturated, fastest_arc_time
from chainopt.jit import kernel
from chainopt.model.composition import Composition
from chainopt.model.placement import checked_slots
from chainopt.topology import NEVER, BoundaryGraph, boundary_graph, extend_fastest_paths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement


def gca(instance: Instance, placement: Placement) -> Composition:
    """Greedy cache allocation for any placement [Algorithm 2].

    Repeatedly the fastest chain that the free cache slots allow, with all the capacity they allow. The chains come
    out by increasing service time; they are all that JFFC can ever use under this placement [Theorem 3].

    Of equally fast chains the one is taken whose last arc leaves the least boundary, then the server that comes first
    in the instance, then likewise for the arc before it. Times are compared exactly.

    Cost: O(A log A + rounds · groups), A arcs of the boundary graph, at most L^2/2 groups, at most A rounds.

    Raises
    ------
    ValueError
        If the placement is not one of this instance, or does not fit into the memories.
    """
    slots = checked_slots(instance, placement)
    first, hops, hop_blocks, capacities, ticks = allocate_fastest_first(
        placement.start, placement.stop, slots, instance.time.comm, instance.time.comp, instance.service.blocks
    )
    return Composition(placement, first, hops, hop_blocks, capacities, instance.time.seconds(ticks))


@kernel
def allocate_fastest_first(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    slots: NDArray[np.int64],
    comm: NDArray[np.int64],
    comp: NDArray[np.int64],
    blocks: int,
) -> tuple[NDArray[np.int64], ...]:
    """GCA on plain arrays, times in ticks.

    Returns
    -------
    tuple
        `first` (K + 1,), `hops`, `hop_blocks`, `capacities` (K,) and `ticks` (K,), as in `Composition`.
    """
    graph = boundary_graph(start, stop, blocks)
    residual = slots.copy()
    heaps = arc_heaps(graph, residual, comm, comp)
    arc_time = np.empty(heaps.size.size, dtype=np.int64)
    for e in range(1, graph.boundaries.size):
        for b in range(graph.lowest[e], e):
            g = graph.group[e] + b - graph.lowest[e]
            arc_time[g] = fastest_arc_time(heaps, g, graph.boundaries[e] - graph.boundaries[b], comm, comp)

    end = graph.boundaries.size - 1
    time = np.full(end + 1, NEVER, dtype=np.int64)
    time[0] = 0
    previous = np.zeros(end + 1, dtype=np.int64)
    first = np.zeros(64, dtype=np.int64)
    capacities = np.empty(64, dtype=np.int64)
    ticks = np.empty(64, dtype=np.int64)
    hops = np.empty(256, dtype=np.int64)
    hop_blocks = np.empty(256, dtype=np.int64)
    k = 0
    stale = 1  # paths to the boundaries from here on are to be found anew
    while graph.boundaries[end] == blocks:
        extend_fastest_paths(graph, arc_time, stale, time, previous)
        if time[end] >= NEVER:
            break
        if k + 1 >= first.size:
            first, capacities, ticks = _doubled(first), _doubled(capacities), _doubled(ticks)
        length = _path_length(previous, end)
        while first[k] + length > hops.size:
            hops, hop_blocks = _doubled(hops), _doubled(hop_blocks)
        first[k + 1] = first[k] + length
        ticks[k] = time[end]
        capacities[k] = _record_path(graph, heaps, previous, residual, hops, hop_blocks, first[k], first[k + 1])
        stale = end + 1
        for hop in range(first[k], first[k + 1]):
            j = hops[hop]
            residual[j] -= capacities[k] * hop_blocks[hop]
            stale = min(stale, _refresh_arcs(graph, heaps, arc_time, j, residual, comm, comp))
        k += 1
    return (
        first[: k + 1].copy(),
        hops[: first[k]].copy(),
        hop_blocks[: first[k]].copy(),
        capacities[:k].copy(),
        ticks[:k].copy(),
    )


@kernel
def _path_length(previous: NDArray[np.int64], end: int) -> int:
    """Number of arcs of the path to the last boundary."""
    length = 0
    while end > 0:
        end = previous[end]
        length += 1
    return length


@kernel
def _record_path(
    graph: BoundaryGraph,
    heaps: ArcHeaps,
    previous: NDArray[np.int64],
    residual: NDArray[np.int64],
    hops: NDArray[np.int64],
    hop_blocks: NDArray[np.int64],
    begin: int,
    end: int,
) -> int:
    """Write the path to the last boundary into `hops[begin:end]`; its capacity is min floor(R_j / m_ij)."""
    capacity = NEVER
    e = graph.boundaries.size - 1
    for hop in range(end - 1, begin - 1, -1):
        b = previous[e]
        hops[hop] = heaps.servers[heaps.first[graph.group[e] + b - graph.lowest[e]]]
        hop_blocks[hop] = graph.boundaries[e] - graph.boundaries[b]
        capacity = min(capacity, residual[hops[hop]] // hop_blocks[hop])
        e = b
    return capacity


@kernel
def _refresh_arcs(
    graph: BoundaryGraph,
    heaps: ArcHeaps,
    arc_time: NDArray[np.int64],
    j: int,
    residual: NDArray[np.int64],
    comm: NDArray[np.int64],
    comp: NDArray[np.int64],
) -> int:
    """Find the fastest arcs of the groups that server j led and can serve no longer.

    All arcs of a server that lost slots are tested, not only the one on the path. Returns the boundary from which on
    paths are stale.
    """
    e = graph.target[j]
    stale = graph.boundaries.size
    for b in range(graph.source[j], e):
        blocks = graph.boundaries[e] - graph.boundaries[b]
        g = graph.group[e] + b - graph.lowest[e]
        if residual[j] < blocks and heaps.size[g] > 0 and heaps.servers[heaps.first[g]] == j:
            drop_saturated(heaps, g, blocks, residual, comm, comp)
            arc_time[g] = fastest_arc_time(heaps, g, blocks, comm, comp)
            stale = e
    return stale


@kernel
def _doubled(array: NDArray[np.int64]) -> NDArray[np.int64]:
    """Copy with twice the room."""
    larger = np.zeros(2 * array.size, dtype=np.int64)
    for i in range(array.size):
        larger[i] = array[i]
    return larger
