"""JFFC as a Markov chain, Palm's recursion on a lattice, Erlang's formula and Theorem 4, in fractions or in floats.

Every function takes rates and capacities with the fastest chain first. With `Fraction` for the rates and the arrival
rate the results are exact; with floats, no sum has terms of both signs, so they are good to about the last digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import exp, fsum, log, log1p
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import expm

if TYPE_CHECKING:
    from collections.abc import Sequence

Number = Any
"""float or Fraction, the same throughout a call."""

_DEPTH = 3  # lengths of the queue that the Markov chain has as states of their own


@dataclass(frozen=True)
class Steady:
    """Steady state of JFFC.

    Attributes
    ----------
    mean_jobs
        E[N]; by Little's law λ times the mean response time.
    waiting
        Probability that all job servers are busy.
    shares
        Departure rate of each chain over λ.
    chosen
        Probability that an arrival finds chain k to be the fastest that is free.
    """

    mean_jobs: Number
    waiting: Number
    shares: list[Number]
    chosen: list[Number]


def slack(rates: Sequence[Number], capacities: Sequence[int], arrival_rate: Number) -> Number:
    """1 - ρ, rounded once."""
    total = sum((Fraction(m) * c for m, c in zip(rates, capacities, strict=True)), Fraction(0))
    result = 1 - Fraction(arrival_rate) / total
    return result if isinstance(arrival_rate, Fraction) else float(result)


def stationary(flow: np.ndarray[Any, Any]) -> list[Number]:
    """Stationary measure of a Markov chain from its transition rates, by elimination without subtraction (GTH)."""
    flow = flow.copy()
    size = len(flow)
    for n in range(size - 1, 0, -1):
        flow[:n, n] = flow[:n, n] / flow[n, :n].sum()
        flow[:n, :n] += np.outer(flow[:n, n], flow[n, :n])
    measure = np.ones(size, dtype=flow.dtype)
    for n in range(1, size):
        measure[n] = (measure[:n] * flow[:n, n]).sum()
    return list(measure)


def markov_chain(rates: Sequence[Number], capacities: Sequence[int], arrival_rate: Number) -> Steady:
    """Steady state of JFFC from its balance equations.

    States are the jobs at each chain while one is free, then the lengths of the queue. Beyond `_DEPTH` the flow
    across each level, λ up and ν down, makes the queue geometric.
    """
    chains = range(len(rates))
    one = Fraction(1) if isinstance(arrival_rate, Fraction) else 1.0
    total = sum(m * c for m, c in zip(rates, capacities, strict=True))
    states = list(product(*(range(c + 1) for c in capacities)))
    index = {state: i for i, state in enumerate(states)}
    size = len(states) + _DEPTH
    flow = np.full((size, size), one * 0, dtype=object if isinstance(one, Fraction) else float)

    def fastest_free(state: tuple[int, ...]) -> int | None:
        return next((k for k in chains if state[k] < capacities[k]), None)

    for state, i in index.items():
        k = fastest_free(state)
        if k is not None:
            flow[i, index[(*state[:k], state[k] + 1, *state[k + 1 :])]] += arrival_rate
        for k in chains:
            if state[k]:
                flow[i, index[(*state[:k], state[k] - 1, *state[k + 1 :])]] += rates[k] * state[k]
    for i in range(len(states) - 1, size - 1):
        flow[i, i + 1] += arrival_rate
        flow[i + 1, i] += total
    measure = stationary(flow)

    idle = slack(rates, capacities, arrival_rate)
    load = arrival_rate / total
    beyond = measure[-1] * load / idle
    servers = sum(capacities)
    jobs_beyond = measure[-1] * ((servers + _DEPTH) * load / idle + load / idle**2)
    mass = sum(measure) + beyond
    queued = sum(measure[len(states) :]) + beyond
    jobs = sum(p * sum(state) for p, state in zip(measure[: len(states)], states, strict=True))
    jobs += sum(p * (servers + q) for q, p in enumerate(measure[len(states) :], 1)) + jobs_beyond
    busy = [
        sum(p * state[k] for p, state in zip(measure[: len(states)], states, strict=True)) + queued * capacities[k]
        for k in chains
    ]
    found = [
        sum(p for p, state in zip(measure[: len(states)], states, strict=True) if fastest_free(state) == k)
        for k in chains
    ]
    return Steady(
        jobs / mass,
        (measure[len(states) - 1] + queued) / mass,
        [m * n / mass / arrival_rate for m, n in zip(rates, busy, strict=True)],
        [p / mass for p in found],
    )


def response_tail(rates: Sequence[float], capacities: Sequence[int], arrival_rate: float, time: float) -> float:
    """P(response > time): follow one job through a Markov chain that ends when the job does.

    A job that finds n jobs in the queue starts n + 1 departures from service; whichever server ends then takes it.
    The queue is cut where fewer than 1e-16 of the jobs find it so long.
    """
    steady = markov_chain(rates, capacities, arrival_rate)
    total = sum(m * c for m, c in zip(rates, capacities, strict=True))
    load = arrival_rate / total
    longest = int(log(1e-16) / log(load)) + 2
    chains = len(rates)
    size = chains + longest
    rate = np.zeros((size, size))
    begin = np.zeros(size)
    for k in range(chains):
        rate[k, k] = -rates[k]
        rate[chains, k] = rates[k] * capacities[k]
        begin[k] = steady.chosen[k]
    for n in range(longest):
        rate[chains + n, chains + n] -= total
        if n:
            rate[chains + n, chains + n - 1] = total
        begin[chains + n] = steady.waiting * (1 - load) * load**n
    return float((begin @ expm(rate * time)).sum())


def lattice(rates: Sequence[int], capacities: Sequence[int], arrival_rate: Number) -> Steady:
    """Palm's recursion for whole-numbered rates, at every whole s that it can ask for; no interpolation.

    r_0(s) = s/λ and r_{l+1}(s) = r_l(s) / (1 + r_l(s)) · (1 + r_l(s + m)), where r_l = 1/φ_l - 1.
    """
    one = Fraction(1) if isinstance(arrival_rate, Fraction) else 1.0
    total = sum(m * c for m, c in zip(rates, capacities, strict=True))
    r = np.array([s * one / arrival_rate for s in range(total + max(rates) + 1)])
    carried = []
    log_overflow, overflow = 0.0, one
    for m, capacity in zip(rates, capacities, strict=True):
        share = one * 0
        for _ in range(capacity):
            share += overflow * r[m] / (1 + r[m])
            log_overflow -= log1p(r[m])
            overflow = overflow / (1 + r[m]) if isinstance(one, Fraction) else exp(log_overflow)
            r = r[:-m] / (1 + r[:-m]) * (1 + r[m:])
        carried.append(share)
    return assemble(rates, capacities, arrival_rate, carried, overflow)


def assemble(
    rates: Sequence[Number],
    capacities: Sequence[int],
    arrival_rate: Number,
    carried: Sequence[Number],
    overflow: Number,
) -> Steady:
    """From the loss system, where `carried` and `overflow` are shares of the jobs, to the system with a queue."""
    total = sum(m * c for m, c in zip(rates, capacities, strict=True))
    idle, load = slack(rates, capacities, arrival_rate), arrival_rate / total
    weight = 1 + overflow * load / idle
    jobs = sum(arrival_rate * share / m for share, m in zip(carried, rates, strict=True))
    jobs += overflow * (sum(capacities) * load / idle + load / idle**2)
    waiting = overflow / (idle * weight)
    return Steady(
        jobs / weight,
        waiting,
        [s / weight + waiting * c * m / total for s, c, m in zip(carried, capacities, rates, strict=True)],
        [s / weight for s in carried],
    )


def waiting_in_mmc(servers: int, rate: Number, arrival_rate: Number) -> Number:
    """Erlang's C: probability of waiting with so many equal servers, from his recursion for the loss probability."""
    offered = arrival_rate / rate
    lost = Fraction(1) if isinstance(arrival_rate, Fraction) else 1.0
    for n in range(1, servers + 1):
        lost = offered * lost / (n + offered * lost)
    idle = slack([rate], [servers], arrival_rate)
    return lost / (idle + lost * (1 - idle))


