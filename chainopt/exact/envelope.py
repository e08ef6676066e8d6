"""How fast n jobs can be served at most, V(n): a concave envelope over all placements, allocations and policies.

V(n) is the optimum of the position-free relaxation

    max Σ_k x_k / T_k   subject to   Σ_k x_k <= n,   Σ_k w_j(n_jk) x_k <= 1 for every server j,   x >= 0

over all chains k of :mod:`chainopt.exact.parts`, solved by column generation. Any dual prices, a for a job and u_j for
server j, give a line a n + Σ_j u_j that lies above V everywhere once a is raised until no chain has a positive reduced
profit; exact pricing says by how much. So every round of column generation proves a line, solved or not.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.alone import prices_alone
from chainopt.exact.master import Master, Prices
from chainopt.exact.pricing import cheapest_chain, worthy_chains
from chainopt.exact.worth import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts

GAP = 2e-4
"""Relative distance of line and optimum at which a point counts as solved."""

_SMOOTHING = 0.7
_ROUNDING = 1e-9
"""Lines are raised by so much, relative, for the rounding in sums of floats."""


class Envelope:
    """Lines above V, and points on or below it.

    Parameters
    ----------
    parts
        What chains are made of.
    hull
        Whether to cut off what no whole number of jobs does at a server; takes longer, and proves more.

    Attributes
    ----------
    parts
        The same.
    exists
        Whether there is any chain.
    most_jobs
        More jobs than these are never served at once, so V is constant from here on.
    fastest_s
        Time of the fastest chain.
    lines
        Slopes and intercepts of lines above V.
    rooms
        Of each line, how much of its intercept each server accounts for, shape (J,): without a server, the line is
        lower by so much.
    points
        n and the value of a feasible solution of the relaxation for at most n jobs, in order of solution.
    """

    def __init__(self, parts: Parts, *, hull: bool = False) -> None:
        self.hull = hull
        self.parts = parts
        self.lines: list[tuple[float, float]] = []
        self.rooms: list[NDArray[np.float64]] = []
        self.points: list[tuple[float, float]] = [(0.0, 0.0)]
        fastest, _ = cheapest_chain(parts, parts.time_s)
        self.exists = bool(fastest.size)
        if not self.exists:
            return
        # a job takes L slots in all, and server j never has more than S_j(1)
        some = np.diff(parts.first) > 0
        self.most_jobs = int(parts.copies[some] @ parts.slots[parts.first[:-1][some]]) / parts.total
        self.fastest_s = float(parts.time_s[fastest].sum())
        self._add_line(1 / self.fastest_s, np.zeros(parts.copies.size))
        self._master = Master(parts)
        self._master.add([fastest])

    def above(self, jobs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Proven bound on V(n) for these n."""
        slopes, intercepts = np.array(self.lines).T
        value: NDArray[np.float64] = np.min(
            slopes[:, None] * np.minimum(jobs, self.most_jobs) + intercepts[:, None], axis=0
        )
        return value

    def below(self, jobs: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the solutions found so far attain at these n: no more than V(n)."""
        n, value = np.array(sorted(self.points)).T
        return np.interp(jobs, n, np.maximum.accumulate(value))

    @property
    def chains(self) -> list[NDArray[np.int64]]:
        """The chains generated so far, as parts."""
        return self._master.chains

    @property
    def most(self) -> float:
        """Proven bound on the total service rate."""
        return float(self.above(np.array([self.most_jobs]))[0])

    def prices(self, jobs: float) -> Prices:
        """Those of the least line at so many jobs; without cuts only."""
        assert not self.hull, "cuts have prices that lines do not tell"
        at = np.argmin([slope * jobs + intercept for slope, intercept in self.lines])
        rooms, parts = self.rooms[at], self.parts
        return Prices(self.lines[at][0], (rooms / parts.copies)[parts.server] * parts.weight, rooms)

    def solve(self, jobs: float, deadline: float = math.inf, gap: float = GAP) -> None:
        """Prove lines that are close to V at so many jobs, until it is solved or time is out.

        Chains are priced at prices between those of the master and the best so far [Wentges 1997]: that takes half the
        rounds or fewer. Where it finds nothing new, at those of the master.
        """
        jobs = min(jobs, self.most_jobs)
        value = self._generate(jobs, deadline, gap)
        while self.hull and time.monotonic() < deadline and self._master.cut():
            value = self._generate(jobs, deadline, gap)
        self.points.append((jobs, value))

    def sketch(self, jobs: float) -> None:
        """Prove a line that is not far from V at so many jobs where there are many servers, at once."""
        prices = prices_alone(self.parts, jobs)
        self._add_line(prices.job, prices.rooms)

    def with_only(self, shares: NDArray[np.float64], jobs: float, deadline: float = math.inf) -> float:
        """V(n) if there is only so much of each server, shape (J,); lines that are close there are added.

        An envelope that is used for this is for nothing else: it has no cuts, and no points.
        """
        return self._generate(min(jobs, self.most_jobs), deadline, GAP, shares)

    def _generate(self, jobs: float, deadline: float, gap: float, shares: NDArray[np.float64] | None = None) -> float:
        """Add chains until the least line is close; value of the program."""
        best_prices = prices_alone(self.parts, jobs, shares)
        best = _line(best_prices, jobs, shares)
        self._add_line(best_prices.job, best_prices.rooms)
        while True:
            value, prices = self._master.solve(jobs, shares)
            added = 0
            for weight in (_SMOOTHING, 0.0):
                mixed = prices.mixed(best_prices, weight)
                chains, job = worthy_chains(self.parts, mixed.parts, RATE, mixed.job, until=deadline)
                mixed = mixed._replace(job=job)
                line = _line(mixed, jobs, shares)
                if line < best:
                    best, best_prices = line, mixed
                    self._add_line(mixed.job, mixed.rooms)
                added = self._master.add(chains)
                if added or best <= value * (1 + gap):
                    break
            if not added or best <= value * (1 + gap) or time.monotonic() > deadline:
                return value

    def _add_line(self, slope: float, rooms: NDArray[np.float64]) -> None:
        self.lines.append((slope * (1 + _ROUNDING), float(rooms.sum()) * (1 + _ROUNDING)))
        self.rooms.append(rooms * (1 + _ROUNDING))


def _line(prices: Prices, jobs: float, shares: NDArray[np.float64] | None) -> float:
    """What the line of these prices is at so many jobs."""
    return prices.job * jobs + float(prices.rooms.sum() if shares is None else prices.rooms @ shares)
