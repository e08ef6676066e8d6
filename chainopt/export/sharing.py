"""Chains that meet at a server, for engines where a server belongs to one chain: keep apart, split, or refuse."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.allocation import reserved
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.export.plan import Plan, Sharing, free_gb, listed, plan_of, planned_chains
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.record import shown
from chainopt.model.solution import Status, as_records
from chainopt.placement.candidates import greedy_candidates
from chainopt.protocols import PlacementOptions
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing import evaluate, response_bounds, response_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from chainopt.model.composition import Chain
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution

MOST_NODES = 2_000
"""Nodes of the search for the chains to keep: a number, not a time, so that equal input gives equal output."""


def refuse_sharing(plan: Plan, engine: str) -> None:
    """Raise if chains meet at a server.

    Raises
    ------
    InfeasibleError
        It names the servers and the chains.
    """
    shared = plan.shared_servers()
    if shared:
        ids = [f"{shown(plan.instance.servers[j].id)} ({listed(names, 4)})" for j, names in shared.items()]
        raise InfeasibleError(
            f"{engine} cannot share a server between chains, and these are shared: {listed(ids)}; --exclusive composes "
            "chains that do not meet, --split-shared starts a copy for each chain"
        )


def refuse_cut_pins(plan: Plan, engine: str) -> None:
    """Raise if a chain processes only a part of what a server is pinned to.

    Raises
    ------
    InfeasibleError
        It names the servers.
    """
    cut = [
        f"{shown(plan.server(hop).id)} (pinned to {pin.start}:{pin.stop}, {chain.name} uses {hop.start}:{hop.stop})"
        for chain in plan.chains
        for hop in chain.hops
        if (pin := plan.server(hop).pin) is not None and (pin.start, pin.stop) != (hop.start, hop.stop)
    ]
    if cut:
        raise InfeasibleError(f"{engine} hosts exactly what a chain uses, which is not what is pinned: {listed(cut)}")


def split_plan(instance: Instance, solution: Solution) -> Plan:
    """Each chain with a process of its own at each of its servers.

    Raises
    ------
    InfeasibleError
        If Σ_k (s_m m_kj + s_c m_kj c_k) <= M_j does not hold at some server; it names them.
    """
    service = instance.service
    need: dict[int, Fraction] = {}
    for chain in planned_chains(solution):
        for hop in chain.hops:
            each = Fraction(service.block_gb) + Fraction(service.cache_gb) * chain.capacity
            need[hop.server] = need.get(hop.server, Fraction(0)) + hop.blocks * each
    over = [
        f"{shown(server.id)} needs {float(need[j]):.6g} of {float(free_gb(server)):.6g} GB"
        for j, server in enumerate(instance.servers)
        if need.get(j, 0) > free_gb(server)
    ]
    if over:
        raise InfeasibleError(f"copies of blocks for each chain do not fit: {listed(over)}; --exclusive may help")
    return plan_of(instance, solution, Sharing.SPLIT)


def exclusive_plan(instance: Instance, solution: Solution) -> Plan:
    """Chains that do not meet, each with all the jobs that its servers have room for, the best found.

    A solution whose chains do not meet is kept. Else, compared by exact mean response time are the chains of the
    solution that serve most without meeting, and the disjoint chains of GBP-CR for every cache reservation; each server
    hosts what its chain uses.

    Raises
    ------
    InfeasibleError
        If no chains are left.
    UnstableError
        If none of this carries the arrival rate, though the solution does.
    """
    plan = plan_of(instance, solution, Sharing.EXCLUSIVE)
    if not plan.shared_servers():
        return plan
    rate = float(instance.workload.arrival_rate)
    best: Composition | None = None
    best_key = (np.inf, np.inf)
    pins = _pins(instance)
    for chains in _disjoint_sets(instance, solution, pins):
        composition = _alone(instance, chains, pins)
        if composition is None:
            continue
        key = (_mean_time(composition, rate, best_key[0]), -composition.total_service_rate)
        if key < best_key:
            best, best_key = composition, key
    if best is None:
        raise InfeasibleError("no chain has its servers for itself and room for a job")
    before = evaluate(solution.composition, rate).mean_response_time_s
    if best_key[0] == np.inf and before is not None:
        raise UnstableError(
            f"chains that do not meet serve at most {best.total_service_rate:g} jobs/s that were found, less than the "
            f"arrival rate {rate:g} jobs/s"
        )
    hosted, records = as_records(instance, best)
    exclusive = reevaluated(instance, solution.replace(placement=hosted, chains=records))
    plan = plan_of(instance, exclusive, Sharing.EXCLUSIVE)
    after = "unstable" if best_key[0] == np.inf else f"{best_key[0]:.4g} s"
    was = "unstable" if before is None else f"{before:.4g} s"
    return plan.noting(
        f"Chains were composed so that none meet: {len(records)} instead of {len(solution.chains)}; mean response time "
        f"{after} instead of {was}."
    )


def _mean_time(composition: Composition, rate: float, best: float) -> float:
    """The exact mean response time, s; Theorem 4's lower bound where that is more than the best, inf if not stable."""
    try:
        lower, _ = response_bounds(composition, rate)
        hopeless = lower > best * (1 + RELATIVE_TOLERANCE)  # the two may be equal but for rounding
        return lower if hopeless else response_time(composition, rate).mean_response_time_s
    except UnstableError:
        return np.inf


