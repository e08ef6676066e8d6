"""Beam searches for layouts (:mod:`chainopt.search.layers`), in turns (:mod:`chainopt.search.sweep_turns`).

What servers host in the layouts that come out is looked at like any state, with the chains that GCA makes, and with
those that the layout was made for (:mod:`chainopt.search.layout_chains`).

Servers that differ little would fill a beam with layouts that differ little. Where a beam keeps one layout of several,
it takes such servers as equal; where hardly any servers are, each beam has classes of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.search.annealing import look
from chainopt.search.compositions import composed_of
from chainopt.search.energy import energy
from chainopt.search.layers import begin, expand, layers_for, prune, trace
from chainopt.search.layout_chains import layout_chains
from chainopt.search.layout_prices import least_total, prices_of
from chainopt.search.ranges import ranges_of
from chainopt.search.starts import Start
from chainopt.search.sweep_turns import turns_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.layout_prices import Prices
    from chainopt.search.problem import Problem
    from chainopt.search.rounds import Rounds
    from chainopt.search.sweep_turns import Turn, Turns

_CLASSES = 4, 16
"""Of servers, at least and at most."""
_TAKEN = 16
"""A state is taken down if fewer than so many before it are as good."""


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

    def best(self, rounds: Rounds) -> tuple[Start | None, int]:
        """The best state of complete layouts, with their own chains or GCA's; and how many were looked at."""
        problem, servers = self._problem, self._problem.comm.size
        start, stop = np.zeros(servers, dtype=np.int64), np.zeros(servers, dtype=np.int64)
        best, count = None, int(self._layers.filled[problem.blocks])
        for at in range(count):
            trace(self._layers, at, start, stop)
            ranges = ranges_of(problem, start, stop)
            value, _ = look(problem, ranges, rounds, math.inf, 0.0)
            if best is None or value < best.energy:
                best = Start(value, ranges, None)
            chains = layout_chains(problem, self._layers, at, stop, rounds)
            value, _ = energy(problem, rounds.rates[:chains], rounds.capacities[:chains], problem.blocks, math.inf, 0.0)
            if value < best.energy:
                best = Start(value, ranges, None, composed_of(ranges, rounds, chains))
        return best, count


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
        The best states of beams, one of each at most.
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
        self._turns = turns_for(problem, rng, by_rate=by_rate) if free else None
        self._beam: _Beam | None = None
        self._relaxed: dict[int, Prices] = {}
        self.found: list[Start] = []
        self.best = math.inf

    @property
    def possible(self) -> bool:
        """Whether there is any number of jobs to try."""
        return self._turns is not None

    def run(self, first: int, last: int, _: float) -> int:
        """Continue so many layouts, where to begin a beam counts as one; the number of states looked at."""
        assert self._turns is not None
        left, looks = last - first, 0
        while left > 0:
            if self._beam is None:
                self._beam = self._begun(self._turns.next())
                left -= 1
            else:
                left -= self._beam.advance(left)
            if self._beam.complete:
                looks += self._end(self._beam, self._turns)
        return looks

    def _end(self, beam: _Beam, turns: Turns) -> int:
        """Take down what a beam came to, if it is one of the best; how many states were looked at."""
        best, count = beam.best(self._rounds)
        self._beam = None
        turns.take(math.inf if best is None else best.energy)
        if best is not None:
            self.best = min(self.best, best.energy)
            better = [known for known in self.found if known.energy <= best.energy]
            if len(better) < _TAKEN and all(best.energy != known.energy for known in better):
                self.found.append(best)
        return count

    def _begun(self, turn: Turn) -> _Beam:
        prices = self._relaxed.get(turn.jobs) if turn.markup == 0.0 else None
        if prices is None:
            problem, jobs = self._problem, turn.jobs
            keys = np.random.default_rng(0).integers(1, 2**63, problem.comm.size + jobs + 1, dtype=np.uint64)
            _, price = least_total(problem, jobs)
            prices = prices_of(problem, self._kinds, self._like, keys, jobs, price * (1.0 + turn.markup))
            if turn.markup == 0.0:
                self._relaxed[jobs] = prices
        return _Beam(self._problem, prices._replace(like=self._classes()), turn.width, turn.abreast)

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


def _first_equal(servers: list[tuple[int, ...]]) -> NDArray[np.int64]:
    """The first server that is equal to each."""
    first: dict[tuple[int, ...], int] = {}
    return np.array([first.setdefault(server, j) for j, server in enumerate(servers)])
