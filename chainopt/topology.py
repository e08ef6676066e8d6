"""The boundary graph: the routing topology of a placement as a directed acyclic graph (PROBLEM, section 2).

A job that has been processed up to block b is at boundary b, and where it may go next depends on b alone: server j
offers the arc b -> stop_j for every boundary b in [start_j, stop_j), and takes τ^c_j + τ^p_j (stop_j - b) for it.
Chains are the paths 0 -> L. The boundaries are 0 and the stops of servers.

The arcs b -> e of all servers that stop at e form the *group* (b, e). Of a group only the cheapest arc matters to a
fastest path, so a path costs O(groups) <= O(L^2) however many servers there are. Groups are numbered by e, and within
e by b: for every e they are the boundaries from the least start of its servers on, without gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 2**61
"""Time of a path that does not exist; twice this is still an int64."""


class BoundaryGraph(NamedTuple):
    """The groups of arcs; boundaries are counted by index here, e = 1, ..., B - 1.

    Attributes
    ----------
    boundaries
        Block at each boundary, ascending from 0, shape (B,).
    target
        Index of the boundary where server j stops, 0 where it hosts nothing, shape (J,).
    source
        Index of the first boundary in [start_j, stop_j), shape (J,).
    lowest
        Index of the first boundary with an arc to e, e itself where there is none, shape (B,).
    group
        Number of the group (lowest[e], e), shape (B + 1,); group (b, e) is group[e] + b - lowest[e].
    """

    boundaries: NDArray[np.int64]
    target: NDArray[np.int64]
    source: NDArray[np.int64]
    lowest: NDArray[np.int64]
    group: NDArray[np.int64]


@kernel
def boundary_graph(start: NDArray[np.int64], stop: NDArray[np.int64], blocks: int) -> BoundaryGraph:
    """Boundary graph of a placement in O(J + L)."""
    servers = start.size
    index = np.full(blocks + 1, -1, dtype=np.int64)
    index[0] = 0
    for j in range(servers):
        if stop[j] > start[j]:
            index[stop[j]] = 0
    count = 0
    first_from = np.empty(blocks + 2, dtype=np.int64)
    for block in range(blocks + 1):
        first_from[block] = count
        if index[block] >= 0:
            index[block] = count
            count += 1
    boundaries = np.empty(count, dtype=np.int64)
    for block in range(blocks + 1):
        if index[block] >= 0:
            boundaries[index[block]] = block
    target = np.zeros(servers, dtype=np.int64)
    source = np.zeros(servers, dtype=np.int64)
    lowest = np.arange(count)
    for j in range(servers):
        if stop[j] > start[j]:
            target[j] = index[stop[j]]
            source[j] = first_from[start[j]]
            lowest[target[j]] = min(lowest[target[j]], source[j])
    group = np.empty(count + 1, dtype=np.int64)
    group[0] = 0
    for e in range(count):
        group[e + 1] = group[e] + e - lowest[e]
    return BoundaryGraph(boundaries, target, source, lowest, group)


@kernel
def extend_fastest_paths(
    graph: BoundaryGraph,
    arc_time: NDArray[np.int64],
    first: int,
    time: NDArray[np.int64],
    previous: NDArray[np.int64],
) -> None:
    """Fastest paths from boundary 0 to the boundaries `first`, `first` + 1, ...; those before are known.

    One forward pass. Of equally fast paths to e the one with the least last boundary b is kept.

    Parameters
    ----------
    arc_time
        Time of the cheapest arc of each group, `NEVER` where there is none.
    time, previous
        Time of the fastest path to each boundary, and the boundary before on it; written from `first` on.
    """
    for e in range(max(first, 1), graph.boundaries.size):
        lowest, offset = graph.lowest[e], graph.group[e]
        best, best_from = NEVER, -1
        for b in range(lowest, e):
            candidate = time[b] + arc_time[offset + b - lowest]
            if candidate < best:
                best, best_from = candidate, b
        time[e] = best
        previous[e] = best_from
