"""Moves: each changes the ranges of one or a few servers, and says whether it changed anything.

A range is put where it can be of use, next to a boundary that another server gives; what a move makes of it is only
refused by `ranges.host`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel
from chainopt.search.ranges import host, limit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges

_FARTHEST_STEP = 3
"""Blocks by which a boundary moves at most."""
_REORDERS = 0.2
"""Share of the moves of blocks that change the order of servers."""
_LONGEST_ROW = 7
"""Servers that change their order at most."""
_WITH_QUOTA = 1.5
"""Share of the moves of blocks that come with a quota, times the number of servers."""


@kernel
def draw(rng: np.random.Generator, count: int) -> int:
    """One of 0, ..., count - 1."""
    return int(rng.random() * count)


@kernel
def reposition(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server hosts as many blocks as before, or another number, from or up to a boundary."""
    j = problem.free[draw(rng, problem.free.size)]
    size = _size(problem, ranges, j, rng)
    i = draw(rng, ranges.start.size + 1)  # one more for the ends of the model
    if rng.random() < 0.5:
        start = ranges.stop[i] if i < ranges.start.size else 0
        return host(problem, ranges, j, start, min(start + size, problem.blocks))
    stop = ranges.start[i] if i < ranges.start.size and ranges.start[i] > 0 else problem.blocks
    return host(problem, ranges, j, max(stop - size, 0), stop)


@kernel
def _size(problem: Problem, ranges: Ranges, j: int, rng: np.random.Generator) -> int:
    """Number of blocks for server j: as it is, as many as leave the room that another server has, or any."""
    kind = rng.random()
    size: int = ranges.stop[j] - ranges.start[j]
    if kind < 0.5 and size > 0:
        return size
    if kind < 0.9:
        i = draw(rng, ranges.start.size)
        blocks = ranges.stop[i] - ranges.start[i]
        if blocks > 0:
            jobs = problem.slots[i, blocks] // blocks
            size = int(problem.most[j])
            while size > 1 and problem.slots[j, size] // size < jobs:
                size -= 1
            return size
    return 1 + draw(rng, problem.most[j])


