"""Exact cache allocation for a given placement: fewest job servers for a rate, or largest rate [eq. 5].

Column generation over all chains of the placement, then an integer program over the chains generated, then, if bound
and solution still differ, one over all chains of small reduced cost, and that is exact. Whatever a solver returns is
recomputed in integers and fractions; what does not stand up to that is refused and reported.
"""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.allocation.greedy import gca
from chainopt.allocation.job_servers import fewest_job_servers
from chainopt.exact.backends import Outcome, solve_milp
from chainopt.exact.columns import CLOSE, Elements, Master, Prices, least_integer
from chainopt.exact.paths import arcs_of, chains_below, cheapest_path
from chainopt.exact.slot_hull import Rooms, violated_cut
from chainopt.model import Composition, Status
from chainopt.model.placement import checked_slots
from chainopt.quantity import RELATIVE_TOLERANCE
from formulations import cache_allocation as formulation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chainopt.model import Instance, Placement

MOST_CHAINS = 30_000
"""Chains of small reduced cost are enumerated up to so many."""
_INTEGRAL = 1e-5
_ROUNDS = 50
_UNITS = 1e4
"""Solvers see rates as multiples of 1/10,000 of the best known: their absolute gap of 1e-6 is a relative 1e-10."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """A cache allocation and what is proven of it.

    Attributes
    ----------
    composition
        The chains and capacities, fastest first; None where none was found.
    status
        `OPTIMAL`, `FEASIBLE`, `INFEASIBLE`, or `UNKNOWN`.
    value
        Job servers, or total service rate; None where there is no composition.
    bound
        Proven bound on the value for this placement, from below for job servers, from above for rates.
    runtime_s
        Seconds.
    generated
        Number of chains that the bound took.
    refused
        What solvers returned and exact arithmetic did not confirm.
    """

    composition: Composition | None
    status: Status
    value: float | None
    bound: float | None
    runtime_s: float
    generated: int = 0
    refused: tuple[str, ...] = ()


def allocate_fewest(
    instance: Instance, placement: Placement, rate: float, *, deadline: float = math.inf, backend: str = "highs"
) -> Allocation:
    """Fewest job servers with a total service rate of at least `rate`, over all chains of a placement.

    Parameters
    ----------
    rate
        R > 0, jobs per second; met up to :data:`~chainopt.quantity.RELATIVE_TOLERANCE`.
    deadline
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    ValueError
        If the placement is not one of this instance, does not fit into the memories, or the rate is not positive.
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"expected a positive rate, got {rate}")
    search = _Search(instance, placement, deadline, backend)
    best = fewest_job_servers(search.greedy, rate)
    chains = search.greedy_chains
    if best is None:
        largest, most_rate, chains = search.most(enough=rate)
        if not _reaches(most_rate, rate):
            return search.result(None, Status.INFEASIBLE, None, None)
        best = fewest_job_servers(largest, rate)
    best, bound = search.fewest(rate, best, chains)
    if best is None:
        return search.result(None, Status.UNKNOWN, None, bound)
    status = Status.OPTIMAL if bound == best.job_servers else Status.FEASIBLE
    return search.result(best, status, best.job_servers, bound)


def allocate_most(
    instance: Instance, placement: Placement, *, deadline: float = math.inf, backend: str = "highs"
) -> Allocation:
    """Largest total service rate over all chains of a placement.

    Parameters
    ----------
    deadline
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    ValueError
        If the placement is not one of this instance, or does not fit into the memories.
    """
    search = _Search(instance, placement, deadline, backend)
    if not search.arcs.source.size:
        return search.result(None, Status.INFEASIBLE, None, None)
    best, bound, _ = search.most()
    value = best.total_service_rate
    status = Status.OPTIMAL if bound <= value * (1 + CLOSE) else Status.FEASIBLE
    return search.result(best, status, value, bound)


