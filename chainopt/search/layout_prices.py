"""What servers are worth for a layout of C jobs, and how long these take at least: prices for a search block by block.

A price μ of a block processed for a job tells what the rest of a layout takes at least. A server that still has r slots
and runs n jobs adds no less than

    min over m >= 0 and 0 <= v <= C - n of  τ^c v + (τ^p - μ) min(r - B m, (n + v) m)

to it, where m is how many blocks it hosts from there on, B the slots that a block takes, and v the jobs that still
come. B m is not rounded as slots are, so it can be off by a slot: these prices guide a search, they prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem

_HALVINGS = 60


class Prices(NamedTuple):
    """What servers are worth for the rest of a layout of C jobs.

    Attributes
    ----------
    comm, comp, most, slots
        Of the servers, as in `Problem`.
    jobs, block
        C and μ, shape (1,) each.
    root
        Total service time of a layout at least, at these prices, shape (1,).
    first
        r of a server that hosts nothing yet, shape (J,).
    rest
        Of a kind of servers, for r slots and n jobs: the least that they add to what the rest takes, never above 0.
    opening
        What it adds if a server begins with n jobs; infinite where it cannot. Shape (C + 1, J).
    order
        Servers by that, shape (C + 1, J).
    kind
        The first server that is the same, shape (J,).
    like
        A server of the class of those that are taken as equal where one layout of several is kept, shape (J,).
    keys
        Random bits for each server, and then for each number of jobs, shape (J + C + 1,).
    """

    comm: NDArray[np.int64]
    comp: NDArray[np.int64]
    most: NDArray[np.int64]
    slots: NDArray[np.int64]
    jobs: NDArray[np.int64]
    block: NDArray[np.float64]
    root: NDArray[np.float64]
    first: NDArray[np.int64]
    rest: NDArray[np.float64]
    opening: NDArray[np.float64]
    order: NDArray[np.int64]
    kind: NDArray[np.int64]
    like: NDArray[np.int64]
    keys: NDArray[np.uint64]


@kernel
def least_total(problem: Problem, jobs: int) -> tuple[float, float]:
    """Least total service time of so many jobs, and the price μ that tells; infinite if there is no room for them."""
    comm, comp, room, processed = 0.0, 0.0, 1.0, 0
    for j in range(problem.comm.size):
        most = 0
        for m in range(1, min(problem.most[j], problem.blocks) + 1):
            most = max(most, min(problem.slots[j, m], jobs * m))
        processed += most
        comm, comp, room = max(comm, problem.comm[j]), max(comp, problem.comp[j]), max(room, most)
    if processed < jobs * problem.blocks:
        return np.inf, np.inf
    highest = 2.0 * (comm * room + comp)  # there every server processes as much as it can
    low, high = 0.0, highest
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # the slope there is what is asked for, less what servers process
        if jobs * problem.blocks > _processed(problem, jobs, middle)[0]:
            low = middle
        else:
            high = middle
    return high * jobs * problem.blocks + _processed(problem, jobs, high)[1], high


@kernel
def _processed(problem: Problem, jobs: int, price: float) -> tuple[int, float]:
    """Blocks for jobs that servers process at a price, and what that adds to the total."""
    processed, value = 0, 0.0
    for j in range(problem.comm.size):
        best, most = 0.0, 0
        for m in range(1, min(problem.most[j], problem.blocks) + 1):
            room = min(problem.slots[j, m], jobs * m)
            found = problem.comm[j] * (room / m) + (problem.comp[j] - price) * room
            if found < best:
                best, most = found, room
        processed += most
        value += best
    return processed, value


@kernel
def prices_of(
    problem: Problem,
    kind: NDArray[np.int64],
    like: NDArray[np.int64],
    keys: NDArray[np.uint64],
    jobs: int,
    price: float,
) -> Prices:
    """Prices for layouts of so many jobs, with what `least_total` tells; the others as in `Prices`."""
    servers = problem.comm.size
    slots = 0.0  # B
    for j in range(servers):
        most = min(problem.most[j], problem.blocks)
        if most > 1:
            slots = max(slots, (problem.slots[j, 1] - problem.slots[j, most]) / (most - 1))
    first = np.zeros(servers, dtype=np.int64)
    for j in range(servers):
        first[j] = int(problem.slots[j, 1] + slots) if problem.most[j] > 0 else 0
    rest = np.zeros((servers, first.max() + 1, jobs + 1))
    for j in range(servers):
        if kind[j] == j:
            for r in range(first[j] + 1):
                for n in range(jobs + 1):
                    rest[j, r, n] = _least_rest(problem, j, r, n, jobs, price, slots)
    root = price * jobs * problem.blocks
    opening = np.full((jobs + 1, servers), np.inf)
    order = np.zeros((jobs + 1, servers), dtype=np.int64)
    for j in range(servers):
        root += rest[kind[j], first[j], 0]
        for n in range(1, jobs + 1):
            if problem.most[j] > 0 and n <= problem.slots[j, 1]:
                opening[n, j] = float(problem.comm[j]) * n + rest[kind[j], first[j], n] - rest[kind[j], first[j], 0]
    for n in range(jobs + 1):
        order[n] = np.argsort(opening[n], kind="mergesort")
    return Prices(
        problem.comm,
        problem.comp,
        problem.most,
        problem.slots,
        np.array([jobs]),
        np.array([price]),
        np.array([root]),
        first,
        rest,
        opening,
        order,
        kind,
        like,
        keys,
    )


@kernel
def _least_rest(problem: Problem, j: int, room: int, here: int, jobs: int, price: float, slots: float) -> float:
    """What server j adds to the rest at least, with so much room and so many jobs here."""
    least = 0.0
    gain = problem.comp[j] - price
    for m in range(1, min(problem.most[j], problem.blocks) + 1):
        left = np.floor(room - slots * m + 1e-6)
        if left <= 0:
            break
        least = min(least, gain * min(left, here * m))
        coming = min(float(jobs - here), max(0.0, (left - here * m) / m))
        least = min(least, problem.comm[j] * coming + gain * min(left, (here + coming) * m))
    return least
