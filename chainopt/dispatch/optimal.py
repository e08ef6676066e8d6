"""The optimal dispatch of small systems by policy iteration, and the exact response time of any thresholds.

Jobs are exponential and arrivals Poisson, so what is optimal depends on the jobs that wait and run alone. A rule is
improved where it pays to decide otherwise once and follow the rule from then on; a rule that cannot be improved is
optimal (Howard). docs/theory/dispatch.md#small-systems.

References
----------
R. A. Howard, Dynamic Programming and Markov Processes, MIT Press (1960).
M. L. Puterman, Markov Decision Processes, Wiley (1994), section 8.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import stable
from chainopt.dispatch.coordinated import coordinated_thresholds
from chainopt.dispatch.policy import WAIT, SmallSystem, Values, evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from chainopt.chains import Chains

_GAIN = 1e-10  # least relative improvement that counts; rounding errors are less


@dataclass(frozen=True, eq=False)
class OptimalDispatch:
    """The best rule there is.

    Attributes
    ----------
    mean_response_time_s
        Of this rule.
    decisions
        Chain that starts the job at the head of the queue, or -1 to wait, by the jobs that wait (that one included) and
        the jobs that run at each chain, shape (Q + 1, c_1 + 1, ..., c_K + 1). With more than Q jobs waiting the fastest
        free chain starts one.
    iterations
        Rules that were evaluated.
    """

    mean_response_time_s: float
    decisions: NDArray[np.int64]
    iterations: int

    @property
    def states(self) -> int:
        """Number of states."""
        return self.decisions.size

    @property
    def longest_queue(self) -> int:
        """Q, the most jobs that wait while a job server is free."""
        return len(self.decisions) - 1


def optimal_dispatch(
    rates: ArrayLike, capacities: ArrayLike, arrival_rate: float, *, longest_queue: int | None = None
) -> OptimalDispatch:
    """The rule with the smallest mean response time, under Poisson arrivals and exponential sizes.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,), in any order.
    capacities
        c_k, shape (K,); chains of capacity 0 serve nothing.
    arrival_rate
        λ, jobs per second, above 0.
    longest_queue
        Q: with more jobs waiting a free job server must take one. Without it, Q is doubled until the best rule does not
        wait with Q jobs either.

    Raises
    ------
    ValueError
        If the arguments are not rates, capacities and an arrival rate above 0, or the states too many.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    chains = _chains(rates, capacities, arrival_rate)
    if longest_queue is not None and longest_queue < 0:
        raise ValueError(f"expected a longest queue of at least 0, got {longest_queue}")
    first = coordinated_thresholds(chains.rates, chains.capacities, arrival_rate)
    system = SmallSystem(chains, float(arrival_rate), int(first.max()) if longest_queue is None else longest_queue)
    decisions = system.by_thresholds(first)
    iterations = 0
    while True:
        values = evaluate(system, decisions)
        iterations += 1
        better = _improved(system, decisions, values)
        if not np.array_equal(better, decisions):
            decisions = better
            continue
        if longest_queue is not None or not np.any((decisions[-1] == WAIT) & (system.fastest_free != WAIT)):
            break
        longer = np.tile(decisions[-1], (system.longest_queue, 1))
        system = SmallSystem(chains, system.arrival_rate, 2 * system.longest_queue)
        decisions = np.vstack((decisions, longer))
    table = _as_given(chains, decisions, len(np.asarray(capacities)))
    return OptimalDispatch(values.mean_jobs / system.arrival_rate, table, iterations)


def threshold_response_time(
    rates: ArrayLike, capacities: ArrayLike, arrival_rate: float, thresholds: ArrayLike
) -> float:
    """Exact mean response time of a small system under thresholds, seconds.

    Parameters
    ----------
    rates, capacities, arrival_rate
        As of :func:`optimal_dispatch`.
    thresholds
        Jobs that have to wait, the one at the head included, before a chain that is the fastest free one starts it,
        shape (K,); 1 for the fastest chain.

    Raises
    ------
    ValueError
        Also if thresholds are not whole numbers from 1, or the fastest chain's is not 1.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    chains = _chains(rates, capacities, arrival_rate)
    given = np.asarray(thresholds)
    if given.shape != np.shape(capacities) or np.any(given < 1) or np.any(given != np.floor(given)):
        raise ValueError(f"expected a whole threshold of at least 1 for each chain, got {given}")
    waiting = given[chains.order].astype(np.int64)
    if waiting[0] != 1:
        raise ValueError(f"expected threshold 1 for the fastest chain, got {waiting[0]}")
    system = SmallSystem(chains, float(arrival_rate), int(waiting.max()) - 1)
    return evaluate(system, system.by_thresholds(waiting)).mean_jobs / system.arrival_rate


def _chains(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> Chains:
    chains = stable(rates, capacities, arrival_rate)
    if arrival_rate == 0:
        raise ValueError("expected an arrival rate above 0")
    return chains


def _improved(system: SmallSystem, decisions: NDArray[np.int64], values: Values) -> NDArray[np.int64]:
    """For each state the decision that costs least if the rule is followed afterwards; the rule's own if none is less.

    To wait costs (jobs - mean + Σ_y rate(x, y) h(y)) / Σ_y rate(x, y), to start a job at k what (q - 1, z + e_k) costs.
    The latter takes no time, so "afterwards" begins after all that start at once: costs are improved in order of q.
    """
    chains, h = system.chains, values.relative
    running = system.busy.sum(axis=0)
    pace = system.arrival_rate + chains.rates @ system.busy
    place = np.arange(running.size)
    better, cheapest = decisions.copy(), h.copy()
    for q in range(1, system.longest_queue + 1):
        wait = q + running - values.mean_jobs + system.arrival_rate * h[q + 1]
        for k, rate in enumerate(chains.rates):
            some = system.busy[k] > 0
            wait[some] += rate * system.busy[k, some] * h[q, place[some] - system.strides[k]]
        least = cheapest[q]
        margin = _GAIN * (np.abs(least) + values.mean_jobs / system.arrival_rate)
        for k in range(-1, chains.rates.size):
            cost = np.full(running.size, np.inf)
            if k == WAIT:
                cost = wait / pace
            else:
                cost[system.free[k]] = cheapest[q - 1, place[system.free[k]] + system.strides[k]]
            less = cost < least - margin
            least[less] = cost[less]
            better[q, less] = k
    return better


def _as_given(chains: Chains, decisions: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """From chains fastest first, those with capacity, to chains as they were given."""
    sizes: Sequence[int] = [int(c) + 1 for c in chains.capacities]
    names = np.append(chains.order, WAIT)
    table = names[decisions].reshape(len(decisions), *sizes)
    table = table.transpose(0, *(1 + np.argsort(chains.order)))
    empty = [1 + k for k in range(count) if k not in chains.order]
    return np.expand_dims(table, tuple(empty)).astype(np.int64)
