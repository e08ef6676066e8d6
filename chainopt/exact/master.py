"""The linear program of the relaxation over the chains generated so far, kept warm in HiGHS."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import highspy
import numpy as np

from chainopt.exact.backends import quiet_highs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts


class Prices(NamedTuple):
    """Dual prices, none negative: of a job, of each part, and of the room of each server.

    If D - 1/T is at least -`job` for every chain, then V(n) <= `job` n + Σ `rooms`.
    """

    job: float
    parts: NDArray[np.float64]
    rooms: NDArray[np.float64]

    def mixed(self, other: Prices, weight: float) -> Prices:
        """These prices with so much of the others."""
        kept = 1 - weight
        return Prices(
            kept * self.job + weight * other.job,
            kept * self.parts + weight * other.parts,
            kept * self.rooms + weight * other.rooms,
        )


class Master:
    """max Σ_k x_k / T_k subject to Σ_k x_k <= n and Σ_k w_j(n_jk) x_k <= 1; chains and cuts are added, and n changes.

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
        self._solver = quiet_highs()
        self._solver.setOptionValue("simplex_strategy", 4)  # primal: new columns leave the basis primal feasible
        self._solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
        for _ in range(parts.first.size):  # one row for the jobs, one for each server
            self._solver.addRow(-highspy.kHighsInf, 1.0, 0, [], [])

    def add(self, chains: list[NDArray[np.int64]]) -> int:
        """Number of the chains that are new."""
        before = len(self.chains)
        for chain in chains:
            key = np.sort(chain).tobytes()
            if key in self._known:
                continue
            self._known.add(key)
            self.chains.append(chain)
            cut_rows = self._parts.first.size + np.arange(len(self._cuts))
            rows = np.concatenate(([0], self._parts.server[chain] + 1, cut_rows)).astype(np.int32)
            cuts = [float(cut[chain].sum()) for cut in self._cuts]
            values = np.concatenate(([1.0], self._parts.weight[chain], cuts))
            rate = 1 / float(self._parts.time_s[chain].sum()) / self._unit
            self._solver.addCol(rate, 0.0, highspy.kHighsInf, rows.size, rows, values)
        return len(self.chains) - before

    def add_cut(self, coefficients: NDArray[np.float64]) -> None:
        """Add Σ_k x_k Σ_{p in k} α_p <= 1, which has to hold for all integer solutions.

        Parameters
        ----------
        coefficients
            α_p >= 0 of each part, above 0 for parts of one server only.
        """
        self._cuts.append(coefficients)
        self._cut_servers.append(int(self._parts.server[np.argmax(coefficients)]))
        values = np.array([float(coefficients[chain].sum()) for chain in self.chains])
        at = np.flatnonzero(values).astype(np.int32)
        self._solver.addRow(-highspy.kHighsInf, 1.0, at.size, at, values[at])

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
                self._solver.changeRowBounds(1 + j, -highspy.kHighsInf, share)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS ends with {self._solver.modelStatusToString(status)}")
        duals = np.maximum(np.array(self._solver.getSolution().row_dual), 0.0) * self._unit
        servers = self._parts.first.size - 1
        rooms = duals[1 : 1 + servers].copy()
        price = rooms[self._parts.server] * self._parts.weight
        for dual, cut, j in zip(duals[1 + servers :].tolist(), self._cuts, self._cut_servers, strict=True):
            price += dual * cut
            rooms[j] += dual
        value = float(self._solver.getInfo().objective_function_value) * self._unit
        return value, Prices(float(duals[0]), price, rooms)

    def use(self) -> NDArray[np.float64]:
        """Jobs that each part processes in the last optimum, Σ of the x of its chains."""
        used = np.zeros(self._parts.server.size)
        for chain, x in zip(self.chains, self._solver.getSolution().col_value, strict=False):
            if x > 0:
                used[chain] += x
        return used
