"""From an instance to a solution, in one call."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from chainopt.allocation import ALLOCATIONS
from chainopt.answer import Answer
from chainopt.diagnosis import infeasibility, shortfall
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.model.solution import Objective, Solution, Status
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from chainopt.quantity import at_least
from chainopt.tuning import Criterion, choose

if TYPE_CHECKING:
    from chainopt.exact.options import ExactOptions
    from chainopt.model.instance import Instance
    from chainopt.protocols import AllocationRule, PlacementRule, Stop

EXACT = "exact"
"""The method that proves its answers; `time_limit_s` makes it stop with the best so far and a bound."""

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
    bound: bool = False,
    exact: ExactOptions | None = None,
) -> Solution:
    """Find a composition: blocks on servers, chains through them, capacities of chains.

    Parameters
    ----------
    method
        Name of a placement rule and of an allocation rule, joined by ``+``, or an alias; or ``exact``. `methods` lists
        them.
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
    bound
        Whether to prove a bound too, for which `time_limit_s` counts anew; the method ``exact`` always does.
    exact
        How the method ``exact`` runs.

    Returns
    -------
    Solution
        Status ``feasible``, or ``optimal`` where the bound proves it; ``unknown`` where the objective is job servers
        and no composition was found whose total service rate reaches λ/ρ̄, with the largest that was found.

    Raises
    ------
    InfeasibleError
        If no composition was found at all; the message says what is missing.
    UnstableError
        If no composition was found that carries the arrival rate.
    """
    objective, criterion = Objective(objective), Criterion(criterion)
    if method == EXACT:
        return _exact(instance, objective, time_limit_s, seed, exact)
    name = ALIASES.get(method, method)
    place, allocate = rules(name)
    options = PlacementOptions(cache_reservation, stop, criterion is Criterion.SURROGATE, seed)
    deadline = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
    compared = criterion.value if objective is Objective.RESPONSE_TIME else None
    answer = Answer(instance, name, objective, seed, {"criterion": compared})
    if reason := infeasibility(instance):
        raise InfeasibleError(f"no composition exists: {reason}", answer.solution(Status.INFEASIBLE))
    choice = choose(instance, place(instance, options), allocate, objective, criterion, deadline)
    if choice is None:
        reason = (
            f"none for c = {cache_reservation}: {shortfall(instance, cache_reservation)}"
            if (cache_reservation and shortfall(instance, cache_reservation))
            else f"{name} finds no chain, although a composition may exist"
        )
        raise InfeasibleError(reason, answer.solution(Status.UNKNOWN))
    candidate, composition = choice.candidate, choice.composition
    parameters: dict[str, Any] = {"cache_reservation": candidate.cache_reservation, "stop": candidate.stop}
    arrival_rate = float(instance.workload.arrival_rate)
    if at_least(arrival_rate, composition.total_service_rate) and objective is not Objective.RATE:
        raise UnstableError(
            f"no stable composition found: the arrival rate is {arrival_rate:g} jobs/s, "
            f"the largest total service rate found {composition.total_service_rate:g} jobs/s",
            answer.solution(Status.UNSTABLE, composition, **parameters),
        )
    status = Status.FEASIBLE if choice.accepted else Status.UNKNOWN
    proven = _prove(instance, objective, time_limit_s, answer) if bound else None
    return answer.solution(status, composition, proven, **parameters)


def _prove(instance: Instance, objective: Objective, time_limit_s: float | None, answer: Answer) -> float:
    """The bound; if it proves that no composition does what is asked, that is the answer."""
    from chainopt.exact import bound as prove  # solvers are loaded by those who need them

    try:
        return prove(instance, objective, time_limit_s)
    except InfeasibleError as error:
        raise InfeasibleError(str(error), answer.solution(Status.INFEASIBLE)) from None


def _exact(
    instance: Instance, objective: Objective, time_limit_s: float | None, seed: int, options: ExactOptions | None
) -> Solution:
    """The joint problem, solved exactly as far as the time limit allows."""
    from chainopt.exact.joint import solve_joint

    answer = Answer(instance, EXACT, objective, seed, {})
    found = solve_joint(instance, objective, time_limit_s=time_limit_s, seed=seed, options=options)
    solution = answer.solution(found.status, found.composition, found.bound, closed_by=found.closed_by)
    if found.status is Status.INFEASIBLE:
        obstacle = "pins are in the way"
        if objective is Objective.JOB_SERVERS:
            obstacle = f"none serves {instance.design_rate:g} jobs/s"
        raise InfeasibleError(f"no composition exists: {infeasibility(instance) or obstacle}", solution)
    if found.status is Status.UNSTABLE:
        rate = instance.workload.arrival_rate
        raise UnstableError(f"no stable composition exists for an arrival rate of {rate} jobs/s", solution)
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
    """Names of all methods."""
    return [EXACT, *ALIASES, *(f"{placement}+{allocation}" for placement in PLACEMENTS for allocation in ALLOCATIONS)]
