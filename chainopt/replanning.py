"""A composition that is in place, on servers that may have left, joined or changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import FormatError
from chainopt.model.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution


def reference_of(instance: Instance, previous: Solution) -> Placement:
    """The blocks that servers of the instance have loaded, by their ids; none on servers that have joined.

    Raises
    ------
    FormatError
        If the previous solution hosts blocks that the service does not have.
    """
    blocks = instance.service.blocks
    start = np.zeros(len(instance.servers), dtype=np.int64)
    stop = start.copy()
    for entry in previous.placement:
        if entry.stop > blocks:
            message = f"server {entry.server!r} hosts blocks up to {entry.stop}, the service has {blocks}"
            raise FormatError(f"it is of another service: {message}", path="placement")
        j = instance.position.get(entry.server)
        if j is not None:
            start[j], stop[j] = entry.start, entry.stop
    return Placement(start, stop)


def that_fits(instance: Instance, reference: Placement) -> Placement:
    """As much of a reference as memories hold and pins allow: servers that got too small give up their last blocks."""
    start, stop = reference.start.copy(), reference.stop.copy()
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            start[j], stop[j] = server.pin.start, server.pin.stop
    most: NDArray[np.int64] = instance.memory.sizes(1)
    free = np.array([server.pin is None for server in instance.servers])
    stop = np.where(free, np.minimum(stop, start + most), stop)
    return Placement(start, stop)


def moved_blocks(placement: Placement, reference: Placement) -> int:
    """Blocks that servers have to load: hosted by them in the placement and not in the reference."""
    common = np.minimum(placement.stop, reference.stop) - np.maximum(placement.start, reference.start)
    return int(np.sum(placement.sizes - np.maximum(common, 0)))
