"""The allocation that only uses reserved cache: the disjoint chains of GBP-CR with c jobs each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.composition import Composition
from chainopt.model.placement import checked_slots

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement


def reserved(instance: Instance, placement: Placement, cache_reservation: int) -> Composition:
    """Disjoint chains of `cache_reservation` jobs each, what the paper compares GCA with in figure 2.

    Servers are taken by increasing amortised time (τ^c_j + τ^p_j m_j)/m_j, ties by position, and a server that hosts
    the block that the chain has come to continues it. For a placement of GBP-CR without pins these are its chains.

    Raises
    ------
    ValueError
        If the placement is not one of this instance, or does not fit into the memories.
    """
    sizes = placement.sizes
    slots = checked_slots(instance, placement)
    chains: list[list[int]] = []
    chain: list[int] = []
    boundary = 0
    for j in instance.time.by_amortised_time(np.flatnonzero(sizes > 0), sizes).tolist():
        stop = int(placement.stop[j])
        if placement.start[j] <= boundary < stop and slots[j] >= cache_reservation * (stop - boundary):
            chain.append(j)
            boundary = stop
        if boundary == instance.service.blocks:
            chains.append(chain)
            chain, boundary = [], 0
    return Composition.of(instance, placement, chains, [cache_reservation] * len(chains))
