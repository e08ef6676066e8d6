"""Pricing for the relaxations without positions: choices of parts that process all blocks.

Whatever a job is worth, φ(T) convex and falling, what a chain costs less what it is worth, D - φ(T), is least at a
vertex of the lower left hull of all (D, T), as in :mod:`chainopt.exact.columns`; here compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.worth import worth_of
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts
    from chainopt.exact.worth import Worth

_ROUNDING = 1e-12


def worthy_chains(
    parts: Parts, price: NDArray[np.float64], worth: Worth, slack: float, rate: float = 0.0, job: float = 0.0
) -> tuple[list[NDArray[np.int64]], float]:
    """Chains that are worth more than they cost by more than the slack, and by how much any is at most, or the slack.

    Parameters
    ----------
    price
        Of each part, not negative.
    rate, job
        A chain is worth rate/T on top of φ(T), and costs `job` on top of its parts.
    """
    found, ends, least = _below(parts, price, worth.starts, worth.slopes, worth.offsets, rate, job, -slack)
    return np.split(found, ends[:-1]) if ends.size else [], max(slack, -float(least))


@kernel
def _below(
    parts: Parts,
    price: NDArray[np.float64],
    starts: NDArray[np.float64],
    slopes: NDArray[np.float64],
    offsets: NDArray[np.float64],
    rate: float,
    job: float,
    ceiling: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Chains whose D - φ(T) is below `ceiling`, one after another, where they end, and the least D - φ(T).

    A stretch of the hull between two vertices A, cheap and slow, and B, dear and fast, is left out if its corner
    (D_A, T_B) is no better than what is sought, for no chain on the stretch is.
    """
    cheap, _ = cheapest_chain(parts, price)
    fast, _ = cheapest_chain(parts, parts.time_s)
    found, least = [cheap[:0]], np.inf
    stretches = [(price[cheap].sum(), parts.time_s[cheap].sum(), price[fast].sum(), parts.time_s[fast].sum())]
    for chain in (cheap, fast):
        d, t = price[chain].sum(), parts.time_s[chain].sum()
        reduced = d + job - rate / t - worth_of(starts, slopes, offsets, t)
        least = min(least, reduced)
        if reduced < ceiling:
            found.append(chain)
    while stretches:
        d_a, t_a, d_b, t_b = stretches.pop()
        corner = d_a + job - rate / t_b - worth_of(starts, slopes, offsets, t_b)
        if d_b <= d_a or t_a <= t_b or corner >= max(least, ceiling):
            continue
        theta = (d_b - d_a) / (t_a - t_b)
        chain, _ = cheapest_chain(parts, price + theta * parts.time_s)
        d, t = price[chain].sum(), parts.time_s[chain].sum()
        reduced = d + job - rate / t - worth_of(starts, slopes, offsets, t)
        least = min(least, reduced)
        if reduced < ceiling:
            found.append(chain)
        if d + theta * t < (d_a + theta * t_a) * (1 - _ROUNDING):
            stretches.append((d_a, t_a, d, t))
            stretches.append((d, t, d_b, t_b))
    ends = np.zeros(len(found), dtype=np.int64)
    for k in range(1, len(found)):
        ends[k] = ends[k - 1] + found[k].size
    together = np.empty(ends[-1], dtype=np.int64)
    for k in range(1, len(found)):
        together[ends[k - 1] : ends[k]] = found[k]
    return together, ends[1:], least


@kernel
def cheapest_chain(parts: Parts, cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], bool]:
    """Parts, at most one of each server, whose blocks add up to L, of least cost; and whether there are any.

    A multiple-choice knapsack, O(L) for each part of each server.
    """
    first, blocks, total = parts.first, parts.blocks, parts.total
    servers = parts.copies.sum()
    best = np.full(total + 1, np.inf)
    best[0] = 0.0
    choice = np.full((servers, total + 1), -1, dtype=np.int32)
    reach = 0  # no more than so many blocks can be covered so far
    i = -1
    for j in range(parts.copies.size):
        for _ in range(parts.copies[j]):
            i += 1
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
                choice[i, covered] = pick
    chosen = np.empty(servers, dtype=np.int64)
    count = 0
    if best[total] == np.inf:
        return chosen[:0].copy(), False
    covered = total
    for i in range(servers - 1, -1, -1):
        p = choice[i, covered]
        if p >= 0:
            chosen[count] = p
            count += 1
            covered -= blocks[p]
    return chosen[:count].copy(), True
