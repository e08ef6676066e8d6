"""Which servers it takes at the least: a bound on the cost of a subset that reaches a rate with so many jobs.

A line a n + Σ_j u_j above V of all servers stays above V of a subset S if the u_j of the others are left out, for the
chains of S are chains of all. So if S serves the rate r with n jobs at once in the mean, then Σ_{j in S} u_j >= r - a n
for every line: a covering problem, solved as an integer program. Lines that a chosen S breaks are found by column
generation with the rooms of S only [Benders 1962], until none is broken. Proof: docs/theory/sizing.md.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.bounds import envelope_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance

_SLACK = 1e-6
"""Rows are eased by so much, relative to the rate, for the tolerances of the solver."""


class Cover:
    """Subsets of servers that may reach a rate.

    Parameters
    ----------
    costs
        Of each server, shape (J,), none negative.
    rate
        Jobs per second that depart in the mean.
    jobs
        Jobs in the system in the mean, at most; infinite where only the rate counts.

    Attributes
    ----------
    cost
        Proven: no subset that does what is asked costs less.

    Raises
    ------
    InfeasibleError
        If not even all servers have a composition.
    """

    def __init__(self, instance: Instance, costs: NDArray[np.float64], rate: float, jobs: float = math.inf) -> None:
        self._envelope = envelope_of(instance)
        self._costs = costs
        self._rate = rate
        self._jobs = min(jobs, self._envelope.most_jobs)
        self._excluded: list[NDArray[np.float64]] = []
        most = instance.memory.sizes(1)
        pinned = [entry.pin.stop - entry.pin.start if entry.pin else 0 for entry in instance.servers]
        self._blocks = np.where(pinned, np.minimum(pinned, most), most) / instance.service.blocks
        self.cost = 0.0

    def exclude(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out a subset that is proven not to do it, and all that are part of it, which can only be worse."""
        self._excluded.append((~chosen).astype(np.float64))

    def cheapest(self, deadline: float = math.inf, margin: float = 0.0) -> NDArray[np.bool_] | None:
        """A cheapest subset that no line and no exclusion rules out; None if there is none.

        Parameters
        ----------
        margin
            Share of the rate that is asked for on top; only without it the bound grows.
        """
        asked = self._rate * (1 + margin)
        if len(self._envelope.lines) == 1:  # lines that are close for all servers are a good start
            self._envelope.with_only(np.ones(self._costs.size), self._jobs, deadline)
        out_of_time = False
        while True:
            found = self._program(asked, deadline)
            if found is None:
                if margin == 0:
                    self.cost = math.inf
                return None
            chosen, cost = found
            if margin == 0:
                self.cost = max(self.cost, cost)
            if out_of_time:
                return chosen
            known = len(self._envelope.lines)
            self._envelope.with_only(chosen.astype(np.float64), self._jobs, deadline)
            reached = [
                slope * self._jobs + float(rooms[chosen].sum())
                for (slope, _), rooms in zip(self._envelope.lines[known:], self._envelope.rooms[known:], strict=True)
            ]
            if min(reached, default=math.inf) >= asked * (1 - 2 * _SLACK):
                return chosen
            out_of_time = time.monotonic() > deadline  # then once more over the lines so far

    def _program(self, asked: float, deadline: float) -> tuple[NDArray[np.bool_], float] | None:
        """Min Σ_j w_j y_j over the lines so far, and its proven optimum; None if there is no solution."""
        from scipy.optimize import LinearConstraint, milp

        slopes = np.array(self._envelope.lines)[:, 0]
        rows = np.vstack([np.array(self._envelope.rooms) / asked, self._blocks, *self._excluded])
        least = np.concatenate([1 - slopes * self._jobs / asked - _SLACK, [1 - _SLACK], np.ones(len(self._excluded))])
        useful = least > 0
        if np.any(rows[useful].max(axis=1, initial=0) <= 0):
            return None
        scale = float(self._costs.max()) or 1.0
        limit = {} if deadline == math.inf else {"time_limit": max(0.1, deadline - time.monotonic())}
        result = milp(
            self._costs / scale,
            constraints=LinearConstraint(rows[useful], least[useful], np.inf),
            integrality=np.ones(self._costs.size),
            bounds=(0, 1),
            options={"mip_rel_gap": 0.0, **limit},
        )
        if result.x is None:
            if result.status == 2:
                return None
            return np.ones(self._costs.size, dtype=bool), 0.0  # no time for more
        bound = 0.0 if result.mip_dual_bound is None else float(result.mip_dual_bound)
        return result.x > 0.5, max(0.0, bound * scale * (1 - _SLACK))
