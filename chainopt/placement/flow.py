"""The largest flow of jobs through the servers of a placement, as Helix counts it: each passes on its own rate at most.

Not a rate that the servers can keep up, see docs/formulations/helix.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.placement.rates import rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement

_UNITS = 10**9  # scipy counts up to 2^31 - 1


class Flow(NamedTuple):
    """A largest flow.

    Attributes
    ----------
    value
        Jobs per second.
    source, target, through
        Links with some flow, from server to server and how much, jobs per second; -1 is the coordinator, from which
        jobs come and to which they return. By source, then target.
    """

    value: float
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    through: NDArray[np.float64]


def largest_flow(instance: Instance, placement: Placement) -> Flow:
    """A largest flow from the coordinator through the servers of a placement back to it.

    A server passes on `rates.rate` with the blocks that it hosts. Jobs go from i to j where j hosts the block at which
    i stops. Rates are counted in 10^-9 of the least sum of rates at any block, which no flow exceeds, rounded down.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    start, stop = placement.start, placement.stop
    hosts = np.flatnonzero(stop > start)
    rates = np.array([rate(instance, j, int(stop[j] - start[j])) for j in hosts.tolist()])
    hosts, rates = hosts[rates > 0], rates[rates > 0]
    first, last = start[hosts], stop[hosts]
    most = min(float(rates[(first <= b) & (b < last)].sum()) for b in range(instance.service.blocks))
    if most == 0:
        none = np.empty(0, dtype=np.int64)
        return Flow(0.0, none, none, np.empty(0))
    unit = most / _UNITS
    # nodes: where each server takes jobs in, where it gives them on, the coordinator as source and as sink
    enter, leave = np.arange(hosts.size), hosts.size + np.arange(hosts.size)
    begin, end = 2 * hosts.size, 2 * hosts.size + 1
    i, j = np.nonzero((first <= last[:, None]) & (last[:, None] < last))
    heads, tails = np.flatnonzero(first == 0), np.flatnonzero(last == instance.service.blocks)
    source = np.concatenate([enter, leave[i], np.full(heads.size, begin), leave[tails]])
    target = np.concatenate([leave, enter[j], enter[heads], np.full(tails.size, end)])
    unlimited = np.full(i.size + heads.size + tails.size, _UNITS)
    limits = np.concatenate([np.minimum(rates / unit, _UNITS), unlimited]).astype(np.int32)
    graph = csr_array((limits, (source, target)), shape=(end + 1, end + 1))
    found = maximum_flow(graph, begin, end)
    links = found.flow.tocoo()
    kept = (links.data > 0) & ((links.row >= hosts.size) & (links.row != end))
    servers = np.concatenate([hosts, hosts, [-1, -1]])
    out, into = servers[links.row[kept]], servers[links.col[kept]]
    order = np.lexsort((into, out))
    return Flow(float(found.flow_value) * unit, out[order], into[order], links.data[kept][order] * unit)
