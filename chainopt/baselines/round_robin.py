"""Pipelines that take jobs in turn, those that are full passed over, and one queue for jobs that find all full."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.baselines.queued_run import QueuedRun
from chainopt.jit import kernel
from chainopt.simulation.central import service_time
from chainopt.simulation.heap import drop_first, push

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Turns(NamedTuple):
    """The pipelines and what is going on in them.

    Attributes
    ----------
    pace
        Seconds for each unit of a demand, shape (K, D).
    free
        Jobs that each can still take, shape (K,).
    end_s, end_pipeline
        Heap of departures to come.
    counts
        Size of the heap, and whose turn it is, shape (2,).
    """

    pace: NDArray[np.float64]
    free: NDArray[np.int64]
    end_s: NDArray[np.float64]
    end_pipeline: NDArray[np.int64]
    counts: NDArray[np.int64]


class RoundRobinRun(QueuedRun):
    """A simulation in steps.

    A job is given to the pipeline whose turn it is, or to the next that is not full, and the turn is then with the one
    behind. While all are full jobs wait in one queue, first come, first served. At one instant departures come first.

    Parameters
    ----------
    pace
        Seconds for each unit of a demand, shape (K, D).
    capacities
        Jobs that each pipeline runs at once, at least 1, shape (K,).
    """

    def __init__(self, pace: NDArray[np.float64], capacities: NDArray[np.int64]) -> None:
        super().__init__(pace.shape[1])
        self._job_servers = sum(capacities.tolist())
        self._turns = Turns(
            np.ascontiguousarray(pace),
            capacities.astype(np.int64),
            np.empty(0),
            np.empty(0, dtype=np.int64),
            np.zeros(2, dtype=np.int64),
        )

    def _start(
        self,
        waiting: int,
        drain: bool,
        start: NDArray[np.float64],
        departure: NDArray[np.float64],
        chain: NDArray[np.int64],
    ) -> int:
        missing = min(self._job_servers, int(self._turns.counts[0]) + start.size) - self._turns.end_s.size
        if missing > 0:
            self._turns = self._turns._replace(
                end_s=np.concatenate([self._turns.end_s, np.empty(missing)]),
                end_pipeline=np.concatenate([self._turns.end_pipeline, np.empty(missing, dtype=np.int64)]),
            )
        return int(_take_turns(self._turns, self._arrivals, self._demands, waiting, drain, start, departure, chain))


@kernel
def _take_turns(
    turns: Turns,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    waiting: int,
    drain: bool,
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    pipeline: NDArray[np.int64],
) -> int:
    """Serve jobs, of which the first `waiting` have come before, and return how many have started.

    Parameters
    ----------
    drain
        Whether no more jobs will come, so that all of them start.
    start, departure, pipeline
        Written for the jobs that start.
    """
    free, end_s, end_pipeline = turns.free, turns.end_s, turns.end_pipeline
    busy, turn = turns.counts[0], turns.counts[1]
    first, stop, jobs = 0, waiting, arrivals.size  # jobs first, ..., stop - 1 wait
    while True:
        now = arrivals[stop] if stop < jobs else np.inf
        if busy > 0 and end_s[0] <= now and (stop < jobs or drain):
            now = end_s[0]
            free[end_pipeline[0]] += 1
            drop_first(end_s, end_pipeline, busy)
            busy -= 1
        elif stop < jobs:
            stop += 1
        else:
            break
        while first < stop:
            passed = 0
            while passed < free.size and free[turn] == 0:
                turn = (turn + 1) % free.size
                passed += 1
            if passed == free.size:
                break
            end = now + service_time(demands, first, turns.pace, turn)
            start[first], departure[first], pipeline[first] = now, end, turn
            push(end_s, end_pipeline, busy, end, turn)
            busy += 1
            free[turn] -= 1
            turn = (turn + 1) % free.size
            first += 1
    turns.counts[0], turns.counts[1] = busy, turn
    return first
