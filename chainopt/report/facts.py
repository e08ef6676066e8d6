"""Everything that a report shows, as numbers: recomputed from the composition, not taken from the file."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.solution import Objective, relative_gap
from chainopt.quantity import EXACT, at_least
from chainopt.queueing import evaluate, response_bounds, response_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.evaluation import Evaluation
    from chainopt.model.instance import Instance, Server
    from chainopt.model.solution import Solution

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)

LOADS = (0.01, *np.arange(0.025, 0.951, 0.025).tolist(), 0.96, 0.97, 0.98, 0.99)
"""Loads of the curve; the operating point joins them."""


@dataclass(frozen=True)
class ServerFacts:
    """One server, by position.

    Attributes
    ----------
    start, stop
        What it hosts, equal where it hosts nothing.
    memory_gb, reserve_gb, blocks_gb, cache_gb, free_gb
        The first is the sum of the others; `cache_gb` is what full chains take.
    slots, used_slots
        Cache slots beside the blocks [eq. 3], and those that full chains take.
    chains
        Numbers of the chains that pass.
    share
        Of the jobs that pass; None where the load is 1 or more.
    rate_without
        Total service rate of the chains that do not pass it, jobs per second.
    """

    name: str
    start: int
    stop: int
    memory_gb: float
    reserve_gb: float
    blocks_gb: float
    cache_gb: float
    free_gb: float
    slots: int
    used_slots: int
    chains: tuple[int, ...]
    share: float | None
    rate_without: float

    @property
    def blocks(self) -> int:
        """m_j."""
        return self.stop - self.start

    @property
    def idle(self) -> float:
        """Share of the memory, less the reserve, that nothing uses."""
        ours = self.memory_gb - self.reserve_gb
        return self.free_gb / ours if ours > 0 else 0.0


@dataclass(frozen=True)
class ChainFacts:
    """One chain, by its number in the solution.

    Attributes
    ----------
    servers, blocks
        Positions of the servers in order of processing, and blocks processed at each.
    rate
        c_k μ_k, jobs per second.
    share, busy
        Of the jobs, and of the capacity, exact under JFFC; None where the load is 1 or more.
    """

    servers: tuple[int, ...]
    blocks: tuple[int, ...]
    capacity: int
    service_time_s: float
    rate: float
    share: float | None
    busy: float | None


@dataclass(frozen=True)
class Point:
    """Response times at an arrival rate; rates in jobs per second, times in seconds."""

    arrival_rate: float
    load: float
    lower_s: float
    mean_s: float
    upper_s: float
    waiting_s: float
    p95_s: float


@dataclass(frozen=True)
class Bound:
    """A bound from the solution file, and how far the composition is from it; value and bound in `unit`."""

    value: float
    bound: float
    gap: float
    unit: str


@dataclass(frozen=True)
class Facts:
    """What a report shows.

    Attributes
    ----------
    arrival_rate
        λ, jobs per second.
    quantiles
        Share of the jobs and the time within which they end, s; empty where the load is 1 or more.
    curve
        By increasing arrival rate; the operating point, where it is stable, is among them.
    bound
        None where the file has none, or it is one at another arrival rate.
    """

    instance: Instance
    solution: Solution
    arrival_rate: float
    evaluation: Evaluation
    servers: tuple[ServerFacts, ...]
    chains: tuple[ChainFacts, ...]
    quantiles: tuple[tuple[float, float], ...]
    curve: tuple[Point, ...]
    bound: Bound | None

    @property
    def stable(self) -> bool:
        """Whether the load is below 1."""
        return self.evaluation.mean_response_time_s is not None

    @property
    def total_service_rate(self) -> float:
        """ν, jobs per second."""
        return self.evaluation.total_service_rate


def facts(instance: Instance, solution: Solution, arrival_rate: float | None = None) -> Facts:
    """Compute what a report shows.

    Parameters
    ----------
    solution
        Valid, with at least one chain.
    arrival_rate
        λ, jobs per second; the instance's unless given.

    Raises
    ------
    ValueError
        If placement or chains do not fit the instance.
    """
    composition = solution.bind(instance).composition
    given = float(instance.workload.arrival_rate)
    rate = given if arrival_rate is None else float(arrival_rate)
    evaluation = evaluate(composition, rate)
    shares: NDArray[np.float64] | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    if evaluation.mean_response_time_s is not None:
        exact = response_time(composition, rate)
        shares, quantiles = exact.shares, tuple((q, exact.quantile(q)) for q in QUANTILES)
    return Facts(
        instance,
        solution,
        rate,
        evaluation,
        _servers(instance, composition, shares),
        _chains(composition, shares, rate),
        quantiles,
        _curve(composition, rate),
        _bound(solution, evaluation, same_rate=rate == given),
    )


def _chains(
    composition: Composition, shares: NDArray[np.float64] | None, arrival_rate: float
) -> tuple[ChainFacts, ...]:
    return tuple(
        ChainFacts(
            chain.servers,
            chain.blocks,
            chain.capacity,
            chain.service_time_s,
            chain.capacity * chain.service_rate,
            None if shares is None else float(shares[k]),
            None if shares is None else float(shares[k]) * arrival_rate * chain.service_time_s / chain.capacity,
        )
        for k, chain in enumerate(composition.chains)
    )


def _servers(
    instance: Instance, composition: Composition, shares: NDArray[np.float64] | None
) -> tuple[ServerFacts, ...]:
    count = len(instance.servers)
    chain_of_hop = np.repeat(np.arange(composition.capacities.size), np.diff(composition.first))
    used = [0] * count
    passing: list[list[int]] = [[] for _ in range(count)]
    capacities = composition.capacities.tolist()
    for j, k, blocks in zip(
        composition.hops.tolist(), chain_of_hop.tolist(), composition.hop_blocks.tolist(), strict=True
    ):
        used[j] += blocks * capacities[k]
        passing[j].append(k)
    slots = instance.memory.slots(composition.placement.sizes).tolist()
    rates = composition.capacities / composition.service_times_s
    result = []
    for j, server in enumerate(instance.servers):
        start, stop = int(composition.placement.start[j]), int(composition.placement.stop[j])
        others = np.ones(rates.size, dtype=bool)
        others[passing[j]] = False
        blocks_gb, cache_gb, free_gb = _memory(instance, server, stop - start, used[j])
        result.append(
            ServerFacts(
                server.id,
                start,
                stop,
                float(server.memory_gb),
                float(server.reserve_gb),
                float(blocks_gb),
                float(cache_gb),
                float(free_gb),
                slots[j],
                used[j],
                tuple(passing[j]),
                None if shares is None else float(np.sum(shares[passing[j]])),
                float(np.sum(rates[others])),
            )
        )
    return tuple(result)


def _memory(instance: Instance, server: Server, blocks: int, slots: int) -> tuple[Decimal, Decimal, Decimal]:
    """Memory of blocks, of used slots and what is free, in exact decimals: none is -1e-15."""
    blocks_gb = EXACT.multiply(instance.service.block_gb, Decimal(blocks))
    cache_gb = EXACT.multiply(instance.service.cache_gb, Decimal(slots))
    ours = EXACT.subtract(server.memory_gb, server.reserve_gb)
    return blocks_gb, cache_gb, EXACT.subtract(ours, EXACT.add(blocks_gb, cache_gb))


def _curve(composition: Composition, arrival_rate: float) -> tuple[Point, ...]:
    total = composition.total_service_rate
    rates = {load * total for load in LOADS}
    if not at_least(arrival_rate, total):
        rates.add(arrival_rate)
    points = []
    for rate in sorted(rates):
        exact = response_time(composition, rate)
        lower, upper = response_bounds(composition, rate)
        points.append(
            Point(
                rate,
                exact.load,
                lower,
                exact.mean_response_time_s,
                upper,
                exact.mean_waiting_time_s,
                exact.p95_response_time_s,
            )
        )
    return tuple(points)


def _bound(solution: Solution, evaluation: Evaluation, *, same_rate: bool) -> Bound | None:
    """The file's bound, if it is one at this arrival rate: only that on the total service rate is one at any."""
    if solution.bound is None or not (same_rate or solution.objective is Objective.RATE):
        return None
    value, unit = {
        Objective.RESPONSE_TIME: (evaluation.mean_response_time_s, "s"),
        Objective.JOB_SERVERS: (float(evaluation.job_servers), "job servers"),
        Objective.RATE: (evaluation.total_service_rate, "jobs/s"),
    }[solution.objective]
    return None if value is None else Bound(value, solution.bound, relative_gap(value, solution.bound), unit)
