"""Column generation where a column is a chain and its worth 1/T: exact pricing, and a bound from every round.

A chain is a set of *elements*, such as the arcs of a path; each takes room at a server and adds to the time T. With D
the price of all that a chain takes, and y that of a job per second, its reduced cost is D - y/T, up to a constant. It
is concave and increasing in (D, T), as D - φ(T) is for any worth φ that is convex and falls with the time. So its
minimum is attained at a vertex of the lower left hull of all (D, T), that is at a chain that minimises D + θ T for some
θ >= 0. The hull is bisected, and that works for any kind of chain for which linear costs can be minimised. Proof:
docs/formulations/cache-allocation.md.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

import highspy
import numpy as np

from chainopt.exact.backends import quiet_highs
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

SAFE = 1e-6
"""Bounds are moved by so much to the safe side before they are rounded to integers, for the rounding of floats."""
CLOSE = 1e-9
"""Relative distance at which a rate counts as equal to its bound."""

_NEGATIVE = 1e-9
"""Reduced costs above -1e-9 times what they consist of count as 0."""
_ROUNDING = 1e-12


class Elements(NamedTuple):
    """What chains consist of, shape (E,) each: server j, what it takes of j's room, and what it adds to the time."""

    server: NDArray[np.int64]
    amount: NDArray[np.int64]
    time_s: NDArray[np.float64]


class Cheapest(Protocol):
    """What finds a chain."""

    def __call__(self, cost: NDArray[np.float64], /) -> NDArray[np.int64]:
        """Elements of a chain with the least sum of costs, none of which is negative."""


def cheapest_on_hull(
    cheapest: Cheapest,
    price: NDArray[np.float64],
    time_s: NDArray[np.float64],
    worth: Callable[[float], float],
    ceiling: float,
) -> tuple[list[NDArray[np.int64]], float]:
    """Chains at vertices of the hull whose D - φ(T) is below `ceiling`, and the least D - φ(T) of all chains.

    A stretch of the hull between two vertices A, cheap and slow, and B, dear and fast, is left out if its corner
    (D_A, T_B) is no better than what is sought, for no chain on the stretch is. D is summed up from the prices
    themselves, never from the costs that a chain was found with.

    Parameters
    ----------
    cheapest
        Minimises linear costs over the chains.
    price, time_s
        What each element adds to D and to T, not negative.
    worth
        φ, such as T -> y/T: convex and nonincreasing.
    """
    found: list[NDArray[np.int64]] = []
    least = math.inf

    def visit(cost: NDArray[np.float64]) -> tuple[float, float]:
        nonlocal least
        chain = cheapest(cost)
        d, t = float(price[chain].sum()), float(time_s[chain].sum())
        reduced = d - worth(t)
        least = min(least, reduced)
        if reduced < ceiling:
            found.append(chain)
        return d, t

    stretches = [(visit(price), visit(time_s))]
    while stretches:
        (d_a, t_a), (d_b, t_b) = stretches.pop()
        if d_b <= d_a or t_a <= t_b or d_a - worth(t_b) >= max(least, ceiling):
            continue
        theta = (d_b - d_a) / (t_a - t_b)
        d, t = visit(price + theta * time_s)
        if d + theta * t < (d_a + theta * t_a) * (1 - _ROUNDING):
            stretches += [((d_a, t_a), (d, t)), ((d, t), (d_b, t_b))]
    return found, least


class Prices(NamedTuple):
    """Prices of a linear program: of what each element takes, shape (E,), of a rate of 1, and Σ of price times room."""

    elements: NDArray[np.float64]
    rate: float
    rooms: float


