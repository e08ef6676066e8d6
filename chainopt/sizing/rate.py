"""The largest arrival rate at which servers meet a target."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING

import numpy as np

from chainopt.answer import Answer
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact.bounds import envelope_of
from chainopt.exact.response_bound import response_bound
from chainopt.facade import compose
from chainopt.model.solution import Objective, Status
from chainopt.quantity import plain

if TYPE_CHECKING:
    from chainopt.exact.envelope import Envelope
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.sizing.target import Target

TIME_LIMIT_S = 20.0
_TRIES = 10
_BOUND_SHARE = 0.2
_CLOSE = 1e-3
_DIGITS = 9
_LEAST = 1e-8
"""Jobs per second; instances know none below a tenth of it."""
_ITERATIONS = 1_000_000
_SCAN = 1 - np.concatenate((np.geomspace(1e-6, 0.05, 25), np.linspace(0.06, 0.999, 50)))
"""Loads at which a composition is looked at, in descending order."""


@dataclass(frozen=True, eq=False)
class LargestRate:
    """The largest arrival rate that was found.

    Attributes
    ----------
    instance
        The instance, with this arrival rate.
    solution
        The composition that meets the target there; `bound` is on its mean response time. None where nothing was found.
    value_s
        Its mean or quantile, seconds.
    bound
        Proven, for every placement, allocation and dispatch policy that finishes all jobs: no larger rate meets the
        target; jobs per second. Where the target is a quantile, it is a bound on the total service rate.
    """

    instance: Instance
    solution: Solution | None
    value_s: float | None
    bound: float


def largest_rate(
    instance: Instance,
    target: Target,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
) -> LargestRate:
    """Search for the largest arrival rate at which some composition meets a target; the instance's own does not count.

    Mean response times need not grow with the arrival rate under JFFC; the rate that is found is the largest at which
    the composition meets the target. Whoever wants fewer jobs can fill up with dummies, so the bound holds for all
    larger rates.

    Parameters
    ----------
    time_limit_s
        Seconds; `TIME_LIMIT_S` if neither this nor iterations are given.
    iterations
        Of each search, instead of a time: the seed alone decides what is found.

    Raises
    ------
    InfeasibleError
        If no composition exists.
    """
    if time_limit_s is None and iterations is None:
        time_limit_s = TIME_LIMIT_S
    begin = time.monotonic()
    deadline = math.inf if time_limit_s is None else begin + time_limit_s
    answer = Answer(instance, "size", Objective.RESPONSE_TIME, seed, {})
    envelope = envelope_of(instance)
    limit = math.inf if time_limit_s is None else begin + _BOUND_SHARE * time_limit_s
    bound = _bound(envelope, target, limit)
    if bound == 0.0:
        return LargestRate(instance, None, None, 0.0)
    found, rate = _climb(instance, target, bound, deadline, {"iterations": iterations, "seed": seed}, time_limit_s)
    if found is None or rate < _LEAST:
        return LargestRate(instance, None, None, bound)
    exact_rate = _rounded_down(rate)
    sized = instance.replace(workload=instance.workload.replace(arrival_rate=exact_rate))
    answer = Answer(sized, "size", Objective.RESPONSE_TIME, seed, {"response_time_s": target.response_time_s})
    proven = response_bound(envelope, float(exact_rate), time.monotonic())  # from the lines that are there
    solution = answer.solution(Status.FEASIBLE, found, proven, probability=target.probability)
    return LargestRate(sized, solution, target.value_s(found, float(exact_rate)), max(bound, float(exact_rate)))


def highest_rate(composition: Composition, target: Target) -> float:
    """The largest arrival rate at which a composition meets a target under JFFC; 0 if there is none."""
    most = composition.total_service_rate
    above = most
    for rate in (_SCAN * most).tolist():
        if target.met(target.value_s(composition, rate)):
            return _crossing(composition, target, rate, above)
        above = rate
    return 0.0


def _crossing(composition: Composition, target: Target, met: float, missed: float) -> float:
    """By bisection, the rate at which the target is just met."""
    while missed - met > 1e-9 * missed:
        middle = (met + missed) / 2
        if target.met(target.value_s(composition, middle)):
            met = middle
        else:
            missed = middle
    return met


def _bound(envelope: Envelope, target: Target, deadline: float) -> float:
    """Proven: no arrival rate above it meets the target."""
    if target.least_s(envelope.fastest_s) > target.response_time_s:
        return 0.0
    if target.probability is not None:
        envelope.solve(envelope.most_jobs, deadline)
        return envelope.most
    possible, impossible = 0.0, envelope.most
    while impossible - possible > _CLOSE * impossible / 4:  # cheap once the time is up
        rate = (possible + impossible) / 2
        if response_bound(envelope, rate, deadline) > target.response_time_s:
            impossible = rate
        else:
            possible = rate
    return impossible


def _climb(
    instance: Instance,
    target: Target,
    bound: float,
    deadline: float,
    options: dict[str, int | None],
    time_limit_s: float | None,
) -> tuple[Composition | None, float]:
    """Compose at rates between the best so far and what seems too much, and let each composition take all it can."""
    best: Composition | None = None
    rate, too_much = 0.0, bound
    for attempt in range(_TRIES):
        share = 0.5 if attempt else 0.9
        tried = rate + share * (too_much - rate)
        if time.monotonic() > deadline or too_much - rate <= _CLOSE * too_much or tried < _LEAST:
            break
        limit = None if time_limit_s is None else (deadline - time.monotonic()) / max(1, (_TRIES - attempt) / 2)
        composition = _composed(instance, tried, limit, options)
        reached = 0.0 if composition is None else highest_rate(composition, target)
        if reached > rate:
            best, rate = composition, reached
        if reached < tried:
            too_much = tried
    return best, rate


def _composed(
    instance: Instance, rate: float, time_limit_s: float | None, options: dict[str, int | None]
) -> Composition | None:
    """The best composition at an arrival rate; where none carries it, the one with the largest total service rate."""
    changed = instance.replace(workload=instance.workload.replace(arrival_rate=_rounded_down(rate)))
    try:
        return compose(changed, time_limit_s=time_limit_s, **options).composition  # type: ignore[arg-type]
    except UnstableError as error:
        return error.solution.composition if error.solution is not None and error.solution.chains else None
    except InfeasibleError as error:
        if error.solution is None or error.solution.status is Status.INFEASIBLE:
            raise
        return None


def _rounded_down(rate: float) -> Decimal:
    """The rate in few digits, not above it."""
    return plain(Context(prec=_DIGITS, rounding=ROUND_FLOOR).create_decimal_from_float(rate))
