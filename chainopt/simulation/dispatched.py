"""A queue for each chain, and a policy that sends each job to one of them when it comes, for good (PROBLEM, section 6).

Then the start of a job is known at its arrival: when the first job server of its chain is done with what it has. Only
the number of jobs at each chain, by which the next job is sent, needs the departures in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel
from chainopt.simulation.central import service_time
from chainopt.simulation.heap import drop_first, push

if TYPE_CHECKING:
    from numpy.typing import NDArray

JSQ, SA_JSQ, JIQ, SED, RANDOM, SPLIT = range(6)


class Dispatched(NamedTuple):
    """The chains, as they were given, and what is going on in them.

    Attributes
    ----------
    pace
        Seconds for each unit of a demand, shape (K, D).
    rates, capacities
        μ_k and c_k >= 1, shape (K,).
    shares, up_to
        c_k μ_k / ν, and the sums of c_k μ_k up to and with each chain, shape (K,).
    fastest_first
        Order of the chains by decreasing rate, shape (K,).
    credit
        What the split owes each chain, shape (K,).
    at_chain
        Z_k, jobs that wait or run at each chain, shape (K,).
    first_server
        Where the job servers of a chain stand in `done_s`, shape (K + 1,).
    done_s
        For each chain a heap of the times at which its job servers are done with what they have.
    end_s, end_chain
        Heap of departures to come.
    sizes
        Of this heap, shape (1,).
    """

    pace: NDArray[np.float64]
    rates: NDArray[np.float64]
    capacities: NDArray[np.int64]
    shares: NDArray[np.float64]
    up_to: NDArray[np.float64]
    fastest_first: NDArray[np.int64]
    credit: NDArray[np.float64]
    at_chain: NDArray[np.int64]
    first_server: NDArray[np.int64]
    done_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    end_chain: NDArray[np.int64]
    sizes: NDArray[np.int64]


@kernel
def serve_dispatched(
    system: Dispatched,
    policy: int,
    arrivals: NDArray[np.float64],
    demands: NDArray[np.float64],
    choices: NDArray[np.float64],
    start: NDArray[np.float64],
    departure: NDArray[np.float64],
    chain: NDArray[np.int64],
) -> None:
    """Serve jobs; all of them are sent, and their times are known.

    Parameters
    ----------
    choices
        A number from [0, 1) for each job, which decides whatever is left to chance, shape (n,).
    """
    pace, rates, capacities, up_to = system.pace, system.rates, system.capacities, system.up_to
    at_chain, first_server, done_s = system.at_chain, system.first_server, system.done_s
    end_s, end_chain, in_system = system.end_s, system.end_chain, system.sizes[0]
    for i in range(arrivals.size):
        now = arrivals[i]
        while in_system > 0 and end_s[0] <= now:
            at_chain[end_chain[0]] -= 1
            drop_first(end_s, end_chain, in_system)
            in_system -= 1
        if policy == JSQ:
            k = shortest_queue(at_chain, capacities, choices[i])
        elif policy == SA_JSQ:
            k = shortest_queue_of_fastest(at_chain, capacities, system.fastest_first)
        elif policy == JIQ:
            k = idle_chain(at_chain, capacities, choices[i])
        elif policy == SED:
            k = shortest_expected_delay(at_chain, capacities, rates)
        elif policy == RANDOM:
            k = min(np.searchsorted(up_to, choices[i] * up_to[-1], side="right"), rates.size - 1)
        else:
            k = largest_credit(system.credit, system.shares)
        at_chain[k] += 1
        servers = done_s[first_server[k] : first_server[k + 1]]
        begin = max(now, servers[0])
        end = begin + service_time(demands, i, pace, k)
        _next_done(servers, end)
        push(end_s, end_chain, in_system, end, k)
        in_system += 1
        start[i], departure[i], chain[i] = begin, end, k
    system.sizes[0] = in_system


@kernel
def excess(at_chain: NDArray[np.int64], capacities: NDArray[np.int64], k: int) -> float:
    """(Z_k - c_k + 1)^+ / c_k, by which JSQ and SA-JSQ compare chains."""
    waiting = at_chain[k] - capacities[k] + 1
    return waiting / capacities[k] if waiting > 0 else 0.0


@kernel
def shortest_queue(at_chain: NDArray[np.int64], capacities: NDArray[np.int64], choice: float) -> int:
    """JSQ: the chain of least excess, ties at random."""
    least, ties, best = np.inf, 0, 0
    for k in range(capacities.size):
        score = excess(at_chain, capacities, k)
        if score < least:
            least, ties, best = score, 1, k
        elif score == least:
            ties += 1
    skip = int(choice * ties)
    for k in range(best, capacities.size):
        if excess(at_chain, capacities, k) == least:
            if skip == 0:
                return k
            skip -= 1
    return best


@kernel
def shortest_queue_of_fastest(
    at_chain: NDArray[np.int64], capacities: NDArray[np.int64], fastest_first: NDArray[np.int64]
) -> int:
    """SA-JSQ: the chain of least excess, ties to the fastest."""
    least, best = np.inf, 0
    for i in range(fastest_first.size):
        k: int = fastest_first[i]
        score = excess(at_chain, capacities, k)
        if score == 0:
            return k
        if score < least:
            least, best = score, k
    return best


@kernel
def idle_chain(at_chain: NDArray[np.int64], capacities: NDArray[np.int64], choice: float) -> int:
    """JIQ: one of the chains with Z_k < c_k at random, else any chain at random."""
    idle = 0
    for k in range(capacities.size):
        if at_chain[k] < capacities[k]:
            idle += 1
    if idle == 0:
        return int(choice * capacities.size)
    skip = int(choice * idle)
    for k in range(capacities.size):
        if at_chain[k] < capacities[k]:
            if skip == 0:
                return k
            skip -= 1
    return 0


@kernel
def shortest_expected_delay(
    at_chain: NDArray[np.int64], capacities: NDArray[np.int64], rates: NDArray[np.float64]
) -> int:
    """SED: argmin 1/μ_k + (Z_k - c_k + 1)^+ / (μ_k c_k), ties to the first."""
    least, best = np.inf, 0
    for k in range(capacities.size):
        delay, waiting = 1 / rates[k], at_chain[k] - capacities[k] + 1
        if waiting > 0:
            delay += waiting / (rates[k] * capacities[k])
        if delay < least:
            least, best = delay, k
    return best


@kernel
def largest_credit(credit: NDArray[np.float64], shares: NDArray[np.float64]) -> int:
    """Split: every chain earns its share of a job, and the one that is owed most takes the job."""
    most, best = -np.inf, 0
    for k in range(credit.size):
        credit[k] += shares[k]
        if credit[k] > most:
            most, best = credit[k], k
    credit[best] -= 1
    return best


@kernel
def _next_done(servers: NDArray[np.float64], end: float) -> None:
    """Put a time in the place of the earliest of a heap."""
    i = 0
    while True:
        below = 2 * i + 1
        if below >= servers.size:
            break
        if below + 1 < servers.size and servers[below + 1] < servers[below]:
            below += 1
        if end <= servers[below]:
            break
        servers[i] = servers[below]
        i = below
    servers[i] = end
