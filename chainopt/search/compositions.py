"""Placements with chains of their own: the state of a search in which chains outlive what the servers host.

GCA makes its chains anew for every placement, the fastest first, each with all the jobs that fit. Here the chains of
the state before a move stay, as far as its servers still host their blocks, with as many of their jobs as fit, and GCA
fills what is left free. A move changes what servers host, or takes jobs from a few chains so that others can have them:
ruin and recreate [Schrimpf et al. 2000]. As GCA would give the fastest chain back what it lost, some servers on it do
not let jobs in until one other path has been taken. So allocations are reached that GCA does not come to, and are kept
from one placement to the next.

References
----------
G. Schrimpf, J. Schneider, H. Stamm-Wilbrandt, G. Dueck, Record breaking optimization results using the ruin and
recreate principle, Journal of Computational Physics 159 (2000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.search.moves import draw, move_blocks
from chainopt.search.rounds import HOPELESS, fill, open_servers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges
    from chainopt.search.rounds import Rounds

_CHAINS_ONLY, _CHAINS_TOO = 0.1, 0.15
"""Probability that a move leaves alone what the servers host, and that chains lose jobs if it does not."""
_MOST_RUINED = 3
"""Chains that lose jobs at most."""
_CLOSED = 0.3
"""Probability that a server of such a chain does not let jobs in where the chain comes to it."""


class Composed(NamedTuple):
    """A placement and its chains, in any order; arrays are changed in place.

    Attributes
    ----------
    start, stop
        Blocks hosted, shape (J,) each.
    chains
        Number of chains, shape (1,).
    capacities, chain_first, hops
        c_k and servers of the chains, as in `Rounds`.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    chains: NDArray[np.int64]
    capacities: NDArray[np.int64]
    chain_first: NDArray[np.int64]
    hops: NDArray[np.int64]


def composed_of(ranges: Ranges, rounds: Rounds, count: int) -> Composed:
    """These ranges with the first `count` chains of the rounds, and room for as many as the rounds have."""
    return Composed(
        ranges.start.copy(),
        ranges.stop.copy(),
        np.array([count]),
        rounds.capacities.copy(),
        rounds.chain_first.copy(),
        rounds.hops.copy(),
    )


@kernel
def store(ranges: Ranges, rounds: Rounds, count: int, target: Composed) -> None:
    """Write these ranges and the first `count` chains of the rounds."""
    for j in range(ranges.start.size):
        target.start[j] = ranges.start[j]
        target.stop[j] = ranges.stop[j]
    target.chains[0] = count
    for k in range(count):
        target.capacities[k] = rounds.capacities[k]
        target.chain_first[k + 1] = rounds.chain_first[k + 1]
    for i in range(rounds.chain_first[count]):
        target.hops[i] = rounds.hops[i]


@kernel
def recompose(
    problem: Problem, ranges: Ranges, rounds: Rounds, state: Composed, needed: float, rng: np.random.Generator
) -> int:
    """One move, into `ranges` and `rounds`; number of chains, 0 if it changes nothing or leaves no chain.

    Parameters
    ----------
    ranges
        What the servers of the state host, without quotas.
    needed
        As in `allocate`, which see for `HOPELESS` too.
    """
    moves = problem.free.size > 0 and rng.random() >= _CHAINS_ONLY
    if moves and not move_blocks(problem, ranges, rng):
        return 0
    if not open_servers(problem, ranges, rounds):
        return 0
    kept = found = carry_over(problem, ranges, rounds, state)
    if kept > 0 and (not moves or rng.random() < _CHAINS_TOO):
        for _ in range(1 if moves else 1 + draw(rng, _MOST_RUINED)):
            _ruin(ranges, rounds, draw(rng, kept), rng)
        found = _take_other(problem, ranges, rounds, kept, rng)
    found = fill(problem, ranges, rounds, found, rounds.ticks.size, needed)
    if found == HOPELESS:
        return HOPELESS
    _unite(rounds, kept, found)
    return _squeeze(rounds, found)


