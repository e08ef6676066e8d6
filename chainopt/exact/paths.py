"""The chains of a placement as paths of the boundary graph: the cheapest one, and all of small reduced cost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.topology import boundary_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement

_ANGLES = 8
"""Slopes θ that completions of a beginning are bounded with."""


class Arcs(NamedTuple):
    """The arcs (b -> e, j) that lie on some chain whose servers all have the slots for a job, by e, then b, then j.

    Attributes
    ----------
    source, target
        Indices of the boundaries b and e; 0 is where chains start.
    server, blocks
        j, and e - b in blocks.
    time_s
        τ^c_j + τ^p_j (e - b).
    end
        Index of boundary L.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    server: NDArray[np.int64]
    blocks: NDArray[np.int64]
    time_s: NDArray[np.float64]
    end: int


def arcs_of(instance: Instance, placement: Placement, slots: NDArray[np.int64]) -> Arcs:
    """Arcs of a placement that leaves so many slots; none where it has no chain."""
    length = instance.service.blocks
    graph = boundary_graph(placement.start, placement.stop, length)
    end = graph.boundaries.size - 1
    found = []
    if graph.boundaries[end] == length:
        for j in np.flatnonzero(graph.target).tolist():
            e = int(graph.target[j])
            for b in range(int(graph.source[j]), e):
                n = int(graph.boundaries[e] - graph.boundaries[b])
                if n <= slots[j]:
                    found.append((e, b, j, n))
    reached, leads = {0}, {end}
    found.sort()
    for e, b, _, _ in found:
        if b in reached:
            reached.add(e)
    for e, b, _, _ in reversed(found):
        if e in leads:
            leads.add(b)
    kept = np.array([arc for arc in found if arc[1] in reached and arc[0] in leads], dtype=np.int64).reshape(-1, 4)
    target, source, server, blocks = (np.ascontiguousarray(column) for column in kept.T)
    times = instance.time.seconds(instance.time.comm[server] + instance.time.comp[server] * blocks)
    return Arcs(source, target, server, blocks, times, end)


MOST_STEPS = 10_000_000
"""Searches for chains below a ceiling are given up after so many steps, a second or two."""


@kernel
def cheapest_path(
    source: NDArray[np.int64], target: NDArray[np.int64], end: int, cost: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Arcs of a path 0 -> `end` of least cost, in order; there has to be a path."""
    best = np.full(end + 1, np.inf)
    best[0] = 0.0
    last = np.full(end + 1, -1, dtype=np.int64)
    for a in range(source.size):  # in the order of their targets
        candidate = best[source[a]] + cost[a]
        if candidate < best[target[a]]:
            best[target[a]] = candidate
            last[target[a]] = a
    path = np.empty(end, dtype=np.int64)
    position = end
    at = end
    while at > 0:
        position -= 1
        path[position] = last[at]
        at = source[last[at]]
    return path[position:].copy()


def chains_below(
    arcs: Arcs, price: NDArray[np.float64], rate_price: float, ceiling: float, most: int
) -> list[NDArray[np.int64]] | None:
    """Every chain, as arcs, with D - y/T <= `ceiling`; None if there are more than `most`, or it takes too long.

    Parameters
    ----------
    price
        Price of each arc, not negative.
    """
    if not arcs.source.size:
        return []
    fastest = float(arcs.time_s[cheapest_path(arcs.source, arcs.target, arcs.end, arcs.time_s)].sum())
    angles = slopes(rate_price, fastest)
    first, chosen, complete = _paths_below(
        arcs.source, arcs.target, arcs.end, price, arcs.time_s, rate_price, ceiling, angles, most
    )
    return [chosen[a:b] for a, b in pairwise(first)] if complete else None


def slopes(rate_price: float, fastest_s: float) -> NDArray[np.float64]:
    """0, and slopes θ of y/T at times from the fastest on."""
    steps: NDArray[np.float64] = rate_price / fastest_s**2 * np.geomspace(1, 0.1, _ANGLES)
    return np.concatenate(([0.0], steps))


@kernel
def _paths_below(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    end: int,
    price: NDArray[np.float64],
    time_s: NDArray[np.float64],
    rate_price: float,
    ceiling: float,
    angles: NDArray[np.float64],
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Depth-first search from boundary 0; a beginning is given up if no completion can come below the ceiling."""
    arcs = source.size
    order = np.argsort(source, kind="mergesort")
    first_out = np.searchsorted(source[order], np.arange(end + 2))
    to_go = np.full((angles.size, end + 1), np.inf)  # least D + θ T from each boundary to the last
    fastest = np.full(end + 1, np.inf)
    to_go[:, end] = 0.0
    fastest[end] = 0.0
    for a in range(arcs - 1, -1, -1):
        b, e = source[a], target[a]
        fastest[b] = min(fastest[b], fastest[e] + time_s[a])
        for i in range(angles.size):
            to_go[i, b] = min(to_go[i, b], to_go[i, e] + price[a] + angles[i] * time_s[a])

    first = np.zeros(1024, dtype=np.int64)
    chosen = np.empty(8192, dtype=np.int64)
    found = 0
    path = np.empty(end + 1, dtype=np.int64)
    paid = np.zeros(end + 2)
    spent = np.zeros(end + 2)
    next_out = np.empty(end + 2, dtype=np.int64)
    depth = 0
    next_out[0] = first_out[0]
    steps = 0
    while depth >= 0:
        at = 0 if depth == 0 else target[path[depth - 1]]
        if at == end or next_out[depth] == first_out[at + 1]:
            depth -= 1
            continue
        steps += 1
        if steps > MOST_STEPS:
            return first[:1].copy(), chosen[:0].copy(), False
        a = order[next_out[depth]]
        next_out[depth] += 1
        e = target[a]
        d, t = paid[depth] + price[a], spent[depth] + time_s[a]
        if least_completion(d, t, e, to_go, fastest, angles, rate_price, ceiling) > ceiling:
            continue
        path[depth] = a
        paid[depth + 1], spent[depth + 1] = d, t
        if e < end:
            next_out[depth + 1] = first_out[e]
            depth += 1
            continue
        if found == most:
            return first[:1].copy(), chosen[:0].copy(), False
        length = depth + 1
        if found + 2 > first.size:
            first = np.append(first, np.zeros_like(first))
        while first[found] + length > chosen.size:
            chosen = np.append(chosen, np.empty_like(chosen))
        chosen[first[found] : first[found] + length] = path[:length]
        first[found + 1] = first[found] + length
        found += 1
    return first[: found + 1].copy(), chosen[: first[found]].copy(), True


@kernel
def least_completion(
    d: float,
    t: float,
    at: int,
    to_go: NDArray[np.float64],
    fastest: NDArray[np.float64],
    angles: NDArray[np.float64],
    rate_price: float,
    ceiling: float,
) -> float:
    """Bound on D - y/T of all completions of a beginning, as far as they can be below the ceiling.

    A completion has T >= T_low, and if it is below the ceiling y/T >= D - ceiling, so T <= T_high. It has
    D + θ T >= the least such, V. So D - y/T >= V - θ T - y/T, which is concave in T, and least at T_low or T_high.
    """
    low = t + fastest[at]
    cheapest = d + to_go[0, at]
    bound: float = cheapest - rate_price / low
    if bound > ceiling or cheapest <= ceiling:
        return bound
    high = rate_price / (cheapest - ceiling)
    for i in range(1, angles.size):
        theta = angles[i]
        value = d + theta * t + to_go[i, at]
        bound = max(bound, value - max(theta * low + rate_price / low, theta * high + rate_price / high))
    return bound
