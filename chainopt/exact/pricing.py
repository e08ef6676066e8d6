"""Pricing for the relaxations without positions: choices of parts that process all blocks.

Whatever a job is worth, φ(T) convex and falling, what a chain costs less what it is worth, D - φ(T), is least at a
vertex of the lower left hull of all (D, T), as in :mod:`chainopt.exact.columns`; here compiled.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.worth import worth_of
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts
    from chainopt.exact.worth import Worth

_ROUNDING = 1e-12
_ALWAYS, _FEWEST, _PART_S = 10**9, 8, 1e-9
"""Stretches that are looked at: without a limit, and at least; about how long each takes for a part and a block."""
_AT_ONCE = 4
"""Numbers of blocks that a server may host, looked at in one pass of `_improve`, which is written for just so many."""


def worthy_chains(
    parts: Parts,
    price: NDArray[np.float64],
    worth: Worth,
    slack: float,
    rate: float = 0.0,
    job: float = 0.0,
    until: float = math.inf,
) -> tuple[list[NDArray[np.int64]], float]:
    """Chains that are worth more than they cost by more than the slack, and by how much any is at most, or the slack.

    Parameters
    ----------
    price
        Of each part, not negative.
    rate, job
        A chain is worth rate/T on top of φ(T), and costs `job` on top of its parts.
    until
        When about to stop looking for further chains, as `time.monotonic` counts; what is said of any still holds.
    """
    looks = _ALWAYS
    if until < math.inf:
        each_s = _PART_S * parts.blocks.size * parts.total
        looks = max(_FEWEST, int(min((until - time.monotonic()) / each_s, looks)))
    found, ends, least = _below(parts, price, worth, rate, job, -slack, looks)
    return np.split(found, ends[:-1]) if ends.size else [], max(slack, -float(least))


@kernel
def _below(
    parts: Parts,
    price: NDArray[np.float64],
    worth: Worth,
    rate: float,
    job: float,
    ceiling: float,
    looks: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Chains whose D - φ(T) is below `ceiling`, one after another, where they end, and the least D - φ(T).

    After so many `looks` at stretches no further ones are looked at, and the last of these is a lower bound.

    A stretch of the hull between two vertices A, cheap and slow, and B, dear and fast, is left out if its corner
    (D_A, T_B) is no better than what is sought, for no chain on the stretch is.
    """
    cheap, _ = cheapest_chain(parts, price)
    fast, _ = cheapest_chain(parts, parts.time_s)
    found, least = [cheap[:0]], np.inf
    stretches = [(price[cheap].sum(), parts.time_s[cheap].sum(), price[fast].sum(), parts.time_s[fast].sum())]
    for chain in (cheap, fast):
        d, t = price[chain].sum(), parts.time_s[chain].sum()
        reduced = d + job - rate / t - worth_of(worth, t)
        least = min(least, reduced)
        if reduced < ceiling:
            found.append(chain)
    while stretches:
        d_a, t_a, d_b, t_b = stretches.pop()
        corner = d_a + job - rate / t_b - worth_of(worth, t_b)
        if d_b <= d_a or t_a <= t_b or corner >= max(least, ceiling):
            continue
        if looks == 0:
            least = min(least, corner)
            continue
        looks -= 1
        theta = (d_b - d_a) / (t_a - t_b)
        chain, _ = cheapest_chain(parts, price + theta * parts.time_s)
        d, t = price[chain].sum(), parts.time_s[chain].sum()
        reduced = d + job - rate / t - worth_of(worth, t)
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

    A multiple-choice knapsack, O(L) for each part of each server. What was chosen is not kept but found again at the
    end, so that the inner loop is one that compilers turn into vector instructions.
    """
    first, total = parts.first, parts.total
    servers, ahead = parts.copies.sum(), np.diff(first).max() + _AT_ONCE - 1
    # best[i, ahead + n]: the first i servers cover n blocks; what lies before is out of reach
    best = np.full((servers + 1, ahead + total + 1), np.inf)
    best[0, ahead] = 0.0
    kind = np.empty(servers, dtype=np.int64)
    i = 0
    for j in range(parts.copies.size):
        size = first[j + 1] - first[j]
        costs = np.full(size + _AT_ONCE - 1, np.inf)
        costs[:size] = cost[first[j] : first[j + 1]]
        for _ in range(parts.copies[j]):
            kind[i] = j
            best[i + 1] = best[i]
            for n in range(1, size + 1, _AT_ONCE):
                _improve(best[i, ahead - n - _AT_ONCE + 1 :], best[i + 1, ahead:], costs[n - 1 :])
            i += 1
    chosen = np.empty(servers, dtype=np.int64)
    count = 0
    at = ahead + total
    if best[servers, at] == np.inf:
        return chosen[:0].copy(), False
    for i in range(servers - 1, -1, -1):
        if best[i + 1, at] == best[i, at]:
            continue
        n = 1
        while best[i, at - n] + cost[first[kind[i]] + n - 1] != best[i + 1, at]:
            n += 1
        chosen[count] = first[kind[i]] + n - 1
        count += 1
        at -= n
    return chosen[:count].copy(), True


@kernel
def _improve(before: NDArray[np.float64], after: NDArray[np.float64], cost: NDArray[np.float64]) -> None:
    """Let a server host n, ..., n + 3 blocks at these costs where that is cheaper; `before` begins n + 3 blocks back.

    Four at once, since a value that was just stored and is loaded at another offset keeps the processor waiting.
    """
    a, b, c, d = cost[0], cost[1], cost[2], cost[3]
    for n in range(after.size):
        ab = _less(before[n + 3] + a, before[n + 2] + b)
        cd = _less(before[n + 1] + c, before[n] + d)
        after[n] = _less(after[n], _less(ab, cd))


@kernel
def _less(a: float, b: float) -> float:
    return a if a < b else b
