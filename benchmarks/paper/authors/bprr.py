"""BPRR, the authors' previous work (arXiv 2512.21884), as they simulate it here.

- The design number of sessions R comes from a guess of the service time, two servers with 70 % of the blocks on the
  fast kind, of which the computation of one alone counts: R = 2 or 3 for all clusters of the paper, where their
  equation (19) allows 12 to 76.
- WS-RR charges a server that it believes too full S/n, S the mean time of a job that runs all its blocks and n the
  jobs it believes active, instead of the time until enough memory is free; and the job then waits that long, even
  where the memory is free.
- A job takes the slots of all of its servers when it arrives, even while it waits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.authors.kernels import bprr_total_ms
from benchmarks.paper.authors.setting import TOKENS_OUT, Cluster, Jobs
from chainopt.model.placement import Placement


def design_sessions(cluster: Cluster) -> int:
    """R, for which servers reserve cache at each of their blocks."""
    blocks, servers = cluster.blocks, cluster.memory_gb.size
    slow_ms = float(np.min(cluster.block_ms[~cluster.fast]))
    if np.any(cluster.fast):
        hops = min(3, max(2, math.ceil(blocks / 50)))
        block_ms = 0.7 * float(np.min(cluster.block_ms[cluster.fast])) + 0.3 * slow_ms
    else:
        hops = max(3, math.ceil(blocks / 5))
        block_ms = slow_ms
    service_ms = TOKENS_OUT * float(np.mean(cluster.token_ms)) * hops + block_ms * blocks / hops
    running = cluster.arrival_rate * service_ms
    spare_gb = float(np.sum(cluster.memory_gb)) - cluster.block_gb * (blocks + servers)
    most = max(1, math.floor(spare_gb / (cluster.cache_gb * (blocks + servers))))
    return max(1, math.ceil(min(running + math.sqrt(max(running, 1.0)), most)))


def placed(cluster: Cluster, sessions: int) -> Placement | None:
    """CG-BP for R = `sessions`; None where some block is then on no server.

    Servers come by the time a block; as long as a block lacks sessions, each takes the window with the most time to
    be saved of those with such a block, after that the one whose sorted sessions are lexicographically least.
    """
    blocks = cluster.blocks
    sizes = np.minimum(np.floor(cluster.memory_gb / (cluster.block_gb + cluster.cache_gb * sessions)), blocks)
    start, stop = np.zeros(sizes.size, dtype=np.int64), np.zeros(sizes.size, dtype=np.int64)
    with np.errstate(divide="ignore"):
        block_ms = np.where(sizes > 0, (cluster.token_ms + cluster.block_ms * sizes / TOKENS_OUT) / sizes, np.inf)
    if not np.any(sizes > 0):
        return None
    virtual_ms = float(np.max(block_ms[sizes > 0])) + 1
    served = np.zeros(blocks)
    saved_ms = np.full(blocks, sessions * virtual_ms)
    for j in np.argsort(block_ms, kind="stable").tolist():
        size = int(sizes[j])
        if size == 0:
            continue
        start[j] = _window(served, saved_ms, size, sessions)
        stop[j] = start[j] + size
        hosted = slice(int(start[j]), int(stop[j]))
        capacity = math.floor((cluster.memory_gb[j] - cluster.block_gb * size) / (cluster.cache_gb * size))
        lacking = np.minimum(np.maximum(sessions - served[hosted], 0), capacity)
        saved_ms[hosted] -= (virtual_ms - block_ms[j]) * lacking
        served[hosted] += capacity
    return Placement(start, stop) if np.all(served > 0) else None


def _window(served: NDArray[np.float64], saved_ms: NDArray[np.float64], size: int, sessions: int) -> int:
    windows = np.lib.stride_tricks.sliding_window_view(served, size)
    if np.any(served < sessions):
        sums = np.lib.stride_tricks.sliding_window_view(saved_ms, size).sum(axis=1)
        return int(np.argmax(np.where(np.any(windows < sessions, axis=1), sums, -np.inf)))
    ascending = np.sort(windows, axis=1)
    return int(np.lexsort(ascending.T[::-1])[0])


def mean_response_s(cluster: Cluster, jobs: Jobs, sessions: int | None = None) -> float | None:
    """Mean over all jobs, for R = `sessions` or the authors' own; None where the placement serves none."""
    placement = placed(cluster, design_sessions(cluster) if sessions is None else sessions)
    if placement is None:
        return None
    slots = np.floor((cluster.memory_gb - placement.sizes * cluster.block_gb) / cluster.cache_gb).astype(np.int64)
    total = bprr_total_ms(
        placement.start,
        placement.stop,
        cluster.blocks,
        slots,
        cluster.block_ms,
        cluster.comm_ms,
        cluster.initial_ms,
        jobs.arrival_ms,
        jobs.size,
    )
    return total / jobs.size.size / 1000 if np.isfinite(total) else None