def reevaluated(instance: Instance, solution: Solution) -> Solution:
    """The solution with the evaluation of its composition; what was claimed of the old one is dropped."""
    evaluation = evaluate(solution.bind(instance).composition, float(instance.workload.arrival_rate))
    status = Status.UNSTABLE if evaluation.mean_response_time_s is None else Status.FEASIBLE
    kept = {key: value for key, value in solution.parameters.items() if not key.startswith("thresholds")}
    return solution.replace(
        evaluation=evaluation, status=status, parameters=kept, bound=None, gap=None, runtime_s=None
    ).bind(instance)


def _disjoint_sets(instance: Instance, solution: Solution, pins: Placement) -> Iterator[list[Chain]]:
    chains = solution.composition.chains
    rates = [_capacity(instance, chain, pins)[0] / chain.service_time_s for chain in chains]
    yield [chains[k] for k in _packed([chain.servers for chain in chains], rates, len(instance.servers))]
    for candidate in greedy_candidates(instance, PlacementOptions()):
        yield list(reserved(instance, candidate.placement, candidate.cache_reservation or 1).chains)


def _packed(chains: Sequence[Sequence[int]], rates: list[float], servers: int) -> list[int]:
    """Chains that do not meet with the largest sum of rates; those that serve most first if that is too hard."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    rows = np.concatenate([np.array(chain) for chain in chains])
    columns = np.repeat(np.arange(len(chains)), [len(chain) for chain in chains])
    visits = coo_array((np.ones(rows.size), (rows, columns)), shape=(servers, len(chains)))
    answer = milp(
        -np.array(rates),
        constraints=LinearConstraint(visits.tocsr(), -np.inf, 1),
        integrality=np.ones(len(chains)),
        bounds=Bounds(0, 1),
        options={"node_limit": MOST_NODES},
    )
    if answer.x is not None:
        return [k for k, kept in enumerate(answer.x) if kept > 0.5 and rates[k] > 0]
    taken: set[int] = set()
    kept = []
    for k in sorted(range(len(chains)), key=lambda k: -rates[k]):
        if rates[k] > 0 and taken.isdisjoint(chains[k]):
            taken.update(chains[k])
            kept.append(k)
    return sorted(kept)


def _pins(instance: Instance) -> Placement:
    """What pinned servers host; the others nothing."""
    start = np.zeros(len(instance.servers), dtype=np.int64)
    stop = start.copy()
    for j, server in enumerate(instance.servers):
        if server.pin is not None:
            start[j], stop[j] = server.pin.start, server.pin.stop
    return Placement(start, stop)


def _alone(instance: Instance, chains: Sequence[Chain], pins: Placement) -> Composition | None:
    """Chains that do not meet, each with the jobs that its servers have room for; None where there is room for none."""
    start, stop = pins.start.copy(), pins.stop.copy()
    kept, capacities = [], []
    for chain in chains:
        capacity, begins, ends = _capacity(instance, chain, pins)
        if capacity >= 1:
            servers = np.array(chain.servers)
            start[servers], stop[servers] = begins, ends
            kept.append(chain.servers)
            capacities.append(capacity)
    return Composition.of(instance, Placement(start, stop), kept, capacities) if kept else None


def _capacity(instance: Instance, chain: Chain, pins: Placement) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Jobs of a chain that has its servers for itself, and the first block and the end of what each of them hosts.

    A server hosts the blocks that its chain processes there, or what it is pinned to:
    c_k = min_j floor((M_j - s_m size_j) / s_c / m_kj).
    """
    servers, blocks = np.array(chain.servers), np.array(chain.blocks)
    ends = np.cumsum(blocks)
    begins = np.where(pins.stop[servers] > 0, pins.start[servers], ends - blocks)
    return int((instance.memory.slots(ends - begins, servers) // blocks).min()), begins, ends
