"""Exact disjoint chains: as few as serve a rate with c jobs each [eq. 7], where GBP-CR is greedy.

A chain is a set of servers whose m_j(c) add up to L or more, and takes the sum of their t_j(c), as GBP-CR counts it.
Column generation with a covering knapsack, then an integer program over the chains generated, then, if bound and
solution still differ, one over all chains of small reduced cost, and that is exact.
"""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.backends import solve_milp
from chainopt.exact.columns import Elements, Master, least_integer
from chainopt.exact.paths import MOST_STEPS, least_completion, slopes
from chainopt.jit import kernel
from chainopt.model import Placement, Status
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.topology import NEVER
from formulations import disjoint_chains as formulation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chainopt.exact.columns import Prices
    from chainopt.model import Instance

MOST_CHAINS = 30_000
"""Chains of small reduced cost are enumerated up to so many."""


@dataclass(frozen=True, eq=False)
class DisjointChains:
    """Disjoint chains and what is proven of their number.

    Attributes
    ----------
    chains
        Positions of the servers of each chain, in the order in which they are strung together; None where none were
        found.
    placement
        Where that puts the servers; those on no chain stay empty, unless they have a pin.
    status
        `OPTIMAL`, `FEASIBLE`, `INFEASIBLE`, or `UNKNOWN`.
    value
        K, number of chains; None where there are none.
    bound
        Proven bound on K from below, None where there is none.
    runtime_s
        Seconds.
    generated
        Number of chains that the bound took.
    refused
        What solvers returned and exact arithmetic did not confirm.
    """

    chains: tuple[tuple[int, ...], ...] | None
    placement: Placement | None
    status: Status
    value: int | None
    bound: int | None
    runtime_s: float
    generated: int = 0
    refused: tuple[str, ...] = ()


