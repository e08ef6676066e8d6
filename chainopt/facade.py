"""From an instance to a solution, in one call."""

from __future__ import annotations

import math
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from chainopt.allocation import ALLOCATIONS
from chainopt.answer import Answer
from chainopt.auto import attempt, prepare
from chainopt.diagnosis import infeasibility, shortfall
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.model.solution import Objective, Solution, Status
from chainopt.placement import PLACEMENTS
from chainopt.plug_in import is_plug_in, load, names, unproven
from chainopt.protocols import Method, PlacementOptions
from chainopt.quantity import at_least
from chainopt.replanning import moved_blocks, reference_of
from chainopt.tuning import Criterion, choose
from chainopt.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.auto import Attempt, Watch
    from chainopt.exact.options import ExactOptions
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import AllocationRule, Candidate, PlacementRule, Stop

EXACT = "exact"
"""The method that proves its answers; `time_limit_s` makes it stop with the best so far and a bound."""

AUTO = "auto"
"""The default method."""

PIPELINE = "gbp-cr+gca"
"""The paper's algorithms."""

ALIASES = {"paper": PIPELINE, "jffc-only": "whole-model+gca"}
"""Short names of methods."""


class DispatchPolicy(StrEnum):
    """How jobs are dispatched (PROBLEM, section 6)."""

    JFFC = "jffc"
    """To the fastest chain with a free job server."""
    THRESHOLDS = "thresholds"
    """The same, but slow chains start a job only when enough of them wait."""


