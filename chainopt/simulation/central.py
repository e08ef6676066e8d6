"""One queue for all chains: JFFC and thresholds (PROBLEM, section 6).

Jobs start in the order in which they come, so the queue is a stretch of the arrays of jobs. Chains are counted fastest
first here; of those with a free job server the fastest matters alone, and a heap of them gives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.simulation.heap import drop_first, push, replace_first

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Central(NamedTuple):
    """The chains, fastest first, and what is going on in them.

    Attributes
    ----------
    pace
        Seconds for each unit of a demand, shape (K, D).
    thresholds
        Jobs that have to wait before the chain may start one, shape (K,); all 1 is JFFC.
    free
        Idle job servers, shape (K,).
    open_key, open_chain
        Heap of the chains that have some, fastest on top, shape (K,).
    end_s, end_chain
        Heap of completions to come.
    sizes
        Of these two heaps, shape (2,).
    """

    pace: NDArray[np.float64]
    thresholds: NDArray[np.int64]
    free: NDArray[np.int64]
    open_key: NDArray[np.float64]
    open_chain: NDArray[np.int64]
    end_s: NDArray[np.float64]
    end_chain: NDArray[np.int64]
    sizes: NDArray[np.int64]


@kernel
def serve_centrally(
    system: Central,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    waiting: int,
    drain: bool,
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    chain: NDArray[np.int64],
) -> int:
    """Serve jobs, of which the first `waiting` have come before, and return how many have started.

    Parameters
    ----------
    drain
        Whether no more jobs will come, so that all of them start.
    start, departure, chain
        Written for the jobs that start.
    """
    pace, thresholds, free, end_s, end_chain = (  # as plain variables: three times as fast as by the tuple
        system.pace,
        system.thresholds,
        system.free,
        system.end_s,
        system.end_chain,
    )
    open_key, open_chain = system.open_key, system.open_chain
    busy, opened = system.sizes[0], system.sizes[1]
    first, stop, jobs = 0, waiting, arrivals.size  # jobs first, ..., stop - 1 wait
    while True:
        now = arrivals[stop] if stop < jobs else np.inf
        if busy > 0 and end_s[0] <= now and (stop < jobs or drain):
            now, k = end_s[0], end_chain[0]
            if opened == 0 and first < stop and stop - first >= thresholds[k]:
                end = now + service_time(demands, first, pace, k)
                start[first], departure[first], chain[first] = now, end, k
                replace_first(end_s, end_chain, busy, end, k)
                first += 1
                continue
            drop_first(end_s, end_chain, busy)
            busy -= 1
            free[k] += 1
            if free[k] == 1:
                push(open_key, open_chain, opened, float(k), k)
                opened += 1
        elif stop < jobs:
            stop += 1
        else:
            break
        while first < stop and opened > 0 and stop - first >= thresholds[open_chain[0]]:
            k = open_chain[0]
            end = now + service_time(demands, first, pace, k)
            start[first], departure[first], chain[first] = now, end, k
            push(end_s, end_chain, busy, end, k)
            busy += 1
            free[k] -= 1
            if free[k] == 0:
                drop_first(open_key, open_chain, opened)
                opened -= 1
            first += 1
    system.sizes[0], system.sizes[1] = busy, opened
    return first


@kernel
def service_time(demands: NDArray[np.float64], job: int, pace: NDArray[np.float64], chain: int) -> float:
    """Seconds that the job takes on the chain."""
    total: float = demands[job, 0] * pace[chain, 0]
    for d in range(1, demands.shape[1]):
        total += demands[job, d] * pace[chain, d]
    return total
