"""Proven bounds on every objective, for every placement and allocation, under JFFC or under any dispatch policy."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.diagnosis import infeasibility
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact.alike import alike
from chainopt.exact.allocation_bound import allocation_bound
from chainopt.exact.alone import most_alone
from chainopt.exact.by_job_servers import (
    jffc_response_by_job_servers,
    least_job_servers,
    most_job_servers,
    rate_by_job_servers,
    response_by_job_servers,
)
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
_SHARE, _SHARE_WITHOUT_PROFILES, _SHARE_FOR_ANY_POLICY = 0.1, 0.6, 0.4
"""Of the time for a bound on the mean response time, before numbers of job servers are looked at."""
_FIRST_S, _LONGEST_S = 1.0, 10.0
"""At least so much of it; and at most, where profiles are looked at for JFFC."""
_FINE, _COARSE = 24, 12
"""So many servers that differ are told apart, for one allocation to begin with, and where they have profiles."""


def bound(
    instance: Instance,
    objective: Objective | str = Objective.RESPONSE_TIME,
    time_limit_s: float | None = None,
    *,
    hull: bool = False,
    any_policy: bool = False,
) -> float:
    """Proven bound on an objective: no composition does better, whatever the placement and the allocation.

    Parameters
    ----------
    objective
        ``response-time``: lower bound on the mean response time of any composition under JFFC, for Poisson arrivals
        and exponential sizes, seconds. ``job-servers``: lower bound on the number of job servers that
        serve λ/ρ̄ [eq. 5]. ``rate``: upper bound on the total service rate, jobs per second.
    time_limit_s
        Seconds after which the bound so far is returned; None refines until there is little to gain.
    hull
        Whether to use that numbers of jobs are whole: up to 1 % tighter, and much slower.
    any_policy
        Whether the bound on the mean response time has to hold for every dispatch policy, even one that moves jobs
        from chain to chain; that takes longer, and proves less.

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
    if objective is Objective.RESPONSE_TIME:
        return _response_bound(instance, begin, limit, hull=hull, any_policy=any_policy)
    envelope = envelope_of(instance, hull=hull)
    share = 0.5 if most_job_servers(envelope) else 1.0
    value = bound_from(envelope, instance, objective, begin + share * limit)
    coarse = envelope_of(instance, entries=_COARSE)
    if objective is Objective.RATE:
        return min(value, most_alone(envelope.parts), rate_by_job_servers(coarse, begin + limit))
    rate = instance.design_rate * (1 - RELATIVE_TOLERANCE)
    count = least_job_servers(coarse, rate, int(value), begin + limit)
    if count > envelope.most_jobs:
        raise InfeasibleError(f"no composition serves {instance.design_rate:g} jobs/s, however many job servers it has")
    return float(count)


def _response_bound(instance: Instance, begin: float, limit: float, *, hull: bool, any_policy: bool) -> float:
    arrival_rate, end = float(instance.workload.arrival_rate), begin + limit
    coarse = envelope_of(instance, entries=_COARSE)
    with_profiles = most_job_servers(coarse) > 0
    if any_policy:
        share = _SHARE_FOR_ANY_POLICY if with_profiles else 1.0
    else:
        share = _SHARE if with_profiles else _SHARE_WITHOUT_PROFILES
    first = max(share * limit, min(limit, _FIRST_S))
    if with_profiles and not any_policy:
        first = min(first, _LONGEST_S)
    value = _for_any_policy(instance, begin + first, hull=hull)
    if time.monotonic() < end and (with_profiles or not any_policy):
        response_bound(coarse, arrival_rate, end)
        if any_policy:
            value = response_by_job_servers(coarse, arrival_rate, value, end)
        else:
            fine = envelope_of(instance, entries=_FINE)
            response_bound(fine, arrival_rate, end)
            value = jffc_response_by_job_servers(fine, coarse, arrival_rate, value, end)
    if math.isinf(value):
        raise UnstableError(f"no composition is stable at {arrival_rate:g} jobs/s, with any number of job servers")
    return value


def _for_any_policy(instance: Instance, until: float, *, hull: bool) -> float:
    """Without profiles, with more and more servers told apart."""
    value, entries = 0.0, _FINE
    while True:
        envelope = envelope_of(instance, entries=entries)
        now = time.monotonic()
        value = max(value, bound_from(envelope, instance, Objective.RESPONSE_TIME, now + (until - now) / 2))
        value = allocation_bound(envelope, float(instance.workload.arrival_rate), value, until, hull=hull)
        if entries >= len(instance.servers) or time.monotonic() > until:
            return value
        entries *= 2


def envelope_of(instance: Instance, *, hull: bool = False, entries: int | None = None) -> Envelope:
    """Envelope of an instance, not refined yet.

    Parameters
    ----------
    entries
        So many servers, or groups of servers that differ little, are told apart; all of them if None.

    Raises
    ------
    InfeasibleError
        If it is proven that no composition exists.
    """
    reason = infeasibility(instance)
    envelope = Envelope(parts_of(instance) if entries is None else parts_of(*alike(instance, entries)), hull=hull)
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