def birth_death_jobs(rates: Sequence[Fraction], capacities: Sequence[int], arrival_rate: Fraction) -> Fraction:
    """Mean number of jobs when n jobs occupy the first n job servers in this order [Theorem 4]."""
    death = [Fraction(0)]
    for m, capacity in zip(rates, capacities, strict=True):
        for _ in range(capacity):
            death.append(death[-1] + m)
    phi = [Fraction(1)]
    for rate in death[1:]:
        phi.append(phi[-1] * arrival_rate / rate)
    load, servers = arrival_rate / death[-1], len(death) - 1
    mass = sum(phi[:-1], Fraction(0)) + phi[-1] / (1 - load)
    jobs = sum((n * p for n, p in enumerate(phi[:-1])), Fraction(0))
    return (jobs + phi[-1] * (load / (1 - load) ** 2 + servers / (1 - load))) / mass


def birth_death_jobs_by_logarithms(rates: Sequence[float], capacities: Sequence[int], arrival_rate: float) -> float:
    """The same in floats for any number of job servers: logarithms of φ_n, the largest taken off before exp."""
    idle = slack(rates, capacities, arrival_rate)
    death = Fraction(0)
    logs = [0.0]
    for m, capacity in zip(rates, capacities, strict=True):
        for _ in range(capacity):
            death += Fraction(m)
            logs.append(logs[-1] + log(arrival_rate / float(death)))
    top = max(logs)
    phi = [exp(value - top) for value in logs]
    load, servers = 1 - idle, len(logs) - 1
    mass = fsum([*phi[:-1], phi[-1] / idle])
    jobs = fsum(n * p for n, p in enumerate(phi[:-1]))
    return float((jobs + phi[-1] * (load / idle**2 + servers / idle)) / mass)
