"""Counts of times in bins that are alike in ratio, for quantiles of any number of jobs in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 4096
"""Bins between a power of two and the next: a quantile is off by at most 1 / (2 BINS) of itself, 0.012 %."""

_LEAST, _MOST = -30, 40  # binary exponents: from a nanosecond, below which all is 0, to ten thousand years


class Histogram:
    """How many values fell into each bin; bin 0 is of the value 0.

    Values are alike as a rule, so most bins are empty: only those from the first to the last used one are looked at.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((_MOST - _LEAST) * BINS + 1, dtype=np.int64)
        self._first, self._stop = self._counts.size, 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Count values of at least 0."""
        if not values.size:
            return
        mantissa, exponent = np.frexp(values)  # mantissa in [1/2, 1)
        position = (exponent - _LEAST) * BINS + (mantissa * (2 * BINS)).astype(np.int64) - BINS + 1
        position[values < 2.0**_LEAST] = 0
        position = np.minimum(position, self._counts.size - 1)
        first = int(position.min())
        self._put(first, np.bincount(position - first))

    def take(self, other: Histogram) -> None:
        """Take over the counts of another one, which is empty then."""
        if other._stop:
            used = slice(other._first, other._stop)
            self._put(other._first, other._counts[used])
            other._counts[used] = 0
            other._first, other._stop = other._counts.size, 0

    def quantiles(self, shares: Sequence[float]) -> NDArray[np.float64]:
        """For each share the least value that so many of the values do not exceed; nan where there are no values."""
        if not self._stop:
            return np.full(len(shares), np.nan)
        up_to = np.cumsum(self._counts[self._first : self._stop])
        position = self._first + np.searchsorted(up_to, np.ceil(np.asarray(shares) * up_to[-1]).clip(1))
        octave, step = np.divmod(position - 1, BINS)
        middle = np.ldexp(1 + (step + 0.5) / BINS, octave + _LEAST - 1)
        return np.where(position == 0, 0.0, middle)

    def _put(self, first: int, counts: NDArray[np.int64]) -> None:
        stop = first + counts.size
        self._counts[first:stop] += counts
        self._first, self._stop = min(self._first, first), max(self._stop, stop)
