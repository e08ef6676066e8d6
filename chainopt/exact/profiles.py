"""Profiles: how many jobs a server runs at each of its blocks, and what they have to add up to.

A job that is at a server at some block is there at all further blocks that it hosts. So of C jobs in service at once,
if y_n are processed n blocks each, p_i = Σ_{n >= i} y_n are at the i-th last block of the server: a *profile*
p_1 >= p_2 >= ... >= p_m >= 1 with p_1 <= C and Σ_i p_i <= S_j(m). At each block of the model all C jobs are somewhere,
each at one server, so that what the profiles have there is a *partition* of C. Not where a server stands, but how many
servers it takes for each block is what the relaxation of :mod:`chainopt.exact.parts` lacks: here,

    Σ_j #{i : p^j_i = p} >= Σ_π λ_π #{p in π} for all p,   Σ_π λ_π = L

with λ_π blocks for each partition π. Proof: docs/theory/bounds.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def best_profile(
    slots: NDArray[np.int64], price: NDArray[np.float64], worth: NDArray[np.float64], most: int
) -> tuple[float, NDArray[np.int64]]:
    """The profile of a server with the largest Σ_n price_n y_n + Σ_i worth(p_i), and that; empty if none is above 0.

    Since Σ_n price_n y_n = Σ_i (price_i - price_{i-1}) p_i, a dynamic program over the blocks, the last one first,
    with the jobs there and the slots so far: O(S² log m) for S slots.

    Parameters
    ----------
    slots
        S(1), ..., S(N), never growing.
    price
        Of a job that is processed n blocks, n = 1, ..., N.
    worth
        Of a block with p jobs, p = 0, ..., `most`.
    most
        C; never more jobs than these.
    """
    longest, room = slots.size, slots[0]
    top = min(most, room)
    # best[p, s]: of the blocks so far, at least p jobs at the first of them, s slots at most
    best, before = np.empty((top + 2, room + 1)), np.empty((top + 2, room + 1))
    jobs = np.zeros((longest + 1, top + 2, room + 1), dtype=np.int16)
    value, length = 0.0, 0
    for i in range(1, longest + 1):
        best, before = before, best
        step = price[i - 1] - (price[i - 2] if i > 1 else 0.0)
        here = slots[i - 1]
        highest = min(top, here // i)
        for p in range(highest, 0, -1):
            for s in range(p * i, here + 1):
                found = p * step + worth[p] + (before[p, s - p] if i > 1 else 0.0)
                best[p, s], jobs[i, p, s] = found, p
                if p < highest and s >= (p + 1) * i and best[p + 1, s] >= found:
                    best[p, s], jobs[i, p, s] = best[p + 1, s], jobs[i, p + 1, s]
        if highest >= 1 and best[1, here] > value:
            value, length = best[1, here], i
    profile = np.zeros(length, dtype=np.int64)
    p, s = 1, slots[length - 1] if length else 0
    for i in range(length, 0, -1):
        p = jobs[i, p, s]
        profile[i - 1] = p
        s -= p
    return value, profile


@kernel
def cheapest_partition(price: NDArray[np.float64], least: int, most: int) -> tuple[float, NDArray[np.int64]]:
    """The partition of any of `least`, ..., `most` with the least Σ price(p), price(0), ..., price(`most`); its p."""
    cost, first = np.full(most + 1, np.inf), np.zeros(most + 1, dtype=np.int64)
    cost[0] = 0.0
    for total in range(1, most + 1):
        for p in range(1, total + 1):
            if cost[total - p] + price[p] < cost[total]:
                cost[total], first[total] = cost[total - p] + price[p], p
    total = least + int(np.argmin(cost[least:]))
    value = cost[total]
    partition = np.zeros(total, dtype=np.int64)
    count = 0
    while total > 0:
        partition[count] = first[total]
        total -= first[total]
        count += 1
    return value, partition[:count].copy()
