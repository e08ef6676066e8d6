"""Fast and slow job servers with a threshold between them: the exact mean number of jobs.

The fast side has N job servers and the queue, n jobs in all; they leave at the rate f(n), the sum of the first
min(n, N) rates. The slow side has S job servers, of which the first z are busy; jobs leave it at the rate s(z), the sum
of the first z rates. While n - N >= θ_z and z < S the job at the head of the queue moves: (n, z) -> (n - 1, z + 1).
With thresholds that do not fall in z, level z < S therefore has n <= M_z = N + θ_z - 1, and

    arrival            (n, z) -> (n + 1, z) at λ, but (M_z, z) -> (M_z, z + 1),
    fast completion    (n, z) -> (n - 1, z) at f(n),
    slow completion    (n, z) -> (n, z - 1) at s(z) if n <= M_{z-1}, else -> (n - 1, z), the head moves at once.

Level z is entered from below only at n = M_{z-1}, and from above at n <= M_z. So the levels are solved from the top,
one tridiagonal elimination each, in which no term is negative: docs/theory/dispatch.md#the-two-sides.

References
----------
W. K. Grassmann, M. I. Taksar, D. P. Heyman, Regenerative analysis and steady state distributions for Markov chains,
Operations Research 33 (1985). Elimination without subtraction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.chains import stable
from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LARGE = 1e50  # numbers are scaled down from here on, and may grow by a factor of 1e250 at once
_NEVER = 1e-250  # probability below which a level is never left upwards


class TwoSides(NamedTuple):
    """The system.

    Attributes
    ----------
    arrival_rate
        λ, jobs per second.
    servers
        N.
    fast
        f(0), f(1), ..., jobs per second, at least N + 1 of them; the last one is f(n) of all n from there on.
    slow
        s(0), ..., s(S), jobs per second, shape (S + 1,).
    thresholds
        θ_0 <= ... <= θ_{S-1}: jobs that have to wait before slow job server z + 1 takes one, shape (S,).
    """

    arrival_rate: float
    servers: int
    fast: NDArray[np.float64]
    slow: NDArray[np.float64]
    thresholds: NDArray[np.int64]


def mean_jobs(fast_rates: ArrayLike, slow_rates: ArrayLike, thresholds: ArrayLike, arrival_rate: float) -> float:
    """Mean number of jobs in the system, waiting or not.

    Parameters
    ----------
    fast_rates
        Of each job server of the fast side, in the order in which jobs occupy them, jobs per second, shape (N,).
    slow_rates
        Of each job server of the slow side, likewise, shape (S,).
    thresholds
        Jobs that have to wait before each of these takes one, shape (S,), not falling.
    arrival_rate
        λ, jobs per second.

    Raises
    ------
    ValueError
        If a side is empty, a threshold below 1, above the next one or not whole, or λ not positive.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    fast, slow = np.asarray(fast_rates, dtype=np.float64), np.asarray(slow_rates, dtype=np.float64)
    waiting = np.asarray(thresholds)
    if fast.size == 0 or slow.size == 0:
        raise ValueError("expected a job server on either side")
    if waiting.shape != slow.shape or np.any(waiting < 1) or np.any(np.diff(waiting) < 0):
        raise ValueError(f"expected thresholds that start from 1 or more and do not fall, got {waiting}")
    if np.any(waiting != np.floor(waiting)):
        raise ValueError(f"expected whole thresholds, got {waiting}")
    both = np.concatenate((fast, slow))
    stable(both, np.ones(both.size), arrival_rate)
    if arrival_rate == 0:
        raise ValueError("expected an arrival rate above 0")
    system = TwoSides(float(arrival_rate), fast.size, steps(fast), steps(slow), waiting.astype(np.int64))
    level, sums = np.zeros(fast.size + int(waiting[-1])), np.zeros(3)
    solve_levels(system, slow.size, level, sums)
    return float(sums[1] / sums[0])