def fewest_disjoint_chains(
    instance: Instance,
    cache_reservation: int,
    rate: float,
    *,
    deadline: float = math.inf,
    backend: str = "highs",
) -> DisjointChains:
    """Fewest disjoint chains that serve `rate` with `cache_reservation` jobs each [eq. 7].

    Servers with a pin cannot be strung together and take no part.

    Parameters
    ----------
    rate
        R > 0, jobs per second; met up to :data:`~chainopt.quantity.RELATIVE_TOLERANCE`.
    deadline
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    ValueError
        If the rate or the reservation is not positive.
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"expected a positive rate, got {rate}")
    if cache_reservation < 1:
        raise ValueError(f"expected a cache reservation of at least 1, got {cache_reservation}")
    search = _Search(instance, cache_reservation, rate, deadline, backend)
    best, chains = search.greedy()
    if best is None:
        if int(search.sizes.sum()) < instance.service.blocks:
            return search.result(None, None)
        largest = search.master(None, chains)
        largest.generate(deadline, search.least_rate)
        if largest.bound < search.least_rate:
            return search.result(None, None)
        chains = largest.columns
    return search.result(*search.fewest(best, chains))


class _Search:
    """One search; servers are numbered by amortised time here, those without a part in any chain left out."""

    def __init__(self, instance: Instance, cache_reservation: int, rate: float, deadline: float, backend: str) -> None:
        self.begin = clock.monotonic()
        self.instance = instance
        self.cache_reservation = cache_reservation
        self.rate = rate
        self.least_rate = rate / cache_reservation * (1 - 2 * RELATIVE_TOLERANCE)
        self.deadline = deadline
        self.backend = backend
        every = instance.memory.sizes(cache_reservation)
        free = np.array([server.pin is None for server in instance.servers])
        self.position = instance.time.by_amortised_time(np.flatnonzero(free & (every > 0)), every)
        self.sizes = every[self.position]
        self.ticks = instance.time.comm[self.position] + instance.time.comp[self.position] * self.sizes
        self.time_s = instance.time.seconds(self.ticks)
        self.generated = 0
        self.refused: list[str] = []

    def greedy(self) -> tuple[list[NDArray[np.int64]] | None, list[NDArray[np.int64]]]:
        """GBP-CR's chains, as far as they are needed for the rate, None where they fall short; and all of them."""
        chains: list[list[int]] = [[]]
        blocks = 0
        for j, size in enumerate(self.sizes.tolist()):
            chains[-1].append(j)
            blocks += size
            if blocks >= self.instance.service.blocks:
                chains.append([])
                blocks = 0
        every = [np.array(chain) for chain in chains[:-1]]
        for count in range(1, len(every) + 1):
            if self._serves(every[:count]):
                return every[:count], every
        return None, every

    def master(self, rate: float | None, chains: Sequence[NDArray[np.int64]]) -> Master:
        """Linear program over these chains to begin with."""
        numbers = np.arange(self.sizes.size)
        ones = np.ones_like(numbers)
        length = self.instance.service.blocks
        master = Master(
            Elements(numbers, ones, self.time_s), ones, rate, lambda cost: cheapest_cover(self.sizes, cost, length)
        )
        master.add(chains)
        return master

    def fewest(
        self, best: list[NDArray[np.int64]] | None, chains: Sequence[NDArray[np.int64]]
    ) -> tuple[list[NDArray[np.int64]] | None, int | None]:
        """Fewest chains, as far as found, and a bound on their number; None and None if there are none."""
        master = self.master(self.rate / self.cache_reservation, chains)
        prices = master.generate(self.deadline, math.inf if best is None else len(best) - 1 + 1e-5)
        self.generated = len(master.columns)
        bound = max(least_integer(master.bound), 1)
        for enumerated in (False, True):
            if prices is None or (best is not None and bound >= len(best)):
                break
            most = self.sizes.size if best is None else len(best) - 1
            tried = self._below(prices, master.reach(prices, most + 1)) if enumerated else master.columns
            if tried is None:
                break
            status, better, solver_bound = self._solve(tried, most)
            best = better or best
            if enumerated and status is Status.INFEASIBLE:
                return (best, len(best)) if best is not None else (None, None)
            if enumerated and solver_bound is not None:
                bound = max(bound, least_integer(solver_bound))
        return best, bound if best is None else min(bound, len(best))

    def result(self, best: list[NDArray[np.int64]] | None, bound: int | None) -> DisjointChains:
        """The answer; with no chains and no bound there are proven to be none."""
        if best is None:
            status = Status.INFEASIBLE if bound is None else Status.UNKNOWN
            chains, placement, value = None, None, None
        else:
            value = len(best)
            status = Status.OPTIMAL if bound == value else Status.FEASIBLE
            chains = tuple(tuple(self.position[chain].tolist()) for chain in best)
            placement = self._placement(best)
        runtime_s = clock.monotonic() - self.begin
        return DisjointChains(chains, placement, status, value, bound, runtime_s, self.generated, tuple(self.refused))

    def _serves(self, chains: Sequence[NDArray[np.int64]]) -> bool:
        """Σ_S 1/T_S >= R/c, in fractions."""
        second = 10**self.instance.time.places
        served = sum((Fraction(second, int(self.ticks[chain].sum())) for chain in chains), Fraction(0))
        return served * self.cache_reservation >= Fraction(self.rate) * (1 - Fraction(RELATIVE_TOLERANCE))

    def _solve(
        self, chains: Sequence[NDArray[np.int64]], most: int
    ) -> tuple[Status, list[NDArray[np.int64]] | None, float | None]:
        """Status, the chains chosen and the bound of an integer program over these chains."""
        columns = [
            formulation.Chain(float(self.time_s[chain].sum()), tuple(sorted(chain.tolist()))) for chain in chains
        ]
        model = formulation.fewest_disjoint_chains(columns, self.rate, self.cache_reservation, most)
        outcome = solve_milp(model.problem, backend=self.backend, deadline=self.deadline)
        if outcome.value is None:
            return outcome.status, None, outcome.bound
        chosen = [chain for chain, x in zip(chains, model.chosen, strict=True) if x.varValue > 0.5]
        problem = self._problem(chosen, most)
        if problem is not None:
            self.refused.append(f"{self.backend}: {problem}")
            return Status.UNKNOWN, None, None
        return outcome.status, chosen, outcome.bound

    def _problem(self, chains: Sequence[NDArray[np.int64]], most: int) -> str | None:
        """What is wrong with the chains that a solver returns, recomputed from the instance."""
        if len(chains) > most:
            return f"{len(chains)} chains where {most} are the most"
        servers = np.concatenate([np.empty(0, dtype=np.int64), *chains])
        if np.unique(servers).size < servers.size:
            return "chains that share a server"
        if any(self.sizes[chain].sum() < self.instance.service.blocks for chain in chains):
            return "a chain without all blocks"
        return None if self._serves(chains) else f"chains that do not serve {self.rate}"

    def _placement(self, chains: Sequence[NDArray[np.int64]]) -> Placement:
        """String every chain from block 0 on, the last server moved back to end at block L, and host the pins."""
        length = self.instance.service.blocks
        start = np.zeros(len(self.instance.servers), dtype=np.int64)
        stop = start.copy()
        for j, server in enumerate(self.instance.servers):
            if server.pin is not None:
                start[j], stop[j] = server.pin.start, server.pin.stop
        for chain in chains:
            block = 0
            for i in chain.tolist():
                j, size = self.position[i], int(self.sizes[i])
                start[j] = min(block, length - size)
                block = stop[j] = start[j] + size
        return Placement(start, stop)

    def _below(self, prices: Prices, ceiling: float) -> list[NDArray[np.int64]] | None:
        """All chains without superfluous servers with a D - y/T of at most `ceiling`; None if they are too many."""
        length = self.instance.service.blocks
        fastest = float(self.time_s[cheapest_cover(self.sizes, self.time_s, length)].sum())
        return covers_below(
            self.sizes,
            length,
            prices.elements,
            self.time_s,
            prices.rate,
            ceiling,
            slopes(prices.rate, fastest),
            MOST_CHAINS,
        )


