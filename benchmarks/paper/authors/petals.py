"""PETALS as the authors simulate it, which is not how PETALS works.

- Servers of the slow kind host at most 4 blocks, though they have room for 11: a remnant of slices of 10 GB.
- A range goes where the sum of throughputs is least; PETALS compares the least throughputs themselves. Throughputs of
  the fast kind are those of a whole A100 of 80 GB.
- The cache of a server is what PETALS reserves by default, 4,096 tokens a block, so two sessions of 2,020 tokens; the
  rest of its memory idles. The penalty for a full server counts sessions, whatever their blocks.
- A job takes the slots of all of its servers when it arrives, even while it waits. The client believes that jobs take
  the mean time and never wait; a job waits as long as the client believes, or as it truly takes, whichever is more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.authors.kernels import petals_total_ms
from benchmarks.paper.authors.setting import TOKENS_OUT, Cluster, Jobs
from chainopt.model.placement import Placement

HIDDEN = 14336
BLOCK_BYTES = 2466437120 * 0.53125 * 1.01
CACHE_BYTES = 2 * HIDDEN * 4096 * 2
RESERVE_BYTES = 2 * 2**30
MOST_SLOW_BLOCKS = 4
FAST_RPS, SLOW_RPS = (20829.38, 3020.37), (5515.44, 6276.20)
"""Forward and network throughput, requests per second, a block."""
OVERHEAD_MS = 18.0
PENALTY_MS = 10_000.0


def placed(cluster: Cluster, order: NDArray[np.int64]) -> Placement | None:
    """Servers that join in that order; None where some block is then on none of them."""
    start = np.zeros(order.size, dtype=np.int64)
    stop = np.zeros(order.size, dtype=np.int64)
    throughput = np.zeros(cluster.blocks)
    for j in order.tolist():
        size = blocks_of(cluster.memory_gb[j], bool(cluster.fast[j]), cluster.blocks)
        if size:
            start[j] = emptiest_window(throughput, size)
            stop[j] = start[j] + size
            forward, network = FAST_RPS if cluster.fast[j] else SLOW_RPS
            throughput[start[j] : stop[j]] += min(forward / ((1 + size) / 2), network)
    return Placement(start, stop) if np.all(throughput > 0) else None


def blocks_of(memory_gb: float, fast: bool, blocks: int) -> int:
    """How many blocks a server hosts."""
    fit = int((memory_gb * 1e9 - RESERVE_BYTES) // (BLOCK_BYTES + CACHE_BYTES))
    size = max(min(fit, blocks), 0)
    return size if fast else min(size, MOST_SLOW_BLOCKS)


def emptiest_window(throughput: NDArray[np.float64], size: int) -> int:
    """First of the windows of that size with the least sum."""
    return int(np.argmin(np.lib.stride_tricks.sliding_window_view(throughput, size).sum(axis=1)))


def cache_slots(sizes: NDArray[np.int64], cache_gb: float) -> tuple[NDArray[np.int64], int]:
    """Cache slots of servers with so many blocks, and the sessions that each may have."""
    reserved_gb = CACHE_BYTES / 1e9
    return np.floor(sizes * reserved_gb / cache_gb).astype(np.int64), int(reserved_gb // cache_gb)


def mean_response_s(cluster: Cluster, jobs: Jobs, order: NDArray[np.int64]) -> float | None:
    """Mean over all jobs; None where the placement serves none."""
    placement = placed(cluster, order)
    if placement is None:
        return None
    slots, sessions = cache_slots(placement.sizes, cluster.cache_gb)
    total = petals_total_ms(
        placement.start,
        placement.stop,
        cluster.blocks,
        slots,
        sessions,
        cluster.block_ms,
        cluster.comm_ms,
        cluster.rtt_ms,
        cluster.between_ms,
        TOKENS_OUT,
        OVERHEAD_MS,
        PENALTY_MS,
        cluster.initial_ms,
        jobs.arrival_ms,
        jobs.size,
    )
    return total / jobs.size.size / 1000 if np.isfinite(total) else None
