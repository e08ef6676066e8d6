"""Thresholds one by one, each as if the slower chains were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import stable
from chainopt.dispatch.light_traffic import without_arrivals
from chainopt.dispatch.search import best_threshold
from chainopt.dispatch.speeds import by_speed, for_chains
from chainopt.dispatch.two_sides import steps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_HIGHEST_LOAD = 0.95  # of a chain and the faster ones; where it would be more the slower ones are needed


def pair_thresholds(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> NDArray[np.int64]:
    """Like :func:`coordinated_thresholds`, but chain k's threshold is the best one where k alone is the slow side.

    Slower chains join it, with the same threshold, as far as it takes to carry the traffic. Simpler, and not as good:
    docs/theory/dispatch.md#quality.

    Parameters
    ----------
    rates, capacities, arrival_rate
        As of :func:`coordinated_thresholds`.

    Returns
    -------
    Jobs that have to wait before each chain starts one, shape (K,), chains as they were given; 1 for the fastest, and
    for those without capacity.

    Raises
    ------
    ValueError
        If the arguments are not rates, capacities and an arrival rate.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    chains = stable(rates, capacities, arrival_rate)
    speeds = by_speed(chains)
    thresholds = np.ones(speeds.rates.size, dtype=np.int64)
    carried = np.cumsum(speeds.rates * speeds.counts)
    enough = int(np.searchsorted(carried, arrival_rate / _HIGHEST_LOAD, side="right")) + 1
    most = without_arrivals(speeds)
    for k in range(1, speeds.rates.size if arrival_rate > 0 else 0):
        if most[k] > 1:
            fast, slow = speeds.servers(0, k), speeds.servers(k, min(max(k + 1, enough), speeds.rates.size))
            thresholds[k], _ = best_threshold(
                float(arrival_rate), fast.size, steps(fast), slow, thresholds[:0], 1, int(most[k])
            )
    return for_chains(chains, speeds, np.maximum.accumulate(thresholds), np.size(capacities))
