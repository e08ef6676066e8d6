"""The best threshold for the next job servers of the slow side, those of the others as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.dispatch.two_sides import TwoSides, solve_level, solve_levels, steps
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GAIN = 1e-12  # a higher threshold has to make the mean less by this share: rounding errors are less


def best_threshold(
    arrival_rate: float,
    servers: int,
    fast: NDArray[np.float64],
    slow_rates: NDArray[np.float64],
    thresholds: NDArray[np.int64],
    least: int,
    most: int,
) -> tuple[int, float]:
    """The best common threshold of the first job servers of the slow side.

    Parameters
    ----------
    arrival_rate
        λ, below the total service rate.
    servers, fast
        N and f of :class:`TwoSides`.
    slow_rates
        Of each slow job server, jobs per second, shape (S,).
    thresholds
        Of the last job servers of the slow side, not falling, shape at most (S - 1,); those below the common one are
        raised to it. The others are those that the common threshold is for.
    least, most
        The thresholds to choose from.

    Returns
    -------
    The threshold, and the probability that a slow job server is busy if it is `least`.
    """
    count = slow_rates.size - thresholds.size
    given = np.concatenate((np.full(count, least, dtype=np.int64), np.maximum(thresholds, least)))
    system = TwoSides(arrival_rate, servers, fast, steps(slow_rates), given.copy())
    best, used = _search(system, given, count, least, most)
    return int(best), float(used)


@kernel
def _search(system: TwoSides, given: NDArray[np.int64], count: int, least: int, most: int) -> tuple[int, float]:
    """The least t of which t + 1 is no better, found by doubling and then by halving.

    The levels above `count` are the same for all t up to the next threshold and solved once.
    """
    level, sums = np.zeros(system.servers + 1 + given[-1]), np.zeros(3)
    room = np.empty((3, level.size))
    for z in range(given.size, count, -1):
        solve_level(system, z, level, sums, room)
    found = _sums(system, given, count, least, level, sums)
    used = found[2] / found[0]
    worse, better = least, least - 1  # t + 1 is better than t at `better`, but not at `worse`
    while worse < most and _higher_is_better(system, given, count, worse, level, sums):
        better, worse = worse, min(2 * worse, most)
    while worse - better > 1:
        t = (better + worse) // 2
        if _higher_is_better(system, given, count, t, level, sums):
            better = t
        else:
            worse = t
    return worse, used


@kernel
def _higher_is_better(
    system: TwoSides,
    given: NDArray[np.int64],
    count: int,
    t: int,
    level: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> bool:
    at = _sums(system, given, count, t, level, sums)
    above = _sums(system, given, count, t + 1, level, sums)
    result: bool = above[1] / above[0] < at[1] / at[0] * (1 - _GAIN)
    return result


@kernel
def _sums(
    system: TwoSides,
    given: NDArray[np.int64],
    count: int,
    t: int,
    level: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sums over all levels with the threshold t, where `level` and `sums` are those above `count` as given."""
    found = sums.copy()
    first = count
    for z in range(given.size):
        system.thresholds[z] = t if z < count else max(given[z], t)
        if z >= count and system.thresholds[z] > given[z]:
            first = given.size
    lower = np.zeros(system.servers + 1 + system.thresholds[-1])
    lower[: level.size] = level
    solve_levels(system, first, lower, found)
    return found
