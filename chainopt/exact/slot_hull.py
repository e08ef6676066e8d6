"""What a server's slots really allow: cuts from the integer hull of {y >= 0 : Σ_n n y_n <= S}.

y_n jobs take n slots each. The rows of slots alone allow fractions of jobs: of 50 slots 7 1/7 jobs of 7 blocks. A cut
α · y <= 1 holds for all integer y. Since α depends on server and n alone, it does not make pricing any harder.

Where the placement is open, a server that hosts m blocks has the slots S(m) and processes no more than m of a job, and
a cut holds for every m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import highspy
import numpy as np

from chainopt.exact.backends import quiet_highs
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

VIOLATED = 1e-4
"""A cut is worth adding if it cuts off more than this."""
_TOLERANCE = 1e-6


class Rooms(NamedTuple):
    """What a server may offer, one entry for each way to place it: slots, and the most blocks to process of a job."""

    slots: NDArray[np.int64]
    most: NDArray[np.int64]


def violated_cut(sizes: NDArray[np.int64], rooms: Rooms, jobs: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The most violated α with α · y <= 1 for all integer y; None if `jobs` is in the hull, or all but.

    By column generation: min Σ_p λ_p with Σ_p λ_p p >= jobs over the integer points p has α as dual solution.

    Parameters
    ----------
    sizes
        The n, different ones.
    jobs
        y_n of a fractional solution.
    """
    here = np.flatnonzero(jobs > VIOLATED / 10)
    n = sizes[here]
    fits = rooms.most >= n.max(initial=0)
    if not here.size or np.any(np.ceil(jobs[here] - _TOLERANCE) @ n <= rooms.slots[fits]):
        return None
    cut = np.zeros(sizes.size)
    cut[here] = _facet(n, rooms, jobs[here])
    # what is known of the other n: they take as much as the largest number here that is not larger
    for i in np.setdiff1d(np.arange(sizes.size), here):
        smaller = n <= sizes[i]
        cut[i] = cut[here][smaller].max() if smaller.any() else 0.0
    most, _ = _fullest_of(sizes, rooms, cut)
    cut *= (1 - 1e-12) / most  # valid however the program was rounded
    return cut if cut @ jobs > 1 + VIOLATED else None


def _facet(sizes: NDArray[np.int64], rooms: Rooms, jobs: NDArray[np.float64]) -> NDArray[np.float64]:
    solver = quiet_highs()
    for y in jobs.tolist():
        solver.addRow(y, highspy.kHighsInf, 0, [], [])
    rows = np.arange(sizes.size, dtype=np.int32)
    points = [
        np.where(rows == i, int(np.max(rooms.slots[rooms.most >= n])) // n, 0) for i, n in enumerate(sizes.tolist())
    ]
    while True:
        for point in points:
            solver.addCol(1.0, 0.0, highspy.kHighsInf, rows.size, rows, point.astype(np.float64))
        solver.run()
        cut: NDArray[np.float64] = np.maximum(np.array(solver.getSolution().row_dual), 0.0)
        most, point = _fullest_of(sizes, rooms, cut)
        if most <= 1 + _TOLERANCE or cut @ jobs <= 1 + VIOLATED:
            return cut
        points = [point]


def _fullest_of(sizes: NDArray[np.int64], rooms: Rooms, worth: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Integer y with the largest worth · y that fits into one of the rooms."""
    best, point = -1.0, np.zeros(sizes.size, dtype=np.int64)
    for slots, most in zip(rooms.slots.tolist(), rooms.most.tolist(), strict=True):
        allowed = np.flatnonzero(sizes <= most)
        value, part = _fullest(sizes[allowed], slots, worth[allowed])
        if value > best:
            best, point = value, np.zeros(sizes.size, dtype=np.int64)
            point[allowed] = part
    return best, point


@kernel
def _fullest(sizes: NDArray[np.int64], slots: int, worth: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Integer y with the largest worth · y that fits: an unbounded knapsack."""
    best = np.zeros(slots + 1)
    last = np.full(slots + 1, -1, dtype=np.int64)
    for room in range(1, slots + 1):
        best[room] = best[room - 1]
        for i in range(sizes.size):
            if sizes[i] <= room and best[room - sizes[i]] + worth[i] > best[room]:
                best[room] = best[room - sizes[i]] + worth[i]
                last[room] = i
    point = np.zeros(sizes.size, dtype=np.int64)
    room = slots
    while room > 0:
        if last[room] < 0:
            room -= 1
        else:
            point[last[room]] += 1
            room -= sizes[last[room]]
    return best[slots], point
