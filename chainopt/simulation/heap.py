"""A binary heap of events in two arrays, time and key: earliest first, the smaller key at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def push(times: NDArray[np.float64], keys: NDArray[np.int64], size: int, time: float, key: int) -> None:
    """Add an event to a heap of `size`."""
    i = size
    while i > 0:
        above = (i - 1) // 2
        if times[above] < time or (times[above] == time and keys[above] <= key):
            break
        times[i], keys[i] = times[above], keys[above]
        i = above
    times[i], keys[i] = time, key


@kernel
def replace_first(times: NDArray[np.float64], keys: NDArray[np.int64], size: int, time: float, key: int) -> None:
    """Put an event in the place of the earliest one of a heap of `size`."""
    i = 0
    while True:
        below = 2 * i + 1
        if below >= size:
            break
        other = below + 1
        if other < size and (
            times[other] < times[below] or (times[other] == times[below] and keys[other] < keys[below])
        ):
            below = other
        if time < times[below] or (time == times[below] and key <= keys[below]):
            break
        times[i], keys[i] = times[below], keys[below]
        i = below
    times[i], keys[i] = time, key


@kernel
def drop_first(times: NDArray[np.float64], keys: NDArray[np.int64], size: int) -> None:
    """Take the earliest event from a heap of `size`."""
    last = size - 1
    if last > 0:
        replace_first(times, keys, last, times[last], keys[last])
