"""The response time of JFFC once more, by other formulas than the ones that the answers are computed with.

Theorem 4 in log space; and the loss system chain by chain with Takács' closed form for the overflow of a group of equal
servers, where the product evaluates Palm's recursion server by server.

References
----------
L. Takács, On a probability problem concerning telephone traffic, Acta Math. Acad. Sci. Hung. 8 (1957).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MOST_JOB_SERVERS = 200_000
_PIECE = 2_000
_NODES = 80
_LEAST_LOG = -745.0
_LOG_FACTORIALS = np.array([math.lgamma(n + 1) for n in range(_PIECE + 1)])


class Response(NamedTuple):
    """Means in seconds; shares of jobs per chain that start at once, and that start after a wait."""

    waiting_probability: float
    mean_waiting: float
    mean_service: float
    at_once: NDArray[np.float64]
    after_wait: NDArray[np.float64]


class TooLargeError(Exception):
    """More job servers are busy at times than can be recomputed."""


def bounds(rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float) -> tuple[float, float]:
    """Theorem 4, rates by decreasing value."""
    total = float(np.sum(rates * capacities))
    return (
        _birth_death(rates, capacities, total, arrival_rate) / arrival_rate,
        _birth_death(rates[::-1], capacities[::-1], total, arrival_rate) / arrival_rate,
    )


def _birth_death(rates: NDArray[np.float64], capacities: NDArray[np.int64], total: float, arrival_rate: float) -> float:
    """Mean number of jobs if they occupy the chains in this order, served at rate ν where all job servers are busy."""
    log_weights, numbers = [np.zeros(1)], [np.zeros(1)]
    served = 0.0
    for _, rate, count in _pieces(rates, capacities):
        n = np.arange(1, count + 1)
        log_weights.append(log_weights[-1][-1] + np.cumsum(np.log(arrival_rate / (served + rate * n))))
        numbers.append(numbers[-1][-1] + n)
        served += rate * count
        if log_weights[-1][-1] < np.max([part.max() for part in log_weights]) + _LEAST_LOG:
            break  # more jobs than these are never seen
    weights, n = np.concatenate(log_weights), np.concatenate(numbers)
    idle = (total - arrival_rate) / total
    weights[-1] -= np.log(idle)  # the tail n >= C has the mass φ_C / (1 - ρ) and the mean C + ρ / (1 - ρ)
    shares = np.exp(weights - np.logaddexp.reduce(weights))
    return float(np.sum(shares * n) + shares[-1] * (1 - idle) / idle)


def _pieces(rates: NDArray[np.float64], capacities: NDArray[np.int64]) -> Iterator[tuple[int, float, int]]:
    """Chain, rate and number of equal servers: the chains, cut into groups of equal servers that are not too large.

    Raises
    ------
    TooLargeError
        Where there are too many.
    """
    seen = 0
    for k, (rate, capacity) in enumerate(zip(rates.tolist(), capacities.tolist(), strict=True)):
        while capacity > 0:
            if seen >= MOST_JOB_SERVERS:
                raise TooLargeError(f"more than {MOST_JOB_SERVERS:,} job servers are busy at times: not recomputed")
            piece = min(capacity, _PIECE)
            yield k, rate, piece
            capacity -= piece
            seen += piece


def response(rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float) -> Response:
    """JFFC, rates by decreasing value, load below 1."""
    total = float(np.sum(rates * capacities))
    idle = (total - arrival_rate) / total
    carried, blocking = _loss_system(rates, capacities, arrival_rate)
    norm = 1 + blocking * (1 - idle) / idle
    waiting = blocking / idle / norm
    at_once, after_wait = carried / norm, waiting * capacities * rates / total
    mean_service = float(np.sum((at_once + after_wait) / rates))
    return Response(waiting, waiting / (total - arrival_rate), mean_service, at_once, after_wait)


def tail(answer: Response, rates: NDArray[np.float64], slack: float, time: float) -> float:
    """P(response > time); a wait is exponential of rate `slack` = ν - λ, independent of the chain."""
    both = np.where(
        np.isclose(rates, slack, rtol=1e-6),
        (1 + rates * time) * np.exp(-rates * time),
        (slack * np.exp(-rates * time) - rates * np.exp(-slack * time))
        / np.where(np.isclose(rates, slack, rtol=1e-6), 1.0, slack - rates),
    )
    return float(np.sum(answer.at_once * np.exp(-rates * time) + answer.after_wait * both))


def _loss_system(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float
) -> tuple[NDArray[np.float64], float]:
    """Share of the jobs that each chain carries if jobs that find all servers busy are lost, and the share lost.

    Of a renewal input with r(s) = 1/φ(s) - 1, c equal servers of rate μ lose 1/D_c(μ) and let pass a renewal stream
    with r_c(s) = D_{c+1}(s)/D_c(s) - 1, where D_l(s) = Σ_j binom(l, j) Π_{i<j} r(s + iμ).
    """
    scale = arrival_rate + float(np.sum(rates * capacities))
    span = np.log1p(scale / rates.min())
    points = span * (1 - np.cos(np.pi * np.arange(_NODES) / (_NODES - 1))) / 2
    s = scale / np.expm1(points[1:])
    values = np.zeros(_NODES)  # log(λ r(s) / s) at the points t = log(1 + scale/s), 0 at t = 0
    log_passed = 0.0
    carried = np.zeros(rates.size)
    for k, rate, count in _pieces(rates, capacities):
        if log_passed < _LEAST_LOG:
            break  # nothing is left to carry
        shifts = rate * np.arange(count + 1.0)
        own = _log_sums(_log_r(rate + shifts[:-1], points, values, scale, arrival_rate), count)[0]
        carried[k] += -np.exp(log_passed) * np.expm1(-own)
        log_passed -= own
        fresh = np.zeros(_NODES)
        for i, point in enumerate(s):
            lower, upper = _log_sums(_log_r(point + shifts, points, values, scale, arrival_rate), count)
            fresh[i + 1] = upper - lower + np.log(arrival_rate / point)
        values = fresh
    return carried, float(np.exp(log_passed))


def _log_sums(log_r: NDArray[np.float64], count: int) -> tuple[float, float]:
    """Logarithms of D_c and of D_{c+1} - D_c; the latter only where log r is given up to s + cμ."""
    products = np.concatenate(([0.0], np.cumsum(log_r)))
    factorials = _LOG_FACTORIALS[: count + 1]
    binomial = factorials[-1] - factorials - factorials[::-1]
    lower = float(np.logaddexp.reduce(binomial + products[: count + 1]))
    upper = float(np.logaddexp.reduce(binomial + products[1:])) if products.size > count + 1 else np.nan
    return lower, upper


def _log_r(
    s: NDArray[np.float64], points: NDArray[np.float64], values: NDArray[np.float64], scale: float, arrival_rate: float
) -> NDArray[np.float64]:
    """Log r at these s, by barycentric interpolation."""
    signs = (-1.0) ** np.arange(points.size)
    signs[[0, -1]] /= 2
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = signs / (np.log1p(scale / s)[:, None] - points)
        interpolated = weights @ values / weights.sum(axis=1)
    hit = np.isinf(weights)
    interpolated = np.where(hit.any(axis=1), values[hit.argmax(axis=1)], interpolated)
    result: NDArray[np.float64] = interpolated + np.log(s / arrival_rate)
    return result
