"""The proposed method as the authors simulate it.

- c is neither 7 nor chosen by Theorem 4, but by a heuristic with constants of its own, one of whose sums takes the
  wrong chains.
- GBP-CR leaves the last server of a chain only the blocks that are missing, and lets one server begin a chain that the
  rest cannot complete.
- GCA's shortest path does not count the first server, and all servers count with all their blocks, even those that the
  chain runs elsewhere, in time and in slots.
- JFFC starts a job that waits when the next job arrives, not when one leaves, and all that wait after the last arrival
  at one time, the earliest departure then known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.authors.kernels import greedy_chains
from benchmarks.paper.authors.setting import Cluster, Jobs
from chainopt.model.placement import Placement

LOAD = 0.7
MOST_RESERVATION = 50
SLOW_RATIO, SLOW_SHARE, SLOW_PENALTY = 1.3, 0.3, 0.15
SINGLE_CHAIN_DISCOUNT = 0.3


class Chains(NamedTuple):
    """Chains in the order in which GCA finds them: capacities and mean service times, shape (K,)."""

    capacities: NDArray[np.int64]
    times_ms: NDArray[np.float64]

    @property
    def rate(self) -> float:
        """Jobs per millisecond of all of them."""
        return float(np.sum(self.capacities / self.times_ms))


def placed(cluster: Cluster, reservation: int) -> Placement | None:
    """GBP-CR for c = `reservation`, as many chains as go; None where not even one does."""
    sizes = np.floor(cluster.memory_gb / (cluster.block_gb + cluster.cache_gb * reservation)).astype(np.int64)
    blocks = cluster.blocks
    left = int(np.sum(sizes))
    if left < blocks:
        return None
    with np.errstate(divide="ignore"):
        amortised = np.where(sizes > 0, (cluster.comm_ms + cluster.block_ms * sizes) / sizes, np.inf)
    start, stop = np.zeros_like(sizes), np.zeros_like(sizes)
    block = 0
    for j in np.argsort(amortised, kind="stable").tolist():
        size = int(sizes[j])
        if size == 0:
            continue
        if block > 0 and left < blocks - block:
            break
        start[j], stop[j] = block, min(block + size, blocks)
        left -= size
        block = int(stop[j]) % blocks
    return Placement(start, stop)


def allocated(cluster: Cluster, placement: Placement) -> Chains:
    """GCA."""
    free_gb = cluster.memory_gb - cluster.block_gb * placement.sizes
    return Chains(
        *greedy_chains(
            placement.start,
            placement.stop,
            cluster.blocks,
            free_gb,
            cluster.cache_gb,
            cluster.block_ms,
            cluster.comm_ms,
        )
    )


def composed(cluster: Cluster) -> tuple[int, Chains] | None:
    """The c that the heuristic likes best, and its chains; None where there are none.

    Where no c has a service rate of λ/0.7, it is the one with the largest.
    """
    best: tuple[int, Chains] | None = None
    least, most = math.inf, 0.0
    limit = int(np.max(np.floor((cluster.memory_gb - cluster.block_gb) / cluster.cache_gb)))
    for c in range(1, min(limit, MOST_RESERVATION) + 1):
        placement = placed(cluster, c)
        if placement is None:
            continue
        chains = allocated(cluster, placement)
        if not chains.capacities.size:
            continue
        expected = expected_response_ms(chains, cluster.arrival_rate)
        if expected is not None and expected < least:
            best, least = (c, chains), expected
        elif least == math.inf and chains.rate > most:
            best, most = (c, chains), chains.rate
    return best


def expected_response_ms(chains: Chains, arrival_rate: float) -> float | None:
    """What the heuristic takes for the mean response time; None where the service rate is below λ/0.7."""
    if chains.rate < arrival_rate / LOAD:
        return None
    order = np.argsort(chains.times_ms, kind="stable")
    times, capacities = chains.times_ms[order], chains.capacities[order]
    service_ms = _spilled_over(times, capacities, arrival_rate) * _slow_penalty(times, capacities, order)
    load = arrival_rate / chains.rate
    queueing = load / ((1 - load) * max(int(np.sum(capacities)), 1))
    if times.size == 1:
        queueing *= SINGLE_CHAIN_DISCOUNT
    return service_ms * (1 + queueing)


def _spilled_over(times: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float) -> float:
    """Mean service time if each chain, fastest first, takes up to 0.7 of its rate, and the slowest what is left."""
    left, mean, taken = arrival_rate, 0.0, 0.0
    for time, capacity in zip(times.tolist(), capacities.tolist(), strict=True):
        share = min(left, LOAD * capacity / time)
        mean += share / arrival_rate * time
        taken += share / arrival_rate
        left -= share
        if left <= 0:
            break
    if left > 0 and taken < 1:
        mean += (1 - taken) * times[-1]
        taken = 1.0
    return float(mean / max(taken, 1e-6))


def _slow_penalty(times: NDArray[np.float64], capacities: NDArray[np.int64], order: NDArray[np.int64]) -> float:
    """Factor for chains slower than 1.3 times the fastest; capacities, sorted, are sorted once more, which is wrong."""
    ratio = float(times[-1] / max(times[0], 1.0))
    slow = times > SLOW_RATIO * times[0]
    share = float(np.sum(capacities[order][slow])) / max(int(np.sum(capacities)), 1)
    if times.size == 1 or ratio <= SLOW_RATIO or share <= SLOW_SHARE:
        return 1.0
    return 1 + SLOW_PENALTY * (ratio - SLOW_RATIO) * share


def response_times_ms(chains: Chains, jobs: Jobs, initial_ms: float) -> NDArray[np.float64]:
    """JFFC as simulated: of each job, shape (n,)."""
    fastest_first = np.argsort(-1 / chains.times_ms, kind="stable").tolist()
    ends: list[list[float]] = [[] for _ in fastest_first]
    response = np.zeros(jobs.size.size)
    queue: list[int] = []

    def begin(job: int, k: int, start: float) -> None:
        end = start + chains.times_ms[k] * jobs.size[job] + initial_ms
        ends[k].append(end)
        response[job] = end - jobs.arrival_ms[job]

    for job, now in enumerate(jobs.arrival_ms.tolist()):
        for k in fastest_first:
            ends[k] = [end for end in ends[k] if end > now]
        queue.append(job)
        for k in fastest_first:
            while queue and len(ends[k]) < chains.capacities[k]:
                begin(queue.pop(0), k, now)
    for job in queue:
        arrival = float(jobs.arrival_ms[job])
        free = [arrival if len(end) < chains.capacities[k] else min(end) for k, end in enumerate(ends)]
        k = int(np.argmin(free))
        begin(job, k, max(arrival, free[k]))
    return response


def mean_response_s(cluster: Cluster, jobs: Jobs) -> float | None:
    """Mean over all jobs; None where there is no chain."""
    found = composed(cluster)
    if found is None:
        return None
    return float(np.mean(response_times_ms(found[1], jobs, cluster.initial_ms))) / 1000