@kernel
def carry_over(problem: Problem, ranges: Ranges, rounds: Rounds, state: Composed) -> int:
    """Onto open servers, write the chains of a state that they still have, with the jobs that fit; their number."""
    count, at = 0, 0
    for k in range(state.chains[0]):
        capacity, ticks, boundary = state.capacities[k], 0, 0
        for i in range(state.chain_first[k], state.chain_first[k + 1]):
            j = state.hops[i]
            if not ranges.start[j] <= boundary < ranges.stop[j]:
                capacity = 0
                break
            blocks = ranges.stop[j] - boundary
            capacity = min(capacity, rounds.residual[j] // blocks)
            ticks += problem.comm[j] + problem.comp[j] * blocks
            boundary = ranges.stop[j]
        if capacity == 0 or boundary != problem.blocks:
            continue
        for i in range(state.chain_first[k], state.chain_first[k + 1]):
            rounds.hops[at] = state.hops[i]
            at += 1
        rounds.ticks[count], rounds.rates[count] = ticks, 1.0 / ticks
        rounds.capacities[count] = 0
        rounds.chain_first[count + 1] = at
        _change_jobs(ranges, rounds, count, capacity)
        count += 1
    return count


@kernel
def _change_jobs(ranges: Ranges, rounds: Rounds, k: int, jobs: int) -> None:
    """Give chain k so many jobs more, or fewer, on slots that are free."""
    rounds.capacities[k] += jobs
    boundary = 0
    for i in range(rounds.chain_first[k], rounds.chain_first[k + 1]):
        j = rounds.hops[i]
        rounds.residual[j] -= jobs * (ranges.stop[j] - boundary)
        boundary = ranges.stop[j]


@kernel
def _ruin(ranges: Ranges, rounds: Rounds, k: int, rng: np.random.Generator) -> None:
    """Take one of its jobs from chain k, or some, or all, and close some servers where it comes to them."""
    capacity = rounds.capacities[k]
    if capacity == 0:
        return
    _change_jobs(ranges, rounds, k, -1 if rng.random() < 0.5 else -1 - draw(rng, capacity))
    boundary = 0
    for i in range(rounds.chain_first[k], rounds.chain_first[k + 1]):
        j = rounds.hops[i]
        if rng.random() < _CLOSED:
            ranges.entry[j], rounds.left[j] = ranges.stop[j] - boundary, 0
        boundary = ranges.stop[j]


@kernel
def _take_other(problem: Problem, ranges: Ranges, rounds: Rounds, count: int, rng: np.random.Generator) -> int:
    """Add the fastest path that is not closed, with all jobs that fit or some, and open all; number of chains."""
    found = fill(problem, ranges, rounds, count, 1)
    if found > count and rng.random() < 0.5:
        _change_jobs(ranges, rounds, count, -draw(rng, rounds.capacities[count]))
    for j in range(ranges.entry.size):
        ranges.entry[j] = 0
    return found


@kernel
def _unite(rounds: Rounds, count: int, found: int) -> None:
    """Give the jobs of chains from `count` on to chains before them of the same servers."""
    first, hops = rounds.chain_first, rounds.hops
    for k in range(count, found):
        for i in range(k):
            if rounds.ticks[i] == rounds.ticks[k] and np.array_equal(
                hops[first[i] : first[i + 1]], hops[first[k] : first[k + 1]]
            ):
                rounds.capacities[i] += rounds.capacities[k]
                rounds.capacities[k] = 0
                break


@kernel
def _squeeze(rounds: Rounds, count: int) -> int:
    """Leave out chains without jobs; number of the others."""
    first, hops = rounds.chain_first, rounds.hops
    kept, at, begin = 0, 0, 0
    for k in range(count):
        end = first[k + 1]
        if rounds.capacities[k] > 0:
            rounds.ticks[kept], rounds.rates[kept] = rounds.ticks[k], rounds.rates[k]
            rounds.capacities[kept] = rounds.capacities[k]
            for i in range(begin, end):
                hops[at] = hops[i]
                at += 1
            kept += 1
            first[kept] = at
        begin = end
    return kept
