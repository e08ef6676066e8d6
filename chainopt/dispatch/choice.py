"""Thresholds where they are shown to help, JFFC elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from chainopt.chains import fastest_first
from chainopt.dispatch.comparison import compare
from chainopt.dispatch.coordinated import coordinated_thresholds
from chainopt.dispatch.optimal import threshold_response_time
from chainopt.queueing import jffc
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic
from chainopt.simulation.intervals import Estimate
from chainopt.simulation.sizes import Exponential

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_STATES = 4000
"""States up to which thresholds are evaluated exactly: some tenths of a second."""

JOBS = 1_000_000
"""Jobs that are simulated elsewhere: as long, up to a hundred chains."""


@dataclass(frozen=True, eq=False)
class DispatchChoice:
    """How to dispatch.

    Attributes
    ----------
    thresholds
        Jobs that have to wait before each chain starts one, shape (K,); None for JFFC.
    mean
        Mean response time, s: exact, with a half width of 0, or simulated.
    jffc_s
        The same of JFFC, exact.
    """

    thresholds: NDArray[np.int64] | None
    mean: Estimate
    jffc_s: float


def choose_dispatch(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float, *, seed: int = 0
) -> DispatchChoice:
    """Thresholds if they are better than JFFC beyond doubt, under Poisson arrivals and exponential sizes.

    Small systems are evaluated exactly; others are simulated with JFFC as control variate, and thresholds have to be
    better by more than the half width of a 99 % interval.

    Parameters
    ----------
    rates, capacities
        μ_k in jobs per second and c_k, shape (K,).
    arrival_rate
        λ, jobs per second.

    Raises
    ------
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    exact_s = jffc(rates, capacities, arrival_rate).mean_response_time_s
    thresholds = coordinated_thresholds(rates, capacities, arrival_rate)
    if thresholds.max(initial=1) > 1:
        mean = _mean(rates, capacities, arrival_rate, thresholds, exact_s, seed)
        if mean.mean + mean.half_width < exact_s:
            return DispatchChoice(thresholds, mean, exact_s)
    return DispatchChoice(None, Estimate(exact_s, 0.0), exact_s)


def _mean(
    rates: NDArray[np.float64],
    capacities: NDArray[np.int64],
    arrival_rate: float,
    thresholds: NDArray[np.int64],
    exact_s: float,
    seed: int,
) -> Estimate:
    chains = fastest_first(rates, capacities)
    if prod(int(c) + 1 for c in chains.capacities) * int(thresholds.max()) <= MOST_STATES:
        return Estimate(threshold_response_time(rates, capacities, arrival_rate, thresholds), 0.0)
    pace = 1 / rates[:, None]
    runs = {policy: run_of(policy, rates, capacities, pace, JOBS, thresholds) for policy in ("jffc", "thresholds")}
    outcomes = compare(runs, Traffic(Poisson(arrival_rate), Exponential(), JOBS, seed), exact_s, confidence=0.99)
    return outcomes[-1].mean
