"""The joint problem, exactly: blocks and caches together, over all placements and all allocations [eq. 5].

A bound from the position-free relaxation and the best of the greedy rules come first; often they meet. Where they do
not, an engine closes the gap, or narrows it until the time is up. Whatever an engine finds is recomputed in fractions.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.allocation import ALLOCATIONS
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.exact.allocation_bound import allocation_bound
from chainopt.exact.bounds import bound_from, envelope_of
from chainopt.exact.enumeration import (
    MOST_BLOCKS,
    MOST_SERVERS,
    composition_exists,
    enumerate_compositions,
    value_of,
)
from chainopt.exact.enumeration_kernels import TOLERANCE
from chainopt.exact.joint_sizes import SizeSearch
from chainopt.exact.options import ExactOptions
from chainopt.model.solution import Objective, Status
from chainopt.placement import PLACEMENTS, STARTS
from chainopt.protocols import PlacementOptions
from chainopt.quantity import RELATIVE_TOLERANCE, at_least
from chainopt.tuning import Criterion, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.exact.envelope import Envelope
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance

_RANDOM_STARTS = 10


@dataclass(frozen=True, eq=False)
class Joint:
    """An answer.

    Attributes
    ----------
    status
        `OPTIMAL`; `FEASIBLE`, with a bound where one is proven; `INFEASIBLE` where it is proven that no composition
        exists, or none with the rate that job servers are asked for; `UNSTABLE` where it is proven that none carries
        the arrival rate; `UNKNOWN` where nothing was found and nothing proven.
    composition
        The best found, None where there is none.
    value
        Job servers, jobs per second or seconds; None where there is no composition.
    bound
        Proven bound on the value, None where none is.
    root_bound
        The bound of the position-free relaxation alone.
    runtime_s
        Seconds.
    closed_by
        What proved it: ``root``, the name of an engine, or None where it is not proven.
    nodes
        Nodes of the engine's own search.
    refused
        What was wrong with solutions of solvers that were refused.
    """

    status: Status
    composition: Composition | None
    value: float | None
    bound: float | None
    root_bound: float | None
    runtime_s: float
    closed_by: str | None
    nodes: int = 0
    refused: tuple[str, ...] = ()


@dataclass(eq=False)
class State:
    """What is known so far; engines narrow it.

    Attributes
    ----------
    best, value
        The best composition, and its value; None where there is none.
    bound
        Proven bound.
    impossible
        Whether it is proven that nothing does what is asked.
    options, seed
        How solvers run.
    """

    instance: Instance
    objective: Objective
    deadline: float
    best: Composition | None = None
    value: float | None = None
    bound: float | None = None
    impossible: bool = False
    nodes: int = 0
    refused: list[str] = field(default_factory=list)
    options: ExactOptions = field(default_factory=ExactOptions)
    seed: int = 0

    def offer(self, composition: Composition | None) -> bool:
        """Take a composition if it is better than the best, and valid; whether it was taken.

        Everything is recomputed from the instance, slots and rates in whole numbers and fractions.
        """
        if composition is None or not composition.job_servers:
            return False
        try:
            check(self.instance, composition, self.objective)
        except ValueError as error:
            self.refused.append(str(error))
            return False
        value = value_of(self.instance, composition, self.objective)
        if self.value is not None and not _better(value, self.value, self.objective):
            return False
        self.best, self.value = composition, value
        self._tell()
        return True

    def tighten(self, bound: float | None) -> None:
        """Take a proven bound if it is tighter than the one so far."""
        if bound is not None and (self.bound is None or _better(self.bound, bound, self.objective)):
            self.bound = bound
            self._tell()

    def _tell(self) -> None:
        if self.options.watch is not None:
            self.options.watch(self.value, self.bound)

    @property
    def closed(self) -> bool:
        """Whether value and bound meet, or nothing can be found."""
        if self.impossible:
            return True
        if self.value is None or self.bound is None:
            return False
        if self.objective is Objective.JOB_SERVERS:
            return self.value <= self.bound
        if self.objective is Objective.RATE:
            return at_least(self.value, self.bound)
        return self.value <= self.bound * (1 + TOLERANCE)

    def finish(self) -> None:
        """Everything was tried: the best is optimal, or there is nothing."""
        if self.value is None:
            self.impossible = True
        else:
            self.bound = self.value


def _better(value: float, other: float, objective: Objective) -> bool:
    return value > other if objective is Objective.RATE else value < other


def solve_joint(
    instance: Instance,
    objective: Objective | str = Objective.JOB_SERVERS,
    *,
    engine: str | None = None,
    time_limit_s: float | None = None,
    start: Composition | None = None,
    greedy: bool = True,
    seed: int = 0,
    options: ExactOptions | None = None,
) -> Joint:
    """Solve the joint problem: placement and allocation together.

    Ctrl-C ends it with the best so far, as the time limit does.

    Parameters
    ----------
    objective
        Fewest job servers [eq. 5], largest total service rate, or smallest mean response time under JFFC.
    engine
        Instead of that of the options.
    time_limit_s
        Seconds; exceeded by about a tenth of a second. None for as long as it takes.
    start
        A composition to begin with.
    greedy
        Whether to begin with the best of the greedy rules too.
    seed
        Of random starts and of solvers.
    options
        Engine, solver, threads, log, and who is told of progress.

    Raises
    ------
    ChainoptError
        If there is no such engine, or it does not know the objective.
    """
    begin = time.monotonic()
    objective = Objective(objective)
    options = options or ExactOptions()
    engine = engine or options.engine
    if engine not in ENGINES:
        raise ChainoptError(f"no engine {engine!r}; known are {', '.join(ENGINES)}")
    run, objectives = ENGINES[engine]
    if objective not in objectives:
        raise ChainoptError(f"the engine {engine} is for {' and '.join(objectives)}, not for {objective}")
    deadline = math.inf if time_limit_s is None else begin + time_limit_s
    state = State(instance, objective, deadline, options=options, seed=seed)
    closed_by, root_bound = None, None
    try:
        halfway = math.inf if time_limit_s is None else begin + time_limit_s / 2
        envelope = _root(state, halfway)
        root_bound = state.bound
        if envelope is not None:
            state.offer(start)
            if greedy:
                _greedy(state, seed)
        if state.closed:
            closed_by = "root"
        elif envelope is not None and time.monotonic() < state.deadline:
            run(state, envelope)
            closed_by = engine if state.closed else None
    except KeyboardInterrupt:
        pass
    return Joint(
        _status(state),
        state.best,
        state.value,
        state.value if state.closed else state.bound,
        root_bound,
        time.monotonic() - begin,
        closed_by,
        state.nodes,
        tuple(state.refused),
    )


def _status(state: State) -> Status:
    if state.value is not None:
        return Status.OPTIMAL if state.closed else Status.FEASIBLE
    if not state.impossible:
        return Status.UNKNOWN
    if state.objective is not Objective.RESPONSE_TIME:
        return Status.INFEASIBLE
    try:
        envelope_of(state.instance)
    except InfeasibleError:
        return Status.INFEASIBLE
    # without pins the relaxation has a chain only where there is one
    pinned = any(server.pin is not None for server in state.instance.servers)
    if pinned and _is_small(state.instance) and not composition_exists(state.instance):
        return Status.INFEASIBLE
    return Status.UNSTABLE


def _root(state: State, deadline: float = math.inf) -> Envelope | None:
    """Bound of the position-free relaxation; None where it proves that nothing can be found."""
    try:
        envelope = envelope_of(state.instance)
        value = bound_from(envelope, state.instance, state.objective, deadline)
        if state.objective is Objective.RESPONSE_TIME and not _is_small(state.instance):  # those are enumerated
            value = allocation_bound(envelope, float(state.instance.workload.arrival_rate), value, deadline)
        state.tighten(value)
    except (InfeasibleError, UnstableError):
        state.impossible = True
        return None
    return envelope


def _greedy(state: State, seed: int) -> None:
    """The best of the rules to start from, with GCA."""
    for name in STARTS:
        for i in range(_RANDOM_STARTS if name == "random" else 1):
            if state.closed or time.monotonic() > state.deadline:
                return
            choice = choose(
                state.instance,
                PLACEMENTS[name].rule(state.instance, PlacementOptions(seed=seed + i)),
                ALLOCATIONS["gca"].rule,
                state.objective,
                Criterion.EXACT,
                state.deadline,
            )
            if choice is not None and choice.accepted:
                state.offer(choice.composition)


def check(instance: Instance, composition: Composition, objective: Objective) -> None:
    """Recompute a composition from the instance, in whole numbers and fractions.

    Raises
    ------
    ValueError
        If a pin is not respected, a server has too few slots, or the rate that the objective asks for is missed.
    """
    placement = composition.placement
    for j, server in enumerate(instance.servers):
        hosted = (int(placement.start[j]), int(placement.stop[j]))
        if server.pin is not None and hosted != (server.pin.start, server.pin.stop):
            raise ValueError(f"server {j} hosts {hosted[0]} to {hosted[1]}, it is pinned elsewhere")
    left = instance.memory.slots(placement.sizes).tolist()
    for chain in composition.chains:
        for j, blocks in zip(chain.servers, chain.blocks, strict=True):
            left[j] -= chain.capacity * blocks
    for j, slots in enumerate(left):
        if slots < 0:
            raise ValueError(f"server {j} is {-slots} slots short")
    if objective is Objective.RATE:
        return
    arrival_rate = Fraction(instance.workload.arrival_rate)
    rate = exact_rate(instance, composition)
    tolerance = Fraction(RELATIVE_TOLERANCE)
    if objective is Objective.JOB_SERVERS:
        needed = arrival_rate / Fraction(instance.workload.target_load)
        if rate < needed * (1 - tolerance):
            raise ValueError(f"a total service rate of {float(rate)} for one of {float(needed)}")
    elif rate * (1 - tolerance) <= arrival_rate:
        raise ValueError(f"a total service rate of {float(rate)} for an arrival rate of {float(arrival_rate)}")


def exact_rate(instance: Instance, composition: Composition) -> Fraction:
    """Σ_k c_k / T_k, jobs per second."""
    ticks = [
        sum(
            int(instance.time.comm[j]) + int(instance.time.comp[j]) * n
            for j, n in zip(c.servers, c.blocks, strict=True)
        )
        for c in composition.chains
    ]
    a_second = 10**instance.time.places
    return sum(
        (Fraction(c.capacity * a_second, t) for c, t in zip(composition.chains, ticks, strict=True)), Fraction(0)
    )


def _is_small(instance: Instance) -> bool:
    """Whether enumeration takes the instance at all."""
    return len(instance.servers) <= MOST_SERVERS and instance.service.blocks <= MOST_BLOCKS


def _by_sizes(state: State, envelope: Envelope) -> None:
    """Branch and bound over numbers of blocks; for job servers K = bound, bound + 1, ... is excluded one by one."""
    if not _is_small(state.instance):
        return
    stepwise = state.objective is Objective.JOB_SERVERS and state.value is not None
    while not state.closed:
        target = state.value
        if stepwise and state.bound is not None:
            target = state.bound + 1
        search = SizeSearch(state.instance, state.objective, target, state.deadline)
        done = False
        try:
            done = search.run(first=stepwise)
        finally:  # Ctrl-C too
            state.nodes += search.nodes
            state.offer(search.composition)
            if not done and state.value is not None and search.bound is not None:
                state.tighten(max(search.bound, state.value) if state.objective is Objective.RATE else search.bound)
        if not done or state.refused:
            return
        if stepwise and search.composition is None:
            state.tighten(target)
        else:
            state.finish()


def _by_enumeration(state: State, envelope: Envelope) -> None:
    """Every placement and every allocation, from nothing."""
    if not _is_small(state.instance):
        return
    found = enumerate_compositions(state.instance, state.objective, state.deadline)
    state.nodes += found.nodes
    state.offer(found.composition)
    if found.status not in (Status.FEASIBLE, Status.UNKNOWN) and not state.refused:
        state.finish()


def _by_job_slots(state: State, envelope: Envelope) -> None:
    from chainopt.exact.joint_models import by_job_slots  # OR-Tools and pandas take half a second to load

    by_job_slots(state, envelope)


def _by_chain_columns(state: State, envelope: Envelope) -> None:
    from chainopt.exact.joint_models import by_chain_columns

    by_chain_columns(state, envelope)


ENGINES: dict[str, tuple[Callable[[State, Envelope], None], tuple[Objective, ...]]] = {
    "sizes": (_by_sizes, tuple(Objective)),
    "enumeration": (_by_enumeration, tuple(Objective)),
    "job-slots": (_by_job_slots, (Objective.JOB_SERVERS, Objective.RATE)),
    "chain-columns": (_by_chain_columns, (Objective.JOB_SERVERS, Objective.RATE)),
}
"""What closes gaps, and for which objectives."""
