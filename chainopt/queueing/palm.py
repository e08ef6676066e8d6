"""Palm's recursion, evaluated by interpolation: one step for each job server.

With r_l(s) = 1/φ_l(s) - 1, φ_l the transform of the time between overflows of the first l job servers, and m the rate
of the next one: r_0(s) = s/λ and

    r_{l+1}(s) = r_l(s) / (1 + r_l(s)) · (1 + r_l(s + m)).

Every term is positive, so nothing cancels. The function f_l(s) = log(λ r_l(s) / s), which vanishes at infinity, is kept
by its values at Chebyshev nodes in t = log(1 + A/s), A = λ + ν, and interpolated in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_LOG = -745.0
"""The exponential function of less is 0 in double precision."""


class Overflow(NamedTuple):
    """The overflow of the job servers so far, and what it takes to go on.

    Attributes
    ----------
    arrival_rate, scale
        λ and A.
    points, weights
        Nodes in t, ascending from 0, and their barycentric weights.
    s
        Nodes in s, descending from infinity.
    f
        f_l at the nodes.
    at_rate, at_shift
        Interpolation at m, and at s + m for every node, for the rate m of the job servers that are added next.
    shifted
        Room for f_l(s + m).
    """

    arrival_rate: float
    scale: float
    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    s: NDArray[np.float64]
    f: NDArray[np.float64]
    at_rate: NDArray[np.float64]
    at_shift: NDArray[np.float64]
    shifted: NDArray[np.float64]


@kernel
def no_servers(rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float, nodes: int) -> Overflow:
    """Overflow of no job server at all, all the traffic, with nodes that suit these chains."""
    scale, slowest = arrival_rate, np.inf
    for k in range(rates.size):
        if capacities[k] > 0:
            scale += rates[k] * capacities[k]
            slowest = min(slowest, rates[k])
    span = np.log1p(scale / slowest)
    points = np.empty(nodes)  # t = 0, where s is infinite, up to the least rate
    weights = np.empty(nodes)
    s = np.empty(nodes)
    for i in range(nodes):
        points[i] = span * (1 - np.cos(np.pi * i / (nodes - 1))) / 2
        weights[i] = (-1.0) ** i / (2 if i in (0, nodes - 1) else 1)
        s[i] = scale / np.expm1(points[i])
    return Overflow(
        arrival_rate,
        scale,
        points,
        weights,
        s,
        np.zeros(nodes),
        np.empty(nodes),
        np.empty((nodes, nodes)),
        np.empty(nodes),
    )


@kernel
def next_rate(overflow: Overflow, rate: float) -> None:
    """Make ready for job servers of this rate."""
    _interpolate(overflow, np.log1p(overflow.scale / rate), overflow.at_rate)
    for i in range(1, overflow.s.size):
        _interpolate(overflow, np.log1p(overflow.scale / (overflow.s[i] + rate)), overflow.at_shift[i])


@kernel
def add_server(overflow: Overflow, rate: float) -> float:
    """Add a job server of the rate made ready for, and return r_l(m) from before: it lets pass 1 / (1 + r_l(m))."""
    s, f, shifted, arrival_rate = overflow.s, overflow.f, overflow.shifted, overflow.arrival_rate
    r: float = rate / arrival_rate * np.exp(np.dot(overflow.at_rate, f))
    for i in range(1, s.size):
        shifted[i] = np.dot(overflow.at_shift[i], f)
    for i in range(1, s.size):
        f[i] += np.log1p((s[i] + rate) / arrival_rate * np.exp(shifted[i])) - np.log1p(
            s[i] / arrival_rate * np.exp(f[i])
        )
    return r


@kernel
def _interpolate(overflow: Overflow, at: float, row: NDArray[np.float64]) -> None:
    """Write into `row` the weights of the values at the nodes in the interpolated value at `at` (barycentric)."""
    points = overflow.points
    total = 0.0
    for i in range(points.size):
        distance = at - points[i]
        if distance == 0:
            for k in range(points.size):
                row[k] = 1.0 if k == i else 0.0
            return
        row[i] = overflow.weights[i] / distance
        total += row[i]
    for i in range(points.size):
        row[i] /= total
