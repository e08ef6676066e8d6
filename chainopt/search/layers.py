"""Layouts from the first block to the last: a beam search for the least total service time of a number of jobs.

Let C jobs be in service, all the time. Jobs may change places, so all that matters of a layout up to some block is
which servers host the block, with how many jobs, how many slots they have left, and which servers are used up. Whenever
a server's range ends, its jobs go on to servers that host the next block already, or begin there. The total service
time, Σ_k c_k T_k, is then a sum over blocks and over jobs that come to a server.

Partial layouts that have come to the same block are compared by what they take so far and what the rest takes at least
(:mod:`chainopt.search.layout_prices`). Of those with equal servers and the same numbers of jobs the best is kept, and
of all of these the best few: a beam search [Lowerre 1976].

References
----------
B. Lowerre, The HARPY speech recognition system, Carnegie Mellon University (1976).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.layout_prices import Prices

ABREAST = 3
"""Servers that host the same block, at most."""
_CHOICE = 5
"""Servers that are considered for a number of jobs, the best ones."""
_ROOM = 4
"""Rows for each layout that is kept."""


class Front(NamedTuple):
    """Servers that host a block: which, their jobs, and blocks and slots so far, shape (`ABREAST`,)."""

    server: NDArray[np.int64]
    jobs: NDArray[np.int64]
    hosted: NDArray[np.int64]
    taken: NDArray[np.int64]


class Layers(NamedTuple):
    """Partial layouts by the block they have come to; arrays are changed in place.

    Attributes
    ----------
    value
        What they take so far and the rest takes at least, shape (L + 1, rows).
    used
        A bit for each server, shape (L + 1, rows).
    origin, row
        Block and row of the layout that it continues, -1 for none, shape (L + 1, rows).
    breadth
        Servers that host the block, shape (L + 1, rows).
    fronts
        These servers, their jobs, and blocks and slots so far, shape (L + 1, rows, 4, `ABREAST`).
    filled
        Rows in use, shape (L + 1,); the last for complete layouts.
    limit
        Value from which on no layout is of interest, shape (L + 1,).
    abreast
        Servers that host the same block at most, `ABREAST` or fewer, shape (1,).
    choice
        The servers that are best to begin with n jobs, of those that the layout at hand does not use, each kind once;
        -1 where there are fewer. Shape (C + 1, 5).
    """

    value: NDArray[np.float64]
    used: NDArray[np.int64]
    origin: NDArray[np.int64]
    row: NDArray[np.int64]
    breadth: NDArray[np.int64]
    fronts: NDArray[np.int32]
    filled: NDArray[np.int64]
    limit: NDArray[np.float64]
    abreast: NDArray[np.int64]
    choice: NDArray[np.int64]


def layers_for(blocks: int, jobs: int, width: int, abreast: int) -> Layers:
    """Room for so many layouts of each block, without any."""
    shape = blocks + 1, _ROOM * width
    return Layers(
        np.empty(shape),
        np.empty(shape, dtype=np.int64),
        np.empty(shape, dtype=np.int64),
        np.empty(shape, dtype=np.int64),
        np.empty(shape, dtype=np.int64),
        np.empty((*shape, 4, ABREAST), dtype=np.int32),
        np.zeros(blocks + 1, dtype=np.int64),
        np.full(blocks + 1, np.inf),
        np.array([abreast]),
        np.zeros((jobs + 1, _CHOICE), dtype=np.int64),
    )


@kernel
def begin(prices: Prices, layers: Layers) -> None:
    """All ways to begin with one server, or two or three that run no fewer jobs than the one before."""
    jobs, front = prices.jobs[0], _front()
    _choose(prices, layers, 0)
    _and_begin(prices, layers, 0, prices.root[0], 0, -1, -1, 0, jobs, front)
    for first in range(1, jobs // 2 + 1 if layers.abreast[0] > 1 else 1):
        for i in layers.choice[first]:
            if i < 0:
                break
            used, value = _open(prices, front, 0, 0, prices.root[0], i, first)
            _and_begin(prices, layers, 0, value, used, -1, -1, 1, jobs - first, front)
            for second in range(first, (jobs - first) // 2 + 1 if layers.abreast[0] > 2 else first):
                for k in layers.choice[second]:
                    j = _instead(prices, used, k) if k >= 0 else -1
                    if j >= 0:
                        now, both = _open(prices, front, 1, used, value, j, second)
                        left = jobs - first - second
                        _and_begin(prices, layers, 0, both, now, -1, -1, 2, left, front)


@kernel
def expand(prices: Prices, layers: Layers, block: int, first: int, last: int) -> None:
    """Continue the layouts in rows `first`, ..., `last` - 1 of a block to all blocks where servers may end."""
    front, kept, price, blocks = _front(), _front(), prices.block[0], layers.filled.size - 1
    for row in range(first, last):
        number, used, value = layers.breadth[block, row], layers.used[block, row], layers.value[block, row]
        for i in range(number):
            for k in range(4):
                front[k][i] = layers.fronts[block, row, k, i]
        _choose(prices, layers, used)
        for stop in range(block + 1, blocks + 1):
            if not _fits(prices, number, front):
                break
            for i in range(number):
                value -= _rest(prices, front, i)
                front.hosted[i] += 1
                front.taken[i] += front.jobs[i]
                value += front.jobs[i] * (prices.comp[front.server[i]] - price) + _rest(prices, front, i)
            if stop == blocks:
                for i in range(number):
                    value -= _rest(prices, front, i)
                for j in range(prices.kind.size):
                    if not (used >> j) & 1:
                        value -= prices.rest[prices.kind[j], prices.first[j], 0]
                _add(prices, layers, stop, value, used, block, row, 0, front)
                break
            for ending in range(1, 1 << number):
                going, left, ended, known = 0, 0, 0, value
                for i in range(number):
                    if (ending >> i) & 1:
                        ended += 1
                        going += front.jobs[i]
                        known -= _rest(prices, front, i)
                    else:
                        for k in range(4):
                            kept[k][left] = front[k][i]
                        left += 1
                if ended <= 2 and known < layers.limit[stop]:
                    _send_on(prices, layers, stop, known, used, block, row, left, going, kept)


@kernel
def _send_on(
    prices: Prices,
    layers: Layers,
    block: int,
    value: float,
    used: int,
    origin: int,
    row: int,
    left: int,
    going: int,
    front: Front,
) -> None:
    """All ways to send jobs on to one server or two, that host the block already (the first `left`) or begin there."""
    begins = layers.abreast[0] - left
    for some in range(1, going + 1):
        others = going - some
        for i in range(left):
            joined = value + _joining(prices, front, i, some)
            if joined >= layers.limit[block]:
                continue
            front.jobs[i] += some
            if others == 0:
                _add(prices, layers, block, joined, used, origin, row, left, front)
            else:
                for k in range(i + 1, left):
                    both = joined + _joining(prices, front, k, others)
                    front.jobs[k] += others
                    _add(prices, layers, block, both, used, origin, row, left, front)
                    front.jobs[k] -= others
                _and_begin(prices, layers, block, joined, used, origin, row, left, others, front)
            front.jobs[i] -= some
        if others == 0:
            _and_begin(prices, layers, block, value, used, origin, row, left, some, front)
        elif begins >= 2 and some <= others:
            for j in layers.choice[some]:
                if j < 0:
                    break
                now, opened = _open(prices, front, left, used, value, j, some)
                if opened >= layers.limit[block]:
                    break
                _and_begin(prices, layers, block, opened, now, origin, row, left + 1, others, front)


@kernel
def _and_begin(
    prices: Prices,
    layers: Layers,
    block: int,
    value: float,
    used: int,
    origin: int,
    row: int,
    left: int,
    jobs: int,
    front: Front,
) -> None:
    """Add the layouts where so many jobs go to one more server, that begins at the block."""
    if left == layers.abreast[0]:
        return
    for best in layers.choice[jobs]:
        j = _instead(prices, used, best) if best >= 0 else -1
        if j < 0:
            continue
        if value + prices.opening[jobs, j] >= layers.limit[block]:
            return
        now, opened = _open(prices, front, left, used, value, j, jobs)
        _add(prices, layers, block, opened, now, origin, row, left + 1, front)


@kernel
def _front() -> Front:
    return Front(
        np.zeros(ABREAST, dtype=np.int64),
        np.zeros(ABREAST, dtype=np.int64),
        np.zeros(ABREAST, dtype=np.int64),
        np.zeros(ABREAST, dtype=np.int64),
    )


@kernel
def _choose(prices: Prices, layers: Layers, used: int) -> None:
    """Write down which unused servers are best to begin with."""
    choice = layers.choice
    for n in range(1, choice.shape[0]):
        found = 0
        for place in range(prices.kind.size):
            j = prices.order[n, place]
            if found == choice.shape[1] or prices.opening[n, j] == np.inf:
                break
            known = (used >> j) & 1 == 1
            for other in choice[n, :found]:
                known = known or prices.kind[other] == prices.kind[j]
            if not known:
                choice[n, found] = j
                found += 1
        choice[n, found:] = -1


@kernel
def _instead(prices: Prices, used: int, j: int) -> int:
    """A server of the kind of j that is not used, -1 if all are."""
    for other in range(j, prices.kind.size):
        if prices.kind[other] == prices.kind[j] and not (used >> other) & 1:
            return int(other)
    return -1


@kernel
def _open(prices: Prices, front: Front, at: int, used: int, value: float, j: int, jobs: int) -> tuple[int, float]:
    """Let server j begin with so many jobs; the servers that are used now, and the value."""
    front.server[at], front.jobs[at], front.hosted[at], front.taken[at] = j, jobs, 0, 0
    return used | (1 << j), value + prices.opening[jobs, j]


@kernel
def _joining(prices: Prices, front: Front, i: int, jobs: int) -> float:
    """What it adds that so many jobs come to a server that runs some already."""
    before = _rest(prices, front, i)
    front.jobs[i] += jobs
    after = _rest(prices, front, i)
    front.jobs[i] -= jobs
    return float(prices.comm[front.server[i]]) * jobs + after - before


@kernel
def _rest(prices: Prices, front: Front, i: int) -> float:
    """What the server adds to the rest, see `Prices`."""
    j, hosted = front.server[i], front.hosted[i]
    room = prices.slots[j, hosted] - front.taken[i] if hosted > 0 else prices.first[j]
    return float(prices.rest[prices.kind[j], room, front.jobs[i]])


@kernel
def _fits(prices: Prices, number: int, front: Front) -> bool:
    """Whether all of them can host one more block."""
    for i in range(number):
        m = front.hosted[i] + 1
        if m > prices.most[front.server[i]] or front.taken[i] + front.jobs[i] > prices.slots[front.server[i], m]:
            return False
    return True


@kernel
def _add(
    prices: Prices,
    layers: Layers,
    block: int,
    value: float,
    used: int,
    origin: int,
    row: int,
    number: int,
    front: Front,
) -> None:
    """Write a layout, unless it is not good enough, or a server of it cannot host the block."""
    if value >= layers.limit[block] or not _fits(prices, number, front):
        return
    at = layers.filled[block]
    layers.value[block, at], layers.used[block, at] = value, used
    layers.origin[block, at], layers.row[block, at], layers.breadth[block, at] = origin, row, number
    for i in range(number):
        for k in range(4):
            layers.fronts[block, at, k, i] = front[k][i]
    layers.filled[block] = at + 1
    if at + 1 == layers.value.shape[1]:
        prune(prices, layers, block)


@kernel
def prune(prices: Prices, layers: Layers, block: int) -> None:
    """Keep the best layouts of a block, the best one first, one for the same classes of servers and numbers of jobs."""
    width = layers.value.shape[1] // _ROOM
    order = np.argsort(layers.value[block, : layers.filled[block]], kind="mergesort")
    size = 1
    while size < 4 * width:
        size *= 2
    table = np.zeros(size, dtype=np.uint64)
    chosen = np.zeros(width, dtype=np.int64)
    kept = 0
    for at in order:
        key = _key(prices, layers, block, at)
        slot = np.int64(key & np.uint64(size - 1))
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + 1) % size
        if table[slot] != key:
            table[slot] = key
            chosen[kept] = at
            kept += 1
            if kept == width:
                break
    rows = chosen[:kept]
    layers.value[block, :kept] = layers.value[block][rows]
    layers.used[block, :kept] = layers.used[block][rows]
    layers.origin[block, :kept] = layers.origin[block][rows]
    layers.row[block, :kept] = layers.row[block][rows]
    layers.breadth[block, :kept] = layers.breadth[block][rows]
    layers.fronts[block, :kept] = layers.fronts[block][rows]
    layers.filled[block] = kept
    if kept == width:
        layers.limit[block] = layers.value[block, kept - 1]


@kernel
def _key(prices: Prices, layers: Layers, block: int, at: int) -> np.uint64:
    """Of the classes of servers that are used, and classes and numbers of jobs of those that host the block; never 0.

    Of complete layouts, all are told apart.
    """
    servers = prices.kind.size
    key, used = np.uint64(1), layers.used[block, at]
    for j in range(servers):
        if (used >> j) & 1:
            key += prices.keys[prices.like[j]]
    for i in range(layers.breadth[block, at]):
        jobs = layers.fronts[block, at, 1, i]
        like = prices.keys[prices.like[layers.fronts[block, at, 0, i]]]
        key += (like ^ prices.keys[servers + jobs]) * np.uint64(2 * jobs + 3)
    if layers.breadth[block, at] == 0:
        key = np.uint64((layers.origin[block, at] << 32 | layers.row[block, at]) + 1)
    return max(key, np.uint64(1))


@kernel
def trace(layers: Layers, at: int, start: NDArray[np.int64], stop: NDArray[np.int64]) -> None:
    """Write what the servers of a complete layout host; both 0 where nothing."""
    start[:] = 0
    stop[:] = 0
    after = layers.filled.size - 1
    block, row = layers.origin[after, at], layers.row[after, at]
    while block >= 0:
        for i in range(layers.breadth[block, row]):
            j = layers.fronts[block, row, 0, i]
            start[j] = block - layers.fronts[block, row, 2, i]
            if stop[j] == 0:
                stop[j] = after
        after = block
        block, row = layers.origin[block, row], layers.row[block, row]
