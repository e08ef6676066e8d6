"""A bound on the total service rate, in closed form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.grid import MemoryGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model.instance import Server, Service


def rate_bound(service: Service, servers: Sequence[Server]) -> float:
    """Upper bound on the total service rate ν of every composition, jobs per second; pins are not looked at.

    ν <= 1/L² Σ_j max_m slots_j(m) / (τ^p_j + τ^c_j / m), over the m blocks that server j may host.

    A chain that processes x_j <= m_j blocks at server j takes T = Σ_j (τ^c_j + τ^p_j x_j) >= Σ_j a_j x_j, where
    a_j = τ^p_j + τ^c_j / m_j. As Σ_j x_j = L and 1/T is convex, 1/T <= 1/L² Σ_j x_j / a_j; and the jobs of all chains
    take at most slots_j(m_j) slots of server j. The bound is met where servers are equal and L is a multiple of m.
    """
    free = [server.memory_gb - server.reserve_gb for server in servers]
    grid = MemoryGrid.of(free, service.block_gb, service.cache_gb, service.blocks)
    times = np.array([(float(server.comm_s), float(server.comp_s_per_block)) for server in servers])
    most = grid.sizes(1)
    best = np.zeros(len(servers))
    for m in range(1, int(most.max()) + 1):
        hosts = np.flatnonzero(most >= m)
        slots = (grid.free[hosts] - grid.block * m) // grid.cache
        best[hosts] = np.maximum(best[hosts], slots.astype(float) / (times[hosts, 1] + times[hosts, 0] / m))
    return math.fsum(best.tolist()) / service.blocks**2
