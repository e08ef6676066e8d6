r"""Performance profiles: the share of the problems on which a method is within a factor of the best.

With the ratio :math:`r_{p,s}` of method s's value to the best value of any method on problem p, the profile of s is

.. math:: \rho_s(\tau) = |\{p : r_{p,s} \le \tau\}| / |P|

(E. D. Dolan and J. J. Moré, Benchmarking optimization software with performance profiles, Mathematical Programming
91, 2002, 201-213, section 2). Where s has no solution the ratio is infinite, so that the profile of a method ends at
the share of the problems that it solves. P are the problems that some method solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.bench.standings import ratios

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from chainopt.bench.outcomes import Run


@dataclass(frozen=True, eq=False)
class Profile:
    """Of one method.

    Attributes
    ----------
    method
        Its label.
    ratios
        Its finite ratios to the best, ascending, shape (n,).
    problems
        |P|.
    """

    method: str
    ratios: NDArray[np.float64]
    problems: int

    def share(self, factor: ArrayLike) -> NDArray[np.float64]:
        """ρ(τ): share of the problems on which the method is within these factors of the best, same shape."""
        within: NDArray[np.float64] = np.searchsorted(self.ratios, factor, side="right") / self.problems
        return within


def profiles(runs: Sequence[Run]) -> list[Profile]:
    """The profiles of all methods of runs of one objective, the most often best first; empty if nothing was solved."""
    to_best = [solved for solved in ratios(runs).values() if solved]
    if not to_best:
        return []
    found = [
        Profile(method, np.sort([solved[method] for solved in to_best if method in solved]), len(to_best))
        for method in sorted({run.method for run in runs})
    ]
    return sorted(found, key=lambda p: (-float(p.share(1.0)), -p.ratios.size, p.method))