class Master:
    """The linear program over the chains generated so far: min Σ x_k with Σ x_k/T_k >= R, or max Σ x_k/T_k.

    Parameters
    ----------
    elements
        What chains consist of.
    rooms
        What each server has, shape (J,): Σ_k n_jk x_k <= rooms[j].
    rate
        R, or None for the largest rate.
    cheapest
        Finds chains.

    Attributes
    ----------
    columns
        The chains, as elements.
    bound
        Proven bound on the optimum over all chains and integer x.
    """

    def __init__(self, elements: Elements, rooms: NDArray[np.int64], rate: float | None, cheapest: Cheapest) -> None:
        self._elements = elements
        self._rooms = rooms
        self._rate = rate
        self._cheapest = cheapest
        self._servers = np.unique(elements.server)
        self._row = np.searchsorted(self._servers, elements.server) + 1
        self._cuts: list[NDArray[np.float64]] = []
        self._known: set[bytes] = set()
        self.columns: list[NDArray[np.int64]] = []
        self.bound = math.inf if rate is None else 0.0
        self._solver = quiet_highs()
        self._solver.addRow(-highspy.kHighsInf if rate is None else 1.0, highspy.kHighsInf, 0, [], [])
        for j in self._servers.tolist():
            self._solver.addRow(-highspy.kHighsInf, float(rooms[j]), 0, [], [])

    def add(self, chains: Iterable[NDArray[np.int64]]) -> int:
        """Number of the chains that are new."""
        before = len(self.columns)
        for chain in chains:
            key = np.sort(chain).tobytes()
            if key in self._known:
                continue
            self._known.add(key)
            self.columns.append(chain)
            rate = 1 / (self.time_s(chain) * (self._rate or 1.0))
            rows: NDArray[np.int64] = np.concatenate(
                ([0], self._row[chain], 1 + self._servers.size + np.arange(len(self._cuts)))
            )
            cuts = [float(cut[chain].sum()) for cut in self._cuts]
            values = np.concatenate(([rate], self._elements.amount[chain], cuts))
            cost = -rate if self._rate is None else 1.0
            self._solver.addCol(cost, 0.0, highspy.kHighsInf, rows.size, rows.astype(np.int32), values)
        return len(self.columns) - before

    def time_s(self, chain: NDArray[np.int64]) -> float:
        """T."""
        return float(self._elements.time_s[chain].sum())

    def add_cut(self, coefficients: NDArray[np.float64]) -> None:
        """Add Σ_k x_k Σ_{a in k} α_a <= 1, which has to hold for all integer solutions; α_a >= 0, shape (E,)."""
        self._cuts.append(coefficients)
        values = np.array([float(coefficients[chain].sum()) for chain in self.columns])
        at = np.flatnonzero(values).astype(np.int32)
        self._solver.addRow(-highspy.kHighsInf, 1.0, at.size, at, values[at])

    def generate(self, deadline: float, enough: float) -> Prices | None:
        """Add chains until none has a negative reduced cost, `bound` reaches `enough`, or time is out.

        None where the chains generated so far cannot serve the rate.
        """
        while True:
            prices = self._solve()
            if prices is None:
                return None
            chains, least = self._price(prices)
            self._tighten(prices, least)
            if self.reaches(enough) or time.monotonic() > deadline or not self.add(chains):
                return prices

    def reaches(self, enough: float) -> bool:
        """Whether the bound is tighter than `enough`."""
        return self.bound < enough if self._rate is None else self.bound > enough

    def use(self) -> NDArray[np.float64]:
        """Σ of the x of the chains that have an element, shape (E,), in the last optimum."""
        used = np.zeros(self._elements.server.size)
        for chain, x in zip(self.columns, self._solver.getSolution().col_value, strict=False):
            if x > 0:
                used[chain] += x
        return used

    def reach(self, prices: Prices, value: float) -> float:
        """What D - y/T of a chain can be at most in an integer solution better than `value`."""
        below = max(0.0, -self._price(prices)[1])
        if self._rate is None:
            return (prices.rooms + below * self._most_chains() - value) * (1 + CLOSE) + CLOSE * value
        fewer = value - 1 - (prices.rate * self._least_rate - prices.rooms) + below * value
        return fewer + SAFE * max(1.0, value / 100) - 1.0

    @property
    def _least_rate(self) -> float:
        return (self._rate or 0.0) * (1 - RELATIVE_TOLERANCE)

    def _solve(self) -> Prices | None:
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals = np.array(self._solver.getSolution().row_dual)
        by_row = np.maximum(-duals, 0.0)
        elements = by_row[self._row] * self._elements.amount
        after = 1 + self._servers.size
        for price, cut in zip(by_row[after:].tolist(), self._cuts, strict=True):
            elements += price * cut
        rooms = float(by_row[1:after] @ self._rooms[self._servers] + by_row[after:].sum())
        return Prices(elements, 1.0 if self._rate is None else max(float(duals[0]), 0.0) / self._rate, rooms)

    def _price(self, prices: Prices) -> tuple[list[NDArray[np.int64]], float]:
        """Chains of negative reduced cost, and the least of all reduced costs."""
        constant = 0.0 if self._rate is None else 1.0
        size = 1 / float(self._elements.time_s.min()) if self._rate is None else 1.0
        found, least = cheapest_on_hull(
            self._cheapest,
            prices.elements,
            self._elements.time_s,
            lambda time: prices.rate / time,
            -constant - _NEGATIVE * size,
        )
        return found, constant + least

    def _tighten(self, prices: Prices, least: float) -> None:
        """Bound of Lagrange.

        With no reduced cost below -δ, Σ x (1 + δ) >= y R - Σ prices · rooms, or Σ x/T <= Σ prices · rooms + δ Σ x.
        """
        below = max(0.0, -least)
        if self._rate is None:
            self.bound = min(self.bound, (prices.rooms + below * self._most_chains()) * (1 + CLOSE / 10))
        else:
            self.bound = max(self.bound, (prices.rate * self._least_rate - prices.rooms) / (1 + below))

    def _most_chains(self) -> float:
        """Σ x is at most this, since every chain takes something of some server."""
        return float(self._rooms[self._servers].sum())


def least_integer(bound: float) -> int:
    """The least integer that a bound from below allows, however the floats in it were rounded."""
    return max(math.ceil(bound - SAFE * max(1.0, bound / 100)), 0)