class _Search:
    """What the searches over the chains of a placement share."""

    def __init__(self, instance: Instance, placement: Placement, deadline: float, backend: str) -> None:
        self.begin = clock.monotonic()
        self.instance = instance
        self.placement = placement
        self.deadline = deadline
        self.backend = backend
        self.slots = checked_slots(instance, placement)
        self.arcs = arcs_of(instance, placement, self.slots)
        self.greedy = gca(instance, placement)
        self.refused: list[str] = []
        self.generated = 0

    @property
    def greedy_chains(self) -> list[NDArray[np.int64]]:
        """GCA's chains, as arcs."""
        arcs = zip(self.arcs.server.tolist(), self.arcs.blocks.tolist(), strict=True)
        number = {arc: a for a, arc in enumerate(arcs)}
        return [
            np.array([number[hop] for hop in zip(chain.servers, chain.blocks, strict=True)])
            for chain in self.greedy.chains
        ]

    def fewest(
        self, rate: float, best: Composition | None, chains: Sequence[NDArray[np.int64]]
    ) -> tuple[Composition | None, int]:
        """Composition with the fewest job servers, as far as found, and a bound on them."""
        master = self._master(rate, chains)
        prices = self._tightened(master, math.inf if best is None else best.job_servers - 1 + 1e-5)
        bound = least_integer(master.bound)
        for enumerated in (False, True):
            if prices is None or (best is not None and bound >= best.job_servers):
                break
            tried: Sequence[NDArray[np.int64]] | None = master.columns
            if enumerated:
                tried = None if best is None else self._below(prices, master.reach(prices, best.job_servers))
            if not tried:
                break
            fewer = None if best is None else best.job_servers - 1
            model = formulation.fewest_job_servers(self._columns(tried), self.slots.tolist(), rate, fewer)
            outcome, better = self._solve(model, tried, rate)
            if better is not None and (best is None or better.job_servers < best.job_servers):
                best = better
            if enumerated and best is not None:
                if outcome.status is Status.INFEASIBLE:
                    bound = best.job_servers
                elif outcome.bound is not None:
                    bound = max(bound, least_integer(outcome.bound))
        return best, bound if best is None else min(bound, best.job_servers)

    def most(self, enough: float = math.inf) -> tuple[Composition, float, list[NDArray[np.int64]]]:
        """Composition of the largest rate, as far as found, a bound on it, and the chains generated.

        Ends when a rate of `enough` is found, or known to be out of reach.
        """
        best = self.greedy
        if not self.arcs.source.size:
            return best, 0.0, []
        master = self._master(None, self.greedy_chains)
        prices = self._tightened(master, best.total_service_rate * (1 + CLOSE) if enough == math.inf else enough)
        bound = master.bound
        for enumerated in (False, True):
            value = best.total_service_rate
            if prices is None or bound <= value * (1 + CLOSE) or value >= enough or not _reaches(bound, enough):
                break
            tried = self._below(prices, master.reach(prices, value)) if enumerated else master.columns
            if not tried:
                break
            model = formulation.largest_rate(self._columns(tried), self.slots.tolist(), value / _UNITS)
            outcome, better = self._solve(model, tried)
            if better is not None and better.total_service_rate > value:
                best = better
            if enumerated and outcome.bound is not None:
                bound = min(bound, max(outcome.bound * value / _UNITS, value) * (1 + CLOSE / 10))
        return best, bound, master.columns

    def result(
        self, composition: Composition | None, status: Status, value: float | None, bound: float | None
    ) -> Allocation:
        """The answer."""
        return Allocation(
            composition, status, value, bound, clock.monotonic() - self.begin, self.generated, tuple(self.refused)
        )

    def _master(self, rate: float | None, chains: Sequence[NDArray[np.int64]]) -> Master:
        arcs = self.arcs
        master = Master(
            Elements(arcs.server, arcs.blocks, arcs.time_s),
            self.slots,
            rate,
            lambda cost: cheapest_path(arcs.source, arcs.target, arcs.end, cost),
        )
        master.add(chains)
        return master

    def _tightened(self, master: Master, enough: float) -> Prices | None:
        """Generate chains and cuts in turn until the bound reaches `enough` or nothing more is found."""
        prices = master.generate(self.deadline, enough)
        for _ in range(_ROUNDS):
            if prices is None or master.reaches(enough) or clock.monotonic() > self.deadline:
                break
            cuts = self._cuts(master.use())
            if not cuts:
                break
            for cut in cuts:
                master.add_cut(cut)
            prices = master.generate(self.deadline, enough)
        self.generated = len(master.columns)
        return prices

    def _cuts(self, use: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Cuts of the servers' slots, by arc."""
        cuts = []
        for j in np.unique(self.arcs.server).tolist():
            here = np.flatnonzero(self.arcs.server == j)  # the arcs of a server differ in their blocks
            cut = violated_cut(
                self.arcs.blocks[here], Rooms(self.slots[[j]], self.arcs.blocks[here].max(keepdims=True)), use[here]
            )
            if cut is not None:
                cuts.append(np.zeros(use.size))
                cuts[-1][here] = cut
        return cuts

    def _below(self, prices: Prices, ceiling: float) -> list[NDArray[np.int64]] | None:
        """All chains with a D - y/T of at most `ceiling`; None if they are too many."""
        return chains_below(self.arcs, prices.elements, prices.rate, ceiling, MOST_CHAINS)

    def _columns(self, chains: Sequence[NDArray[np.int64]]) -> list[formulation.Chain]:
        arcs = self.arcs
        return [
            formulation.Chain(
                float(arcs.time_s[chain].sum()),
                tuple(zip(arcs.server[chain].tolist(), arcs.blocks[chain].tolist(), strict=True)),
            )
            for chain in chains
        ]

    def _solve(
        self, model: formulation.Model, chains: Sequence[NDArray[np.int64]], rate: float = 0.0
    ) -> tuple[Outcome, Composition | None]:
        """Solve an integer program and check what comes back."""
        outcome = solve_milp(model.problem, backend=self.backend, deadline=self.deadline)
        if outcome.value is None:
            return outcome, None
        capacities = [float(c.varValue) for c in model.capacities]
        servers = [tuple(self.arcs.server[chain].tolist()) for chain in chains]
        try:
            return outcome, checked(self.instance, self.placement, servers, capacities, rate)
        except ValueError as error:
            self.refused.append(f"{self.backend}: {error}")
            return Outcome(Status.UNKNOWN, None, None, outcome.runtime_s), None


def checked(
    instance: Instance,
    placement: Placement,
    servers: Sequence[tuple[int, ...]],
    values: Sequence[float],
    rate: float = 0.0,
) -> Composition:
    """Composition of the capacities that a solver returns, recomputed from the instance in integers and fractions.

    Raises
    ------
    ValueError
        If capacities are no integers, servers do not have the slots, or the total service rate is not reached.
    """
    capacities = [round(value) for value in values]
    for value, capacity in zip(values, capacities, strict=True):
        if capacity < 0 or abs(value - capacity) > _INTEGRAL:
            raise ValueError(f"a capacity of {value}")
    time = instance.time
    chosen = [(chain, c) for chain, c in zip(servers, capacities, strict=True) if c]
    composition = Composition.of(instance, placement, [chain for chain, _ in chosen], [c for _, c in chosen])
    used = [0] * placement.sizes.size
    served = Fraction(0)
    for chain in composition.chains:
        ticks = 0
        for j, n in zip(chain.servers, chain.blocks, strict=True):
            used[j] += chain.capacity * n
            ticks += int(time.comm[j]) + int(time.comp[j]) * n
        served += Fraction(chain.capacity * 10**time.places, ticks)
    for j, slots in enumerate(checked_slots(instance, placement).tolist()):
        if used[j] > slots:
            raise ValueError(f"{used[j]} slots of server {j}, which has {slots}")
    if served < Fraction(rate) * (1 - Fraction(RELATIVE_TOLERANCE)):
        raise ValueError(f"a total service rate of {float(served)} where {rate} is asked for")
    order = sorted(range(len(chosen)), key=lambda k: (composition.service_times_s[k], chosen[k]))
    return composition.select(order, composition.capacities[order])


def _reaches(bound: float, rate: float) -> bool:
    """Whether a rate is not above a bound from above."""
    return rate == math.inf or bound >= rate * (1 - 2 * RELATIVE_TOLERANCE)
