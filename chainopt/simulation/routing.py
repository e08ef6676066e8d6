"""Baselines that compose no chains: every job finds its own way through the placement, by the state when it arrives.

A job is routed once, at its arrival, along a path 0 -> L of the boundary graph. At server j, which it enters at
boundary b, it takes m_ij = stop_j - b cache slots, for the blocks from b to where the server stops. An arc for which
the server has too few slots even when it is empty does not exist. A route costs what the expected job takes on it,
τ^c_j + τ^p_j m_ij at each server, and for each server

- ``petals``: a penalty if fewer slots are free than the server hosts blocks. PETALS asks for room for the whole range
  of a server, whatever part of it the job needs, and counts the slots of running jobs alone: those that waiting jobs
  will take it does not see. Here it sees them at the instant of arrival; its clients look about once a minute.
- ``ws-rr``: the time from now until the server by itself could start the job, behind all earlier jobs, whose starts and
  departures are known. The sum over the servers is at least the wait, which is the maximum.

Of equally cheap routes the one is taken whose last arc leaves the least boundary, then the server that comes first in
the instance, then likewise for the arc before it; as GCA does, whose first chain the first job takes. Costs are
compared in whole nanoseconds.

Under either rule a job waits for memory only, first come, first served at every server, holds its slots until it
departs, and never gives up; PETALS would reject it after ten minutes. There are two ways to wait for several servers:

- *together*: a job starts as soon as all earlier jobs through any of its servers have started, and each of
  its servers has the slots, and takes all of them then;
- `hold_early`, the default, as PETALS and BPRR do: it takes the slots of each server as soon as all earlier jobs there
  have theirs and enough are left, and starts when it has all. Nobody waits longer than if the same routes were waited
  for together, since slots that an earlier job holds idle are slots that nobody could have had.

What happens at one instant happens in this order: departures, starts of waiting jobs, arrivals one by one.

Known departures make this a recursion over jobs: at each server the next job can have its slots at the first time, not
before its arrival and when the last job there got its own, at which those who depart later leave enough of them; and it
starts when it can have them at all of its servers.

References
----------
- A. Borzunov et al., Distributed Inference and Fine-tuning of Large Language Models Over The Internet, NeurIPS 2023,
  arXiv 2312.08361; the costs as in `_build_inference_graph` and `_has_cache_for` of
  bigscience-workshop/petals, src/petals/client/routing/sequence_manager.py.
- T. Sun, T. He, B. Ji, P. Parag, Optimizing Resource Allocation for Geographically-Distributed Inference by Large
  Language Models, arXiv 2512.21884: WS-RR, waiting-penalized shortest-path request routing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.model.placement import checked_slots
from chainopt.protocols import Method
from chainopt.simulation import reservations, route_trie
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.records import Records
from chainopt.simulation.route_arcs import TICKS_PER_S, route_arcs
from chainopt.simulation.routing_kernels import PETALS, WS_RR, route_jobs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.simulation.pace import Pace

ROUTING: dict[str, Method[int]] = {
    "petals": Method(
        PETALS,
        "each job on its fastest route, where a server that looks full costs a penalty",
        "Borzunov et al., arXiv 2312.08361; bigscience-workshop/petals, routes of minimal latency",
    ),
    "ws-rr": Method(
        WS_RR,
        "each job on the route with the least time and waits, added up over its servers",
        "Sun, He, Ji, Parag, arXiv 2512.21884, waiting-penalized shortest-path request routing",
    ),
}

ALLOCATION_PENALTY_S = 200.0
"""What a server that looks full costs by PETALS: 10 s a token, and a job of the paper's simulations has 20."""


class Route(NamedTuple):
    """A path 0 -> L.

    Attributes
    ----------
    servers
        Positions of the servers, in order of processing.
    blocks
        Blocks processed at each of them, m_ij; they add up to L.
    """

    servers: tuple[int, ...]
    blocks: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Routed(Records):
    """What became of each job; `chain` is an index into `routes`.

    Attributes
    ----------
    routes
        The routes that have been taken, in order of first use.
    """

    routes: tuple[Route, ...]


def simulate_routing(
    instance: Instance,
    placement: Placement,
    rule: str,
    arrivals: ArrayLike,
    demands: ArrayLike,
    *,
    pace: Pace | None = None,
    expected: ArrayLike | None = None,
    allocation_penalty_s: float = ALLOCATION_PENALTY_S,
    slots: ArrayLike | None = None,
    hold_early: bool = True,
) -> Routed:
    """Simulate jobs from an empty system until all have left. Parameters and errors as in `RoutingRun`."""
    run = RoutingRun(
        instance,
        placement,
        rule,
        pace=pace,
        expected=expected,
        allocation_penalty_s=allocation_penalty_s,
        slots=slots,
        hold_early=hold_early,
    )
    return run.step(arrivals, demands)