def compose(
    instance: Instance,
    method: str = AUTO,
    objective: Objective | str = Objective.RESPONSE_TIME,
    *,
    criterion: Criterion | str | None = None,
    cache_reservation: int | None = None,
    stop: Stop | None = None,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    workers: int = 1,
    seed: int = 0,
    bound: bool = False,
    policy: DispatchPolicy | str = DispatchPolicy.JFFC,
    previous: Solution | None = None,
    max_moved_blocks: int | None = None,
    watch: Watch | None = None,
    exact: ExactOptions | None = None,
) -> Solution:
    """Find a composition: blocks on servers, chains through them, capacities of chains.

    Parameters
    ----------
    method
        ``auto``: greedy rules, a proven bound, and search until the time is up. ``exact``: until the answer is proven.
        Else a placement rule and an allocation rule, joined by ``+``, or an alias; `methods` lists them. Or a function
        of your own, ``path/to/file.py:function`` or an entry point, see `plug_in`.
    objective
        What to optimise.
    criterion, cache_reservation, stop
        Of the paper's algorithms, which ``auto`` stands for if one of them is given: by what compositions are compared
        when the objective is the response time, exactly if None; c of the placement rule, None tries every c that makes
        a difference; ``"rate"`` or ``"never"``, see `placement.gbp_cr`, None tries both.
    time_limit_s
        Seconds. ``auto`` takes `auto.TIME_LIMIT_S` if it is given neither these nor iterations, other methods all the
        time they need.
    iterations
        Of the search of ``auto``; without a time limit, the answer then depends on the seed alone.
    workers
        Processes that search in parallel.
    seed
        Of random rules and of the search.
    bound
        Whether to prove a bound too, for which `time_limit_s` counts anew; ``auto`` and ``exact`` do so by themselves.
    policy
        ``"thresholds"`` adds thresholds to the parameters of the solution if they are shown to be better than JFFC;
        the evaluation stays that of JFFC.
    previous, max_moved_blocks
        Solution of this service that is in place, on the same or other servers; at most so many blocks are loaded by
        servers that did not host them. Only with ``auto``.
    watch
        Called by ``auto`` with the best value and the bound, None where there is none, whenever one of them improves.
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
    objective, policy = Objective(objective), DispatchPolicy(policy)
    name = ALIASES.get(method, method)
    if name == AUTO and (criterion, cache_reservation, stop) != (None, None, None):
        name = PIPELINE
    if previous is not None and name != AUTO:
        raise ValueError(f"only the method {AUTO!r} starts from a previous solution")
    if max_moved_blocks is not None and (previous is None or max_moved_blocks < 0):
        raise ValueError("expected a previous solution, and at least 0 blocks that may be moved")
    if name == EXACT:
        solution = _exact(instance, objective, time_limit_s, seed, exact)
    elif is_plug_in(name):
        if (criterion, cache_reservation, stop) != (None, None, None):
            raise ValueError(f"the method {name!r} takes no criterion, no cache reservation and no stop")
        solution = _own(instance, name, objective, time_limit_s, seed, bound=bound)
    elif name == AUTO:
        reference = None if previous is None else reference_of(instance, previous)
        if iterations is None or time_limit_s is not None:
            prepare(instance, objective, reference)
        asked = {"max_moved_blocks": max_moved_blocks, "workers": workers if workers > 1 else None}
        answer = Answer(instance, AUTO, objective, seed, asked)
        if reason := infeasibility(instance):
            raise InfeasibleError(f"no composition exists: {reason}", answer.solution(Status.INFEASIBLE))
        known = attempt(
            instance,
            objective,
            time_limit_s=time_limit_s,
            iterations=iterations,
            seed=seed,
            workers=workers,
            reference=reference,
            max_moved_blocks=max_moved_blocks,
            watch=watch,
        )
        solution = _auto(instance, objective, answer, known, reference)
    else:
        options = PlacementOptions(cache_reservation, stop, criterion == Criterion.SURROGATE, seed)
        compared = Criterion(criterion or Criterion.EXACT)
        solution = _pipeline(instance, name, objective, compared, options, time_limit_s, bound=bound)
    return _with_policy(instance, solution, policy)


def _pipeline(
    instance: Instance,
    name: str,
    objective: Objective,
    criterion: Criterion,
    options: PlacementOptions,
    time_limit_s: float | None,
    *,
    bound: bool,
) -> Solution:
    """A placement rule, an allocation rule, and the best of what they give."""
    place, allocate = rules(name)
    deadline = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
    compared = criterion.value if objective is Objective.RESPONSE_TIME else None
    answer = Answer(instance, name, objective, options.seed, {"criterion": compared})
    if reason := infeasibility(instance):
        raise InfeasibleError(f"no composition exists: {reason}", answer.solution(Status.INFEASIBLE))
    choice = choose(instance, place(instance, options), allocate, objective, criterion, deadline)
    if choice is None:
        c = options.cache_reservation
        reason = (
            f"none for c = {c}: {shortfall(instance, c)}"
            if c and shortfall(instance, c)
            else f"{name} finds no chain, although a composition may exist"
        )
        raise InfeasibleError(reason, answer.solution(Status.UNKNOWN))
    candidate, composition = choice.candidate, choice.composition
    parameters: dict[str, Any] = {"cache_reservation": candidate.cache_reservation, "stop": candidate.stop}
    _check_stable(instance, objective, composition, answer, parameters)
    status = Status.FEASIBLE if choice.accepted else Status.UNKNOWN
    proven = _prove(instance, objective, time_limit_s, answer) if bound else None
    return answer.solution(status, composition, proven, **parameters)


def _auto(
    instance: Instance, objective: Objective, answer: Answer, known: Attempt, reference: Placement | None
) -> Solution:
    """What the default method found, as a solution."""
    composition = known.best
    parameters: dict[str, Any] = {"closed_by": known.closed_by, "iterations": known.iterations or None}
    if reference is not None and composition is not None:
        parameters["moved_blocks"] = moved_blocks(composition.placement, reference)
    if known.impossible is Status.INFEASIBLE:
        solution = answer.solution(Status.INFEASIBLE, composition, **parameters)
        raise InfeasibleError(_why_infeasible(instance, objective), solution)
    parameters["lost_workers"] = known.lost_workers or None
    if known.impossible is Status.UNSTABLE and objective is not Objective.RATE:
        rate = instance.workload.arrival_rate
        raise UnstableError(
            f"no stable composition exists for an arrival rate of {rate} jobs/s",
            answer.solution(Status.UNSTABLE, composition, **parameters),
        )
    if composition is None:
        reason = "no composition was found, although one may exist"
        raise InfeasibleError(reason, answer.solution(Status.UNKNOWN))
    _check_stable(instance, objective, composition, answer, parameters)
    status = Status.FEASIBLE if known.key[0] == 0 else Status.UNKNOWN
    if known.closed_by is not None:
        status = Status.OPTIMAL
    return answer.solution(status, composition, known.bound, **parameters)


def _check_stable(
    instance: Instance, objective: Objective, composition: Composition, answer: Answer, parameters: dict[str, Any]
) -> None:
    arrival_rate = float(instance.workload.arrival_rate)
    if at_least(arrival_rate, composition.total_service_rate) and objective is not Objective.RATE:
        raise UnstableError(
            f"no stable composition found: the arrival rate is {arrival_rate:g} jobs/s, "
            f"the largest total service rate found {composition.total_service_rate:g} jobs/s",
            answer.solution(Status.UNSTABLE, composition, **parameters),
        )


def _with_policy(instance: Instance, solution: Solution, policy: DispatchPolicy) -> Solution:
    """The solution with the thresholds that pay, if they are asked for and some do."""
    stable = solution.evaluation is not None and solution.evaluation.mean_response_time_s is not None
    if policy is DispatchPolicy.JFFC or not stable:
        return solution
    from chainopt.dispatch.choice import choose_dispatch

    composition, arrival_rate = solution.composition, float(instance.workload.arrival_rate)
    choice = choose_dispatch(composition.service_rates, composition.capacities, arrival_rate, seed=solution.seed or 0)
    if choice.thresholds is None:
        return solution
    found = {"thresholds": choice.thresholds.tolist(), "thresholds_mean_response_time_s": choice.mean.mean}
    return solution.replace(parameters={**solution.parameters, **found})


def _prove(instance: Instance, objective: Objective, time_limit_s: float | None, answer: Answer) -> float:
    """The bound; if it proves that no composition does what is asked, that is the answer."""
    from chainopt.exact import bound as prove  # solvers are loaded by those who need them

    try:
        return prove(instance, objective, time_limit_s)
    except InfeasibleError as error:
        raise InfeasibleError(str(error), answer.solution(Status.INFEASIBLE)) from None


def _own(
    instance: Instance, name: str, objective: Objective, time_limit_s: float | None, seed: int, *, bound: bool
) -> Solution:
    """What a user's method answers, if it is what it claims to be."""
    solution = load(name).solve(instance, objective, seed=seed, time_limit_s=time_limit_s)
    violations = verify(instance, solution)
    if violations:
        raise ChainoptError(f"{name}: its answer for {instance.name!r} is wrong: {violations[0]}")
    solution = unproven(solution)
    if bound and solution.composition.job_servers:
        answer = Answer(instance, solution.method, objective, seed, dict(solution.parameters))
        proven = _prove(instance, objective, time_limit_s, answer)
        return answer.solution(solution.status, solution.composition, proven).replace(runtime_s=solution.runtime_s)
    return solution


