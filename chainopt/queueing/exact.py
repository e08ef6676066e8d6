"""The exact response time of JFFC under Poisson arrivals and exponential sizes.

While a job waits all job servers are busy, so the states with a queue are a geometric tail on those without, and these
are a loss system in which an arrival takes the fastest free server. There the overflow of the first l job servers is a
renewal stream, whose inter-arrival transform follows from that of the first l - 1 by Palm's recursion. Derivation and
accuracy: docs/theory/exact-response-time.md.

References
----------
C. Palm, Intensitätsschwankungen im Fernsprechverkehr, Ericsson Technics 44 (1943).
R. B. Cooper, Queues with ordered servers that work at different rates, Opsearch 13 (1976).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import stable
from chainopt.jit import kernel
from chainopt.queueing.palm import LEAST_LOG, add_server, next_rate, no_servers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from chainopt.model.composition import Composition

NODES = 64
"""Chebyshev nodes; 64 give a relative error of about 1e-14 of the mean response time, 48 give 1e-11."""

_LIGHTEST = 1e-300  # load below which only the fastest job server counts


@dataclass(frozen=True, eq=False)
class ResponseTime:
    """Response time of JFFC in steady state, times in seconds.

    Attributes
    ----------
    arrival_rate
        λ, jobs per second.
    total_service_rate
        ν = Σ c_k μ_k, jobs per second.
    job_servers
        C = Σ c_k.
    waiting_probability
        Share of the jobs that find all job servers busy.
    shares
        Share of the jobs that each chain serves, shape (K,), chains as they were given.
    """

    arrival_rate: float
    total_service_rate: float
    job_servers: int
    waiting_probability: float
    shares: NDArray[np.float64]
    _rates: NDArray[np.float64]
    _shares_at_once: NDArray[np.float64]
    _shares_after_wait: NDArray[np.float64]

    @property
    def load(self) -> float:
        """ρ = λ/ν."""
        return self.arrival_rate / self.total_service_rate

    @property
    def mean_service_time_s(self) -> float:
        """Mean time from start to end."""
        return float(np.sum(self.shares / self._rates))

    @property
    def mean_waiting_time_s(self) -> float:
        """Mean time from arrival to start, over all jobs."""
        return self.waiting_probability / (self.total_service_rate - self.arrival_rate)

    @property
    def mean_response_time_s(self) -> float:
        """Mean time from arrival to end."""
        return self.mean_service_time_s + self.mean_waiting_time_s

    def tail(self, time_s: float) -> float:
        """Probability that a job takes longer than `time_s` from arrival to end.

        A job that waits does so for an exponential time of rate d = ν - λ, whichever chain takes it then; the tail of
        the sum is (d e^{-μt} - μ e^{-dt}) / (d - μ), written so that d may equal μ.
        """
        from scipy.special import exprel

        time_s = max(time_s, 0.0)
        rates, slack = self._rates, self.total_service_rate - self.arrival_rate
        served = np.exp(-rates * time_s)
        slower = np.exp(-np.minimum(rates, slack) * time_s)
        waited = served + rates * time_s * slower * exprel(-np.abs(slack - rates) * time_s)
        return float(np.sum(self._shares_at_once * served + self._shares_after_wait * waited))

    def quantile(self, probability: float) -> float:
        """Time within which this share of the jobs has ended.

        Raises
        ------
        ValueError
            If the probability is not in [0, 1).
        """
        from scipy.optimize import brentq

        if not 0 <= probability < 1:
            raise ValueError(f"expected a probability in [0, 1), got {probability}")
        if 1 - probability == 1:
            return 0.0
        upper = self.mean_response_time_s / (1 - probability)  # Markov's inequality
        return float(
            brentq(lambda time_s: self.tail(time_s) - (1 - probability), 0.0, upper, xtol=1e-12 * upper, rtol=1e-14)
        )

    @cached_property
    def p95_response_time_s(self) -> float:
        """95 % of the jobs end within this time."""
        return self.quantile(0.95)

    @cached_property
    def p99_response_time_s(self) -> float:
        """99 % of the jobs end within this time."""
        return self.quantile(0.99)


def response_time(composition: Composition, arrival_rate: float) -> ResponseTime:
    """Exact response time of a composition under JFFC, Poisson arrivals, exponential sizes of mean 1.

    Raises
    ------
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    return jffc(composition.service_rates, composition.capacities, arrival_rate)


def jffc(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float, *, nodes: int = NODES) -> ResponseTime:
    """Exact response time of JFFC, from plain arrays.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,), in any order.
    capacities
        c_k, shape (K,); chains of capacity 0 serve nothing.
    arrival_rate
        λ, jobs per second; 0 gives the limit of light load.
    nodes
        Chebyshev nodes, at least 8.

    Raises
    ------
    ValueError
        If the arguments are not rates, capacities, an arrival rate and a number of nodes.
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    if nodes < 8:
        raise ValueError(f"expected at least 8 nodes, got {nodes}")
    arrival_rate = float(arrival_rate)  # kernels are compiled for floats only
    chains = stable(rates, capacities, arrival_rate)
    given = np.size(capacities)
    counts = chains.capacities
    if arrival_rate < _LIGHTEST * chains.total_rate:
        carried, log_blocking = (np.arange(counts.size) == 0).astype(np.float64), -np.inf
    else:
        carried, log_blocking = carried_by_chain(chains.rates, counts, arrival_rate, nodes)
    idle = (chains.total_rate - arrival_rate) / chains.total_rate
    blocking = float(np.exp(log_blocking))
    weight = 1 + blocking * (1 - idle) / idle  # the tail of states with a queue, added to the loss system
    waiting = blocking / (idle * weight)
    at_once = carried / weight
    after_wait = waiting * counts * chains.rates / chains.total_rate
    shares = np.zeros(given)
    shares[chains.order] = at_once + after_wait

    def as_given(values: NDArray[np.float64], fill: float) -> NDArray[np.float64]:
        result = np.full(given, fill)
        result[chains.order] = values
        return result

    return ResponseTime(
        float(arrival_rate),
        chains.total_rate,
        sum(counts.tolist()),
        waiting,
        shares,
        as_given(chains.rates, 1.0),
        as_given(at_once, 0.0),
        as_given(after_wait, 0.0),
    )


@kernel
def carried_by_chain(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float, nodes: int
) -> tuple[NDArray[np.float64], float]:
    """Share of the jobs that each chain carries in the loss system, and the logarithm of the share that is lost.

    b_l, the share of jobs that overflow the first l job servers, is b_0 = 1 and b_{l+1} = b_l / (1 + r_l(m)).

    Parameters
    ----------
    rates, capacities
        In the order in which an arrival tries the chains, shape (K,).
    """
    overflow = no_servers(rates, capacities, arrival_rate, nodes)
    carried = np.zeros(rates.size)
    log_passed = 0.0
    for k in range(rates.size):
        next_rate(overflow, rates[k])
        for _ in range(capacities[k]):
            if log_passed < LEAST_LOG:
                return carried, -np.inf  # what is left to carry is not a number above 0
            r = add_server(overflow, rates[k])
            carried[k] += np.exp(log_passed) * r / (1 + r)
            log_passed -= np.log1p(r)
    return carried, log_passed