class RoutingRun:
    """A simulation in steps, with memory for the jobs in the system and the routes alone.

    Parameters
    ----------
    rule
        A name in `ROUTING`.
    pace
        How long jobs take; by default their sizes scale the times of the instance.
    expected
        Demands of the job that routes are chosen for, shape (D,); by default 1 where D = 1.
    allocation_penalty_s
        Seconds that a server that looks full costs by ``petals``.
    slots
        Cache slots that each server uses, shape (J,); by default all that the placement leaves.
    hold_early
        Whether a waiting job takes the slots of each server as soon as that server can give them, and holds them while
        it waits for others.

    Raises
    ------
    InfeasibleError
        If no path leads from 0 to L on which every server has the slots for one job.
    ValueError
        If the rule is unknown, the placement does not fit the instance, or a number makes no sense.
    """

    def __init__(
        self,
        instance: Instance,
        placement: Placement,
        rule: str,
        *,
        pace: Pace | None = None,
        expected: ArrayLike | None = None,
        allocation_penalty_s: float = ALLOCATION_PENALTY_S,
        slots: ArrayLike | None = None,
        hold_early: bool = True,
    ) -> None:
        if rule not in ROUTING:
            raise ValueError(f"expected one of the rules {', '.join(ROUTING)}, got {rule!r}")
        if not 0 <= allocation_penalty_s < np.inf:
            raise ValueError(f"expected a penalty of at least 0 s, got {allocation_penalty_s}")
        pace = pace_by_size(instance) if pace is None else pace
        usable = _usable(checked_slots(instance, placement), slots)
        self._rule = ROUTING[rule].rule
        self._hold_early = hold_early
        self._arcs = route_arcs(instance, placement, usable, pace, _expected(expected, pace.hop_s.shape[1]))
        self._sizes = placement.sizes
        self._penalty = round(allocation_penalty_s * TICKS_PER_S)
        room = 2 * instance.service.blocks + 1
        self._reservations = reservations.no_reservations(usable, room)
        self._trie = route_trie.empty_trie(room)
        self._routes: list[Route] = []
        self._now = -np.inf

    def step(self, arrivals: ArrayLike, demands: ArrayLike) -> Routed:
        """Route the next jobs, and say when they start and depart. How jobs are split into steps makes no difference.

        Parameters
        ----------
        arrivals
            Times in seconds, ascending, none before those of the last step, shape (n,).
        demands
            What the jobs ask for, at least 0, shape (n, D).
        """
        arrivals = np.ascontiguousarray(arrivals, dtype=np.float64)
        demands = np.ascontiguousarray(demands, dtype=np.float64)
        self._check(arrivals, demands)
        start, departure = np.empty(arrivals.size), np.empty(arrivals.size)
        route = np.empty(arrivals.size, dtype=np.int64)
        done = 0
        while True:
            done = route_jobs(
                self._rule,
                self._hold_early,
                self._arcs,
                self._sizes,
                float(self._penalty),
                self._reservations,
                self._trie,
                arrivals,
                demands,
                done,
                start,
                departure,
                route,
            )
            if done == arrivals.size:
                break
            hops = int(self._arcs.target[-1])
            if self._reservations.unused_count[0] < hops:
                self._reservations = reservations.with_more_room(self._reservations)
            else:
                self._trie = route_trie.with_more_room(self._trie)
        self._now = arrivals[-1] if arrivals.size else self._now
        return Routed(arrivals, start, departure, route, self.routes)

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Route the next jobs; nothing is left to chance."""
        return self.step(arrivals, demands)

    def drain(self) -> Records:
        """Nothing is left: all jobs have their times."""
        return self.step(np.empty(0), np.empty((0, self._arcs.seconds.shape[1])))

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that have been taken so far, in order of first use."""
        for route in range(len(self._routes), int(self._trie.sizes[1])):
            arcs = route_trie.steps(self._trie, route)
            self._routes.append(Route(tuple(self._arcs.server[arcs].tolist()), tuple(self._arcs.slots[arcs].tolist())))
        return tuple(self._routes)

    def _check(self, arrivals: NDArray[np.float64], demands: NDArray[np.float64]) -> None:
        kinds = self._arcs.seconds.shape[1]
        if arrivals.ndim != 1 or demands.shape != (arrivals.size, kinds):
            raise ValueError(
                f"expected arrivals of shape (n,) and demands of shape (n, {kinds}), "
                f"got {arrivals.shape} and {demands.shape}"
            )
        if not np.isfinite(arrivals).all() or np.any(np.diff(arrivals, prepend=self._now) < 0):
            raise ValueError("expected arrivals that are finite and ascending, from the last step on")
        if not (np.isfinite(demands).all() and np.all(demands >= 0)):
            raise ValueError("expected demands that are finite and at least 0")


def _usable(left: NDArray[np.int64], slots: ArrayLike | None) -> NDArray[np.int64]:
    """Cache slots that are used of those that the placement leaves."""
    if slots is None:
        return left
    usable = np.array(slots, dtype=np.int64)
    if usable.shape != left.shape or np.any(usable < 0) or np.any(usable > left):
        raise ValueError(f"expected slots from 0 to {left.tolist()}, got {usable.tolist()}")
    return usable


def _expected(expected: ArrayLike | None, kinds: int) -> NDArray[np.float64]:
    """Demands of the expected job, of so many kinds."""
    if expected is None:
        if kinds > 1:
            raise ValueError(f"expected the demands of the expected job, there are {kinds} kinds")
        return np.ones(1)
    demands = np.asarray(expected, dtype=np.float64)
    if demands.shape != (kinds,) or not (np.isfinite(demands).all() and np.all(demands >= 0)):
        raise ValueError(f"expected {kinds} finite demands of at least 0 of the expected job, got {demands.tolist()}")
    return demands