def _exact(
    instance: Instance, objective: Objective, time_limit_s: float | None, seed: int, options: ExactOptions | None
) -> Solution:
    """The joint problem, solved exactly as far as the time limit allows."""
    from chainopt.exact.joint import solve_joint

    answer = Answer(instance, EXACT, objective, seed, {})
    found = solve_joint(instance, objective, time_limit_s=time_limit_s, seed=seed, options=options)
    solution = answer.solution(found.status, found.composition, found.bound, closed_by=found.closed_by)
    if found.status is Status.INFEASIBLE:
        raise InfeasibleError(_why_infeasible(instance, objective), solution)
    if found.status is Status.UNSTABLE:
        rate = instance.workload.arrival_rate
        raise UnstableError(f"no stable composition exists for an arrival rate of {rate} jobs/s", solution)
    return solution


def _why_infeasible(instance: Instance, objective: Objective) -> str:
    obstacle = "pins are in the way"
    if objective is Objective.JOB_SERVERS:
        obstacle = f"none serves {instance.design_rate:g} jobs/s"
    return f"no composition exists: {infeasibility(instance) or obstacle}"


def rules(method: str) -> tuple[PlacementRule, AllocationRule]:
    """Placement rule and allocation rule of a method.

    Raises
    ------
    ChainoptError
        If there is no such method.
    """
    placement, _, allocation = ALIASES.get(method, method).partition("+")
    placements = PLACEMENTS | SOLVED_PLACEMENTS
    if placement not in placements or allocation not in ALLOCATIONS:
        solved = [f"{name}+gca" for name in SOLVED_PLACEMENTS]
        raise ChainoptError(f"no method {method!r}; known are {', '.join([*methods(), *solved])}")
    return placements[placement].rule, ALLOCATIONS[allocation].rule


def _helix(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    from chainopt.exact.helix import helix_candidates  # solvers are loaded by those who need them

    yield from helix_candidates(instance, options)


SOLVED_PLACEMENTS: dict[str, Method[PlacementRule]] = {
    "helix": Method(
        _helix,
        "the largest flow through servers, by Helix' program as far as it comes in 10 s, else by its heuristics",
        "Mei et al., Helix, ASPLOS 2025, section 4; docs/formulations/helix.md",
    ),
}
"""Placement rules that run a solver, and so take their time; they are methods like the others."""


def methods() -> list[str]:
    """Names of all methods but those of `SOLVED_PLACEMENTS`, of installed packages too."""
    return [*built_in(), *names()]


def built_in() -> list[str]:
    """Names of chainopt's own methods, whose bounds and proofs are believed."""
    return [
        AUTO,
        EXACT,
        *ALIASES,
        *(f"{placement}+{allocation}" for placement in PLACEMENTS for allocation in ALLOCATIONS),
    ]
