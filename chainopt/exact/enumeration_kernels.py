"""Compiled search of the enumeration: tight placements, their chains, and the allocations of one placement.

Everything here is by positions and in integers: slots and blocks as they are, times in ticks. Only rates and mean times
are floats. The pruning rules, and why they lose nothing, are in docs/formulations/enumeration.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing.bounds import birth_death_mean
from chainopt.queueing.palm import LEAST_LOG, add_server, next_rate, no_servers

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOB_SERVERS, RATE, RESPONSE_TIME = 0, 1, 2
"""Objectives, as the kernels know them."""

TOLERANCE = 1e-9
"""A mean response time counts as no better when it is better by less than this, relative."""

_NODES = 48  # Chebyshev nodes; a relative error of 1e-11, well below TOLERANCE
_PALM_WORK = 400  # what the exact mean of a job server costs, in nodes of the search


class Options(NamedTuple):
    """What each server may host.

    Attributes
    ----------
    first
        Options of server j are `first[j]`, ..., `first[j + 1]` - 1, shape (J + 1,).
    start, stop, slots
        Blocks hosted, none where both are equal, and cache slots left.
    pinned
        Whether the server has no choice, shape (J,).
    alike
        Nearest server before j that is identical, -1 where there is none, shape (J,).
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    slots: NDArray[np.int64]
    pinned: NDArray[np.bool_]
    alike: NDArray[np.int64]


@kernel
def tight_placements(
    options: Options, blocks: int, jobs: int, choice: NDArray[np.int64], most: int, budget: int
) -> tuple[NDArray[np.int64], bool]:
    """The next placements in which every server without a pin has a job that it processes from its start to its stop.

    A server starts at block 0 or where another one stops, and stops at block L or at a block that another one hosts.
    Of identical servers, none has an option that comes before that of the one before it.

    Every block has to let `jobs` jobs pass: of server j, which hosts it, no more than S_j / (e_j - block).

    Parameters
    ----------
    jobs
        Placements for fewer are of no interest.
    choice
        Where the search stands: the option of each server, and how many servers have one; changed in place. All 0 to
        begin with. Shape (J + 1,).
    most
        Most placements to return.
    budget
        Steps after which to return what there is.

    Returns
    -------
    tuple
        Option of each server, shape (placements, J), and whether these were the last.
    """
    servers = options.pinned.size
    found = np.empty((most, servers), dtype=np.int64)
    count = 0
    wanted = np.zeros(servers + 1, dtype=np.int64)  # starts of the first servers, one bit a block
    stops = np.zeros(servers + 1, dtype=np.int64)
    hosted = np.zeros(servers + 1, dtype=np.int64)
    open_stops = np.zeros(servers + 1, dtype=np.int64)
    passing = np.zeros((servers + 1, blocks), dtype=np.int64)  # jobs that the first servers let pass at each block
    at_block, in_all = _passing_at_most(options, blocks, jobs)
    depth = choice[servers]
    for j in range(depth):
        _place(options, j, choice[j], wanted, stops, hosted, open_stops, passing)
    begun = depth > 0
    while True:
        budget -= 1
        if count == most or (budget < 0 and begun and depth > 0):
            choice[servers] = depth
            return found[:count].copy(), False
        if begun:  # go on from a complete placement, or from one that leads nowhere
            while depth > 0:
                j = depth - 1
                choice[j] += 1
                if choice[j] < options.first[j + 1]:
                    break
                depth -= 1
            if depth == 0:
                choice[servers] = 0
                return found[:count].copy(), True
            _place(options, depth - 1, choice[depth - 1], wanted, stops, hosted, open_stops, passing)
        begun = True
        while (
            depth < servers
            and _may_lead_on(wanted[depth], stops[depth], servers - depth)
            and _may_pass(passing[depth], jobs, at_block[depth], in_all[depth])
        ):
            j = depth
            choice[j] = options.first[j]
            if options.alike[j] >= 0:
                i = options.alike[j]
                choice[j] += choice[i] - options.first[i]
            _place(options, j, choice[j], wanted, stops, hosted, open_stops, passing)
            depth += 1
        if depth < servers or not _may_lead_on(wanted[depth], stops[depth], 0):
            continue
        if not _may_pass(passing[depth], jobs, 0, 0):
            continue
        end = 1 << blocks
        if open_stops[servers] & ~hosted[servers] & ~end or not stops[servers] & end or not hosted[servers] & 1:
            continue
        for j in range(servers):
            found[count, j] = choice[j]
        count += 1