def steps(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the first 0, 1, ... rates, rounded once: what they leave idle may be little."""
    return np.concatenate(([0.0], np.cumsum(rates, dtype=np.longdouble))).astype(np.float64)


def as_started(sums: NDArray[np.float64], thresholds: NDArray[np.int64]) -> NDArray[np.float64]:
    """f(0), f(1), ... of a fast side whose job servers have thresholds themselves: m + 1 start with n = m + θ_m jobs.

    That is so while n grows; as it falls a job server that has started goes on, which is neglected.

    Parameters
    ----------
    sums
        Sums of the first 0, ..., N rates, shape (N + 1,).
    thresholds
        θ_0 <= ... <= θ_{N-1}, shape (N,); where all are 1 the result is `sums`.
    """
    begins = np.arange(thresholds.size) + thresholds
    return sums[np.searchsorted(begins, np.arange(begins[-1] + 1), side="right")]


@kernel
def solve_levels(system: TwoSides, first: int, level: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Solve the levels first, first - 1, ..., 0, going on from those above.

    Parameters
    ----------
    level
        p_{first+1}(n) for n <= M_{first}; overwritten. Of no concern if `first` is S.
    sums
        Σ p and Σ (n + z) p over the levels so far, to the scale of `level`, and at the end Σ p over the levels above 0,
        shape (3,); updated.
    """
    room = np.empty((3, level.size))
    for z in range(first, 0, -1):
        solve_level(system, z, level, sums, room)
    _solve_lowest(system, level, sums)


@kernel
def solve_level(
    system: TwoSides, z: int, level: NDArray[np.float64], sums: NDArray[np.float64], room: NDArray[np.float64]
) -> None:
    """From p_{z+1} to p_z in place, z >= 1, and scale everything so that p_z adds up to 1.

    Parameters
    ----------
    room
        To work in, shape (3, size of `level`).
    """
    arrival_rate, servers = system.arrival_rate, system.servers
    leaving, highest = system.slow[z], z == system.thresholds.size
    entry = servers + system.thresholds[z - 1] - 1  # M_{z-1}
    top = entry if highest else servers + system.thresholds[z] - 1  # M_z; beyond M_{S-1} level S is a geometric tail
    p, down, out, lone = level[: top + 1], room[0, : top + 1], room[1, : top + 1], room[2, : top + 1]

    drop = _eliminate(arrival_rate, leaving, system.fast, entry, down, out)
    if highest:
        sums[:] = 0.0
        out[top] = drop  # an arrival there comes back
        p[:] = 0.0
        p[top] = 1.0
        _stay(down, out, p)
    else:
        p *= system.slow[z + 1]
        _climb(arrival_rate, 0, out, p)
        _stay(down, out, p)
        lone[:] = 0.0
        lone[entry] = 1.0
        _climb(arrival_rate, entry, out, lone)
        _stay(down, out, lone)
        upwards = arrival_rate * lone[top]
        if upwards < _NEVER:  # then what is above is nothing to what is here
            sums[:] = 0.0
            p[:] = lone
        else:  # x = s Σ (a + x b) over n <= entry, and 1 - s Σ b is what leaves upwards
            p += leaving * np.sum(p[: entry + 1]) / upwards * lone

    mass, jobs = 0.0, 0.0
    for n in range(top + 1):
        mass += p[n]
        jobs += (n + z) * p[n]
    if highest:
        total = system.fast[-1] + leaving
        idle = (total - arrival_rate) / total
        mass += p[top] * (1 - idle) / idle
        jobs += p[top] * ((top + z) * (1 - idle) / idle + (1 - idle) / idle**2)
    sums[0] = sums[0] / mass + 1
    sums[1] = (sums[1] + jobs) / mass
    p /= mass


@kernel
def _eliminate(
    arrival_rate: float,
    leaving: float,
    fast: NDArray[np.float64],
    entry: int,
    down: NDArray[np.float64],
    out: NDArray[np.float64],
) -> float:
    """Write the rates from n to n - 1, and those at which n is left for n + 1 or, sooner, for the level below.

    Returns
    -------
    The rate at which the last n is left for the level below before n + 1.
    """
    drop = 0.0
    for n in range(out.size):
        down[n] = fast[min(n, fast.size - 1)] + (0.0 if n <= entry else leaving)
        drop *= down[n] / (arrival_rate + drop)
        if n <= entry:
            drop += leaving
        out[n] = arrival_rate + drop
    return drop


@kernel
def _climb(arrival_rate: float, first: int, out: NDArray[np.float64], entries: NDArray[np.float64]) -> None:
    """Add to the entries at each n those from below that reach n before they leave the level."""
    for n in range(first + 1, out.size):
        entries[n] += entries[n - 1] * arrival_rate / out[n - 1]


@kernel
def _stay(down: NDArray[np.float64], out: NDArray[np.float64], entries: NDArray[np.float64]) -> None:
    """Turn these into the expected time in each n."""
    entries[-1] /= out[-1]
    for n in range(out.size - 2, -1, -1):
        entries[n] = (entries[n] + down[n + 1] * entries[n + 1]) / out[n]


@kernel
def _solve_lowest(system: TwoSides, level: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Add p_0 to the sums: λ p_0(n) = f(n + 1) p_0(n + 1) + s(1) Σ_{m <= n} p_1(m), downwards from M_0."""
    arrival_rate, fast = system.arrival_rate, system.fast
    top = system.servers + system.thresholds[0] - 1
    level[: top + 1] = system.slow[1] * np.cumsum(level[: top + 1])
    sums[2] = sums[0]
    p, scale = 0.0, 1.0
    for n in range(top, -1, -1):
        p = (level[n] * scale + fast[min(n + 1, fast.size - 1)] * p) / arrival_rate
        if p > _LARGE:
            scale /= p
            sums[:] /= p
            p = 1.0
        sums[0] += p
        sums[1] += n * p
