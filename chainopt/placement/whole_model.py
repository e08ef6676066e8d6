"""Whole-model placement: every server that can hosts all blocks, and chains are single servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def whole_model(instance: Instance) -> Placement:
    """All blocks on every server with room for them and for one job; servers with another pin stay as pinned.

    The baseline "JFFC only" of the paper, section 4.2.

    Raises
    ------
    InfeasibleError
        If no server has the room.
    """
    blocks = instance.service.blocks
    whole = np.full(len(instance.servers), blocks, dtype=np.int64)
    hosts = instance.memory.slots(whole) >= blocks
    start = np.zeros_like(whole)
    stop = np.where(hosts, blocks, 0)
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            start[j], stop[j] = server.pin.start, server.pin.stop
    if not np.any((start == 0) & (stop == blocks) & hosts):
        raise InfeasibleError(f"no server has the memory for all {blocks} blocks and one job")
    return Placement(start, stop)
