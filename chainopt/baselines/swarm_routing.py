"""Jobs that are passed on by servers in turn, the more often the faster a server has answered.

SWARM's stochastic wiring. The client and every server keep a priority for each server of the next stage. A job goes to
the one with the least, ties to the first, and its priority grows by the estimate of the time that the job will take
there: a moving average of the times that jobs have taken from the same sender, waits included, a small number at first
(interleaved weighted round robin). A time is known when the job departs; what happens at one instant happens in the
order departures, arrivals.

A job is sent through all stages when it comes. It waits for room in the cache of each of its servers, first come, first
served; takes it as soon as the server can give it, and holds it until it departs.

References
----------
M. Ryabinin et al., SWARM Parallelism, ICML 2023, appendix C; as in Helix, simulator/scheduler/swarm/swarm_scheduler.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.jit import kernel
from chainopt.model.placement import checked_slots
from chainopt.simulation import reservations, route_trie
from chainopt.simulation.heap import drop_first, push
from chainopt.simulation.records import Records
from chainopt.simulation.reservations import Reservations, advance, earliest_start, reserve
from chainopt.simulation.route_trie import ROOT, RouteTrie, number_of_route, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.simulation.pace import Pace

SMOOTHING = 0.1
"""γ, weight of a new time in the average; SWARM's paper does not say."""
INITIAL_S = 1e-3
"""ε, first estimates and priorities."""


class Wiring(NamedTuple):
    """Stages, and what senders think of the servers of the next one.

    Senders are the client, 0, and server j, j + 1.

    Attributes
    ----------
    first
        Servers of stage s are `server[first[s]]`, ..., shape (S + 1,).
    server
        By stage, then by position, shape (V,).
    priority, estimate_s
        By sender and receiver, shape (J + 1, J).
    seconds
        At a server, for each unit of a demand, shape (J, D).
    blocks
        That each server hosts, shape (J,).
    """

    first: NDArray[np.int64]
    server: NDArray[np.int64]
    priority: NDArray[np.float64]
    estimate_s: NDArray[np.float64]
    seconds: NDArray[np.float64]
    blocks: NDArray[np.int64]


class Reports(NamedTuple):
    """The jobs whose times are not known yet.

    Attributes
    ----------
    end_s, end_job
        Heap of departures to come.
    path
        Server of each job at each stage, shape (N, S).
    taken_s
        Time there, shape (N, S).
    unused
        Rows that are free, a stack.
    counts
        Size of the heap, shape (1,).
    """

    end_s: NDArray[np.float64]
    end_job: NDArray[np.int64]
    path: NDArray[np.int64]
    taken_s: NDArray[np.float64]
    unused: NDArray[np.int64]
    counts: NDArray[np.int64]


