"""The state of the search: what every server hosts and whom it lets in, with a log to take a move back.

Moves change it through `host` and `limit` only, so that what they may not do stands here once: pins, memories, the ends
of the model, and how many blocks may be loaded anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem

State = TypeVar("State", bound=tuple[Any, ...])


class Ranges(NamedTuple):
    """What the servers host; arrays are changed in place.

    Attributes
    ----------
    start, stop
        Blocks hosted, both 0 where none are, shape (J,).
    entry, quota
        Of the jobs that come to server j with `entry[j]` blocks left to process there, it takes `quota[j]` at most;
        all of them if the entry is 0. Shape (J,) each.
    log
        Server, start, stop, entry and quota before each change of the move, shape (rows, 5).
    counts
        Number of changes of the move, and blocks hosted that the reference has not loaded there, shape (2,).
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    entry: NDArray[np.int64]
    quota: NDArray[np.int64]
    log: NDArray[np.int64]
    counts: NDArray[np.int64]


def ranges_of(problem: Problem, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Ranges:
    """State for a placement, without quotas.

    Of what a server without a pin hosts, the part is kept that it can process for a job: the end of it.
    """
    free = np.zeros(start.size, dtype=bool)
    free[problem.free] = True
    hosts = start < stop  # a placement may have empty ranges anywhere
    start = np.where(hosts, np.where(free, np.maximum(start, stop - problem.most), start), 0)
    stop = np.where(hosts, stop, 0)
    rows = 2 * start.size + 2
    ranges = Ranges(
        start.astype(np.int64),
        stop.astype(np.int64),
        np.zeros(start.size, dtype=np.int64),
        np.zeros(start.size, dtype=np.int64),
        np.zeros((rows, 5), dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )
    ranges.counts[1] = sum(_moved_blocks(problem, j, ranges.start[j], ranges.stop[j]) for j in range(start.size))
    return ranges


def copy_of(state: State) -> State:
    """The same in arrays of its own."""
    return type(state)(*(array.copy() for array in state))


@kernel
def host(problem: Problem, ranges: Ranges, j: int, start: int, stop: int) -> bool:
    """Let server j host these blocks, without a quota; False, and nothing changed, if it may not or already does."""
    if start >= stop:
        start = stop = 0
    if start < 0 or stop > problem.blocks or stop - start > problem.most[j]:
        return False
    if (start == ranges.start[j] and stop == ranges.stop[j]) or ranges.counts[0] == ranges.log.shape[0]:
        return False
    if problem.most[j] == 0:  # pinned, or without room
        return False
    moved = _moved_blocks(problem, j, start, stop) - _moved_blocks(problem, j, ranges.start[j], ranges.stop[j])
    if moved > 0 and ranges.counts[1] + moved > problem.most_moved:
        return False
    _remember(ranges, j)
    ranges.start[j] = start
    ranges.stop[j] = stop
    ranges.entry[j] = ranges.quota[j] = 0
    ranges.counts[1] += moved
    return True


@kernel
def limit(ranges: Ranges, j: int, entry: int, quota: int) -> bool:
    """Let server j take so many jobs with `entry` blocks left at most, any number if the entry is 0.

    False, and nothing changed, if it already does.
    """
    if (entry == ranges.entry[j] and quota == ranges.quota[j]) or ranges.counts[0] == ranges.log.shape[0]:
        return False
    _remember(ranges, j)
    ranges.entry[j] = entry
    ranges.quota[j] = quota
    return True


@kernel
def keep(ranges: Ranges) -> None:
    """The move stands."""
    ranges.counts[0] = 0


@kernel
def take_back(problem: Problem, ranges: Ranges) -> None:
    """Undo the move."""
    for row in range(ranges.counts[0] - 1, -1, -1):
        j, start, stop = ranges.log[row, 0], ranges.log[row, 1], ranges.log[row, 2]
        ranges.counts[1] += _moved_blocks(problem, j, start, stop)
        ranges.counts[1] -= _moved_blocks(problem, j, ranges.start[j], ranges.stop[j])
        ranges.start[j] = start
        ranges.stop[j] = stop
        ranges.entry[j] = ranges.log[row, 3]
        ranges.quota[j] = ranges.log[row, 4]
    ranges.counts[0] = 0


@kernel
def _remember(ranges: Ranges, j: int) -> None:
    row = ranges.counts[0]
    ranges.log[row, 0] = j
    ranges.log[row, 1] = ranges.start[j]
    ranges.log[row, 2] = ranges.stop[j]
    ranges.log[row, 3] = ranges.entry[j]
    ranges.log[row, 4] = ranges.quota[j]
    ranges.counts[0] += 1


@kernel
def _moved_blocks(problem: Problem, j: int, start: int, stop: int) -> int:
    """Blocks of a range that server j has not loaded."""
    loaded = min(stop, problem.reference_stop[j]) - max(start, problem.reference_start[j])
    moved: int = stop - start - max(loaded, 0)
    return moved
