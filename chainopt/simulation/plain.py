"""The simulator in plain Python: any rule, slowly, one event after the other.

At one instant completions come before arrivals, and completions of fast chains before those of slow ones. No job
moves or stops once it runs.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Protocol

import numpy as np

from chainopt.chains import checked_thresholds
from chainopt.simulation.records import Records
from chainopt.simulation.rules import CentralRule, DispatchRule, System

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from chainopt.simulation.rules import Rule


def simulate_plainly(
    rates: NDArray[np.float64],
    capacities: NDArray[np.int64],
    rule: Rule,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    pace: NDArray[np.float64],
    choices: NDArray[np.float64],
    thresholds: ArrayLike | None = None,
) -> Records:
    """Serve jobs until all of them have left.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,): what rules go by; how long jobs take is a matter of `pace` alone.
    capacities
        c_k >= 0, shape (K,).
    rule
        Which chain serves a job; a rule that remembers is used up by a run.
    arrivals
        Seconds, ascending, shape (n,).
    demands
        What jobs demand, shape (n, D).
    pace
        Seconds for each unit of a demand, shape (K, D).
    choices
        Random numbers in [0, 1), shape (n,), one a job for the rule to use.
    thresholds
        θ_k >= 1, shape (K,), for the rule to use.

    Raises
    ------
    ValueError
        If thresholds are not whole numbers from 1 to 10^15, with 1 for the fastest chain, or the rule names no chain
        that can take the job, or lets jobs wait for ever.
    """
    system = _empty(rates, capacities, thresholds)
    service = _Service(system, demands, pace)
    queueing: _Queueing
    if isinstance(rule, CentralRule):
        queueing = _CentralQueue(system, rule, service, choices)
    else:
        queueing = _QueueOfEachChain(system, rule, service, choices)

    for job, arrival in enumerate(arrivals.tolist()):
        _complete(system, service, queueing, arrival)
        system.now = arrival
        queueing.arrive(job)
    _complete(system, service, queueing, inf)
    queueing.close()
    return Records(arrivals, np.array(service.start), np.array(service.departure), np.array(service.chain, np.int64))


def _complete(system: System, service: _Service, queueing: _Queueing, until: float) -> None:
    """Let the jobs leave that are done by then."""
    ends = service.ends
    while ends and ends[0][0] <= until:
        system.now, rank = heappop(ends)
        chain = system.fastest_first[rank]
        system.jobs[chain] -= 1
        queueing.leave(chain)


class _Service:
    """The jobs that run, and what is known of all jobs so far: start, departure and chain, nan and -1 until then."""

    def __init__(self, system: System, demands: NDArray[np.float64], pace: NDArray[np.float64]) -> None:
        jobs = len(demands)
        self.start, self.departure, self.chain = [np.nan] * jobs, [np.nan] * jobs, [-1] * jobs
        self.ends: list[tuple[float, int]] = []  # heap of completions, fast chains first at the same time
        self._system = system
        self._rank = {k: rank for rank, k in enumerate(system.fastest_first)}
        self._demands: list[list[float]] = demands.tolist()
        self._pace: list[list[float]] = pace.tolist()

    def begin(self, job: int, chain: int) -> None:
        """Start a job."""
        duration = 0.0
        for demand, seconds in zip(self._demands[job], self._pace[chain], strict=True):
            duration += demand * seconds
        now = self._system.now
        self.start[job], self.departure[job], self.chain[job] = now, now + duration, chain
        heappush(self.ends, (now + duration, self._rank[chain]))


class _Queueing(Protocol):
    """Where jobs wait."""

    def arrive(self, job: int) -> None:
        """Take a job that comes."""

    def leave(self, chain: int) -> None:
        """Use the job server that a job has left."""

    def close(self) -> None:
        """Make sure that nobody waits when nothing will happen any more."""


class _CentralQueue:
    """One queue before all chains."""

    def __init__(self, system: System, rule: CentralRule, service: _Service, choices: NDArray[np.float64]) -> None:
        self._system, self._rule, self._service = system, rule, service
        self._choices: list[float] = choices.tolist()
        self._queue: deque[int] = deque()

    def arrive(self, job: int) -> None:
        self._queue.append(job)
        self._start_jobs()

    def leave(self, chain: int) -> None:
        self._start_jobs()

    def close(self) -> None:
        if self._queue:
            raise ValueError(f"the rule lets job {self._queue[0]} wait for ever: it chose None with all chains empty")

    def _start_jobs(self) -> None:
        system, queue = self._system, self._queue
        while queue:
            job = queue[0]
            system.waiting, system.choice = len(queue), self._choices[job]
            answer = self._rule.choose(system)
            if answer is None:
                return
            chain = _checked(answer, system, job)
            if system.jobs[chain] >= system.capacities[chain]:
                raise ValueError(f"the rule chose chain {chain} for job {job}, which has no free job server")
            queue.popleft()
            system.jobs[chain] += 1
            self._service.begin(job, chain)


class _QueueOfEachChain:
    """A queue before each chain."""

    def __init__(self, system: System, rule: DispatchRule, service: _Service, choices: NDArray[np.float64]) -> None:
        self._system, self._rule, self._service = system, rule, service
        self._choices: list[float] = choices.tolist()
        self._queues: list[deque[int]] = [deque() for _ in system.jobs]

    def arrive(self, job: int) -> None:
        system = self._system
        system.choice = self._choices[job]
        chain = _checked(self._rule.choose(system), system, job)
        system.jobs[chain] += 1
        if system.jobs[chain] <= system.capacities[chain]:
            self._service.begin(job, chain)
        else:
            self._queues[chain].append(job)

    def leave(self, chain: int) -> None:
        if self._queues[chain]:
            self._service.begin(self._queues[chain].popleft(), chain)

    def close(self) -> None:
        """Nothing to do: a chain with a queue is busy."""


def _checked(answer: object, system: System, job: int) -> int:
    """The answer of a rule, a chain with capacity."""
    if not isinstance(answer, int | np.integer) or isinstance(answer, bool):
        raise ValueError(f"the rule chose {answer!r} for job {job}, expected the index of a chain")
    if not 0 <= answer < len(system.capacities):
        raise ValueError(
            f"the rule chose chain {answer} for job {job}, expected one from 0 to {len(system.capacities) - 1}"
        )
    if system.capacities[answer] == 0:
        raise ValueError(f"the rule chose chain {answer} for job {job}, which has capacity 0")
    return int(answer)


def _empty(rates: NDArray[np.float64], capacities: NDArray[np.int64], thresholds: ArrayLike | None) -> System:
    """The system before the first arrival."""
    fastest_first = [int(k) for k in np.argsort(-rates, kind="stable") if capacities[k] > 0]
    chains = sorted(fastest_first)
    needed = None if thresholds is None else tuple(checked_thresholds(thresholds, rates, capacities).tolist())
    return System(
        rates=tuple(rates.tolist()),
        capacities=tuple(capacities.tolist()),
        thresholds=needed,
        chains=tuple(chains),
        fastest_first=tuple(fastest_first),
        rate_sums=tuple(accumulate(float(capacities[k] * rates[k]) for k in chains)),
        jobs=[0] * len(rates),
    )
