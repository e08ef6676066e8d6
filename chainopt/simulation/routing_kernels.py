"""Jobs that find their own way: cheapest routes by the state at arrival, one job after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel
from chainopt.simulation.reservations import Reservations, advance, earliest_start, reserve
from chainopt.simulation.route_arcs import TICKS_PER_S, RouteArcs
from chainopt.simulation.route_trie import ROOT, RouteTrie, number_of_route, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

PETALS, WS_RR = range(2)


@kernel
def route_jobs(
    rule: int,
    hold_early: bool,
    arcs: RouteArcs,
    sizes: NDArray[np.int64],
    penalty: float,
    reservations: Reservations,
    routes: RouteTrie,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    done: int,
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    route: NDArray[np.int64],
) -> int:
    """Route jobs `done`, `done` + 1, ... until the room in `reservations` or `routes` might not do for the next one.

    Parameters
    ----------
    hold_early
        Whether slots are held from when their server can give them, not only from the start of the job.
    sizes
        Blocks that each server hosts, shape (J,).
    penalty
        Ticks that a server without free slots for all its blocks costs by PETALS.
    start, departure, route
        Written for the jobs that are routed.

    Returns
    -------
    int
        Number of the first job that is not routed.
    """
    server, source, slots, seconds = arcs.server, arcs.source, arcs.slots, arcs.seconds
    wake, unused_count = reservations.wake, reservations.unused_count
    trie_sizes, trie_room = routes.sizes, routes.arc.size
    end = arcs.target[-1]
    cost = np.zeros(end + 1)
    last_arc = np.zeros(end + 1, dtype=np.int64)
    path = np.zeros(end, dtype=np.int64)
    for i in range(done, arrivals.size):
        if unused_count[0] < end or trie_sizes[0] + end > trie_room:
            return i
        now = arrivals[i]
        for j in range(wake.size):
            if wake[j] <= now:
                advance(reservations, j, now)
        _cheapest_paths(rule, arcs, sizes, penalty, reservations, now, cost, last_arc)
        hops, node, boundary, begin = 0, ROOT, end, now
        while boundary > 0:
            a = last_arc[boundary]
            begin = max(begin, earliest_start(reservations, server[a], slots[a], now))
            node = step(routes, node, a)
            boundary = source[a]
            path[hops] = a
            hops += 1
        service = 0.0
        for h in range(hops - 1, -1, -1):
            for d in range(demands.shape[1]):
                service += demands[i, d] * seconds[path[h], d]
        for h in range(hops):
            j, needed = server[path[h]], slots[path[h]]
            held_from = earliest_start(reservations, j, needed, now) if hold_early else begin
            reserve(reservations, j, needed, held_from, begin + service)
        start[i], departure[i], route[i] = begin, begin + service, number_of_route(routes, node)
    return arrivals.size


@kernel
def _cheapest_paths(
    rule: int,
    arcs: RouteArcs,
    sizes: NDArray[np.int64],
    penalty: float,
    r: Reservations,
    now: float,
    cost: NDArray[np.float64],
    last_arc: NDArray[np.int64],
) -> None:
    """Find the cost of the cheapest path to each boundary, and the last arc of it.

    To what the expected job takes PETALS adds the penalty where a server looks full, and WS-RR the wait for slots.
    The arcs of a server ask for more and more slots, so all of them together look at each release once.

    Of equally cheap arcs to a boundary the one from the least boundary is kept, then the one that comes first.
    """
    first, server, source, target, arc_cost = arcs.first, arcs.server, arcs.source, arcs.target, arcs.cost
    arc_slots, free_now, free_next, last_start = arcs.slots, r.free_now, r.free_next, r.last_start
    next_release, departure, entry_slots, later = r.next_release, r.departure, r.slots, r.later
    for e in range(1, cost.size):
        cost[e] = np.inf
    for v in range(first.size - 1):
        j, e = server[first[v]], target[first[v]]
        toll = penalty if rule == PETALS and free_now[j] < sizes[j] else 0.0
        ready, free, entry = max(now, last_start[j]), free_next[j], next_release[j]
        for a in range(first[v], first[v + 1]):
            if rule == WS_RR:
                while free < arc_slots[a]:
                    ready = departure[entry]
                    free += entry_slots[entry]
                    entry = later[entry]
                toll = np.rint((ready - now) * TICKS_PER_S)
            candidate = cost[source[a]] + arc_cost[a] + toll
            if candidate < cost[e] or (candidate == cost[e] and source[a] < source[last_arc[e]]):
                cost[e], last_arc[e] = candidate, a
