"""The choice among candidates: which c, and which stop, by a criterion (PROBLEM, section 8)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from chainopt.allocation import fewest_job_servers
from chainopt.errors import UnstableError
from chainopt.model.solution import Objective
from chainopt.quantity import at_least
from chainopt.queueing import response_bounds, response_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.protocols import AllocationRule, Candidate

    Comparison = Callable[[Composition, float], tuple[float, Composition] | None]


class Criterion(StrEnum):
    """By what compositions are compared when the mean response time is to be small."""

    EXACT = "exact"
    """Exact mean response time."""
    LOWER = "lower"
    """Theorem 4's lower bound, the paper's recommendation."""
    UPPER = "upper"
    """Theorem 4's upper bound."""
    SURROGATE = "surrogate"
    """c K(c), job servers of the disjoint chains that meet λ/ρ̄ [eq. 9]; allocation plays no part."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The best composition of those tried.

    Attributes
    ----------
    candidate
        Where it comes from.
    composition
        The composition.
    accepted
        Whether it does what is asked: stable, or a total service rate of λ/ρ̄ for the objective job servers. Where
        nothing does, it is the one with the largest total service rate.
    """

    candidate: Candidate
    composition: Composition
    accepted: bool


def choose(
    instance: Instance,
    candidates: Iterable[Candidate],
    allocate: AllocationRule,
    objective: Objective,
    criterion: Criterion,
    deadline: float = math.inf,
) -> Choice | None:
    """Allocate and compare candidates; ties go to the smallest c, then to the first.

    Parameters
    ----------
    deadline
        When to stop, by `time.monotonic()`; at least one composition is tried.

    Returns
    -------
    Choice
        None where no candidate has a chain.
    """
    if objective is Objective.RESPONSE_TIME and criterion is Criterion.SURROGATE:
        candidates = _by_surrogate(candidates)
    improve = _improvement(instance, objective, criterion)
    best: Choice | None = None
    best_key = (math.inf, math.inf)
    fallback: Choice | None = None
    for candidate in candidates:
        composition = allocate(instance, candidate)
        if composition.job_servers:
            found = improve(composition, best_key[0])
            if found is not None:
                key = (found[0], candidate.cache_reservation or 0)
                if _precedes(key, best_key):
                    best, best_key = Choice(candidate, found[1], True), key
            elif best is None and (
                fallback is None or composition.total_service_rate > fallback.composition.total_service_rate
            ):
                fallback = Choice(candidate, composition, False)
        if (best or fallback) and time.monotonic() > deadline:
            break
    return best or fallback


def _precedes(key: tuple[float, int | float], other: tuple[float, int | float]) -> bool:
    """Whether a value is smaller, or equal up to rounding and with a smaller c."""
    (value, c), (best, best_c) = key, other
    if best < math.inf and at_least(value, best) and at_least(best, value):
        return c < best_c
    return value < best


def _by_surrogate(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The candidate with the least c K(c); one that does not meet the rate only if none does."""

    def jobs(candidate: Candidate) -> float:
        if candidate.cache_reservation is None or candidate.chains is None:
            return math.inf
        return candidate.cache_reservation * candidate.chains

    best = min(candidates, key=jobs, default=None)
    if best is not None:
        yield best


def _improvement(instance: Instance, objective: Objective, criterion: Criterion) -> Comparison:
    """What compares: value (to be small) and composition, None where it does not do what is asked.

    It is told the best value so far, so that a bound can spare it the exact value of what cannot be better.
    """
    arrival_rate = float(instance.workload.arrival_rate)

    def by_rate(composition: Composition, best: float) -> tuple[float, Composition] | None:
        return -composition.total_service_rate, composition

    def by_job_servers(composition: Composition, best: float) -> tuple[float, Composition] | None:
        fewest = fewest_job_servers(composition, instance.design_rate)
        return None if fewest is None else (float(fewest.job_servers), fewest)

    def by_response_time(composition: Composition, best: float) -> tuple[float, Composition] | None:
        try:
            lower, upper = response_bounds(composition, arrival_rate)
        except UnstableError:
            return None
        if criterion is Criterion.UPPER:
            return upper, composition
        if criterion is Criterion.EXACT and at_least(best, lower):
            return response_time(composition, arrival_rate).mean_response_time_s, composition
        return lower, composition

    return {
        Objective.RATE: by_rate,
        Objective.JOB_SERVERS: by_job_servers,
        Objective.RESPONSE_TIME: by_response_time,
    }[objective]
