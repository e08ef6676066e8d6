"""GBP-CR, greedy block placement with cache reservation [Algorithm 1]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from chainopt.diagnosis import infeasibility
from chainopt.errors import InfeasibleError
from chainopt.jit import kernel
from chainopt.model.placement import Placement
from chainopt.quantity import at_least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.protocols import Stop


def gbp_cr(instance: Instance, cache_reservation: int, stop: Stop = "never") -> Placement:
    """Greedy block placement with cache reservation [Algorithm 1].

    Each server hosts as many blocks as leave it room for `cache_reservation` jobs at each. Servers are taken by
    increasing amortised time [eq. 8] and strung into chains, one after another.

    A server with a pin hosts its pin and nothing else. It joins the chain that is being built as soon as that chain
    has come to one of its blocks, if it can process the rest of its pin for c jobs; of several such servers the one
    that goes farthest, ties by position. This is ours, the paper has no pins.

    Parameters
    ----------
    cache_reservation
        c >= 1, jobs that each chain is to run at once.
    stop
        ``"rate"``: leave the rest of the servers empty once the chains, with c jobs each, serve λ/ρ̄ [the paper's];
        ``"never"``: place all servers.

    Raises
    ------
    InfeasibleError
        If not one chain can be completed.
    """
    strings = GreedyChains.of(instance, cache_reservation)
    if not strings.complete:
        raise InfeasibleError(f"no chain can be completed with room for {cache_reservation} jobs at each block")
    return strings.placement(strings.prefix(instance.design_rate, cache_reservation) if stop == "rate" else None)


@dataclass(frozen=True, eq=False)
class GreedyChains:
    """What GBP-CR strings together when it never stops; `reservations` has the c at which it changes.

    Attributes
    ----------
    start, stop
        Blocks that each server would host, shape (J,).
    chain
        Chain that each server was placed for, -1 for those with room for no block, shape (J,). Pins count as chain 0,
        since they are hosted in any case.
    rates
        1/T_k of the complete chains, shape (K,).
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    chain: NDArray[np.int64]
    rates: NDArray[np.float64]

    @classmethod
    def of(cls, instance: Instance, cache_reservation: int) -> GreedyChains:
        """String the chains for c = `cache_reservation`."""
        if cache_reservation < 1:
            raise ValueError(f"expected a cache reservation of at least 1, got {cache_reservation}")
        blocks, time = instance.service.blocks, instance.time
        sizes = instance.memory.sizes(cache_reservation)
        pin_start, pin_stop = pinned_ranges(instance)
        pinned = pin_stop > 0
        order = time.by_amortised_time(np.flatnonzero(~pinned & (sizes > 0)), sizes)
        start, stop, chain, ticks = _string_chains(
            order,
            np.flatnonzero(pinned),
            instance.memory.slots(pin_stop - pin_start) // cache_reservation,
            sizes,
            pin_start,
            pin_stop,
            time.comm,
            time.comp,
            blocks,
        )
        return cls(start, stop, chain, 1.0 / time.seconds(ticks))

    @property
    def complete(self) -> int:
        """K(c), number of complete chains."""
        return int(self.rates.size)

    @cached_property
    def served(self) -> NDArray[np.float64]:
        """Σ_{l<=k} 1/T_l, rate that the first k chains serve with one job each, shape (K,)."""
        return running_sums(self.rates)

    def prefix(self, design_rate: float, cache_reservation: int) -> int | None:
        """Number of chains after which c Σ 1/T_k first reaches the rate to design for; None if it never does."""
        for k, rate in enumerate(self.served.tolist()):
            if at_least(cache_reservation * rate, design_rate):
                return k + 1
        return None

    def placement(self, chains: int | None) -> Placement:
        """Placement of the servers of the first so many chains, of all servers if None."""
        hosts = self.chain >= 0 if chains is None else (self.chain >= 0) & (self.chain < chains)
        return Placement(np.where(hosts, self.start, 0), np.where(hosts, self.stop, 0))


def reservations(instance: Instance) -> list[int]:
    """Every c >= 1 after which `GreedyChains` changes: ends of the intervals of c for which it is the same.

    The vector m_j(c) changes, or a pinned server can no longer process n blocks for c jobs.
    """
    start, stop = pinned_ranges(instance)
    slots = instance.memory.slots(stop - start)
    pins = {int(slots[j]) // n for j in np.flatnonzero(stop) for n in range(1, int(stop[j] - start[j]) + 1)}
    return sorted({*instance.memory.reservations().tolist(), *pins} - {0})


def pinned_ranges(instance: Instance) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First blocks and ends of the pinned ranges, 0 and 0 where there is no pin.

    Raises
    ------
    InfeasibleError
        If a server does not have the memory for its pin.
    """
    start = np.zeros(len(instance.servers), dtype=np.int64)
    stop = start.copy()
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            start[j], stop[j] = server.pin.start, server.pin.stop
    if np.any(instance.memory.slots(stop - start) < 0):
        raise InfeasibleError(str(infeasibility(instance)))
    return start, stop


@kernel
def _string_chains(
    order: NDArray[np.int64],
    pinned: NDArray[np.int64],
    pin_most: NDArray[np.int64],
    sizes: NDArray[np.int64],
    pin_start: NDArray[np.int64],
    pin_stop: NDArray[np.int64],
    comm: NDArray[np.int64],
    comp: NDArray[np.int64],
    blocks: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Take the servers in order, each from the block that the chain has come to.

    A pinned server, of those that host that block the one that goes farthest, comes before the next in order if its
    slots let it process the rest of its range for c jobs, at most `pin_most` blocks.
    """
    start = pin_start.copy()
    stop = pin_stop.copy()
    chain = np.full(start.size, -1, dtype=np.int64)
    chain[pinned] = 0
    taken = np.zeros(start.size, dtype=np.bool_)
    ticks = np.empty(order.size + pinned.size, dtype=np.int64)
    complete = 0
    taken_free = 0
    block = 0
    total = 0
    while True:
        j = -1
        for i in pinned:
            reaches = start[i] <= block < stop[i] and stop[i] - block <= pin_most[i]
            if reaches and not taken[i] and (j < 0 or stop[i] > stop[j]):
                j = i
        if j >= 0:
            total += comm[j] + comp[j] * (stop[j] - block)
        elif taken_free < order.size:
            j = order[taken_free]
            taken_free += 1
            start[j] = min(block, blocks - sizes[j])
            stop[j] = start[j] + sizes[j]
            chain[j] = complete
            total += comm[j] + comp[j] * sizes[j]
        else:
            break
        taken[j] = True
        block = stop[j]
        if block == blocks:
            ticks[complete] = total
            complete += 1
            block = 0
            total = 0
    return start, stop, chain, ticks[:complete].copy()


@kernel
def running_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the first 1, 2, ... values, each as if rounded once (Kahan-Babuška-Neumaier)."""
    sums = np.empty_like(values)
    total = lost = 0.0
    for i in range(values.size):
        new = total + values[i]
        lost += (total - new) + values[i] if abs(total) >= abs(values[i]) else (values[i] - new) + total
        total = new
        sums[i] = total + lost
    return sums
