"""The joint problem by the models of `formulations`: job slots with CP-SAT, and chain columns with a MILP solver.

They are slower than :mod:`chainopt.exact.joint_sizes` and share no code with it, so each is a witness for the others.
"""

from __future__ import annotations

import itertools
import math
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.backends import solve_cp, solve_milp
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.solution import Objective, Status
from chainopt.quantity import RELATIVE_TOLERANCE
from formulations import chain_columns, job_slots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ortools.sat.python import cp_model

    from chainopt.exact.backends import Outcome
    from chainopt.exact.envelope import Envelope
    from chainopt.exact.joint import State
    from chainopt.model.instance import Instance

MOST_CHAINS = 100_000
"""Chain columns are for instances with no more chains than these."""
DEAD_ENDS = 3
"""Partial chains that are looked at for each chain that there may be."""
MOST_JOBS = 200
"""Job slots are for no more jobs than these."""
MOST_VARIABLES = 30_000
"""Job slots are for models with no more path variables than these: to build one takes seconds, whatever the limit."""
_SAFE = 1e-9


def by_job_slots(state: State, envelope: Envelope) -> None:
    """Job slots with CP-SAT, as far as their numbers stay small enough."""
    most = math.floor(envelope.most_jobs * (1 + _SAFE))
    try:
        if state.objective is Objective.RATE:
            _largest_rate(state, envelope, most)
        else:
            _fewest_job_servers(state, envelope, most)
    except ValueError as error:
        state.refused.append(str(error))


def _run(state: State, program: cp_model.CpModel) -> tuple[Outcome, cp_model.CpSolver]:
    run = state.options
    return solve_cp(program, deadline=state.deadline, workers=run.threads, seed=state.seed % 2**31, log=run.log)


def _fewest_job_servers(state: State, envelope: Envelope, most: int) -> None:
    """K = bound, bound + 1, ... job servers, until some composition has so many."""
    problem, rate = slots_problem(state.instance), exact_design_rate(state.instance)
    while not state.closed:
        jobs = math.ceil(state.bound or 1)
        if jobs > most:
            state.impossible = True
            return
        if not _manageable(state.instance, jobs):
            return
        times = times_of(envelope, state.instance, jobs, rate)
        if times is not None:
            model = job_slots.some_composition(problem, times, rate)
            outcome, solver = _run(state, model.program)
            state.nodes += 1
            if outcome.value is not None:
                _offer(state, model, solver)
            if outcome.status is not Status.INFEASIBLE:
                return
        state.tighten(jobs + 1)


def _largest_rate(state: State, envelope: Envelope, most: int) -> None:
    """At most as many jobs as ever fit."""
    times = times_of(envelope, state.instance, most, None)
    if times is None or not _manageable(state.instance, most):
        return
    model = job_slots.largest_rate(slots_problem(state.instance), times)
    outcome, solver = _run(state, model.program)
    state.nodes += 1
    if outcome.value is not None:
        _offer(state, model, solver)
    if outcome.bound is not None:  # every rate is rounded down by less than 1 unit
        state.tighten((outcome.bound + len(model.jobs)) / model.unit * 10**state.instance.time.places)
    if outcome.status is Status.OPTIMAL and not state.refused and (state.value is not None or outcome.value == 0):
        state.finish()


