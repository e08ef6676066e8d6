"""Branch and bound over the number of blocks that each server hosts, and all placements of what is left.

Servers get their numbers of blocks one by one. A server that hosts m blocks runs no job that it processes more than m
blocks of, and has S_j(m) slots whatever it runs, so the position-free relaxation (:mod:`chainopt.exact.parts`) becomes
tighter with every number that is fixed. What it cannot exclude when all are fixed is enumerated
(:mod:`chainopt.exact.enumeration`).
"""

from __future__ import annotations

import heapq
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.enumeration import Trial, alike_servers, options_of, value_of
from chainopt.exact.enumeration_kernels import TOLERANCE
from chainopt.exact.envelope import Envelope
from chainopt.exact.parts import Parts, parts_of
from chainopt.exact.response_bound import response_bound
from chainopt.model.solution import Objective
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing import birth_death_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance

Sizes = tuple[int | None, ...]
"""Number of blocks that each server hosts, None where it is open."""


class SizeSearch:
    """Search for a composition that is better than the best so far, best bounds first.

    Parameters
    ----------
    best
        Value to improve on, None where nothing is known.
    deadline
        When to stop, as `time.monotonic` counts.

    Attributes
    ----------
    composition
        The best found, None where nothing better was.
    nodes, placements
        Relaxations solved, and placements enumerated.
    """

    def __init__(self, instance: Instance, objective: Objective, best: float | None, deadline: float) -> None:
        self.composition: Composition | None = None
        self.nodes = 0
        self._instance = instance
        self._objective = objective
        self._best = best
        self._deadline = deadline
        self._parts = parts_of(instance)
        self._most = instance.memory.sizes(1)
        self._alike = alike_servers(instance)
        self._trial = Trial(instance, objective, best)
        free = [j for j, server in enumerate(instance.servers) if server.pin is None]
        self._order = sorted(free, key=lambda j: (-int(self._most[j]), j))
        self._open: list[tuple[float, int, Sizes]] = []

    @property
    def placements(self) -> int:
        """Placements enumerated."""
        return self._trial.placements

    @property
    def bound(self) -> float | None:
        """Bound on what is still open: a rate or a time; None where nothing is, or for job servers."""
        if not self._open or self._objective is Objective.JOB_SERVERS:
            return None
        key = min(key for key, _, _ in self._open)
        return -key if self._objective is Objective.RATE else key

    def run(self, *, first: bool = False) -> bool:
        """Go on with the search; False where the time was up before it was done.

        Parameters
        ----------
        first
            Whether the first composition found will do.
        """
        if not self._open:
            root: Sizes = (None,) * len(self._instance.servers)
            self._open.append((-math.inf, 0, root))
        while self._open:
            key, depth, sizes = self._open[0]
            if self._excluded(key):
                heapq.heappop(self._open)
                continue
            if time.monotonic() > self._deadline:
                return False
            if depth == -len(self._order):
                if not self._enumerate(sizes):
                    return False
                heapq.heappop(self._open)
                if first and self.composition is not None:
                    return True
                continue
            children = list(self._children(-depth, sizes))
            heapq.heappop(self._open)
            for child in children:
                heapq.heappush(self._open, child)
        return True

    def _children(self, depth: int, sizes: Sizes) -> list[tuple[float, int, Sizes]]:
        """The next server hosts 0, 1, ... blocks; of identical servers none hosts more than the one before it."""
        j = self._order[depth]
        most = int(self._most[j])
        if self._alike[j] >= 0:
            before = sizes[self._alike[j]]
            assert before is not None
            most = min(most, before)
        children = []
        for m in range(most, -1, -1):
            child = (*sizes[:j], m, *sizes[j + 1 :])
            key = self._key(child)
            if not self._excluded(key):
                children.append((key, -depth - 1, child))  # of equal bounds the deeper node first
        return children

    def _enumerate(self, sizes: Sizes) -> bool:
        options = options_of(self._instance, [m or 0 for m in sizes])
        assert options is not None, "pins fit, or there were no relaxation"
        try:
            return self._trial.run(options, self._deadline, jobs=self._fewest_jobs(sizes))
        finally:
            composition = self._trial.composition
            if composition is not None and composition is not self.composition:
                self.composition = composition
                self._best = value_of(self._instance, composition, self._objective)

    def _fewest_jobs(self, sizes: Sizes) -> int:
        """Job servers that anything better has at least, at these sizes."""
        envelope = Envelope(with_sizes(self._instance, self._parts, sizes))
        most = math.ceil(envelope.most_jobs)
        for share in (0.25, 0.5, 0.75, 1.0):
            envelope.solve(max(share * most, 1.0), self._deadline)
        above = envelope.above(np.arange(1.0, most + 1))
        if self._objective is not Objective.RESPONSE_TIME:
            return 1 + int(np.count_nonzero([self._excluded(-rate) for rate in above]))
        arrival_rate = float(self._instance.workload.arrival_rate)
        jobs = 1
        while jobs < most and self._excluded(_mean_with(above[:jobs], arrival_rate)):
            jobs += 1
        return jobs

    def _key(self, sizes: Sizes) -> float:
        """Bound on the objective; a rate with its sign turned; for job servers that of one less than the best."""
        self.nodes += 1
        envelope = Envelope(with_sizes(self._instance, self._parts, sizes))
        if not envelope.exists:
            return math.inf
        if self._objective is Objective.RESPONSE_TIME:
            return response_bound(envelope, float(self._instance.workload.arrival_rate), self._deadline)
        jobs = envelope.most_jobs
        if self._objective is Objective.JOB_SERVERS and self._best is not None:
            jobs = min(jobs, self._best - 1)
        envelope.solve(jobs, self._deadline)
        return -float(envelope.above(np.array([jobs]))[0])

    def _excluded(self, key: float) -> bool:
        """Whether nothing better can be there."""
        if key == math.inf:
            return True
        if self._objective is Objective.JOB_SERVERS:
            return -key < self._instance.design_rate * (1 - 2 * RELATIVE_TOLERANCE)
        if self._best is None:
            return False
        if self._objective is Objective.RATE:
            return -key <= self._best * (1 + RELATIVE_TOLERANCE)
        return key >= self._best * (1 - TOLERANCE)


def _mean_with(rates: NDArray[np.float64], arrival_rate: float) -> float:
    """Mean response time at least, if the total rate of n jobs is `rates[n - 1]`, and that of all the last one."""
    if rates[-1] <= arrival_rate:
        return math.inf
    steps = np.diff(rates, prepend=0.0)
    jobs = birth_death_mean(steps, np.ones(steps.size, dtype=np.int64), float(rates[-1]), arrival_rate)
    return float(jobs) / arrival_rate


def with_sizes(instance: Instance, parts: Parts, sizes: Sizes) -> Parts:
    """The parts when some servers host so many blocks: fewer of them, each job taking n of S_j(m) slots."""
    size = np.array([-1 if m is None else m for m in sizes])
    fixed = size[parts.server] >= 0
    kept = ~fixed | (parts.blocks <= size[parts.server])
    server, blocks = parts.server[kept], parts.blocks[kept]
    room = instance.memory.slots(np.maximum(size, 0))
    slots = np.where(fixed[kept], room[server], parts.slots[kept])
    first = np.concatenate(([0], np.cumsum(np.bincount(server, minlength=size.size))))
    return Parts(first, server, blocks, parts.time_s[kept], slots, blocks / slots, parts.copies, parts.total)
