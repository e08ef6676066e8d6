"""Pricing for the position-free relaxation: the cheapest choice of parts that processes all blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def cheapest_chain(
    first: NDArray[np.int64], blocks: NDArray[np.int64], cost: NDArray[np.float64], total: int
) -> tuple[NDArray[np.int64], bool]:
    """Parts, at most one of each server, whose blocks add up to `total`, of least cost; and whether there are any.

    A multiple-choice knapsack in O(parts · total).
    """
    servers = first.size - 1
    best = np.full(total + 1, np.inf)
    best[0] = 0.0
    choice = np.full((servers, total + 1), -1, dtype=np.int32)
    reach = 0  # no more than so many blocks can be covered so far
    for j in range(servers):
        if first[j + 1] == first[j]:
            continue
        reach = min(total, reach + blocks[first[j + 1] - 1])
        for covered in range(reach, 0, -1):
            least, pick = best[covered], -1
            for p in range(first[j], first[j + 1]):
                n = blocks[p]
                if n > covered:
                    break
                candidate = best[covered - n] + cost[p]
                if candidate < least:
                    least, pick = candidate, p
            best[covered] = least
            choice[j, covered] = pick
    chosen = np.empty(servers, dtype=np.int64)
    count = 0
    if best[total] == np.inf:
        return chosen[:0].copy(), False
    covered = total
    for j in range(servers - 1, -1, -1):
        p = choice[j, covered]
        if p >= 0:
            chosen[count] = p
            count += 1
            covered -= blocks[p]
    return chosen[:count].copy(), True
