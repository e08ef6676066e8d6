"""What a job is worth on a chain: φ(T), convex and falling with the time T."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Worth:
    """φ(T) = Σ_n w_n max(0, 1/T - a_n), for w_n >= 0 and a_n >= 0: piecewise linear in 1/T.

    Attributes
    ----------
    starts, slopes, offsets
        From 1/T = `starts` on, φ(T) is `slopes` / T - `offsets`, shape (N,) each.
    """

    def __init__(self, weights: NDArray[np.float64], slopes: NDArray[np.float64]) -> None:
        order = np.argsort(slopes, kind="stable")
        self.starts = slopes[order]
        self.slopes = np.cumsum(weights[order])
        self.offsets = np.cumsum(weights[order] * self.starts)

    def of(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """φ of each time."""
        worths: NDArray[np.float64] = _worths(self.starts, self.slopes, self.offsets, time_s)
        return worths


@kernel
def worth_of(
    starts: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64], time_s: float
) -> float:
    """φ(T), from the attributes of a :class:`Worth`."""
    below = np.searchsorted(starts, 1 / time_s, side="right") - 1
    return max(slopes[below] / time_s - offsets[below], 0.0) if below >= 0 else 0.0


@kernel
def _worths(
    starts: NDArray[np.float64],
    slopes: NDArray[np.float64],
    offsets: NDArray[np.float64],
    time_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    worths = np.empty(time_s.size)
    for k in range(time_s.size):
        worths[k] = worth_of(starts, slopes, offsets, time_s[k])
    return worths


RATE = Worth(np.ones(1), np.zeros(1))
"""1/T."""
