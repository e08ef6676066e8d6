"""A bound on the mean response time that holds for every placement, allocation and dispatch policy.

With n jobs present the total rate of departures is at most V(n) (:mod:`chainopt.exact.envelope`), which grows with n.
So the number of jobs is stochastically at least that of the birth-death process with births λ and deaths V(n), and by
Little's law its mean over λ bounds the mean response time from below. Proof: docs/theory/bounds.md.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.queueing import birth_death_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.envelope import Envelope

_MOST_STATES = 100_000
ACCURACY = 2e-3
"""Relative difference of the bounds from the lines above and the points below V at which refinement ends."""

_SKETCHED = 12
"""Numbers of jobs, from 1 to the most, with a line to begin with."""


def response_bound(envelope: Envelope, arrival_rate: float, deadline: float = math.inf) -> float:
    """Proven lower bound on the mean response time, seconds; infinite where no stable composition exists.

    The envelope is refined where it matters to the process.
    """
    # beyond the last state the process is given the largest rate there is, which is at least V
    jobs = np.append(np.arange(1.0, min(math.ceil(envelope.most_jobs), _MOST_STATES)), envelope.most_jobs)
    for n in np.geomspace(1.0, jobs[-1], _SKETCHED):
        envelope.sketch(n)
    solved = {0.0}
    while True:
        above, below = envelope.above(jobs), envelope.below(jobs)
        bound, attained = _mean_jobs(above, arrival_rate), _mean_jobs(below, arrival_rate)
        further = _where_to_refine(jobs, above, below, arrival_rate)
        if (
            attained - bound <= ACCURACY * bound
            or bound == math.inf
            or further in solved
            or time.monotonic() > deadline
        ):
            return bound / arrival_rate
        solved.add(further)
        envelope.solve(further, deadline)


def _mean_jobs(rates: NDArray[np.float64], arrival_rate: float) -> float:
    if rates[-1] <= arrival_rate:
        return math.inf
    steps = np.diff(rates, prepend=0.0)
    return float(birth_death_mean(steps, np.ones(steps.size, dtype=np.int64), rates[-1], arrival_rate))


def _where_to_refine(
    jobs: NDArray[np.float64], above: NDArray[np.float64], below: NDArray[np.float64], arrival_rate: float
) -> float:
    """The n at which line and points differ most, as the process sees it."""
    weight = np.concatenate(([0.0], np.cumsum(np.log(arrival_rate / above))))[:-1]
    probability = np.exp(weight - weight.max())
    return float(jobs[np.argmax(probability * (above - below))])
