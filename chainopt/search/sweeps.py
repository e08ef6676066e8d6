"""Beam searches for layouts (:mod:`chainopt.search.layers`), for the numbers of jobs that promise most.

Which number of jobs is best is not known, nor how many servers should host the same block. So there are rounds: a beam
for each number of jobs first, then others, wider where there are few servers, for those that came to the best states.
What servers host in the layouts that come out is looked at like any state, with the chains that GCA makes.

Servers that differ little would fill a beam with layouts that differ little. Where a beam keeps one layout of several,
it takes such servers as equal; where hardly any servers are, each beam has classes of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.exact.enumeration_kernels import JOB_SERVERS, RATE
from chainopt.queueing.bounds import birth_death_mean
from chainopt.search.annealing import look
from chainopt.search.layers import begin, expand, layers_for, prune, trace
from chainopt.search.layout_prices import least_total, prices_of
from chainopt.search.ranges import ranges_of
from chainopt.search.starts import Start

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.layout_prices import Prices
    from chainopt.search.problem import Problem
    from chainopt.search.rounds import Rounds

_MOST_SERVERS, _MOST_JOBS, _MOST_BLOCKS, _MOST_CELLS = 60, 200, 300, 30_000_000
"""Layouts have a bit for each server, take room for each block, and are continued in more ways where there are more
jobs; prices are a table of servers, slots and jobs, and take time for every number of blocks."""


class _Plan(NamedTuple):
    """Which beams there are.

    Attributes
    ----------
    numbers, abreast
        Numbers of jobs in the first round, and of servers that host the same block.
    kept
        Beams in each of the last rounds; before, half of them go on.
    narrow, wider, widest
        Layouts of each block that are kept in the first round, how many times as many in the next, and at most.
    """

    numbers: int
    abreast: tuple[int, ...]
    kept: int
    narrow: int
    wider: int
    widest: int


FEW = 10
"""Servers up to which there are plans for few."""
_OF_FEW, _OF_MORE = _Plan(12, (2, 3), 3, 20, 4, 480), _Plan(4, (3,), 2, 240, 1, 240)
"""For few servers, and for more."""
_CLASSES = 4, 16
"""Of servers, at least and at most."""


class _Kind(NamedTuple):
    """Of beams: jobs, servers abreast, and the least energy so far."""

    jobs: int
    abreast: int
    energy: float = math.inf


class _Beam:
    """A beam search under way."""

    def __init__(self, problem: Problem, prices: Prices, width: int, abreast: int) -> None:
        self._problem, self._prices = problem, prices
        self._layers = layers_for(problem.blocks, int(prices.jobs[0]), width, abreast)
        self._block = self._row = 0
        begin(prices, self._layers)
        prune(prices, self._layers, 0)

    @property
    def complete(self) -> bool:
        """Whether all layouts that are left host all blocks."""
        return self._block == self._problem.blocks

    def advance(self, most: int) -> int:
        """Continue as many layouts of the block that it has come to, and no others; how many."""
        filled = int(self._layers.filled[self._block])
        last = min(self._row + most, filled)
        expand(self._prices, self._layers, self._block, self._row, last)
        done, self._row = last - self._row, last
        if last == filled:
            self._block, self._row = self._block + 1, 0
            prune(self._prices, self._layers, self._block)
        return done

    def states(self, rounds: Rounds) -> list[Start]:
        """What the servers of complete layouts host."""
        servers = self._problem.comm.size
        start, stop = np.zeros(servers, dtype=np.int64), np.zeros(servers, dtype=np.int64)
        states = []
        for at in range(int(self._layers.filled[self._problem.blocks])):
            trace(self._layers, at, start, stop)
            ranges = ranges_of(self._problem, start, stop)
            energy, _ = look(self._problem, ranges, rounds, math.inf, 0.0)
            states.append(Start(energy, ranges, None))
        return states


class Sweeps:
    """Beam searches, one after another.

    Parameters
    ----------
    by_rate
        Whether the numbers of jobs with the largest total service rate promise most.
    free
        Whether any server may host any blocks.

    Attributes
    ----------
    found
        The best state of each beam that came to one.
    best
        The least energy of these.
    """

    def __init__(
        self, problem: Problem, rounds: Rounds, rng: np.random.Generator, *, by_rate: bool, free: bool
    ) -> None:
        self._problem, self._rounds, self._rng = problem, rounds, rng
        servers = range(problem.comm.size)
        self._kinds = _first_equal([(*problem.slots[j], problem.comm[j], problem.comp[j]) for j in servers])
        self._like = _first_equal([(*problem.slots[j], problem.comp[j]) for j in servers])
        self._plan = _OF_FEW if problem.comm.size <= FEW else _OF_MORE
        promising = _promising(problem, by_rate=by_rate) if free else []
        self._waiting, promising = promising[self._plan.numbers :], promising[: self._plan.numbers]
        self._beams = [_Kind(jobs, abreast) for abreast in self._plan.abreast for jobs in promising]
        self._width, self._turn = self._plan.narrow, 0
        self._beam: _Beam | None = None
        self._prices: dict[int, Prices] = {}
        self.found: list[Start] = []
        self.best = math.inf

    @property
    def possible(self) -> bool:
        """Whether there is any number of jobs to try."""
        return bool(self._beams)

    def run(self, first: int, last: int, _: float) -> int:
        """Continue so many layouts, where to begin a beam counts as one; the number of states looked at."""
        left, looks = last - first, 0
        while left > 0:
            if self._beam is None:
                self._beam = self._begun()
                left -= 1
            elif self._beam.complete:
                looks += self._end(self._beam.states(self._rounds))
            else:
                left -= self._beam.advance(left)
        return looks

    def _begun(self) -> _Beam:
        """The beam whose turn it is."""
        problem, (jobs, abreast, _) = self._problem, self._beams[self._turn]
        if jobs not in self._prices:
            keys = np.random.default_rng(0).integers(1, 2**63, problem.comm.size + jobs + 1, dtype=np.uint64)
            _, price = least_total(problem, jobs)
            self._prices[jobs] = prices_of(problem, self._kinds, self._like, keys, jobs, price)
        return _Beam(problem, self._prices[jobs]._replace(like=self._classes()), self._width, abreast)

    def _classes(self) -> NDArray[np.int64]:
        """Classes of servers to take as equal: of the same memory and speed, or of any sizes, sorted by memory."""
        servers = self._like.size
        if np.unique(self._like).size <= _CLASSES[0]:
            return self._like
        count = min(int(self._rng.integers(_CLASSES[0], _CLASSES[1] + 1)), servers)
        cuts = np.sort(self._rng.choice(servers - 1, count - 1, replace=False)) + 1
        order = np.lexsort((self._problem.comp, self._problem.slots[:, 1]))
        classes = np.zeros(servers, dtype=np.int64)
        classes[order] = np.searchsorted(cuts, np.arange(servers), side="right")
        return classes

    def _end(self, states: list[Start]) -> int:
        """Take down what a beam came to, and go on to the next; the number of states."""
        if states:
            best = min(states, key=lambda state: state.energy)
            if all(best.energy != known.energy for known in self.found):
                self.found.append(best)
            kind = self._beams[self._turn]
            self._beams[self._turn] = kind._replace(energy=min(kind.energy, best.energy))
            self.best = min(self.best, best.energy)
        self._beam = None
        self._turn += 1
        if self._turn == len(self._beams):
            self._next_round()
        return len(states)

    def _next_round(self) -> None:
        """The better half of the beams, wider; other numbers of jobs in place of those that came to nothing, if any."""
        plan, count = self._plan, max(len(self._beams) // 2, self._plan.kept)
        kinds = sorted(self._beams, key=lambda kind: kind.energy)
        going = [kind for kind in kinds[:count] if kind.energy < math.inf]
        while len(going) < plan.kept and self._waiting:
            going.append(_Kind(self._waiting.pop(0), plan.abreast[-1]))
        self._beams = going or kinds[:count]
        numbers = {kind.jobs for kind in self._beams}
        self._prices = {jobs: prices for jobs, prices in self._prices.items() if jobs in numbers}
        self._turn, self._width = 0, min(self._width * plan.wider, plan.widest)


def _first_equal(servers: list[tuple[int, ...]]) -> NDArray[np.int64]:
    """The first server that is equal to each."""
    first: dict[tuple[int, ...], int] = {}
    return np.array([first.setdefault(server, j) for j, server in enumerate(servers)])


def _promising(problem: Problem, *, by_rate: bool) -> list[int]:
    """Numbers of jobs, the one that promises most first; none where layouts are not searched.

    With the least total service time there is, they are taken as an M/M/c queue of c equal servers. Where job servers
    are the objective, the fewest that may reach the rate promise most.
    """
    servers = problem.comm.size
    room = problem.slots[:, 1]
    most = int(room.sum()) // problem.blocks
    if servers > _MOST_SERVERS or most > _MOST_JOBS or problem.blocks > _MOST_BLOCKS:
        return []
    longest = min(int(problem.most.max()), problem.blocks)
    if servers * int(room.max()) * most * longest > _MOST_CELLS:
        return []
    promises = []
    for jobs in range(1, most + 1):
        total, _ = least_total(problem, jobs)
        if total == math.inf:
            break
        rate = jobs * jobs / total
        if problem.objective == JOB_SERVERS:
            if rate >= problem.rate:
                promises.append((float(jobs), jobs))
        elif by_rate or problem.objective == RATE:
            promises.append((-rate, jobs))
        elif rate > problem.rate:
            each = np.array([jobs / total])
            promises.append((float(birth_death_mean(each, np.array([jobs]), rate, problem.rate)), jobs))
    return [jobs for _, jobs in sorted(promises)]
