"""Prices that are known at once: what every server would earn if it processed all blocks of its jobs by itself.

Of a chain of time T, a part that processes n blocks in a time t has the share n/L of all blocks, and L t/n is how long
a job would take if all blocks were processed like these. T is the mean of these times, weighted by the shares, and 1/T
is convex, so that 1/T <= Σ (n/L) / (L t/n) by Jensen's inequality. So with any price a of a job, no chain has a larger
rate than it costs if the room of server j costs

    u_j = max_n (S_j(n) / L) max(0, n / (L t_j(n)) - a),

of which a part takes n / S_j(n). Where there are many servers of every speed, chains can be made of equally fast ones,
and nothing is lost by that: these prices are almost those that column generation ends with. Proof, also of what whole
jobs come to: docs/theory/bounds.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.master import Prices
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts

_ROUNDING = 1e-9
_HALVINGS = 40
"""Of the interval in which the best price of a job lies."""


def prices_alone(parts: Parts, jobs: float, shares: NDArray[np.float64] | None = None) -> Prices:
    """Prices at which no chain has a larger rate than it costs: of their kind, those that prove most for so many jobs.

    Parameters
    ----------
    shares
        Part of each server that there is, shape (J,); all of each if None.
    """
    copies = parts.copies.astype(np.float64)
    job, rooms = _least(parts, copies if shares is None else copies * shares, jobs)
    return Prices(job, rooms[parts.server] * parts.weight, rooms * copies)


def most_alone(parts: Parts) -> float:
    """Above the total service rate of every composition, jobs per second: what servers account for, of whole jobs.

    A job that is processed n blocks of at a server accounts for v_n = n² / (L² t_j(n)) there, convex in n. So beside m
    blocks as many as can be processed all of them are best, ⌊S_j(m)/m⌋, and one more with what slots are left.
    """
    blocks, slots = parts.blocks, parts.slots
    each = blocks**2 / (parts.total**2 * parts.time_s)
    left = slots % blocks
    last = np.where(left > 0, each[parts.first[parts.server] + left - 1], 0.0)
    most = np.zeros(parts.copies.size)
    np.maximum.at(most, parts.server, slots // blocks * each + last)
    return float(most @ parts.copies) * (1 + _ROUNDING)


@kernel
def _least(parts: Parts, copies: NDArray[np.float64], jobs: float) -> tuple[float, NDArray[np.float64]]:
    """The a at which a n + Σ u_j is least, and u_j; by bisection, as that is convex in a."""
    low, high = 0.0, 0.0
    for p in range(parts.blocks.size):
        high = max(high, parts.blocks[p] / (parts.total * parts.time_s[p]))
    for _ in range(_HALVINGS):
        job = (low + high) / 2
        _, used = _rooms(parts, job)
        if used @ copies > jobs:
            low = job
        else:
            high = job
    best, best_line = 0.0, np.inf
    for job in (0.0, low, high):
        rooms, _ = _rooms(parts, job)
        line = job * jobs + (rooms * copies).sum()
        if line < best_line:
            best, best_line = job, line
    return best, _rooms(parts, best)[0]


@kernel
def _rooms(parts: Parts, job: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """u_j, and how fast it falls where a grows."""
    servers = parts.copies.size
    rooms, falls = np.zeros(servers), np.zeros(servers)
    for p in range(parts.blocks.size):
        j, alone = parts.server[p], parts.slots[p] / parts.total
        room = alone * (parts.blocks[p] / (parts.total * parts.time_s[p]) - job)
        if room > rooms[j]:
            rooms[j], falls[j] = room, alone
    return rooms, falls
