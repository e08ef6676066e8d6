"""Disjoint chains, each with a number of jobs of its own: the state of a search that need not allocate caches.

A server of a chain that runs c jobs hosts at most m_j(c) blocks [eq. 6], as in GBP-CR, but c may differ from chain to
chain. Chains with more room than L blocks take from the servers that are slowest for each block. Whole servers are
moved between chains, so that a state is looked at in a microsecond, however many servers there are. What GCA makes of
the placement in the end is at least as good for throughput, as it has the slots that are left over too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.search.moves import draw
from chainopt.topology import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem


class Disjoint(NamedTuple):
    """Servers strung into chains; arrays are changed in place.

    Attributes
    ----------
    chain
        Chain of each server, -1 for those in none, shape (J,).
    members, size
        Servers of chain k, `members[k, : size[k]]`, those first that are slowest for each block.
    jobs, ticks
        c_k and T_k; `NEVER` where the servers cannot host L blocks, shape (chains,).
    rank
        Place of each server when they are sorted so, shape (J,).
    order, rates, capacities
        Chains by increasing time, and 1/T_k and c_k in this order; rooms of shape (chains,).
    amortised
        Room for the amortised time of each server [eq. 8], shape (J,).
    log
        What the move changed: chain of servers, and c and T of chains; rows of (-1, server, chain) or (chain, c, T).
    counts
        Rows of the log, shape (1,).
    """

    chain: NDArray[np.int64]
    members: NDArray[np.int64]
    size: NDArray[np.int64]
    jobs: NDArray[np.int64]
    ticks: NDArray[np.int64]
    rank: NDArray[np.int64]
    order: NDArray[np.int64]
    rates: NDArray[np.float64]
    capacities: NDArray[np.int64]
    amortised: NDArray[np.float64]
    log: NDArray[np.int64]
    counts: NDArray[np.int64]


def spare_chains(problem: Problem, chain: NDArray[np.int64]) -> int:
    """Number of chains to have, some of them empty, where servers are strung into chains like this."""
    return int(max(chain.max(initial=-1) + 1, problem.most.sum() // problem.blocks)) + 2


def disjoint_of(problem: Problem, chain: NDArray[np.int64], jobs: NDArray[np.int64]) -> Disjoint:
    """Servers strung into chains; those that may not be moved are left out.

    Parameters
    ----------
    chain
        Chain of each server, -1 for those in none, shape (J,).
    jobs
        c_k at most, less where the servers of the chain cannot host L blocks for so many, shape (chains,).
    """
    servers, chains = chain.size, jobs.size
    rank = np.empty(servers, dtype=np.int64)
    rank[np.argsort(-problem.comp, kind="stable")] = np.arange(servers)
    state = Disjoint(
        np.full(servers, -1, dtype=np.int64),
        np.zeros((chains, min(servers, 2 * problem.blocks)), dtype=np.int64),
        np.zeros(chains, dtype=np.int64),
        jobs.copy(),
        np.full(chains, NEVER, dtype=np.int64),
        rank,
        np.arange(chains, dtype=np.int64),
        np.zeros(chains),
        np.zeros(chains, dtype=np.int64),
        np.zeros(servers),
        np.zeros((4 * servers + 16, 3), dtype=np.int64),
        np.zeros(1, dtype=np.int64),
    )
    for j in problem.free.tolist():
        _put(state, j, int(chain[j]))
        state.counts[0] = 0
    for k in range(chains):
        _time_chain(problem, state, k)
        state.counts[0] = 0
    return state


@kernel
def change(problem: Problem, state: Disjoint, rng: np.random.Generator) -> bool:
    """One move, of a kind that is drawn; False if it changes nothing."""
    kind = rng.random()
    if kind < 0.35:
        return _transfer(problem, state, rng)
    if kind < 0.75:
        return _exchange(problem, state, rng)
    if kind < 0.9:
        return _vary_jobs(problem, state, rng)
    return _restring(problem, state, rng)


@kernel
def _transfer(problem: Problem, state: Disjoint, rng: np.random.Generator) -> bool:
    """A server goes to another chain, or to none."""
    j = problem.free[draw(rng, problem.free.size)]
    before, after = state.chain[j], draw(rng, state.jobs.size + 1) - 1
    if before == after:
        return False
    if not _put(state, j, after):
        return False
    if after >= 0 and rng.random() < 0.5:
        _set_jobs(state, after, state.jobs[after] + 1 + draw(rng, 3))
    _time_chain(problem, state, before)
    _time_chain(problem, state, after)
    return True


@kernel
def _exchange(problem: Problem, state: Disjoint, rng: np.random.Generator) -> bool:
    """Two servers of different chains change places."""
    i = problem.free[draw(rng, problem.free.size)]
    j = problem.free[draw(rng, problem.free.size)]
    first, second = state.chain[i], state.chain[j]
    if first == second:
        return False
    _put(state, i, -1)
    _put(state, j, first)
    _put(state, i, second)
    if rng.random() < 0.3:
        k = first if rng.random() < 0.5 else second
        if k >= 0:
            _set_jobs(state, k, state.jobs[k] + 1)
    _time_chain(problem, state, first)
    _time_chain(problem, state, second)
    return True


@kernel
def _vary_jobs(problem: Problem, state: Disjoint, rng: np.random.Generator) -> bool:
    """A chain runs a few jobs more or less."""
    k = draw(rng, state.jobs.size)
    if state.size[k] == 0:
        return False
    step = 1 + draw(rng, 2)
    jobs = state.jobs[k] + (step if rng.random() < 0.5 else -step)
    if jobs < 1:
        return False
    ticks, had = state.ticks[k], state.jobs[k]
    _set_jobs(state, k, jobs)
    _time_chain(problem, state, k)
    return bool(state.jobs[k] != had or state.ticks[k] != ticks)


@kernel
def _restring(problem: Problem, state: Disjoint, rng: np.random.Generator) -> bool:
    """Two chains are taken apart and strung anew, for another number of jobs, as GBP-CR does it but for some noise.

    Ruin and recreate [Schrimpf et al., Record breaking optimization results using the ruin and recreate principle,
    Journal of Computational Physics 159, 2000].
    """
    first, second = draw(rng, state.jobs.size), draw(rng, state.jobs.size)
    for k in (first, second):
        while state.size[k] > 0:
            _put(state, state.members[k, 0], -1)
    jobs = state.jobs[first] + draw(rng, 5) - 2
    if rng.random() < 0.5:  # as another chain has it
        jobs = state.jobs[draw(rng, state.jobs.size)]
    _set_jobs(state, first, max(jobs, 1))
    _string(problem, state, first, rng)
    if second != first:
        if rng.random() < 0.5:
            _set_jobs(state, second, max(state.jobs[second] + draw(rng, 5) - 2, 1))
        _string(problem, state, second, rng)
    return True


@kernel
def _string(problem: Problem, state: Disjoint, k: int, rng: np.random.Generator) -> None:
    """Put servers that are in no chain into an empty chain, the fastest for each block first, until it has L blocks."""
    amortised = state.amortised
    jobs = state.jobs[k]
    noise = 0.3 * rng.random()
    for j in problem.free:
        if state.chain[j] < 0:
            size = blocks_for(problem, j, jobs)
            amortised[j] = (problem.comm[j] / size + problem.comp[j]) * (1.0 + noise * rng.random()) if size else np.inf
    missing = problem.blocks
    while missing > 0:
        best = -1
        for j in problem.free:
            if state.chain[j] < 0 and amortised[j] < np.inf and (best < 0 or amortised[j] < amortised[best]):
                best = j
        if best < 0 or not _put(state, best, k):
            break
        missing -= blocks_for(problem, best, jobs)
    _time_chain(problem, state, k)


@kernel
def settle(state: Disjoint) -> None:
    """The move stands."""
    state.counts[0] = 0


@kernel
def revert(state: Disjoint) -> None:
    """Undo the move."""
    log = state.log
    for row in range(state.counts[0] - 1, -1, -1):
        k = log[row, 0]
        if k < 0:
            _leave(state, log[row, 1])
            _join(state, log[row, 1], log[row, 2])
        else:
            state.jobs[k], state.ticks[k] = log[row, 1], log[row, 2]
    state.counts[0] = 0


@kernel
def order_chains(state: Disjoint) -> int:
    """Sort the chains by time into `rates` and `capacities`; number of those that are complete."""
    order, ticks, rates, capacities = state.order, state.ticks, state.rates, state.capacities
    for i in range(1, order.size):
        k = order[i]
        place = i
        while place > 0 and ticks[order[place - 1]] > ticks[k]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = k
    count = 0
    while count < order.size and ticks[order[count]] < NEVER:
        k = order[count]
        rates[count] = 1.0 / ticks[k]
        capacities[count] = state.jobs[k]
        count += 1
    return count


@kernel
def hosted_ranges(problem: Problem, state: Disjoint, start: NDArray[np.int64], stop: NDArray[np.int64]) -> None:
    """Write the ranges that the servers of complete chains host, one after another; others are left as they are."""
    for k in range(state.jobs.size):
        if state.ticks[k] >= NEVER:
            continue
        excess = -problem.blocks
        for i in range(state.size[k]):
            excess += blocks_for(problem, state.members[k, i], state.jobs[k])
        block = 0
        for i in range(state.size[k]):
            j = state.members[k, i]
            room = blocks_for(problem, j, state.jobs[k])
            less = min(excess, room)
            excess -= less
            start[j], stop[j] = (block, block + room - less) if room > less else (0, 0)
            block += room - less


@kernel
def blocks_for(problem: Problem, j: int, jobs: int) -> int:
    """m_j(c), blocks that server j hosts with room for c jobs at each [eq. 6], by bisection."""
    least, most = 0, problem.most[j]
    while least < most:
        middle = (least + most + 1) // 2
        if problem.slots[j, middle] >= jobs * middle:
            least = middle
        else:
            most = middle - 1
    return least


@kernel
def _time_chain(problem: Problem, state: Disjoint, k: int) -> None:
    """Lower c_k until the servers of the chain can host L blocks, and find T_k."""
    if k < 0:
        return
    _remember_chain(state, k)
    members, size = state.members, state.size[k]
    jobs = state.jobs[k]
    excess = _excess(problem, state, k, jobs)
    if excess < 0:
        least, most = 0, jobs - 1  # bisection for the largest c with room
        while least < most:
            middle = (least + most + 1) // 2
            if _excess(problem, state, k, middle) >= 0:
                least = middle
            else:
                most = middle - 1
        if least == 0:
            state.ticks[k] = NEVER
            return
        jobs = least
        excess = _excess(problem, state, k, jobs)
        state.jobs[k] = jobs
    ticks = 0
    for i in range(size):
        j = members[k, i]
        room = blocks_for(problem, j, jobs)
        less = min(excess, room)
        excess -= less
        if room > less:
            ticks += problem.comm[j] + problem.comp[j] * (room - less)
    state.ticks[k] = ticks


@kernel
def _excess(problem: Problem, state: Disjoint, k: int, jobs: int) -> int:
    """Blocks beyond L for which the servers of a chain have room with so many jobs."""
    total = -problem.blocks
    for i in range(state.size[k]):
        total += blocks_for(problem, state.members[k, i], jobs)
    return total


@kernel
def _set_jobs(state: Disjoint, k: int, jobs: int) -> None:
    _remember_chain(state, k)
    state.jobs[k] = jobs


@kernel
def _remember_chain(state: Disjoint, k: int) -> None:
    row = state.counts[0]
    state.log[row, 0], state.log[row, 1], state.log[row, 2] = k, state.jobs[k], state.ticks[k]
    state.counts[0] += 1


@kernel
def _put(state: Disjoint, j: int, k: int) -> bool:
    """Put a server into a chain, or into none if k is -1; False if the chain is full."""
    if k >= 0 and state.size[k] == state.members.shape[1]:
        return False
    row = state.counts[0]
    state.log[row, 0], state.log[row, 1], state.log[row, 2] = -1, j, state.chain[j]
    state.counts[0] += 1
    _leave(state, j)
    _join(state, j, k)
    return True


@kernel
def _leave(state: Disjoint, j: int) -> None:
    k = state.chain[j]
    if k < 0:
        return
    members = state.members
    i = 0
    while members[k, i] != j:
        i += 1
    state.size[k] -= 1
    for n in range(i, state.size[k]):
        members[k, n] = members[k, n + 1]
    state.chain[j] = -1


@kernel
def _join(state: Disjoint, j: int, k: int) -> None:
    if k < 0:
        return
    members, rank = state.members, state.rank
    i = state.size[k]
    while i > 0 and rank[members[k, i - 1]] > rank[j]:
        members[k, i] = members[k, i - 1]
        i -= 1
    members[k, i] = j
    state.size[k] += 1
    state.chain[j] = k
