"""From an instance to a solution, in one call."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NoReturn

from chainopt.allocation import ALLOCATIONS
from chainopt.diagnosis import shortfall
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.files.instance import digest
from chainopt.model.solution import InstanceReference, Objective, Solution, Status, as_records
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from chainopt.quantity import at_least
from chainopt.queueing import evaluate
from chainopt.tuning import Choice, Criterion, choose
from chainopt.version import __version__

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.solution import HostedRange, SolutionChain
    from chainopt.protocols import AllocationRule, PlacementRule, Stop

ALIASES = {"auto": "gbp-cr+gca", "jffc-only": "whole-model+gca"}
"""Short names of methods."""


def compose(
    instance: Instance,
    method: str = "auto",
    objective: Objective | str = Objective.RESPONSE_TIME,
    *,
    criterion: Criterion | str = Criterion.EXACT,
    cache_reservation: int | None = None,
    stop: Stop | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> Solution:
    """Find a composition: blocks on servers, chains through them, capacities of chains.

    Parameters
    ----------
    method
        Name of a placement rule and of an allocation rule, joined by ``+``, or an alias; `methods` lists them.
    objective
        What to optimise.
    criterion
        By what compositions are compared when the objective is the response time.
    cache_reservation
        c of the placement rule; None tries every c that makes a difference.
    stop
        ``"rate"`` or ``"never"``, see `placement.gbp_cr`; None tries both.
    time_limit_s
        Seconds after which no further candidate is tried; None tries all of them.
    seed
        Of random rules.

    Returns
    -------
    Solution
        Status ``feasible``; ``unknown`` where the objective is job servers and no composition was found whose total
        service rate reaches λ/ρ̄, with the largest that was found.

    Raises
    ------
    InfeasibleError
        If no composition was found at all; the message says what is missing.
    UnstableError
        If no composition was found that carries the arrival rate.
    """
    started = time.monotonic()
    name = ALIASES.get(method, method)
    place, allocate = rules(name)
    objective, criterion = Objective(objective), Criterion(criterion)
    options = PlacementOptions(cache_reservation, stop, criterion is Criterion.SURROGATE, seed)
    deadline = math.inf if time_limit_s is None else started + time_limit_s
    choice = choose(instance, place(instance, options), allocate, objective, criterion, deadline)
    solution = _solution(instance, name, objective, criterion, seed, choice, started)
    if choice is None:
        _raise_infeasible(instance, name, cache_reservation, solution)
    if solution.status is Status.UNSTABLE:
        total = choice.composition.total_service_rate
        raise UnstableError(
            f"no stable composition found: the arrival rate is {instance.workload.arrival_rate} jobs/s, "
            f"the largest total service rate found {total:g} jobs/s",
            solution,
        )
    return solution


def rules(method: str) -> tuple[PlacementRule, AllocationRule]:
    """Placement rule and allocation rule of a method.

    Raises
    ------
    ChainoptError
        If there is no such method.
    """
    placement, _, allocation = ALIASES.get(method, method).partition("+")
    if placement not in PLACEMENTS or allocation not in ALLOCATIONS:
        raise ChainoptError(f"no method {method!r}; known are {', '.join(methods())}")
    return PLACEMENTS[placement].rule, ALLOCATIONS[allocation].rule


def methods() -> list[str]:
    """Names of all methods, aliases first."""
    return [*ALIASES, *(f"{placement}+{allocation}" for placement in PLACEMENTS for allocation in ALLOCATIONS)]


def _solution(
    instance: Instance,
    method: str,
    objective: Objective,
    criterion: Criterion,
    seed: int,
    choice: Choice | None,
    started: float,
) -> Solution:
    arrival_rate = float(instance.workload.arrival_rate)
    parameters: dict[str, object] = {}
    if objective is Objective.RESPONSE_TIME:
        parameters["criterion"] = criterion.value
    placement: tuple[HostedRange, ...] = ()
    chains: tuple[SolutionChain, ...] = ()
    evaluation = None
    status = Status.INFEASIBLE if shortfall(instance) else Status.UNKNOWN
    if choice is not None:
        candidate = choice.candidate
        placement, chains = as_records(instance, choice.composition)
        evaluation = evaluate(choice.composition, arrival_rate)
        parameters |= {"cache_reservation": candidate.cache_reservation, "stop": candidate.stop}
        if choice.accepted:
            status = Status.FEASIBLE
        elif at_least(arrival_rate, evaluation.total_service_rate):
            status = Status.UNSTABLE
        if objective is Objective.RESPONSE_TIME and evaluation.mean_response_time_s is None:
            status = Status.UNSTABLE
    return Solution(
        instance=InstanceReference(name=instance.name, sha256=digest(instance)),
        method=method,
        parameters={key: value for key, value in parameters.items() if value is not None},
        seed=seed,
        version=__version__,
        objective=objective,
        status=status,
        placement=placement,
        chains=chains,
        evaluation=evaluation,
        runtime_s=time.monotonic() - started,
    ).bind(instance)


def _raise_infeasible(instance: Instance, method: str, cache_reservation: int | None, solution: Solution) -> NoReturn:
    missing = shortfall(instance, cache_reservation or 1)
    if missing is None:
        raise InfeasibleError(f"{method} finds no chain, although a composition may exist", solution)
    proven = "no composition exists" if solution.status is Status.INFEASIBLE else f"none for c = {cache_reservation}"
    raise InfeasibleError(f"{proven}: {missing}", solution)
