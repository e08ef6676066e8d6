"""Everything there is: all placements and all allocations of a tiny instance, so what is found is the optimum.

Three objectives, each over all placements and over all capacities of all chains: fewest job servers [eq. 5], largest
total service rate, smallest mean response time under JFFC. Neither GCA nor any other rule is taken for granted; a slow
chain may stay unused though it has room. Only what provably cannot be better is skipped:
docs/formulations/enumeration.md.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.enumeration_kernels import (
    JOB_SERVERS,
    RATE,
    RESPONSE_TIME,
    Options,
    Standing,
    Task,
    paths_of,
    search,
    tight_placements,
)
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.solution import Objective, Status
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing import response_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from chainopt.model.instance import Instance

MOST_SERVERS, MOST_BLOCKS = 16, 60
"""Larger instances are refused; time is up long before these."""

_CODES = {Objective.JOB_SERVERS: JOB_SERVERS, Objective.RATE: RATE, Objective.RESPONSE_TIME: RESPONSE_TIME}
_PLACEMENTS_A_CALL = 4096
_STEPS_A_CALL = 200_000
_NODES_A_CALL = 20_000


@dataclass(frozen=True, eq=False)
class Enumeration:
    """What was found.

    Attributes
    ----------
    status
        `OPTIMAL`; `FEASIBLE` where the time was up before everything was tried; `INFEASIBLE` where no composition
        exists, or none with the rate that job servers are asked for; `UNSTABLE` where compositions exist, but none
        carries the arrival rate; `UNKNOWN` where the time was up before any was found.
    composition
        The best, None where there is none.
    value
        Job servers, jobs per second or seconds; None where there is no composition.
    bound
        The value where it is proven optimal, else None.
    placements, nodes
        How many placements and how many allocations were looked at.
    """

    status: Status
    composition: Composition | None
    value: float | None
    bound: float | None
    placements: int
    nodes: int


def enumerate_compositions(instance: Instance, objective: Objective | str, deadline: float = math.inf) -> Enumeration:
    """Find the optimum by trying everything; Ctrl-C and the deadline end it with the best so far.

    Job servers are exact, up to the tolerance with which rates count as equal; a total service rate and a mean response
    time are optimal up to relative differences of 1e-12 and 1e-9.

    Parameters
    ----------
    deadline
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    ValueError
        If the instance has more than `MOST_SERVERS` servers or `MOST_BLOCKS` blocks.
    """
    objective = Objective(objective)
    trial = Trial(instance, objective)
    options = options_of(instance)
    done = True
    if options is not None:
        try:
            # the first leaf of every placement gives a good value to compare with, then everything is searched
            done = trial.run(options, deadline, dive=True) and trial.run(options, deadline)
        except KeyboardInterrupt:
            done = False
    composition = trial.composition
    if composition is None:
        status = Status.INFEASIBLE if done else Status.UNKNOWN
        if done and objective is Objective.RESPONSE_TIME and composition_exists(instance):
            status = Status.UNSTABLE
        return Enumeration(status, None, None, None, trial.placements, trial.nodes)
    value = value_of(instance, composition, objective)
    status = Status.OPTIMAL if done else Status.FEASIBLE
    return Enumeration(status, composition, value, value if done else None, trial.placements, trial.nodes)


def composition_exists(instance: Instance) -> bool:
    """Whether there is any composition, whatever its rate."""
    options, trial = options_of(instance), Trial(instance, Objective.RATE)
    if options is not None:
        trial.run(options, dive=True)
    return trial.composition is not None


def value_of(instance: Instance, composition: Composition, objective: Objective) -> float:
    """Job servers, jobs per second, or mean response time in seconds."""
    if objective is Objective.JOB_SERVERS:
        return float(composition.job_servers)
    if objective is Objective.RATE:
        return composition.total_service_rate
    return response_time(composition, float(instance.workload.arrival_rate)).mean_response_time_s


class Trial:
    """The search for one objective, over as many sets of placements as there are.

    Parameters
    ----------
    best
        Only what is better than this is of interest: job servers, jobs per second or seconds; None where all is.

    Attributes
    ----------
    composition
        The best found; None where nothing was.
    placements
        How many were looked at.
    """

    def __init__(self, instance: Instance, objective: Objective, best: float | None = None) -> None:
        servers, blocks = len(instance.servers), instance.service.blocks
        if servers > MOST_SERVERS or blocks > MOST_BLOCKS:
            raise ValueError(
                f"{servers} servers and {blocks} blocks are too many to try everything: "
                f"at most {MOST_SERVERS} and {MOST_BLOCKS}"
            )
        self.composition: Composition | None = None
        self.placements = 0
        self._instance = instance
        self._objective = objective
        self._task = _task(instance, objective)
        chains = 2**servers  # a chain is known by its servers
        self._standing = Standing(
            np.array([math.inf]),
            np.zeros(servers, dtype=np.int64),
            np.zeros(chains, dtype=np.int64),
            np.array([0, -1, 0, 0]),
            np.zeros(chains, dtype=np.int64),
        )
        if best is not None:
            self.improve_on(best)

    @property
    def nodes(self) -> int:
        """How many allocations were looked at."""
        return int(self._standing.position[2])

    def improve_on(self, best: float) -> None:
        """Say that only what is better than this is of interest from now on."""
        second = 10**self._instance.time.places
        scale = {Objective.JOB_SERVERS: 1.0, Objective.RATE: -1 / second, Objective.RESPONSE_TIME: float(second)}
        self._standing.best[0] = best * scale[self._objective]

    def run(self, options: Options, deadline: float = math.inf, *, jobs: int = 1, dive: bool = False) -> bool:
        """Try all placements of these options; False where the time was up before all were tried.

        Parameters
        ----------
        jobs
            Compositions with fewer job servers are known to be no better.
        dive
            Whether to look only at greedy cache allocation and its truncations.
        """
        standing, blocks = self._standing, self._task.blocks
        standing.position[3] = 0
        try:
            for placements in placements_of(options, blocks, jobs):
                standing.position[:2] = (0, -1)
                while not search(options, placements, self._task, standing, dive, _NODES_A_CALL):
                    if time.monotonic() > deadline:
                        return False
                self.placements += len(placements)
                if time.monotonic() > deadline:
                    return False
        finally:  # Ctrl-C too
            if standing.position[3]:
                self.composition = _decode(self._instance, self._task, options, standing)
        return True


def _task(instance: Instance, objective: Objective) -> Task:
    """The objective in ticks."""
    wanted = instance.workload.arrival_rate
    if objective is Objective.JOB_SERVERS:
        wanted /= instance.workload.target_load
    rate = float(wanted.scaleb(-instance.time.places))
    if objective is Objective.JOB_SERVERS:
        rate *= 1 - RELATIVE_TOLERANCE
    return Task(_CODES[objective], rate, instance.time.comm, instance.time.comp, instance.service.blocks)


def options_of(instance: Instance, sizes: Sequence[int] | None = None) -> Options | None:
    """What each server may host so that it can process all that it hosts for a job; its pin if it has one.

    Parameters
    ----------
    sizes
        Number of blocks that each server hosts; None for any. Those of pinned servers are not looked at.

    Returns
    -------
    Options
        None where a pin does not fit into its memory.
    """
    blocks, memory = instance.service.blocks, instance.memory
    most = memory.sizes(1)
    first, start, stop, slots = [0], [], [], []
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            ranges = [(server.pin.start, server.pin.stop)]
        else:
            allowed = range(int(most[j]) + 1) if sizes is None else [sizes[j]]
            ranges = [(a, a + m) for m in allowed for a in range(blocks - m + 1 if m else 1)]
        hosted = np.array([b - a for a, b in ranges])
        left = memory.slots(hosted, np.full(hosted.size, j))
        if left.min() < 0:
            return None
        start += [a for a, _ in ranges]
        stop += [b for _, b in ranges]
        slots += left.tolist()
        first.append(len(start))
    pinned = np.array([server.pin is not None for server in instance.servers])
    alike = alike_servers(instance, sizes)
    whole = [np.array(values, dtype=np.int64) for values in (first, start, stop, slots)]
    return Options(whole[0], whole[1], whole[2], whole[3], pinned, alike)


def alike_servers(instance: Instance, sizes: Sequence[int] | None = None) -> NDArray[np.int64]:
    """Nearest identical server before each, of the same size if sizes are given; -1 where there is none."""
    last: dict[object, int] = {}
    alike = np.full(len(instance.servers), -1, dtype=np.int64)
    for j, server in enumerate(instance.servers):
        size = None if sizes is None else sizes[j]
        key = (int(instance.memory.free[j]), instance.time.comm[j], instance.time.comp[j], server.pin, size)
        alike[j] = last.get(key, -1)
        last[key] = j
    return alike


def placements_of(options: Options, blocks: int, jobs: int = 1) -> Iterator[NDArray[np.int64]]:
    """The placements that are enough to try for so many jobs, as options of the servers, many at a time."""
    choice = np.zeros(options.pinned.size + 1, dtype=np.int64)
    done = False
    while not done:
        placements, done = tight_placements(options, blocks, jobs, choice, _PLACEMENTS_A_CALL, _STEPS_A_CALL)
        yield placements


def _decode(instance: Instance, task: Task, options: Options, standing: Standing) -> Composition:
    chosen = standing.best_options
    start, stop = options.start[chosen], options.stop[chosen]
    paths = paths_of(start, stop, options.slots[chosen], task.comm, task.comp, task.blocks)
    used = np.flatnonzero(standing.best_capacities[: standing.position[3]])
    servers = [paths.server[k, : paths.length[k]].tolist() for k in used]
    return Composition.of(instance, Placement(start, stop), servers, standing.best_capacities[used].tolist())
