"""The best allocation of one placement, by the branch and bound of the enumeration, as far as a number of nodes goes.

GCA, even with quotas, reaches only part of the allocations. On a few servers all of them can be looked at, for the few
placements that annealings end with.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.enumeration_kernels import RATE, Options, Standing, Task, paths_of, search
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.search.problem import Problem
    from chainopt.search.ranges import Ranges

MOST_SERVERS = 10
"""A chain is known by its set of servers, so that room is needed for 2^J of them."""
_NODES_A_CALL = 20_000


def better_allocation(
    instance: Instance, problem: Problem, ranges: Ranges, energy: float, calls: int, deadline: float = math.inf
) -> Composition | None:
    """The best composition with these ranges and less than this energy, None if there is none or none was found.

    Parameters
    ----------
    calls
        Slices of the branch and bound, a few hundredths of a second each.
    deadline
        When to stop, as `time.monotonic` counts.
    """
    servers = ranges.start.size
    sizes = ranges.stop - ranges.start
    slots = problem.slots[np.arange(servers), sizes]
    options = Options(
        np.arange(servers + 1),
        ranges.start,
        ranges.stop,
        slots,
        np.ones(servers, dtype=np.bool_),
        np.full(servers, -1, dtype=np.int64),
    )
    task = Task(problem.objective, problem.rate, problem.comm, problem.comp, problem.blocks)
    chains = 2**servers
    limit = -math.exp(-energy) if problem.objective == RATE else math.exp(min(energy, 700.0))
    standing = Standing(
        np.array([limit]),
        np.zeros(servers, dtype=np.int64),
        np.zeros(chains, dtype=np.int64),
        np.array([0, -1, 0, 0]),
        np.zeros(chains, dtype=np.int64),
    )
    placements = np.arange(servers)[np.newaxis, :]
    for _ in range(calls):
        if search(options, placements, task, standing, False, _NODES_A_CALL) or time.monotonic() > deadline:
            break
    if not standing.position[3]:
        return None
    paths = paths_of(ranges.start, ranges.stop, slots, problem.comm, problem.comp, problem.blocks)
    used = np.flatnonzero(standing.best_capacities[: standing.position[3]])
    return Composition.of(
        instance,
        Placement(ranges.start, ranges.stop),
        [paths.server[k, : paths.length[k]].tolist() for k in used],
        standing.best_capacities[used].tolist(),
    )
