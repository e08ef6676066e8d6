"""How fast an allocation serves n jobs, and how the mean number of jobs depends on it.

With x_k jobs of time T_k at most, n jobs are served at the rate of the n fastest of them,

    v_x(n) = max{Σ y_k / T_k : 0 <= y <= x, Σ y <= n},

whatever the dispatch policy; x may be fractional. M(v) is the mean number of jobs of the birth-death process with
births λ and deaths v(n). Its derivative by v(n) is -w_n with w_n = Σ_{m >= n} (m - M) π_m / v(n), never above 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Served(NamedTuple):
    """v_x, and how much a little more of some chain adds to it.

    Attributes
    ----------
    rates
        v(1), ..., v(N), jobs per second; all jobs that there is room for run where N do.
    slopes
        1/T of the slowest chain that the nth job needs, 0 where there is room for more: v(n) grows by 1/T - slope per
        job of a faster chain.
    total
        v(N).
    """

    rates: NDArray[np.float64]
    slopes: NDArray[np.float64]
    total: float


@kernel
def served(time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> Served:
    """v_x of jobs in chains in order of time, shape (K,) each."""
    whole = jobs.sum()
    count = max(1, math.ceil(whole - 1e-9))
    rates, slopes = np.zeros(count), np.zeros(count)
    rate, filled, k = 0.0, 0.0, 0
    for n in range(1, count + 1):
        while k < jobs.size and filled + jobs[k] < n:
            filled += jobs[k]
            rate += jobs[k] / time_s[k]
            k += 1
        if k < jobs.size:
            slopes[n - 1] = 1 / time_s[k]
            rates[n - 1] = rate + (n - filled) / time_s[k]
        else:
            rates[n - 1] = rate
    return Served(rates, slopes, rates[count - 1])


@kernel
def mean_served(time_s: NDArray[np.float64], jobs: NDArray[np.float64], most: float, arrival_rate: float) -> float:
    """M(min(v_x, most)), infinite where it is not stable."""
    found = served(time_s, jobs)
    return mean_and_weights(np.minimum(found.rates, most), min(found.total, most), arrival_rate)[0]


@kernel
def mean_and_weights(
    rates: NDArray[np.float64], total: float, arrival_rate: float
) -> tuple[float, NDArray[np.float64], float]:
    """M(v), w_1, ..., w_N, and the sum of all further w, where v is `total` beyond N."""
    count = rates.size
    weights = np.zeros(count)
    if total <= arrival_rate:
        return np.inf, weights, 0.0
    logarithm = np.zeros(count + 1)
    for n in range(count):
        logarithm[n + 1] = logarithm[n] + math.log(arrival_rate / rates[n])
    share = np.exp(logarithm - logarithm.max())
    idle = (total - arrival_rate) / total
    ratio = 1 - idle
    mass, jobs = share[count] / idle, share[count] * (count / idle + ratio / idle**2)
    for n in range(count):
        mass += share[n]
        jobs += n * share[n]
    mean = jobs / mass
    share /= mass
    above = share[count] * ((count - mean) / idle + ratio / idle**2)
    further = (above * ratio / idle + share[count] * ratio / idle**3) / total
    for n in range(count, 0, -1):
        weights[n - 1] = max(above / rates[n - 1], 0.0)
        above += (n - 1 - mean) * share[n - 1]
    return mean, weights, max(further, 0.0)
