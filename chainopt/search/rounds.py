"""GCA without allocating memory, for placements that are looked at for microseconds.

The same rounds as in `chainopt.allocation.greedy`, ties included, but paths are kept from round to round: slots are
only ever taken away, so the fastest path to a boundary only ever gets slower, and it is found anew only where its last
arc has lost its slots or its time. Besides slots there are quotas: GCA gives the fastest chain all that fits, although
a slower one may need some of it more, and a quota keeps it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.topology import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges

NONE, UNKNOWN = -1, -2
HOPELESS = -1
"""In place of a number of chains, where the total service rate cannot become what is needed."""
_ROUNDING = 1e-6
"""More than rounding makes of a whole number of jobs, and less than one slot is of a job."""
_ROUNDS_A_SERVER = 8
"""Rounds after which the allocation ends, for each server; it takes about one for two servers."""


class Rounds(NamedTuple):
    """Chains found, and the room that it takes to find them.

    Attributes
    ----------
    ticks, rates, capacities
        T_k, 1/T_k and c_k of the chains, fastest first, shape (rounds,).
    chain_first, hops
        Chain k visits `hops[chain_first[k] : chain_first[k + 1]]`.
    residual, left
        Free slots of each server, and what is left of its quota, shape (J,).
    by_stop, stop_first
        Servers by the block where they stop; those that stop at e are `by_stop[stop_first[e] : stop_first[e + 1]]`.
    boundary, before
        Block at each boundary, and number of boundaries before each block, shape (L + 2,) each.
    time, previous, last
        Time of the fastest path to each boundary, the boundary before and the last server on it.
    slower
        Whether a boundary's path has become slower in this round.
    lowest
        First boundary with an arc to each boundary.
    fastest
        Server of the fastest arc from one boundary, the second, to another, the first, `NONE` where there is none,
        `UNKNOWN` where it was not needed yet, shape (L + 2, L + 2).
    inverse, passing
        1/n, and how many more jobs can be at block n at once, shape (L + 1,) each.
    """

    ticks: NDArray[np.int64]
    rates: NDArray[np.float64]
    capacities: NDArray[np.int64]
    chain_first: NDArray[np.int64]
    hops: NDArray[np.int64]
    residual: NDArray[np.int64]
    left: NDArray[np.int64]
    by_stop: NDArray[np.int64]
    stop_first: NDArray[np.int64]
    boundary: NDArray[np.int64]
    before: NDArray[np.int64]
    time: NDArray[np.int64]
    previous: NDArray[np.int64]
    last: NDArray[np.int64]
    slower: NDArray[np.bool_]
    lowest: NDArray[np.int64]
    fastest: NDArray[np.int64]
    inverse: NDArray[np.float64]
    passing: NDArray[np.int64]


def rounds_for(problem: Problem) -> Rounds:
    """Room for the allocations of a problem."""
    servers = problem.comm.size
    rounds = _ROUNDS_A_SERVER * servers + 64

    def integers(size: int) -> NDArray[np.int64]:
        return np.zeros(size, dtype=np.int64)

    ends = problem.blocks + 2
    return Rounds(
        integers(rounds),
        np.zeros(rounds),
        integers(rounds),
        integers(rounds + 1),
        integers(rounds * min(servers, problem.blocks)),
        integers(servers),
        integers(servers),
        integers(servers),
        integers(ends),
        integers(ends),
        integers(ends),
        integers(ends),
        integers(ends),
        integers(ends),
        np.zeros(ends, dtype=np.bool_),
        integers(ends),
        np.zeros((ends, ends), dtype=np.int64),
        1.0 / np.maximum(np.arange(problem.blocks + 1), 1),
        integers(problem.blocks + 1),
    )


@kernel
def allocate(problem: Problem, ranges: Ranges, rounds: Rounds, needed: float = 0.0) -> int:
    """Chains of these ranges by GCA, into `rounds`, and their number.

    Parameters
    ----------
    needed
        Total service rate, jobs per tick; `HOPELESS` is returned as soon as it turns out that it is not reached.
    """
    if open_servers(problem, ranges, rounds):
        return fill(problem, ranges, rounds, 0, rounds.ticks.size, needed)
    return 0


@kernel
def open_servers(problem: Problem, ranges: Ranges, rounds: Rounds) -> bool:
    """Make all slots and quotas free; whether any server stops at the end of the model."""
    end = _sort_by_stop(problem, ranges, rounds)
    if rounds.boundary[end] == problem.blocks:
        return True
    _find_paths(problem, ranges, rounds, end, True)  # tells how far they come
    return False


@kernel
def fill(problem: Problem, ranges: Ranges, rounds: Rounds, count: int, most: int, needed: float = 0.0) -> int:
    """Add chains by GCA on what is free beside the first `count`, at most so many; number of all chains then.

    Parameters
    ----------
    needed
        As in `allocate`.
    """
    end = rounds.before[problem.blocks]
    last = min(count + most, rounds.ticks.size)
    total, room = 0.0, 0
    if needed > 0.0:
        room = _room(problem, ranges, rounds)
        for k in range(count):
            total += rounds.capacities[k] * rounds.rates[k]
    anew = True
    while count < last:
        _find_paths(problem, ranges, rounds, end, anew)
        if rounds.time[end] >= NEVER:
            break
        if needed > 0.0 and total + room / rounds.time[end] < needed:
            return HOPELESS
        _take_path(problem, ranges, rounds, count, end)
        total += rounds.capacities[count] * rounds.rates[count]
        room -= rounds.capacities[count]
        anew = False
        count += 1
    return count


@kernel
def _room(problem: Problem, ranges: Ranges, rounds: Rounds) -> int:
    """Jobs that can be added at most: no more than pass any block, and each stays at a server until its last block."""
    passing, inverse = rounds.passing, rounds.inverse
    passing[: problem.blocks] = 0
    for j in range(ranges.start.size):
        free, stop = rounds.residual[j], ranges.stop[j]
        for b in range(ranges.start[j], stop):
            passing[b] += int(free * inverse[stop - b] + _ROUNDING)
    room: int = passing[: problem.blocks].min()
    return room


@kernel
def _sort_by_stop(problem: Problem, ranges: Ranges, rounds: Rounds) -> int:
    """Counting sort of the servers that host something, all slots and quotas free; number of the last boundary."""
    start, stop, quota, slots = ranges.start, ranges.stop, ranges.quota, problem.slots
    first, by_stop, residual, left = rounds.stop_first, rounds.by_stop, rounds.residual, rounds.left
    boundary, before = rounds.boundary, rounds.before
    for e in range(first.size):
        first[e] = 0
    for j in range(start.size):
        first[stop[j]] += 1
    total, count = 0, 1
    boundary[0] = before[0] = first[0] = 0
    for e in range(1, problem.blocks + 1):
        size = first[e]
        first[e] = total
        total += size
        before[e] = count
        if size > 0:
            boundary[count] = e
            count += 1
    for j in range(start.size):
        if stop[j] > 0:
            residual[j] = slots[j, stop[j] - start[j]]
            left[j] = quota[j]
            by_stop[first[stop[j]]] = j
            first[stop[j]] += 1
    for e in range(problem.blocks + 1, 0, -1):
        first[e] = first[e - 1]
    return count - 1


@kernel
def _find_paths(problem: Problem, ranges: Ranges, rounds: Rounds, end: int, anew: bool) -> None:
    """Find the fastest paths to all boundaries where they are not known, or cannot be taken any more, or not as fast.

    Of equally fast ones the one that leaves the least boundary, then the one by the first server. One long loop, since
    a call for each boundary would take as long as what it does.
    """
    comm, comp, start, entry = problem.comm, problem.comp, ranges.start, ranges.entry
    time, previous, last, slower = rounds.time, rounds.previous, rounds.last, rounds.slower
    boundary, before, by_stop, first = rounds.boundary, rounds.before, rounds.by_stop, rounds.stop_first
    residual, left, fastest, lowest = rounds.residual, rounds.left, rounds.fastest, rounds.lowest
    time[0] = 0
    slower[0] = False
    for at in range(1, end + 1):
        slower[at] = False
        e = boundary[at]
        if anew:
            low = at
            for i in range(first[e], first[e + 1]):
                low = min(low, before[start[by_stop[i]]])
            lowest[at] = low
            for b in range(low, at):
                fastest[at, b] = UNKNOWN
        else:
            if time[at] >= NEVER:
                continue
            b, j = previous[at], last[at]
            blocks = e - boundary[b]
            if not slower[b] and residual[j] >= blocks and (blocks != entry[j] or left[j] > 0):
                continue
        best, best_from = NEVER, -1
        for b in range(lowest[at], at):
            j = fastest[at, b]
            if time[b] >= NEVER or j == NONE:
                continue
            blocks = e - boundary[b]
            if j == UNKNOWN or residual[j] < blocks or (blocks == entry[j] and left[j] == 0):
                j, arc = NONE, NEVER
                for i in range(first[e], first[e + 1]):
                    other = by_stop[i]
                    if start[other] <= boundary[b] and residual[other] >= blocks:
                        if blocks == entry[other] and left[other] == 0:
                            continue
                        takes = comm[other] + comp[other] * blocks
                        if takes < arc:
                            j, arc = other, takes
                fastest[at, b] = j
                if j == NONE:
                    continue
            candidate = time[b] + comm[j] + comp[j] * blocks
            if candidate < best:
                best, best_from = candidate, b
        slower[at] = not anew and best > time[at]
        time[at] = best
        previous[at] = best_from
        if best_from >= 0:
            last[at] = fastest[at, best_from]


@kernel
def _take_path(problem: Problem, ranges: Ranges, rounds: Rounds, k: int, end: int) -> None:
    """Give the fastest path all the jobs that fit."""
    previous, last, boundary = rounds.previous, rounds.last, rounds.boundary
    residual, left, hops, entry = rounds.residual, rounds.left, rounds.hops, ranges.entry
    capacity, length = NEVER, 0
    at = end
    while at > 0:
        j, b = last[at], previous[at]
        blocks = boundary[at] - boundary[b]
        capacity = min(capacity, residual[j] // blocks)
        if blocks == entry[j]:
            capacity = min(capacity, left[j])
        length += 1
        at = b
    hop = rounds.chain_first[k] + length
    rounds.chain_first[k + 1] = hop
    at = end
    while at > 0:
        j, b = last[at], previous[at]
        blocks = boundary[at] - boundary[b]
        residual[j] -= capacity * blocks
        if blocks == entry[j]:
            left[j] -= capacity
        hop -= 1
        hops[hop] = j
        at = b
    rounds.ticks[k] = rounds.time[end]
    rounds.rates[k] = 1.0 / rounds.time[end]
    rounds.capacities[k] = capacity
