"""Windows of blocks that are compared by what their blocks have, the least of them first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def scarcest_window(amounts: NDArray[np.int64], length: int) -> int:
    """First block of the window whose ascending amounts are lexicographically smallest; the first such window.

    The sorted window slides: one amount leaves it and one comes, so all windows together take O(L · length).

    Parameters
    ----------
    amounts
        What each block has, shape (L,).
    length
        Of the windows, from 1 to L.
    """
    window = np.empty(length, dtype=np.int64)
    best = window.copy()
    best_start = -1
    for block in range(amounts.size):
        new = amounts[block]
        i = block
        if block >= length:  # the first block of the last window makes room
            i = 0
            while window[i] != amounts[block - length]:
                i += 1
            while i + 1 < length and window[i + 1] < new:
                window[i] = window[i + 1]
                i += 1
        while i > 0 and window[i - 1] > new:
            window[i] = window[i - 1]
            i -= 1
        window[i] = new
        if block >= length - 1 and (best_start < 0 or _precedes(window, best)):
            best[:] = window
            best_start = block - length + 1
    return best_start


@kernel
def _precedes(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> bool:
    """Whether the first amount that differs is the smaller one."""
    for i in range(ours.size):
        if ours[i] != theirs[i]:
            return bool(ours[i] < theirs[i])
    return False
