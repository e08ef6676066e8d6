"""Policies side by side on the same jobs, and how far to trust the figures.

References
----------
docs/theory/simulation.md: batches, intervals, control variates, and when they are not to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import UnstableError
from chainopt.queueing import jffc
from chainopt.simulation.arrivals import Poisson, Recorded
from chainopt.simulation.experiment import observe
from chainopt.simulation.intervals import (
    CONFIDENCE,
    LEAST_BATCHES,
    Estimate,
    controlled,
    correlated,
    growing,
    of_batches,
)
from chainopt.simulation.sizes import Exponential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

    from chainopt.simulation.engine import Run
    from chainopt.simulation.experiment import Traffic
    from chainopt.simulation.records import Records
    from chainopt.simulation.summary import Summary

RELAXATIONS = 100
"""How many times b / (ν (1 - ρ)²), the time in which a queue forgets, a batch should last.

b is the mean of the dispersion of arrivals and of the variation of sizes, 1 for the paper's traffic, as in the heavy
traffic of GI/G/1 [P. J. Fendick, V. R. Saksena, W. Whitt, Dependence in packet queues, IEEE Transactions on
Communications 37 (1989)]; the factor is measured (docs/theory/simulation.md).
"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A policy and how it did.

    Attributes
    ----------
    summary
        Its run.
    mean
        Mean response time, s; with JFFC's as control variate where that is known exactly.
    difference
        The same minus JFFC's on the same jobs, s; None without JFFC.
    reservations
        What is to be said of these estimates, besides `doubts`.
    """

    policy: str
    summary: Summary
    mean: Estimate
    difference: Estimate | None
    reservations: tuple[str, ...] = ()


def compare(
    runs: Mapping[str, Run],
    traffic: Traffic,
    exact_s: float | None = None,
    *,
    warm_up: float = 0.1,
    batches: int = 20,
    to_the_end: bool = False,
    confidence: float = CONFIDENCE,
    each: Callable[[Records], None] | None = None,
) -> list[Outcome]:
    """Run every policy on the same traffic.

    Parameters
    ----------
    runs
        By the name of the policy, chains in which nothing is going on yet.
    exact_s
        Exact mean response time of JFFC, if `runs` has it and it is known.
    warm_up, batches, to_the_end, each
        As of `observe`.
    confidence
        Of the intervals.
    """
    summaries = {
        policy: observe(run, traffic, warm_up=warm_up, batches=batches, to_the_end=to_the_end, each=each)
        for policy, run in runs.items()
    }
    control = summaries["jffc"].response.batches if "jffc" in summaries else None
    outcomes = []
    for policy, summary in summaries.items():
        means = summary.response.batches
        mean, difference = summary.response.interval(confidence), None
        reservations: tuple[str, ...] = ()
        if control is not None and policy != "jffc":
            difference = of_batches(means - control, confidence)
            differ = int(np.count_nonzero(means != control))
            if 2 * differ < means.size:
                difference = Estimate(difference.mean, np.nan)
                reservations = (f"the same as jffc in all but {differ} of {means.size} batches: too alike to say",)
            elif exact_s is not None and means.size >= LEAST_BATCHES and not growing(means):
                mean = controlled(means, control, exact_s, confidence)
                difference = Estimate(mean.mean - exact_s, mean.half_width)
        outcomes.append(Outcome(policy, summary, mean, difference, reservations))
    return outcomes


def exact_mean_s(rates: ArrayLike, capacities: ArrayLike, traffic: Traffic) -> float | None:
    """Exact mean response time of JFFC, None where there is none: other traffic than the paper's, or too much of it."""
    if not (isinstance(traffic.arrivals, Poisson) and isinstance(traffic.sizes, Exponential)):
        return None
    try:
        return jffc(rates, capacities, traffic.arrivals.rate).mean_response_time_s
    except UnstableError:
        return None


def doubts(summary: Summary, traffic: Traffic, total_rate: float) -> list[str]:
    """Why the intervals of a run are not to be trusted; none if they are.

    Parameters
    ----------
    total_rate
        ν, jobs per second.
    """
    if isinstance(traffic.arrivals, Recorded):
        return ["a trace is one realization: intervals say how much its parts differ"]
    load = traffic.arrivals.rate / total_rate
    if load >= 1:
        return [f"the load is {load:.3g}: the queue grows for as long as jobs come"]
    reasons = []
    lasts = summary.duration_s / max(summary.response.batches.size, 1)
    burstiness = max(1.0, (traffic.arrivals.dispersion + traffic.sizes.scv) / 2)
    needed = RELAXATIONS * burstiness / (total_rate * (1 - load) ** 2)
    if lasts < needed:
        more = f"simulate {needed / lasts:.2g} times the jobs" if lasts > 0 else "simulate more jobs"
        reasons.append(f"batches last {lasts:.3g} s, at this load they should last {needed:.3g} s: {more}")
    if growing(summary.response.batches):
        reasons.append("response times grow during the run: the policy may not keep up with the traffic")
    elif correlated(summary.response.batches):
        reasons.append("means of batches depend on each other: simulate more jobs")
    return reasons