@kernel
def exchange(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """Two servers change places; the smaller one hosts the end of what the larger one hosted, or its beginning."""
    i = problem.free[draw(rng, problem.free.size)]
    j = problem.free[draw(rng, problem.free.size)]
    start, stop = ranges.start[i], ranges.stop[i]
    first = _host_part(problem, ranges, i, ranges.start[j], ranges.stop[j], rng)
    second = _host_part(problem, ranges, j, start, stop, rng)
    return first or second


@kernel
def copy(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server hosts what another one hosts."""
    j = problem.free[draw(rng, problem.free.size)]
    i = draw(rng, ranges.start.size)
    return _host_part(problem, ranges, j, ranges.start[i], ranges.stop[i], rng)


@kernel
def _host_part(problem: Problem, ranges: Ranges, j: int, start: int, stop: int, rng: np.random.Generator) -> bool:
    """Let server j host these blocks, or as many of them as it can, from either end."""
    if stop - start > problem.most[j]:
        if rng.random() < 0.5:
            start = stop - problem.most[j]
        else:
            stop = start + problem.most[j]
    return host(problem, ranges, j, start, stop)


@kernel
def shift_boundary(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A boundary moves: servers that stop there stop elsewhere, and servers that start there start there.

    Either all of these servers, or one of each kind.
    """
    i = problem.free[draw(rng, problem.free.size)]
    boundary = ranges.stop[i]
    step = 1 + draw(rng, _FARTHEST_STEP)
    if rng.random() < 0.5:
        step = -step
    if not 0 < boundary < problem.blocks or not 0 < boundary + step < problem.blocks:
        return False
    everyone = rng.random() < 0.5
    if not everyone:
        if not host(problem, ranges, i, ranges.start[i], boundary + step):
            return False
        offset = draw(rng, problem.free.size)
        for n in range(problem.free.size):
            j = problem.free[(n + offset) % problem.free.size]
            if ranges.start[j] == boundary:
                host(problem, ranges, j, boundary + step, ranges.stop[j])
                break
        return True
    changed = False
    for j in problem.free:
        if ranges.stop[j] == boundary:
            changed |= host(problem, ranges, j, ranges.start[j], boundary + step)
        elif ranges.start[j] == boundary and ranges.stop[j] > boundary:
            changed |= host(problem, ranges, j, boundary + step, ranges.stop[j])
    return changed


@kernel
def resize(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server hosts a few blocks more or less at its beginning or its end."""
    j = problem.free[draw(rng, problem.free.size)]
    step = 1 + draw(rng, _FARTHEST_STEP)
    if rng.random() < 0.5:
        step = -step
    if ranges.stop[j] == 0:
        return False
    if rng.random() < 0.5:
        return host(problem, ranges, j, max(ranges.start[j] + step, 0), ranges.stop[j])
    return host(problem, ranges, j, ranges.start[j], min(ranges.stop[j] + step, problem.blocks))


@kernel
def slide(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server hosts as many blocks as before, a few blocks further on or back."""
    j = problem.free[draw(rng, problem.free.size)]
    step = 1 + draw(rng, _FARTHEST_STEP)
    if rng.random() < 0.5:
        step = -step
    if ranges.stop[j] == 0:
        return False
    return host(problem, ranges, j, ranges.start[j] + step, ranges.stop[j] + step)


@kernel
def reorder(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """Of servers that host one range after another, the first and the last change places, or only one of them its own.

    All host as many blocks as before, so that those between them slide.
    """
    row = np.empty(_LONGEST_ROW, dtype=np.int64)
    count = _draw_row(problem, ranges, row, rng)
    if count < 2:
        return False
    block, first, last = ranges.start[row[0]], row[0], row[count - 1]
    kind = draw(rng, 3)
    if kind == 0:
        row[0], row[count - 1] = last, first
    elif kind == 1:
        for i in range(count - 1):
            row[i] = row[i + 1]
        row[count - 1] = first
    else:
        for i in range(count - 1, 0, -1):
            row[i] = row[i - 1]
        row[0] = last
    changed = False
    for j in row[:count]:
        size = ranges.stop[j] - ranges.start[j]
        changed |= host(problem, ranges, j, block, block + size)
        block += size
    return changed


@kernel
def _draw_row(problem: Problem, ranges: Ranges, row: NDArray[np.int64], rng: np.random.Generator) -> int:
    """Write up to a drawn number of servers without pins, each of which starts where the one before stops; how many."""
    row[0] = problem.free[draw(rng, problem.free.size)]
    count, most = 1, 2 + draw(rng, row.size - 1)
    while count < most:
        stop, offset = ranges.stop[row[count - 1]], draw(rng, problem.free.size)
        for n in range(problem.free.size):
            j = problem.free[(n + offset) % problem.free.size]
            if ranges.start[j] == stop < ranges.stop[j]:
                row[count] = j
                count += 1
                break
        else:
            break
    return count


@kernel
def empty(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server hosts nothing."""
    return host(problem, ranges, problem.free[draw(rng, problem.free.size)], 0, 0)


@kernel
def restrain(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """A server sets itself a quota for the jobs that come with so many blocks left, or gives it up."""
    j = draw(rng, ranges.start.size)
    blocks = ranges.stop[j] - ranges.start[j]
    if blocks == 0:
        return False
    if ranges.entry[j] > 0 and rng.random() < 0.5:
        return limit(ranges, j, 0, 0)
    entry = 1 + draw(rng, blocks)
    return limit(ranges, j, entry, draw(rng, problem.slots[j, blocks] // entry + 1))


@kernel
def move(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """One move, of a kind that is drawn, now and then with a quota on top; False if it changes nothing.

    Some placements are good with a quota only, so that the way to them is both at once.
    """
    if problem.free.size == 0 or rng.random() < 0.06:
        return restrain(problem, ranges, rng)
    changed = move_blocks(problem, ranges, rng)
    if changed and rng.random() < _WITH_QUOTA / ranges.start.size:
        restrain(problem, ranges, rng)
    return changed


@kernel
def move_blocks(problem: Problem, ranges: Ranges, rng: np.random.Generator) -> bool:
    """One move, of a kind that is drawn, without quotas; False if it changes nothing."""
    kind = rng.random()
    if kind < _REORDERS:
        return reorder(problem, ranges, rng)
    kind = (kind - _REORDERS) / (1 - _REORDERS)
    if kind < 0.30:
        return reposition(problem, ranges, rng)
    if kind < 0.50:
        return exchange(problem, ranges, rng)
    if kind < 0.60:
        return copy(problem, ranges, rng)
    if kind < 0.77:
        return shift_boundary(problem, ranges, rng)
    if kind < 0.90:
        return resize(problem, ranges, rng)
    if kind < 0.98:
        return slide(problem, ranges, rng)
    return empty(problem, ranges, rng)
