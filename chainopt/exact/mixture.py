"""A convex combination of allocations that makes some mean small, by the method of Frank and Wolfe with corrections.

Vertices are added one at a time; then shares are shifted from the vertex that is worth least to the one that is worth
most [Lacoste-Julien and Jaggi 2015, pairwise steps], so that the vertices found so far are used as well as they can be.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from chainopt.exact.allocations import Allocations
    from chainopt.exact.profiled import ProfiledAllocations

_CORRECTIONS = 40
_GOLDEN, _STEPS = (math.sqrt(5) - 1) / 2, 15


class Objective(Protocol):
    """What is to be small, of jobs in chains in order of time, shape (K,) each."""

    def mean(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> float:
        """Infinite where it is not stable."""

    def look(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The same, and what a little more of each chain is worth."""


class Mixture:
    """A convex combination of allocations.

    Parameters
    ----------
    vertices
        To begin with; the first has all the share.
    close
        Corrections end where no shift promises more than this, relative.
    """

    def __init__(
        self,
        allocations: Allocations | ProfiledAllocations,
        objective: Objective,
        vertices: Iterable[NDArray[np.float64]],
        close: float,
    ) -> None:
        self._allocations, self._objective, self._close = allocations, objective, close
        self._vertices = list(vertices)
        self._shares = np.zeros(len(self._vertices))
        self._shares[0] = 1.0

    @property
    def used(self) -> list[NDArray[np.float64]]:
        """The vertices that have a share."""
        return [jobs for jobs, share in zip(self._vertices, self._shares, strict=True) if share > 0]

    def add(self, jobs: NDArray[np.float64]) -> None:
        """A further allocation, with no share yet."""
        self._vertices.append(jobs)
        self._shares = np.append(self._shares, 0.0)

    def correct(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shift shares between vertices; the times of the chains, in order, and the jobs in them."""
        size = self._allocations.time_s.size
        vertices = np.array([np.pad(jobs, (0, size - jobs.size)) for jobs in self._vertices])
        order = np.argsort(self._allocations.time_s, kind="stable")
        used = order[vertices[:, order].any(axis=0)]
        time_s, vertices = self._allocations.time_s[used], vertices[:, used]
        for _ in range(_CORRECTIONS):
            jobs = self._shares @ vertices
            mean, worths = self._objective.look(time_s, jobs)
            scores = vertices @ worths
            best = int(np.argmax(scores))
            worst = int(np.argmin(np.where(self._shares > 0, scores, np.inf)))
            if mean < math.inf and scores[best] - scores[worst] <= self._close * mean:
                break
            longest = float(self._shares[worst])
            step = _best_step(self._along(time_s, jobs, vertices[best] - vertices[worst]), longest)
            if step <= 0:
                break
            self._shares[best] += step
            self._shares[worst] = 0.0 if step == longest else longest - step
        return time_s, self._shares @ vertices

    def _along(
        self, time_s: NDArray[np.float64], jobs: NDArray[np.float64], change: NDArray[np.float64]
    ) -> Callable[[float], float]:
        return lambda step: self._objective.mean(time_s, jobs + step * change)


def _best_step(mean: Callable[[float], float], longest: float) -> float:
    """The step of at most that length with the least mean, by golden section."""
    low, high = 0.0, longest
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = mean(left), mean(right)
    for _ in range(_STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = mean(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = mean(right)
    step = left if at_left < at_right else right
    return longest if mean(longest) < min(at_left, at_right) else step
