"""A run of the compiled simulator: chains in some state, which serve one stretch of jobs after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from chainopt.chains import checked_thresholds, fastest_first
from chainopt.simulation.central import Central, serve_centrally
from chainopt.simulation.dispatched import Dispatched, serve_dispatched
from chainopt.simulation.policies import CENTRAL, POLICIES
from chainopt.simulation.records import Records

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import ArrayLike, NDArray

    class Run(Protocol):
        """What serves jobs, one stretch after another."""

        def serve(
            self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
        ) -> Records:
            """Serve the next jobs; the records are of the jobs that started and had no record yet."""

        def drain(self) -> Records:
            """Let all jobs that still wait start."""


T = TypeVar("T", Central, Dispatched)


class CentralRun:
    """One queue for all chains.

    Parameters
    ----------
    rates, capacities
        Jobs per second, and jobs at once, shape (K,).
    pace
        Seconds for each unit of a demand, shape (K, D).
    thresholds
        Shape (K,), None for JFFC.
    """

    def __init__(
        self, rates: ArrayLike, capacities: ArrayLike, pace: NDArray[np.float64], thresholds: ArrayLike | None
    ) -> None:
        chains = fastest_first(rates, capacities)
        count = chains.rates.size
        self._order = chains.order
        needed = np.ones_like(rates) if thresholds is None else checked_thresholds(thresholds, rates, capacities)
        self._system = Central(
            np.ascontiguousarray(pace[chains.order]),
            needed[chains.order].astype(np.int64),
            chains.capacities.copy(),
            np.arange(count, dtype=np.float64),
            np.arange(count),
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.array([0, count]),
        )
        self._job_servers = sum(chains.capacities.tolist())
        self._waiting: tuple[NDArray[np.float64], NDArray[np.float64]] = np.empty(0), np.empty((0, pace.shape[1]))

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Serve the next jobs; the records are of the jobs that started and had no record yet."""
        waiting = self._waiting[0].size
        if waiting:
            arrivals, demands = (
                np.concatenate([self._waiting[0], arrivals]),
                np.concatenate([self._waiting[1], demands]),
            )
        return self._run(arrivals, demands, waiting, drain=False)

    def drain(self) -> Records:
        """Let all jobs that still wait start."""
        return self._run(*self._waiting, self._waiting[0].size, drain=True)

    def _run(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], waiting: int, *, drain: bool
    ) -> Records:
        jobs = arrivals.size
        self._system = _with_room(self._system, min(self._job_servers, int(self._system.sizes[0]) + jobs))
        start, departure, chain = np.empty(jobs), np.empty(jobs), np.empty(jobs, dtype=np.int64)
        started = serve_centrally(self._system, arrivals, demands, waiting, drain, start, departure, chain)
        self._waiting = arrivals[started:].copy(), demands[started:].copy()
        return Records(arrivals[:started], start[:started], departure[:started], self._order[chain[:started]])


class DispatchedRun:
    """A queue for each chain.

    Parameters
    ----------
    policy
        Its code.
    rates, capacities, pace
        As of `CentralRun`.
    jobs
        How many will come at most.
    """

    def __init__(
        self, policy: int, rates: ArrayLike, capacities: ArrayLike, pace: NDArray[np.float64], jobs: int
    ) -> None:
        chains = fastest_first(rates, capacities)
        self._policy = policy
        self._kept = np.sort(chains.order)
        speed = np.asarray(rates, dtype=np.float64)[self._kept]
        count = np.asarray(capacities, dtype=np.float64)[self._kept].astype(np.int64)
        width = np.minimum(count, jobs)  # more job servers than jobs are never busy
        weights = count * speed
        self._system = Dispatched(
            np.ascontiguousarray(pace[self._kept]),
            speed,
            count,
            weights / np.cumsum(weights)[-1],
            np.cumsum(weights),
            np.searchsorted(self._kept, chains.order),
            np.zeros(speed.size),
            np.zeros(speed.size, dtype=np.int64),
            np.concatenate([[0], np.cumsum(width)]),
            np.full(int(np.sum(width)), -np.inf),
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.array([0]),
        )

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Serve the next jobs."""
        jobs = arrivals.size
        self._system = _with_room(self._system, int(self._system.sizes[0]) + jobs)
        start, departure, chain = np.empty(jobs), np.empty(jobs), np.empty(jobs, dtype=np.int64)
        serve_dispatched(self._system, self._policy, arrivals, demands, choices, start, departure, chain)
        return Records(arrivals, start, departure, self._kept[chain])

    def drain(self) -> Records:
        """Nothing is left: all jobs have their times."""
        none = np.empty(0)
        return Records(none, none, none, np.empty(0, dtype=np.int64))


def run_of(
    policy: str,
    rates: ArrayLike,
    capacities: ArrayLike,
    pace: NDArray[np.float64],
    jobs: int,
    thresholds: ArrayLike | None = None,
) -> Run:
    """Chains in which nothing is going on yet, under a policy of the registry; only ``thresholds`` takes thresholds.

    Raises
    ------
    ValueError
        If the policy needs thresholds, and there are none.
    """
    code = POLICIES[policy].rule
    if policy == "thresholds" and thresholds is None:
        raise ValueError("the policy 'thresholds' needs thresholds")
    if code == CENTRAL:
        return CentralRun(rates, capacities, pace, thresholds if policy == "thresholds" else None)
    return DispatchedRun(code, rates, capacities, pace, jobs)


def _with_room(system: T, events: int) -> T:
    """The same with room for so many events to come."""
    missing = events - system.end_s.size
    if missing <= 0:
        return system
    missing = max(missing, system.end_s.size)
    return system._replace(
        end_s=np.concatenate([system.end_s, np.empty(missing)]),
        end_chain=np.concatenate([system.end_chain, np.empty(missing, dtype=np.int64)]),
    )
