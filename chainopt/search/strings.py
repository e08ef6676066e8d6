"""Strings of servers over stretches of the model: the state of a search for which segments to share between chains.

The servers of a string host a stretch of blocks one after another, each with room for the jobs of the string. Strings
end to end, side by side and nested make up the placement: a trunk of fast servers, say, that two branches lead to. In
terms of single servers such a change is far, for all of a string have to host other numbers of blocks at once; here
cutting a string in two, or halving it into two side by side, leaves almost everything as it is, and what follows are
small steps. Disjoint chains are the case where each string goes over the whole model. Which chains run how many jobs is
left to GCA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.search.disjoint import blocks_for
from chainopt.search.moves import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges

_FARTHEST_STEP = 3
"""Blocks by which an end of strings moves at most, and jobs by which a string tries to run more."""


class Strings(NamedTuple):
    """Servers in strings; arrays are changed in place.

    Attributes
    ----------
    string
        String of each server, -1 for those in none, shape (J,).
    first, last
        Stretch of string k: blocks `first[k]` up to but not including `last[k]`, shape (strings,).
    jobs
        Jobs that each server of string k has room for, for all blocks that it hosts, shape (strings,).
    order
        Servers that may be moved, those first that are slowest for each block: so they stand in a string.
    room, at
        Blocks that string k could host beyond its stretch, and where its next server starts; scratch, (strings,).
    """

    string: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    jobs: NDArray[np.int64]
    order: NDArray[np.int64]
    room: NDArray[np.int64]
    at: NDArray[np.int64]


def strings_of(problem: Problem, chain: NDArray[np.int64], jobs: NDArray[np.int64]) -> Strings:
    """Each of these disjoint chains as a string over the whole model, and spare strings without servers.

    Parameters
    ----------
    chain
        Chain of each server, -1 for those in none, shape (J,).
    jobs
        Jobs of chain k, shape (chains,).
    """
    count = max(jobs.size, chain.size // 2) + 2
    padded = np.ones(count, dtype=np.int64)
    padded[: jobs.size] = jobs
    order = problem.free[np.argsort(-problem.comp[problem.free], kind="stable")]
    movable = np.zeros(chain.size, dtype=bool)
    movable[problem.free] = True
    return Strings(
        np.where(movable, chain, -1).astype(np.int64),
        np.zeros(count, dtype=np.int64),
        np.full(count, problem.blocks, dtype=np.int64),
        padded,
        order.astype(np.int64),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
    )


@kernel
def assign(source: Strings, target: Strings) -> None:
    """Make a state of the same shape the same as another."""
    for j in range(source.string.size):
        target.string[j] = source.string[j]
    for k in range(source.jobs.size):
        target.first[k] = source.first[k]
        target.last[k] = source.last[k]
        target.jobs[k] = source.jobs[k]


@kernel
def lay(problem: Problem, state: Strings, ranges: Ranges) -> None:
    """Write what the servers host; strings that have no room for their jobs run as many as they can.

    A server hosts m_j(c) blocks [eq. 6]; the slowest ones host less where that is more than the stretch needs. A string
    that cannot fill its stretch with room for one job hosts what it can.
    """
    string, room, at = state.string, state.room, state.at
    for k in range(state.jobs.size):
        room[k] = state.first[k] - state.last[k]
        at[k] = state.first[k]
    for j in state.order:
        ranges.start[j] = ranges.stop[j] = 0
        if string[j] >= 0:
            room[string[j]] += blocks_for(problem, j, state.jobs[string[j]])
    for k in range(state.jobs.size):
        if room[k] < 0 and state.jobs[k] > 1:
            _run_fewer(problem, state, k)
    for j in state.order:
        k = string[j]
        if k < 0:
            continue
        size = blocks_for(problem, j, state.jobs[k])
        less = min(max(room[k], 0), size)
        room[k] -= less
        stop = min(at[k] + size - less, state.last[k])
        if at[k] < stop:
            ranges.start[j] = at[k]
            ranges.stop[j] = stop
            at[k] = stop


@kernel
def _run_fewer(problem: Problem, state: Strings, k: int) -> None:
    """Lower the jobs of string k to the most with which its servers fill its stretch, by bisection."""
    least, most = 1, state.jobs[k]
    room = _room(problem, state, k, least)
    while most - least > 1 and room >= 0:
        middle = (least + most) // 2
        found = _room(problem, state, k, middle)
        if found >= 0:
            least, room = middle, found
        else:
            most = middle
    state.jobs[k], state.room[k] = least, room


@kernel
def _room(problem: Problem, state: Strings, k: int, jobs: int) -> int:
    """Blocks that the servers of string k can host beyond its stretch."""
    total: int = state.first[k] - state.last[k]
    for j in state.order:
        if state.string[j] == k:
            total += blocks_for(problem, j, jobs)
    return total


@kernel
def rearrange(problem: Problem, state: Strings, rng: np.random.Generator) -> None:
    """One move, of a kind that is drawn, now and then two; it may change nothing."""
    _rearrange(problem, state, rng)
    if rng.random() < 0.2:
        _rearrange(problem, state, rng)


@kernel
def _rearrange(problem: Problem, state: Strings, rng: np.random.Generator) -> None:
    kind = rng.random()
    if kind < 0.22:
        transfer(state, rng)
    elif kind < 0.45:
        exchange(state, rng)
    elif kind < 0.62:
        vary_jobs(state, rng)
    elif kind < 0.78:
        move_end(problem, state, rng)
    elif kind < 0.81:
        lie_beside(state, rng)
    elif kind < 0.82:
        cut(problem, state, rng)
    elif kind < 0.88:
        fork(problem, state, rng)
    elif kind < 0.92:
        halve(state, rng)
    else:
        unite(state, rng)


@kernel
def transfer(state: Strings, rng: np.random.Generator) -> None:
    """A server goes to another string, rarely to a spare one or to none; now and then two do."""
    while True:
        j = _some_server(state, rng)
        if rng.random() < 0.85:
            state.string[j] = state.string[_some_server(state, rng)]
        else:
            state.string[j] = draw(rng, state.jobs.size + 1) - 1
        _ask_more(state, state.string[j], rng)
        if rng.random() < 0.7:
            return


@kernel
def exchange(state: Strings, rng: np.random.Generator) -> None:
    """Two servers change places."""
    i, j = _some_server(state, rng), _some_server(state, rng)
    state.string[i], state.string[j] = state.string[j], state.string[i]
    _ask_more(state, state.string[i], rng)
    _ask_more(state, state.string[j], rng)


@kernel
def vary_jobs(state: Strings, rng: np.random.Generator) -> None:
    """A string has room for a few jobs more or less; now and then two do."""
    while True:
        k = state.string[_some_server(state, rng)]
        if k >= 0:
            state.jobs[k] = max(1, state.jobs[k] + _step(rng))
        if rng.random() < 0.7:
            return


@kernel
def move_end(problem: Problem, state: Strings, rng: np.random.Generator) -> None:
    """All strings that begin or end at a boundary do so a few blocks further on or back."""
    k = state.string[_some_server(state, rng)]
    if k < 0:
        return
    boundary = state.first[k] if rng.random() < 0.5 else state.last[k]
    target = boundary + _step(rng)
    if not 0 < boundary < problem.blocks or not 0 < target < problem.blocks:
        return
    for i in range(state.jobs.size):
        if _would_be_empty(state, i, boundary, target):
            if _size(state, i) > 0:
                return
            state.first[i], state.last[i] = 0, problem.blocks
    for i in range(state.jobs.size):
        if state.first[i] == boundary:
            state.first[i] = target
            _ask_more(state, i, rng)
        elif state.last[i] == boundary:
            state.last[i] = target
            _ask_more(state, i, rng)


@kernel
def _would_be_empty(state: Strings, k: int, boundary: int, target: int) -> bool:
    """Whether nothing would be left of the stretch of string k."""
    first = target if state.first[k] == boundary else state.first[k]
    last = target if state.last[k] == boundary else state.last[k]
    return bool(first >= last)


@kernel
def lie_beside(state: Strings, rng: np.random.Generator) -> None:
    """A string takes the stretch of another one, and its number of jobs, some of its jobs, or none."""
    k, i = draw(rng, state.jobs.size), draw(rng, state.jobs.size)
    if k == i:
        return
    state.first[k], state.last[k] = state.first[i], state.last[i]
    kind = rng.random()
    if kind < 0.4:
        state.jobs[k] = state.jobs[i]
    elif kind < 0.7 and state.jobs[i] > 1:
        state.jobs[k] = 1 + draw(rng, state.jobs[i] - 1)
        state.jobs[i] -= state.jobs[k]


@kernel
def cut(problem: Problem, state: Strings, rng: np.random.Generator) -> int:
    """A string becomes two end to end, between two of its servers, so that all host what they did.

    Returns one of the two, -1 where no string was cut.
    """
    k, spare = state.string[_some_server(state, rng)], _spare(state, rng)
    members = _size(state, k)
    if spare < 0 or members < 2:
        return -1
    kept = 1 + draw(rng, members - 1)
    excess = max(_room(problem, state, k, state.jobs[k]), 0)
    boundary, seen = state.first[k], 0
    for j in state.order:
        if state.string[j] != k:
            continue
        seen += 1
        if seen > kept:
            state.string[j] = spare
            continue
        size = blocks_for(problem, j, state.jobs[k])
        less = min(excess, size)
        excess -= less
        boundary += size - less
    state.jobs[spare], state.last[spare] = state.jobs[k], state.last[k]
    if state.first[k] < boundary < state.last[k]:
        state.first[spare] = state.last[k] = boundary
    else:  # all blocks are on one side: side by side then
        state.first[spare] = state.first[k]
    _ask_more(state, k, rng)
    _ask_more(state, spare, rng)
    side: int = k if rng.random() < 0.5 else spare
    return side


@kernel
def halve(state: Strings, rng: np.random.Generator) -> None:
    """A string becomes two side by side, with half of the servers and of the jobs each, or another part of the jobs.

    With half the jobs a server hosts about twice the blocks, so that both still fill the stretch, with fewer hops.
    """
    k = state.string[_some_server(state, rng)]
    if k >= 0:
        _halve(state, k, rng)


@kernel
def _halve(state: Strings, k: int, rng: np.random.Generator) -> None:
    spare = _spare(state, rng)
    if spare < 0 or state.jobs[k] < 2:
        return
    state.first[spare], state.last[spare] = state.first[k], state.last[k]
    part = 1 + draw(rng, state.jobs[k] - 1) if rng.random() < 0.3 else state.jobs[k] // 2
    state.jobs[spare] = part
    state.jobs[k] -= part
    goes = rng.random() < 0.5
    for j in state.order:
        if state.string[j] == k:
            if rng.random() < 0.2:
                goes = rng.random() < 0.5
            if goes:
                state.string[j] = spare
            goes = not goes
    _ask_more(state, k, rng)
    _ask_more(state, spare, rng)


@kernel
def fork(problem: Problem, state: Strings, rng: np.random.Generator) -> None:
    """A string is cut in two, and one of them halved: a trunk with two branches."""
    k = cut(problem, state, rng)
    if k >= 0:
        _halve(state, k, rng)


@kernel
def unite(state: Strings, rng: np.random.Generator) -> None:
    """Two strings become one: end to end, or side by side with the jobs of both."""
    k, strings = state.string[_some_server(state, rng)], state.jobs.size
    if k < 0:
        return
    offset = draw(rng, strings)
    for n in range(strings):
        i = (n + offset) % strings
        if i == k or _size(state, i) == 0:
            continue
        if state.last[k] == state.first[i]:
            state.last[k] = state.last[i]
        elif state.last[i] == state.first[k]:
            state.first[k] = state.first[i]
        elif state.first[i] == state.first[k] and state.last[i] == state.last[k]:
            state.jobs[k] += state.jobs[i]
        else:
            continue
        for j in state.order:
            if state.string[j] == i:
                state.string[j] = k
        _ask_more(state, k, rng)
        return


@kernel
def _some_server(state: Strings, rng: np.random.Generator) -> int:
    server: int = state.order[draw(rng, state.order.size)]
    return server


@kernel
def _step(rng: np.random.Generator) -> int:
    """Up or down by a few."""
    step = 1 + draw(rng, _FARTHEST_STEP)
    return step if rng.random() < 0.5 else -step


@kernel
def _ask_more(state: Strings, k: int, rng: np.random.Generator) -> None:
    """Every other time, let a changed string run some more jobs; `lay` lowers them to what there is room for."""
    if k >= 0 and rng.random() < 0.5:
        state.jobs[k] += 1 + draw(rng, _FARTHEST_STEP)


@kernel
def _size(state: Strings, k: int) -> int:
    """Servers of a string."""
    count = 0
    if k >= 0:
        for j in state.order:
            if state.string[j] == k:
                count += 1
    return count


@kernel
def _spare(state: Strings, rng: np.random.Generator) -> int:
    """A string without servers, -1 if there is none."""
    strings = state.jobs.size
    offset = draw(rng, strings)
    for n in range(strings):
        if _size(state, (n + offset) % strings) == 0:
            spare: int = (n + offset) % strings
            return spare
    return -1
