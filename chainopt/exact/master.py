"""The linear program of the relaxation over the chains generated so far, kept warm in HiGHS."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import highspy
import numpy as np

from chainopt.exact.backends import quiet_highs
from chainopt.exact.slot_hull import VIOLATED, Rooms, violated_cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts


_RATE, _FIRST_SERVER = 1, 2
"""Rows after that of the jobs; those of the cuts come last."""
_MISSING = 20.0
"""Price of a job without a chain, in what a job is worth at most: the first column, where a worth is maximised."""


class Prices(NamedTuple):
    """Dual prices: of a job, of each part, of the room of each server, and of a rate that is asked for.

    None is negative, but that of a job if there is a least number of them. If D - 1/T is at least -`job` for every
    chain, then V(n) <= `job` n + Σ `rooms`.
    """

    job: float
    parts: NDArray[np.float64]
    rooms: NDArray[np.float64]
    rate: float = 0.0

    def mixed(self, other: Prices, weight: float) -> Prices:
        """These prices with so much of the others."""
        kept = 1 - weight
        return Prices(
            kept * self.job + weight * other.job,
            kept * self.parts + weight * other.parts,
            kept * self.rooms + weight * other.rooms,
            kept * self.rate + weight * other.rate,
        )


class Master:
    """max Σ_k x_k / T_k subject to Σ_k x_k <= n and Σ_k w_j(n_jk) x_k <= 1; chains and cuts are added, and n changes.

    Or of another worth, then with a least total rate: a master is used for one or the other.

    Attributes
    ----------
    chains
        The chains, as parts.
    """

    def __init__(self, parts: Parts) -> None:
        self.chains: list[NDArray[np.int64]] = []
        self._parts = parts
        # HiGHS has absolute tolerances, so rates are counted in those of the fastest part
        self._unit = 1 / float(parts.time_s.min())
        self._known: set[bytes] = set()
        self._cuts: list[NDArray[np.float64]] = []
        self._cut_servers: list[int] = []
        self._facets: dict[bytes, list[NDArray[np.float64]]] = {}  # of servers with the same slots
        self._solver = quiet_highs()
        self._solver.setOptionValue("simplex_strategy", 4)  # primal: new columns leave the basis primal feasible
        self._solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self._solver.addRow(-highspy.kHighsInf, highspy.kHighsInf, 0, [], [])  # the jobs
        self._solver.addRow(0.0, highspy.kHighsInf, 0, [], [])  # the total rate
        for copies in parts.copies.tolist():
            self._solver.addRow(-highspy.kHighsInf, float(copies), 0, [], [])
        self._solver.addCol(0.0, 0.0, 0.0, 2, np.array([0, _RATE], dtype=np.int32), np.ones(2))

    def add(self, chains: list[NDArray[np.int64]]) -> int:
        """Number of the chains that are new."""
        before = len(self.chains)
        for chain in chains:
            key = np.sort(chain).tobytes()
            if key in self._known:
                continue
            self._known.add(key)
            self.chains.append(chain)
            cut_rows = self._parts.copies.size + _FIRST_SERVER + np.arange(len(self._cuts))
            servers, which = np.unique(self._parts.server[chain], return_inverse=True)
            weights = np.bincount(which, self._parts.weight[chain])
            rows = np.concatenate(([0, _RATE], servers + _FIRST_SERVER, cut_rows)).astype(np.int32)
            cuts = [float(cut[chain].sum()) for cut in self._cuts]
            rate = 1 / float(self._parts.time_s[chain].sum()) / self._unit
            values = np.concatenate(([1.0, rate], weights, cuts))
            self._solver.addCol(rate, 0.0, highspy.kHighsInf, rows.size, rows, values)
        return len(self.chains) - before

    def add_cut(self, coefficients: NDArray[np.float64]) -> None:
        """Add Σ_k x_k Σ_{p in k} α_p <= 1, for each of the copies, which has to hold for all integer solutions.

        Parameters
        ----------
        coefficients
            α_p >= 0 of each part, above 0 for parts of one server only.
        """
        self._cuts.append(coefficients)
        j = int(self._parts.server[np.argmax(coefficients)])
        self._cut_servers.append(j)
        values = np.array([float(coefficients[chain].sum()) for chain in self.chains])
        at = np.flatnonzero(values).astype(np.int32)
        self._solver.addRow(-highspy.kHighsInf, float(self._parts.copies[j]), at.size, at + 1, values[at])

    def cut(self) -> bool:
        """Cut off the last optimum where a server's jobs are not in the hull of what it can run; whether anywhere."""
        parts = self._parts
        use = self.use() / parts.copies[parts.server]
        found = False
        for a, b in pairwise(parts.first.tolist()):
            here = slice(a, b)
            key = parts.slots[here].tobytes() + parts.blocks[here].tobytes()
            known = self._facets.setdefault(key, [])
            cut = max(known, key=lambda cut: float(cut @ use[here]), default=None)
            if cut is None or cut @ use[here] <= 1 + VIOLATED:
                cut = violated_cut(parts.blocks[here], Rooms(parts.slots[here], parts.blocks[here]), use[here])
                if cut is None:
                    continue
                known.append(cut)
            coefficients = np.zeros(use.size)
            coefficients[here] = cut
            self.add_cut(coefficients)
            found = True
        return found

    def solve(self, jobs: float, shares: NDArray[np.float64] | None = None) -> tuple[float, Prices]:
        """Optimum for at most so many jobs, and the dual prices.

        Parameters
        ----------
        shares
            Part of each server that there is, shape (J,); all of each if None. Only without cuts.

        Raises
        ------
        RuntimeError
            If HiGHS does not find an optimum of a program that always has one.
        """
        self._solver.changeRowBounds(0, -highspy.kHighsInf, jobs)
        if shares is not None:
            assert not self._cuts, "cuts are for whole servers"
            for j, share in enumerate(shares.tolist()):
                self._solver.changeRowBounds(
                    _FIRST_SERVER + j, -highspy.kHighsInf, share * float(self._parts.copies[j])
                )
        value, prices = self._optimum(self._unit)
        return value, prices._replace(job=max(prices.job, 0.0))

    def maximise(
        self, worths: NDArray[np.float64], least_rate: float, least: float = 0.0, most: float = math.inf
    ) -> tuple[float, Prices]:
        """Optimum of Σ worth x in place of the rate, with a total rate of at least so much and a number of jobs.

        Where the chains do not have these, some jobs have none, at a loss.

        Raises
        ------
        RuntimeError
            If HiGHS does not find an optimum of a program that always has one.
        """
        unit = float(worths.max()) or 1.0
        costs = np.append(-_MISSING, worths / unit)
        self._solver.changeColsCost(costs.size, np.arange(costs.size, dtype=np.int32), costs)
        self._solver.changeColBounds(0, 0.0, highspy.kHighsInf)
        self._solver.changeRowBounds(0, least, most)
        self._solver.changeRowBounds(_RATE, least_rate / self._unit, highspy.kHighsInf)
        return self._optimum(unit)

    def amounts(self) -> NDArray[np.float64]:
        """The x of the last optimum."""
        return np.maximum(self._solver.getSolution().col_value[1:], 0.0)

    @property
    def missing(self) -> float:
        """Jobs without a chain in the last optimum."""
        return float(self._solver.getSolution().col_value[0])

    def use(self) -> NDArray[np.float64]:
        """Jobs that each part processes in the last optimum, Σ of the x of its chains."""
        used = np.zeros(self._parts.server.size)
        for chain, x in zip(self.chains, self.amounts().tolist(), strict=False):
            if x > 0:
                np.add.at(used, chain, x)
        return used

    def _optimum(self, unit: float) -> tuple[float, Prices]:
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS ends with {self._solver.modelStatusToString(status)}")
        duals = np.array(self._solver.getSolution().row_dual) * unit
        job, rate = float(duals[0]), max(-float(duals[_RATE]), 0.0) / self._unit
        duals = np.maximum(duals, 0.0)
        after = _FIRST_SERVER + self._parts.copies.size
        rooms = duals[_FIRST_SERVER:after].copy()
        price = rooms[self._parts.server] * self._parts.weight
        for dual, cut, j in zip(duals[after:].tolist(), self._cuts, self._cut_servers, strict=True):
            price += dual * cut
            rooms[j] += dual
        rooms *= self._parts.copies
        value = float(self._solver.getInfo().objective_function_value) * unit
        return value, Prices(job, price, rooms, rate)
