"""Random placement: the sizes of GBP-CR at random places, the baseline of the paper's figure 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.placement import Placement

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def random_placement(instance: Instance, cache_reservation: int, seed: int = 0) -> Placement:
    """Each server hosts m_j(c) blocks [eq. 6] from a block that is drawn uniformly; pins stay as pinned.

    The draws depend on `seed`, and for equal sizes they are equal.
    """
    sizes = instance.memory.sizes(cache_reservation)
    draws = np.random.default_rng(seed).random(sizes.size)
    start = np.floor(draws * (instance.service.blocks - sizes + 1)).astype(np.int64)
    stop = start + sizes
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            start[j], stop[j] = server.pin.start, server.pin.stop
    return Placement(start, stop)
