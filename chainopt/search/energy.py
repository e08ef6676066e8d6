"""How good a state is, on one scale for all objectives: its energy, small where it is good.

The energy of a state that does what is asked is the logarithm of the objective, so that differences are relative. A
state that does not, because its total service rate falls short, is above all those, and the closer to the rate the
lower, so that a search walks towards what is asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.enumeration_kernels import JOB_SERVERS, RATE
from chainopt.jit import kernel
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.queueing.bounds import birth_death_mean
from chainopt.search.truncation import best_truncation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.search.problem import Problem

FALLS_SHORT = 200.0
"""Energy from which on the total service rate falls short; logarithms of times in ticks are below."""
_NODES = 8
"""Chebyshev nodes of the search; a relative error of about 1e-7 of the mean, 1e-4 at most."""


@kernel
def energy(
    problem: Problem,
    rates: NDArray[np.float64],
    capacities: NDArray[np.int64],
    reach: int,
    ceiling: float,
    gain: float,
) -> tuple[float, float]:
    """Energy of chains, fastest first, and how much of it is above Theorem 4's lower bound.

    If the bound and `gain` come to `ceiling` or more, that is what is returned instead.

    Parameters
    ----------
    reach
        Farthest block that a path comes to.
    ceiling
        Energy from which on the exact value is of no interest.
    gain
        How much the energy is expected to be above the bound at least; 0 for certain.
    """
    if rates.size == 0:
        return FALLS_SHORT + 2.0 - reach / problem.blocks, 0.0
    total = 0.0
    for k in range(rates.size):
        total += capacities[k] * rates[k]
    if problem.objective == RATE:
        return -np.log(total), 0.0
    if problem.objective == JOB_SERVERS:
        if total < problem.rate:
            return FALLS_SHORT + 1.0 - total / problem.rate, 0.0
        return np.log(jobs_for(rates, capacities, problem.rate)), 0.0
    if total * (1 - RELATIVE_TOLERANCE) <= problem.rate:
        return FALLS_SHORT + max(1.0 - total / problem.rate, 0.0), 0.0
    least = np.log(birth_death_mean(rates, capacities, total, problem.rate) / problem.rate)
    if least + gain >= ceiling:
        return least + gain, 0.0
    mean, _ = best_truncation(rates, capacities, problem.rate, _NODES)
    value = np.log(mean)
    return value, value - least


@kernel
def needed_rate(problem: Problem, ceiling: float) -> float:
    """Total service rate without which the energy is not below a ceiling.

    A stable one has a mean response time of 1 / (ν - λ) at least, for jobs do not depart faster than at the rate ν.
    """
    if problem.objective == RATE:
        needed = np.exp(-ceiling)
    elif ceiling >= FALLS_SHORT:
        needed = problem.rate * (1.0 - (ceiling - FALLS_SHORT))
    elif problem.objective == JOB_SERVERS:
        needed = problem.rate
    else:
        needed = problem.rate + np.exp(-ceiling)
    return float(needed * (1 - RELATIVE_TOLERANCE))


@kernel
def jobs_for(rates: NDArray[np.float64], capacities: NDArray[np.int64], needed: float) -> float:
    """Job servers, fastest first and the last one in part, that reach a rate."""
    jobs = 0.0
    for k in range(rates.size):
        served = capacities[k] * rates[k]
        if served >= needed:
            jobs += needed / rates[k]
            break
        needed -= served
        jobs += capacities[k]
    return jobs


def objective_value(problem: Problem, found: float, places: int) -> float | None:
    """Value of the objective for an energy, seconds and jobs per second; None where it falls short."""
    if found >= FALLS_SHORT:
        return None
    if problem.objective == RATE:
        return math.exp(-found) * 10.0**places
    if problem.objective == JOB_SERVERS:
        return float(math.ceil(math.exp(found) * (1 - RELATIVE_TOLERANCE)))
    return math.exp(found) / 10.0**places


def energy_of(problem: Problem, value: float, places: int) -> float:
    """Energy for a value of the objective."""
    if problem.objective == RATE:
        return math.log(10.0**places / value)
    return math.log(value if problem.objective == JOB_SERVERS else value * 10.0**places)
