"""How much overflows the fast job servers where jobs stay where they are served, bounded from below.

JFFC sends a job to the fastest chain with room. So whether the c job servers with times up to τ are all busy does not
depend on slower ones, but for times at which jobs wait: it is a loss system, and a share B_τ of the arrivals find it
full. With at most v(n) jobs per second departing from it while n are there,

    1 / B_τ <= D(c) where D(0) = 1,  D(n) = 1 + v(n) D(n - 1) / λ.

If these c have a total rate R, any n of them are left with v(n) <= R - (c - n) / τ, and v(n) <= V(n) like everything
(:mod:`chainopt.exact.envelope`). So B_τ is bounded by a function of c and R, and that by planes, which are linear in
the numbers of jobs that chains run. Proof: docs/theory/bounds.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SOME, _LARGE = 1e-12, 1e100
_DEPTH = 40
"""Halvings of a range of R."""


class Hunt(NamedTuple):
    """What is known of all compositions that are looked at.

    Attributes
    ----------
    arrival_rate
        λ, jobs per second.
    ceilings
        Of v(0), ..., v(C), the largest rates at which so many jobs are served; C job servers at most.
    low, high
        The least and the largest total rate of all job servers.
    """

    arrival_rate: float
    ceilings: NDArray[np.float64]
    low: float
    high: float


@kernel
def arrivals_per_loss(hunt: Hunt, count: float, rate: float, time_s: float) -> tuple[float, float, float]:
    """D for so many job servers with this total rate and times up to `time_s`, and its derivatives by count and rate.

    Between whole numbers of job servers, which alone mean anything, it is continued in pieces.
    """
    whole = int(np.floor(count + _SOME))
    part = max(count - whole, 0.0)
    total, by_count, by_rate = 1.0, 0.0, 0.0
    last = hunt.ceilings.size - 1
    for i in range(whole + 1):
        n = part + i
        below, above = hunt.ceilings[min(i, last)], hunt.ceilings[min(i + 1, last)]
        v, v_count, v_rate = below + part * (above - below), above - below, 0.0
        left = rate - (count - n) / time_s
        if left <= v + _SOME:
            v, v_count, v_rate = max(left, 0.0), 0.0, 1.0
        by_count = (v_count * total + v * by_count) / hunt.arrival_rate
        by_rate = (v_rate * total + v * by_rate) / hunt.arrival_rate
        total = 1 + v * total / hunt.arrival_rate
    return total, by_count, by_rate


@kernel
def overflow(
    hunt: Hunt, ends_s: NDArray[np.float64], time_s: NDArray[np.float64], jobs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For τ in each of some ranges: c, R, B, and how much B falls with c and with R, shape (5, A).

    Parameters
    ----------
    ends_s
        Where ranges begin and end, growing, shape (A + 1,). The times of all chains are among them, so that c and R do
        not change within a range.
    time_s, jobs
        Of chains in order of time, shape (K,) each.
    """
    found = np.empty((5, ends_s.size - 1))
    count, rate, k = 0.0, 0.0, 0
    for a in range(ends_s.size - 1):
        while k < jobs.size and time_s[k] <= ends_s[a]:
            count += jobs[k]
            rate += jobs[k] / time_s[k]
            k += 1
        total, by_count, by_rate = arrivals_per_loss(hunt, count, rate, ends_s[a + 1])
        found[0, a], found[1, a], found[2, a] = count, rate, 1 / total
        # flat planes do where numbers overflow
        fits = total < _LARGE
        found[3, a], found[4, a] = by_count / total**2 if fits else 0.0, by_rate / total**2 if fits else 0.0
    return found


@kernel
def least_with(
    hunt: Hunt, per_server: float, per_rate: float, begin_s: float, end_s: float, near: int, close: float
) -> float:
    """A lower bound on B_τ + `per_server` c + `per_rate` R over whole c and all R that there can be.

    Parameters
    ----------
    per_rate
        Not negative, so with B falling with R, a range of R is bounded by its ends.
    begin_s, end_s
        For all τ between them: c job servers have at most the time `end_s`, all others at least `begin_s`.
    near
        c to begin with.
    close
        How close.
    """
    most = hunt.ceilings.size - 1
    attained, proven = np.inf, np.inf
    stack = np.empty((2 * _DEPTH, 3))
    for i in range(2 * most + 1):
        # near, near + 1, near - 1, near + 2, ...
        c = near + ((i + 1) // 2 if i % 2 else -(i // 2))
        if not 0 <= c <= most:
            continue
        low = max(c / end_s, hunt.low - (most - c) / begin_s)
        high = min(hunt.ceilings[c], hunt.high)
        if low > high * (1 + _SOME) + _SOME:
            continue
        low = min(low, high)
        stack[0, 0], stack[0, 1], stack[0, 2] = low, high, 1 / arrivals_per_loss(hunt, c, high, end_s)[0]
        count = 1
        while count > 0:
            count -= 1
            a, b, at_b = stack[count, 0], stack[count, 1], stack[count, 2]
            bound = at_b + per_server * c + per_rate * a
            attained = min(attained, at_b + per_server * c + per_rate * b)
            if bound >= proven:
                continue
            if bound >= attained - close or count > 2 * _DEPTH - 2 or b - a <= _SOME * b:
                proven = bound
                continue
            middle = (a + b) / 2
            at_middle = 1 / arrivals_per_loss(hunt, c, middle, end_s)[0]
            stack[count, 0], stack[count, 1], stack[count, 2] = a, middle, at_middle
            stack[count + 1, 0], stack[count + 1, 1], stack[count + 1, 2] = middle, b, at_b
            count += 2
    return proven


def least_waiting(hunt: Hunt) -> float:
    """Lower bound on the probability that jobs wait, q: more than C of them are there.

    With all job servers busy, a job more is there with probability ρ that of one less, so q (1 - ρ) = (1 - q) B ρ.
    """
    count = hunt.ceilings.size - 1
    load = hunt.arrival_rate / hunt.high
    lost = load / arrivals_per_loss(hunt, count, hunt.high, np.inf)[0]
    return float(lost / (1 - load + lost))
