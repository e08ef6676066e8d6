"""What the kernels of the search know of an instance: integers, in arrays by position of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.exact.enumeration_kernels import JOB_SERVERS, RATE, RESPONSE_TIME
from chainopt.model.solution import Objective
from chainopt.placement.greedy import pinned_ranges
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement

_CODES = {Objective.RESPONSE_TIME: RESPONSE_TIME, Objective.JOB_SERVERS: JOB_SERVERS, Objective.RATE: RATE}


class Problem(NamedTuple):
    """An instance and an objective.

    Attributes
    ----------
    objective
        One of `RESPONSE_TIME`, `JOB_SERVERS` and `RATE`.
    rate
        Arrival rate, or total service rate to reach, jobs per tick.
    blocks
        L.
    comm, comp
        τ^c_j and τ^p_j in ticks, shape (J,).
    most
        Blocks that server j can host and process for a job, m_j(1); 0 for a pinned server. More would never be
        processed together, so that hosting the last of them only is at least as good. Shape (J,).
    slots
        Cache slots of server j beside m blocks, shape (J, L + 1); 0 for m = 0, and for more than it may host.
    free
        Positions of the servers that may be moved: those without a pin, with room for a block.
    reference_start, reference_stop
        What each server has loaded already, shape (J,).
    most_moved
        Largest number of blocks that may be hosted where they are not loaded.
    """

    objective: int
    rate: float
    blocks: int
    comm: NDArray[np.int64]
    comp: NDArray[np.int64]
    most: NDArray[np.int64]
    slots: NDArray[np.int64]
    free: NDArray[np.int64]
    reference_start: NDArray[np.int64]
    reference_stop: NDArray[np.int64]
    most_moved: int


def problem_of(
    instance: Instance,
    objective: Objective,
    reference: Placement | None = None,
    most_moved: int | None = None,
) -> Problem:
    """Arrays of an instance.

    Parameters
    ----------
    reference
        What the servers have loaded already; nothing if None.
    most_moved
        Largest number of blocks that may be hosted where they are not loaded; None for any.

    Raises
    ------
    InfeasibleError
        If a server does not have the memory for its pin.
    """
    servers, blocks = len(instance.servers), instance.service.blocks
    start, stop = pinned_ranges(instance)
    pinned = stop > 0
    most = np.where(pinned, 0, instance.memory.sizes(1))
    slots = np.zeros((servers, blocks + 1), dtype=np.int64)
    for m in range(1, blocks + 1):
        fits = np.flatnonzero((m <= most) | (pinned & (m == stop - start)))
        slots[fits, m] = instance.memory.slots(np.full(fits.size, m, dtype=np.int64), fits)
    wanted = instance.workload.arrival_rate
    if objective is Objective.JOB_SERVERS:
        wanted /= instance.workload.target_load
    rate = float(wanted.scaleb(-instance.time.places))
    if objective is Objective.JOB_SERVERS:
        rate *= 1 - RELATIVE_TOLERANCE
    empty = np.zeros(servers, dtype=np.int64)
    return Problem(
        _CODES[objective],
        rate,
        blocks,
        instance.time.comm.copy(),  # kernels are compiled for arrays that may be written
        instance.time.comp.copy(),
        most,
        slots,
        np.flatnonzero(most > 0),
        empty if reference is None else reference.start.copy(),
        empty if reference is None else reference.stop.copy(),
        np.iinfo(np.int64).max if most_moved is None else most_moved,
    )
