"""Chains of a layout that was found block by block (:mod:`chainopt.search.layers`): which way its jobs go.

A layout tells how many jobs each server runs at each block, so all of them find room, where GCA may not find it again:
it gives the fastest chain all that fits. Where servers end, any of their jobs may go on to any of the servers that are
next, for the same total service time. The sum of 1/T grows if fast jobs stay together, so those that were fastest so
far go on to the servers that take the least time for a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.layers import Layers
    from chainopt.search.problem import Problem
    from chainopt.search.rounds import Rounds

_MULTIPLIER = 1_000_003


@kernel
def layout_chains(problem: Problem, layers: Layers, at: int, stop: NDArray[np.int64], rounds: Rounds) -> int:
    """Write the chains of a complete layout, fastest first; their number, 0 if they are too many to write down.

    Parameters
    ----------
    at
        Row of the layout.
    stop
        Where its servers stop, shape (J,).
    """
    last = layers.filled.size - 1
    steps = np.empty((last + 1, 2), dtype=np.int64)
    count = 0
    block, row = layers.origin[last, at], layers.row[last, at]
    while block >= 0:
        steps[count] = block, row
        count += 1
        block, row = layers.origin[block, row], layers.row[block, row]
    jobs = 0
    for i in range(layers.breadth[steps[count - 1, 0], steps[count - 1, 1]]):
        jobs += layers.fronts[steps[count - 1, 0], steps[count - 1, 1], 1, i]
    hops = np.full((jobs, stop.size + 1), -1, dtype=np.int64)
    length, ticks, way = np.zeros((3, jobs), dtype=np.int64)
    for step in range(count - 1, -1, -1):
        block, row = steps[step]
        _send(problem, layers, block, row, stop, hops, length, ticks, way)
    return _unite(hops, length, ticks, rounds)


@kernel
def _send(
    problem: Problem,
    layers: Layers,
    block: int,
    row: int,
    stop: NDArray[np.int64],
    hops: NDArray[np.int64],
    length: NDArray[np.int64],
    ticks: NDArray[np.int64],
    way: NDArray[np.int64],
) -> None:
    """Send the jobs whose servers stop at a block to those that run more jobs from there on.

    Jobs that went the same way, told by `way`, stay together as far as they can: that makes fewer chains.
    """
    number = layers.breadth[block, row]
    server, wanted = layers.fronts[block, row, 0, :number], layers.fronts[block, row, 1, :number].copy()
    slowness = np.empty(number)
    for i in range(number):
        slowness[i] = problem.comm[server[i]] / (stop[server[i]] - block) + problem.comp[server[i]]
    going = np.full(ticks.size, np.inf)
    for k in range(ticks.size):
        j = hops[k, length[k] - 1] if length[k] else -1
        if j >= 0 and stop[j] > block:
            for i in range(number):
                wanted[i] -= server[i] == j
        else:
            going[k] = ticks[k]
    order = np.argsort(way, kind="mergesort")
    order = order[np.argsort(going[order], kind="mergesort")]
    k = 0
    for i in np.argsort(slowness, kind="mergesort"):
        j = server[i]
        for _ in range(wanted[i]):
            job = order[k]
            hops[job, length[job]] = j
            length[job] += 1
            ticks[job] += problem.comm[j] + problem.comp[j] * (stop[j] - block)
            way[job] = way[job] * _MULTIPLIER + j + 1  # may wrap around, as hashes do
            k += 1


@kernel
def _unite(hops: NDArray[np.int64], length: NDArray[np.int64], ticks: NDArray[np.int64], rounds: Rounds) -> int:
    """Write jobs that go the same way as one chain, the fastest first; number of chains."""
    count, at = 0, 0
    for job in np.argsort(ticks, kind="mergesort"):
        way = hops[job, : length[job]]
        known = False
        for k in range(count - 1, -1, -1):
            if rounds.ticks[k] < ticks[job]:
                break
            if np.array_equal(rounds.hops[rounds.chain_first[k] : rounds.chain_first[k + 1]], way):
                rounds.capacities[k] += 1
                known = True
                break
        if not known and count == rounds.ticks.size:
            return 0
        if not known:
            rounds.ticks[count], rounds.rates[count], rounds.capacities[count] = ticks[job], 1.0 / ticks[job], 1
            rounds.hops[at : at + way.size] = way
            at += way.size
            count += 1
            rounds.chain_first[count] = at
    return count
