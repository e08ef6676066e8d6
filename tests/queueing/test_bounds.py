"""Theorem 4's bounds: in fractions, in logarithms, around the exact mean."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from chainopt.errors import UnstableError
from chainopt.queueing.bounds import jffc_bounds
from chainopt.queueing.exact import jffc
from tests.oracles.queues import birth_death_jobs, birth_death_jobs_by_logarithms
from tests.queueing.systems import LOADS, random_system, total_rate


@pytest.mark.parametrize(
    "load", [Fraction(1, 10**6), Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)]
)
@pytest.mark.parametrize(
    ("rates", "capacities"),
    [((1,), (1,)), ((2, 1), (1, 1)), ((3, 2, 1), (2, 4, 3)), ((100, 10, 1), (1, 2, 10)), ((1, 1), (30, 1))],
)
def test_fractions(rates: tuple[int, ...], capacities: tuple[int, ...], load: Fraction) -> None:
    """Both bounds are the rational numbers of the theorem."""
    arrival_rate = load * sum(m * c for m, c in zip(rates, capacities, strict=True))
    speeds = [Fraction(m) for m in rates]

    lower, upper = jffc_bounds(rates, capacities, float(arrival_rate))

    assert lower == pytest.approx(float(birth_death_jobs(speeds, capacities, arrival_rate) / arrival_rate), rel=1e-12)
    slowest_first = birth_death_jobs(speeds[::-1], capacities[::-1], arrival_rate)
    assert upper == pytest.approx(float(slowest_first / arrival_rate), rel=1e-12)


def test_two_servers_by_hand() -> None:
    """λ = 1, μ = 2 and 1: with death rates 2, 3 the bound is 9/14, with 1, 3 it is 9/10, and T = 27/38 lies between."""
    # φ: 1, 1/2, (1/6)/(2/3) = 1/4: mass 7/4. Jobs: 1/2 + (1/6)((1/3)/(4/9) + 2/(2/3)) = 1/2 + 5/8 = 9/8.
    # φ: 1, 1, (1/3)/(2/3) = 1/2: mass 5/2. Jobs: 1 + (1/3)(15/4) = 9/4.
    lower, upper = jffc_bounds([2, 1], [1, 1], 1)

    assert lower == pytest.approx(9 / 14, rel=1e-14)
    assert upper == pytest.approx(9 / 10, rel=1e-14)
    assert lower < 27 / 38 < upper


@pytest.mark.parametrize("load", [load for load in LOADS if load <= 0.99])
def test_thousands_of_job_servers(load: float) -> None:
    """With 4000 job servers nothing overflows, and the bounds are those of logarithms."""
    rates, capacities = [4.0, 3.0, 2.0, 1.0], [1000] * 4
    arrival_rate = load * 10_000

    lower, upper = jffc_bounds(rates, capacities, arrival_rate)

    expected = birth_death_jobs_by_logarithms(rates, capacities, arrival_rate)
    assert lower == pytest.approx(expected / arrival_rate, rel=1e-10)
    expected = birth_death_jobs_by_logarithms(rates[::-1], capacities, arrival_rate)
    assert upper == pytest.approx(expected / arrival_rate, rel=1e-10)


@pytest.mark.parametrize("seed", range(60))
def test_exact_mean_lies_between(seed: int) -> None:
    """Theorem 4 encloses the exact mean at every load."""
    rates, capacities = random_system(seed)
    for load in LOADS:
        arrival_rate = load * total_rate(rates, capacities)
        lower, upper = jffc_bounds(rates, capacities, arrival_rate)
        mean = jffc(rates, capacities, arrival_rate).mean_response_time_s
        assert lower <= mean * (1 + 1e-9)
        assert mean <= upper * (1 + 1e-9)


@pytest.mark.parametrize("servers", [1, 2, 17, 400])
@pytest.mark.parametrize("load", [1e-6, 0.3, 0.9, 0.99])
def test_equal_rates(servers: int, load: float) -> None:
    """With one rate it does not matter which job servers are busy: both bounds are the exact mean."""
    rates, capacities = [0.3, 0.3], [servers, 1]
    arrival_rate = load * total_rate(rates, capacities)

    mean = jffc(rates, capacities, arrival_rate).mean_response_time_s

    assert jffc_bounds(rates, capacities, arrival_rate) == pytest.approx((mean, mean), rel=1e-11)


@pytest.mark.parametrize("seed", range(20))
def test_more_capacity_lowers_the_lower_bound(seed: int) -> None:
    """A job server more never lowers a death rate of the best case, so the lower bound falls; the upper may rise."""
    rates, capacities = random_system(seed)
    arrival_rate = 0.8 * total_rate(rates, capacities)
    lower, _ = jffc_bounds(rates, capacities, arrival_rate)

    for k in range(len(rates)):
        more = [c + (i == k) for i, c in enumerate(capacities)]
        assert jffc_bounds(rates, more, arrival_rate)[0] < lower * (1 + 1e-12)
    assert jffc_bounds([1, 0.001], [1, 1], 0.5)[1] > jffc_bounds([1], [1], 0.5)[1]


def test_any_order_and_no_capacity() -> None:
    """Chains may come in any order, and those of capacity 0 do not count."""
    expected = jffc_bounds([3, 2, 1], [1, 2, 1], 4)

    assert jffc_bounds([1, 2, 3, 50], [1, 2, 1, 0], 4) == expected


def test_no_traffic() -> None:
    """Without arrivals a job is alone, at the fastest chain or at the slowest."""
    assert jffc_bounds([4.0, 0.5], [1, 1], 0) == (0.25, 2.0)
    assert jffc_bounds([4.0, 0.5], [1, 1], 1e-12) == pytest.approx((0.25, 2.0), rel=1e-10)


def test_unstable() -> None:
    """From the total service rate on there is no bound."""
    with pytest.raises(UnstableError):
        jffc_bounds([1.0], [2], 2.0)
    with pytest.raises(ValueError, match="arrival rate"):
        jffc_bounds([1.0], [2], np.nan)