class SwarmRun:
    """A simulation in steps, with memory for the jobs in the system.

    Parameters
    ----------
    placement
        Stages: all servers that host a block host the same blocks as others, or none of them.
    pace
        How long jobs take.
    smoothing, initial_s
        γ from 0 to 1 and ε > 0.

    Raises
    ------
    InfeasibleError
        If some stage has no server with the cache for one job.
    ValueError
        If the placement is not one in stages.
    """

    def __init__(
        self,
        instance: Instance,
        placement: Placement,
        pace: Pace,
        *,
        smoothing: float = SMOOTHING,
        initial_s: float = INITIAL_S,
    ) -> None:
        slots = checked_slots(instance, placement)
        stages = _stages(placement, slots, instance.service.blocks)
        servers, sizes = len(instance.servers), placement.sizes
        self._smoothing = smoothing
        self._wiring = Wiring(
            np.cumsum([0, *map(len, stages)]),
            np.array([j for stage in stages for j in stage], dtype=np.int64),
            np.full((servers + 1, servers), initial_s),
            np.full((servers + 1, servers), initial_s),
            np.ascontiguousarray(pace.hop_s + pace.block_s * sizes[:, None]),
            sizes,
        )
        self._room = 2 * len(stages) + 1
        self._reservations = reservations.no_reservations(slots, self._room)
        self._trie = route_trie.empty_trie(self._room)
        width = len(stages)
        self._reports = Reports(
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.empty((0, width), dtype=np.int64),
            np.empty((0, width)),
            np.empty(0, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Send the next jobs on their way; nothing is left to chance."""
        jobs = arrivals.size
        self._make_room(jobs)
        start, departure, route = np.empty(jobs), np.empty(jobs), np.empty(jobs, dtype=np.int64)
        done = 0
        while True:
            done = _pass_on(
                self._wiring,
                self._reports,
                self._reservations,
                self._trie,
                self._smoothing,
                arrivals,
                demands,
                done,
                start,
                departure,
                route,
            )
            if done == jobs:
                return Records(arrivals, start, departure, route)
            if self._reservations.unused_count[0] < self._wiring.first.size:
                self._reservations = reservations.with_more_room(self._reservations)
            else:
                self._trie = route_trie.with_more_room(self._trie)

    def drain(self) -> Records:
        """Nothing is left: all jobs have their times."""
        none = np.empty(0)
        return Records(none, none, none, np.empty(0, dtype=np.int64))

    @property
    def routes(self) -> tuple[tuple[int, ...], ...]:
        """Servers of the routes that have been taken so far, in order of first use; `Records.chain` counts them."""
        return tuple(tuple(route_trie.steps(self._trie, route)[::-1]) for route in range(int(self._trie.sizes[1])))

    def _make_room(self, jobs: int) -> None:
        had, reports = self._reports.end_s.size, self._reports
        missing = int(reports.counts[0]) + jobs - had
        if missing > 0:
            width = reports.path.shape[1]
            self._reports = Reports(
                np.concatenate([reports.end_s, np.empty(missing)]),
                np.concatenate([reports.end_job, np.empty(missing, dtype=np.int64)]),
                np.concatenate([reports.path, np.empty((missing, width), dtype=np.int64)]),
                np.concatenate([reports.taken_s, np.empty((missing, width))]),
                np.concatenate([np.arange(had, had + missing), reports.unused]),
                reports.counts,
            )


def _stages(placement: Placement, slots: NDArray[np.int64], blocks: int) -> list[list[int]]:
    """Servers of each stage that have the cache for a job."""
    ranges = sorted({(a, b) for a, b in zip(placement.start.tolist(), placement.stop.tolist(), strict=True) if a < b})
    ends = [0, *(b for _, b in ranges)]
    if ends[:-1] != [a for a, _ in ranges] or ends[-1] != blocks:
        raise ValueError(f"expected a placement in stages, got the ranges {ranges}")
    able = slots >= placement.sizes
    stages = [np.flatnonzero((placement.start == a) & (placement.stop == b) & able).tolist() for a, b in ranges]
    for (a, b), stage in zip(ranges, stages, strict=True):
        if not stage:
            raise InfeasibleError(f"no server of the stage of the blocks {a} to {b} has the cache for one job")
    return stages


@kernel
def _pass_on(
    wiring: Wiring,
    reports: Reports,
    held: Reservations,
    routes: RouteTrie,
    smoothing: float,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    done: int,
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    route: NDArray[np.int64],
) -> int:
    """Send jobs `done`, `done` + 1, ... until the room in `held` or `routes` might not do, and return the next.

    Parameters
    ----------
    start, departure, route
        Written for the jobs that are sent.
    """
    first, server, priority, estimate_s = wiring.first, wiring.server, wiring.priority, wiring.estimate_s
    seconds, blocks = wiring.seconds, wiring.blocks
    end_s, end_job, path, taken_s, unused = (
        reports.end_s,
        reports.end_job,
        reports.path,
        reports.taken_s,
        reports.unused,
    )
    stages = first.size - 1
    busy = reports.counts[0]
    ready = np.empty(stages)
    for i in range(done, arrivals.size):
        if held.unused_count[0] < stages + 1 or routes.sizes[0] + stages > routes.arc.size:
            reports.counts[0] = busy
            return i
        now = arrivals[i]
        while busy > 0 and end_s[0] <= now:
            job, sender = end_job[0], 0
            for s in range(stages):
                j = path[job, s]
                estimate_s[sender, j] = smoothing * taken_s[job, s] + (1 - smoothing) * estimate_s[sender, j]
                sender = j + 1
            drop_first(end_s, end_job, busy)
            busy -= 1
            unused[unused.size - 1 - busy] = job
        for v in range(server.size):
            if held.wake[server[v]] <= now:
                advance(held, server[v], now)
        job, sender, node = unused[unused.size - 1 - busy], 0, ROOT
        begin, service = now, 0.0
        for s in range(stages):
            best = server[first[s]]
            for v in range(first[s] + 1, first[s + 1]):
                if priority[sender, server[v]] < priority[sender, best]:
                    best = server[v]
            priority[sender, best] += estimate_s[sender, best]
            ready[s] = earliest_start(held, best, blocks[best], now)
            begin = max(begin, ready[s])
            there = 0.0
            for d in range(demands.shape[1]):
                there += demands[i, d] * seconds[best, d]
            service += there
            path[job, s], taken_s[job, s] = best, ready[s] - now + there
            node = step(routes, node, best)
            sender = best + 1
        for s in range(stages):
            reserve(held, path[job, s], blocks[path[job, s]], ready[s], begin + service)
        push(end_s, end_job, busy, begin + service, job)
        busy += 1
        start[i], departure[i], route[i] = begin, begin + service, number_of_route(routes, node)
    reports.counts[0] = busy
    return arrivals.size
