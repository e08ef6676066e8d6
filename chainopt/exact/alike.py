"""Servers that differ little, counted as equal: a relaxation with fewer rows.

Where servers have the same memory and the same computation time, and their communication times are within δ of each
other, all get the least of these. No chain is slower for it, so what no composition of these servers beats, no
composition of the true ones does. To the relaxation, equal servers are one entry with so many copies: a solution can be
averaged over all ways to exchange them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance


def alike(instance: Instance, most: int) -> tuple[Instance, NDArray[np.int64]]:
    """One server for all that are within δ of it, the fastest of them, and how many each stands for.

    δ is the least for which there are at most so many; where there is none, servers with the same memory and
    computation time are one.
    """
    groups: dict[object, list[int]] = {}
    for j, server in enumerate(instance.servers):
        size = None if server.pin is None else server.pin.stop - server.pin.start
        key = (int(instance.memory.free[j]), server.comp_s_per_block, size)
        groups.setdefault(key, []).append(j)
    comm = instance.time.comm
    ordered = [np.array(sorted(group, key=lambda j: int(comm[j]))) for group in groups.values()]
    low, high = -1, int(np.ptp(comm))
    while high - low > 1:
        middle = (low + high) // 2
        enough = sum(_firsts(comm[group], middle).size for group in ordered) <= most
        low, high = (low, middle) if enough else (middle, high)
    fastest, copies = [], []
    for group in ordered:
        first = _firsts(comm[group], high)
        fastest += group[first].tolist()
        copies += np.diff(np.append(first, group.size)).tolist()
    order = np.argsort(fastest)
    servers = tuple(instance.servers[fastest[i]] for i in order)
    return instance.replace(servers=servers), np.array(copies, dtype=np.int64)[order]


def _firsts(comm: NDArray[np.int64], delta: int) -> NDArray[np.int64]:
    """Where sorted times begin that are within δ of the first of them."""
    firsts = [0]
    while (after := int(np.searchsorted(comm, comm[firsts[-1]] + delta, side="right"))) < comm.size:
        firsts.append(after)
    return np.array(firsts)
