"""The least mean number of jobs over all death rates with v(n) <= U(n) and Σ w_n v(n) <= b.

M(v) < c just where G_0 = Σ_n (n - c) λ^n / (v(1) ... v(n)) < 0, and with G_n the same sum from state n on, relative to
it, G_{n-1} = n - 1 - c + λ / v(n) · G_n. Since G_n has to be small for G_{n-1} to be, what is spent on v(n) and what is
left for later states is decided state by state: a dynamic program over what is left of b.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.served import mean_and_weights
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLOSE, _NEGLIGIBLE, _LARGE = 1e-4, 1e-12, 500.0


@kernel
def least_mean(
    weights: NDArray[np.float64],
    ceilings: NDArray[np.float64],
    budget: float,
    arrival_rate: float,
    known: float,
    above: float,
    steps: int,
) -> float:
    """A lower bound on M(v), close to the least; `known` where it is no more than that.

    Parameters
    ----------
    weights, ceilings
        w and U of v(1), ..., v(N), and of the v that all states beyond share, shape (N + 1,).
    budget
        b.
    known, above
        The bound is sought between them; the first is known to be one. Nothing is sought below infinity.
    steps
        What v falls short of U by is counted in so many steps in all, and in favour of a small mean.
    """
    whole = 0.0
    for n in range(weights.size):
        whole += weights[n] * ceilings[n]
    short = whole - budget  # so much of v = U has to be given up at least
    last = weights.size - 1
    known = max(known, mean_and_weights(ceilings[:last], ceilings[last], arrival_rate)[0])
    if short <= _NEGLIGIBLE * whole or above == np.inf:
        return known
    if not _exceeds(weights, ceilings, short, arrival_rate, known, steps):
        return known
    while above - known > _CLOSE * known:
        middle = (known + above) / 2
        if _exceeds(weights, ceilings, short, arrival_rate, middle, steps):
            known = middle
        else:
            above = middle
    return known


@kernel
def _exceeds(
    weights: NDArray[np.float64],
    ceilings: NDArray[np.float64],
    short: float,
    arrival_rate: float,
    mean: float,
    steps: int,
) -> bool:
    """Whether M(v) > mean for all v.

    What v(n) falls short of U(n) by, times w_n, is rounded up to whole steps, and v(n) is larger by a step than these
    say: so no v is left out. G is kept as its logarithm; what is not above 0 counts as whatever may be needed.
    """
    last, step = weights.size - 1, short / steps
    left = np.empty(steps + 1)
    for d in range(steps + 1):
        rate = ceilings[last]
        if d > 1:
            rate = rate - (d - 1) * step / weights[last] if weights[last] > 0 else 0.0
        if rate <= arrival_rate:
            left[d] = np.inf
            continue
        idle = (rate - arrival_rate) / rate
        total = (last - mean) / idle + (1 - idle) / idle**2
        left[d] = math.log(total) if total > 0 else -np.inf
    most = np.zeros(last + 1, dtype=np.int64)  # steps that the first n states can fall short by
    for n in range(last):
        most[n + 1] = most[n] + _most_steps(weights[n], ceilings[n], step, steps)
    found = np.empty(steps + 1)
    for n in range(last, 0, -1):
        size = _most_steps(weights[n - 1], ceilings[n - 1], step, steps)
        costs = np.empty(size + 1)
        for i in range(size + 1):
            rate = ceilings[n - 1] - (i - 1) * step / weights[n - 1] if i > 1 else ceilings[n - 1]
            costs[i] = math.log(arrival_rate / rate) if rate > 0 else np.inf
        least_sums(costs, left, found)
        for d in range(steps + 1):
            if steps - d > most[n - 1]:
                left[d] = np.inf  # never so little left here
            elif found[d] == -np.inf or found[d] > _LARGE:
                left[d] = found[d]  # the exponential of the latter might overflow, and n - c is nothing beside it
            else:
                total = n - 1 - mean + math.exp(found[d])
                left[d] = math.log(total) if total > 0 else -np.inf
    return bool(left[steps] > -np.inf)


@kernel
def _most_steps(weight: float, ceiling: float, step: float, steps: int) -> int:
    """Steps by which a rate above 0 can fall short, rounded up."""
    return min(steps, int(weight * ceiling / step) + 1) if weight > 0 else 0


@kernel
def least_sums(costs: NDArray[np.float64], left: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    """found[d] = min_i costs[i] + left[d - i]; costs are convex, so the best d - i grows with d: halving the range."""
    size = costs.size - 1
    stack = np.empty((128, 4), dtype=np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, found.size - 1, 0, found.size - 1
    count = 1
    while count > 0:
        count -= 1
        begin, end, low, high = stack[count, 0], stack[count, 1], stack[count, 2], stack[count, 3]
        if begin > end:
            continue
        middle = (begin + end) // 2
        best, at = np.inf, max(low, middle - size)
        for j in range(max(low, middle - size), min(high, middle) + 1):
            value = costs[middle - j] + left[j]
            if value <= best:
                best, at = value, j
        found[middle] = best
        stack[count, 0], stack[count, 1], stack[count, 2], stack[count, 3] = begin, middle - 1, low, at
        count += 1
        stack[count, 0], stack[count, 1], stack[count, 2], stack[count, 3] = middle + 1, end, at, high
        count += 1