def _manageable(instance: Instance, jobs: int) -> bool:
    """Whether the model of so many jobs is small enough: a variable for each job, server and range it may process."""
    blocks = instance.service.blocks
    ranges = sum(m * (2 * blocks - m + 1) // 2 for m in instance.memory.sizes(0).tolist())
    return jobs <= MOST_JOBS and jobs * ranges <= MOST_VARIABLES


def slots_problem(instance: Instance) -> job_slots.Problem:
    """What the builder of job slots needs to know of an instance."""
    most = instance.memory.sizes(0).tolist()
    slots = [instance.memory.slots(np.arange(1, m + 1), np.full(m, j)).tolist() for j, m in enumerate(most)]
    pins = {j: (s.pin.start, s.pin.stop) for j, s in enumerate(instance.servers) if s.pin is not None}
    return job_slots.Problem(
        slots, instance.time.comm.tolist(), instance.time.comp.tolist(), instance.service.blocks, pins
    )


def exact_design_rate(instance: Instance) -> Fraction:
    """λ/ρ̄ in jobs per tick, less the tolerance with which rates count as equal."""
    rate = Fraction(instance.workload.arrival_rate) / Fraction(instance.workload.target_load)
    return rate * (1 - Fraction(RELATIVE_TOLERANCE)) * Fraction(1, 10**instance.time.places)


def times_of(envelope: Envelope, instance: Instance, jobs: int, rate: Fraction | None) -> job_slots.Times | None:
    """Bounds on the times of so many jobs, fastest first; None where they leave nothing.

    i jobs serve V(i) at most, so T_i >= i / V(i); and if all K are to serve R, those from i on serve R - V(i - 1), so
    T_i <= (K - i + 1) / (R - V(i - 1)).
    """
    ticks = 10**instance.time.places
    for i in {1, max(jobs // 2, 1), max(jobs - 1, 1), jobs}:
        envelope.solve(float(i))
    above = envelope.above(np.arange(1.0, jobs + 1)) / ticks
    hops = min(instance.time.comm.size, instance.service.blocks)
    longest = int(np.sort(instance.time.comm)[-hops:].sum() + instance.time.comp.max() * instance.service.blocks)
    least, most = [], []
    for i in range(1, jobs + 1):
        least.append(max(math.floor(i / above[i - 1] * (1 - _SAFE)), 1))
        cap = longest
        if rate is not None:
            missing = float(rate) - (above[i - 2] if i > 1 else 0.0)
            if missing > _SAFE * float(rate):
                cap = min(longest, math.ceil((jobs - i + 1) / missing * (1 + _SAFE)))
        most.append(cap)
    crossed = next((i for i, (a, b) in enumerate(zip(least, most, strict=True)) if a > b), None)
    if crossed is not None and (rate is not None or crossed == 0):
        return None
    if crossed is not None:  # so many jobs never are there at once
        least, most = least[:crossed], most[:crossed]
    return job_slots.Times(least, most)


def _offer(state: State, model: job_slots.Model, solver: cp_model.CpSolver) -> bool:
    chosen = [key for key, x in model.goes.items() if solver.boolean_value(x)]
    hosted = [key for key, z in model.hosts.items() if solver.boolean_value(z)]
    paths = [
        tuple(j for _, j, _, _ in sorted((key for key in chosen if key[0] == k), key=lambda key: key[2]))
        for k in model.jobs
    ]
    return offer_chains(state, hosted, ((path, 1) for path in paths if path))


def offer_chains(
    state: State, hosted: Iterable[tuple[int, int, int]], chains: Iterable[tuple[tuple[int, ...], int]]
) -> bool:
    """Make a composition of what a solver says, and offer it; whether it was taken."""
    start = np.zeros(len(state.instance.servers), dtype=np.int64)
    stop = start.copy()
    for j, s, e in hosted:
        start[j], stop[j] = s, e
    capacities: dict[tuple[int, ...], int] = {}
    for servers, capacity in chains:
        capacities[servers] = capacities.get(servers, 0) + capacity
    try:
        composition = Composition.of(
            state.instance, Placement(start, stop), list(capacities), list(capacities.values())
        )
    except ValueError as error:
        state.refused.append(str(error))
        return False
    return state.offer(composition)


def by_chain_columns(state: State, envelope: Envelope) -> None:
    """Chain columns over all chains, with the backend of the options."""
    instance = state.instance
    chains = all_chains(instance, MOST_CHAINS, state.deadline)
    if chains is None:
        return
    if not chains:
        state.impossible = True
        return
    slots, pinned = range_slots(instance)
    job_servers = state.objective is Objective.JOB_SERVERS
    unit = 1.0
    if job_servers:
        rate = instance.design_rate * (1 - RELATIVE_TOLERANCE)
        model = chain_columns.fewest_job_servers(chains, slots, rate, pinned)
    else:
        unit = (state.value or 1 / min(chain.time_s for chain in chains)) / chain_columns.RATE_SCALE
        model = chain_columns.largest_rate(chains, slots, unit, pinned)
    run = state.options
    outcome = solve_milp(
        model.problem,
        backend=run.backend,
        deadline=state.deadline,
        threads=run.threads,
        seed=state.seed % 2**31,
        log=run.log,
    )
    if outcome.value is not None:
        hosted = [key for key, z in model.hosts.items() if z.varValue > 0.5]
        offer_chains(
            state,
            hosted,
            (
                (tuple(j for j, _, _ in chain.arcs), round(c.varValue))
                for chain, c in zip(chains, model.capacities, strict=True)
                if c.varValue > 0.5
            ),
        )
    if outcome.status is Status.INFEASIBLE:
        state.impossible = True
    elif outcome.bound is not None:
        state.tighten(math.ceil(outcome.bound - 1e-6) if job_servers else outcome.bound * unit * (1 + 1e-9))
        if outcome.status is Status.OPTIMAL and not state.refused and not job_servers:
            state.finish()


def range_slots(instance: Instance) -> tuple[dict[tuple[int, int, int], int], list[int]]:
    """Slots S_j(e - s) beside every range (j, s, e) that a server may host, and the servers that are pinned."""
    problem = slots_problem(instance)
    slots = {(j, s, e): max(problem.room(j, e - s), 0) for j in range(len(problem.slots)) for s, e in problem.ranges(j)}
    return slots, list(problem.pins)


def all_chains(instance: Instance, most: int, deadline: float = math.inf) -> list[chain_columns.Chain] | None:
    """Every chain of every placement, with positions.

    Returns
    -------
    None where there are more than `most`, or too many dead ends, or they are not all found by the deadline.
    """
    problem = slots_problem(instance)
    leaving: dict[int, list[tuple[int, int, int]]] = {}
    for arc in problem.arcs():
        leaving.setdefault(arc[1], []).append(arc)

    def extend(arcs: tuple[tuple[int, int, int], ...], ticks: int) -> Iterator[chain_columns.Chain]:
        at = arcs[-1][2] if arcs else 0
        if next(visits) > DEAD_ENDS * most or time.monotonic() > deadline:
            raise OverflowError
        if at == problem.blocks:
            yield chain_columns.Chain(float(instance.time.seconds(np.array([ticks]))[0]), arcs)
            return
        for arc in leaving.get(at, []):
            if all(arc[0] != j for j, _, _ in arcs):
                yield from extend((*arcs, arc), ticks + problem.time(arc[0], arc[2] - arc[1]))

    visits = itertools.count()
    try:
        chains = list(itertools.islice(extend((), 0), most + 1))
    except OverflowError:
        return None
    return chains if len(chains) <= most else None
