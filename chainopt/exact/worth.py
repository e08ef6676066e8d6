"""What a job is worth on a chain: φ(T), convex and falling with the time T."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Worth(NamedTuple):
    """φ(T), convex and falling, in pieces: 0 below the first.

    Attributes
    ----------
    starts
        1/T from which on each piece holds, growing, shape (N,).
    slopes, offsets, losses
        There φ(T) is `slopes` / T - `offsets` - `losses` T, or 0 if that is less.
    """

    starts: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    losses: NDArray[np.float64]

    def of(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """φ of each time."""
        worths: NDArray[np.float64] = _worths(self, time_s)
        return worths


def worth_above(weights: NDArray[np.float64], slopes: NDArray[np.float64]) -> Worth:
    """φ(T) = Σ_n w_n max(0, 1/T - a_n), for w_n >= 0 and a_n >= 0: piecewise linear in 1/T."""
    order = np.argsort(slopes, kind="stable")
    starts = slopes[order]
    offsets = np.cumsum(weights[order] * starts)
    return Worth(starts, np.cumsum(weights[order]), offsets, np.zeros(starts.size))


@kernel
def worth_of(worth: Worth, time_s: float) -> float:
    """φ(T)."""
    at = np.searchsorted(worth.starts, 1 / time_s, side="right") - 1
    return max(worth.slopes[at] / time_s - worth.offsets[at] - worth.losses[at] * time_s, 0.0) if at >= 0 else 0.0


@kernel
def _worths(worth: Worth, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    worths = np.empty(time_s.size)
    for k in range(time_s.size):
        worths[k] = worth_of(worth, time_s[k])
    return worths


RATE = worth_above(np.ones(1), np.zeros(1))
"""1/T."""
