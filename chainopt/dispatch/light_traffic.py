"""Thresholds that are optimal if no job arrives any more.

References
----------
A. K. Agrawala, E. G. Coffman, M. R. Garey, S. K. Tripathi, A stochastic optimization algorithm minimizing expected flow
times on uniform processors, IEEE Transactions on Computers 33 (1984).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import fastest_first
from chainopt.dispatch.speeds import Speeds, by_speed, for_chains
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MOST = 10**12  # thresholds stay far from the end of int64, whatever the rates


def light_traffic_thresholds(rates: ArrayLike, capacities: ArrayLike) -> NDArray[np.int64]:
    """Thresholds for jobs that are all there already: θ_k = max(1, ⌈Σ_{i<k} c_i (μ_i/μ_k - 1)⌉).

    With N servers of total rate ν faster than chain k, the last of q waiting jobs ends after (q + N)/ν in the mean, the
    sooner way if that is less than 1/μ_k. Arrivals make waiting dearer: under load these thresholds are too high.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,), in any order.
    capacities
        c_k, shape (K,).

    Returns
    -------
    Jobs that have to wait before each chain starts one, shape (K,), chains as they were given; 1 for the fastest.

    Raises
    ------
    ValueError
        If the arguments are not rates and capacities.
    """
    chains = fastest_first(rates, capacities)
    count = np.size(capacities)
    if chains.rates.size == 0:
        return np.ones(count, dtype=np.int64)
    speeds = by_speed(chains)
    return for_chains(chains, speeds, without_arrivals(speeds), count)


def without_arrivals(speeds: Speeds) -> NDArray[np.int64]:
    """The same for groups of chains, shape (G,)."""
    servers = np.cumsum(speeds.counts) - speeds.counts
    rate = np.cumsum(speeds.counts * speeds.rates) - speeds.counts * speeds.rates
    waiting = rate / speeds.rates * (1 - RELATIVE_TOLERANCE) - servers
    return np.clip(np.ceil(waiting), 1, _MOST).astype(np.int64)