@kernel
def _place(
    options: Options,
    j: int,
    option: int,
    wanted: NDArray[np.int64],
    stops: NDArray[np.int64],
    hosted: NDArray[np.int64],
    open_stops: NDArray[np.int64],
    passing: NDArray[np.int64],
) -> None:
    """What the first j + 1 servers want and offer, one bit a block, and how many jobs pass at each block."""
    start, stop = options.start[option], options.stop[option]
    passing[j + 1] = passing[j]
    for block in range(start, stop):
        passing[j + 1, block] += options.slots[option] // (stop - block)
    wanted[j + 1], stops[j + 1], hosted[j + 1], open_stops[j + 1] = wanted[j], stops[j], hosted[j], open_stops[j]
    if start < stop:
        stops[j + 1] |= 1 << stop
        hosted[j + 1] |= (1 << stop) - (1 << start)
        if not options.pinned[j]:
            wanted[j + 1] |= 1 << start
            open_stops[j + 1] |= 1 << stop


@kernel
def _passing_at_most(options: Options, blocks: int, jobs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Jobs that the servers from j on let pass at any one block, and, `jobs` at most, at all blocks together."""
    servers = options.pinned.size
    at_block = np.zeros(servers + 1, dtype=np.int64)
    in_all = np.zeros(servers + 1, dtype=np.int64)
    for j in range(servers - 1, -1, -1):
        one, together = 0, 0
        for option in range(options.first[j], options.first[j + 1]):
            total = 0
            for block in range(options.start[option], options.stop[option]):
                passing = options.slots[option] // (options.stop[option] - block)
                one = max(one, passing)
                total += min(passing, jobs)
            together = max(together, total)
        at_block[j] = at_block[j + 1] + one
        in_all[j] = in_all[j + 1] + together
    return at_block, in_all


@kernel
def _may_pass(passing: NDArray[np.int64], jobs: int, at_block: int, in_all: int) -> bool:
    """Whether so many jobs may pass every block, with what the other servers may add at one block and in all."""
    missing = 0
    for block in range(passing.size):
        short = jobs - passing[block]
        if short > at_block:
            return False
        missing += max(short, 0)
    return missing <= in_all


@kernel
def _may_lead_on(wanted: int, stops: int, left: int) -> bool:
    """Whether so many more servers can stop at all the blocks where a server starts."""
    missing = wanted & ~stops & ~1
    count = 0
    while missing:
        missing &= missing - 1
        count += 1
    return count <= left


class Paths(NamedTuple):
    """The chains of a placement by increasing time, as paths of its boundary graph.

    Attributes
    ----------
    ticks
        T_k in ticks, shape (K,).
    length
        Servers on chain k, shape (K,).
    server, blocks
        Its servers in order, and the blocks processed at each, shape (K, J).
    share
        Slots that a job takes at server j at least, of those that pass from one boundary to the next; 0 where server j
        does not offer that; shape (boundaries - 1, J).
    """

    ticks: NDArray[np.int64]
    length: NDArray[np.int64]
    server: NDArray[np.int64]
    blocks: NDArray[np.int64]
    share: NDArray[np.int64]


@kernel
def paths_of(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    slots: NDArray[np.int64],
    comm: NDArray[np.int64],
    comp: NDArray[np.int64],
    blocks: int,
) -> Paths:
    """All chains of a placement for whose servers each has the slots for one job."""
    servers = start.size
    room = 16
    ticks = np.empty(room, dtype=np.int64)
    length = np.empty(room, dtype=np.int64)
    server = np.empty((room, servers), dtype=np.int64)
    taken = np.empty((room, servers), dtype=np.int64)
    count = 0
    walk = np.zeros(servers + 1, dtype=np.int64)  # server to try next at each step
    at = np.zeros(servers + 1, dtype=np.int64)
    time = np.zeros(servers + 1, dtype=np.int64)
    step = 0
    while step >= 0:
        j = walk[step]
        if j == servers or at[step] == blocks:
            step -= 1
            continue
        walk[step] += 1
        n = stop[j] - at[step]
        if not start[j] <= at[step] < stop[j] or slots[j] < n:
            continue
        at[step + 1] = stop[j]
        time[step + 1] = time[step] + comm[j] + comp[j] * n
        if stop[j] < blocks:
            step += 1
            walk[step] = 0
            continue
        if count == room:
            room *= 2
            ticks, length, server, taken = _longer(ticks), _longer(length), _wider(server), _wider(taken)
        ticks[count] = time[step + 1]
        length[count] = step + 1
        for i in range(step + 1):
            server[count, i] = walk[i] - 1
            taken[count, i] = at[i + 1] - at[i]
        count += 1
    order = np.argsort(ticks[:count], kind="mergesort")
    return Paths(ticks[order], length[order], server[order], taken[order], _shares(start, stop, slots, blocks))


@kernel
def _longer(array: NDArray[np.int64]) -> NDArray[np.int64]:
    longer = np.empty(2 * array.size, dtype=np.int64)
    longer[: array.size] = array
    return longer


@kernel
def _wider(array: NDArray[np.int64]) -> NDArray[np.int64]:
    wider = np.empty((2 * array.shape[0], array.shape[1]), dtype=np.int64)
    wider[: array.shape[0]] = array
    return wider


@kernel
def _shares(
    start: NDArray[np.int64], stop: NDArray[np.int64], slots: NDArray[np.int64], blocks: int
) -> NDArray[np.int64]:
    """`Paths.share`."""
    is_boundary = np.zeros(blocks + 1, dtype=np.bool_)
    is_boundary[0] = True
    for j in range(start.size):
        if start[j] < stop[j]:
            is_boundary[stop[j]] = True
    boundaries = np.flatnonzero(is_boundary)
    share = np.zeros((boundaries.size - 1, start.size), dtype=np.int64)
    for i in range(boundaries.size - 1):
        for j in range(start.size):
            if start[j] <= boundaries[i] < stop[j]:
                share[i, j] = stop[j] - boundaries[i]
    return share


@kernel
def most_jobs(paths: Paths, free: NDArray[np.int64], blocks: int) -> int:
    """No more jobs than these fit into the free slots.

    A job takes L slots in all, and passes from each boundary to the next at one server.
    """
    most: int = free.sum() // blocks
    for i in range(paths.share.shape[0]):
        passing = 0
        for j in range(free.size):
            if paths.share[i, j]:
                passing += free[j] // paths.share[i, j]
        most = min(most, passing)
    return most


@kernel
def capacity(paths: Paths, k: int, free: NDArray[np.int64]) -> int:
    """Jobs for which chain k has room."""
    room: int = free[paths.server[k, 0]] // paths.blocks[k, 0]
    for i in range(1, paths.length[k]):
        room = min(room, free[paths.server[k, i]] // paths.blocks[k, i])
    return room


@kernel
def _take(paths: Paths, k: int, jobs: int, free: NDArray[np.int64]) -> None:
    for i in range(paths.length[k]):
        free[paths.server[k, i]] -= jobs * paths.blocks[k, i]


@kernel
def best_lengths(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], fixed: int, arrival_rate: float
) -> tuple[float, float]:
    """Mean response time of the first `fixed` job servers, and the least mean of any greater number of them.

    Palm's recursion, as in `chainopt.queueing.exact`, for every number of job servers at once: in the loss system the
    fastest ones do not notice the others. Means are infinite where the load is not stable.

    Parameters
    ----------
    rates, capacities
        Fastest first.
    """
    overflow = no_servers(rates, capacities, arrival_rate, _NODES)
    log_overflow, service, total, count = 0.0, 0.0, 0.0, 0
    here, later = np.inf, np.inf
    for k in range(rates.size):
        if not capacities[k]:
            continue
        rate = rates[k]
        next_rate(overflow, rate)
        for _ in range(capacities[k]):
            if log_overflow > LEAST_LOG:
                r = add_server(overflow, rate)
                service += np.exp(log_overflow) * r / (1 + r) / rate
                log_overflow -= np.log1p(r)
            count += 1
            total += rate
            if count >= fixed and total * (1 - RELATIVE_TOLERANCE) > arrival_rate:
                slack = total - arrival_rate
                lost = np.exp(log_overflow)
                weight = 1 + lost * arrival_rate / slack
                mean = (service + lost * (count / slack + total / slack**2)) / weight
                if count == fixed:
                    here = mean
                else:
                    later = min(later, mean)
    return here, later


@kernel
def _fewest(rates: NDArray[np.float64], counts: NDArray[np.int64], needed: float) -> int:
    """Fewest of these job servers, fastest first, that reach a rate; more than there are where all fall short."""
    total, jobs = 0.0, 0
    for k in range(rates.size):
        if not counts[k]:
            continue
        if total + counts[k] * rates[k] >= needed:
            taken = max(int(np.ceil((needed - total) / rates[k])) - 1, 0)
            while total + taken * rates[k] < needed:
                taken += 1
            return jobs + taken
        total += counts[k] * rates[k]
        jobs += counts[k]
    return jobs + 1 if total < needed else jobs


@kernel
def _birth_death_mean(rates: NDArray[np.float64], counts: NDArray[np.int64], arrival_rate: float) -> float:
    """Mean response time if jobs are always on the fastest job servers [Theorem 4]; infinite if unstable."""
    total = 0.0
    for k in range(rates.size):
        total += counts[k] * rates[k]
    if total * (1 - RELATIVE_TOLERANCE) <= arrival_rate:
        return np.inf
    mean: float = birth_death_mean(rates, counts, total, arrival_rate) / arrival_rate
    return mean


class Task(NamedTuple):
    """What is sought.

    Attributes
    ----------
    objective
        One of `JOB_SERVERS`, `RATE` and `RESPONSE_TIME`.
    rate
        Total service rate to reach, or arrival rate, jobs per tick.
    comm, comp
        τ^c_j and τ^p_j in ticks, shape (J,).
    blocks
        L.
    """

    objective: int
    rate: float
    comm: NDArray[np.int64]
    comp: NDArray[np.int64]
    blocks: int


class Standing(NamedTuple):
    """Where the search stands; all arrays are changed in place.

    Attributes
    ----------
    best
        Value of the best composition so far, a rate with its sign turned; shape (1,).
    best_options, best_capacities
        Its placement as options, shape (J,), and capacities of its first `position[3]` chains.
    position
        Placement that is being searched, depth of the search in it (-1 before it begins), nodes of the search so far,
        and number of chains in `best_capacities`, 0 where nothing was found; shape (4,).
    capacities
        Capacities of the chains so far.
    """

    best: NDArray[np.float64]
    best_options: NDArray[np.int64]
    best_capacities: NDArray[np.int64]
    position: NDArray[np.int64]
    capacities: NDArray[np.int64]


@kernel
def search(
    options: Options, placements: NDArray[np.int64], task: Task, standing: Standing, dive: bool, budget: int
) -> bool:
    """Search the allocations of these placements, from where the search stands; True when all are done.

    Depth first over the chains by increasing time, each with all its room first, so that the first leaf is that of
    greedy cache allocation. A node is the allocation of the chains so far. It is evaluated, and its descendants are
    skipped if the best that they could be is no better than the best so far: that many more jobs of the fastest chains
    left, each with its own room, and no more together than `most_jobs`.

    Parameters
    ----------
    placements
        Options of the servers, shape (placements, J).
    dive
        Whether to look only at the first leaf of each placement.
    budget
        Nodes after which to return; the mean of a job server counts as `_PALM_WORK`.
    """
    position, c = standing.position, standing.capacities
    while position[0] < placements.shape[0]:
        chosen = placements[position[0]]
        start, stop, free = options.start[chosen], options.stop[chosen], options.slots[chosen].copy()
        paths = paths_of(start, stop, free, task.comm, task.comp, task.blocks)
        rates = 1 / paths.ticks
        begun = position[1] >= 0
        depth = max(position[1], 0)
        for k in range(depth):
            _take(paths, k, c[k], free)
        while True:
            if begun:
                while depth > 0 and c[depth - 1] == 0:
                    depth -= 1
                if depth == 0:
                    break
                c[depth - 1] -= 1
                _take(paths, depth - 1, -1, free)
            while True:
                position[2] += 1
                budget -= 1
                hopeful, work = _visit(paths, rates, c, depth, free, task, standing, chosen)
                budget -= work
                if not hopeful:
                    break
                c[depth] = capacity(paths, depth, free)
                _take(paths, depth, c[depth], free)
                depth += 1
            begun = True
            if dive:
                break
            if budget < 0:
                position[1] = depth
                return False
        position[0] += 1
        position[1] = -1
        if budget < 0:
            return bool(position[0] == placements.shape[0])
    return True


@kernel
def _visit(
    paths: Paths,
    rates: NDArray[np.float64],
    c: NDArray[np.int64],
    depth: int,
    free: NDArray[np.int64],
    task: Task,
    standing: Standing,
    chosen: NDArray[np.int64],
) -> tuple[bool, int]:
    """Evaluate the first `depth` chains with capacities c; whether more jobs could be better, and the work it took."""
    best = standing.best[0]
    fixed = c[:depth].sum()
    counts = np.zeros(rates.size, dtype=np.int64)
    counts[:depth] = c[:depth]
    more = most_jobs(paths, free, task.blocks)
    for k in range(depth, rates.size):
        counts[k] = min(more, capacity(paths, k, free))
        more -= counts[k]
    could_grow = counts.sum() > fixed
    here, later, work = np.inf, np.inf, 0
    if task.objective == RATE:
        here = -np.sum(rates[:depth] * c[:depth])
        later = -np.sum(rates * counts) * (1 - RELATIVE_TOLERANCE)
    elif task.objective == JOB_SERVERS:
        if np.sum(rates[:depth] * c[:depth]) >= task.rate:
            here = float(fixed)
        elif could_grow:
            later = float(_fewest(rates, counts, task.rate))
            if later > counts.sum():
                later = np.inf
    elif _birth_death_mean(rates, counts, task.rate) < best * (1 - TOLERANCE):
        here, later = best_lengths(rates, counts, fixed, task.rate)
        work = _PALM_WORK * counts.sum()
        later /= 1 - TOLERANCE
    if here < best and depth > 0 and c[depth - 1] > 0:
        standing.best[0] = best = here
        standing.best_options[:] = chosen
        standing.best_capacities[:depth] = c[:depth]
        standing.position[3] = depth
    return depth < rates.size and could_grow and later < best, work
