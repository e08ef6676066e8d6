"""The exact response time against three witnesses: the Markov chain, the recursion without interpolation, formulas."""

from __future__ import annotations

from itertools import pairwise
from math import exp, inf, log, nan

import numpy as np
import pytest
from scipy.integrate import quad

from chainopt.errors import UnstableError
from chainopt.queueing.exact import ResponseTime, jffc
from tests.oracles.queues import lattice, markov_chain, response_tail, waiting_in_mmc
from tests.queueing.systems import LOADS, random_system, total_rate

TAIL_SYSTEMS = [
    ([1.0, 0.5], [2, 1], 0.7),
    ([3.0, 1.0, 0.2], [1, 2, 2], 0.5),
    ([1.0], [3], 0.9),
    ([1.0, 0.01], [1, 1], 0.8),
]


def of_load(rates: list[float], capacities: list[int], load: float) -> ResponseTime:
    return jffc(rates, capacities, load * total_rate(rates, capacities))


@pytest.mark.parametrize("seed", range(40))
def test_markov_chain(seed: int) -> None:
    """Mean, waiting probability and shares are those of the balance equations at every load."""
    rates, capacities = random_system(seed)
    for load in LOADS:
        arrival_rate = load * total_rate(rates, capacities)
        found, expected = jffc(rates, capacities, arrival_rate), markov_chain(rates, capacities, arrival_rate)

        assert found.mean_response_time_s == pytest.approx(expected.mean_jobs / arrival_rate, rel=1e-9)
        assert found.waiting_probability == pytest.approx(expected.waiting, rel=1e-9)
        assert found.shares == pytest.approx(expected.shares, rel=1e-9)


def test_two_servers_by_hand() -> None:
    """λ = 1, μ = 2 and 1: T = 27/38, 3 of 19 jobs wait, 14 of 19 are served by the faster chain."""
    found = jffc([2, 1], [1, 1], 1)  # solved in test_oracles.py

    assert found.mean_response_time_s == pytest.approx(27 / 38, rel=1e-14)
    assert found.waiting_probability == pytest.approx(3 / 19, rel=1e-14)
    assert found.shares == pytest.approx([14 / 19, 5 / 19], rel=1e-14)
    assert found.mean_service_time_s == pytest.approx(14 / 19 / 2 + 5 / 19, rel=1e-14)
    assert found.mean_waiting_time_s == pytest.approx(3 / 19 / (3 - 1), rel=1e-14)


