"""A placement: which contiguous range of blocks each server hosts (PROBLEM, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from chainopt.model.instance import Instance


@dataclass(frozen=True, eq=False)
class Placement:
    """Server j hosts the blocks start[j], ..., stop[j] - 1; none where both are equal.

    Parameters
    ----------
    start, stop
        Integers, shape (J,), 0 <= start <= stop. Copied, and read-only afterwards.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def __init__(self, start: ArrayLike, stop: ArrayLike) -> None:
        for name, values in (("start", start), ("stop", stop)):
            array = np.array(values, dtype=np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.start.ndim != 1 or self.start.shape != self.stop.shape:
            raise ValueError(f"start and stop have shapes {self.start.shape} and {self.stop.shape}")
        wrong = np.flatnonzero((self.start < 0) | (self.start > self.stop))
        if wrong.size:
            j = int(wrong[0])
            raise ValueError(f"server {j} cannot host blocks {self.start[j]} to {self.stop[j]}")

    @property
    def sizes(self) -> NDArray[np.int64]:
        """m_j, number of blocks that each server hosts."""
        return self.stop - self.start

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Placement):
            return NotImplemented
        return np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop)

    def __hash__(self) -> int:
        return hash((self.start.tobytes(), self.stop.tobytes()))


def checked_slots(instance: Instance, placement: Placement) -> NDArray[np.int64]:
    """Cache slots that a placement leaves [eq. 3].

    Raises
    ------
    ValueError
        If the placement is not one of this instance, or does not fit into the memories.
    """
    servers, blocks = len(instance.servers), instance.service.blocks
    if placement.start.size != servers:
        raise ValueError(f"a placement of {placement.start.size} servers, the instance has {servers}")
    beyond = np.flatnonzero(placement.stop > blocks)
    if beyond.size:
        raise ValueError(f"server {beyond[0]} hosts blocks up to {placement.stop[beyond[0]]} of {blocks}")
    slots = instance.memory.slots(placement.sizes)
    over = np.flatnonzero(slots < 0)
    if over.size:
        raise ValueError(f"server {over[0]} does not have the memory for the blocks that it hosts")
    return slots
