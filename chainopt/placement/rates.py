"""What one server serves by itself, the throughput that placements of other systems go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def rate(instance: Instance, server: int, blocks: int) -> float:
    """T_j(k) = floor((M_j - s_m k) / (s_c k)) / (τ^c_j + τ^p_j k), jobs per second of a server with k >= 1 blocks.

    Other systems measure tokens per second with k layers at a typical batch; here the caches limit the batch, and the
    times of the instance are those of one job in it. 0 where there is no room for a job, or for the blocks.
    """
    slots = int(instance.memory.slots(np.array([blocks]), np.array([server]))[0])
    if slots < blocks:
        return 0.0
    ticks = instance.time.comm[server] + instance.time.comp[server] * blocks
    return slots // blocks / float(instance.time.seconds(np.array([ticks]))[0])