@pytest.mark.parametrize(
    ("rates", "capacities"),
    [
        ([10, 5, 1], [4, 4, 4]),
        (list(range(200, 100, -10)), [10] * 10),
        ([1000, 599, 359, 215, 129], [3] * 5),
        ([1000, 1], [50, 50]),
        ([5000, 1], [1, 200]),
        (list(range(30, 10, -1)), [20] * 20),
    ],
)
def test_recursion_without_interpolation(rates: list[int], capacities: list[int]) -> None:
    """Systems of 12 to 400 job servers, rates up to 5000 : 1, are within 1e-12 of the recursion on all whole s."""
    for load in LOADS:
        arrival_rate = load * total_rate(rates, capacities)
        found, expected = jffc(rates, capacities, arrival_rate), lattice(rates, capacities, arrival_rate)

        assert found.mean_response_time_s == pytest.approx(expected.mean_jobs / arrival_rate, rel=1e-12)
        assert found.waiting_probability == pytest.approx(expected.waiting, rel=1e-9, abs=1e-300)
        assert found.shares == pytest.approx(expected.shares, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("load", LOADS)
def test_thousands_of_job_servers(load: float) -> None:
    """With 4000 job servers the loss probability may be less than any float, and nothing becomes 0/0 or infinite."""
    rates, capacities = [4, 3, 2, 1], [1000] * 4
    found, expected = of_load(rates, capacities, load), lattice(rates, capacities, load * 10_000)

    numbers = [found.mean_response_time_s, found.waiting_probability, found.p99_response_time_s, *found.shares]
    assert np.all(np.isfinite(numbers))
    assert found.job_servers == 4000
    assert found.mean_response_time_s == pytest.approx(expected.mean_jobs / (load * 10_000), rel=1e-12)
    assert found.waiting_probability == pytest.approx(expected.waiting, rel=1e-9, abs=1e-300)
    assert found.shares.sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("load", LOADS)
def test_one_server(load: float) -> None:
    """M/M/1: T = 1/(μ - λ), the share ρ waits, and the time is exponential."""
    found = of_load([2.0], [1], load)

    assert found.mean_response_time_s == pytest.approx(1 / (2 * (1 - load)), rel=1e-9)
    assert found.waiting_probability == pytest.approx(load, rel=1e-9)
    assert found.load == pytest.approx(load, rel=1e-15)
    for p in (0.001, 0.5, 0.95, 0.99, 0.999999):
        assert found.quantile(p) == pytest.approx(-log(1 - p) / (2 * (1 - load)), rel=1e-9)


@pytest.mark.parametrize("servers", [2, 3, 10, 100, 3000])
@pytest.mark.parametrize("load", [1e-3, 0.5, 0.9, 0.999])
def test_equal_servers(servers: int, load: float) -> None:
    """M/M/c: Erlang's C and W = C / (cμ - λ), however the servers are divided into chains."""
    rate = 0.25
    arrival_rate = load * servers * rate
    waiting = waiting_in_mmc(servers, rate, arrival_rate)
    mean = 1 / rate + waiting / (servers * rate - arrival_rate)

    for capacities in ([servers], [1, servers - 1]):
        found = jffc([rate] * len(capacities), capacities, arrival_rate)
        assert found.mean_response_time_s == pytest.approx(mean, rel=1e-10)
        assert found.waiting_probability == pytest.approx(waiting, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("rates", "capacities", "load"), TAIL_SYSTEMS)
def test_tail_of_one_job(rates: list[float], capacities: list[int], load: float) -> None:
    """The tail is what comes of following a job through queue and chain, from the body to one job in a million."""
    arrival_rate = load * total_rate(rates, capacities)
    found = jffc(rates, capacities, arrival_rate)

    for time in (0.0, 0.01, 0.3, 1.0, 3.0, 10.0):
        assert found.tail(time) == pytest.approx(response_tail(rates, capacities, arrival_rate, time), rel=1e-8)


@pytest.mark.parametrize(("rates", "capacities", "load"), TAIL_SYSTEMS)
def test_quantiles(rates: list[float], capacities: list[int], load: float) -> None:
    """At a quantile the tail of the witness is what is left."""
    arrival_rate = load * total_rate(rates, capacities)
    found = jffc(rates, capacities, arrival_rate)

    for p in (0.01, 0.5, 0.9, 0.95, 0.99):
        assert response_tail(rates, capacities, arrival_rate, found.quantile(p)) == pytest.approx(1 - p, rel=1e-8)
    assert found.p95_response_time_s == found.quantile(0.95)
    assert found.p99_response_time_s == found.quantile(0.99)
    assert found.quantile(0) == 0


@pytest.mark.parametrize("seed", range(10))
def test_tail_integrates_to_the_mean(seed: int) -> None:
    """E[T] is the integral of P(T > t)."""
    rates, capacities = random_system(seed)
    found = of_load(rates, capacities, 0.85)
    ends = [0.0, *(10.0**n / min(*rates, found.total_service_rate - found.arrival_rate) for n in range(-4, 3))]

    integral = sum(quad(found.tail, a, b, epsrel=1e-12)[0] for a, b in pairwise(ends))

    assert integral == pytest.approx(found.mean_response_time_s, rel=1e-10)


def test_wait_as_fast_as_service() -> None:
    """Where ν - λ is a chain's rate the formula for the tail is a limit: M/M/2 with λ = 1 and μ = 1, C = 1/3."""
    found = jffc([1.0], [2], 1.0)

    for time in (0.1, 1.0, 5.0):
        expected = 2 / 3 * exp(-time) + 1 / 3 * (1 + time) * exp(-time)  # a wait of rate 2 - 1, then one of rate 1
        assert found.tail(time) == pytest.approx(expected, rel=1e-14)
        near = jffc([1.0], [2], 1.0 + 1e-9)
        assert near.tail(time) == pytest.approx(expected, rel=1e-8)


def test_quantile_of_what_is_no_probability() -> None:
    """Quantiles are those of probabilities from 0 to less than 1."""
    found = jffc([1.0], [1], 0.5)

    for p in (-0.1, 1.0, 1.5, nan):
        with pytest.raises(ValueError, match=r"in \[0, 1\)"):
            found.quantile(p)


@pytest.mark.parametrize("seed", range(20))
def test_identities(seed: int) -> None:
    """Shares add up to 1, Little's law holds for each chain's busy servers, and T = S + W."""
    rates, capacities = random_system(seed)
    found = of_load(rates, capacities, 0.6)

    assert found.shares.sum() == pytest.approx(1, rel=1e-14)
    busy = found.arrival_rate * found.shares / rates
    assert np.all(busy <= np.array(capacities) * (1 + 1e-14))
    queue = found.waiting_probability * found.load / (1 - found.load)  # P(all busy) is geometric beyond C
    assert busy.sum() + queue == pytest.approx(found.arrival_rate * found.mean_response_time_s, rel=1e-12)
    assert found.tail(0) == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_chains(seed: int) -> None:
    """Chains may be given in any order; shares come back in that order."""
    rates, capacities = random_system(seed)
    found = of_load(rates, capacities, 0.7)
    order = np.random.default_rng(seed).permutation(len(rates))

    shuffled = jffc(np.array(rates)[order], np.array(capacities)[order], found.arrival_rate)

    assert shuffled.mean_response_time_s == pytest.approx(found.mean_response_time_s, rel=1e-14)
    assert shuffled.p95_response_time_s == pytest.approx(found.p95_response_time_s, rel=1e-13)
    assert shuffled.shares == pytest.approx(found.shares[order], rel=1e-13)


def test_of_equal_chains_the_first_is_preferred() -> None:
    """Two chains of one rate are one chain to the mean, but the one given first serves more jobs: 7 to 5."""
    # λ = μ = 1, in units of p11: p01 (1 + 1) = 1, p10 + p01 = 2, p00 = p10 + p01 = 2, the queue 1/2 + 1/4 + ... = 1.
    # Of 6 units the first server is busy for 3/2 + 1 + 1, the second for 1/2 + 1 + 1.
    found = jffc([1.0, 1.0], [1, 1], 1.0)

    assert found.shares == pytest.approx([7 / 12, 5 / 12], rel=1e-14)
    assert found.mean_response_time_s == pytest.approx(4 / 3, rel=1e-14)  # 1 + C/(2 - 1), C = (1 + 1)/6


def test_chains_without_capacity_serve_nothing() -> None:
    """A chain of capacity 0 changes nothing, even the fastest."""
    found = jffc([9.0, 2.0, 1.0, 0.001], [0, 1, 1, 0], 1.0)

    assert found.mean_response_time_s == jffc([2, 1], [1, 1], 1).mean_response_time_s
    assert found.shares.tolist() == [0, *jffc([2, 1], [1, 1], 1).shares.tolist(), 0]
    assert (found.job_servers, found.total_service_rate) == (2, 3)
    assert found.p99_response_time_s == jffc([2, 1], [1, 1], 1).p99_response_time_s


def test_no_traffic() -> None:
    """Without arrivals a job would be alone, at the fastest chain; little traffic comes close to that."""
    found, little = jffc([1.0, 2.0], [3, 1], 0.0), jffc([1.0, 2.0], [3, 1], 1e-9)

    assert found.mean_response_time_s == 0.5
    assert found.waiting_probability == 0
    assert found.shares.tolist() == [0, 1]
    assert found.p95_response_time_s == pytest.approx(-log(0.05) / 2, rel=1e-12)
    assert little.mean_response_time_s == pytest.approx(0.5, rel=1e-8)
    # the second job finds the fast chain busy with probability λ/(λ + 2)
    assert little.shares == pytest.approx([1e-9 / 2, 1], rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_unit_of_time(seed: int) -> None:
    """Twice as fast a system under twice the traffic takes half the time, to the last bit."""
    rates, capacities = random_system(seed)
    found = of_load(rates, capacities, 0.7)
    faster = jffc(2 * np.array(rates), capacities, 2 * found.arrival_rate)

    assert faster.mean_response_time_s == found.mean_response_time_s / 2
    assert faster.shares.tolist() == found.shares.tolist()


@pytest.mark.parametrize("seed", range(30))
def test_more_capacity(seed: int) -> None:
    """One more job server anywhere makes fewer jobs wait; at the fastest chain it shortens the mean response time."""
    rates, capacities = random_system(seed)
    for load in (0.1, 0.5, 0.9, 0.99):
        before = of_load(rates, capacities, load)
        for k in range(len(rates)):
            more = [c + (i == k) for i, c in enumerate(capacities)]
            after = jffc(rates, more, before.arrival_rate)
            assert after.waiting_probability < before.waiting_probability
            assert after.mean_waiting_time_s < before.mean_waiting_time_s
            if k == 0:
                assert after.mean_response_time_s < before.mean_response_time_s


def test_a_slow_chain_can_do_harm() -> None:
    """JFFC sends a job to any free chain, so a slow one more may lengthen the mean response time."""
    # λ = 1, μ = 2 alone: T = 1. With μ = 1/10 beside it, in units of p11: p01 = 2/1.1 = 20/11, p10 = 2.1 - p01, which
    # is 31/110, p00 = 2 p10 + p01/10 = 82/110; the queue adds ρ/(1 - ρ) = 10/11, ρ = 10/21. All in all 523/110.
    # Jobs: 31/110 + 200/110 + 2 + 2·10/11 + ρ/(1 - ρ)² = 651/110 + 210/121 = 9261/1210.
    assert jffc([2], [1], 1).mean_response_time_s == pytest.approx(1, rel=1e-14)
    assert jffc([2, 0.1], [1, 1], 1).mean_response_time_s == pytest.approx(9261 / 5753, rel=1e-13)


def test_more_traffic_can_shorten_the_mean() -> None:
    """The slow chain is busy most of the time however little traffic there is, and more traffic shares the burden."""
    little, more = jffc([2, 0.01], [1, 1], 0.1), jffc([2, 0.01], [1, 1], 1)

    assert little.mean_response_time_s == pytest.approx(893266110 / 246128521, rel=1e-13)  # 3.63, in fractions
    assert more.mean_response_time_s == pytest.approx(8120601 / 4161503, rel=1e-13)  # 1.95
    assert little.waiting_probability < more.waiting_probability


@pytest.mark.parametrize(
    ("rates", "capacities", "arrival_rate"),
    [
        pytest.param([1.0], [1], 1.0, id="exactly the service rate"),
        pytest.param([1.0, 0.5], [2, 2], 3.0, id="of two chains"),
        pytest.param([1.0], [1], 1.5, id="above"),
        pytest.param([1.0], [0], 0.5, id="no capacity"),
        pytest.param([1.0], [0], 0.0, id="no capacity and no traffic"),
        pytest.param([], [], 0.5, id="no chain"),
    ],
)
def test_unstable(rates: list[float], capacities: list[int], arrival_rate: float) -> None:
    """From the total service rate on there is no steady state."""
    with pytest.raises(UnstableError, match="not below the total service rate"):
        jffc(rates, capacities, arrival_rate)


@pytest.mark.parametrize(
    ("rates", "capacities", "arrival_rate", "message"),
    [
        ([1.0], [1], nan, "arrival rate"),
        ([1.0], [1], inf, "arrival rate"),
        ([1.0], [1], -0.1, "arrival rate"),
        ([nan], [1], 0.5, "rates"),
        ([inf], [1], 0.5, "rates"),
        ([0.0], [1], 0.5, "rates"),
        ([-1.0], [1], 0.5, "rates"),
        ([1.0], [-1], 0.5, "capacities"),
        ([1.0], [1.5], 0.5, "capacities"),
        ([1.0], [nan], 0.5, "capacities"),
        ([1.0, 2.0], [1], 0.5, "shapes"),
        ([[1.0]], [[1]], 0.5, "shapes"),
    ],
)
def test_what_is_no_system(rates: list[float], capacities: list[int], arrival_rate: float, message: str) -> None:
    """Numbers that make no sense are refused, and named."""
    with pytest.raises(ValueError, match=message):
        jffc(rates, capacities, arrival_rate)
