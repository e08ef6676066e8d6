"""Jobs that follow a flow: at every server on to the successor that has had least of its share, while it has room.

Helix' scheduler. Each link of a largest flow has a load, 0 at first; of the links from where a job is that with the
least load + 1/flow is taken, and this becomes its load (interleaved weighted round robin). Links with less than a
twentieth of what leaves the server do not count, unless all are so thin. Links to servers count that have cache slots
for all their blocks, of which the job then takes those that it needs. A job that comes to an end of its way waits at
the coordinator, first come, first served, and tries again whenever a job has departed; the loads are then as if it had
not tried. At one instant departures come first.

References
----------
Y. Mei et al., Helix, ASPLOS 2025, section 5; simulator/scheduler/global_maxflow/scheduler_core.py. There a job counts
with its tokens, here with 1. There the slots that a server must have left are by the tokens that are expected, and a
part of them can be kept back; here a job has its slots from start to departure, and nothing need be kept back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.baselines.queued_run import QueuedRun
from chainopt.errors import InfeasibleError
from chainopt.jit import kernel
from chainopt.model.placement import checked_slots
from chainopt.simulation import route_trie
from chainopt.simulation.heap import drop_first, push
from chainopt.simulation.route_trie import ROOT, RouteTrie, number_of_route, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.placement.flow import Flow
    from chainopt.simulation.pace import Pace

THIN = 0.05
"""Share of what leaves a server below which a link is not used."""


class Links(NamedTuple):
    """Where jobs can go, and how much of their share links have had.

    Attributes
    ----------
    first
        Links from server j are `first[j]`, ..., `first[j + 1] - 1`; those from the coordinator last. Shape (J + 2,).
    target
        Server, -1 for the coordinator, shape (E,).
    blocks
        Blocks processed at the target after the source, so slots that a job takes there, shape (E,).
    per_job
        1/flow, shape (E,).
    load
        Shape (E,).
    seconds
        At the target, for each unit of a demand, shape (E, D).
    """

    first: NDArray[np.int64]
    target: NDArray[np.int64]
    blocks: NDArray[np.int64]
    per_job: NDArray[np.float64]
    load: NDArray[np.float64]
    seconds: NDArray[np.float64]


class Jobs(NamedTuple):
    """The jobs that run.

    Attributes
    ----------
    end_s, end_job
        Heap of departures to come.
    path
        Links of each job, shape (N, most), and after them -1.
    unused
        Rows of `path` that are free, a stack.
    counts
        Size of the heap, shape (1,).
    clock
        The moment, shape (1,).
    """

    end_s: NDArray[np.float64]
    end_job: NDArray[np.int64]
    path: NDArray[np.int64]
    unused: NDArray[np.int64]
    counts: NDArray[np.int64]
    clock: NDArray[np.float64]


class FlowRun(QueuedRun):
    """A simulation in steps.

    Parameters
    ----------
    flow
        A largest flow through the placement.
    pace
        How long jobs take.

    Raises
    ------
    InfeasibleError
        If nothing flows.
    """

    def __init__(self, instance: Instance, placement: Placement, flow: Flow, pace: Pace) -> None:
        if flow.value <= 0:
            raise InfeasibleError("no jobs flow through the placement")
        super().__init__(pace.hop_s.shape[1])
        self._links = _links(instance, placement, flow, pace)
        self._slots = checked_slots(instance, placement)
        self._free = self._slots.copy()
        self._sizes = placement.sizes
        self._most = min(len(instance.servers), instance.service.blocks) + 1
        self._jobs = Jobs(
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.empty((0, self._most), dtype=np.int64),
            np.empty(0, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            np.zeros(1),
        )
        self._trie = route_trie.empty_trie(2 * self._most)

    @property
    def routes(self) -> tuple[tuple[int, ...], ...]:
        """Servers of the routes that have been taken so far, in order of first use; `Records.chain` counts them."""
        return tuple(
            tuple(self._links.target[route_trie.steps(self._trie, route)][::-1].tolist())
            for route in range(int(self._trie.sizes[1]))
        )

    def _start(
        self,
        waiting: int,
        drain: bool,
        start: NDArray[np.float64],
        departure: NDArray[np.float64],
        chain: NDArray[np.int64],
    ) -> int:
        self._make_room(start.size)
        started, come = 0, waiting
        while True:
            started, come, full = _follow(
                self._links,
                self._jobs,
                self._trie,
                self._free,
                self._sizes,
                self._arrivals,
                self._demands,
                started,
                come,
                drain,
                start,
                departure,
                chain,
            )
            if not full:
                return int(started)
            self._trie = route_trie.with_more_room(self._trie)

    def _make_room(self, jobs: int) -> None:
        """Room for so many jobs more; no more than there are slots can run."""
        room = min(sum(self._slots.tolist()), int(self._jobs.counts[0]) + jobs)
        had = self._jobs.end_s.size
        if room > had:
            self._jobs = Jobs(
                np.concatenate([self._jobs.end_s, np.empty(room - had)]),
                np.concatenate([self._jobs.end_job, np.empty(room - had, dtype=np.int64)]),
                np.concatenate([self._jobs.path, np.empty((room - had, self._most), dtype=np.int64)]),
                np.concatenate([np.arange(had, room), self._jobs.unused]),
                self._jobs.counts,
                self._jobs.clock,
            )


def _links(instance: Instance, placement: Placement, flow: Flow, pace: Pace) -> Links:
    servers = len(instance.servers)
    source = np.where(flow.source < 0, servers, flow.source)
    leaving = np.bincount(source, weights=flow.through, minlength=servers + 1)
    thick = flow.through >= THIN * leaving[source]
    kept = thick | ~np.isin(source, source[thick])
    order = np.flatnonzero(kept)[np.argsort(source[kept], kind="stable")]
    source, target, through = source[order], flow.target[order], flow.through[order]
    begins = np.append(placement.stop, 0)[source]
    blocks = np.where(target < 0, 0, placement.stop[target] - begins)
    seconds = np.where(target[:, None] < 0, 0.0, pace.hop_s[target] + pace.block_s[target] * blocks[:, None])
    first = np.searchsorted(source, np.arange(servers + 2))
    return Links(first, target, blocks, 1 / through, np.zeros(target.size), np.ascontiguousarray(seconds))


@kernel
def _follow(
    links: Links,
    jobs: Jobs,
    routes: RouteTrie,
    free: NDArray[np.int64],
    sizes: NDArray[np.int64],
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    started: int,
    come: int,
    drain: bool,
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    route: NDArray[np.int64],
) -> tuple[int, int, bool]:
    """Serve jobs, of which `come` have come and `started` have started, and return both numbers afterwards.

    The third that is returned says whether the room in `routes` might not do for the next job; else all have come.

    Parameters
    ----------
    drain
        Whether no more jobs will come, so that all of them start.
    start, departure, route
        Written for the jobs that start.
    """
    end_s, end_job, path, unused = jobs.end_s, jobs.end_job, jobs.path, jobs.unused
    target, blocks, seconds = links.target, links.blocks, links.seconds
    busy = jobs.counts[0]
    most = path.shape[1]
    links_taken = np.empty(most, dtype=np.int64)
    loads_before = np.empty(most)
    now = jobs.clock[0]
    changed = True  # since the first of the queue tried last
    while True:
        if changed and started < come:
            if routes.sizes[0] + most > routes.arc.size:
                jobs.counts[0], jobs.clock[0] = busy, now
                return started, come, True
            changed = _try_route(links, free, sizes, links_taken, loads_before)
            if changed:
                service = 0.0
                job = unused[unused.size - 1 - busy]
                hops, node = 0, ROOT
                while target[links_taken[hops]] >= 0:
                    e = links_taken[hops]
                    free[target[e]] -= blocks[e]
                    for d in range(demands.shape[1]):
                        service += demands[started, d] * seconds[e, d]
                    path[job, hops] = e
                    node = step(routes, node, e)
                    hops += 1
                path[job, hops] = -1
                start[started], departure[started] = now, now + service
                route[started] = number_of_route(routes, node)
                push(end_s, end_job, busy, now + service, job)
                busy += 1
                started += 1
            continue
        coming = arrivals[come] if come < arrivals.size else np.inf
        if busy > 0 and end_s[0] <= coming and (come < arrivals.size or drain):
            now = end_s[0]
            job = end_job[0]
            hops = 0
            while path[job, hops] >= 0:
                free[target[path[job, hops]]] += blocks[path[job, hops]]
                hops += 1
            drop_first(end_s, end_job, busy)
            busy -= 1
            unused[unused.size - 1 - busy] = job
            changed = True
        elif come < arrivals.size:
            now = coming
            come += 1
            changed = True
        else:
            break
    jobs.counts[0], jobs.clock[0] = busy, now
    return started, come, False


@kernel
def _try_route(
    links: Links,
    free: NDArray[np.int64],
    sizes: NDArray[np.int64],
    links_taken: NDArray[np.int64],
    loads_before: NDArray[np.float64],
) -> bool:
    """Find a way from the coordinator back to it, and say whether there is one; where there is none nothing changes."""
    first, target, load = links.first, links.target, links.load
    at, hops = first.size - 2, 0
    while True:
        best, best_load = -1, np.inf
        for e in range(first[at], first[at + 1]):
            after = load[e] + links.per_job[e]
            if after < best_load and (target[e] < 0 or free[target[e]] >= sizes[target[e]]):
                best, best_load = e, after
        if best < 0:
            for h in range(hops):
                load[links_taken[h]] = loads_before[h]
            return False
        links_taken[hops], loads_before[hops] = best, load[best]
        load[best] = best_load
        hops += 1
        at = target[best]
        if at < 0:
            return True
