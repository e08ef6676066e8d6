"""Which composition a search answers with: of the states that annealings ended with, and of better allocations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.allocation.job_servers import fewest_job_servers
from chainopt.errors import UnstableError
from chainopt.exact.cache_allocation import allocate_fewest, allocate_most
from chainopt.exact.enumeration import value_of
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.solution import Objective
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing.exact import NODES
from chainopt.search.compositions import carry_over
from chainopt.search.energy import energy, energy_of, objective_value
from chainopt.search.rounds import allocate, open_servers
from chainopt.search.truncation import best_truncation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.runs import Runs
    from chainopt.search.starts import Start

_COMPARED = 4
"""States of which the exact value is computed in the end."""


def generate(runs: Runs) -> None:
    """Allocations of the best placements by column generation: GCA leaves throughput behind.

    What they take depends on the solver, so they are for searches with a time limit only.
    """
    for state in sorted(runs.ends, key=lambda state: state.energy)[:_COMPARED]:
        placement, deadline = Placement(state.ranges.start, state.ranges.stop), runs.budget.deadline
        if runs.budget.exhausted:
            return
        if runs.objective is Objective.JOB_SERVERS:
            found = allocate_fewest(runs.instance, placement, runs.instance.design_rate, deadline=deadline)
        else:
            found = allocate_most(runs.instance, placement, deadline=deadline)
        if found.composition is None:
            continue
        runs.better.append(found.composition)
        if _key(runs, found.composition)[0] == 0:
            value = value_of(runs.instance, found.composition, runs.objective)
            runs.note(energy_of(runs.problem, value, runs.instance.time.places))


def choose(runs: Runs, given: Composition | None) -> tuple[Composition | None, float | None]:
    """The best of the states that annealings ended with, and of the composition that was given, exactly."""
    ends = sorted(runs.ends, key=lambda state: state.energy)[:_COMPARED]
    candidates = [] if given is None else [given]
    candidates += runs.better
    candidates += [found for state in ends if (found := _composition(runs, state)) is not None]
    best: Composition | None = None
    best_key = (2, 0.0)
    for candidate in candidates:
        key = _key(runs, candidate)
        if key < best_key:
            best, best_key = candidate, key
    value = value_of(runs.instance, best, runs.objective) if best is not None and best_key[0] == 0 else None
    return best, value


def _key(runs: Runs, composition: Composition) -> tuple[int, float]:
    """What to compare by: whether the total service rate falls short, and the objective, or that rate."""
    rate = composition.total_service_rate
    try:
        value = value_of(runs.instance, composition, runs.objective)
    except UnstableError:
        return 1, -rate
    if runs.objective is Objective.RATE:
        return 0, -value
    if runs.objective is Objective.JOB_SERVERS and fewest_job_servers(composition, runs.instance.design_rate) is None:
        return 1, -rate
    return 0, value


def _composition(runs: Runs, state: Start) -> Composition | None:
    """The composition of a state, of the job servers those that are best."""
    ranges, rounds = state.ranges, runs.rounds
    if state.composed is None:
        chains = allocate(runs.problem, ranges, rounds)
    else:
        open_servers(runs.problem, ranges, rounds)
        chains = carry_over(runs.problem, ranges, rounds, state.composed)
    if not chains:
        return None
    order = np.argsort(rounds.ticks[:chains], kind="stable")
    first, hops = rounds.chain_first, rounds.hops
    servers = [hops[first[k] : first[k + 1]].tolist() for k in order]
    rates, capacities = rounds.rates[order], rounds.capacities[order]
    placement = Placement(ranges.start, ranges.stop)
    whole = Composition.of(runs.instance, placement, servers, capacities.tolist())
    if runs.objective is Objective.JOB_SERVERS:
        return fewest_job_servers(whole, runs.instance.design_rate) or whole
    if runs.objective is Objective.RATE or objective_value(runs.problem, _energy(runs, rates, capacities), 0) is None:
        return whole
    ticks, jobs = best_truncation(rates, capacities, runs.problem.rate, NODES)
    least = ticks / 10.0**runs.instance.time.places
    if value_of(runs.instance, whole, runs.objective) <= least * (1 + RELATIVE_TOLERANCE):
        return whole  # chains that do no harm stay: they help when traffic is not Poisson
    before = np.cumsum(capacities) - capacities
    kept = np.flatnonzero(before < jobs)
    return whole.select(kept, np.minimum(capacities, jobs - before)[kept])


def _energy(runs: Runs, rates: NDArray[np.float64], capacities: NDArray[np.int64]) -> float:
    value, _ = energy(runs.problem, rates, capacities, 0, math.inf, 0.0)
    return float(value)
