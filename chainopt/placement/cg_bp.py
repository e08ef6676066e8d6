"""CG-BP, conservative greedy block placement: the placement of BPRR.

The paper counts communication and computation for each token; an instance has them for a job, l tokens, so all times
are l times as long here, which changes no comparison. It has one client, the orchestrator.

References
----------
T. Sun, T. He, B. Ji, P. Parag, Optimizing Resource Allocation for Geographically-Distributed Inference by Large
Language Models, arXiv 2512.21884.
"""

from __future__ import annotations

from itertools import accumulate
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement.greedy import pinned_ranges
from chainopt.placement.windows import scarcest_window

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def cg_bp(instance: Instance, sessions: int) -> Placement:
    """Conservative greedy block placement for so many sessions at once.

    Server j hosts m_j = min(floor(M_j / (s_m + s_c R)), L) blocks. Servers are taken by increasing amortised time
    t_j = τ^p_j + τ^c_j / m_j; each has room for cap_j = floor((M_j - s_m m_j) / (s_c m_j)) >= R sessions.

    1. While some block has room for fewer than R sessions, a server takes, of the windows with such a block, the one
       whose blocks take the longest altogether, if sessions without room take D > max t_j at each block; ties go to the
       first. Without pins it does not matter how much longer D is, see docs/theory/baselines-petals-bprr.md.
    2. Then it takes the window whose blocks have room for the fewest sessions: the least is compared first, then the
       next; ties go to the first.

    Pinned servers host their pin and are taken before all others. This is ours, the paper has no pins.

    Parameters
    ----------
    sessions
        R >= 1.

    Raises
    ------
    InfeasibleError
        If some block is on no server, which without pins is when Σ_j m_j < L [Corollary 1].
    """
    if sessions < 1:
        raise ValueError(f"expected at least 1 session, got {sessions}")
    blocks, time = instance.service.blocks, instance.time
    start, stop = pinned_ranges(instance)
    pinned = np.flatnonzero(stop)
    sizes = np.where(stop > 0, stop - start, instance.memory.sizes(sessions))
    hosting = np.flatnonzero(sizes)
    if not hosting.size:
        raise InfeasibleError(f"no server has room for a block with the caches of {sessions} sessions")
    capacity = instance.memory.slots(sizes) // np.maximum(sizes, 1)
    unit = lcm(*np.unique(sizes[hosting]).tolist())  # times of this fraction of a tick are whole
    taken = {j: unit * int(time.comp[j]) + unit // int(sizes[j]) * int(time.comm[j]) for j in hosting.tolist()}
    dummy = 2 * max(taken.values())

    room = np.zeros(blocks, dtype=np.int64)  # C_b
    total = [sessions * dummy] * blocks  # T_b
    free = np.setdiff1d(hosting, pinned)
    for j in [*pinned.tolist(), *time.by_amortised_time(free, sizes).tolist()]:
        if not stop[j]:
            lacking = room < sessions
            start[j] = (
                _slowest_window(total, lacking.tolist(), int(sizes[j]))
                if lacking.any()
                else scarcest_window(room, sizes[j])
            )
        for b in range(start[j], start[j] + sizes[j]):
            total[b] -= (dummy - taken[j]) * min(max(sessions - int(room[b]), 0), int(capacity[j]))
            room[b] += capacity[j]
    covered = np.zeros(blocks, dtype=bool)
    for j in hosting.tolist():
        covered[start[j] : start[j] + sizes[j]] = True
    if not covered.all():
        missing = np.flatnonzero(~covered)
        raise InfeasibleError(
            f"CG-BP for {sessions} sessions leaves {missing.size} of {blocks} blocks without a server, block "
            f"{missing[0]} first: all servers together host {int(sizes.sum())} blocks"
        )
    return Placement(np.where(sizes > 0, start, 0), np.where(sizes > 0, start + sizes, 0))


def _slowest_window(total: list[int], lacking: list[bool], length: int) -> int:
    """First block of the window with the largest total time, of those with a block that lacks room; the first such."""
    time = [0, *accumulate(total)]
    lack = [0, *accumulate(lacking)]
    windows = [i for i in range(len(total) - length + 1) if lack[i + length] > lack[i]]
    return max(windows, key=lambda i: time[i + length] - time[i])
