"""Two sides and threshold rules as Markov chains, state by state, and the optimum by value iteration.

Rates and capacities come fastest chain first. With `Fraction` for all rates the results of the Markov chains are exact.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.oracles.queues import Number, stationary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DEPTH = 3  # lengths of the queue beyond all thresholds that are states of their own

State = tuple[int, ...]


def two_sides(
    fast: Sequence[Number], slow: Sequence[Number], thresholds: Sequence[int], arrival_rate: Number
) -> Number:
    """Mean number of jobs with jobs always on the first job servers of each side."""
    fast_servers, slow_servers = len(fast), len(slow)

    def start(state: State) -> State:
        n, z = state
        while z < slow_servers and n - fast_servers >= thresholds[z]:
            n, z = n - 1, z + 1
        return n, z

    def completions(state: State) -> list[tuple[Number, State]]:
        n, z = state
        return [(sum(fast[:n]), (n - 1, z))] * (n > 0) + [(sum(slow[:z]), (n, z - 1))] * (z > 0)

    longest = fast_servers + max(thresholds) + _DEPTH
    states = [(n, z) for n in range(longest + 1) for z in range(slow_servers + 1) if start((n, z)) == (n, z)]
    return _mean_jobs(
        states, start, lambda x: (x[0] + 1, x[1]), completions, (longest, slow_servers), arrival_rate, sum
    )


def threshold_rule(
    rates: Sequence[Number], capacities: Sequence[int], arrival_rate: Number, thresholds: Sequence[int]
) -> Number:
    """Mean response time when the fastest free chain k starts a job once `thresholds[k]` wait; states (q, z)."""
    chains = range(len(rates))

    def start(state: State) -> State:
        while True:
            k = next((k for k in chains if state[1 + k] < capacities[k]), None)
            if k is None or state[0] < thresholds[k]:
                return state
            state = (state[0] - 1, *(state[1 + i] + (i == k) for i in chains))

    def completions(state: State) -> list[tuple[Number, State]]:
        return [
            (rates[k] * state[1 + k], (state[0], *(state[1 + i] - (i == k) for i in chains)))
            for k in chains
            if state[1 + k]
        ]

    longest = max(thresholds) + _DEPTH
    states = [x for x in product(range(longest + 1), *(range(c + 1) for c in capacities)) if start(x) == x]
    jobs = _mean_jobs(
        states, start, lambda x: (x[0] + 1, *x[1:]), completions, (longest, *capacities), arrival_rate, sum
    )
    return jobs / arrival_rate


def _mean_jobs(
    states: Sequence[State],
    start: Callable[[State], State],
    arrival: Callable[[State], State],
    completions: Callable[[State], list[tuple[Number, State]]],
    last: State,
    arrival_rate: Number,
    jobs: Callable[[State], int],
) -> Number:
    """Solve the balance equations; beyond `last`, where all job servers are busy, the tail is geometric."""
    index = {state: i for i, state in enumerate(states)}
    exact = isinstance(arrival_rate, Fraction)
    flow: np.ndarray[Any, Any] = np.full(
        (len(states),) * 2, Fraction(0) if exact else 0.0, dtype=object if exact else float
    )
    for state, i in index.items():
        if state != last:
            flow[i, index[start(arrival(state))]] += arrival_rate
        for rate, after in completions(state):
            flow[i, index[start(after)]] += rate
    measure = stationary(flow)
    load = arrival_rate / sum(rate for rate, _ in completions(last))
    tail = measure[index[last]] * load / (1 - load)
    mass = sum(measure) + tail
    total = sum(p * jobs(x) for x, p in zip(states, measure, strict=True)) + tail * (jobs(last) + 1 / (1 - load))
    return total / mass


def value_iteration(rates: Sequence[float], capacities: Sequence[int], arrival_rate: float, longest: int) -> float:
    """Mean number of jobs under the optimal rule; with more than `longest` jobs waiting arrivals are lost.

    V(x) is the least cost of some more events of the uniform chain; the mean lies between the least and the most that
    one more costs, and they are made to meet.
    """
    sizes = tuple(c + 1 for c in capacities)
    busy = np.indices(sizes)
    jobs = np.arange(longest + 1).reshape(-1, *(1 for _ in sizes)) + busy.sum(axis=0)
    pace = arrival_rate + float(np.dot(rates, capacities))
    value = np.zeros(jobs.shape)
    change = np.array([0.0, math.inf])
    while np.ptp(change) > 1e-8 * change.min():
        after = arrival_rate * np.concatenate((value[1:], value[-1:]))
        idle = pace - arrival_rate
        for k, rate in enumerate(rates):
            after += rate * busy[k] * np.roll(value, 1, axis=1 + k)  # rolled over only where the factor is 0
            idle = idle - rate * busy[k]
        new = (jobs + after + idle * value) / pace
        for q in range(1, longest + 1):
            for k, capacity in enumerate(capacities):
                free = tuple(slice(0, capacity) if i == k else slice(None) for i in range(len(sizes)))
                more = tuple(slice(1, None) if i == k else slice(None) for i in range(len(sizes)))
                new[q][free] = np.minimum(new[q][free], new[q - 1][more])
        change = (new - value) * pace
        value = new - new.flat[0]
    return float(change.min())
