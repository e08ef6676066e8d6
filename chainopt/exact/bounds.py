"""Proven bounds on every objective, for every placement and allocation (and every dispatch policy)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.diagnosis import infeasibility
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact.allocation_bound import allocation_bound
from chainopt.exact.envelope import GAP, Envelope
from chainopt.exact.parts import parts_of
from chainopt.exact.response_bound import response_bound
from chainopt.model.solution import Objective
from chainopt.quantity import RELATIVE_TOLERANCE, at_least

if TYPE_CHECKING:
    from chainopt.model.instance import Instance

_INTEGRAL = 1e-6
"""A number of job servers that is so little above a whole number is rounded down to it."""
_STANDSTILL = 1e-6
_ENVELOPE_SHARE = 0.3
"""Of the time for a bound on the mean response time: V is only where it begins."""


def bound(
    instance: Instance,
    objective: Objective | str = Objective.RESPONSE_TIME,
    time_limit_s: float | None = None,
    *,
    hull: bool = False,
) -> float:
    """Proven bound on an objective: no composition does better, whatever the placement and the allocation.

    Parameters
    ----------
    objective
        ``response-time``: lower bound on the mean response time of any composition under any dispatch policy, for
        Poisson arrivals and exponential sizes, seconds. ``job-servers``: lower bound on the number of job servers that
        serve λ/ρ̄ [eq. 5]. ``rate``: upper bound on the total service rate, jobs per second.
    time_limit_s
        Seconds after which the bound so far is returned; None refines until there is little to gain.
    hull
        Whether to use that numbers of jobs are whole: up to 1 % tighter, and much slower.

    Raises
    ------
    InfeasibleError
        If it is proven that no composition exists, or none with the rate that job servers are asked for.
    UnstableError
        If it is proven that no composition carries the arrival rate.
    """
    begin = time.monotonic()
    limit = math.inf if time_limit_s is None else time_limit_s
    objective = Objective(objective)
    if objective is not Objective.RESPONSE_TIME:
        return bound_from(envelope_of(instance, hull=hull), instance, objective, begin + limit)
    envelope = envelope_of(instance)
    value = bound_from(envelope, instance, objective, begin + _ENVELOPE_SHARE * limit)
    return allocation_bound(envelope, float(instance.workload.arrival_rate), value, begin + limit, hull=hull)


def envelope_of(instance: Instance, *, hull: bool = False) -> Envelope:
    """Envelope of an instance, not refined yet.

    Raises
    ------
    InfeasibleError
        If it is proven that no composition exists.
    """
    reason = infeasibility(instance)
    envelope = Envelope(parts_of(instance), hull=hull)
    if reason or not envelope.exists:
        reason = reason or "the servers without pins cannot make up for what those with pins lack"
        raise InfeasibleError(f"no composition exists: {reason}")
    return envelope


def bound_from(envelope: Envelope, instance: Instance, objective: Objective, deadline: float = math.inf) -> float:
    """Like :func:`bound`, from an envelope that is kept and refined; the mean response time by that alone."""
    if objective is Objective.RATE:
        envelope.solve(envelope.most_jobs, deadline)
        return envelope.most
    if objective is Objective.JOB_SERVERS:
        return float(math.ceil(least_jobs(envelope, instance.design_rate, deadline) - _INTEGRAL))
    arrival_rate = float(instance.workload.arrival_rate)
    value = response_bound(envelope, arrival_rate, deadline)
    if math.isinf(value):
        raise UnstableError(
            f"no stable composition exists: the arrival rate is {arrival_rate:g} jobs/s, "
            f"no composition serves more than {envelope.most:g} jobs/s"
        )
    return value


def least_jobs(envelope: Envelope, rate: float, deadline: float = math.inf, gap: float = GAP) -> float:
    """Least n at which the lines above V reach a rate, after refining them there [Newton's method].

    Raises
    ------
    InfeasibleError
        If no number of jobs has this rate.
    """
    solved = 0.0
    while True:
        if not at_least(envelope.most, rate):
            raise InfeasibleError(
                f"no composition serves {rate:g} jobs/s: the total service rate is at most {envelope.most:g} jobs/s"
            )
        slopes, intercepts = np.array(envelope.lines).T
        rising = slopes > 0
        jobs = float(np.max((rate * (1 - RELATIVE_TOLERANCE) - intercepts[rising]) / slopes[rising]))
        if jobs <= solved * (1 + _STANDSTILL) or time.monotonic() > deadline:
            return jobs
        solved = jobs
        envelope.solve(jobs, deadline, gap)
