"""Small systems state by state: the exact mean number of jobs under any rule that says which chain starts a job when.

A state is the number of jobs that wait, q, and of those that run at each chain, z. A rule says for each state which
chain starts the job at the head of the queue, if any; it is asked again until nothing starts, so that time passes only
in the states where the rule waits. Beyond a queue of Q jobs every rule here starts jobs as long as a server is free.
So all job servers are busy there, q goes up at λ and down at ν, and a stay above Q has the known mean length
1 / (ν - λ): the states up to Q are a closed system, and nothing is cut off. docs/theory/dispatch.md#small-systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.chains import Chains

WAIT = -1
"""The decision to start no job."""
MOST_STATES = 2_000_000
"""States that a system may have."""
MOST_UNKNOWNS = 30_000
"""States in which time passes that it may have; four chains of twelve job servers, 28,561, took 12 s and 1 GB."""


@dataclass(frozen=True, eq=False)
class SmallSystem:
    """All states (q, z), q <= Q, as the entries of arrays of shape (Q + 1, Π (c_k + 1)).

    Attributes
    ----------
    chains
        Fastest first.
    arrival_rate
        λ, jobs per second, above 0.
    longest_queue
        Q.

    Raises
    ------
    ValueError
        If there are too many states.
    """

    chains: Chains
    arrival_rate: float
    longest_queue: int

    def __post_init__(self) -> None:
        states = prod(self.sizes) * (self.longest_queue + 1)
        if states > MOST_STATES:
            raise ValueError(
                f"{prod(self.sizes)} states of the chains and queues of up to {self.longest_queue} jobs make {states} "
                f"states, more than the {MOST_STATES} that are solved"
            )

    @property
    def sizes(self) -> list[int]:
        """c_k + 1, the states of each chain; the last chain counts fastest."""
        return [int(c) + 1 for c in self.chains.capacities]

    @cached_property
    def strides(self) -> list[int]:
        """How far apart the states of one more job at each chain are."""
        return [prod(self.sizes[k + 1 :]) for k in range(len(self.sizes))]

    @cached_property
    def busy(self) -> NDArray[np.int64]:
        """z: jobs that run at each chain, shape (K, Π (c_k + 1))."""
        return np.indices(self.sizes).reshape(len(self.sizes), -1)

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which chains have a free job server, shape (K, Π (c_k + 1))."""
        return self.busy < self.chains.capacities[:, None]

    @cached_property
    def fastest_free(self) -> NDArray[np.int64]:
        """The fastest chain with a free job server, or WAIT if all are busy, shape (Π (c_k + 1),)."""
        return np.where(self.free.any(axis=0), self.free.argmax(axis=0), WAIT)

    def by_thresholds(self, thresholds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Decisions of the threshold rule, shape (Q + 1, Π (c_k + 1)); thresholds of the chains, fastest first."""
        queue = np.arange(self.longest_queue + 1)[:, None]
        needed = thresholds[self.fastest_free]
        return np.where((queue >= np.maximum(needed, 1)) & (self.fastest_free != WAIT), self.fastest_free, WAIT)

    def settled(self, decisions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat index of the state in which each state ends up at once, shape (Q + 2, Π (c_k + 1)).

        In the last row, one job too many, the fastest free chain starts one; "all busy" stands for itself at Q.
        """
        width = self.fastest_free.size
        strides = np.array([*self.strides, 0])  # the last for WAIT
        place = np.arange(width)
        ends = np.empty((self.longest_queue + 2, width), dtype=np.int64)
        for q in range(self.longest_queue + 2):
            row = decisions[q] if q <= self.longest_queue else self.fastest_free
            ends[q] = q * width + place
            starts = row != WAIT
            ends[q, starts] = ends[q - 1, (place + strides[row])[starts]]
        ends[-1, -1] = ends[-2, -1]
        return ends


@dataclass(frozen=True, eq=False)
class Values:
    """What a rule is worth.

    Attributes
    ----------
    mean_jobs
        Mean number of jobs in the system.
    relative
        Relative cost of each state, jobs times seconds more than from the empty system, shape (Q + 2, Π (c_k + 1)).
    """

    mean_jobs: float
    relative: NDArray[np.float64]


def evaluate(system: SmallSystem, decisions: NDArray[np.int64]) -> Values:
    """Exact mean number of jobs, and relative costs, of a rule under which the system empties.

    With t(x) and a(x) the expected time, and its integral of the number of jobs, from state x until the system is
    empty, Σ_y rate(x, y) (t(x) - t(y)) = 1 and the same for a with the number of jobs on the right. What a cycle from
    the empty system and back takes gives the mean, and h = a - mean t the relative costs.

    Raises
    ------
    ValueError
        If time passes in too many states.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import splu

    chains, arrival_rate = system.chains, system.arrival_rate
    ends = system.settled(decisions)
    waiting = np.flatnonzero(ends[:-1].ravel() == np.arange(ends[:-1].size))
    if waiting.size > MOST_UNKNOWNS:
        raise ValueError(f"time passes in {waiting.size} states, more than the {MOST_UNKNOWNS} that are solved")
    number = np.full(ends[:-1].size, -1)
    number[waiting] = np.arange(waiting.size)  # 0 is the empty system
    source, target, flow = _flows(system, waiting, ends)
    out = np.bincount(source, flow, waiting.size)
    source, target, flow = (x[number[target] != 0] for x in (source, target, flow))  # it ends a cycle
    matrix = -coo_array((flow, (source, number[target])), shape=(waiting.size,) * 2).tocsc()
    matrix.setdiag(matrix.diagonal() + out)

    queue, place = np.divmod(waiting, system.fastest_free.size)
    slack = chains.total_rate - arrival_rate
    ones = np.ones(waiting.size)
    jobs = (queue + system.busy[:, place].sum(axis=0)).astype(np.float64)
    # an arrival in the last state, Q and all busy, brings a busy period of M/M/1: 1/slack, with ν/slack jobs above Q
    jobs[-1] = (jobs[-1] + arrival_rate / slack) * chains.total_rate / slack
    ones[-1] = chains.total_rate / slack
    time, area = splu(matrix).solve(np.column_stack((ones, jobs))).T

    mean = float(area[0] / time[0])
    cost = area - mean * time
    cost[0] = 0.0
    relative = cost[number[ends]]
    servers = chains.capacities.sum()
    relative[-1, -1] += (system.longest_queue + servers + chains.total_rate / slack - mean) / slack
    return Values(mean, relative)


def _flows(
    system: SmallSystem, waiting: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All transitions: position in `waiting`, state in which it ends, jobs per second; shape (transitions,) each.

    Those to a queue longer than Q come back to where they start and are left out.
    """
    queue, place = np.divmod(waiting, system.fastest_free.size)
    source = np.arange(waiting.size)
    sources, targets = [source[:-1]], [ends[queue[:-1] + 1, place[:-1]]]
    flows = [np.full(waiting.size - 1, system.arrival_rate)]
    for k, rate in enumerate(system.chains.rates):
        busy = system.busy[k, place]
        some = busy > 0
        sources.append(source[some])
        targets.append(ends[queue[some], place[some] - system.strides[k]])
        flows.append(rate * busy[some])
    return np.concatenate(sources), np.concatenate(targets), np.concatenate(flows)
