"""Simulated annealing over what the servers host [Kirkpatrick, Gelatt, Vecchi 1983].

A move is accepted if the energy rises by at most -T log u, u uniform and T falling geometrically. The number is drawn
before the state is looked at, so that a bound above it spares the exact value.

References
----------
S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, Optimization by simulated annealing, Science 220 (1983).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.search.compositions import Composed, recompose, store
from chainopt.search.disjoint import Disjoint, change, order_chains, revert, settle
from chainopt.search.energy import energy, needed_rate
from chainopt.search.moves import move
from chainopt.search.ranges import Ranges, keep, take_back
from chainopt.search.rounds import HOPELESS, Rounds, allocate
from chainopt.search.strings import Strings, assign, lay, rearrange
from chainopt.topology import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem


TRUST = 0.5
"""Part of the distance between the exact value and Theorem 4's lower bound that a move is not expected to close."""


class Standing(NamedTuple):
    """Where the annealing stands; arrays are changed in place.

    Attributes
    ----------
    energies
        Of the current state and of the best, and how much the current one is above Theorem 4's bound, shape (3,).
    start, stop, entry, quota
        The best state, shape (J,) each.
    """

    energies: NDArray[np.float64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    entry: NDArray[np.int64]
    quota: NDArray[np.int64]


@kernel
def look(problem: Problem, ranges: Ranges, rounds: Rounds, ceiling: float, gain: float) -> tuple[float, float]:
    """Energy of a state, see `energy`; infinite where it is known early to be no less than the ceiling."""
    chains = allocate(problem, ranges, rounds, needed_rate(problem, ceiling))
    if chains == HOPELESS:
        return np.inf, 0.0
    reach = problem.blocks if chains else _reach(problem, rounds)
    return energy(problem, rounds.rates[:chains], rounds.capacities[:chains], reach, ceiling, gain)


@kernel
def _reach(problem: Problem, rounds: Rounds) -> int:
    """Farthest boundary that a path came to, where none came to the end."""
    farthest = 0
    for at in range(1, rounds.before[problem.blocks]):
        if rounds.time[at] < NEVER:
            farthest = rounds.boundary[at]
    return farthest


@kernel
def anneal(
    problem: Problem,
    ranges: Ranges,
    rounds: Rounds,
    standing: Standing,
    rng: np.random.Generator,
    begin: int,
    end: int,
    share: float,
    hot: float,
    cold: float,
) -> int:
    """Iterations `begin`, ..., `end` - 1; returns the number of states that were looked at.

    Parameters
    ----------
    share
        Part of the annealing that an iteration is; temperatures fall from `hot` to `cold` while it goes from 0 to 1.
    """
    energies = standing.energies
    current, best, above = energies[0], energies[1], energies[2]
    log_hot, fall = np.log(hot), np.log(cold / hot)
    looks = 0
    for i in range(begin, end):
        if not move(problem, ranges, rng):
            take_back(problem, ranges)
            continue
        ceiling = current - np.exp(log_hot + fall * min(i * share, 1.0)) * np.log(1.0 - rng.random())
        value, gap = look(problem, ranges, rounds, ceiling, TRUST * above)
        looks += 1
        if value >= ceiling:
            take_back(problem, ranges)
            continue
        keep(ranges)
        current, above = value, gap
        if value < best:
            best = value
            for j in range(ranges.start.size):
                standing.start[j] = ranges.start[j]
                standing.stop[j] = ranges.stop[j]
                standing.entry[j] = ranges.entry[j]
                standing.quota[j] = ranges.quota[j]
    energies[0], energies[1], energies[2] = current, best, above
    return looks


@kernel
def anneal_disjoint(
    problem: Problem,
    state: Disjoint,
    energies: NDArray[np.float64],
    best_chain: NDArray[np.int64],
    best_jobs: NDArray[np.int64],
    rng: np.random.Generator,
    begin: int,
    end: int,
    share: float,
    hot: float,
    cold: float,
) -> int:
    """Like `anneal`, for disjoint chains; the best goes to `best_chain` and `best_jobs`."""
    current, best, above = energies[0], energies[1], energies[2]
    log_hot, fall = np.log(hot), np.log(cold / hot)
    looks = 0
    for i in range(begin, end):
        if not change(problem, state, rng):
            revert(state)
            continue
        ceiling = current - np.exp(log_hot + fall * min(i * share, 1.0)) * np.log(1.0 - rng.random())
        chains = order_chains(state)
        value, gap = energy(problem, state.rates[:chains], state.capacities[:chains], 0, ceiling, TRUST * above)
        looks += 1
        if value >= ceiling:
            revert(state)
            continue
        settle(state)
        current, above = value, gap
        if value < best:
            best = value
            for j in range(best_chain.size):
                best_chain[j] = state.chain[j]
            for k in range(best_jobs.size):
                best_jobs[k] = state.jobs[k]
    energies[0], energies[1], energies[2] = current, best, above
    return looks


@kernel
def anneal_strings(
    problem: Problem,
    state: Strings,
    kept: Strings,
    best_state: Strings,
    ranges: Ranges,
    rounds: Rounds,
    energies: NDArray[np.float64],
    rng: np.random.Generator,
    begin: int,
    end: int,
    share: float,
    hot: float,
    cold: float,
) -> int:
    """Like `anneal`, for strings of servers; the current state is `kept`, and `ranges` are scratch.

    States that differ in nothing that a server hosts, about a third of them, are taken without a look.
    """
    current, best, above = energies[0], energies[1], energies[2]
    log_hot, fall = np.log(hot), np.log(cold / hot)
    lay(problem, kept, ranges)
    start, stop = ranges.start.copy(), ranges.stop.copy()
    looks = 0
    for i in range(begin, end):
        rearrange(problem, state, rng)
        lay(problem, state, ranges)
        if _same(ranges, start, stop):
            assign(state, kept)
            continue
        ceiling = current - np.exp(log_hot + fall * min(i * share, 1.0)) * np.log(1.0 - rng.random())
        value, gap = look(problem, ranges, rounds, ceiling, TRUST * above)
        looks += 1
        if value >= ceiling:
            assign(kept, state)
            continue
        assign(state, kept)
        for j in range(start.size):
            start[j], stop[j] = ranges.start[j], ranges.stop[j]
        current, above = value, gap
        if value < best:
            best = value
            assign(state, best_state)
    energies[0], energies[1], energies[2] = current, best, above
    return looks


@kernel
def anneal_compositions(
    problem: Problem,
    state: Composed,
    best_state: Composed,
    ranges: Ranges,
    rounds: Rounds,
    energies: NDArray[np.float64],
    rng: np.random.Generator,
    begin: int,
    end: int,
    share: float,
    hot: float,
    cold: float,
) -> int:
    """Like `anneal`, for placements with chains of their own; `ranges` are those of the state, without quotas."""
    current, best, above = energies[0], energies[1], energies[2]
    log_hot, fall = np.log(hot), np.log(cold / hot)
    looks = 0
    for i in range(begin, end):
        ceiling = current - np.exp(log_hot + fall * min(i * share, 1.0)) * np.log(1.0 - rng.random())
        chains = recompose(problem, ranges, rounds, state, needed_rate(problem, ceiling), rng)
        looks += chains != 0
        if chains <= 0:
            take_back(problem, ranges)
            continue
        order = np.argsort(rounds.ticks[:chains])
        rates, capacities = rounds.rates[order], rounds.capacities[order]
        value, gap = energy(problem, rates, capacities, problem.blocks, ceiling, TRUST * above)
        if value >= ceiling:
            take_back(problem, ranges)
            continue
        keep(ranges)
        store(ranges, rounds, chains, state)
        current, above = value, gap
        if value < best:
            best = value
            store(ranges, rounds, chains, best_state)
    energies[0], energies[1], energies[2] = current, best, above
    return looks


@kernel
def _same(ranges: Ranges, start: NDArray[np.int64], stop: NDArray[np.int64]) -> bool:
    """Whether the servers host these ranges."""
    return bool(np.array_equal(ranges.start, start) and np.array_equal(ranges.stop, stop))
