"""The search: several starts, disjoint chains first, then what the servers host; the best of all is returned."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.allocation.job_servers import fewest_job_servers
from chainopt.errors import UnstableError
from chainopt.exact.cache_allocation import allocate_fewest, allocate_most
from chainopt.exact.enumeration import value_of
from chainopt.jit import interrupted
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.solution import Objective
from chainopt.placement.greedy import pinned_ranges
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing.exact import NODES
from chainopt.search.annealing import Standing, anneal, anneal_disjoint, anneal_strings, look
from chainopt.search.branching import MOST_SERVERS, better_allocation
from chainopt.search.budget import Budget
from chainopt.search.candidates import Candidate, distinct, merged, next_of
from chainopt.search.disjoint import blocks_for, disjoint_of, hosted_ranges, order_chains, spare_chains
from chainopt.search.energy import FALLS_SHORT, energy, energy_of, objective_value
from chainopt.search.problem import Problem, problem_of
from chainopt.search.ranges import Ranges, ranges_of
from chainopt.search.rounds import allocate, rounds_for
from chainopt.search.starts import Start, greedy_chains, starts_of
from chainopt.search.strings import copy_of, lay, strings_of
from chainopt.search.truncation import best_truncation
from chainopt.topology import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from chainopt.model.instance import Instance

    Progress = Callable[["Moment"], None]
    Chains = tuple[NDArray[np.int64], NDArray[np.int64]]
    """Chain of each server, and jobs of each chain."""

ITERATIONS = 100_000
"""Of a search without any limit."""
WARM, HOT, COLD = 0.05, 0.6, 0.003
"""Temperatures at the beginning and the end of an annealing, divided by the number of servers: a move changes the
energy by about as much as one server counts. Warm ones stay close to where they start, hot ones leave it."""
_HOT_DISJOINT, _COLD_DISJOINT = 0.4, 0.008
_HOT_STRINGS, _COLD_STRINGS = (0.8, 0.08), (0.4, 0.03)
"""Temperatures of one of several annealings of strings, and of a single one."""
_MANY = 60
"""Servers beyond which disjoint chains are annealed instead of strings."""
_DISJOINT = (0.2, 0.15)
"""Shares of the budget for annealings of disjoint chains, from the best GBP-CR placements."""
_FEW, _DISJOINT_OF_FEW = 10, 0.03
"""Servers up to which disjoint chains are annealed too, and the share for that."""
_BRIEF_STARTS, _BRIEF = 10, 0.02
"""With so few servers, states that annealings of what they host start from, and the share for each."""
_STRINGS = 0.32
"""Share for annealings of strings, from the best `_STRUNG` GBP-CR placements in turn."""
_STRUNG = 2
_MOST_STRUNG, _MOVES_A_SERVER = 16, 2_000
"""Annealings of strings, and moves for each server that each of them has at least if there are several."""
_REFINED, _REFINING = 10, 0.006
"""States that become candidates, and the share for a warm annealing of each."""
_STEPS, _STEP = 13, 0.04
"""Annealings of candidates, and the share for each."""
_TEMPERATURES = (0.05, 0.08, 0.12, 0.08)
"""Where annealings of a candidate begin: the first, and after each failure."""
_TEMPERATURES_WITHOUT_STRINGS = (WARM, HOT)
_COMPARED = 4
"""States of which the exact value is computed in the end."""
_GENERATING = 0.1
"""Share of the time for allocations by column generation, where they are of use."""
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
        Of the objective, up to a relative 1e-6.
    """

    elapsed_s: float
    iterations: int
    value: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes
    ----------
    composition
        The best, None where no chain was found.
    value
        Of the objective; None where there is no composition, or where its total service rate falls short of what is
        asked.
    iterations
        Moves that were tried.
    evaluations
        States that were looked at.
    starts
        States that were annealed.
    history
        Every improvement, the last one the best.
    interrupted
        Whether Ctrl-C ended it.
    """

    composition: Composition | None
    value: float | None
    iterations: int
    evaluations: int
    starts: int
    history: tuple[Moment, ...]
    interrupted: bool = False


def search(
    instance: Instance,
    objective: Objective | str = Objective.RESPONSE_TIME,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    start: Composition | Placement | None = None,
    reference: Placement | None = None,
    max_moved_blocks: int | None = None,
    on_progress: Progress | None = None,
) -> Found:
    """Search for the best composition: annealing over placements, and over allocations as far as quotas reach.

    The outcome depends on the instance, the arguments, and, with a time limit only, on the speed of the machine. Ctrl-C
    ends the search with the best so far.

    Parameters
    ----------
    time_limit_s, iterations
        When to stop, whatever comes first; `ITERATIONS` if both are None.
    seed
        Of all random numbers.
    start
        Where to start; what is returned is never worse. None starts from the placement rules.
    reference, max_moved_blocks
        At most so many blocks are hosted by servers that do not host them in the reference. None for any number.
    on_progress
        Called with every improvement.

    Raises
    ------
    InfeasibleError
        If a server does not have the memory for its pin.
    ValueError
        If a limit is negative, or the start does not belong to the instance.
    """
    if (time_limit_s is not None and not time_limit_s >= 0) or (iterations is not None and iterations < 0):
        raise ValueError(f"expected limits of at least 0, got {time_limit_s} s and {iterations} iterations")
    if time_limit_s is None and iterations is None:
        iterations = ITERATIONS
    problem = problem_of(instance, Objective(objective), reference, max_moved_blocks)
    budget = Budget(time_limit_s, iterations)
    return _Search(instance, Objective(objective), problem, budget, seed, on_progress).run(start, reference)


@dataclass(eq=False)
class _Search:
    """A search under way."""

    instance: Instance
    objective: Objective
    problem: Problem
    budget: Budget
    seed: int
    on_progress: Progress | None
    history: list[Moment] = field(default_factory=list)
    ends: list[Start] = field(default_factory=list)
    better: list[Composition] = field(default_factory=list)
    branched: set[bytes] = field(default_factory=set)
    annealed: int = 0
    interrupted: bool = False
    given: int = 0

    def __post_init__(self) -> None:
        self.rounds = rounds_for(self.problem)
        self.best = math.inf
        self.rng = np.random.default_rng(self.seed)

    def run(self, given: Composition | Placement | None, reference: Placement | None) -> Found:
        """Everything."""
        placement = given.placement if isinstance(given, Composition) else given
        if placement is None and reference is not None:
            placement = reference
        servers = len(self.instance.servers)
        if placement is not None and placement.start.size != servers:
            raise ValueError(f"a start of {placement.start.size} servers, the instance has {servers}")
        try:
            starts = starts_of(
                self.instance, self.problem, self.rounds, placement, self.seed, self.budget.deadline_for_starts
            )
            self.ends.extend(starts)
            self.given = 0 if placement is None else 1
            for start in starts[:1]:
                self._note(start.energy)
            if starts:
                self._stages(starts)
        except (KeyboardInterrupt, SystemError) as error:
            if not interrupted(error):
                raise
            self.interrupted = True
        best, value = self._decide(given if isinstance(given, Composition) else None)
        history = tuple(self.history)
        return Found(best, value, self.budget.done, self.budget.looks, self.annealed, history, self.interrupted)

    def _stages(self, starts: list[Start]) -> None:
        """Chains or strings, what the servers host from the best of them, and what is left from the best of all."""
        chains = self._greedy_chains(starts)
        if self.problem.comm.size > _MANY:
            disjoint = [self._disjoint(share, *each) for share, each in zip(_DISJOINT, chains, strict=False)]
            last = min([*starts, *disjoint], key=lambda state: state.energy)
        else:
            few = self.problem.comm.size <= _FEW
            disjoint = [self._disjoint(_DISJOINT_OF_FEW, *each) for each in chains[: int(few)]]
            best_of = self._best_of_few if few else self._best_of
            last = best_of(starts, [*disjoint, *self._strung(chains[:_STRUNG])])
        if not (self.budget.timed and self._lacks_rate()):
            self._anneal(self.budget.left, WARM, last)
            return
        self._anneal(self.budget.left - _GENERATING, WARM, last)
        if self._lacks_rate():
            self._generate()

    def _strung(self, chains: list[Chains]) -> list[Start]:
        """Several annealings of strings, for which structure one ends in is a matter of chance.

        The first is a short one, and tells how many moves there are.
        """
        if not chains:
            return []
        share, before = _STRINGS / _MOST_STRUNG, self.budget.done
        first = self._string(share, *chains[0], *_COLD_STRINGS)
        moves = (_MOST_STRUNG - 1) * (self.budget.done - before)
        count = min(max(moves // (_MOVES_A_SERVER * self.problem.comm.size), 1), _MOST_STRUNG - 1)
        share = (_STRINGS - share) / count
        temperatures = _HOT_STRINGS if count > 1 else _COLD_STRINGS
        turns = itertools.islice(itertools.cycle(chains), count)
        return [first, *(self._string(share, *chain, *temperatures) for chain in turns)]

    def _best_of_few(self, starts: list[Start], strung: list[Start]) -> Start:
        """Anneal what few servers host, warm and hot in turn, from the best states, and hot from the best of those."""
        rest = sorted([*starts[self.given :], *strung], key=lambda state: state.energy)
        states = [*starts[: self.given], *rest][:_BRIEF_STARTS]
        ended = [self._anneal(_BRIEF, hot, state) for state in states for hot in (WARM, HOT)]
        ended.sort(key=lambda state: state.energy)
        ended += [self._anneal(_STEP, HOT, state) for state in ended[:2]]
        return min(ended, key=lambda state: state.energy)

    def _best_of(self, starts: list[Start], strung: list[Start]) -> Start:
        """Anneal what the servers host, for the best states of all kinds in turn; the best that came out."""
        states = starts[: self.given] + distinct([*starts[self.given :], *strung])
        candidates = merged([Candidate(state, self._anneal(_REFINING, WARM, state)) for state in states[:_REFINED]])
        temperatures = _TEMPERATURES if strung else _TEMPERATURES_WITHOUT_STRINGS
        for step in range(_STEPS):
            candidate = next_of(candidates, len(temperatures))
            if candidate is None:  # all have settled: leave them
                ended = self._anneal(_STEP, HOT, candidates[step % len(candidates)].best)
                candidates = merged([*candidates, Candidate(ended, ended)])
                continue
            candidate.take(self._anneal(_STEP, temperatures[candidate.failures], candidate.start))
            candidates = merged(candidates)
        return candidates[0].best

    def _lacks_rate(self) -> bool:
        """Whether a larger total service rate is what is needed."""
        return self.objective is Objective.RATE or self.best >= FALLS_SHORT

    def _generate(self) -> None:
        """Allocations of the best placements by column generation: GCA leaves throughput behind.

        What they take depends on the solver, so they are for searches with a time limit only.
        """
        for state in sorted(self.ends, key=lambda state: state.energy)[:_COMPARED]:
            placement, deadline = Placement(state.ranges.start, state.ranges.stop), self.budget.deadline
            if self.budget.exhausted:
                return
            if self.objective is Objective.JOB_SERVERS:
                found = allocate_fewest(self.instance, placement, self.instance.design_rate, deadline=deadline)
            else:
                found = allocate_most(self.instance, placement, deadline=deadline)
            if found.composition is None:
                continue
            self.better.append(found.composition)
            if self._key(found.composition)[0] == 0:
                value = value_of(self.instance, found.composition, self.objective)
                self._note(energy_of(self.problem, value, self.instance.time.places))

    def _greedy_chains(self, starts: list[Start]) -> list[Chains]:
        """Disjoint chains to start from; none where blocks may not be moved freely."""
        if self.problem.free.size < 2 or self.problem.most_moved < np.iinfo(np.int64).max:
            return []
        found = []
        for c in dict.fromkeys(start.reservation for start in starts):
            chain = greedy_chains(self.instance, c)
            if chain is not None and c is not None:
                found.append((chain, np.full(spare_chains(self.problem, chain), c, dtype=np.int64)))
        return found

    def _anneal(self, share: float, hot: float, start: Start) -> Start:
        """Anneal what the servers host."""
        self.annealed += 1
        ranges = Ranges(*(array.copy() for array in start.ranges))
        standing = Standing(np.array([start.energy, start.energy, 0.0]), *(array.copy() for array in ranges[:4]))
        servers = ranges.start.size

        def run(begin: int, end: int, each: float) -> int:
            return anneal(
                self.problem, ranges, self.rounds, standing, self.rng, begin, end, each, hot / servers, COLD / servers
            )

        def ended() -> Start:
            best = ranges_of(self.problem, standing.start, standing.stop)
            best.entry[:] = standing.entry
            best.quota[:] = standing.quota
            return Start(float(standing.energies[1]), best, start.reservation)

        try:
            self.budget.spend(share, run, lambda: self._note(float(standing.energies[1])))
        finally:  # Ctrl-C too
            self.ends.append(ended())
        self._branch(self.ends[-1])
        return self.ends[-1]

    def _branch(self, state: Start) -> None:
        """Look for a better allocation of the state's placement, if there are few servers."""
        key = state.ranges.start.tobytes() + state.ranges.stop.tobytes()
        if state.ranges.start.size > MOST_SERVERS or key in self.branched or self.budget.exhausted:
            return
        self.branched.add(key)
        best = min(self.best, state.energy)
        found = better_allocation(self.instance, self.problem, state.ranges, best, _BRANCHING, self.budget.deadline)
        if found is not None:
            self.better.append(found)
            value = value_of(self.instance, found, self.objective)
            self._note(energy_of(self.problem, value, self.instance.time.places))

    def _disjoint(self, share: float, chain: NDArray[np.int64], jobs: NDArray[np.int64]) -> Start:
        """Anneal disjoint chains, and place them."""
        self.annealed += 1
        state = disjoint_of(self.problem, chain, jobs)
        chains = order_chains(state)
        first, _ = energy(self.problem, state.rates[:chains], state.capacities[:chains], 0, math.inf, 0.0)
        energies = np.array([first, first, 0.0])
        best_chain, best_jobs = state.chain.copy(), state.jobs.copy()
        servers = chain.size

        def run(begin: int, end: int, each: float) -> int:
            hot, cold = _HOT_DISJOINT / servers, _COLD_DISJOINT / servers
            return anneal_disjoint(
                self.problem, state, energies, best_chain, best_jobs, self.rng, begin, end, each, hot, cold
            )

        try:
            self.budget.spend(share, run, lambda: None)
        finally:  # Ctrl-C too
            ranges = self._placed(best_chain, best_jobs)
            value, _ = look(self.problem, ranges, self.rounds, math.inf, 0.0)
            self.ends.append(Start(value, ranges, None))
        self._note(value)
        return self.ends[-1]

    def _string(
        self, share: float, chain: NDArray[np.int64], jobs: NDArray[np.int64], hot: float, cold: float
    ) -> Start:
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
            self.budget.spend(share, run, lambda: self._note(float(energies[1])))
        finally:  # Ctrl-C too
            lay(problem, best, ranges)
            self.ends.append(Start(float(energies[1]), ranges_of(problem, ranges.start, ranges.stop), None))
        return self.ends[-1]

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

    def _note(self, value: float) -> None:
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

    def _decide(self, given: Composition | None) -> tuple[Composition | None, float | None]:
        """The best of the states that annealings ended with, and of the composition that was given, exactly."""
        ends = sorted(self.ends, key=lambda state: state.energy)[:_COMPARED]
        candidates = self.better if given is None else [given, *self.better]
        candidates += [found for state in ends if (found := self.composition(state.ranges)) is not None]
        best: Composition | None = None
        best_key = (2, 0.0)
        for candidate in candidates:
            key = self._key(candidate)
            if key < best_key:
                best, best_key = candidate, key
        value = value_of(self.instance, best, self.objective) if best is not None and best_key[0] == 0 else None
        return best, value

    def _key(self, composition: Composition) -> tuple[int, float]:
        """What to compare by: whether the total service rate falls short, and the objective, or that rate."""
        rate = composition.total_service_rate
        try:
            value = value_of(self.instance, composition, self.objective)
        except UnstableError:
            return 1, -rate
        if self.objective is Objective.RATE:
            return 0, -value
        if (
            self.objective is Objective.JOB_SERVERS
            and fewest_job_servers(composition, self.instance.design_rate) is None
        ):
            return 1, -rate
        return 0, value

    def composition(self, ranges: Ranges) -> Composition | None:
        """The composition of a state, of the job servers those that are best."""
        chains = allocate(self.problem, ranges, self.rounds)
        if not chains:
            return None
        rounds = self.rounds
        first, hops = rounds.chain_first, rounds.hops
        servers = [hops[first[k] : first[k + 1]].tolist() for k in range(chains)]
        capacities = rounds.capacities[:chains].copy()
        placement = Placement(ranges.start, ranges.stop)
        whole = Composition.of(self.instance, placement, servers, capacities.tolist())
        if self.objective is Objective.JOB_SERVERS:
            return fewest_job_servers(whole, self.instance.design_rate) or whole
        if self.objective is Objective.RATE or objective_value(self.problem, self._energy(chains), 0) is None:
            return whole
        ticks, jobs = best_truncation(rounds.rates[:chains], capacities, self.problem.rate, NODES)
        least = ticks / 10.0**self.instance.time.places
        if value_of(self.instance, whole, self.objective) <= least * (1 + RELATIVE_TOLERANCE):
            return whole  # chains that do no harm stay: they help when traffic is not Poisson
        before = np.cumsum(capacities) - capacities
        kept = np.flatnonzero(before < jobs)
        return whole.select(kept, np.minimum(capacities, jobs - before)[kept])

    def _energy(self, chains: int) -> float:
        value, _ = energy(self.problem, self.rounds.rates[:chains], self.rounds.capacities[:chains], 0, math.inf, 0.0)
        return float(value)
