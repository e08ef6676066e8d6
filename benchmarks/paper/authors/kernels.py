"""The compiled parts, in one file, because numba sees changes in the file of a kernel only.

Nodes of a graph are 0, the orchestrator as source, 1, ..., J, the servers, and J + 1, the orchestrator as sink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainopt.jit import kernel


@kernel
def shortest_path(costs: NDArray[np.float64], path: NDArray[np.int64]) -> int:
    """Write the servers of the cheapest path from source to sink, and return how many; 0 where there is no path.

    Parameters
    ----------
    costs
        Of each arc, infinite where there is none, shape (J + 2, J + 2).
    path
        Written, shape (J,).
    """
    nodes = costs.shape[0]
    distance = np.full(nodes, np.inf)
    previous = np.full(nodes, -1, dtype=np.int64)
    visited = np.zeros(nodes, dtype=np.bool_)
    distance[0] = 0.0
    while True:
        least, node = np.inf, -1
        for i in range(nodes):
            if not visited[i] and distance[i] < least:
                least, node = distance[i], i
        if node < 0:
            return 0
        if node == nodes - 1:
            break
        visited[node] = True
        for i in range(nodes):
            if distance[node] + costs[node, i] < distance[i]:
                distance[i] = distance[node] + costs[node, i]
                previous[i] = node
    length = 0
    node = previous[nodes - 1]
    while node > 0:
        length += 1
        node = previous[node]
    node = previous[nodes - 1]
    for i in range(length - 1, -1, -1):
        path[i] = node - 1
        node = previous[node]
    return length


@kernel
def wait_for_slots(release: NDArray[np.float64], held: NDArray[np.int64], slots: int, needed: int, now: float) -> float:
    """Time until a server has `needed` of its slots, as the jobs it counts as active release theirs.

    0 where it has them now, and 0 too where it would not have them even when all jobs were gone.

    Parameters
    ----------
    release, held
        When each job so far releases the slots that it holds, shape (n,); jobs hold theirs while they wait too.
    """
    free = slots
    for i in range(release.size):
        if release[i] > now:
            free -= held[i]
    reached = now
    while free < needed:
        following = np.inf
        for time in release:
            if reached < time < following:
                following = time
        if following == np.inf:
            return 0.0
        reached = following
        for i in range(release.size):
            if release[i] == reached:
                free += held[i]
    return reached - now


@kernel
def active_jobs(release: NDArray[np.float64], now: float) -> int:
    """How many jobs a server counts as active."""
    active = 0
    for time in release:
        if time > now:
            active += 1
    return active


@kernel
def hop_blocks(start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
    """m_ij, blocks that server j runs after i, 0 where there is no such arc, shape (J + 2, J + 2); 0 to the sink.

    The arc exists where j hosts the block that i ends at; the source goes to the servers that host block 0.
    """
    servers = start.size
    blocks = np.zeros((servers + 2, servers + 2), dtype=np.int64)
    for j in range(servers):
        if stop[j] > 0 and start[j] == 0:
            blocks[0, j + 1] = stop[j]
        for i in range(servers):
            if stop[i] > 0 and start[j] <= stop[i] < stop[j]:
                blocks[i + 1, j + 1] = stop[j] - stop[i]
    return blocks


@kernel
def petals_total_ms(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    last: int,
    slots: NDArray[np.int64],
    sessions: int,
    block_ms: NDArray[np.float64],
    comm_ms: NDArray[np.float64],
    rtt_ms: NDArray[np.float64],
    between_ms: NDArray[np.float64],
    tokens_out: int,
    overhead_ms: float,
    penalty_ms: float,
    initial_ms: float,
    arrival_ms: NDArray[np.float64],
    size: NDArray[np.float64],
) -> float:
    """Sum of the response times of all jobs, infinite where one finds no path; see `petals`."""
    servers, jobs = start.size, arrival_ms.size
    blocks = hop_blocks(start, stop)
    fixed = np.full((servers + 2, servers + 2), np.inf)
    for j in range(servers):
        for i in range(servers + 1):
            if blocks[i, j + 1] > 0:
                rtt = rtt_ms[j] if i == 0 else between_ms[i - 1, j]
                fixed[i, j + 1] = rtt / 2 + overhead_ms + block_ms[j] * blocks[i, j + 1] / tokens_out
        if stop[j] == last:
            fixed[j + 1, servers + 1] = rtt_ms[j] / 2
    believed, true = np.zeros((servers, jobs)), np.zeros((servers, jobs))
    held = np.zeros((servers, jobs), dtype=np.int64)
    path = np.empty(servers, dtype=np.int64)
    total = 0.0
    for r in range(jobs):
        now = arrival_ms[r]
        costs = fixed.copy()
        for j in range(servers):
            if active_jobs(believed[j, :r], now) >= sessions:
                for i in range(servers + 1):
                    costs[i, j + 1] += penalty_ms
        length = shortest_path(costs, path)
        if length == 0:
            return np.inf
        mean = wait = 0.0
        i = 0
        for j in path[:length]:
            needed = blocks[i, j + 1]
            mean += comm_ms[j] + block_ms[j] * needed
            wait = max(wait, wait_for_slots(believed[j, :r], held[j, :r], slots[j], needed, now))
            wait = max(wait, wait_for_slots(true[j, :r], held[j, :r], slots[j], needed, now))
            held[j, r] = needed
            i = j + 1
        response = initial_ms + mean * size[r] + wait
        for j in path[:length]:
            believed[j, r] = now + mean + initial_ms
            true[j, r] = now + response
        total += response
    return total


@kernel
def bprr_total_ms(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    last: int,
    slots: NDArray[np.int64],
    block_ms: NDArray[np.float64],
    comm_ms: NDArray[np.float64],
    initial_ms: float,
    arrival_ms: NDArray[np.float64],
    size: NDArray[np.float64],
) -> float:
    """Sum of the response times of all jobs, infinite where one finds no path; see `bprr`."""
    servers, jobs = start.size, arrival_ms.size
    blocks = hop_blocks(start, stop)
    believed, true = np.zeros((servers, jobs)), np.zeros((servers, jobs))
    held = np.zeros((servers, jobs), dtype=np.int64)
    path = np.empty(servers, dtype=np.int64)
    waits = np.zeros((servers + 2, servers + 2))
    total = 0.0
    for r in range(jobs):
        now = arrival_ms[r]
        costs = np.full((servers + 2, servers + 2), np.inf)
        for j in range(servers):
            free = slots[j]
            for earlier in range(r):
                if believed[j, earlier] > now:
                    free -= held[j, earlier]
            phantom = (comm_ms[j] + block_ms[j] * (stop[j] - start[j])) / max(active_jobs(believed[j, :r], now), 1)
            for i in range(servers + 1):
                needed = blocks[i, j + 1]
                if needed > 0:
                    waits[i, j + 1] = 0.0 if free >= needed else phantom
                    costs[i, j + 1] = waits[i, j + 1] + comm_ms[j] + block_ms[j] * needed
            if stop[j] == last:
                costs[j + 1, servers + 1] = 1.0
        length = shortest_path(costs, path)
        if length == 0:
            return np.inf
        mean = wait = 0.0
        i = 0
        for j in path[:length]:
            needed = blocks[i, j + 1]
            mean += comm_ms[j] + block_ms[j] * needed
            wait = max(wait, waits[i, j + 1])
            wait = max(wait, wait_for_slots(true[j, :r], held[j, :r], slots[j], needed, now))
            held[j, r] = needed
            i = j + 1
        response = mean * size[r] + initial_ms + wait
        for j in path[:length]:
            believed[j, r] = now + mean + initial_ms + wait
            true[j, r] = now + response
        total += response
    return total


@kernel
def greedy_chains(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    last: int,
    free_gb: NDArray[np.float64],
    cache_gb: float,
    block_ms: NDArray[np.float64],
    comm_ms: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Capacities and mean service times (ms) of the chains of the authors' GCA, in the order found; see `proposed`."""
    servers = start.size
    size = stop - start
    costs = np.full((servers + 2, servers + 2), np.inf)
    blocks = hop_blocks(start, stop)
    for j in range(servers):
        for i in range(servers + 1):
            if blocks[i, j + 1] > 0:
                costs[i, j + 1] = 0.0 if i == 0 else comm_ms[j] + block_ms[j] * size[j]
        if size[j] > 0 and stop[j] == last:
            costs[j + 1, servers + 1] = 0.0
    left = free_gb.copy()
    capacities = np.empty(4 * servers * last, dtype=np.int64)
    times = np.empty(4 * servers * last)
    path = np.empty(servers, dtype=np.int64)
    found = 0
    while True:
        length = shortest_path(costs, path)
        if length == 0:
            break
        capacity = np.inf
        time = 0.0
        for j in path[:length]:
            capacity = min(capacity, np.floor(left[j] / (cache_gb * size[j])))
            time += comm_ms[j] + block_ms[j] * size[j]
        if capacity <= 0:
            break
        capacities[found], times[found] = int(capacity), time
        found += 1
        for j in path[:length]:
            left[j] -= cache_gb * size[j] * capacity
        for j in range(servers):
            if size[j] > 0 and left[j] < cache_gb * size[j]:
                costs[:, j + 1] = np.inf
                costs[j + 1, :] = np.inf
    return capacities[:found].copy(), times[:found].copy()
