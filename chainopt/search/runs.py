"""Annealings that share a budget, of every kind of state, and what they found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.exact.enumeration import value_of
from chainopt.model.solution import Objective
from chainopt.placement.greedy import pinned_ranges
from chainopt.search.annealing import (
    Standing,
    anneal,
    anneal_compositions,
    anneal_disjoint,
    anneal_strings,
    look,
)
from chainopt.search.branching import MOST_SERVERS, better_allocation
from chainopt.search.compositions import composed_of
from chainopt.search.disjoint import blocks_for, disjoint_of, hosted_ranges, order_chains
from chainopt.search.energy import FALLS_SHORT, energy, energy_of, objective_value
from chainopt.search.ranges import copy_of, ranges_of
from chainopt.search.rounds import allocate, rounds_for
from chainopt.search.starts import Start
from chainopt.search.strings import lay, strings_of
from chainopt.search.sweeps import Sweeps
from chainopt.topology import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.search.budget import Budget
    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges

    Progress = Callable[["Moment"], None]

COLD = 0.003
"""Temperature at the end of an annealing of what servers host, divided by the number of servers."""
_BRANCHING = 20
"""Slices of branch and bound for the allocation of a placement."""


class Moment(NamedTuple):
    """When something better was found.

    Attributes
    ----------
    elapsed_s
        Seconds since the search began.
    iterations
        Iterations until then.
    value
        Of the objective, up to a relative 1e-7, rarely 1e-4.
    """

    elapsed_s: float
    iterations: int
    value: float


@dataclass(eq=False)
class Runs:
    """Annealings under way.

    Attributes
    ----------
    history
        Every improvement, the last one the best.
    ends
        States to choose from: starts, and what annealings ended with, also when Ctrl-C ended them.
    better
        Compositions whose allocations are better than GCA's.
    annealed
        States that were annealed.
    best
        The least energy so far.
    """

    instance: Instance
    objective: Objective
    problem: Problem
    budget: Budget
    seed: int
    on_progress: Progress | None
    history: list[Moment] = field(default_factory=list)
    ends: list[Start] = field(default_factory=list)
    better: list[Composition] = field(default_factory=list)
    annealed: int = 0
    best: float = math.inf

    def __post_init__(self) -> None:
        self.rounds = rounds_for(self.problem)
        self.rng = np.random.default_rng(self.seed)
        self._branched: set[bytes] = set()

    @property
    def lacks_rate(self) -> bool:
        """Whether a larger total service rate is what is needed."""
        return self.objective is Objective.RATE or self.best >= FALLS_SHORT

    def anneal(self, share: float, hot: float, start: Start, cold: float = COLD) -> Start:
        """Anneal what the servers host, with the chains that GCA makes."""
        self.annealed += 1
        ranges = copy_of(start.ranges)
        first = start.energy
        if start.composed is not None:
            first, _ = look(self.problem, ranges, self.rounds, math.inf, 0.0)
        standing = Standing(np.array([first, first, 0.0]), *(array.copy() for array in ranges[:4]))
        servers = ranges.start.size

        def run(begin: int, end: int, each: float) -> int:
            return anneal(
                self.problem, ranges, self.rounds, standing, self.rng, begin, end, each, hot / servers, cold / servers
            )

        def ended() -> Start:
            best = ranges_of(self.problem, standing.start, standing.stop)
            best.entry[:] = standing.entry
            best.quota[:] = standing.quota
            return Start(float(standing.energies[1]), best, start.reservation)

        try:
            self.budget.spend(share, run, lambda: self.note(float(standing.energies[1])))
        finally:  # Ctrl-C too
            self.ends.append(ended())
        self._branch(self.ends[-1])
        return self.ends[-1]

    def compose(self, share: float, hot: float, start: Start) -> Start:
        """Anneal what the servers host together with their chains; without these if there are none."""
        problem, rounds, composed = self.problem, self.rounds, start.composed
        if composed is None:
            chains = allocate(problem, start.ranges, rounds)
            if chains == 0:
                return self.anneal(share, hot, start)
            composed = composed_of(start.ranges, rounds, chains)
        self.annealed += 1
        state, best = copy_of(composed), copy_of(composed)
        ranges = ranges_of(problem, state.start, state.stop)
        energies = np.array([start.energy, start.energy, 0.0])
        servers = state.start.size

        def run(begin: int, end: int, each: float) -> int:
            temperatures = hot / servers, COLD / servers
            return anneal_compositions(
                problem, state, best, ranges, rounds, energies, self.rng, begin, end, each, *temperatures
            )

        try:
            self.budget.spend(share, run, lambda: self.note(float(energies[1])))
        finally:  # Ctrl-C too
            ended = ranges_of(problem, best.start, best.stop)
            self.ends.append(Start(float(energies[1]), ended, start.reservation, best))
        self._branch(self.ends[-1])
        return self.ends[-1]

    def disjoint(
        self, share: float, chain: NDArray[np.int64], jobs: NDArray[np.int64], hot: float, cold: float
    ) -> Start:
        """Anneal disjoint chains, and place them."""
        self.annealed += 1
        state = disjoint_of(self.problem, chain, jobs)
        chains = order_chains(state)
        first, _ = energy(self.problem, state.rates[:chains], state.capacities[:chains], 0, math.inf, 0.0)
        energies = np.array([first, first, 0.0])
        best_chain, best_jobs = state.chain.copy(), state.jobs.copy()
        servers = chain.size

        def run(begin: int, end: int, each: float) -> int:
            temperatures = hot / servers, cold / servers
            return anneal_disjoint(
                self.problem, state, energies, best_chain, best_jobs, self.rng, begin, end, each, *temperatures
            )

        try:
            self.budget.spend(share, run, lambda: None)
        finally:  # Ctrl-C too
            ranges = self._placed(best_chain, best_jobs)
            value, _ = look(self.problem, ranges, self.rounds, math.inf, 0.0)
            self.ends.append(Start(value, ranges, None))
        self.note(value)
        return self.ends[-1]

    def string(self, share: float, chain: NDArray[np.int64], jobs: NDArray[np.int64], hot: float, cold: float) -> Start:
        """Anneal strings of servers, from disjoint chains."""
        self.annealed += 1
        problem, rounds = self.problem, self.rounds
        state = strings_of(problem, chain, jobs)
        ranges = ranges_of(problem, *pinned_ranges(self.instance))
        lay(problem, state, ranges)
        first, _ = look(problem, ranges, rounds, math.inf, 0.0)
        energies = np.array([first, first, 0.0])
        kept, best = copy_of(state), copy_of(state)
        servers = chain.size

        def run(begin: int, end: int, each: float) -> int:
            temperatures = hot / servers, cold / servers
            return anneal_strings(
                problem, state, kept, best, ranges, rounds, energies, self.rng, begin, end, each, *temperatures
            )

        try:
            self.budget.spend(share, run, lambda: self.note(float(energies[1])))
        finally:  # Ctrl-C too
            lay(problem, best, ranges)
            self.ends.append(Start(float(energies[1]), ranges_of(problem, ranges.start, ranges.stop), None))
        return self.ends[-1]

    def sweeps(self) -> Sweeps:
        """Beam searches for layouts, none begun."""
        free = all(server.pin is None for server in self.instance.servers)
        free = free and self.problem.most_moved == np.iinfo(np.int64).max
        return Sweeps(self.problem, self.rounds, self.rng, by_rate=self.lacks_rate, free=free)

    def sweep(self, share: float, sweeps: Sweeps) -> list[Start]:
        """Go on with beam searches; all states that they came to so far, none where there is nothing to search."""
        before = len(sweeps.found)
        if not sweeps.possible:
            return []
        try:
            self.budget.spend(share, sweeps.run, lambda: self.note(sweeps.best))
        finally:  # Ctrl-C too
            self.ends.extend(sweeps.found[before:])
        return sweeps.found

    def note(self, value: float) -> None:
        """Take down an improvement."""
        if value >= self.best:
            return
        self.best = value
        readable = objective_value(self.problem, value, self.instance.time.places)
        if readable is not None:
            moment = Moment(self.budget.elapsed_s, self.budget.done, readable)
            self.history.append(moment)
            if self.on_progress is not None:
                self.on_progress(moment)

    def _branch(self, state: Start) -> None:
        """Look for a better allocation of the state's placement, if there are few servers."""
        key = state.ranges.start.tobytes() + state.ranges.stop.tobytes()
        if state.ranges.start.size > MOST_SERVERS or key in self._branched or self.budget.exhausted:
            return
        self._branched.add(key)
        best = min(self.best, state.energy)
        found = better_allocation(self.instance, self.problem, state.ranges, best, _BRANCHING, self.budget.deadline)
        if found is not None:
            self.better.append(found)
            value = value_of(self.instance, found, self.objective)
            self.note(energy_of(self.problem, value, self.instance.time.places))

    def _placed(self, chain: NDArray[np.int64], jobs: NDArray[np.int64]) -> Ranges:
        """Ranges of disjoint chains; servers in none of them are strung together, as the last ones of GBP-CR are."""
        problem = self.problem
        state = disjoint_of(problem, chain, jobs)
        pinned = ranges_of(problem, *pinned_ranges(self.instance))
        start, stop = pinned.start.copy(), pinned.stop.copy()
        hosted_ranges(problem, state, start, stop)
        least = int(state.jobs[state.ticks < NEVER].min(initial=1))
        block = 0
        for j in problem.free[stop[problem.free] == 0].tolist():
            size = blocks_for(problem, j, least)
            start[j] = min(block, problem.blocks - size)
            stop[j] = block = start[j] + size
            block %= problem.blocks
        return ranges_of(problem, start, stop)
