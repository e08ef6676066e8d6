"""The arcs of the boundary graph that a job can take, with what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.topology import boundary_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.simulation.pace import Pace

TICKS_PER_S = 1e9
"""Costs are whole nanoseconds, as floats: sums of up to 100 days are exact, so ties do not hang on rounding."""


class RouteArcs(NamedTuple):
    """Arcs that lie on some path 0 -> L, by the boundary where their server stops, then by server.

    Attributes
    ----------
    first
        The arcs of the v-th server that has any are `first[v]`, ..., `first[v + 1] - 1`, shape (V + 1,).
    server
        Position of the server, shape (A,).
    source, target
        Index of the boundary that is left and of the one that is reached, shape (A,).
    slots
        Blocks processed, so slots that a job holds, shape (A,); ascending for each server.
    cost
        Ticks that the expected job takes, shape (A,).
    seconds
        Seconds for each unit of a demand, shape (A, D).
    """

    first: NDArray[np.int64]
    server: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    slots: NDArray[np.int64]
    cost: NDArray[np.float64]
    seconds: NDArray[np.float64]


def route_arcs(
    instance: Instance, placement: Placement, slots: NDArray[np.int64], pace: Pace, expected: NDArray[np.float64]
) -> RouteArcs:
    """Arcs b -> stop_j for which server j has the stop_j - b slots that a job takes.

    Parameters
    ----------
    slots
        Of each server, shape (J,).
    expected
        Demands of the expected job, shape (D,).

    Raises
    ------
    InfeasibleError
        If no path leads from 0 to L.
    """
    graph = boundary_graph(placement.start, placement.stop, instance.service.blocks)
    block = graph.boundaries.tolist()
    arcs = [
        (j, b, e)
        for j, b, e in (
            (j, b, int(graph.target[j]))
            for j in np.argsort(graph.target, kind="stable").tolist()
            for b in range(int(graph.target[j]) - 1, int(graph.source[j]) - 1, -1)
        )
        if slots[j] >= block[e] - block[b]
    ]
    reached = {0}
    for _, b, e in arcs:
        if b in reached:
            reached.add(e)
    if block[max(reached)] < instance.service.blocks:
        raise InfeasibleError(_dead_end(instance, placement, block[max(reached)]))
    leads_on = {len(block) - 1}
    for _, b, e in reversed(arcs):
        if e in leads_on:
            leads_on.add(b)
    useful = [(j, b, e) for j, b, e in arcs if b in reached and e in leads_on]
    server, source, target = np.array(useful, dtype=np.int64).T.copy()
    blocks = graph.boundaries[target] - graph.boundaries[source]
    seconds = pace.hop_s[server] + pace.block_s[server] * blocks[:, None]
    first = np.flatnonzero(np.diff(server, prepend=-1, append=-1))
    return RouteArcs(first, server, source, target, blocks, np.rint(seconds @ expected * TICKS_PER_S), seconds)


def _dead_end(instance: Instance, placement: Placement, block: int) -> str:
    hosts = np.flatnonzero((placement.start <= block) & (block < placement.stop))
    if not hosts.size:
        return f"no route leads to the end: no server hosts block {block}"
    names = ", ".join(repr(instance.servers[j].id) for j in hosts.tolist())
    return (
        f"no route leads to the end: of the servers that host block {block}, none has the cache slots to go on: {names}"
    )