@kernel
def cheapest_cover(sizes: NDArray[np.int64], cost: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Servers whose sizes add up to `length` or more, of least cost, none superfluous; there have to be such servers.

    A covering knapsack in O(J L).
    """
    servers = sizes.size
    best = np.full(length + 1, np.inf)
    best[0] = 0.0
    taken = np.zeros((servers, length + 1), dtype=np.bool_)
    for j in range(servers):
        for covered in range(length, 0, -1):
            candidate = best[max(covered - sizes[j], 0)] + cost[j]
            if candidate < best[covered]:
                best[covered] = candidate
                taken[j, covered] = True
    chosen = np.zeros(servers, dtype=np.bool_)
    covered = length
    total = 0
    for j in range(servers - 1, -1, -1):
        if taken[j, covered]:
            chosen[j] = True
            total += sizes[j]
            covered = max(covered - sizes[j], 0)
    for j in range(servers - 1, -1, -1):
        if chosen[j] and total - sizes[j] >= length:
            chosen[j] = False
            total -= sizes[j]
    return np.flatnonzero(chosen)


def covers_below(
    sizes: NDArray[np.int64],
    length: int,
    price: NDArray[np.float64],
    time_s: NDArray[np.float64],
    rate_price: float,
    ceiling: float,
    angles: NDArray[np.float64],
    most: int,
) -> list[NDArray[np.int64]] | None:
    """Every set of servers with D - y/T <= `ceiling` that covers `length` and loses that with any server less.

    None if there are more than `most`, or it takes too long.
    """
    members, complete = _covers_below(sizes, length, price, time_s, rate_price, ceiling, angles, most)
    return [np.flatnonzero(row) for row in members] if complete else None


@kernel
def _covers_below(
    sizes: NDArray[np.int64],
    length: int,
    price: NDArray[np.float64],
    time_s: NDArray[np.float64],
    rate_price: float,
    ceiling: float,
    angles: NDArray[np.float64],
    most: int,
) -> tuple[NDArray[np.bool_], bool]:
    """Depth-first search, server by server; given up where no completion can come below the ceiling."""
    servers = sizes.size
    width = length + 1
    to_go = np.full((angles.size, (servers + 1) * width), np.inf)  # from server j on, so much still to be covered
    fastest = np.full((servers + 1) * width, np.inf)
    to_go[:, servers * width] = 0.0
    fastest[servers * width] = 0.0
    for j in range(servers - 1, -1, -1):
        for uncovered in range(width):
            here, without = j * width + uncovered, (j + 1) * width + uncovered
            taken = (j + 1) * width + max(uncovered - sizes[j], 0)
            fastest[here] = min(fastest[without], fastest[taken] + time_s[j])
            for i in range(angles.size):
                to_go[i, here] = min(to_go[i, without], to_go[i, taken] + price[j] + angles[i] * time_s[j])
    members = np.zeros((1024, servers), dtype=np.bool_)
    found = 0
    current = np.zeros(servers, dtype=np.bool_)
    tried = np.zeros(servers + 1, dtype=np.int64)  # of server j: 0 nothing, 1 with it, 2 without it too
    need = np.zeros(servers + 2, dtype=np.int64)
    paid = np.zeros(servers + 2)
    spent = np.zeros(servers + 2)
    need[0] = length
    steps = 0
    j = 0
    while j >= 0:
        if need[j] == 0 or j == servers or tried[j] == 2:
            if need[j] == 0 and _is_tight(sizes, current, j, length):
                if found == most:
                    return members[:0].copy(), False
                if found == members.shape[0]:
                    members = np.concatenate((members, np.zeros_like(members)))
                members[found] = current
                found += 1
            j -= 1
            if j >= 0:
                current[j] = False
            continue
        steps += 1
        if steps > MOST_STEPS:
            return members[:0].copy(), False
        take = tried[j] == 0
        tried[j] += 1
        current[j] = take
        need[j + 1] = max(need[j] - sizes[j], 0) if take else need[j]
        paid[j + 1] = paid[j] + (price[j] if take else 0.0)
        spent[j + 1] = spent[j] + (time_s[j] if take else 0.0)
        at = (j + 1) * width + need[j + 1]
        if least_completion(paid[j + 1], spent[j + 1], at, to_go, fastest, angles, rate_price, ceiling) > ceiling:
            current[j] = False
            continue
        j += 1
        tried[j] = 0
    return members[:found].copy(), True


@kernel
def _is_tight(sizes: NDArray[np.int64], current: NDArray[np.bool_], count: int, length: int) -> bool:
    """Whether every one of the chosen servers, all of them before `count`, is needed."""
    total = 0
    least = NEVER
    for j in range(count):
        if current[j]:
            total += sizes[j]
            least = min(least, sizes[j])
    return total - least < length
