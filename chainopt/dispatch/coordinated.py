"""Thresholds one after the other, from the slowest chain up, in the model with two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import stable
from chainopt.dispatch.light_traffic import without_arrivals
from chainopt.dispatch.search import best_threshold
from chainopt.dispatch.speeds import by_speed, for_chains
from chainopt.dispatch.two_sides import as_started, steps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PASSES = 2  # the second takes the thresholds of faster chains into account; more were no better
_NEGLIGIBLE = 1e-15  # probability that a chain or a slower one is in use, below which they are left out


def coordinated_thresholds(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> NDArray[np.int64]:
    """Thresholds near the optimum for Poisson arrivals and exponential sizes.

    From the slowest chain up, and then once more, chain k's threshold is the best one where all faster chains are the
    fast side, and chain k and the slower ones, with the thresholds known so far, the slow side. So what slower chains
    take off the queue enters, and what faster ones will. docs/theory/dispatch.md#thresholds.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,), in any order.
    capacities
        c_k, shape (K,).
    arrival_rate
        λ, jobs per second.

    Returns
    -------
    Jobs that have to wait before each chain starts one, shape (K,), chains as they were given; 1 for the fastest, and
    for those without capacity. All 1 is JFFC; that is so without arrivals, too, when nothing ever waits.

    Raises
    ------
    ValueError
        If the arguments are not rates, capacities and an arrival rate.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    chains = stable(rates, capacities, arrival_rate)
    speeds = by_speed(chains)
    found = np.ones(speeds.rates.size, dtype=np.int64)
    most = without_arrivals(speeds)
    used = speeds.rates.size if arrival_rate > 0 else 0
    for _ in range(_PASSES):
        for k in range(used - 1, 0, -1):
            if most[k] > 1:
                each = np.repeat(found[:used], speeds.counts[:used])
                servers, stop = int(speeds.counts[:k].sum()), int(speeds.counts[: k + 1].sum())
                fast = as_started(steps(speeds.servers(0, k)), each[:servers])
                slow = speeds.servers(k, used)
                least = int(found[k - 1])
                found[k], share = best_threshold(
                    float(arrival_rate), servers, fast, slow, each[stop:], least, int(most[k])
                )
                found[k:] = np.maximum(found[k:], found[k])
                if share < _NEGLIGIBLE:
                    used = k
    return for_chains(chains, speeds, found, np.size(capacities))
