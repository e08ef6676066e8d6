"""Which beam search for layouts comes next: for how many jobs, how wide, and at which prices.

Which number of jobs is best is not known, nor how many servers should host the same block. With few servers
there are rounds: a beam for each number first, then for those that came to the best states, wider each time. With
more, a beam that is wide enough takes its time, and the relaxation promises more jobs than there is room for: then
numbers are tried from the one that promises most, without those that are no smaller than one that came to nothing, and
after the first success the best one so far, one more and one less.

At the prices of the relaxation every slot is of use. In a layout some are not, so that beams for large numbers run out
of room; prices that are a little higher make them waste less. How much is best differs, so it is drawn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from chainopt.exact.enumeration_kernels import JOB_SERVERS, RATE
from chainopt.queueing.bounds import birth_death_mean
from chainopt.search.layout_prices import least_total

if TYPE_CHECKING:
    from chainopt.search.problem import Problem

FEW = 10
"""Servers up to which there are rounds."""
_MOST_SERVERS, _MOST_JOBS, _MOST_BLOCKS, _MOST_CELLS = 60, 200, 300, 30_000_000
"""Layouts have a bit for each server, take room for each block, and are continued in more ways where there are more
jobs; prices are a table of servers, slots and jobs, and take time for every number of blocks."""
_NUMBERS, _KEPT = 12, 3
"""Numbers of jobs in the first round; in later ones half of the beams before, no fewer than these."""
_ABREAST = 2, 3
"""Servers that host the same block, at most, in a round."""
_NARROW, _WIDER, _WIDEST = 20, 4, 480
"""Layouts of each block that are kept in the first round, how many times as many in the next, and at most."""
_WIDTH = 240
"""The same where there are no rounds."""
_MARKUP = 0.15
"""Prices are higher than those of the relaxation by as much at most, relative."""


class Turn(NamedTuple):
    """A beam search: jobs, servers abreast, layouts that are kept, and by how much prices are higher, relative."""

    jobs: int
    abreast: int
    width: int
    markup: float


class Turns(Protocol):
    """One turn after another."""

    def next(self) -> Turn:
        """The next one."""

    def take(self, energy: float) -> None:
        """Learn what the last one came to, infinite for nothing."""


class _Kind(NamedTuple):
    """Of beams: jobs, servers abreast, and the least energy so far."""

    jobs: int
    abreast: int
    energy: float = math.inf


class Narrowing:
    """Rounds, each with the better half of the beams before, and wider.

    Parameters
    ----------
    numbers
        Of jobs, the one that promises most first.
    """

    def __init__(self, numbers: list[int], rng: np.random.Generator) -> None:
        self._rng = rng
        self._waiting = numbers[_NUMBERS:]
        self._kinds = [_Kind(jobs, abreast) for abreast in _ABREAST for jobs in numbers[:_NUMBERS]]
        self._width, self._at = _NARROW, 0

    def next(self) -> Turn:
        """The next one; at the prices of the relaxation up to where the same would come again."""
        jobs, abreast, _ = self._kinds[self._at]
        markup = _MARKUP * float(self._rng.random()) if self._width == _WIDEST else 0.0
        return Turn(jobs, abreast, self._width, markup)

    def take(self, energy: float) -> None:
        """Learn what the last one came to; after a round, other numbers take the place of fruitless ones."""
        kind = self._kinds[self._at]
        self._kinds[self._at] = kind._replace(energy=min(kind.energy, energy))
        self._at += 1
        if self._at < len(self._kinds):
            return
        kinds, count = sorted(self._kinds, key=lambda kind: kind.energy), max(len(self._kinds) // 2, _KEPT)
        going = [kind for kind in kinds[:count] if kind.energy < math.inf]
        while len(going) < _KEPT and self._waiting:
            going.append(_Kind(self._waiting.pop(0), _ABREAST[-1]))
        self._kinds = going or kinds[:count]
        self._at, self._width = 0, min(self._width * _WIDER, _WIDEST)


class Climbing:
    """From the number of jobs that promises most down to one that comes to something, and from there to better ones.

    Parameters
    ----------
    numbers
        Of jobs, the one that promises most first.
    """

    def __init__(self, numbers: list[int], rng: np.random.Generator) -> None:
        self._numbers, self._rng = numbers, rng
        self._waiting = list(numbers)
        self._best = _Kind(0, _ABREAST[-1])
        self._jobs = self._failures = 0

    def next(self) -> Turn:
        """The next one."""
        if self._best.energy < math.inf:
            jobs = self._best.jobs + int(self._rng.integers(-1, 2))
            self._jobs = min(max(jobs, min(self._numbers)), max(self._numbers))
        else:
            if not self._waiting:
                self._waiting, self._failures = list(self._numbers), 0
            self._jobs = self._waiting.pop(min(self._failures // 2, len(self._waiting) - 1))
        return Turn(self._jobs, _ABREAST[-1], _WIDTH, _MARKUP * float(self._rng.random()))

    def take(self, energy: float) -> None:
        """Learn what the last one came to."""
        if energy < self._best.energy:
            self._best = self._best._replace(jobs=self._jobs, energy=energy)
        elif energy == math.inf:
            self._failures += 1
            self._waiting = [jobs for jobs in self._waiting if jobs < self._jobs]


def turns_for(problem: Problem, rng: np.random.Generator, *, by_rate: bool) -> Turns | None:
    """Turns for a problem, None where layouts are not searched.

    Parameters
    ----------
    by_rate
        Whether the numbers of jobs with the largest total service rate promise most.
    """
    numbers = _promising(problem, by_rate=by_rate)
    if not numbers:
        return None
    return Narrowing(numbers, rng) if problem.comm.size <= FEW else Climbing(numbers, rng)


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
