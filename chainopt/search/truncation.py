"""The best number of job servers to use of those that a placement has, and the mean response time with them.

JFFC uses every free job server, so a slow one can do harm; left out, the faster ones do not notice. Palm's recursion
(docs/theory/exact-response-time.md, sections 3, 6 and 7) gives the loss system of the first l job servers for every l,
and the queue is a geometric tail on it, so that one pass compares all truncations.

This is the recursion of `chainopt.queueing.palm` for few nodes: r_l itself is kept at the nodes beside its logarithm,
so that a step takes one exponential and one logarithm a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.jit import kernel
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEGLIGIBLE = 1e-13
"""Share of jobs below which those that pass on to further job servers do not count."""


@kernel
def best_truncation(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float, nodes: int
) -> tuple[float, int]:
    """Least mean response time of the first so many job servers under JFFC, and how many these are.

    Parameters
    ----------
    rates, capacities
        Fastest first; stable together.
    nodes
        Chebyshev nodes; 8 give a relative error of about 1e-6, 64 of 1e-15.
    """
    scale = arrival_rate
    for k in range(rates.size):
        scale += rates[k] * capacities[k]
    points, weights, s = _nodes(scale, rates[rates.size - 1], arrival_rate, nodes)
    r = s.copy()  # r_0(s) = s, times in units of 1/λ
    f = np.zeros(nodes)  # log(r_l(s) / s), 0 at infinity, which is node 0
    shifted = np.empty(nodes)
    at = np.empty((nodes, nodes))
    passed, service, total, jobs = 1.0, 0.0, 0.0, 0
    best, best_jobs = np.inf, 0
    for k in range(rates.size):
        m = rates[k] / arrival_rate
        for i in range(nodes):
            _interpolate(points, weights, np.log1p(scale / arrival_rate / ((s[i] if i else 0.0) + m)), at, i)
        for _ in range(capacities[k]):
            r_at_rate = m * np.exp(_dot(at, 0, f))
            for i in range(1, nodes):
                shifted[i] = 1.0 + (s[i] + m) * np.exp(_dot(at, i, f))
            for i in range(1, nodes):
                r[i] *= shifted[i] / (1.0 + r[i])
                f[i] = np.log(r[i] / s[i])
            service += passed * r_at_rate / (1.0 + r_at_rate) / rates[k]
            passed /= 1.0 + r_at_rate
            jobs += 1
            total += rates[k]
            if total * (1.0 - RELATIVE_TOLERANCE) > arrival_rate:
                slack = total - arrival_rate
                waiting = passed / slack
                mean = (service + waiting * (jobs + total / slack)) / (1.0 + waiting * arrival_rate)
                if mean < best:
                    best, best_jobs = mean, jobs
                if passed < NEGLIGIBLE:
                    return best, best_jobs
    return best, best_jobs


@kernel
def _nodes(
    scale: float, slowest: float, arrival_rate: float, nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Chebyshev nodes in t = log(1 + A/s), A = λ + ν, their barycentric weights, and s in units of λ."""
    span = np.log1p(scale / slowest)
    points = np.empty(nodes)
    weights = np.empty(nodes)
    s = np.empty(nodes)
    for i in range(nodes):
        points[i] = span * (1.0 - np.cos(np.pi * i / (nodes - 1))) / 2.0
        weights[i] = (1.0 if i % 2 == 0 else -1.0) / (2.0 if i in (0, nodes - 1) else 1.0)
        s[i] = scale / np.expm1(points[i]) / arrival_rate if i else np.inf
    return points, weights, s


@kernel
def _interpolate(
    points: NDArray[np.float64], weights: NDArray[np.float64], t: float, at: NDArray[np.float64], row: int
) -> None:
    """Write into a row the weights of the values at the nodes in the interpolated value at t."""
    total = 0.0
    for i in range(points.size):
        distance = t - points[i]
        if distance == 0.0:
            for k in range(points.size):
                at[row, k] = 1.0 if k == i else 0.0
            return
        at[row, i] = weights[i] / distance
        total += at[row, i]
    share = 1.0 / total
    for i in range(points.size):
        at[row, i] *= share


@kernel
def _dot(at: NDArray[np.float64], row: int, f: NDArray[np.float64]) -> float:
    """Interpolated value of a function that is 0 at the first node; a loop, since a call of BLAS would take longer."""
    total = 0.0
    for i in range(1, f.size):
        total += at[row, i] * f[i]
    return total
